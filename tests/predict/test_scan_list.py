"""Which scans are read, and what they are called."""

import json

import pytest

from hf_mri.modeling.mri_scan_files import name_of
from hf_mri.predict.scan_list import describe_work, find_scans, parse_channels, plan_jobs, scan_name
from hf_mri.storage.outputs import RECORD, LocalOutput
from tests.reports.conftest import write_scan


def test_globs_lists_and_names_are_joined_in_order_without_repeats(tmp_path):
    for name in ("b.nii.gz", "a.nii.gz", "c.png"):
        (tmp_path / name).touch()
    listed = tmp_path / "list.txt"
    listed.write_text(f"# a comment\n\n{tmp_path}/c.png\n{tmp_path}/a.nii.gz\n")
    found = find_scans([f"{tmp_path}/*.nii.gz"], listed)
    assert [path.name for path in found] == ["a.nii.gz", "b.nii.gz", "c.png"]


def test_a_glob_without_match_and_an_empty_list_are_refused(tmp_path):
    with pytest.raises(ValueError, match="matches no file"):
        find_scans([f"{tmp_path}/*.tif"])
    with pytest.raises(ValueError, match="no scan given"):
        find_scans([])


def test_endings_are_dropped_from_names_and_dots_kept(tmp_path):
    assert scan_name(tmp_path / "x.1.nii.gz") == "x.1"
    assert scan_name(tmp_path / "patient.01") == "patient.01"
    for name in ("...png", "..png", "...nii.gz"):
        assert scan_name(tmp_path / name) == name_of(tmp_path / name) == "scan", "no name is a way to another folder"
    channels = {"pre": tmp_path / "p7_pre.nii", "flair": tmp_path / "p7_flair.nii"}
    assert scan_name(channels) == "p7"
    assert scan_name({"t1": tmp_path / "p7_t1.nii", "t2": tmp_path / "p7_t2.nii"}) == "p7"
    assert scan_name({"t1": tmp_path / "p7t1.nii", "t2": tmp_path / "p7t2.nii"}) == "p7t"


def test_two_scans_of_one_name_get_two_folders_in_any_run(tmp_path):
    first, second = (write_scan(tmp_path / place / "scan") for place in ("one", "two"))
    out = tmp_path / "out"
    jobs = plan_jobs([first, second], LocalOutput(out))
    assert [job.name for job in jobs] == ["scan", "two-scan"]
    (out / "scan").mkdir(parents=True)
    (out / "scan" / RECORD).write_text(json.dumps(describe_work(jobs[0], {}, ["json"], {})))
    assert [job.name for job in plan_jobs([second], LocalOutput(out))] == ["two-scan"]
    assert [job.name for job in plan_jobs([first], LocalOutput(out))] == ["scan"]


def test_a_folder_that_somebody_else_made_is_left_alone(tmp_path):
    (tmp_path / "out" / "scan").mkdir(parents=True)
    (job,) = plan_jobs([write_scan(tmp_path / "scan")], LocalOutput(tmp_path / "out"))
    assert job.name == f"{tmp_path.name}-scan"


def test_channels_are_pairs(tmp_path):
    assert list(parse_channels(["pre=a.nii", "flair=b.nii"])) == ["pre", "flair"]
    with pytest.raises(ValueError, match="name=file"):
        parse_channels(["a.nii"])
    with pytest.raises(ValueError, match="twice"):
        parse_channels(["pre=a.nii", "pre=b.nii"])


def test_links_are_scans_of_their_own_and_a_scan_named_twice_is_read_once(tmp_path):
    scan = write_scan(tmp_path / "scan")
    (tmp_path / "link").symlink_to(scan)
    jobs = plan_jobs([scan, tmp_path / "link", tmp_path / "link" / ".." / "scan"], LocalOutput(tmp_path / "out"))
    assert [job.name for job in jobs] == ["scan", "link"]


def test_a_given_name_takes_the_place_of_the_scans_own(tmp_path):
    scans = [write_scan(tmp_path / name) for name in ("doe_jane", "doe_john")]
    assert [job.name for job in plan_jobs(scans, LocalOutput(tmp_path / "out"), "case")] == ["case", "case-2"]
    with pytest.raises(ValueError, match="--name 'a/b': must be a name without folders"):
        plan_jobs(scans, LocalOutput(tmp_path / "out"), "a/b")
