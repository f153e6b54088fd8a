"""The random numbers of dropout do what independent uniform numbers would do, though they come from one table."""

from itertools import combinations

import numpy as np
import pytest
import tensorflow as tf

from hpt.training.noise import LAYER, TABLE, _table, uniform
from hpt.training.planner import BLOCK

ALL = tf.range(4)  # 64 numbers a row


def _numbers(start, rows=200, blocks=ALL):
    return np.array(uniform(tf.constant(start, tf.int32), rows, blocks))


def test_the_table_is_uniform():
    from scipy.stats import kstest

    table = _table().ravel()
    assert len(table) == TABLE * BLOCK
    assert kstest(table, "uniform").pvalue > 0.01
    assert table.min() >= 0
    assert table.max() < 1


def test_a_member_that_drops_nothing_keeps_all_its_units():
    """1 added to the largest number of the table must not be rounded up to 2."""
    assert (np.floor(_table() + np.float32(1)) == 1).all()


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.3, 0.5, 0.9])
def test_the_share_that_is_dropped_and_the_mean_of_what_stays_are_right(rate):
    """Over 100 steps of 12,800 units: the share is off by less than 4 standard errors, its spread is binomial."""
    starts = np.random.default_rng(0).integers(TABLE, size=100)
    keep = np.float32(1 - rate)
    mask = np.floor(_numbers(starts) + keep) / keep
    assert set(np.unique(mask)) == {0, np.float32(1 / keep)}
    shares = (mask == 0).mean(axis=(1, 2))
    units = mask[0].size
    error = np.sqrt(rate * (1 - rate) / units)
    assert abs(shares.mean() - rate) < 4 * error / np.sqrt(100)
    assert shares.std(ddof=1) == pytest.approx(error, rel=4 / np.sqrt(2 * 99))
    assert mask.mean() == pytest.approx(1, abs=4 * error / np.sqrt(100) / keep)
    per_unit = (mask == 0).mean(axis=(0, 1))  # 20,000 draws of each unit
    assert np.abs(per_unit - rate).max() < 5 * np.sqrt(rate * (1 - rate) / 20_000)


def _correlations(blocks):
    """Correlation of every two of some arrays of random numbers, in standard errors of independent ones."""
    flat = [np.asarray(one).ravel() - np.mean(one) for one in blocks]
    errors = np.sqrt(flat[0].size)
    return [errors * np.mean(a * b) / (a.std() * b.std()) for a, b in combinations(flat, 2)]


def test_the_numbers_of_members_steps_layers_and_rows_do_not_go_together():
    """Correlations of some 500 pairs, each in standard errors: none above 4, and their own spread is 1."""
    starts = np.random.default_rng(1).integers(TABLE, size=24)  # so members and steps get theirs
    members = _correlations(_numbers(starts))
    layers = _correlations([_numbers([5], blocks=layer * LAYER + ALL) for layer in range(8)])
    rows = _correlations(_numbers([77], rows=20)[0])
    for found, number in ((members, 276), (layers, 28), (rows, 190)):
        assert len(found) == number
        assert np.abs(found).max() < 4
        assert np.std(found) == pytest.approx(1, abs=4 / np.sqrt(2 * number))


def test_members_that_start_elsewhere_never_share_a_whole_batch():
    """In a batch of 128 rows of 64 numbers, no row is another's, nor another layer's."""
    together = _numbers([3], rows=128, blocks=tf.concat([layer * LAYER + ALL for layer in range(4)], 0))[0]
    rows = together.reshape(128, 4, 64).reshape(-1, 64)
    assert len(np.unique(rows, axis=0)) == 512


def test_numbers_do_not_depend_on_neighbours_or_padding():
    alone, among = _numbers([1234]), _numbers([9, 1234, 70])
    wide = _numbers([1234], blocks=tf.range(9))
    short = _numbers([1234], rows=17)
    assert np.array_equal(alone[0], among[1])
    assert np.array_equal(alone[0], wide[0, :, :64])
    assert np.array_equal(alone[0, :17], short[0])
