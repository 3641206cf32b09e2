"""The command line as a process: its exit codes, what it says, and what it does not wait for."""

import subprocess
import sys
from importlib.metadata import version

import pytest

from hf_mri.commands.app import main

# Runs the command line and then tells which heavy libraries it has imported.
PROGRAM = """
import sys
from hf_mri.commands.app import main
sys.argv = ["hf-mri", *{words!r}]
try:
    main()
finally:
    print("HEAVY", [name for name in ("torch", "transformers", "timm") if name in sys.modules])
"""


def run(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(words=words)], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--help"], 0, "Find, outline and measure things"),
        (["--version"], 0, f"hf_mri {version('hf_mri')}"),
        (["predict", "--help"], 0, "which slices show a tumor"),
        (["predict", "no-such-scan.nii.gz", "--model", "M", "--output", "OUT"], 1, "no-such-scan.nii.gz"),
        (["evaluate", "--model", "M", "--data", "no-such-data", "--output", "OUT"], 1, "no-such-data"),
        (["publish", "no-such-bundle", "you/model"], 1, "no-such-bundle"),
        (["data", "import", "lgg", "no-such-source", "DEST"], 1, "no-such-source"),
        (["predicts"], 2, "predict"),
    ],
)
def test_what_needs_no_model_does_not_wait_for_pytorch(words, code, said):
    done = run(*words)
    assert done.returncode == code, done.stderr
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.endswith("HEAVY []\n"), done.stdout


def test_an_expected_failure_is_one_line():
    done = run("predict", "no-such-scan.nii.gz", "--model", "M", "--output", "OUT")
    assert done.stderr.startswith("hf-mri: no-such-scan.nii.gz")
    assert done.stderr.count("\n") == 1


def test_what_the_system_refuses_names_the_path_first(capsys, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    place = str(tmp_path / "file" / "sub")
    monkeypatch.setattr("sys.argv", ["hf-mri", "data", "phantom", "lgg", place, "--patients", "1", "--size", "32"])
    with pytest.raises(SystemExit):
        main()
    line = capsys.readouterr().err.strip()
    assert line.startswith(f"hf-mri: {tmp_path}")
    assert "Errno" not in line
