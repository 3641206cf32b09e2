"""Files that are small on the way and large when decoded: the page's process stays as large as it was."""

import gzip
import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nibabel
import numpy as np
import psutil
import pytest
from PIL import Image

from tests.page.conftest import serve_page
from tests.page.visits import Caller

SHAPE = (1200, 1200, 600)  # 864 MB of zeros
MOST = 1.3  # times what it was


def find_process(address: str) -> psutil.Process:
    """The page's process: the child of this one that listens at the address."""
    port = int(address.rsplit(":", 1)[1])
    return next(
        child
        for child in psutil.Process(os.getpid()).children(recursive=True)
        if any(link.laddr.port == port and link.status == psutil.CONN_LISTEN for link in child.net_connections())
    )


def write_zeros(sink) -> None:
    """Write a NIfTI of zeros, a million bytes at a time."""
    header = nibabel.Nifti1Image(np.zeros((1, 1, 1), np.uint8), np.eye(4)).header
    header["dim"][1:4] = SHAPE
    sink.write(header.binaryblock + bytes(4))
    for _ in range(int(np.prod(SHAPE)) // 10**6):
        sink.write(bytes(10**6))


def write_hostile(folder: Path) -> list[Path]:
    """A volume, a zip of two of them, and a picture of 25,000 x 25,000 pixels; a few MB each."""
    volume, packed, picture = folder / "volume.nii.gz", folder / "twice.zip", folder / "picture.png"
    with gzip.open(volume, "wb", compresslevel=4) as sink:
        write_zeros(sink)
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("a.nii", "b.nii"):
            with archive.open(name, "w") as sink:
                write_zeros(sink)
    Image.new("1", (25_000, 25_000)).save(picture)
    return [volume, packed, picture]


@pytest.mark.slow
def test_three_hostile_files_at_once_leave_the_page_as_large_as_it_was(bundles, tmp_path):
    hostile, scan = write_hostile(tmp_path), tmp_path / "scan.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 200, (64, 64), dtype=np.uint8)).save(scan)

    def send(path: Path) -> tuple[str, object]:
        caller = Caller(address)
        return caller.call("read", caller.upload([path]))

    for address in serve_page(tmp_path, HF_MRI_MODEL=str(bundles["brain"])):
        assert send(scan)[0] == "complete"  # what a first scan loads is not counted
        page = find_process(address)
        before = page.memory_info().rss
        with ThreadPoolExecutor(3) as pool:
            for path, (kind, told) in zip(hostile, pool.map(send, hostile), strict=True):
                assert kind == "error", path.name
                assert path.name in str(told)
        assert page.memory_info().rss <= MOST * before
        assert send(scan)[0] == "complete"
