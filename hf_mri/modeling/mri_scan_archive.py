"""Unpack a zip without letting it write outside its folder or fill the disk."""

from __future__ import annotations

import lzma
import stat
import zipfile
from pathlib import Path, PurePosixPath

from .mri_scan_errors import DECODE_ERRORS, ScanError, reason_of

MOST_BYTES = 64 * 2**30
MOST_RATIO = 200  # deflate reaches 1000; images and text stay far below this
SMALL_BYTES = 16 * 2**20  # a small archive may be as compressible as it likes
MOST_FILES = 1_000_000


def unpack_zip(path: str | Path, folder: str | Path, most_bytes: int = MOST_BYTES) -> Path:
    """Unpack an archive into a folder, file by file, and return the folder.

    Links are left out. The sizes that the archive claims are checked first, and the bytes that really come out are
    counted as well, because the claim may lie.

    Raises:
        ScanError: not a zip, encrypted, damaged, a path that climbs out, no room, or too much to unpack; names the
            archive.
    """
    path, folder = Path(path), Path(folder)
    try:
        with zipfile.ZipFile(path) as archive:
            members = _check_members(path, archive, most_bytes)
            for member in members:
                _unpack_member(path, archive, member, folder)
    except ScanError:
        raise
    except OSError as error:  # its text would name the place aside, which says nothing to the user
        raise ScanError(path, f"cannot be unpacked ({error.strerror or error})") from error
    except (zipfile.BadZipFile, lzma.LZMAError, *DECODE_ERRORS) as error:
        raise ScanError(path, f"not a zip that can be unpacked ({reason_of(error)})", "get the file again") from error
    return folder


def _check_members(path: Path, archive: zipfile.ZipFile, most_bytes: int) -> list[zipfile.ZipInfo]:
    """The files of an archive, once all names and the claimed sizes are found harmless."""
    members = [m for m in archive.infolist() if not m.is_dir() and not stat.S_ISLNK(m.external_attr >> 16)]
    names = [PurePosixPath(member.filename.replace("\\", "/")) for member in members]
    folders = {parent for name in names for parent in name.parents}
    for member, name in zip(members, names, strict=True):
        if not name.parts or name.is_absolute() or ".." in name.parts or ":" in name.parts[0]:
            reason = f"{member.filename!r} climbs out of the archive, or is no path"
            raise ScanError(path, reason, "nothing was unpacked")
        if name in folders:
            raise ScanError(path, f"{member.filename!r} is a file and a folder at once", "pack it again")
    total = sum(m.file_size for m in members)
    packed = max(1, sum(m.compress_size for m in members))
    if len(members) > MOST_FILES or total > most_bytes or (total > SMALL_BYTES and total > MOST_RATIO * packed):
        raise ScanError(
            path,
            f"would unpack to {len(members)} files of {total / 2**20:.0f} MiB from {packed / 2**20:.1f} MiB, which "
            "looks like a zip bomb",
            "unpack it by hand if you trust it",
        )
    return members


def _unpack_member(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    """Write one file, and stop as soon as it grows beyond the size that it claimed."""
    target = folder / member.filename.replace("\\", "/")
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with archive.open(member) as source, target.open("wb") as sink:
        while block := source.read(2**20):
            written += len(block)
            if written > member.file_size:
                raise ScanError(path, f"{member.filename!r} inflates beyond the size it claims", "unpacking stopped")
            sink.write(block)
