"""Who trains and who tests: patients, never slices, except in the one protocol that is named for its leak."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pandas as pd

SPLITS = ("train", "validation", "test")
SHARES = (0.7, 0.15, 0.15)
FOLDS = 5
PROTOCOLS = ("hold-out", "fold I/K", "leave-one-site-out SITE", "slices-leaky", "all")
_PROTOCOL = re.compile(r"hold-out|fold \d+/\d+|leave-one-site-out .+|slices-leaky|all")


def check_protocol(protocol: str) -> None:
    """Refuse an unknown protocol, before anything was read for it."""
    if not _PROTOCOL.fullmatch(protocol):
        raise ValueError(f"no protocol is called {protocol!r}; there are: {', '.join(PROTOCOLS)}")


def split_patients(rows: pd.DataFrame, protocol: str = "hold-out", seed: int = 0) -> pd.Series:
    """Say for every row whether it trains, validates or tests.

    Patients are stratified by site, by group where there is one, and by their share of positive slices; two names for
    one scan, as published sets have them, go together. The answer depends on nothing but the patients, their labels
    and the seed: not on the order of the rows.

    Args:
        rows: one row a slice with the columns `patient`, `label`, `site`, `volume`, `slice`, and `group` where known.
        protocol: `hold-out` (70/15/15), `fold 2/5` (tests on the second of five parts, validates on the third),
            `leave-one-site-out DU` (tests on one site), `slices-leaky` (slices at random, as tutorials do: it leaks),
            or `all` (every row is in `test`).
        seed: of the shuffle.

    Returns:
        `train`, `validation` or `test`, with the index of `rows`.
    """
    check_protocol(protocol)
    if protocol == "all":
        return pd.Series("test", rows.index)
    if protocol == "slices-leaky":
        return _split_slices(rows, seed)
    if protocol.startswith("leave-one-site-out "):  # the site decides; that nobody is on both sides, the audit checks
        by_patient = _split_site(describe_patients(rows), protocol.removeprefix("leave-one-site-out "), seed)
        return rows["patient"].map(by_patient)
    rows = rows.assign(patient=rows["patient"].map(find_people(rows)))
    patients = describe_patients(rows)
    if protocol == "hold-out":
        parts = _deal(patients, _counts(len(patients), SHARES), seed)
        by_patient = {patient: SPLITS[part] for patient, part in parts.items()}
    else:
        fold, folds = map(int, protocol.removeprefix("fold ").split("/"))
        by_patient = _split_fold(rows, patients, fold, folds, seed)
    return rows["patient"].map(by_patient)


def describe_patients(rows: pd.DataFrame) -> pd.DataFrame:
    """One line a patient, by name: `site`, `group`, `slices` and `positive`, the share of slices with foreground."""
    columns = {"site": ("site", "first"), "slices": ("label", "size"), "positive": ("label", "mean")}
    if "group" in rows:
        columns["group"] = ("group", "first")
    patients = rows.groupby("patient", sort=True).agg(**columns)
    if "group" not in patients:
        patients["group"] = ""
    return patients.fillna({"site": "", "group": ""})


def make_folds(rows: pd.DataFrame, folds: int = FOLDS, seed: int = 0) -> list[list[str]]:
    """Deal the patients into parts with scikit-learn's StratifiedGroupKFold; every patient is in exactly one."""
    from sklearn.model_selection import StratifiedGroupKFold

    people = find_people(rows)
    rows = rows.assign(patient=rows["patient"].map(people))
    patients = describe_patients(rows)
    if not 2 <= folds <= len(patients):
        raise ValueError(f"{len(patients)} patients can't be dealt into {folds} folds")
    rows = rows.sort_values(["patient", "volume", "slice"])
    stratum = rows["patient"].map(patients["site"] + "/" + patients["group"]) + "/" + rows["label"].astype(str)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a site with fewer patients than folds can't be in all of them
        tests = [test for _, test in splitter.split(rows, stratum, rows["patient"])]
    parts = [rows["patient"].iloc[test].unique().tolist() for test in tests]
    if any(len(part) == 0 for part in parts):  # happens with as many folds as patients
        dealt = _deal(patients, _counts(len(patients), (1 / folds,) * folds), seed)
        parts = [[patient for patient, part in dealt.items() if part == i] for i in range(folds)]
    return [sorted(people.index[people.isin(part)]) for part in parts]


def find_people(rows: pd.DataFrame) -> pd.Series:
    """Say by patient who it is: the first name of those that share a picture, its own for nearly everybody.

    Args:
        rows: the column `patient`, and where known `pixels` and `picture`, the hashes that the audit compares.
    """
    names = sorted(rows["patient"].unique())
    people = pd.Series(names, names, dtype=object)
    if "pixels" in rows and "picture" in rows:
        shown = rows[np.array([picture.any() for picture in rows["picture"]], bool)]
        for _, same in shown.groupby("pixels", sort=True)["patient"].unique().items():
            if len(same) > 1:
                known = people[same].unique()
                people[people.isin(known)] = min(known)
    return people


def _split_fold(rows: pd.DataFrame, patients: pd.DataFrame, fold: int, folds: int, seed: int) -> dict[str, str]:
    """Test on one part, validate on the next, train on the rest."""
    if not 1 <= fold <= folds or folds < 3:
        raise ValueError(f"fold {fold}/{folds}: give I/K with I from 1 to K and K at least 3")
    parts = make_folds(rows, folds, seed)
    by_patient = dict.fromkeys(patients.index, "train")
    by_patient.update(dict.fromkeys(parts[fold % folds], "validation"))
    by_patient.update(dict.fromkeys(parts[fold - 1], "test"))
    return by_patient


def _split_site(patients: pd.DataFrame, site: str, seed: int) -> dict[str, str]:
    """Test on one site; the others keep the hold-out's proportion of training to validation."""
    at_site = patients["site"] == site
    if not at_site.any() or at_site.all():
        raise ValueError(f"no site {site!r} to leave out; there are: {', '.join(sorted(set(patients['site'])))}")
    others = patients[~at_site]
    share = SHARES[0] / (SHARES[0] + SHARES[1])
    parts = _deal(others, _counts(len(others), (share, 1 - share)), seed)
    return dict.fromkeys(patients.index[at_site], "test") | {p: SPLITS[part] for p, part in parts.items()}


def _split_slices(rows: pd.DataFrame, seed: int) -> pd.Series:
    """A quarter of the slices tests and a quarter of the rest validates: 3,929 make 2,210, 736 and 983."""
    order = rows.sort_values(["volume", "slice"]).index.to_numpy()
    order = np.random.default_rng(seed).permutation(order)
    test = -(-len(order) // 4)
    validation = (len(order) - test) // 4
    splits = pd.Series("train", rows.index)
    splits[order[:test]] = "test"
    splits[order[test : test + validation]] = "validation"
    return splits


def _counts(total: int, shares: tuple[float, ...]) -> list[int]:
    """Whole numbers nearest to the shares; no part stays empty while another has two."""
    counts = [int(total * share) for share in shares]
    by_loss = sorted(range(len(shares)), key=lambda i: counts[i] - total * shares[i])
    for i in by_loss[: total - sum(counts)]:
        counts[i] += 1
    for i in range(len(counts)):
        if counts[i] == 0 and max(counts) > 1:
            counts[counts.index(max(counts))] -= 1
            counts[i] = 1
    return counts


def _deal(patients: pd.DataFrame, counts: list[int], seed: int) -> dict[str, int]:
    """Deal patients into parts of the given sizes so that like patients spread over all of them.

    Patients are sorted by group, site and share of positive slices, ties at random, and dealt one by one to the part
    that lags most behind its share of those dealt so far.
    """
    shuffled = patients.sample(frac=1, random_state=seed)
    # Thirds of the share of positive slices, so that the shuffle still decides among like patients.
    third = pd.cut(shuffled["positive"].rank(method="first"), 3, labels=False) if len(shuffled) > 2 else 0
    ordered = shuffled.assign(third=third).sort_values(["group", "site", "third"], kind="stable")
    shares = np.array(counts) / sum(counts)
    dealt = np.zeros(len(counts))
    parts = {}
    for number, patient in enumerate(ordered.index, 1):
        lag = np.where(dealt < counts, shares * number - dealt, -np.inf)
        part = int(np.argmax(lag))
        dealt[part] += 1
        parts[str(patient)] = part
    return parts
