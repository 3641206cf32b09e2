"""What `hf-mri doctor` says."""

from hf_mri.commands import doctor
from tests.reports.conftest import make_model


def test_a_missing_library_is_named_with_the_extra_that_brings_it(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "find_spec", lambda module: None if module == "openvino" else object())
    assert doctor.find_missing() == {"export": ["openvino"]}
    monkeypatch.setenv("COLUMNS", "200")
    doctor.run_doctor()
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if "openvino" in line]
    assert "missing" in line
    assert "pip install hf_mri[export]" in line
    assert any("torch " in line and "at least 2." in line for line in lines)


def test_a_model_is_timed_on_each_engine_and_the_missing_export_is_said(tmp_path):
    rows = doctor.time_model(str(make_model(tmp_path)), slices=2)
    timed = [row for row in rows if "problem" not in row]
    assert {row["engine"] for row in timed} == {"torch"}
    assert all(row["segment_ms"] > 0 for row in timed)
    (problem,) = [row["problem"] for row in rows if "problem" in row]
    assert "hf-mri export" in problem
