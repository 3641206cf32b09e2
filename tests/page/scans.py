"""One phantom head in every format that a visitor may drop."""

import zipfile
from pathlib import Path

import numpy as np
from PIL import Image


def draw_slices(size: int = 64) -> np.ndarray:
    """Slices (S, H, W, 3) of a phantom head with a tumor."""
    from hf_mri.data.phantoms.lgg import draw_head

    return draw_head(np.random.default_rng(11), size)[0]


def write_formats(folder: Path, slices: np.ndarray) -> dict[str, list[Path]]:
    """Write the head as each format; the volumes that hold one channel hold FLAIR."""
    flair = slices[..., 1]
    return {
        "png": [_save(folder / "one.png", slices[len(slices) // 2])],
        "jpeg": [_save(folder / "one.jpg", slices[len(slices) // 2])],
        "tiff": [_save(folder / "one.tif", slices[len(slices) // 2])],
        "pages": [_save_pages(folder / "pages.tif", slices)],
        "slices": [_save(folder / f"head_{number}.tif", page) for number, page in enumerate(slices)],
        "nifti": [_save_nifti(folder / "head.nii.gz", flair)],
        "dicom": [_save_dicoms(folder / "head.zip", flair)],
    }


def _save(path: Path, page: np.ndarray) -> Path:
    Image.fromarray(page).save(path)
    return path


def _save_pages(path: Path, slices: np.ndarray) -> Path:
    first, *others = [Image.fromarray(page) for page in slices]
    first.save(path, save_all=True, append_images=others)
    return path


def _save_nifti(path: Path, flair: np.ndarray) -> Path:
    import nibabel

    # Columns to the left, rows to posterior, slices to superior, as the slices lie; 2 x 2 x 5 mm.
    nibabel.save(nibabel.Nifti1Image(flair.T, np.diag([-2.0, -2.0, 5.0, 1.0])), path)
    return path


def _save_dicoms(path: Path, flair: np.ndarray) -> Path:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    with zipfile.ZipFile(path, "w") as archive:
        for number, page in enumerate(flair):
            meta = FileMetaDataset()
            meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = MRImageStorage, generate_uid()
            meta.TransferSyntaxUID = ExplicitVRLittleEndian
            image = Dataset()
            image.file_meta = meta
            image.SOPClassUID, image.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
            image.StudyInstanceUID, image.SeriesInstanceUID, image.Modality = study, series, "MR"
            image.FrameOfReferenceUID = frame
            image.PatientName, image.PatientID = "Secret^Name", "secret-id"
            image.InstanceNumber, image.ImagePositionPatient = number + 1, [0, 0, 5.0 * number]
            image.ImageOrientationPatient, image.PixelSpacing = [1, 0, 0, 0, 1, 0], [2.0, 2.0]
            image.SliceThickness, image.Rows, image.Columns = 5.0, *page.shape
            image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
            image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 0
            image.PixelData = page.astype("<u2").tobytes()
            name = path.with_name(f"{path.stem}_{number}.dcm")
            image.save_as(name, enforce_file_format=True)
            archive.write(name, name.name)
    return path
