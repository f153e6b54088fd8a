"""Metrics judge as scikit-learn does, whatever form a network's outputs have and however many networks there are."""

import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

import hpt
from hpt.metrics import METRICS, labels, metric

PROBLEMS = {
    "binary": ("accuracy", "f1", "roc_auc", "log_loss"),
    "multiclass": ("accuracy", "f1", "roc_auc", "log_loss"),
    "many classes": ("top_5_accuracy",),
    "regression": ("mae", "mape", "mse", "rmse", "r2"),
    "several numbers": ("mae", "mape", "mse", "rmse", "r2"),
}
CASES = [(name, problem) for problem, names in PROBLEMS.items() for name in names]


def _data(problem, leading=(), rows=40, seed=0, ties=False):
    """Targets for rows, and random outputs for as many networks as the leading axes hold."""
    rng = np.random.default_rng(seed)
    if problem == "regression":
        y, outputs = rng.normal(size=rows), rng.normal(size=(*leading, rows, 1))
    elif problem == "several numbers":
        y, outputs = rng.normal(size=(rows, 3)), rng.normal(size=(*leading, rows, 3))
    elif problem == "binary":
        y, outputs = rng.integers(0, 2, rows), rng.random((*leading, rows, 1))
    else:
        classes = 8 if problem == "many classes" else 4
        y, outputs = rng.integers(0, classes, rows), rng.dirichlet(np.ones(classes), (*leading, rows))
    return y, np.round(outputs, 1) if ties else outputs


def _sklearn(name, y, outputs):
    """The score of one network as scikit-learn has it; what it warns of is a score that is not defined."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name in ("mae", "mape", "mse", "rmse", "r2"):
            function = {
                "mae": sk.mean_absolute_error, "mape": sk.mean_absolute_percentage_error,
                "mse": sk.mean_squared_error, "rmse": sk.mean_squared_error, "r2": sk.r2_score,
            }[name]  # fmt: skip
            value = function(y, outputs.reshape(y.shape))
            return np.sqrt(value) if name == "rmse" else value
        single = outputs.shape[1] == 1
        decided = outputs[:, 0] > 0.5 if single else outputs.argmax(axis=1)
        if name == "accuracy":
            return sk.accuracy_score(y, decided)
        if name == "top_5_accuracy":
            return sk.top_k_accuracy_score(y, outputs, k=5, labels=np.arange(outputs.shape[1]))
        if name == "f1":
            return sk.f1_score(y, decided, average="binary" if single else "macro", zero_division=0)
        if name == "roc_auc" and single:
            return sk.roc_auc_score(y, outputs[:, 0])
        if name == "roc_auc":
            return sk.roc_auc_score(np.eye(outputs.shape[1])[y], outputs, average="macro")
        kept = np.clip(outputs.astype("float64"), 1e-7, 1 - 1e-7)
        shares = np.hstack([1 - kept, kept]) if single else kept / kept.sum(axis=1, keepdims=True)
        return sk.log_loss(y, shares, labels=np.arange(shares.shape[1]))


def _each(name, y, outputs, *, own=False):
    """scikit-learn's score of every network, one at a time; the targets are shared, or each network's own."""
    scores = np.empty(outputs.shape[:-2])
    for i in np.ndindex(*scores.shape):
        scores[i] = _sklearn(name, y[i] if own else y, outputs[i])
    return scores


def _agrees(found, expected):
    # Both are float64 and add the same few dozen terms in another order.
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


# --- as scikit-learn ----------------------------------------------------------------------------------


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("leading", [(), (3,), (2, 3), (1, 0)])
@pytest.mark.parametrize(("name", "problem"), CASES)
def test_a_metric_is_sklearns_for_one_network_and_for_many(name, problem, leading, ties):
    y, outputs = _data(problem, leading, ties=ties)
    found = metric(name).score(y, outputs)
    assert np.shape(found) == leading
    _agrees(found, _each(name, y, outputs))


def test_every_metric_was_compared():
    assert {name for name, _ in CASES} == set(METRICS)


@pytest.mark.parametrize(("name", "problem"), CASES)
def test_every_network_may_have_targets_of_its_own(name, problem):
    y = np.stack([_data(problem, seed=seed)[0] for seed in range(3)])
    _, outputs = _data(problem, (2, 3))
    twice = np.stack([y, y])
    expected = _each(name, twice, outputs, own=True)
    for targets in (twice, y[None], y):
        _agrees(metric(name).score(targets, outputs), expected)


@pytest.mark.parametrize(("name", "problem"), CASES)
def test_float32_outputs_are_judged_in_float64(name, problem):
    y, outputs = _data(problem, (2,))
    coarse = outputs.astype("float32")
    _agrees(metric(name).score(y, coarse), metric(name).score(y, coarse.astype("float64")))


@pytest.mark.parametrize("name", PROBLEMS["binary"])
@pytest.mark.parametrize("column", [[0.1, 0.1, 0.1], [0.9, 0.9, 0.9], [0.5, 0.5, 0.5], [0.0, 1.0, 1.0]])
@pytest.mark.parametrize("y", [[0, 0, 0], [1, 1, 1], [0, 1, 1]])
def test_one_class_alone_is_judged_as_sklearn_judges_it(name, column, y):
    y, outputs = np.array(y), np.array(column)[:, None]
    _agrees(metric(name).score(y, outputs), _sklearn(name, y, outputs))


@pytest.mark.parametrize("name", PROBLEMS["multiclass"])
@pytest.mark.parametrize("predicted", [[0, 0, 0, 0], [2, 2, 2, 2], [0, 1, 2, 2]])
@pytest.mark.parametrize("y", [[0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 1, 0], [0, 1, 2, 3]])
def test_classes_that_are_missing_are_judged_as_sklearn_judges_them(name, predicted, y):
    y, outputs = np.array(y), np.eye(4)[predicted] * 0.6 + 0.1
    _agrees(metric(name).score(y, outputs), _sklearn(name, y, outputs))


def test_roc_auc_is_not_defined_where_a_class_is_missing():
    assert np.isnan(metric("roc_auc").score(np.array([1, 1]), np.array([[0.2], [0.7]])))
    assert np.isnan(metric("roc_auc").score(np.array([0, 1]), np.array([[0.2, 0.7, 0.1], [0.3, 0.3, 0.4]])))


def test_equal_outputs_are_no_better_than_a_coin():
    assert metric("roc_auc").score(np.array([0, 1, 1]), np.full((2, 3, 1), 0.3)).tolist() == [0.5, 0.5]


@pytest.mark.parametrize("value", [0.0, 0.1, 340.3])
def test_r2_of_constant_targets_is_one_for_a_hit_and_else_zero(value):
    y = np.full(7, value)
    outputs = np.stack([y, y, y])[..., None]
    outputs[1, 0] += 1
    outputs[2, 0] = np.nan
    np.testing.assert_array_equal(metric("r2").score(y, outputs), [1.0, 0.0, np.nan])
    assert [sk.r2_score(y, outputs[0, :, 0]), sk.r2_score([0.5, 0.5], [0.5, 1])] == [1.0, 0.0]


def test_r2_of_a_single_row_is_not_defined():
    assert np.isnan(metric("r2").score(np.array([1.0]), np.array([[2.0]])))
    assert np.isnan(metric("r2").score(np.array([1.0]), np.ones((2, 1, 1)))).tolist() == [True, True]


@st.composite
def _crowds(draw):
    """A metric, targets with or without leading axes, and outputs with many ties for a crowd of networks."""
    name, problem = draw(st.sampled_from(CASES))
    rows, leading = draw(st.integers(2, 12)), tuple(draw(st.lists(st.integers(1, 3), max_size=2)))
    width = {"binary": 1, "regression": 1, "many classes": 6}.get(problem) or draw(st.integers(2, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    own = draw(st.booleans())
    of_targets = leading if own else ()
    steps = draw(st.sampled_from([1, 2, 8]))  # all numbers are eighths, so that means of constants are exact
    if problem in ("binary", "multiclass", "many classes"):
        y = rng.integers(0, draw(st.integers(1, max(width, 2))), (*of_targets, rows))
        outputs = rng.integers(0, steps + 1, (*leading, rows, width)) / steps
    else:
        shape = (*of_targets, rows) if problem == "regression" else (*of_targets, rows, width)
        y, outputs = (rng.integers(-steps, steps + 1, size) / 8 for size in (shape, (*leading, rows, width)))
    return name, y, outputs, own


@settings(deadline=None, max_examples=150)
@given(_crowds())
def test_any_crowd_is_judged_as_its_members_one_by_one(crowd):
    name, y, outputs, own = crowd
    found = metric(name).score(y, outputs)
    assert np.shape(found) == outputs.shape[:-2]
    _agrees(found, _each(name, y, outputs, own=own))


# --- what a score promises ----------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "problem"), CASES)
def test_without_leading_axes_a_score_is_a_plain_float(name, problem):
    assert type(metric(name).score(*_data(problem))) is float


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["everywhere", "one number"])
@pytest.mark.parametrize(("name", "problem"), CASES)
def test_a_network_with_bad_outputs_spoils_no_other_score(name, problem, where, bad):
    y, outputs = _data(problem, (3,))
    clean = metric(name).score(y, outputs)
    outputs[1, slice(None) if where == "everywhere" else 5] = bad
    found = metric(name).score(y, outputs)
    assert found[[0, 2]].tolist() == clean[[0, 2]].tolist()
    if np.isnan(bad) and name not in ("accuracy", "f1"):  # these look at decisions only
        assert np.isnan(found[1])


def test_up_is_up():
    better, worse = np.array([[0.9], [0.1]]), np.array([[0.1], [0.9]])
    for name in ("accuracy", "f1", "roc_auc", "log_loss", "mae", "mse", "rmse", "r2"):
        good, bad = (metric(name).score(np.array([1, 0]), outputs) for outputs in (better, worse))
        assert (good > bad) == metric(name).greater_is_better


def test_labels_come_from_one_output_or_from_many():
    assert labels(np.array([[0.2], [0.7]])).tolist() == [0, 1]
    assert labels(np.array([[0.2, 0.5, 0.3], [0.7, 0.1, 0.2]])).tolist() == [1, 0]
    assert labels(np.array([[[0.2], [0.7]], [[0.6], [0.5]]])).tolist() == [[0, 1], [1, 0]]


def test_a_certain_mistake_costs_a_finite_log_loss():
    loss = metric("log_loss").score(np.array([0, 1]), np.array([[1.0], [0.0]]))
    assert loss == pytest.approx(-np.log(1e-7))


@pytest.mark.parametrize("shape", [(5,), (5, 1)])
def test_numbers_may_come_with_or_without_an_axis_of_one(shape):
    y, outputs = np.arange(5.0), np.arange(5.0) + 2
    assert metric("mae").score(y.reshape(shape), outputs[:, None]) == 2
    assert metric("mae").score(y.reshape(shape), outputs) == 2
    assert metric("mae").score(y.reshape(shape), np.stack([outputs, y])[..., None]).tolist() == [2, 0]


def test_one_row_and_one_network_keep_their_axes():
    for y in (np.zeros(1), np.zeros((1, 1)), np.zeros((1, 1, 1))):
        assert metric("mse").score(y, np.ones((1, 1, 1))).tolist() == [1]
    assert metric("mse").score(np.zeros((4, 1, 1)), np.ones((4, 1, 1, 1))).shape == (4, 1)
    assert metric("mse").score(np.zeros((1, 1)), np.ones((1, 1))) == 1.0


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_travels_to_another_process(name):
    assert pickle.loads(pickle.dumps(metric(name))) == metric(name)


@pytest.mark.parametrize(
    ("name", "y", "outputs", "message"),
    [
        ("accuracy", np.zeros(3, int), np.zeros((4, 2)), r"classes \(..., rows\), got \(4, 2\) and \(3,\)"),
        ("f1", np.zeros(4, int), np.zeros(4), r"got \(4,\) and \(4,\)"),
        ("log_loss", np.array([0, 2]), np.zeros((2, 2)), "0 to 1, got targets from 0 to 2"),
        ("roc_auc", np.array([-1, 1]), np.zeros((2, 1)), "0 to 1, got targets from -1 to 1"),
        ("mse", np.zeros(3), np.zeros((3, 2)), r"got \(3, 2\) and \(3,\)"),
        ("r2", np.zeros((3, 2)), np.zeros((5, 3, 1)), r"got \(5, 3, 1\) and \(3, 2\)"),
    ],
)
def test_targets_that_do_not_fit_the_outputs_get_one_line(name, y, outputs, message):
    with pytest.raises(hpt.InvalidInput, match=message) as caught:
        metric(name).score(y, outputs)
    assert "\n" not in str(caught.value)


def test_an_unknown_metric_names_the_near_one():
    with pytest.raises(hpt.UnknownName, match="did you mean 'accuracy'"):
        metric("acuracy")
