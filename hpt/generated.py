"""Generated data: problems made by a rule, so that the best possible score is known.

With real data nobody knows how good a network could be. Here everybody does: the noise of `friedman` is what no
network can predict, and `recall` has no noise at all.
"""

from __future__ import annotations

import numpy as np

from hpt.data import Dataset, Problem
from hpt.domains import whole
from hpt.seeds import stream


def friedman(rows: int = 2000, *, noise: float = 1.0, seed: int = 0) -> Dataset:
    """Make the first regression problem of Friedman (1991), by scikit-learn's ``make_friedman1``.

    Ten inputs are drawn evenly from 0 to 1. Five of them matter::

        y = 10 sin(π x₁ x₂) + 20 (x₃ − 0.5)² + 10 x₄ + 5 x₅ + noise

    Args:
        rows: how many.
        noise: its standard deviation, which is the smallest root mean squared error that a network can have.
        seed: of all draws.

    Returns:
        A regression of shape ``(rows, 10)``.
    """
    from sklearn.datasets import make_friedman1

    whole("rows", rows, 10)
    x, y = make_friedman1(rows, 10, noise=noise, random_state=seed)
    return Dataset("friedman", x, y, "regression", source="made by scikit-learn's make_friedman1, Friedman 1991")


def recall(rows: int = 3000, *, pairs: int = 6, values: int = 4, seed: int = 0) -> Dataset:
    """Make sequences of pairs, a key and a value each, and ask for the value of one key at the end.

    Step by step a network sees ``key, value``, all keys once and in a random order; the last step shows a key without a
    value. The class is the value that stood with this key. Nothing in the last step says which value that is: it has
    to be looked up. (After the associative recall of Graves et al. 2014.)

    Args:
        rows: how many sequences.
        pairs: how many keys, and steps before the last one; at least 2.
        values: how many different values, the classes; at least 2.
        seed: of all draws.

    Returns:
        A classification of shape ``(rows, pairs + 1, pairs + values)``: keys and values one-hot, side by side. A
        network that only counts which values it saw is right more often than 1 in ``values``: in 47 % with 6 pairs
        and 4 values.
    """
    for name, value, least in (("rows", rows, 10), ("pairs", pairs, 2), ("values", values, 2)):
        whole(name, value, least)
    draws = stream(seed, "recall")
    keys = draws.permuted(np.tile(np.arange(pairs), (rows, 1)), axis=1)
    with_them = draws.integers(0, values, (rows, pairs))
    asked = draws.integers(0, pairs, rows)  # the step whose key comes again
    everyone = np.arange(rows)
    x = np.zeros((rows, pairs + 1, pairs + values), dtype="float32")
    x[:, :-1, :pairs] = np.eye(pairs)[keys]
    x[:, :-1, pairs:] = np.eye(values)[with_them]
    x[everyone, -1, keys[everyone, asked]] = 1
    names = tuple(f"value {i}" for i in range(values))
    problem: Problem = "binary" if values == 2 else "multiclass"
    return Dataset("recall", x, with_them[everyone, asked], problem, names, source="made by hpt.generated.recall")
