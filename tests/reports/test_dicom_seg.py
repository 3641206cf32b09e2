"""DICOM segmentations: they lie on the images that they refer to, whichever way the reading turned these."""

import subprocess
from shutil import which

import numpy as np
import pytest

from hf_mri.modeling.mri_reading import Reading
from hf_mri.modeling.mri_scan import read_scan
from hf_mri.modeling.mri_scan_errors import ScanError
from hf_mri.predict.predicting import predict
from hf_mri.reports.dicom_seg import LEFT_OUT, write_dicom_seg
from tests.modeling.phantom_files import head, write_series

pydicom = pytest.importorskip("pydicom")
highdicom = pytest.importorskip("highdicom")
STUDY = {"StudyInstanceUID": "1.2.840.1", "FrameOfReferenceUID": "1.2.840.2", "Modality": "MR"}


def make_reading(folder, labels=("tumor",), orientation="LPS") -> Reading:
    """A reading whose masks are where the scan itself is bright, a different brightness for each label."""
    scan = read_scan(folder, orientation=orientation)
    limits = np.linspace(0.5, 0.8, len(labels)) * scan.slices.max()
    masks = {label: scan.slices[..., 0] > limit for label, limit in zip(labels, limits, strict=True)}
    return Reading(
        probability=np.ones(len(scan.slices), np.float32),
        stage=np.array(["mask"] * len(scan.slices)),
        masks=masks,
        spacing=scan.spacing,
        geometry=scan.geometry,
        source=scan.source,
        phases=scan.phases,
        model={"id": "/somewhere/private/two", "revision": None, "engine": "torch", "precision": "float32"},
        scan=scan,
    )


def frames_by_image(path) -> tuple[pydicom.Dataset, dict[tuple[str, int], np.ndarray]]:
    """Each frame by the image that it refers to and its segment, read by pydicom alone."""
    found = pydicom.dcmread(path)
    frames, shared = {}, found.SharedFunctionalGroupsSequence[0]
    pixels = found.pixel_array.reshape(-1, found.Rows, found.Columns)
    for group, frame in zip(found.PerFrameFunctionalGroupsSequence, pixels, strict=True):
        image = group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        place = (group if "SegmentIdentificationSequence" in group else shared).SegmentIdentificationSequence[0]
        frames[image, place.ReferencedSegmentNumber] = frame > 0
    return found, frames


@pytest.mark.parametrize("orientation", ["LPS", "RAI", "PLI", "as stored"])
def test_each_frame_lies_on_its_image(tmp_path, orientation):
    files = write_series(tmp_path / "series", head(), **STUDY)
    labels = ("tumor", "edema")
    (path,) = write_dicom_seg(make_reading(tmp_path / "series", labels, orientation), tmp_path)
    found, frames = frames_by_image(path)
    limits = np.array([0.5, 0.8]) * head().max()
    for file in files:
        image = pydicom.dcmread(file)
        for number, limit in enumerate(limits, start=1):
            wanted = image.pixel_array > limit
            given = frames.get((image.SOPInstanceUID, number), np.zeros_like(wanted))  # empty frames are left out
            np.testing.assert_array_equal(given, wanted)
    assert [segment.SegmentLabel for segment in found.SegmentSequence] == list(labels)
    kinds = [segment.SegmentedPropertyTypeCodeSequence[0] for segment in found.SegmentSequence]
    assert [(kind.CodingSchemeDesignator, kind.CodeValue) for kind in kinds] == [
        ("SCT", "108369006"),  # neoplasm
        ("99HFMRI", "edema"),
    ]
    assert found.ReferencedSeriesSequence[0].SeriesInstanceUID == "1.2.3"
    assert (found.StudyInstanceUID, found.FrameOfReferenceUID) == ("1.2.840.1", "1.2.840.2")
    assert "/somewhere" not in str(found)
    assert len(highdicom.seg.segread(path).get_segment_numbers()) == 2


def test_a_reading_without_findings_and_a_cine(tmp_path):
    write_series(tmp_path / "series", head(), **STUDY)
    reading = make_reading(tmp_path / "series")
    reading.masks["tumor"][:] = False
    (path,) = write_dicom_seg(reading, tmp_path)
    assert not pydicom.dcmread(path).pixel_array.any()
    for phase in (1, 2):
        write_series(tmp_path / "cine" / str(phase), head() // phase, TriggerTime=100 * phase, series="1.2.4", **STUDY)
    reading = make_reading(tmp_path / "cine")
    assert reading.phases == 2
    first, second = write_dicom_seg(reading, tmp_path)
    assert frames_by_image(first)[0].pixel_array.sum() == reading.masks["tumor"][:6].sum()
    images = {image for image, _ in frames_by_image(first)[1]}
    assert images <= {pydicom.dcmread(path).SOPInstanceUID for path in (tmp_path / "cine" / "1").iterdir()}
    assert second.name == "segmentation_0002.dcm"


@pytest.mark.skipif(which("dciodvfy") is None, reason="dciodvfy (Debian's dicom3tools) is not installed")
@pytest.mark.parametrize("case", ["as stored", "RAI", "empty", "cine"])
def test_the_standards_own_checker_finds_no_error(tmp_path, case):
    for phase in (1, 2) if case == "cine" else (1,):
        folder = tmp_path / "series" / str(phase)
        write_series(folder, head(dtype=np.uint16), TriggerTime=100 * phase, StudyID="1", StudyTime="120000", **STUDY)
    labels = ("left ventricle", "myocardium")
    reading = make_reading(tmp_path / "series", labels, "RAI" if case == "RAI" else "as stored")
    if case == "empty":
        for mask in reading.masks.values():
            mask[:] = False
    for path in write_dicom_seg(reading, tmp_path):
        found = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
        lines = (found.stdout + found.stderr).splitlines()
        assert "Segmentation" in lines
        assert [line for line in lines if line.startswith(("Error", "Warning"))] == []


def test_what_it_cannot_refer_to_is_said(tmp_path):
    write_series(tmp_path / "series", head())  # without a study
    with pytest.raises(ScanError, match="no StudyInstanceUID"):
        write_dicom_seg(make_reading(tmp_path / "series"), tmp_path)
    reading = make_reading(tmp_path / "series")
    reading.scan.files = ()
    with pytest.raises(ScanError, match="one file a slice"):
        write_dicom_seg(reading, tmp_path)
    reading.masks.clear()
    with pytest.raises(ScanError, match="needs a model that outlines"):
        write_dicom_seg(reading, tmp_path)


def test_predict_writes_it_only_when_asked(model, tmp_path):
    write_series(tmp_path / "series", head(slices=3, height=64, width=64), **STUDY)
    predict([tmp_path / "series"], str(model), tmp_path / "out", only=["json"])
    folder = tmp_path / "out" / "series"
    assert not (folder / "segmentation.dcm").exists()
    predict([tmp_path / "series"], str(model), tmp_path / "out", only=["dicom-seg"])
    assert (folder / "reading.json").exists()
    assert pydicom.dcmread(folder / "segmentation.dcm").PatientID == "SECRET-4711"


def test_free_text_about_the_patient_stays_behind_and_the_series_says_what_it_is(tmp_path):
    write_series(tmp_path / "series", head(dtype=np.uint16), **STUDY, **dict.fromkeys(LEFT_OUT, "Doe, Jane"))
    segmentation = pydicom.dcmread(write_dicom_seg(make_reading(tmp_path / "series"), tmp_path)[0])
    assert not any(segmentation.get(name) for name in LEFT_OUT)
    assert segmentation.SeriesDescription == "Brain tumor, outlined by hf_mri"
    assert segmentation.BodyPartExamined == "BRAIN"
