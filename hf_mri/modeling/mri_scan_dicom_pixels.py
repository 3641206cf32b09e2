"""The pixels of one DICOM file, as gray levels or colors."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from .mri_scan_dicom_heads import PIXEL_TAGS, dicom_errors, load_pydicom
from .mri_scan_errors import ScanError

_COLORS = ("Red", "Green", "Blue")
PALETTE_TAGS = [
    *(f"{color}PaletteColorLookupTableDescriptor" for color in _COLORS),
    *(f"{color}PaletteColorLookupTableData" for color in _COLORS),
    *(f"Segmented{color}PaletteColorLookupTableData" for color in _COLORS),
]
MOST_SECONDS = 20  # for the images of one file
BY_GDCM = """
import sys, gdcm
reader = gdcm.ImageReader()
reader.SetFileName(sys.argv[1])
assert reader.Read()
with open(sys.argv[2], "wb") as file:
    file.write(reader.GetImage().GetBuffer().encode("utf-8", "surrogateescape"))
"""


def decode_pixels(path: Path) -> np.ndarray:
    """All frames of a file as (N, H, W, C), bright where tissue is bright.

    Raises:
        ScanError: damaged, or compressed in a way that no installed library decodes.
    """
    pydicom = load_pydicom(path)
    syntax = pydicom.uid.ImplicitVRLittleEndian  # of files that do not say
    try:
        data = pydicom.dcmread(
            path, force=True, specific_tags=[*PIXEL_TAGS, *PALETTE_TAGS, "PixelData", "FloatPixelData"]
        )
        if "TransferSyntaxUID" not in (getattr(data, "file_meta", None) or ()):
            data.file_meta = getattr(data, "file_meta", None) or pydicom.dataset.FileMetaDataset()
            data.file_meta.TransferSyntaxUID = syntax
        syntax = data.file_meta.TransferSyntaxUID
        deep = syntax == pydicom.uid.JPEGExtended12Bit and int(data.BitsStored) > 8
        return _brighten(pydicom, data, _decode_deep_jpeg(data) if deep else np.asarray(data.pixel_array))
    except (RuntimeError, NotImplementedError) as error:
        reason = f"the pixels are compressed as {syntax.name} and cannot be decoded here"
        raise ScanError(path, reason, "if the file is whole, run pip install python-gdcm") from error
    except dicom_errors() as error:
        reason = f"its pixels cannot be decoded ({type(error).__name__})"
        raise ScanError(path, reason, "is the file whole?") from error


def _decode_deep_jpeg(data: Any) -> np.ndarray:
    """JPEG of 12 bits, which GDCM decodes, but not through pydicom.

    In a process of its own: over damaged pixels GDCM may ponder for ever, and it writes to stderr of what it tries.
    """
    if find_spec("gdcm") is None:
        raise NotImplementedError
    with tempfile.TemporaryDirectory() as folder:
        packed, pixels = Path(folder) / "packed.dcm", Path(folder) / "pixels"
        data.save_as(packed)
        try:
            subprocess.run(
                [sys.executable, "-c", BY_GDCM, packed, pixels], capture_output=True, timeout=MOST_SECONDS, check=True
            )
        except subprocess.SubprocessError as error:
            raise ValueError("GDCM cannot decode it") from error
        return np.frombuffer(pixels.read_bytes(), np.uint16)


def _brighten(pydicom: Any, data: Any, pixels: np.ndarray) -> np.ndarray:
    """(N, H, W, C) with palettes turned into their colors, and inverted gray turned round."""
    frames, rows, columns = int(data.get("NumberOfFrames") or 1), int(data.Rows), int(data.Columns)
    kind = data.get("PhotometricInterpretation")
    if kind == "PALETTE COLOR":
        pixels = pydicom.pixels.apply_color_lut(pixels, data)[..., :3]
    pixels = pixels.reshape(frames, rows, columns, -1)
    if kind == "MONOCHROME1":
        top = (1 << int(data.BitsStored)) - 1 if not int(data.PixelRepresentation) else -1
        limits = np.iinfo(pixels.dtype)
        pixels = np.clip(top - pixels.astype(np.int64), limits.min, limits.max).astype(pixels.dtype)
    return pixels
