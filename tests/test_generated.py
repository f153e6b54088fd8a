"""Generated data are what their rule says, and their best possible score is the one that the rule allows."""

import numpy as np
import pytest

import hpt
from hpt.generated import friedman, recall


def test_friedmans_noise_is_what_no_formula_can_explain():
    data = friedman(20_000, noise=1.5, seed=3)
    x = data.x.astype("float64")
    exact = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
    assert np.std(data.y - exact) == pytest.approx(1.5, rel=0.02)  # four standard errors of a deviation


def test_recall_asks_for_a_value_that_stands_in_the_sequence():
    data = recall(500, pairs=5, values=3, seed=1)
    assert data.x.shape == (500, 6, 8)
    for x, y in zip(data.x, data.y, strict=True):
        keys, values, asked = x[:-1, :5].argmax(axis=1), x[:-1, 5:].argmax(axis=1), x[-1, :5].argmax()
        assert sorted(keys) == [0, 1, 2, 3, 4]
        assert values[keys == asked] == [y]
    assert (data.x[:, :-1].sum(axis=-1) == 2).all()  # one key and one value a step
    assert (data.x[:, -1].sum(axis=-1) == 1).all()  # and a key without a value


def test_recalls_classes_are_equally_likely_and_the_place_of_the_answer_is_too():
    data = recall(40_000, pairs=4, values=4)
    assert np.bincount(data.y) / 40_000 == pytest.approx([0.25] * 4, abs=0.01)  # 4.6 standard errors
    place = (data.x[:, :-1, :4] * data.x[:, -1:, :4]).sum(axis=-1).argmax(axis=1)
    assert np.bincount(place) / 40_000 == pytest.approx([0.25] * 4, abs=0.01)


def test_counting_the_values_is_worth_what_the_docstring_says():
    data = recall(40_000)
    commonest = data.x[:, :-1, 6:].sum(axis=1).argmax(axis=1)
    assert np.mean(commonest == data.y) == pytest.approx(0.47, abs=0.01)  # four standard errors


@pytest.mark.parametrize("make", [friedman, recall])
def test_the_same_seed_gives_the_same_data(make):
    assert np.array_equal(make(20, seed=4).x, make(20, seed=4).x)
    assert not np.array_equal(make(20, seed=4).x, make(20, seed=5).x)


def test_two_values_are_a_binary_problem():
    assert recall(20, values=2).problem == "binary"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: friedman(5), "rows must be a whole number of at least 10, got 5"),
        (lambda: recall(10, pairs=1), "pairs must be a whole number of at least 2, got 1"),
        (lambda: recall(10, values=2.5), "values must be a whole number of at least 2, got 2.5"),
    ],
)
def test_impossible_data_get_one_line(call, message):
    with pytest.raises(hpt.InvalidInput, match=message):
        call()
