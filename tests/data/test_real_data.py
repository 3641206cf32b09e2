"""The real samples, where they are present."""

import logging

import numpy as np
import pytest

from hf_mri.data.audit import audit_splits
from hf_mri.data.dataset_folder import assign_splits
from hf_mri.data.hashes import describe_picture, hash_pixels
from hf_mri.data.importing import import_dataset
from hf_mri.data.sources import iterate_rows
from hf_mri.data.splits import find_people, make_folds

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def lgg(tmp_path_factory, request):
    """The 80 shared patients, imported once."""
    source = request.getfixturevalue("real_lgg_source")
    dest = tmp_path_factory.mktemp("real") / "lgg"
    return dest, import_dataset("lgg", source, dest)


@pytest.fixture(scope="module")
def real_lgg_source():
    """The folder that holds kaggle_3m."""
    from tests.conftest import _real

    return _real("kaggle_3m")


def test_lgg_has_80_patients_and_2840_slices(lgg, real_lgg_source):
    _, summary = lgg
    assert (summary["patients"], summary["slices"]) == (80, 2840)
    assert not summary["bad_files"]
    if (real_lgg_source / "data_mask.csv").exists():
        assert "2,812 of 2,840 rows" in summary["findings"][0]


def test_lgg_raises_no_false_alarm_under_any_protocol(lgg):
    dest, _ = lgg
    rows = assign_splits(dest, "hold-out", seed=1)
    sites = [f"leave-one-site-out {site}" for site in ("CS", "DU", "HT", "FG", "EZ")]
    for protocol in ("hold-out", *(f"fold {i}/5" for i in range(1, 6)), *sites):
        assign_splits(dest, protocol)
    # Every pair of patients at once: each patient against all others.
    folds = make_folds(rows, 40)
    for fold in folds:
        rows["split"] = np.where(rows["patient"].isin(fold), "test", "train")
        assert audit_splits(rows)["passed"]


def test_a_changed_copy_of_a_real_slice_is_found(lgg, real_lgg_source):
    rows = assign_splits(lgg[0])
    train = rows[rows["split"] == "train"].iloc[20]
    image = next(
        row["image"]
        for row in iterate_rows("lgg", real_lgg_source)
        if (row["volume"], row["slice"]) == (train["volume"], train["slice"])
    )
    target = rows[rows["split"] == "test"].index[5]
    for copy in (
        np.clip(image * 1.15 + 6, 0, 255).astype(np.uint8),
        np.roll(image, 1, axis=1),
        np.roll(image, -1, axis=0),
    ):
        changed = rows.copy()
        changed.at[target, "picture"] = describe_picture(copy)
        changed.at[target, "pixels"] = hash_pixels(copy)
        with pytest.raises(ValueError, match=f"near duplicate.*{train['volume']}/{train['slice']}"):
            audit_splits(changed)


def test_lgg_random_slices_leak_and_say_so(lgg, caplog):
    with caplog.at_level(logging.WARNING):
        rows = assign_splits(lgg[0], "slices-leaky")
    assert "the split leaks: 80 patients" in caplog.text
    assert rows["split"].value_counts().to_dict() == {"train": 1598, "test": 710, "validation": 532}


def test_acdc_has_25_patients_or_100_of_five_groups(real_acdc, tmp_path):
    summary = import_dataset("acdc", real_acdc, tmp_path / "dataset")
    patients = summary["patients"]
    assert (patients, summary["volumes"]) in ((25, 50), (100, 200))
    assert not summary["bad_files"]
    rows = assign_splits(tmp_path / "dataset")
    for fold in make_folds(rows, 5):
        assert abs(len(fold) - patients // 5) <= 1
    assert rows["spacing"].map(lambda spacing: 0.7 <= spacing[0] <= 1.95 and 5 <= spacing[2] <= 10).all()
    groups = dict.fromkeys(("DCM", "HCM", "MINF", "NOR", "RV"), patients // 5)
    assert rows.groupby("group")["patient"].nunique().to_dict() == groups
    people = find_people(rows)
    # The whole set holds one scan under two names, drawn twice by its annotators.
    assert people[people != people.index].to_dict() == ({"patient076": "patient074"} if patients == 100 else {})
