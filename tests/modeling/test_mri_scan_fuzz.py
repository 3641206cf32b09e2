"""Damaged files of every format are read, or refused in one line: never another error, a hang or a warning."""

import gzip
import io
import re
import zipfile

import nibabel
import numpy as np
import pydicom
import pytest
import tifffile
from PIL import Image

from hf_mri import read_scan
from hf_mri.modeling.mri_scan import Scan
from hf_mri.modeling.mri_scan_errors import ScanError
from tests.modeling.phantom_files import head, lps_affine, write_dicom
from tests.modeling.test_mri_scan import write_png16

# Pillow's copy of libtiff writes to stderr by itself.
LIBTIFF = r"(?m)^_?(MissingRequired|LZW|TIFF|EstimateStripByteCounts|tempfile\.tif|Fax).*\n"
PAGES = head(3, 24, 20, np.uint16)
COLOR = np.stack([PAGES[1]] * 3, axis=-1)
CINE = np.stack([PAGES.transpose(2, 1, 0).astype(np.int16)] * 2, axis=-1)


def in_pillow(page, ending, **options):
    sink = io.BytesIO()
    Image.fromarray(page).save(sink, ending, **options)
    return sink.getvalue()


def in_tifffile(pages, **options):
    sink = io.BytesIO()
    tifffile.imwrite(sink, pages, **options)
    return sink.getvalue()


def in_zip(files):
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return sink.getvalue()


def make_whole_files(folder) -> dict[str, bytes]:
    write_png16(folder / "deep.png", COLOR)
    dicom = write_dicom(folder / "plain.dcm", PAGES[1])
    packed = pydicom.dcmread(dicom)
    packed.compress(pydicom.uid.RLELossless)
    packed.save_as(folder / "packed.dcm")
    small = PAGES.astype(np.uint8)
    png = in_pillow(small[1], "PNG")
    return {
        "gray.png": png,
        "deep.png": (folder / "deep.png").read_bytes(),
        "a.jpg": in_pillow(small[1], "JPEG"),
        "raw.tif": in_pillow(small[1], "TIFF"),
        "lzw.tif": in_pillow(COLOR.astype(np.uint8), "TIFF", compression="tiff_lzw"),
        "deep.tif": in_tifffile(COLOR, photometric="rgb"),
        "pages.tif": in_tifffile(PAGES, photometric="minisblack"),
        "volume.nii": nibabel.Nifti1Image(CINE[..., 0], lps_affine()).to_bytes(),
        "cine.nii": nibabel.Nifti2Image(CINE, lps_affine()).to_bytes(),
        "volume.nii.gz": gzip.compress(nibabel.Nifti1Image(CINE[..., 0], lps_affine()).to_bytes()),
        "plain.dcm": dicom.read_bytes(),
        "packed.dcm": (folder / "packed.dcm").read_bytes(),
        "scan.zip": in_zip({f"{n}.png": png for n in range(3)}),
    }


def damage(data: bytes, rng: np.random.Generator) -> bytes:
    """Change a few bytes, half of the time near the start, where headers are; or cut, drop, repeat or blank a part."""
    damaged = bytearray(data)
    start = int(rng.integers(min(len(data), 600) if rng.random() < 0.5 else len(data)))
    part = slice(start, start + int(rng.integers(1, 40)))
    match int(rng.integers(6)):
        case 0 | 1:
            for _ in range(int(rng.integers(1, 6))):
                place = (start + int(rng.integers(64))) % len(data)
                damaged[place] = int(rng.choice([0, 1, 127, 128, 255, rng.integers(256)]))
        case 2:
            del damaged[start:]
        case 3:
            del damaged[part]
        case 4:
            damaged[start:start] = damaged[part]
        case 5:
            damaged[part] = len(damaged[part]) * bytes([int(rng.choice([0, 255]))])
    return bytes(damaged)


def check_damaged(folder, times, capfd):
    refused = 0
    for number, (name, data) in enumerate(make_whole_files(folder).items()):
        assert isinstance(read_scan_from(folder / name, data), Scan)
        rng = np.random.default_rng(number)
        for _ in range(times):
            answer = read_scan_from(folder / name, damage(data, rng))
            if isinstance(answer, ScanError):
                refused += 1
                assert str(answer).startswith(str(folder))
                assert "\n" not in str(answer)
                assert len(str(answer)) < 500
    assert refused > times  # damage is found, not read over
    assert re.sub(LIBTIFF, "", capfd.readouterr().err) == ""


def read_scan_from(path, data):
    path.write_bytes(data)
    try:
        return read_scan(path)
    except ScanError as error:
        return error


def test_damaged_files_are_read_or_refused_in_one_line(tmp_path, capfd):
    check_damaged(tmp_path, 50, capfd)


@pytest.mark.slow
def test_two_thousand_damaged_files_of_each_format(tmp_path, capfd):
    check_damaged(tmp_path, 2000, capfd)
