"""A space draws, lists, counts, checks and stores what its domains say, and nothing else."""

import math
import pickle
import subprocess
import sys
from fractions import Fraction
from itertools import product

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpt.domains import Choice, Float, Int
from hpt.errors import InvalidInput, UnknownName
from hpt.space import Space

SPACE = Space(
    {
        "optimizer": Choice("adam", "rmsprop", "sgd"),
        "momentum": Float(0.8, 0.99).when(optimizer="sgd"),
        "layers": Int(1, 3),
        "units": Choice((8,), (8, 8), None),
        "learning_rate": Float(1e-4, 1e-1, log=True),
    }
)

calm = settings(deadline=None, derandomize=True)

# --- what hypothesis makes up -------------------------------------------------------------------------

values = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.sampled_from([0.0, 0.5, 1.0]), st.text(max_size=3))
values = st.one_of(values, st.lists(values, max_size=2), st.lists(values, max_size=2).map(tuple))
choices = st.lists(values, min_size=1, max_size=5, unique_by=repr).map(lambda v: Choice(*v))


@st.composite
def ints(draw):
    log = draw(st.booleans())
    low = draw(st.integers(1 if log else -20, 20))
    step = 1 if log else draw(st.integers(1, 4))
    return Int(low, low + step * draw(st.integers(0, 30)), log=log, step=step)


@st.composite
def floats(draw):
    log = draw(st.booleans())
    low = draw(st.floats(1e-6 if log else -1e3, 1e3))
    return Float(low, low + draw(st.floats(1e-3, 1e4)), log=log)


@st.composite
def discrete_spaces(draw):
    """Up to five names, each with up to two parents among those before it."""
    domains = {}
    for name in "abcde"[: draw(st.integers(1, 5))]:
        domain = draw(st.one_of(choices, ints().filter(lambda d: d.size() <= 6)))
        for parent in draw(st.lists(st.sampled_from(sorted(domains)), max_size=2, unique=True)) if domains else []:
            told = draw(st.lists(st.sampled_from(domains[parent].grid()), min_size=1, max_size=2))
            domain = domain.when(**{parent: tuple(told)})
        domains[name] = domain
    return Space(domains)


# --- domains ------------------------------------------------------------------------------------------


@calm
@given(st.one_of(floats(), ints(), choices), st.integers(0, 2**32 - 1))
def test_a_draw_lies_in_its_domain(domain, seed):
    assert domain.contains(domain.sample(np.random.default_rng(seed)))


@calm
@given(st.one_of(floats(), ints(), choices), st.integers(1, 20))
def test_a_grid_lies_in_its_domain_sorted_and_without_repeats(domain, points):
    grid = domain.grid(points)
    assert all(domain.contains(value) for value in grid)
    assert len(grid) == len(set(map(repr, grid)))
    if not isinstance(domain, Choice):
        assert grid == sorted(grid)
        assert len(grid) <= points
        if points > 1:
            assert (grid[0], grid[-1]) == (domain.low, domain.high)


@calm
@given(ints())
def test_every_whole_number_is_listed_and_counted(domain):
    assert domain.grid() == [v for v in range(domain.low, domain.high + 1) if (v - domain.low) % domain.step == 0]
    assert domain.size() == len(domain.grid())


@pytest.mark.parametrize(
    ("domain", "points", "expected"),
    [
        (Float(1e-4, 1e-1, log=True), 4, [1e-4, 1e-3, 1e-2, 1e-1]),
        (Float(0.2, 0.5), 4, [0.2, 0.3, 0.4, 0.5]),
        (Float(0, 1), 1, [0.5]),
        (Float(0.01, 100, log=True), 1, [1.0]),
        (Int(16, 256, log=True), 5, [16, 32, 64, 128, 256]),
        (Int(1, 3, log=True), 10, [1, 2, 3]),
        (Int(1, 10), 4, [1, 4, 7, 10]),
        (Int(0, 10, step=5), 9, [0, 5, 10]),
        (Int(7, 7), None, [7]),
        (Choice("b", "a"), 1, ["b", "a"]),
    ],
)
def test_a_grid_is_what_one_would_write_by_hand(domain, points, expected):
    grid = domain.grid(points)
    assert grid == (pytest.approx(expected, rel=1e-12) if isinstance(domain, Float) else expected)


def test_draws_are_uniform_on_the_scale():
    """The expected share of each bin is known; the tolerance is 4 standard errors of 4,000 draws."""
    rng = np.random.default_rng(0)

    def shares(domain, edges):
        return np.histogram([domain.sample(rng) for _ in range(4000)], edges)[0] / 4000

    assert np.abs(shares(Float(1e-4, 1e-1, log=True), [1e-4, 1e-3, 1e-2, 1e-1]) - 1 / 3).max() < 0.030
    assert np.abs(shares(Float(0, 4), [0, 1, 2, 3, 4]) - 1 / 4).max() < 0.028
    assert np.abs(shares(Int(1, 5), np.arange(0.5, 6)) - 1 / 5).max() < 0.026
    assert np.abs(shares(Choice(0, 1, 2), np.arange(-0.5, 3)) - 1 / 3).max() < 0.030
    owned = np.diff(np.log([0.5, 1.5, 2.5, 3.5])) / math.log(7)  # a number owns what rounds to it
    assert np.abs(shares(Int(1, 3, log=True), [0.5, 1.5, 2.5, 3.5]) - owned).max() < 0.032


@pytest.mark.parametrize(
    ("domain", "inside", "outside"),
    [
        (Float(0, 1), [0, 1, 0.5, np.float32(0.25)], [-0.1, 1.1, math.nan, math.inf, "0.5", None, True, 10**400]),
        (Float(0, 1e300), [np.float32(0.25)], [np.float32(-0.25)]),
        (Int(2, 8, step=3), [2, 5, 8, np.int64(5)], [3, 11, 5.0, True, "5", None]),
        (Choice(1, "1", True), [1, "1", True, np.int64(1), np.True_], [1.0, False, None, [1]]),
        (Choice((1, 2), [1]), [(1, 2), [1]], [[1, 2], (1,), (1.0, 2), (True, 2)]),
    ],
)
def test_containing_is_exact_about_bounds_and_types(domain, inside, outside):
    assert all(domain.contains(value) is True for value in inside)
    assert not any(domain.contains(value) for value in outside)


@pytest.mark.parametrize(
    ("domain", "text"),
    [
        (Float(1e-4, 1e-1, log=True), "1e-4 to 0.1, log scale"),
        (Float(0.0025, 2e6), "2.5e-3 to 2e6"),
        (Float(0, 10), "0 to 10"),
        (Int(16, 1024, log=True), "16 to 1024, log scale"),
        (Int(0, 10, step=5), "0 to 10 in steps of 5"),
        (Choice("relu", "tanh"), "relu, tanh"),
        (Choice("relu", None), "'relu', None"),
    ],
)
def test_a_domain_reads_well(domain, text):
    assert str(domain) == text


@calm
@given(st.one_of(floats(), ints(), choices))
def test_the_repr_of_a_domain_makes_it_again(domain):
    assert eval(repr(domain)) == domain
    condition = domain.when(parent=(1, 2), other="x")
    assert eval(repr(condition)) == condition != domain


def test_domains_are_values():
    assert Float(0, 1) == Float(0.0, 1.0) != Float(0, 1).when(a=1)
    assert len({Int(1, 2), Int(1, 2), Int(1, 2, log=True)}) == 2
    assert Choice(1) != Choice(True)
    assert Choice(1, 2) != Choice(2, 1)
    assert Choice("a") != "a"
    assert Float(0, 1).when(a=1).when(b=2) == Float(0, 1).when(a=1, b=2)
    with pytest.raises(AttributeError):
        Float(0, 1).low = 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Float(1, 0), "low must not be above high; swap them"),
        (lambda: Float(0.5, 0.5), "holds one value only: use Choice(0.5)"),
        (lambda: Float(0, 1, log=True), "a log scale needs low above 0, got 0.0"),
        (lambda: Float(-1, 1, log=True), "a log scale needs low above 0, got -1.0"),
        (lambda: Float(math.nan, 1), "Float needs finite numbers as bounds, got low=nan"),
        (lambda: Float(0, math.inf), "Float needs finite numbers as bounds, got high=inf"),
        (lambda: Float("0", 1), "got low='0'"),
        (lambda: Float(False, True), "got low=False"),
        (lambda: Float(0, 10**400), "Float needs finite numbers"),
        (lambda: Int(5, 1), "Int(5, 1): low must not be above high; swap them"),
        (lambda: Int(0, 8, log=True), "a log scale needs low above 0, got 0"),
        (lambda: Int(1.0, 8), "Int needs whole numbers, got low=1.0: use Float"),
        (lambda: Int(1, True), "Int needs whole numbers, got high=True"),
        (lambda: Int(1, math.nan), "got high=nan"),
        (lambda: Int(1, 10, 3), "log must be True or False, got 3; write step=2"),
        (lambda: Int(1, 10, step=4), "step must lead from low to high; use high=9"),
        (lambda: Int(1, 10, step=0), "at least 1"),
        (lambda: Int(1, 9, log=True, step=2), "step must be 1 on a log scale"),
        (lambda: Choice(), "Choice needs at least one value, got none"),
        (lambda: Choice("a", "b", "a"), "each value once, got 'a' twice"),
        (lambda: Choice((1, 2), (1, 2)), "got (1, 2) twice"),
        (lambda: Choice(math.nan, float("nan")), "got nan twice"),
        (lambda: Float(0, 1).when(), "when() needs a parent and its value"),
        (lambda: Float(0, 1).when(a=()), "at least one value for a"),
        (lambda: Float(0, 1).grid(), "infinitely many values: say how many, such as grid(5)"),
        (lambda: Float(0, 1).grid(0), "points of at least 1, got 0"),
        (lambda: Float(0, 1).grid(2.5), "got 2.5"),
        (lambda: Int(1, 9).grid(True), "got True"),
        (lambda: Int(1, 10**9).grid(), "1,000,000,000 entries, more than 1,000,000"),
        (lambda: Float(0, 1).sample(0), "sample needs a generator, such as numpy.random.default_rng(0), got 0"),
        (lambda: Choice("a", "b").label("c"), "expected one of a, b, got 'c'"),
    ],
)
def test_a_domain_that_cannot_be_gets_one_line(make, message):
    with pytest.raises(InvalidInput) as caught:
        make()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


# --- labels -------------------------------------------------------------------------------------------


class Custom:
    def __repr__(self):
        return f"<Custom at {id(self)}>"


def test_strings_stand_for_themselves_and_others_for_what_python_writes():
    assert Choice("relu", "tanh").labels == ("relu", "tanh")
    assert Choice(1, True, 1.0, "1", None).labels == ("1", "True", "1.0", "'1'", "None")
    assert Choice((64,), {"a": [1, 2]}).labels == ("(64,)", "{'a': [1, 2]}")
    assert Choice(len, Custom, Custom(), {1}).labels == ("0:len", "1:Custom", "2:Custom", "3:set")
    assert Choice(*np.array([0.1, 0.2])).labels == ("0.1", "0.2")


def test_four_kinds_of_one_stay_four():
    ones = Choice(1, True, 1.0, "1")
    for value in ones.values:
        again = ones.value(ones.label(value))
        assert again == value
        assert type(again) is type(value)


@calm
@given(choices)
def test_labels_are_unique_strings_that_lead_back(choice):
    assert len(set(choice.labels)) == choice.size()
    for value, label in zip(choice.values, choice.labels, strict=True):
        assert type(label) is str
        assert choice.label(value) == label
        assert repr(choice.value(label)) == repr(value)


def test_objects_come_back_as_themselves_and_arrays_are_no_trouble():
    array, other, thing = np.zeros(3), np.zeros(3), Custom()
    choice = Choice(array, other, thing, len)
    assert [choice.value(choice.label(v)) is v for v in choice.values] == [True] * 4


def test_changing_a_drawn_list_changes_no_choice():
    mine = [64, 32]
    choice = Choice(mine, [8])
    mine.append(1)
    choice.value("[64, 32]").append(2)
    choice.grid()[0].append(3)
    assert choice.grid() == [[64, 32], [8]]


def test_an_unknown_label_names_the_near_one():
    with pytest.raises(UnknownName, match="unknown choice 'rellu': did you mean 'relu'"):
        Choice("relu", "tanh").value("rellu")


def test_labels_are_the_same_in_every_process():
    code = "from hpt.domains import Choice; print(Choice({'b', 'a', 'c'}, len, {'x': 1}, ('a', 1), object()).labels)"
    said = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": str(seed)}
        ).stdout
        for seed in (1, 2)
    }
    assert len(said) == 1


# --- spaces -------------------------------------------------------------------------------------------


def _brute_force(space):
    """Every configuration by another road: all combinations of all values, then the rule for conditions."""
    found = {}
    for combination in product(*(domain.grid() for domain in space.values())):
        whole, kept = dict(zip(space, combination, strict=True)), {}
        for name, value in whole.items():
            if all(p in kept and repr(kept[p]) in map(repr, wanted) for p, wanted in space[name].condition):
                kept[name] = value
        found[repr(kept)] = kept
    return found


@calm
@given(discrete_spaces())
def test_the_grid_is_every_configuration_once_and_its_length_the_size(space):
    grid = space.grid()
    assert sorted(map(repr, grid)) == sorted(_brute_force(space))
    assert space.size() == len(grid)


@calm
@given(discrete_spaces(), st.integers(0, 2**32 - 1))
def test_draws_are_configurations_of_the_space_and_survive_their_labels(space, seed):
    drawn = space.sample(np.random.default_rng(seed))
    assert repr(space.validate(drawn)) == repr(drawn)
    stored = space.labels(drawn)
    assert all(isinstance(value, str | int | float) for value in stored.values())
    assert repr(space.from_labels(stored)) == repr(drawn)


def test_the_size_of_a_conditional_space_is_a_sum_over_branches():
    space = Space(
        {
            "a": Int(1, 1000),
            "b": Choice("x", "y", "z").when(a=(1, 2)),
            "c": Int(1, 10).when(b="x"),
            "d": Choice(True, False),
        }
    )
    assert space.size() == ((1000 - 2) + 2 * (10 + 1 + 1)) * 2
    assert len(space.grid()) == space.size()


def test_a_large_space_is_counted_without_being_listed():
    numbers = {f"x{i}": Int(1, 10**5) for i in range(40)}
    assert Space({**numbers, "y": Int(1, 2).when(x0=7)}).size() == (10**5) ** 40 + (10**5) ** 39
    with pytest.raises(InvalidInput, match=r"the grid of this space has 10,000,000,000 entries, .*: ask for fewer"):
        Space(numbers).grid()


def test_a_space_with_a_real_number_is_infinite_even_if_on_one_branch_only():
    assert SPACE.size() == math.inf
    assert Space({"o": Choice("a", "b"), "m": Float(0, 1).when(o="b")}).size() == math.inf
    assert Space({"x": Float(0, 1), "y": Int(1, 2).when(x=0.5)}).size() == math.inf


def test_the_last_name_of_a_grid_changes_fastest():
    space = Space({"a": Choice("x", "y"), "b": Int(1, 3), "c": Float(0, 1)})
    grid = space.grid({"c": 2, "b": 2})
    assert [tuple(one.values()) for one in grid] == list(product(["x", "y"], [1, 3], [0.0, 1.0]))
    assert len(space.grid(2)) == 2 * 2 * 2
    assert len(space.grid({"c": 5})) == 2 * 3 * 5


def test_conditions_are_exact_about_types():
    space = Space({"a": Choice(1, True, "1"), "b": Int(1, 2).when(a=True)})
    assert [one["a"] for one in space.grid() if "b" in one] == [True, True]
    assert all(one["a"] is True for one in space.grid() if "b" in one)


def test_several_parents_must_all_agree():
    space = Space({"a": Choice("x", "y"), "b": Choice("u", "v").when(a="x"), "c": Int(1, 2).when(a=("x", "y"), b="v")})
    assert space.grid() == [
        {"a": "x", "b": "u"},
        {"a": "x", "b": "v", "c": 1},
        {"a": "x", "b": "v", "c": 2},
        {"a": "y"},
    ]


def test_the_same_generator_gives_the_same_draws():
    a, b = ([SPACE.sample(rng) for _ in range(20)] for rng in map(np.random.default_rng, (3, 3)))
    assert a == b
    assert a != [SPACE.sample(np.random.default_rng(4)) for _ in range(20)]


def test_what_is_drawn_for_one_name_does_not_depend_on_another():
    """Narrowing the optimizer, which decides about momentum, leaves all other draws as they were."""
    narrow = SPACE.replace(optimizer=Choice("sgd"))
    for seed in range(30):
        one, other = (s.sample(np.random.default_rng(seed)) for s in (SPACE, narrow))
        assert {n: one[n] for n in ("layers", "units", "learning_rate")} == {
            n: other[n] for n in ("layers", "units", "learning_rate")
        }
        assert ("momentum" in one) == (one["optimizer"] == "sgd")


def test_a_space_is_a_mapping_that_does_not_change():
    assert list(SPACE) == ["optimizer", "momentum", "layers", "units", "learning_rate"]
    assert len(SPACE) == 5
    assert "layers" in SPACE
    assert SPACE["layers"] == Int(1, 3)
    assert SPACE.get("nothing") is None
    assert not hasattr(SPACE, "__setitem__")
    assert SPACE == Space(dict(SPACE)) != SPACE.replace(layers=Int(1, 4))
    assert hash(SPACE) == hash(Space(dict(SPACE)))
    assert Space({"a": Int(1, 2), "b": Int(1, 2)}) != Space({"b": Int(1, 2), "a": Int(1, 2)})
    assert pickle.loads(pickle.dumps(SPACE)) == SPACE


def test_replacing_keeps_the_order_and_adds_at_the_end():
    other = SPACE.replace(layers=Choice(2), dropout=Float(0.2, 0.5))
    assert list(other) == [*SPACE, "dropout"]
    assert other["layers"] == Choice(2)
    assert SPACE["layers"] == Int(1, 3)


def test_a_space_shows_its_conditions():
    assert repr(SPACE).splitlines()[2] == "  momentum: 0.8 to 0.99, when optimizer is 'sgd'"


GOOD = {"optimizer": "adam", "layers": 2, "units": (8,), "learning_rate": 0.01}


def test_a_valid_configuration_comes_back_in_order_and_in_pythons_numbers():
    shuffled = {"learning_rate": np.float32(0.0625), "units": (8,), "layers": np.int64(2), "optimizer": "adam"}
    checked = SPACE.validate(shuffled)
    assert list(checked) == ["optimizer", "layers", "units", "learning_rate"]
    assert (type(checked["layers"]), type(checked["learning_rate"])) == (int, float)
    assert type(Space({"x": Float(0, 1)}).validate({"x": 1})["x"]) is float


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Space({}), "at least one name and its domain, got {}"),
        (lambda: Space([("a", Int(1, 2))]), "a space needs a dict"),
        (lambda: Space({"a": 3}), "got 'a': 3"),
        (lambda: Space({1: Int(1, 2)}), "a space maps names to Float, Int or Choice"),
        (lambda: Space({"m": Int(1, 2).when(o="x")}), "unknown hyperparameter 'o' in the condition of 'm'"),
        (lambda: Space({"opt": Choice("x"), "m": Int(1, 2).when(op="x")}), "did you mean 'opt'"),
        (lambda: Space({"m": Int(1, 2).when(o="x"), "o": Choice("x")}), "stands after it: put o first"),
        (lambda: Space({"m": Int(1, 2).when(m=1)}), "stands after it"),
        (lambda: Space({"o": Choice("x", "y"), "m": Int(1, 2).when(o="z")}), "waits for o='z', but o can only be x, y"),
        (lambda: Space({"o": Int(1, 3), "m": Int(1, 2).when(o=(1, 4))}), "waits for o=4, but o can only be 1 to 3"),
        (lambda: SPACE["layer"], "unknown hyperparameter 'layer': did you mean 'layers'"),
        (lambda: SPACE.grid(), "momentum: Float(0.8, 0.99).when(optimizer='sgd') holds infinitely many values"),
        (lambda: SPACE.grid({"unit": 3}), "did you mean 'units'"),
        (lambda: SPACE.grid(0), "points of at least 1, got 0"),
        (lambda: SPACE.grid(999), "the grid of this space has"),
        (lambda: SPACE.validate(None), "a configuration is a dict of names and values, got None"),
        (lambda: SPACE.validate({**GOOD, "layer": 2}), "did you mean 'layers'"),
        (lambda: SPACE.validate({**GOOD, "layers": 4}), "layers: expected a whole number from 1 to 3, got 4"),
        (lambda: SPACE.validate({**GOOD, "layers": 2.0}), "layers: expected a whole number from 1 to 3, got 2.0"),
        (lambda: SPACE.validate({**GOOD, "learning_rate": math.nan}), "a number from 1e-4 to 0.1, log scale, got nan"),
        (lambda: SPACE.validate({**GOOD, "units": [8]}), "units: expected one of (8,), (8, 8), None, got [8]"),
        (lambda: SPACE.validate({"optimizer": "adam"}), "lacks layers: expected 1 to 3"),
        (lambda: SPACE.validate({**GOOD, "momentum": 0.9}), "momentum is used only when optimizer is 'sgd'"),
        (lambda: SPACE.labels({**GOOD, "optimizer": "adma"}), "expected one of adam, rmsprop, sgd, got 'adma'"),
        (lambda: SPACE.from_labels({"units": "(9,)"}), "unknown choice '(9,)'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(make, message):
    with pytest.raises((InvalidInput, UnknownName)) as caught:
        make()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


# --- Optuna -------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _quiet():
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def test_optuna_suggests_configurations_of_the_space():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seen = []
    for _ in range(40):
        trial = study.ask()
        seen.append(SPACE.suggest(trial))
        assert SPACE.validate(seen[-1]) == seen[-1]
        assert SPACE.from_labels(trial.params) == seen[-1]
        study.tell(trial, 0.0)
    assert {one["optimizer"] for one in seen} == {"adam", "rmsprop", "sgd"}
    assert {one["units"] for one in seen} == {(8,), (8, 8), None}


@settings(deadline=None, derandomize=True, max_examples=25)
@given(discrete_spaces(), st.integers(0, 2**32 - 1))
def test_an_enqueued_configuration_is_asked_for(space, seed):
    wanted = space.sample(np.random.default_rng(seed))
    study = optuna.create_study()
    study.enqueue_trial(space.labels(wanted))
    assert repr(space.suggest(study.ask())) == repr(wanted)


@pytest.mark.parametrize("kind", ["sqlite", "journal"])
def test_configurations_survive_a_storage_that_is_opened_again(kind, tmp_path):
    def storage():
        if kind == "sqlite":
            return optuna.storages.RDBStorage(f"sqlite:///{tmp_path}/studies.db")
        backend = optuna.storages.journal.JournalFileBackend(str(tmp_path / "journal.log"))
        return optuna.storages.JournalStorage(backend)

    space = SPACE.replace(extra=Choice(1, True, 1.0, "1", None, {"a": (1, 2)}, len))
    rng = np.random.default_rng(0)
    wanted = [space.sample(rng) for _ in range(5)]
    study = optuna.create_study(study_name="s", storage=storage())
    for one in wanted:
        study.enqueue_trial(space.labels(one))
    for _ in wanted:
        trial = study.ask()
        space.suggest(trial)
        study.tell(trial, 0.0)

    again = optuna.load_study(study_name="s", storage=storage())
    found = [space.from_labels(trial.params) for trial in again.trials]
    assert list(map(repr, found)) == list(map(repr, wanted))


def test_distributions_are_optunas():
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    space = Space({"a": Float(1e-4, 1, log=True), "b": Int(2, 8, step=3), "c": Choice(None, (1,)).when(b=5)})
    assert space.distributions() == {
        "a": FloatDistribution(1e-4, 1, log=True),
        "b": IntDistribution(2, 8, step=3),
        "c": CategoricalDistribution(("None", "(1,)")),
    }


def test_a_fixed_trial_can_be_suggested_from():
    trial = optuna.trial.FixedTrial({**SPACE.labels(GOOD), "optimizer": "sgd", "momentum": 0.9})
    assert SPACE.suggest(trial)["momentum"] == 0.9


def test_a_space_is_made_without_importing_optuna():
    code = "import sys, hpt.space; print({'optuna', 'pandas', 'tensorflow'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


def test_log_draws_stay_inside_at_the_last_digit():
    """Exact arithmetic: no rounding error carries a value past its bounds, even at the ends of the scale."""
    for low, high in ((1e-300, 1e300), (0.1, 0.3), (1e-4, 1e-1)):
        domain = Float(low, high, log=True)
        for share in (0.0, 2**-53, 0.5, 1 - 2**-53, 1.0):
            assert Fraction(low) <= Fraction(domain.at(share)) <= Fraction(high)
