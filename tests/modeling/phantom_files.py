"""Small made-up scans, and writers that put them into every format."""

from pathlib import Path

import nibabel
import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

PATIENT = {
    "PatientName": "Doe^Jane",
    "PatientID": "SECRET-4711",
    "PatientBirthDate": "19610203",
    "StudyDate": "20200102",
}


def head(slices: int = 6, height: int = 40, width: int = 48, dtype: type = np.uint8) -> np.ndarray:
    """(S, H, W) of a smooth ellipse, brighter in one corner, with a bright spot: no two orientations look alike."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in (slices, height, width)), indexing="ij")
    body = np.clip(1.2 - (x / 0.8) ** 2 - (y / 0.9) ** 2 - 0.2 * z, 0, 1)
    spot = np.exp(-(((x - 0.3) / 0.15) ** 2) - ((y + 0.2) / 0.15) ** 2 - (z / 0.5) ** 2)
    values = body * (0.5 + 0.1 * x + 0.15 * y) + 0.4 * spot
    top = 1000.0 if np.issubdtype(dtype, np.floating) else float(np.iinfo(dtype).max)
    return (values / values.max() * top).astype(dtype)


def write_nifti(path: Path, volume: np.ndarray, affine: np.ndarray) -> Path:
    """A NIfTI of a volume (I, J, K) or (I, J, K, T)."""
    nibabel.save(nibabel.Nifti1Image(volume, affine), path)
    return path


def lps_affine(column: float = 1.5, row: float = 1.25, through: float = 6.0) -> np.ndarray:
    """The affine of (column, row, slice) indices that point left, posterior and superior."""
    affine = np.diag([-column, -row, through, 1.0])
    affine[:3, 3] = (30.0, 40.0, -20.0)
    return affine


def write_dicom(
    path: Path,
    pixels: np.ndarray,
    place: float = 0.0,
    number: int = 1,
    series: str = "1.2.3",
    **elements: object,
) -> Path:
    """One axial MR image (H, W) at a place along the body's axis, with a patient's data in the header."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    bits = pixels.dtype.itemsize * 8
    values = {
        "SOPClassUID": MRImageStorage,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "Modality": "MR",
        "SeriesInstanceUID": series,
        "SeriesNumber": 3,
        "InstanceNumber": number,
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
        "PixelSpacing": [1.25, 1.5],
        "SliceThickness": 6.0,
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "ImagePositionPatient": [-30.0, -40.0, place],
        "PixelData": pixels.tobytes(),
        **PATIENT,
        **elements,
    }
    for name, value in values.items():
        if value is not None:
            setattr(data, name, value)
    data.save_as(path, enforce_file_format=True)
    return path


def write_series(folder: Path, volume: np.ndarray, **elements: object) -> list[Path]:
    """A series, one file a slice, named so that number order is not the order of positions."""
    folder.mkdir(parents=True, exist_ok=True)
    count = len(volume)
    return [
        write_dicom(folder / f"IM{count - k:04d}", page, place=-20.0 + 6.0 * k, number=k + 1, **elements)
        for k, page in enumerate(volume)
    ]
