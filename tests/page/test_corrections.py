"""Outlines that a visitor drew: laid into the masks, measured, taken home to train on; nothing else is believed."""

import base64
import gzip
import zipfile

import numpy as np
import pytest

from hf_mri.data.dataset_folder import load_rows
from hf_mri.data.importing import import_dataset
from hf_mri.modeling.mri_reading import Reading
from hf_mri.modeling.mri_scan import read_scan
from hf_mri.page.corrections import BY_HAND, correct, drop_corrections
from hf_mri.page.downloads import pack
from hf_mri.page.viewer import number_scan


def make_reading(shape=(3, 40, 48), labels=("tumor",), phases=1, overlapping=False) -> Reading:
    """Every label has a square of its own in the first slice."""
    scan = read_scan(np.random.default_rng(0).integers(0, 4000, (*shape, 1)).astype(np.uint16), spacing=(1, 1, 5))
    scan.source, scan.phases = "ann", phases
    masks = {label: np.zeros(shape, bool) for label in labels}
    for number, mask in enumerate(masks.values()):
        mask[0, 10:16, 8 * number : 8 * number + 6] = True
    return Reading(
        probability=np.array([0.9] + [0.1] * (shape[0] - 1)),
        stage=np.array(["mask"] + ["empty"] * (shape[0] - 1)),
        masks=masks,
        spacing=scan.spacing,
        geometry=scan.geometry,
        source="ann",
        phases=phases,
        overlapping=overlapping,
        scan=scan,
    )


def send(reading: Reading, slices: list[int], pages: np.ndarray) -> dict:
    bits = base64.b64encode(gzip.compress(pages.astype(np.uint8).tobytes())).decode()
    return {"scan": number_scan(reading), "slices": slices, "bits": bits}


def test_what_was_drawn_is_what_counts():
    reading = make_reading()
    pages = np.zeros((2, 40, 48), np.uint8)
    pages[1, 20:30, 20:30] = 1
    changed = correct(reading, send(reading, [0, 2], pages))
    assert reading.masks["tumor"][0].sum() == 36  # the model's own is left alone
    assert not changed.masks["tumor"][0].any()
    assert changed.masks["tumor"][2].sum() == 100
    assert changed.positive.tolist() == [False, False, True]
    facts = changed.to_dict()
    assert facts["volumes"][0]["tumor"]["ml"] == pytest.approx(0.5)
    assert changed.warnings == [f"{BY_HAND}: slices 1, 3"]
    assert drop_corrections(changed).warnings == []


def test_of_a_scan_larger_than_the_screen_only_changed_pixels_are_taken():
    reading = make_reading((1, 1024, 1024))
    fine = np.random.default_rng(1).random((1024, 1024)) < 0.5
    reading.masks["tumor"][0] = fine
    page = fine[1::2, 1::2].copy()  # what the browser holds, made by taking the nearest
    page[100:110, 100:110] = True
    drawn = np.kron(page & ~fine[1::2, 1::2], np.ones((2, 2), bool))
    changed = correct(reading, send(reading, [0], page[None])).masks["tumor"][0]
    assert drawn.any()
    np.testing.assert_array_equal(changed, fine | drawn)


def test_what_does_not_fit_is_refused():
    reading = make_reading(labels=("left", "right"))
    empty = np.zeros((1, 40, 48), np.uint8)
    fit = send(reading, [1], empty)
    assert correct(reading, fit).probability[1] == 0
    for unfit in (
        None,
        "text",
        {},
        fit | {"scan": -1},
        fit | {"slices": [3]},
        fit | {"slices": [True]},
        fit | {"slices": [-1]},
        fit | {"slices": []},
        fit | {"slices": [1, 1]},
        fit | {"slices": {"1": 1}},
        fit | {"bits": "no base64"},
        fit | {"bits": base64.b64encode(b"no gzip").decode()},
        send(reading, [1], np.zeros(10**6)),  # more than a slice
        send(reading, [1], empty + 4),  # a third label
        send(reading, [1], empty + 3),  # two labels in one pixel
    ):
        with pytest.raises(ValueError, match="does not fit the scan"):
            correct(reading, unfit)


@pytest.mark.parametrize(("labels", "phases"), [(("tumor",), 1), (("myocardium", "left ventricle"), 2)])
def test_a_correction_becomes_a_training_mask(tmp_path, monkeypatch, labels, phases):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    reading = make_reading((4, 40, 48), labels, phases)
    pages = np.zeros((1, 40, 48), np.uint8)
    pages[0, 20:30, 20:30] = 1
    changed = correct(reading, send(reading, [3], pages))
    with zipfile.ZipFile(pack(changed, "pairs")) as archive:
        archive.extractall(tmp_path / "source")
    advice = (tmp_path / "source" / "README.txt").read_text()
    names = ",".join(label.replace(" ", "_") for label in labels)
    assert f"--labels {names} --spacing 1,1,5" in advice
    import_dataset(
        "folder",
        tmp_path / "source",
        tmp_path / "data",
        labels=names.split(","),
        spacing=(1.0, 1.0, 5.0),
        skip_bad=False,
    )
    rows = sorted(load_rows(tmp_path / "data"), key=lambda row: (row["phase"] or "", row["slice"]))
    assert {row["patient"] for row in rows} == {"ann"}
    assert len({row["phase"] for row in rows}) == phases
    numbers = sum(number * mask for number, mask in enumerate(changed.masks.values(), 1))
    np.testing.assert_array_equal(np.stack([row["mask"] for row in rows]), numbers)
    np.testing.assert_array_equal(np.stack([row["image"] for row in rows]), reading.scan.slices[..., 0])


def test_labels_that_overlap_are_no_training_masks(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    with pytest.raises(ValueError, match="its labels overlap"):
        pack(make_reading(labels=("large_bowel", "stomach"), overlapping=True), "pairs")
