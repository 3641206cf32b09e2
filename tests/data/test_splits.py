"""Who trains and who tests."""

import numpy as np
import pandas as pd
import pytest

from hf_mri.data.dataset_folder import assign_splits
from hf_mri.data.empty_slices import choose_rows
from hf_mri.data.splits import find_people, make_folds, split_patients


def make_rows(patients: int = 60, slices: int = 10, seed: int = 0) -> pd.DataFrame:
    """Patients of three sites and two groups, with different shares of positive slices."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(patients):
        share = rng.uniform(0.1, 0.8)
        for position in range(slices):
            name = f"P{number:03d}"
            rows.append((name, name, position, "ABC"[number % 3], "xy"[number % 2], int(rng.random() < share)))
    return pd.DataFrame(rows, columns=["patient", "volume", "slice", "site", "group", "label"])


@pytest.mark.parametrize("protocol", ["hold-out", "fold 1/5", "fold 5/5", "leave-one-site-out B"])
def test_a_patient_is_on_one_side(protocol):
    rows = make_rows()
    splits = split_patients(rows, protocol)
    assert splits.groupby(rows["patient"]).nunique().max() == 1
    assert set(splits) == {"train", "validation", "test"}


@pytest.mark.parametrize("protocol", ["hold-out", "fold 2/5", "leave-one-site-out B", "slices-leaky"])
def test_the_answer_depends_on_the_seed_and_not_on_the_order(protocol):
    rows = make_rows()
    splits = split_patients(rows, protocol, seed=1)
    shuffled = rows.sample(frac=1, random_state=5)
    assert split_patients(shuffled, protocol, seed=1).sort_index().equals(splits)
    assert not split_patients(rows, protocol, seed=2).equals(splits)


def test_hold_out_is_stratified():
    rows = make_rows(200)
    rows["split"] = split_patients(rows)
    patients = rows.groupby("patient").agg(split=("split", "first"), site=("site", "first"), group=("group", "first"))
    assert patients["split"].value_counts().to_dict() == {"train": 140, "validation": 30, "test": 30}
    for column in ("site", "group"):
        shares = pd.crosstab(patients["split"], patients[column], normalize="index")
        assert (shares.max() - shares.min()).max() < 0.07
    positive = rows.groupby("split")["label"].mean()
    assert positive.max() - positive.min() < 0.05


@pytest.mark.parametrize(
    ("patients", "counts"), [(1, [1]), (2, [1, 1]), (3, [1, 1, 1]), (4, [2, 1, 1]), (10, [7, 2, 1])]
)
def test_a_handful_of_patients_still_fills_the_splits(patients, counts):
    splits = split_patients(make_rows(patients)).groupby(make_rows(patients)["patient"]).first()
    assert sorted(splits.value_counts(), reverse=True) == counts


def test_folds_cover_everybody_once_and_are_stratified():
    rows = make_rows(60)
    folds = make_folds(rows, 5)
    assert sorted(patient for fold in folds for patient in fold) == sorted(set(rows["patient"]))
    shares = [rows[rows["patient"].isin(fold)]["label"].mean() for fold in folds]
    assert max(shares) - min(shares) < 0.1
    sites = [rows[rows["patient"].isin(fold)].groupby("site")["patient"].nunique() for fold in folds]
    assert all((site >= 2).all() for site in sites)


def test_every_patient_is_tested_once_over_the_folds():
    rows = make_rows(20)
    tested = [rows.loc[split_patients(rows, f"fold {i}/4") == "test", "patient"].unique() for i in range(1, 5)]
    assert sorted(np.concatenate(tested)) == sorted(set(rows["patient"]))


def test_as_many_folds_as_patients_leave_one_out():
    assert sorted(map(len, make_folds(make_rows(5), 5))) == [1] * 5


def test_one_site_is_left_out():
    rows = make_rows()
    splits = split_patients(rows, "leave-one-site-out B")
    assert (splits == "test").equals(rows["site"] == "B")


def test_random_slices_repeat_the_counts_of_the_tutorials():
    rows = make_rows(3929 // 10 + 1).head(3929)
    counts = split_patients(rows, "slices-leaky").value_counts()
    assert counts.to_dict() == {"train": 2210, "validation": 736, "test": 983}


@pytest.mark.parametrize(
    ("protocol", "reason"),
    [
        ("random", "no protocol is called 'random'"),
        ("fold 6/5", "fold 6/5"),
        ("fold 1/2", "K at least 3"),
        ("fold 1/99", "can't be dealt into 99 folds"),
        ("leave-one-site-out Z", "no site 'Z' to leave out; there are: A, B, C"),
    ],
)
def test_what_can_not_be_split_is_named(protocol, reason):
    with pytest.raises(ValueError, match=reason):
        split_patients(make_rows(), protocol)


def test_an_imported_data_set_answers_the_same_again(lgg_dataset):
    for protocol in (None, "hold-out", "fold 3/5", "slices-leaky"):
        assert assign_splits(lgg_dataset, protocol)["split"].equals(assign_splits(lgg_dataset, protocol)["split"])
    assert assign_splits(lgg_dataset)["split"].equals(assign_splits(lgg_dataset, "hold-out", seed=0)["split"])


def test_empty_slices_are_kept_dropped_or_thinned():
    rows = make_rows(10)
    empty = rows["label"] == 0
    assert choose_rows(rows, "keep").all()
    assert choose_rows(rows, "drop").equals(~empty)
    thinned = choose_rows(rows, 0.25)
    assert thinned[~empty].all()
    assert thinned[empty].sum() == round(0.25 * empty.sum())
    assert choose_rows(rows.sample(frac=1, random_state=1), "0.25").sort_index().equals(thinned)
    for wrong in ("some", 2.0, -0.1):
        with pytest.raises(ValueError, match=f"--empty {wrong}"):
            choose_rows(rows, wrong)


def test_two_names_for_one_scan_stay_together():
    rows = make_rows(20)
    rows["pixels"] = rows["patient"] + rows["slice"].astype(str)
    rows["picture"] = [np.ones(4, np.int8)] * len(rows)
    for one, other in (("P002", "P011"), ("P011", "P015")):  # 2 is 11 by one slice, 11 is 15 by another
        row, copy = rows["patient"].eq(one).idxmax() + (one > "P005"), rows["patient"].eq(other).idxmax() + 2
        rows.loc[copy, "pixels"] = rows.loc[row, "pixels"]
    people = find_people(rows)
    assert people[["P002", "P011", "P015"]].tolist() == ["P002"] * 3
    assert people.nunique() == 18
    held = [set(fold) for fold in make_folds(rows, 5)]
    assert sorted(name for fold in held for name in fold) == sorted(rows["patient"].unique())
    assert any({"P002", "P011", "P015"} <= fold for fold in held)
    splits = split_patients(rows).groupby(rows["patient"]).first()
    assert splits[["P002", "P011", "P015"]].nunique() == 1


def test_blank_pictures_make_nobody_the_same():
    rows = make_rows(6)
    rows["pixels"], rows["picture"] = "blank", [np.zeros(4, np.int8)] * len(rows)
    assert find_people(rows).nunique() == 6
