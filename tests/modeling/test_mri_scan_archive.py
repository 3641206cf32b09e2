"""Archives that want more than they should."""

import stat
import zipfile
from pathlib import Path

import pytest

from hf_mri.modeling.mri_scan_archive import unpack_zip


def _zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_files_come_out_as_they_went_in(tmp_path):
    archive = _zip(tmp_path / "a.zip", {"x/y.txt": b"hello", "z.bin": bytes(1000)})
    folder = unpack_zip(archive, tmp_path / "out")
    assert (folder / "x" / "y.txt").read_bytes() == b"hello"
    assert (folder / "z.bin").stat().st_size == 1000


@pytest.mark.parametrize(
    "name", ["../evil.txt", "x/../../evil.txt", "/etc/evil.txt", "..\\evil.txt", "C:/evil.txt", "."]
)
def test_paths_that_climb_out_are_refused_before_anything_is_written(tmp_path, name):
    archive = _zip(tmp_path / "a.zip", {"good.txt": b"1", name: b"2"})
    with pytest.raises(ValueError, match="climbs out"):
        unpack_zip(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "evil.txt").exists()


def test_a_bomb_is_refused(tmp_path):
    archive = _zip(tmp_path / "a.zip", {f"{i}.bin": bytes(2**20) for i in range(20)})
    with pytest.raises(ValueError, match="zip bomb"):
        unpack_zip(archive, tmp_path / "out")
    with pytest.raises(ValueError, match="zip bomb"):
        unpack_zip(archive, tmp_path / "out", most_bytes=2**20)


def test_an_archive_that_lies_about_its_sizes_is_refused(tmp_path):
    archive = _zip(tmp_path / "a.zip", {"x.bin": bytes(300_000)})
    data = bytearray(archive.read_bytes())
    entry = data.index(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = (10).to_bytes(4, "little")  # the size that the directory claims
    archive.write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.zip"):
        unpack_zip(archive, tmp_path / "out")


def test_links_are_left_out(tmp_path):
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("x.txt", "1")
    folder = unpack_zip(tmp_path / "a.zip", tmp_path / "out")
    assert [path.name for path in folder.iterdir()] == ["x.txt"]


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x03\x04 cut short"])
def test_what_is_no_zip_is_named(tmp_path, content):
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.zip: not a zip"):
        unpack_zip(tmp_path / "a.zip", tmp_path / "out")
