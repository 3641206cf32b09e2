"""A reading as DICOM segmentation objects that refer to the images of the series that was read.

They belong to the patient's study, so they carry the patient's data of its images: written only where asked for.
"""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from hf_mri.modeling.mri_reading import Reading, file_name
from hf_mri.modeling.mri_scan_errors import ScanError
from hf_mri.tasks.registry import find_task
from hf_mri.tasks.task import Label

OWN_CODES = "99HFMRI"  # for labels that the organ's task has no code for
# Elements that a segmentation must repeat, empty where the images lack them.
REPEATED = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate", "StudyTime"),
    *("AccessionNumber", "ReferringPhysicianName"),
)
# Elements that a segmentation would repeat and need not: free text about a patient, and who treats them.
LEFT_OUT = ("PatientComments", "StudyDescription", "PhysiciansOfRecord")
SERIES_OFFSET = 1000  # from the number of the series that was read to the segmentation's


def write_dicom_seg(reading: Reading, folder: Path) -> list[Path]:
    """Write `segmentation.dcm`, one segment a label; of a cine one file a time point.

    Args:
        reading: Of a DICOM series, one file a slice, with its scan.
        folder: Exists.

    Raises:
        ScanError: there is nothing that a segmentation could refer to; says why.
    """
    if not reading.masks:
        raise ScanError(reading.source, "dicom-seg needs a model that outlines", "this one only says how likely")
    phases = _read_headers(reading)
    pixels = [_frames(reading.in_source_order(label)) for label in reading.masks]  # (T, S, H, W) a label
    paths = []
    for phase, images in enumerate(phases):
        name = "segmentation.dcm" if len(phases) == 1 else f"segmentation_{phase + 1:04d}.dcm"
        masks = np.stack([label[phase] for label in pixels], axis=-1)
        _build(reading, images, masks, phase + 1).save_as(folder / name)
        paths.append(folder / name)
    return paths


def _read_headers(reading: Reading) -> list[list[Any]]:
    """The headers of the images, time point by time point, in the order of the source's slices."""
    import pydicom

    files = () if reading.scan is None else reading.scan.files
    try:
        headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in files]
    except pydicom.errors.InvalidDicomError:
        headers = []
    count = len(reading.probability)
    if not headers or len(headers) != count or len(set(files)) != count:
        reason = "dicom-seg refers to the images of a DICOM series, one file a slice"
        raise ScanError(reading.source, reason, "give the folder that holds them, unpacked")
    for header in headers:
        missing = [
            name for name in ("StudyInstanceUID", "FrameOfReferenceUID", "ImagePositionPatient") if name not in header
        ]
        if missing:
            raise ScanError(reading.source, f"its images have no {missing[0]}, which dicom-seg must refer to")
        for name in REPEATED:
            if name not in header:
                setattr(header, name, None)
        for name in LEFT_OUT:
            if name in header:
                delattr(header, name)
    step = count // reading.phases
    backwards = -1 if reading.geometry.flips[0] else 1
    return [headers[start : start + step][::backwards] for start in range(0, count, step)]


def _frames(volume: np.ndarray) -> np.ndarray:
    """Turn (I, J, K) or (I, J, K, T), columns first, into frames as DICOM has them: (T, S, H, W)."""
    volume = volume[..., None] if volume.ndim == 3 else volume
    return volume.transpose(3, 2, 1, 0)


def _build(reading: Reading, images: list[Any], masks: np.ndarray, number: int) -> Any:
    import highdicom

    package, task = version("hf_mri"), find_task(reading.masks)
    known = task.labels
    segmentation = highdicom.seg.Segmentation(
        source_images=images,
        pixel_array=np.ascontiguousarray(masks, np.uint8),
        segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[
            _describe(label, known.get(label), place, reading.model)
            for place, label in enumerate(reading.masks, start=1)
        ],
        series_instance_uid=highdicom.UID(),
        series_description=f"{task.title}, outlined by hf_mri"[:64],
        series_number=SERIES_OFFSET + int(images[0].get("SeriesNumber") or 0),
        sop_instance_uid=highdicom.UID(),
        instance_number=number,
        manufacturer="hf_mri",
        manufacturer_model_name="hf_mri",
        software_versions=package,
        device_serial_number=package,
        content_description="Found by hf_mri, not for diagnosis",
        omit_empty_frames=bool(masks.any()),
    )
    part = images[0].get("BodyPartExamined") or task.body_part
    if part:
        segmentation.BodyPartExamined = part
    return segmentation


def _describe(label: str, known: Label | None, number: int, model: dict[str, Any]) -> Any:
    import highdicom
    from pydicom.sr.codedict import codes

    if known and known.code:
        category, kind = (getattr(codes.SCT, name) for name in known.code)
    else:
        category = codes.SCT.AnatomicalStructure
        kind = highdicom.sr.CodedConcept(file_name(label)[:16], OWN_CODES, label[:64])
    return highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=label[:64],
        segmented_property_category=category,
        segmented_property_type=kind,
        algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=highdicom.AlgorithmIdentificationSequence(
            name=Path(str(model["id"] or "hf_mri")).name[:64],
            family=codes.DCM.ArtificialIntelligence,
            version=(model["revision"] or version("hf_mri"))[:64],
        ),
    )
