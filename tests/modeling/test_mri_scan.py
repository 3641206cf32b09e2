"""PNG, JPEG and TIFF, lists, folders, zips, channels and arrays."""

import struct
import zipfile
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from hf_mri import read_scan
from hf_mri.modeling.mri_scan_errors import ScanError
from tests.modeling.phantom_files import head, lps_affine, write_nifti, write_series

GRAY8, GRAY16 = head(4, 20, 24), head(4, 20, 24, np.uint16)
COLOR8 = np.stack([GRAY8, GRAY8 // 2, 255 - GRAY8], axis=-1)
COLOR16 = np.stack([GRAY16, GRAY16 // 2, 65535 - GRAY16], axis=-1)


def write_png16(path, page):
    """A PNG of 16 bits a color, which Pillow can't write: the format's own chunks."""
    height, width, _ = page.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in page)
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    data = b"".join(struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in chunks)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + data)


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize(
    "page", [GRAY8[1], GRAY16[1], COLOR8[1], COLOR16[1]], ids=["gray8", "gray16", "rgb8", "rgb16"]
)
def test_every_depth_is_kept_to_the_last_bit(tmp_path, page, ending):
    path = tmp_path / f"slice.{ending}"
    if ending == "tif":
        tifffile.imwrite(path, page, photometric="rgb" if page.ndim == 3 else "minisblack")
    elif page.ndim == 3 and page.dtype == np.uint16:
        write_png16(path, page)
    else:
        Image.fromarray(page).save(path)
    scan = read_scan(path)
    assert scan.slices.dtype == page.dtype
    np.testing.assert_array_equal(scan.slices[0], page.reshape(20, 24, -1))
    assert (scan.source, scan.files, scan.spacing) == ("slice", (path,), None)


def test_jpeg(tmp_path):
    Image.fromarray(GRAY8[1]).save(tmp_path / "a.jpg", quality=95)
    assert np.abs(read_scan(tmp_path / "a.jpg").slices[0, ..., 0].astype(int) - GRAY8[1]).max() < 20


@pytest.mark.parametrize("pages", [GRAY8, GRAY16, COLOR8, COLOR16], ids=["gray8", "gray16", "rgb8", "rgb16"])
def test_the_pages_of_a_tiff_are_slices(tmp_path, pages):
    tifffile.imwrite(tmp_path / "a.tiff", pages, photometric="rgb" if pages.ndim == 4 else "minisblack")
    np.testing.assert_array_equal(read_scan(tmp_path / "a.tiff").slices, pages.reshape(4, 20, 24, -1))


def test_planar_tiff_and_alpha(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.moveaxis(COLOR16[0], -1, 0), photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(read_scan(tmp_path / "a.tif").slices[0], COLOR16[0])
    Image.fromarray(COLOR8[0]).convert("RGBA").save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_scan(tmp_path / "a.png").slices[0], COLOR8[0])


def write_folder(folder, masks=False):
    folder.mkdir()
    for number in range(1, 13):
        Image.fromarray(np.full((8, 9), number, np.uint8)).save(folder / f"p_{number}.png")
        if masks:
            Image.fromarray(np.zeros((8, 9), np.uint8)).save(folder / f"p_{number}_mask.png")
    return folder


def test_a_folder_is_read_in_number_order_without_its_masks_and_says_so(tmp_path):
    scan = read_scan(write_folder(tmp_path / "patient", masks=True))
    assert scan.slices[:, 0, 0, 0].tolist() == list(range(1, 13))
    assert scan.warnings == ["12 mask files (X_mask beside X) were left out"]
    assert scan.source == "patient"
    assert scan.files[9].name == "p_10.png"


def test_a_list_is_one_scan_in_the_callers_order(tmp_path):
    folder = write_folder(tmp_path / "patient")
    scan = read_scan([folder / "p_7.png", str(folder / "p_3.png")])
    assert scan.slices[:, 0, 0, 0].tolist() == [7, 3]


def test_a_mapping_gives_channels_in_its_order(tmp_path):
    folder = write_folder(tmp_path / "patient")
    scan = read_scan({"pre": folder / "p_2.png", "flair": folder / "p_1.png", "post": folder / "p_3.png"})
    assert scan.slices.shape == (1, 8, 9, 3)
    assert scan.slices[0, 0, 0].tolist() == [2, 1, 3]
    assert read_scan({"slices": [folder / "p_5.png", folder / "p_6.png"]}).slices[:, 0, 0, 0].tolist() == [5, 6]


def test_channels_of_different_sizes_are_refused(tmp_path):
    folder = write_folder(tmp_path / "patient")
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "big.png")
    with pytest.raises(ScanError, match=r"channel 'flair'.*one grid"):
        read_scan({"pre": folder / "p_2.png", "flair": tmp_path / "big.png"})


def test_channels_that_lie_elsewhere_come_with_a_warning(tmp_path):
    volume, moved = head(4, 20, 24).T, lps_affine()
    moved[:3, 3] += 5  # mm
    paths = {name: tmp_path / f"{name}.nii" for name in ("pre", "flair", "moved")}
    for name, path in paths.items():
        write_nifti(path, volume, moved if name == "moved" else lps_affine())
    flipped = lps_affine() @ np.diag([-1, 1, 1, 1])
    flipped[:3, 3] += lps_affine()[:3, 0] * (volume.shape[0] - 1)  # the same voxels, columns stored the other way
    paths["flipped"] = write_nifti(tmp_path / "flipped.nii", volume[::-1], flipped)
    assert read_scan({name: paths[name] for name in ("pre", "flair", "flipped")}).warnings == []
    (warning,) = read_scan({name: paths[name] for name in ("pre", "moved")}).warnings
    assert warning.startswith("channel 'moved' lies elsewhere than 'pre'")


def test_a_name_may_carry_size_and_spacing(tmp_path):
    Image.fromarray(GRAY16[0]).save(tmp_path / "slice_0065_24_20_1.50_1.25.png")
    assert read_scan(tmp_path / "slice_0065_24_20_1.50_1.25.png").spacing == (1.5, 1.25, None)


def test_spacing_by_hand():
    assert read_scan(GRAY8[0], spacing=(1, 2)).spacing == (1.0, 2.0, None)
    assert read_scan(GRAY8[0], spacing=(1, 2, 3)).spacing == (1.0, 2.0, 3.0)
    assert read_scan(GRAY8[0], spacing=(1, 2, None)).spacing == (1.0, 2.0, None)
    # (None, 2, 3) is no (2, 3): the distance of columns must not become that of rows.
    for wrong in [(1,), (1, -2), (0, 1), (1, float("nan")), (1, 2, 3, 4), (None, 2, 3), (1, None, 3)]:
        with pytest.raises(ScanError, match="spacing"):
            read_scan(GRAY8[0], spacing=wrong)


def zip_folder(path, folder):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in folder.rglob("*"):
            archive.write(file, file.relative_to(folder.parent))
    return path


def test_a_zip_reads_as_the_folder_in_it(tmp_path):
    path = zip_folder(tmp_path / "scan.zip", write_folder(tmp_path / "patient", masks=True))
    scan = read_scan(path)
    assert scan.slices[:, 0, 0, 0].tolist() == list(range(1, 13))
    assert (scan.source, scan.files) == ("scan", (path,))


def test_a_zip_of_dicoms(tmp_path):
    write_series(tmp_path / "dicom", head(4, 20, 24, np.uint16))
    scan = read_scan(zip_folder(tmp_path / "scan.zip", tmp_path / "dicom"))
    np.testing.assert_array_equal(scan.slices[..., 0], head(4, 20, 24, np.uint16))


@pytest.mark.parametrize("name", ["../out.png", "/tmp/out.png", "a/../../out.png", "..\\out.png"])
def test_a_zip_that_climbs_out_is_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr(name, b"x")
    with pytest.raises(ScanError, match=r"bad\.zip.*climbs out"):
        read_scan(tmp_path / "bad.zip")


def test_a_zip_that_inflates_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.png", bytes(2**25))
    with pytest.raises(ScanError, match="bomb"):
        read_scan(tmp_path / "bomb.zip")


def test_errors_inside_a_zip_name_the_zip_and_the_file(tmp_path):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("a/1.png", b"not a picture")
    with pytest.raises(ScanError, match=r"bad\.zip: a/1\.png: is not a PNG file"):
        read_scan(tmp_path / "bad.zip")


@pytest.mark.parametrize(
    ("shape", "num_channels", "expected"),
    [
        ((20, 24), None, (1, 20, 24, 1)),
        ((20, 24, 3), 3, (1, 20, 24, 3)),
        ((20, 24, 3), None, (1, 20, 24, 3)),
        ((20, 24, 1), 3, (1, 20, 24, 1)),
        ((5, 20, 24), 3, (5, 20, 24, 1)),
        ((5, 20, 24), None, (5, 20, 24, 1)),
        ((3, 20, 24), 1, (3, 20, 24, 1)),
        ((5, 20, 24, 4), 4, (5, 20, 24, 4)),
        ((5, 20, 24, 1), 3, (5, 20, 24, 1)),
    ],
)
def test_what_an_array_means(shape, num_channels, expected):
    assert read_scan(np.arange(np.prod(shape)).reshape(shape), num_channels=num_channels).slices.shape == expected


@pytest.mark.parametrize(
    ("shape", "num_channels"),
    [
        ((3, 20, 24), 3),  # three slices, or three channels first?
        ((3, 20, 3), 3),
        ((20, 24, 3), 1),  # a color slice for a gray model, or 20 slices of width 3?
        ((5, 20, 24, 2), 3),
        ((7,), 3),
        ((1, 2, 3, 4, 5), 3),
        ((0, 20), 1),
        ((0, 20, 24), 1),
    ],
)
def test_arrays_that_could_mean_two_things_or_nothing_are_refused(shape, num_channels):
    with pytest.raises(ScanError, match=r"shape \("):
        read_scan(np.zeros(shape), num_channels=num_channels)


@pytest.mark.parametrize("array", [np.array([["a"]]), np.zeros((4, 4), complex), object(), None, [[1, [2]]]])
def test_what_is_no_array_of_numbers_is_refused(array):
    with pytest.raises(ScanError):
        read_scan(array)


def test_lists_of_pictures_and_arrays_are_slices():
    pictures = [Image.fromarray(page) for page in GRAY16]
    np.testing.assert_array_equal(read_scan(pictures).slices[..., 0], GRAY16)
    np.testing.assert_array_equal(read_scan(list(COLOR8), num_channels=3).slices, COLOR8)
    with pytest.raises(ScanError, match="one size"):
        read_scan([GRAY8[0], GRAY8[0, :-1]])
    with pytest.raises(ScanError, match="empty"):
        read_scan([])


def test_nan_and_mixed_sizes_and_empty_folders_are_refused(tmp_path):
    with pytest.raises(ScanError, match="NaN"):
        read_scan(np.array([[0.0, np.nan]]))
    tifffile.imwrite(tmp_path / "nan.tif", np.full((4, 4), np.inf, np.float32))
    with pytest.raises(ScanError, match="NaN or infinite"):
        read_scan(tmp_path / "nan.tif")
    folder = write_folder(tmp_path / "mixed")
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(folder / "p_5.png")
    with pytest.raises(ScanError, match=r"p_5\.png: is 9x9 .*p_1\.png is 9x8"):
        read_scan(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ScanError, match="holds no slices"):
        read_scan(tmp_path / "empty")
    (tmp_path / "patients").mkdir()
    for name in ("ada", "bob"):
        write_folder(tmp_path / "patients" / name)
    with pytest.raises(ScanError, match=r"holds no slices .*folders are scans of their own, name one$"):
        read_scan(tmp_path / "patients")
    write_nifti(folder / "v.nii", GRAY8, np.eye(4))
    with pytest.raises(ScanError, match="name the one to read"):
        read_scan(folder)


def test_wrong_endings_and_missing_or_empty_files_are_refused(tmp_path):
    Image.fromarray(GRAY8[0]).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.tif")
    with pytest.raises(ScanError, match=r"a\.tif: is named as TIFF but holds PNG; rename it"):
        read_scan(tmp_path / "a.tif")
    (tmp_path / "b.nii.gz").write_text("not a volume")
    with pytest.raises(ScanError, match=r"b\.nii\.gz: is not a NIfTI file"):
        read_scan(tmp_path / "b.nii.gz")
    (tmp_path / "c.png").touch()
    with pytest.raises(ScanError, match="is empty"):
        read_scan(tmp_path / "c.png")
    with pytest.raises(ScanError, match=r"nowhere\.png: no such file"):
        read_scan(tmp_path / "nowhere.png")
    (tmp_path / "d").write_text("text")
    with pytest.raises(ScanError, match="not PNG, JPEG, TIFF, NIfTI, DICOM or zip"):
        read_scan(tmp_path / "d")


def test_a_header_that_claims_gigabytes_is_refused_before_they_are_taken(tmp_path):
    chunk = b"IHDR" + struct.pack(">IIBBBBB", 2**15, 2**15, 16, 2, 0, 0, 0)
    head_ = (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
        + bytes(4)
        + b"IDAT"
    )
    (tmp_path / "huge.png").write_bytes(head_)
    with pytest.raises(ScanError, match=r"huge\.png: its header claims more pixels"):
        read_scan(tmp_path / "huge.png")


@pytest.mark.real_data
def test_a_real_lgg_patient_as_its_publisher_ships_it(real_lgg):
    folder = min((real_lgg / "kaggle_3m").glob("TCGA_*"))
    scan = read_scan(folder, num_channels=3)
    count = len(list(folder.glob("*_mask.tif")))
    assert scan.slices.shape == (count, 256, 256, 3)
    assert scan.warnings == [f"{count} mask files (X_mask beside X) were left out"]
    numbers = [int(path.stem.rsplit("_", 1)[1]) for path in scan.files]
    assert numbers == list(range(1, count + 1))


def test_pictures_are_refused_by_their_headers_when_there_is_no_room(tmp_path):
    folder = write_folder(tmp_path / "patient")
    assert len(read_scan(folder, most_slices=12, most_pixels=12 * 72).slices) == 12
    for limit in ({"most_slices": 11}, {"most_pixels": 12 * 72 - 1}):
        with pytest.raises(ScanError, match="more than can be read here"):
            read_scan(folder, **limit)
    with pytest.raises(ScanError, match="give smaller slices"):
        read_scan(folder, most_pixels=71)
    tifffile.imwrite(tmp_path / "a.tif", GRAY16, photometric="minisblack")
    with pytest.raises(ScanError, match=r"a\.tif: has 4 slices of 24x20 pixels"):
        read_scan(tmp_path / "a.tif", most_slices=3)
    with pytest.raises(ScanError, match="array: has 4 slices"):
        read_scan(GRAY16, most_slices=3)


def test_a_tiff_whose_pages_go_round_in_a_circle_is_refused(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, COLOR16[0], photometric="rgb")
    data = bytearray(path.read_bytes())
    (first,) = struct.unpack("<I", data[4:8])
    (entries,) = struct.unpack("<H", data[first : first + 2])
    data[first + 2 + 12 * entries : first + 6 + 12 * entries] = struct.pack("<I", first)
    path.write_bytes(data)
    with pytest.raises(ScanError, match=r"a\.tif: "):
        read_scan(path)


def test_a_zip_with_a_file_where_a_folder_must_be_names_only_the_zip(tmp_path):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("a", b"x")
        archive.writestr("a/b", b"x")
    with pytest.raises(ScanError) as caught:
        read_scan(tmp_path / "bad.zip")
    assert str(caught.value) == f"{tmp_path / 'bad.zip'}: 'a' is a file and a folder at once; pack it again"


def test_a_lazy_column_is_no_scan():
    datasets = pytest.importorskip("datasets")
    column = datasets.Dataset.from_dict({"image": [[[1, 2], [3, 4]]]})["image"]
    with pytest.raises(ScanError, match="a Column is several scans"):
        read_scan(column)
