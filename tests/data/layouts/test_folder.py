"""Any images with masks of the same name, or a metadata.csv."""

import csv
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from hf_mri.data.dataset_folder import read_entry
from hf_mri.data.importing import import_dataset
from hf_mri.data.sources import iterate_rows


def draw_slice(seed: int, dtype=np.uint8) -> tuple[np.ndarray, np.ndarray]:
    """A noisy picture and a mask (0, 1) with a square."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((24, 32), np.uint8)
    mask[5:10, 6:12] = seed % 3 > 0
    return rng.integers(20, 200, (24, 32)).astype(dtype), mask


def save(path: Path, array: np.ndarray) -> None:
    """Write a picture, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def test_masks_beside_images_in_one_flat_folder(tmp_path):
    for patient in ("P1", "P2"):
        for number in (1, 2, 10):
            image, mask = draw_slice(number)
            save(tmp_path / f"{patient}_{number}.png", image)
            save(tmp_path / f"{patient}_{number}_mask.png", mask * np.uint8(255))
    rows = list(iterate_rows("folder", tmp_path))
    assert [(row["patient"], row["slice"]) for row in rows] == [
        ("P1", 0),
        ("P1", 1),
        ("P1", 2),
        ("P2", 0),
        ("P2", 1),
        ("P2", 2),
    ]
    assert np.array_equal(rows[2]["image"], draw_slice(10)[0])  # number 10 comes after 2
    assert np.array_equal(rows[2]["mask"], draw_slice(10)[1])


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_images_and_masks_in_two_folders_with_patients_below(tmp_path, ending):
    for patient in ("anna", "bert"):
        for number in (1, 2):
            image, mask = draw_slice(number, np.uint16)
            save(tmp_path / "images" / patient / f"s{number}.{ending}", image)
            save(tmp_path / "masks" / patient / f"s{number}.png", mask * np.uint8(255))
    rows = list(iterate_rows("folder", tmp_path))
    assert [(row["patient"], row["label"]) for row in rows] == [("anna", 1), ("anna", 1), ("bert", 1), ("bert", 1)]
    assert rows[0]["image"].dtype == np.uint16


def test_the_slices_of_a_volume_are_rescaled_alike(tmp_path):
    for number, low in ((1, 0.0), (2, -1.0)):  # alone, each would be stretched to the full range by itself
        image = np.full((24, 32), low, np.float32)
        image[0, 0] = 1 if number == 1 else 3
        save(tmp_path / "anna" / f"s{number}.tif", image)
        save(tmp_path / "anna" / f"s{number}_mask.png", np.zeros((24, 32), np.uint8))
    first, second = (row["image"] for row in iterate_rows("folder", tmp_path))
    # The volume goes from -1 to 3: 0 lies at a quarter of 65535, 1 in the middle.
    assert (second[1, 1], first[1, 1], first[0, 0], second[0, 0]) == (0, 16384, 32768, 65535)


def test_nifti_volumes_with_named_labels(tmp_path):
    source = tmp_path / "source"
    rng = np.random.default_rng(0)
    for patient in ("p1", "p2", "p3"):
        (source / patient).mkdir(parents=True)
        labels = rng.integers(0, 3, (20, 16, 4)).astype(np.uint8)
        image = rng.normal(0, 50, labels.shape).astype(np.float32)
        affine = np.diag([-2.0, -1.5, 5.0, 1.0])
        nibabel.save(nibabel.Nifti1Image(image, affine), source / patient / "scan.nii.gz")
        nibabel.save(nibabel.Nifti1Image(labels, affine), source / patient / "scan_gt.nii.gz")
    summary = import_dataset("folder", source, tmp_path / "dataset", labels=["edema", "core"])
    assert (summary["volumes"], summary["slices"]) == (3, 12)
    assert read_entry(tmp_path / "dataset").id2label == {0: "background", 1: "edema", 2: "core"}
    row = next(iter(iterate_rows("folder", source, labels=["edema", "core"])))
    assert row["image"].shape == (16, 20)
    assert row["spacing"] == pytest.approx([1.5, 2.0, 5.0])
    assert row["image"].dtype == np.uint16  # negative fractions were mapped to 16 bits

    with pytest.raises(ValueError, match=r"scan_gt\.nii\.gz: the mask holds 0, 1, 2; name its labels"):
        list(iterate_rows("folder", source))


def test_dicom_slices_with_png_masks(tmp_path):
    pydicom = pytest.importorskip("pydicom")
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

    for number in (1, 2):
        image, mask = draw_slice(number, np.uint16)
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = MRImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid()
        scan = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        scan.SOPClassUID, scan.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
        scan.SeriesInstanceUID, scan.Modality = "1.2.3", "MR"
        scan.Rows, scan.Columns = image.shape
        scan.PixelSpacing, scan.SliceThickness = [0.8, 0.9], 4
        scan.SamplesPerPixel, scan.PhotometricInterpretation = 1, "MONOCHROME2"
        scan.BitsAllocated = scan.BitsStored = 16
        scan.HighBit, scan.PixelRepresentation = 15, 0
        scan.PixelData = image.tobytes()
        folder = tmp_path / "carla"
        folder.mkdir(exist_ok=True)
        pydicom.dcmwrite(folder / f"{number}.dcm", scan, enforce_file_format=True)
        save(folder / f"{number}_mask.png", mask * np.uint8(255))
    rows = list(iterate_rows("folder", tmp_path))
    assert [(row["patient"], row["slice"]) for row in rows] == [("carla", 0), ("carla", 1)]
    assert np.array_equal(rows[0]["image"], draw_slice(1, np.uint16)[0])


def test_a_metadata_table_says_who_and_where(tmp_path):
    with (tmp_path / "metadata.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file_name", "mask_file_name", "patient", "site", "slice", "scanner"])
        for number in range(4):
            image, mask = draw_slice(number)
            save(tmp_path / f"{number}.png", image)
            save(tmp_path / f"{number}.mask.png", mask)
            writer.writerow([f"{number}.png", f"{number}.mask.png", f"P{number // 2}", "Ulm", 7 + number, "A"])
    rows = list(iterate_rows("folder", tmp_path))
    assert [(row["patient"], row["site"], row["slice"], row["scanner"]) for row in rows] == [
        ("P0", "Ulm", 7, "A"),
        ("P0", "Ulm", 8, "A"),
        ("P1", "Ulm", 9, "A"),
        ("P1", "Ulm", 10, "A"),
    ]


def test_what_is_wrong_is_named(tmp_path):
    with pytest.raises(ValueError, match="no image with a mask"):
        list(iterate_rows("folder", tmp_path))
    image, mask = draw_slice(1)
    save(tmp_path / "a_1.png", image)
    with pytest.raises(ValueError, match=r"a_1\.png: its mask a_1_mask\.png is missing"):
        list(iterate_rows("folder", tmp_path))
    save(tmp_path / "a_1_mask.png", mask[:20])
    with pytest.raises(ValueError, match=r"a_1_mask\.png: the mask is"):
        list(iterate_rows("folder", tmp_path))
    (tmp_path / "metadata.csv").write_text("file_name\na_1.png\n")
    with pytest.raises(ValueError, match=r"metadata\.csv: column 'mask_file_name' is missing"):
        list(iterate_rows("folder", tmp_path))
