"""Pixels of DICOM files: palettes in their colors, and the compressions of clinics after a plain install."""

import io
import struct

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate

from hf_mri import ScanError, read_scan
from hf_mri.modeling.mri_scan_dicom_pixels import decode_pixels
from tests.modeling.phantom_files import head, write_dicom

PAGE = head(3, 24, 20)[1]
DEEP = head(3, 24, 20, np.uint16)[1] >> 4  # 12 bits


def test_a_palette_is_shown_in_its_colors(tmp_path):
    table = np.stack([np.arange(256), np.arange(256)[::-1], np.full(256, 7)]).astype(np.uint8)
    colors = {}
    for name, values in zip(("Red", "Green", "Blue"), table, strict=True):
        colors[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 8]
        colors[f"{name}PaletteColorLookupTableData"] = values.tobytes()
    path = write_dicom(tmp_path / "a.dcm", PAGE, PhotometricInterpretation="PALETTE COLOR", **colors)
    np.testing.assert_array_equal(read_scan(path).slices[0], table[:, PAGE].transpose(1, 2, 0))


def test_what_is_not_applied_is_told(tmp_path):
    entry = pydicom.Dataset()
    entry.LUTDescriptor, entry.ModalityLUTType, entry.LUTData = [256, 0, 16], "US", bytes(512)
    path = write_dicom(tmp_path / "a.dcm", PAGE, ModalityLUTSequence=pydicom.Sequence([entry]))
    assert read_scan(path).warnings == ["a table of values (Modality LUT) was not applied"]
    scan = read_scan(write_dicom(tmp_path / "b.dcm", PAGE, RescaleSlope=0, RescaleIntercept=0))
    np.testing.assert_array_equal(scan.slices[0, ..., 0], PAGE)
    assert scan.warnings == ["a slope of 0 was ignored"]


def pack(path, page, syntax, data):
    """A DICOM of one image whose pixels are compressed already."""
    write_dicom(path, page, BitsStored=12 if page.dtype == np.uint16 else 8, HighBit=11 if page.itemsize == 2 else 7)
    header = pydicom.dcmread(path)
    header.file_meta.TransferSyntaxUID = syntax
    header.PixelData = encapsulate([data])
    header["PixelData"].VR = "OB"
    header.save_as(path)
    return path


def lossless_jpeg(page):
    """JPEG's lossless process 14, selection value 1, of 12 bits: each pixel as its difference to the one before."""
    before = np.empty(page.shape, int)
    before[:, 1:], before[1:, 0], before[0, 0] = page[:, :-1], page[:-1, 0], 1 << 11
    bits = ""
    for step in (page.astype(int) - before).ravel():
        size = abs(int(step)).bit_length()
        bits += f"{size:05b}"  # all codes of the table below have 5 bits
        bits += f"{int(step) if step > 0 else int(step) + (1 << size) - 1:0{size}b}" if size else ""
    bits += "1" * (-len(bits) % 8)
    body = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    table = bytes([0, 0, 0, 0, 0, 17, *[0] * 11, *range(17)])
    frame = struct.pack(">BHHBBBB", 12, *page.shape, 1, 1, 0x11, 0)
    parts = (0xC4, table), (0xC3, frame), (0xDA, bytes([1, 1, 0, 1, 0, 0]))
    segments = b"".join(struct.pack(">BBH", 0xFF, mark, len(part) + 2) + part for mark, part in parts)
    return b"\xff\xd8" + segments + body + b"\xff\xd9"


def test_lossless_jpeg(tmp_path):
    path = pack(tmp_path / "a.dcm", DEEP, pydicom.uid.JPEGLosslessSV1, lossless_jpeg(DEEP))
    np.testing.assert_array_equal(read_scan(path).slices[0, ..., 0], DEEP)


def test_jpeg_of_12_bits():
    path = get_testdata_file("JPGExtended.dcm", download=False)  # pydicom's own
    slices = read_scan(path).slices
    assert slices.shape == (1, 1024, 256, 1)
    assert (slices[0, 420, 140, 0], slices[0, 230, 120, 0]) == (244, 95)  # as pydicom's tests have it


def test_jpeg_2000(tmp_path):
    sink = io.BytesIO()
    Image.fromarray(PAGE).save(sink, "JPEG2000", no_jp2=True, irreversible=False)
    path = pack(tmp_path / "a.dcm", PAGE, pydicom.uid.JPEG2000Lossless, sink.getvalue())
    np.testing.assert_array_equal(read_scan(path).slices[0, ..., 0], PAGE)


def test_a_decoder_that_fails_before_the_file_says_how_it_is_packed(tmp_path, monkeypatch):
    path = write_dicom(tmp_path / "a.dcm", PAGE)

    def fail(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr(pydicom, "dcmread", fail)
    with pytest.raises(ScanError, match=r"a\.dcm: the pixels .* cannot be decoded here"):
        decode_pixels(path)
