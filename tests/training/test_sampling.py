import numpy as np
import pytest

from hf_mri.training.sampling import BLOCK, draw_epoch, make_generator

LABELS = np.array([0, 1] * 16 + [0] * 8)


def test_every_row_comes_once_but_for_the_incomplete_step():
    order = draw_epoch(LABELS, epoch=0, batch_size=6)
    assert order.shape == (6, 1, 1, 6)  # 40 rows: six full batches, four rows left out
    assert len(set(order.ravel())) == 36


def test_processes_and_parts_share_one_order():
    alone = draw_epoch(LABELS, epoch=2, batch_size=8)
    shared = draw_epoch(LABELS, epoch=2, batch_size=2, parts=2, processes=2)
    assert np.array_equal(alone.ravel(), shared.ravel())


def test_epochs_and_seeds_differ_and_repeat_themselves():
    assert np.array_equal(draw_epoch(LABELS, 3, 4, seed=1), draw_epoch(LABELS, 3, 4, seed=1))
    assert not np.array_equal(draw_epoch(LABELS, 3, 4, seed=1), draw_epoch(LABELS, 4, 4, seed=1))
    assert not np.array_equal(draw_epoch(LABELS, 3, 4, seed=1), draw_epoch(LABELS, 3, 4, seed=2))


def test_positive_share_is_met_in_the_mean():
    labels = np.array([1] * 100 + [0] * 900)
    drawn = draw_epoch(labels, 0, batch_size=10, positive_share=0.5)
    assert labels[drawn].mean() == pytest.approx(0.5, abs=0.05)  # 1,000 draws: three standard deviations


def test_a_tiny_set_fills_one_step():
    assert draw_epoch(np.array([1, 0, 1]), 0, batch_size=8).shape == (1, 1, 1, 8)


def test_impossible_draws_say_why():
    with pytest.raises(ValueError, match="no training rows"):
        draw_epoch(np.array([]), 0, batch_size=4)
    with pytest.raises(ValueError, match="positive_share needs both"):
        draw_epoch(np.zeros(9), 0, batch_size=4, positive_share=0.5)


def test_generators_depend_on_their_place_only():
    draw = lambda *place: make_generator(*place).initial_seed()  # noqa: E731
    assert draw(0, 5, 0, 1) == draw(0, 5, 0, 1)
    assert len({draw(0, 5, 0, 1), draw(0, 5, 1, 0), draw(1, 5, 0, 0), draw(0, 6, 0, 0)}) == 4


@pytest.mark.parametrize("positive_share", [0.0, 0.5])
def test_rows_of_a_block_of_volumes_come_together(positive_share):
    volumes = np.repeat([f"volume {at}" for at in range(50)], 20)
    labels = np.arange(len(volumes)) % 5 == 0
    order = draw_epoch(labels, 3, 10, positive_share=positive_share, volumes=volumes).ravel()
    mixed = draw_epoch(labels, 3, 10, positive_share=positive_share).ravel()
    assert sorted(order) == sorted(mixed), "the same rows, in another order"
    alive = [len(set(volumes[order[start : start + 100]])) for start in range(0, len(order), 100)]
    assert max(alive) <= 2 * BLOCK
    assert min(alive[:3]) > 5, "within a block volumes are mixed"
    again = draw_epoch(labels, 4, 10, positive_share=positive_share, volumes=volumes).ravel()
    assert set(volumes[order[:100]]) != set(volumes[again[:100]]), "another epoch has other blocks"
