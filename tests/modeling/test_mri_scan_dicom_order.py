"""DICOM series that lie or are mixed: geometry is right, or refused with the fix, never silently wrong."""

import shutil

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from hf_mri import ScanError, read_scan
from tests.modeling.phantom_files import head, write_dicom, write_series

VOLUME = head(8, dtype=np.uint16)


def write_at(folder, places, **elements):
    folder.mkdir()
    for number, place in enumerate(places):
        write_dicom(folder / f"{number}", VOLUME[number % 8], place=place, number=number + 1, **elements)
    return folder


@pytest.mark.parametrize(
    "places",
    [
        [0, 5, 10, 15, 25, 35, 45, 55],  # thinned out in more than a half: the larger gap is the usual one
        [0, 5, 10, 17.2, 22.2, 27.2],  # one gap below one and a half
    ],
)
def test_uneven_distances_are_refused(tmp_path, places):
    with pytest.raises(ScanError, match=r"unevenly spaced \(5\.0 to .* mm apart\).*copy the whole series"):
        read_scan(write_at(tmp_path / "s", places))


def test_rounded_positions_are_even(tmp_path):
    scan = read_scan(write_at(tmp_path / "s", [0, 3.3, 6.6, 10.0, 13.3]))
    assert scan.spacing[2] == pytest.approx(13.3 / 4)


def test_slices_that_lie_beside_each_other_are_refused(tmp_path):
    (tmp_path / "s").mkdir()
    for k in range(4):
        position = [-30.0 + 10 * (k % 2), -40.0, 5.0 * k]
        write_dicom(tmp_path / "s" / f"{k}", VOLUME[k], number=k, ImagePositionPatient=position)
    with pytest.raises(ScanError, match="unevenly spaced"):
        read_scan(tmp_path / "s")


def test_copies_of_files_are_left_out_and_the_scan_says_so(tmp_path):
    paths = write_series(tmp_path / "s", VOLUME)
    (tmp_path / "s" / "backup").mkdir()
    for path in paths:
        shutil.copyfile(path, tmp_path / "s" / "backup" / f"{path.name} (1).dcm")
    scan = read_scan(tmp_path / "s")
    assert scan.phases == 1
    np.testing.assert_array_equal(scan.slices[..., 0], VOLUME)
    assert scan.warnings == ["8 DICOM files are copies of others (equal SOPInstanceUID) and were left out"]


def test_one_uid_for_all_images_is_an_anonymizers_fault_not_a_copy(tmp_path):
    scan = read_scan(write_at(tmp_path / "s", [0, 5, 10], SOPInstanceUID="1.2.3.4"))
    np.testing.assert_array_equal(scan.slices[..., 0], VOLUME[:3])


def test_two_echoes_are_no_time_points(tmp_path):
    (tmp_path / "s").mkdir()
    for echo in (20, 80):
        for k in range(3):
            write_dicom(tmp_path / "s" / f"{echo}_{k}", VOLUME[k], place=5.0 * k, EchoTime=echo)
    with pytest.raises(ScanError, match="2 images of each slice, of different echo times; put the images of one"):
        read_scan(tmp_path / "s")


def test_images_whose_order_alone_makes_them_time_points_come_with_a_warning(tmp_path):
    (tmp_path / "s").mkdir()
    for phase in range(2):
        for k in range(3):
            write_dicom(tmp_path / "s" / f"{phase}_{k}", VOLUME[k] // (phase + 1), place=5.0 * k, number=phase * 3 + k)
    scan = read_scan(tmp_path / "s")
    np.testing.assert_array_equal(scan.slices[..., 0], np.concatenate([VOLUME[:3], VOLUME[:3] // 2]))
    assert scan.warnings == ["2 images at each position, taken as time points in the order of their numbers"]


def test_a_mosaic_is_refused(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", VOLUME[0], ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"])
    with pytest.raises(ScanError, match=r"is a mosaic.*dcm2niix"):
        read_scan(path)


def one_file(path, pages, **elements):
    """A file of several images."""
    return write_dicom(path, pages[0], NumberOfFrames=len(pages), PixelData=pages.tobytes(), **elements)


def test_frames_that_share_a_position_need_a_time(tmp_path):
    with pytest.raises(ScanError, match="share one position"):
        read_scan(one_file(tmp_path / "a.dcm", VOLUME))
    scan = read_scan(one_file(tmp_path / "film.dcm", VOLUME, FrameTime=40))
    assert (scan.phases, scan.warnings) == (8, [])
    np.testing.assert_array_equal(scan.slices[..., 0], VOLUME)


def test_the_planes_of_a_grid_have_distances(tmp_path):
    offsets = [7.0 * k for k in range(8)]
    scan = read_scan(one_file(tmp_path / "dose.dcm", VOLUME, GridFrameOffsetVector=offsets))
    assert (scan.phases, scan.spacing) == (1, (1.25, 1.5, 7.0))


def nested(sequence, **elements):
    item = Dataset()
    for name, value in elements.items():
        setattr(item, name, value)
    return sequence, Sequence([item])


@pytest.mark.parametrize(
    ("sequence", "tag"),
    [
        ("FrameContentSequence", "TemporalPositionIndex"),
        ("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime"),
    ],
)
def test_the_frames_of_an_enhanced_file_are_sorted_by_their_own_times(tmp_path, sequence, tag):
    times, places = 3, 4
    order = np.random.default_rng(0).permutation(times * places)
    frames = []
    for time, k in (divmod(int(number), places) for number in order):
        frame = Dataset()
        for name, value in (
            nested("PlanePositionSequence", ImagePositionPatient=[-30.0, -40.0, 5.0 * k]),
            nested(sequence, **{tag: time + 1}),
        ):
            setattr(frame, name, value)
        frames.append(frame)
    pages = np.stack([VOLUME[k] // (time + 1) for time in range(times) for k in range(places)])
    path = one_file(
        tmp_path / "a.dcm",
        pages[order],
        ImagePositionPatient=None,
        PerFrameFunctionalGroupsSequence=Sequence(frames),
    )
    scan = read_scan(path)
    assert (scan.phases, scan.warnings) == (times, [])
    np.testing.assert_array_equal(scan.slices[..., 0], pages)


def test_the_slices_of_a_tilted_gantry_are_as_far_apart_as_their_planes(tmp_path):
    (tmp_path / "s").mkdir()
    for k in range(4):
        position = [-30.0, -40.0 + 5.0 * k * np.tan(np.radians(20)), 5.0 * k]
        write_dicom(tmp_path / "s" / f"{k}", VOLUME[k], number=k, ImagePositionPatient=position)
    scan = read_scan(tmp_path / "s")
    assert scan.spacing[2] == pytest.approx(5.0)
    assert scan.warnings == ["the volume is sheared; the distance of slices is measured at right angles to them"]


def test_a_preamble_may_be_that_of_a_tiff(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", VOLUME[0])
    path.write_bytes(b"II*\0" + path.read_bytes()[4:])
    np.testing.assert_array_equal(read_scan(path).slices[0, ..., 0], VOLUME[0])
    path.rename(tmp_path / "a")
    np.testing.assert_array_equal(read_scan(tmp_path / "a").slices[0, ..., 0], VOLUME[0])


def test_a_million_frames_that_are_not_there_are_refused_at_once(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", VOLUME[0, :5, :6], NumberOfFrames=10**6)
    with pytest.raises(ScanError, match="claims 1,000,000 frames"):
        read_scan(path)


def write_directory(path):
    """What a disc's index looks like: no image, and its kind only in the file's own header."""
    write_dicom(path, VOLUME[0], Rows=None, SOPClassUID="1.2.840.10008.1.3.10")


@pytest.mark.parametrize("name", ["DICOMDIR", "dicomdir", "DICOMDIR-1"])
def test_a_discs_index_beside_a_series_is_left_out(tmp_path, name):
    write_series(tmp_path / "s", VOLUME)
    write_directory(tmp_path / "s" / name)
    np.testing.assert_array_equal(read_scan(tmp_path / "s").slices[..., 0], VOLUME)
    with pytest.raises(ScanError, match="holds DICOM without images; name the folder of the images"):
        read_scan(tmp_path / "s" / name)


def test_a_series_is_refused_by_its_headers_when_there_is_no_room(tmp_path, monkeypatch):
    write_series(tmp_path / "s", VOLUME)
    monkeypatch.setattr("hf_mri.modeling.mri_scan_dicom.decode_pixels", None)  # must not be reached
    with pytest.raises(ScanError, match=r"has 8 slices of 48x40 pixels.*at most 7 slices"):
        read_scan(tmp_path / "s", most_slices=7)
