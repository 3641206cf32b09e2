"""Which slices a run shows while it trains."""

import numpy as np

from hf_mri.training.examples import SHOWN, choose_examples


def test_each_patients_largest_finding_and_two_slices_without():
    labels = np.array([1, 1, 0, 0] * 7)
    patients = np.repeat(np.arange(7), 4)
    sizes = np.array([5, 9, 0, 0] * 7)
    chosen = choose_examples(labels, patients, sizes)
    assert len(chosen) == SHOWN
    assert labels[chosen].tolist() == [1] * 6 + [0] * 2
    assert len(set(patients[chosen[:6]])) == 6
    assert set(sizes[chosen[:6]]) == {9}


def test_two_patients_fill_the_picture_too():
    labels = np.array([1, 1, 1, 1, 0, 0] * 2)
    chosen = choose_examples(labels, np.repeat([0, 1], 6), np.array([5, 9, 7, 6, 0, 0] * 2))
    assert len(set(chosen)) == SHOWN
    assert labels[chosen].tolist() == [1] * 6 + [0] * 2
    assert chosen[:2].tolist() == [1, 7]


def test_few_slices_are_all_shown_once():
    assert sorted(choose_examples(np.array([1, 0, 0]), np.zeros(3, int), np.array([4, 0, 0]))) == [0, 1, 2]
    assert sorted(choose_examples(np.ones(3, int), np.zeros(3, int), np.array([4, 2, 3]))) == [0, 1, 2]
