"""NIfTI: values, spacing, cine, and what a damaged or lying file gets."""

import gzip
import struct
import sys

import nibabel
import numpy as np
import pytest

from hf_mri import read_scan
from hf_mri.modeling import mri_scan_nifti
from hf_mri.modeling.mri_scan_errors import ScanError
from hf_mri.modeling.mri_scan_geometry import Geometry
from tests.modeling.phantom_files import head, lps_affine, write_nifti

VOLUME = head(dtype=np.int16).transpose(2, 1, 0)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32])
def test_the_stored_type_is_kept(tmp_path, dtype):
    volume = head(dtype=dtype).transpose(2, 1, 0)
    scan = read_scan(write_nifti(tmp_path / "a.nii.gz", volume, lps_affine()))
    assert scan.slices.dtype == dtype
    np.testing.assert_array_equal(scan.slices[..., 0], head(dtype=dtype))


def test_slope_and_intercept_are_applied(tmp_path):
    image = nibabel.Nifti1Image(VOLUME, lps_affine())
    image.header.set_slope_inter(2, 5)
    nibabel.save(image, tmp_path / "a.nii")
    # nibabel stores the voxels as they are when slope and intercept are set by hand.
    np.testing.assert_array_equal(read_scan(tmp_path / "a.nii").slices[..., 0], head(dtype=np.int16) * 2.0 + 5)


@pytest.mark.parametrize("kind", [nibabel.Nifti2Image, nibabel.Nifti1Image])
@pytest.mark.parametrize("order", ["<", ">"])
def test_both_versions_in_both_byte_orders(tmp_path, kind, order):
    header = (nibabel.Nifti2Header if kind is nibabel.Nifti2Image else nibabel.Nifti1Header)(endianness=order)
    header.set_data_dtype(np.dtype(np.int16).newbyteorder(order))
    nibabel.save(kind(VOLUME, lps_affine(), header), tmp_path / "a.nii")
    np.testing.assert_array_equal(read_scan(tmp_path / "a.nii").slices[..., 0], head(dtype=np.int16))


def test_a_cine_is_slices_time_point_after_time_point(tmp_path):
    cine = np.stack([VOLUME + 100 * phase for phase in range(3)], axis=-1)
    scan = read_scan(write_nifti(tmp_path / "cine.nii.gz", cine, lps_affine()))
    assert (scan.phases, scan.slices_per_phase, scan.slices.shape) == (3, 6, (18, 40, 48, 1))
    np.testing.assert_array_equal(scan.slices[6:12, ..., 0], head(dtype=np.int16) + 100)


def test_color_voxels_become_channels(tmp_path):
    rgb = np.zeros((5, 4, 3), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    rgb["G"] = 7
    nibabel.save(nibabel.Nifti1Image(rgb, np.diag([-1, -1, 5, 1.0])), tmp_path / "a.nii")
    assert read_scan(tmp_path / "a.nii").slices[0, 0, 0].tolist() == [0, 7, 0]


def test_where_affine_and_spacing_disagree_the_spacing_counts_and_the_scan_says_so(tmp_path):
    image = nibabel.Nifti1Image(VOLUME, np.diag([-1.0, -1.0, 1.0, 1.0]))
    data = bytearray(image.to_bytes())
    data[80:92] = struct.pack("<3f", 1.5, 1.25, 10.0)  # pixdim[1:4]
    (tmp_path / "a.nii").write_bytes(data)
    scan = read_scan(tmp_path / "a.nii")
    assert scan.spacing == (1.25, 1.5, 10.0)
    assert "disagree" in scan.warnings[0]


def test_what_is_written_carries_the_sources_header(tmp_path):
    path = write_nifti(tmp_path / "a.nii", VOLUME, np.diag([2.0, 1.25, 6.0, 1.0]))
    scan = read_scan(path)
    mask = scan.slices[..., 0] > 10000
    mri_scan_nifti.write_nifti_file(tmp_path / "mask.nii.gz", mask, scan.geometry, scan.spacing)
    written, source = nibabel.load(tmp_path / "mask.nii.gz"), nibabel.load(path)
    np.testing.assert_array_equal(written.affine, source.affine)
    assert written.header.get_zooms() == source.header.get_zooms()
    np.testing.assert_array_equal(np.asarray(written.dataobj) > 0, np.asarray(source.dataobj) > 10000)


def patched(tmp_path, offset, data):
    raw = bytearray(nibabel.Nifti1Image(VOLUME, lps_affine()).to_bytes())
    raw[offset : offset + len(data)] = data
    path = tmp_path / "bad.nii"
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize(
    ("offset", "data", "reason"),
    [
        (40, struct.pack("<4h", 3, 2000, 2000, 2000), r"claims 14\.9 GiB"),
        (40, struct.pack("<4h", 3, -5, 4, 4), "claims a size"),
        (40, struct.pack("<h", 9), "9 dimensions"),
        (70, struct.pack("<h", 999), "decoded"),  # no such data type
        (70, struct.pack("<h", 32), "complex64 values"),
        (108, struct.pack("<f", float("nan")), "start at byte"),
        (108, struct.pack("<f", 4e9), "start at byte"),
        (280, struct.pack("<12f", *[0.0] * 12), "affine"),
        (344, b"ni1\0", r"\.hdr and \.img"),
    ],
)
def test_lying_headers_are_refused_in_one_line(tmp_path, offset, data, reason):
    with pytest.raises(ScanError, match=reason) as caught:
        read_scan(patched(tmp_path, offset, data))
    assert str(caught.value).startswith(str(tmp_path / "bad.nii"))
    assert "\n" not in str(caught.value)


def test_truncated_and_corrupted_files_are_refused(tmp_path):
    whole = gzip.compress(nibabel.Nifti1Image(VOLUME, lps_affine()).to_bytes())
    path = tmp_path / "a.nii.gz"
    for keep in (12, 200, len(whole) - 9):
        path.write_bytes(whole[:keep])
        with pytest.raises(ScanError):
            read_scan(path)
    path.write_bytes(whole[:-8] + b"\0\0\0\0" + whole[-4:])  # the checksum
    with pytest.raises(ScanError, match="CRC"):
        read_scan(path)


def test_nan_is_refused(tmp_path):
    volume = VOLUME.astype(np.float32)
    volume[3, 3, 3] = np.nan
    with pytest.raises(ScanError, match=r"a\.nii.* NaN"):
        read_scan(write_nifti(tmp_path / "a.nii", volume, lps_affine()))


def test_without_nibabel_the_install_command(tmp_path, monkeypatch):
    path = write_nifti(tmp_path / "a.nii", VOLUME, lps_affine())
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(ImportError, match="pip install nibabel"):
        read_scan(path)


@pytest.mark.real_data
def test_a_real_heart(real_acdc):
    path = min(real_acdc.glob("training/*/*_frame01.nii.gz"))
    scan, stored = read_scan(path), nibabel.load(path)
    np.testing.assert_array_equal(scan.slices[..., 0], np.asarray(stored.dataobj).transpose(2, 1, 0))
    columns, rows, through = (float(zoom) for zoom in stored.header.get_zooms())
    assert scan.spacing == (rows, columns, through)
    np.testing.assert_array_equal(scan.geometry.to_source(scan.slices[..., 0]), np.asarray(stored.dataobj))


@pytest.mark.parametrize(("unit", "factor"), [("meter", 1e-3), ("mm", 1), ("micron", 1e3), ("unknown", 1)])
def test_the_headers_unit_counts(tmp_path, unit, factor):
    affine = lps_affine() * factor
    affine[3, 3] = 1
    image = nibabel.Nifti1Image(VOLUME, affine)
    image.header.set_xyzt_units(unit)
    nibabel.save(image, tmp_path / "a.nii")
    scan = read_scan(tmp_path / "a.nii")
    assert scan.spacing == pytest.approx((1.25, 1.5, 6.0))
    np.testing.assert_allclose(scan.geometry.affine, lps_affine(), rtol=1e-6)
    assert scan.warnings == []


def test_the_slices_of_a_sheared_volume_are_as_far_apart_as_their_planes(tmp_path):
    affine = lps_affine()
    affine[1, 2] = 3.0  # each slice lies 3 mm further to the front
    scan = read_scan(write_nifti(tmp_path / "a.nii", VOLUME, affine))
    assert scan.spacing == pytest.approx((1.25, 1.5, 6.0))
    assert scan.warnings == ["the volume is sheared; the distance of slices is measured at right angles to them"]


def test_a_mask_of_what_was_no_nifti_says_millimeters_and_lies_alike_by_both_forms(tmp_path):
    geometry = Geometry((48, 40, 6), affine=lps_affine())
    mri_scan_nifti.write_nifti_file(tmp_path / "m.nii.gz", head() > 100, geometry, (1.25, 1.5, 6.0))
    image = nibabel.load(tmp_path / "m.nii.gz")
    assert image.header.get_xyzt_units()[0] == "mm"
    assert (int(image.header["qform_code"]), int(image.header["sform_code"])) == (1, 2)
    np.testing.assert_allclose(image.get_qform(), lps_affine(), atol=1e-4)


def test_a_volume_is_refused_by_its_header_when_there_is_no_room(tmp_path):
    volume = np.zeros((300, 300, 100), np.uint8)
    path = write_nifti(tmp_path / "a.nii.gz", volume, lps_affine())
    path.write_bytes(path.read_bytes()[:400])  # the header is there, no voxel is
    for limit in ({"most_slices": 99}, {"most_pixels": 8_999_999}):
        with pytest.raises(ScanError, match=r"has 100 slices of 300x300 pixels, more than can be read here; .* 99 "):
            read_scan(path, **limit)


def test_a_quaternion_of_no_handedness_is_refused_in_one_line(tmp_path):
    path = patched(tmp_path, 76, struct.pack("<f", 3.0))  # pixdim[0], which is 1 or -1
    header = bytearray(path.read_bytes())
    header[252:256] = struct.pack("<hh", 1, 0)  # the quaternion counts, not the matrix
    path.write_bytes(header)
    with pytest.raises(ScanError, match=r"bad\.nii: cannot be decoded as NIfTI \(.*qfac"):
        read_scan(path)
