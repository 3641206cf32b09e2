"""DICOM: one file, series, cine, enhanced files, and patients' data that stay in the file."""

import logging
import sys

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import BasicTextSRStorage

from hf_mri import read_scan
from hf_mri.modeling.mri_scan_errors import ScanError
from tests.modeling.phantom_files import PATIENT, head, lps_affine, write_dicom, write_series

VOLUME = head(dtype=np.uint16)


def test_a_series_is_sorted_by_position_and_placed(tmp_path):
    write_series(tmp_path / "series", VOLUME)
    scan = read_scan(tmp_path / "series")
    np.testing.assert_array_equal(scan.slices[..., 0], VOLUME)
    assert scan.spacing == (1.25, 1.5, 6.0)
    assert [path.name for path in scan.files] == [f"IM{n:04d}" for n in range(6, 0, -1)]
    # DICOM counts to the left and posterior from (-30, -40, -20); NIfTI's affine to the right and anterior.
    np.testing.assert_allclose(scan.geometry.affine, lps_affine())


def test_one_file(tmp_path):
    scan = read_scan(write_dicom(tmp_path / "one.dcm", VOLUME[2]))
    np.testing.assert_array_equal(scan.slices[0, ..., 0], VOLUME[2])
    assert scan.spacing == (1.25, 1.5, 6.0)


def test_slices_that_were_stored_mirrored_are_turned(tmp_path):
    folder = tmp_path / "series"
    folder.mkdir()
    for k, page in enumerate(VOLUME):  # columns point right, rows anterior
        position = [28.0, 37.0, -20.0 + 6.0 * k]
        write_dicom(
            folder / f"{k}",
            page[::-1, ::-1],
            ImageOrientationPatient=[-1, 0, 0, 0, -1, 0],
            ImagePositionPatient=position,
        )
    scan = read_scan(folder)
    np.testing.assert_array_equal(scan.slices[..., 0], VOLUME)
    np.testing.assert_array_equal(scan.geometry.to_source(scan.slices[..., 0])[:, :, 0].T, VOLUME[0, ::-1, ::-1])


def test_rescale_and_inverted_gray(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", VOLUME[2], RescaleSlope=2, RescaleIntercept=-7)
    scan = read_scan(path)
    assert scan.slices.dtype == np.float32
    np.testing.assert_array_equal(scan.slices[0, ..., 0], VOLUME[2] * 2.0 - 7)
    inverted = write_dicom(
        tmp_path / "b.dcm", 4095 - VOLUME[2] // 16, PhotometricInterpretation="MONOCHROME1", BitsStored=12, HighBit=11
    )
    np.testing.assert_array_equal(read_scan(inverted).slices[0, ..., 0], VOLUME[2] // 16)


def test_the_largest_series_or_the_one_named(tmp_path):
    write_series(tmp_path / "study" / "a", VOLUME, series="1.1", SeriesNumber=1, SeriesDescription="flair")
    write_series(tmp_path / "study" / "b", VOLUME[:3] // 2, series="1.2", SeriesNumber=2, SeriesDescription="t1")
    scan = read_scan(tmp_path / "study")
    assert len(scan.slices) == 6
    assert scan.warnings == ["2 series; read the largest, number 1, of 6 images"]
    for name in ("2", "t1", "1.2"):
        assert len(read_scan(tmp_path / "study", series=name).slices) == 3
    with pytest.raises(ScanError, match="numbers 1, 2"):
        read_scan(tmp_path / "study", series="9")


def test_missing_slices_are_refused(tmp_path):
    write_series(tmp_path / "series", VOLUME)[3].unlink()
    with pytest.raises(ScanError, match=r"about 1 slice\(s\) are missing after slice 3 \(a gap of 12\.0 mm"):
        read_scan(tmp_path / "series")


def test_mixed_sizes_and_orientations_are_refused(tmp_path):
    write_series(tmp_path / "a", VOLUME)
    write_dicom(tmp_path / "a" / "odd", VOLUME[0, :-1], place=16)
    with pytest.raises(ScanError, match="differ in size"):
        read_scan(tmp_path / "a")
    write_series(tmp_path / "b", VOLUME)
    write_dicom(tmp_path / "b" / "odd", VOLUME[0], place=16, ImageOrientationPatient=[0, 1, 0, 0, 0, -1])
    with pytest.raises(ScanError, match="several orientations"):
        read_scan(tmp_path / "b")


def test_a_cine_series(tmp_path):
    (tmp_path / "cine").mkdir()
    for phase in range(3):
        for k, page in enumerate(VOLUME[:4]):
            name = f"{phase * 7 + k * 31}"
            write_dicom(tmp_path / "cine" / name, page // (phase + 1), place=8.0 * k, TriggerTime=40.0 * phase)
    scan = read_scan(tmp_path / "cine")
    assert (scan.phases, len(scan.slices), scan.spacing[2]) == (3, 12, 8.0)
    np.testing.assert_array_equal(scan.slices[4:8, ..., 0], VOLUME[:4] // 2)
    assert scan.files[4].name == "7"
    (tmp_path / "cine" / "7").unlink()
    with pytest.raises(ScanError, match="between 2 and 3 images"):
        read_scan(tmp_path / "cine")


def enhanced(path, volume):
    """One file with a frame a slice, each with a place of its own, stored from the top down."""
    frames = []
    for k in reversed(range(len(volume))):
        place = Dataset()
        place.ImagePositionPatient = [-30.0, -40.0, -20.0 + 6.0 * k]
        frame = Dataset()
        frame.PlanePositionSequence = Sequence([place])
        frames.append(frame)
    shared, orientation, measures = Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    measures.PixelSpacing, measures.SliceThickness = [1.25, 1.5], 6.0
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = Sequence([orientation]), Sequence([measures])
    return write_dicom(
        path,
        volume[0],
        NumberOfFrames=len(volume),
        PixelData=volume[::-1].tobytes(),
        ImagePositionPatient=None,
        ImageOrientationPatient=None,
        PixelSpacing=None,
        SharedFunctionalGroupsSequence=Sequence([shared]),
        PerFrameFunctionalGroupsSequence=Sequence(frames),
    )


def test_an_enhanced_file_holds_a_volume(tmp_path):
    scan = read_scan(enhanced(tmp_path / "e.dcm", VOLUME))
    np.testing.assert_array_equal(scan.slices[..., 0], VOLUME)
    assert scan.spacing == (1.25, 1.5, 6.0)


def test_a_list_keeps_the_callers_order(tmp_path):
    paths = write_series(tmp_path / "series", VOLUME)
    in_order = read_scan(paths)
    np.testing.assert_array_equal(in_order.slices[..., 0], VOLUME)
    assert in_order.geometry.affine is not None
    shuffled = read_scan([paths[2], paths[0], paths[1]])
    np.testing.assert_array_equal(shuffled.slices[..., 0], VOLUME[[2, 0, 1]])
    assert shuffled.warnings == ["the slices are in the order given, not in that of their positions"]


def test_files_that_are_no_images_by_kind_are_left_out(tmp_path):
    write_series(tmp_path / "s", VOLUME)
    report = write_dicom(tmp_path / "s" / "report", VOLUME[0], Rows=None, SOPClassUID=BasicTextSRStorage)
    scan = read_scan(tmp_path / "s")
    np.testing.assert_array_equal(scan.slices[..., 0], VOLUME)
    assert scan.warnings == ["1 DICOM files without an image were left out"]
    with pytest.raises(ScanError, match="without images"):
        read_scan(report)


def test_other_modalities_are_read_with_a_warning(tmp_path):
    scan = read_scan(write_dicom(tmp_path / "ct.dcm", VOLUME[0], Modality="CT"))
    assert scan.modality == "CT"


def test_without_position_the_instance_numbers_count(tmp_path):
    (tmp_path / "s").mkdir()
    for k, page in enumerate(VOLUME):
        write_dicom(
            tmp_path / "s" / f"{9 - k}", page, number=k + 1, ImagePositionPatient=None, ImageOrientationPatient=None
        )
    scan = read_scan(tmp_path / "s")
    np.testing.assert_array_equal(scan.slices[..., 0], VOLUME)
    assert scan.geometry.affine is None
    assert scan.spacing == (1.25, 1.5, 6.0)


def test_patients_data_never_leave_the_file(tmp_path, caplog, capsys, recwarn):
    """Not by the scan, not by a warning or a log line, not by an error, whatever state the header is in."""
    caplog.set_level(logging.DEBUG)
    seen = []
    for number, elements in enumerate(
        [{}, {"RescaleSlope": 0}, {"Rows": 4000}, {"Modality": "CT"}, {"PixelSpacing": [0, 0]}]
    ):
        path = write_dicom(tmp_path / f"{number}.dcm", VOLUME[0], **elements)
        data = path.read_bytes()
        path.write_bytes(data.replace(b"19610203", b"1961X203"))  # an invalid date, which pydicom would quote
        try:
            seen.append(repr(read_scan(path)))
        except ScanError as error:
            seen.append(repr(error))
    out = capsys.readouterr()
    everything = " ".join([*seen, caplog.text, out.out, out.err, *(str(w.message) for w in recwarn.list)])
    for secret in (*PATIENT.values(), "Doe", "1961X203"):
        assert secret not in everything


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.99])
def test_truncated_files_are_refused(tmp_path, keep):
    path = write_dicom(tmp_path / "a.dcm", VOLUME[0])
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    with pytest.raises(ScanError, match=r"a\.dcm"):
        read_scan(path)


def test_a_claim_of_gigabytes_is_refused(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", VOLUME[0], NumberOfFrames=10**6)
    with pytest.raises(ScanError, match="GiB"):
        read_scan(path)


def test_compressed_pixels_without_a_decoder_say_what_to_install(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", VOLUME[0])
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = pydicom.uid.JPEGLSLossless
    data.PixelData = pydicom.encaps.encapsulate([b"\xff\xd8\xff\xf7" + bytes(100)])
    data["PixelData"].VR = "OB"
    data.save_as(path)
    with pytest.raises(ScanError, match=r"JPEG-LS .*pip install python-gdcm"):
        read_scan(path)


def test_run_length_encoded_pixels(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", VOLUME[2])
    data = pydicom.dcmread(path)
    data.compress(pydicom.uid.RLELossless)
    data.save_as(path)
    np.testing.assert_array_equal(read_scan(path).slices[0, ..., 0], VOLUME[2])


def test_files_without_an_image_and_without_pydicom(tmp_path, monkeypatch):
    with pytest.raises(ScanError, match="ends before its image, or has none"):
        read_scan(write_dicom(tmp_path / "a.dcm", VOLUME[0], Rows=None))
    path = write_dicom(tmp_path / "b.dcm", VOLUME[0])
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(ImportError, match="pip install pydicom"):
        read_scan(path)
