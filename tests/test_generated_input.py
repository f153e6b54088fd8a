"""Input that nobody wrote: spaces, schedules and files made up by Hypothesis, and garbage for each argument.

What is valid must hold together, what is not must be refused in one line, by an error of the package's own.
`test_space` and `test_schedules` have the properties of single functions; here several of them must agree.
"""

import json
import math
import random
import warnings
from itertools import pairwise

import numpy as np
import optuna
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hpt
from hpt import Choice, Float, Int, InvalidInput, Space, Task, UnknownName
from hpt.schedules import (
    CONVENTIONS,
    PopulationBased,
    best_of,
    epochs_of,
    hyperband,
    one_epoch,
    population_based,
    successive_halving,
)

from doubles import pretend


def calm(examples):
    """The same examples in every run, however slow the machine; a folder of pytest's may serve all of them."""
    quiet = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(deadline=None, derandomize=True, max_examples=examples, database=None, suppress_health_check=quiet)


def attempt(make):
    """Return what is made and the line that refuses it; another exception is a failure, and so is a second line."""
    try:
        return make(), None
    except (InvalidInput, UnknownName) as error:
        line = str(error)
    assert line and line.isprintable(), repr(line)
    return None, line


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, -(2**63), np.int64(3), np.float32(0.5), np.array([1, 2]), 1j, b"x", object, {}, set()]),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)

PRINTED = st.characters(exclude_categories=("C", "Z"))

# --- spaces -------------------------------------------------------------------------------------------

VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.sampled_from([0.1, -0.0, 1e-300]), st.text(max_size=3)
)
CHOICES = st.lists(st.one_of(VALUES, st.lists(VALUES, max_size=2)), min_size=1, max_size=4, unique_by=repr)


@st.composite
def domains(draw):
    kind, log = draw(st.sampled_from("fic")), draw(st.booleans())
    if kind == "c":
        return Choice(*draw(CHOICES))
    if kind == "f":
        low = draw(st.floats(1e-300 if log else -1e300, 1e300))
        return Float(low, draw(st.floats(low * 1.001 + 1e-9 if low >= 0 else low * 0.999, 2e300)), log=log)
    step = 1 if log else draw(st.integers(1, 1000))
    low = draw(st.integers(1 if log else -(2**40), 2**40))
    return Int(low, low + step * draw(st.integers(0, 10**6)), log=log, step=step)


@st.composite
def spaces(draw):
    """Up to five names of any kind; a parent may be any kind, too, and have parents itself."""
    found = {}
    for name in draw(st.lists(st.text(PRINTED, min_size=1, max_size=3), min_size=1, max_size=5, unique=True)):
        domain = draw(domains())
        for parent in draw(st.lists(st.sampled_from(sorted(found)), max_size=2, unique=True)) if found else []:
            told = draw(st.lists(st.floats(0, 1), min_size=1, max_size=2))
            domain = domain.when(**{parent: tuple(found[parent].at(share) for share in told)})
        found[name] = domain
    return Space(found)


@calm(300)
@given(spaces(), st.data())
def test_a_point_of_the_cube_its_configuration_its_labels_and_its_text_are_one_thing(space, data):
    point = data.draw(st.lists(st.floats(0, 1), min_size=len(space), max_size=len(space)))
    configuration = space.at(point)
    assert repr(space.validate(configuration)) == repr(configuration)
    assert [name for name in space if space.active(name, configuration)] == list(configuration)
    stored = json.loads(json.dumps(space.labels(configuration)))
    assert repr(space.from_labels(stored)) == repr(configuration)
    trial = optuna.trial.FixedTrial(stored)
    assert repr(space.suggest(trial)) == repr(configuration)
    back = space.at(
        [space[n].share(configuration[n]) if n in configuration else s for n, s in zip(space, point, strict=True)]
    )
    for name, value in configuration.items():
        if isinstance(space[name], Float):  # a share has 53 bits, and a logarithm has rounded
            low, high = space[name].low, space[name].high
            scale = (
                max(abs(math.log(low)), abs(math.log(high))) * abs(value)
                if space[name].log
                else max(abs(low), abs(high))
            )
            if name in back:
                assert abs(back[name] - value) <= 8 * np.finfo(float).eps * scale
        elif name in back:
            assert repr(back[name]) == repr(value)


@calm(200)
@given(spaces(), st.integers(1, 4))
def test_a_grid_is_of_the_space_without_repeats_and_no_larger_than_it(space, points):
    grid, line = attempt(lambda: space.grid(points))
    if line:
        assert "ask for fewer points" in line
        return
    assert all(repr(space.validate(one)) == repr(one) for one in grid)
    assert len(set(map(repr, grid))) == len(grid) <= space.size()


@calm(200)
@given(spaces(), spaces(), st.integers(0, 2**32 - 1))
def test_what_is_completed_is_of_the_space_and_keeps_what_it_was_given(space, other, seed):
    rng = np.random.default_rng(seed)
    drawn = space.sample(rng)
    kept = {name: value for i, (name, value) in enumerate(drawn.items()) if seed >> i & 1}
    whole = space.completed(kept, rng)
    assert repr(space.validate(whole)) == repr(whole)
    assert all(repr(whole[name]) == repr(value) for name, value in kept.items() if name in whole)


@calm(300)
@given(
    st.sampled_from([Float, Int, Choice]),
    st.lists(JUNK, min_size=2, max_size=2),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_garbage_makes_no_domain_or_one_that_works(kind, arguments, log, seed):
    named = {} if kind is Choice else {"log": log}
    domain, line = attempt(lambda: kind(*arguments, **named))
    if not line:
        value = domain.sample(np.random.default_rng(seed))
        assert domain.contains(value)
        assert 0 <= domain.share(value) <= 1


@calm(100)
@given(spaces(), st.data())
def test_garbage_is_no_configuration(space, data):
    rng = np.random.default_rng(0)
    good = space.sample(rng)
    name, junk = data.draw(st.sampled_from(list(space))), data.draw(JUNK)
    for call in (space.validate, space.labels, space.from_labels):
        bad = data.draw(st.one_of(JUNK, st.just({**good, name: junk}), st.just({**good, "no such name": junk})))
        attempt(lambda call=call, bad=bad: call(bad))
    few = junk if not isinstance(junk, int) or junk < 5 else 5  # a grid of a million values is one, but slow
    attempt(lambda: space.grid(few))
    attempt(lambda: space.grid({name: few}))
    attempt(lambda: space.at(junk))
    attempt(lambda: space.at([junk] * len(space)))
    attempt(lambda: Space(junk))
    attempt(lambda: Space({name: junk}))
    attempt(lambda: space.replace(**{name: junk}))
    attempt(lambda: space.replace(new=Int(1, 2).when(**{name: junk})))
    attempt(lambda: space.sample(junk))


# --- schedules ----------------------------------------------------------------------------------------


@st.composite
def plans(draw):
    """A plan, and R."""
    longest, eta = draw(st.integers(2, 400)), draw(st.integers(2, 6))
    kind = draw(st.sampled_from([one_epoch, successive_halving, hyperband, population_based]))
    if kind is hyperband:
        return hyperband(longest, eta, draw(st.sampled_from(sorted(CONVENTIONS)))), longest
    if kind is successive_halving:
        return successive_halving(longest, draw(st.none() | st.integers(1, 1000)), eta), longest
    networks = draw(st.integers(2, 100))
    if kind is one_epoch:
        return one_epoch(longest, networks, draw(st.integers(1, networks))), longest
    return population_based(longest, networks, draw(st.none() | st.integers(1, longest - 1))), longest


@calm(300)
@given(plans())
def test_the_brackets_of_a_plan_add_up_and_no_network_trains_past_the_longest(made):
    plan, longest = made
    table = plan.table()
    assert plan.epochs == table["epochs"].sum() == sum(map(epochs_of, plan.brackets))
    assert plan.trainings == table["networks"].sum()
    assert plan.configurations == table.loc[table["rung"] == 0, "networks"].sum()
    assert plan.epochs <= plan.epochs_from_scratch
    assert plan.epochs <= plan.configurations * longest
    assert (table["epoch"].between(1, longest)).all()
    for bracket in plan.brackets:
        assert bracket[-1].epoch == longest
        assert all(a.networks >= b.networks >= 1 and a.epoch <= b.epoch for a, b in pairwise(bracket))
        spent = [0] * bracket[0].networks  # by hand: each network in turn, the first of a rung go on
        for rung in bracket:
            spent[: rung.networks] = [rung.epoch] * rung.networks
        assert sum(spent) == epochs_of(bracket)


MERITS = st.lists(st.sampled_from([-math.inf, -1.0, 0.0, 0.5, 0.5, 2.0, 1e300]), min_size=1, max_size=30)


@calm(300)
@given(MERITS, st.integers(1, 40))
def test_no_network_that_goes_on_is_worse_than_one_that_does_not(merits, places):
    chosen = best_of(merits, places)
    rest = [merit for i, merit in enumerate(merits) if i not in chosen and merit > -math.inf]
    assert len(chosen) == len(set(chosen)) == min(places, sum(merit > -math.inf for merit in merits))
    assert all(merits[i] > -math.inf and merits[i] >= max(rest, default=-math.inf) for i in chosen)


@calm(200)
@given(MERITS, st.floats(0.01, 0.5), st.integers(0, 2**32 - 1))
def test_in_a_population_only_better_ones_are_copied_and_the_best_stays(merits, share, seed):
    everybody = PopulationBased(len(merits) or 1, share=share).survivors(
        merits, len(merits), np.random.default_rng(seed)
    )
    alive = [merit for merit in merits if merit > -math.inf]
    assert len(everybody) == (len(merits) if alive else 0)
    for place, source in enumerate(everybody):
        assert source == place or merits[source] >= merits[place]
        assert merits[source] > -math.inf
    if alive:
        assert max(alive) in [merits[source] for source in everybody]


STRATEGIES = st.one_of(
    st.builds(hpt.strategies.hyperband, st.integers(2, 4), st.sampled_from(sorted(CONVENTIONS))),
    st.builds(hpt.strategies.successive_halving, st.integers(1, 12), st.integers(2, 4)),
    st.integers(1, 6).flatmap(lambda n: st.builds(hpt.strategies.one_epoch, st.integers(n, 9), st.just(n))),
)


@calm(20)
@given(
    st.integers(2, 12), STRATEGIES, st.lists(st.sampled_from([0.1, 0.2, 0.2, 0.9, math.nan]), min_size=7, max_size=7)
)
def test_a_search_spends_what_its_plan_says_and_goes_on_with_the_best(longest, strategy, scores):
    """Seven scores in turn, some of them none; what failed has no place in the next rung, and a rung may be short."""
    seen = []

    def score(member):
        seen.append(member)
        return scores[len(seen) % 7]

    task = hpt.task("diabetes", epochs=longest, metrics=("r2",))
    study, plan = pretend(task, strategy, score), strategy.schedule.plan(longest)
    assert study.trials["epochs"].max() <= longest
    assert len(study.trials) == plan.configurations
    assert study.rungs["spent"].max() <= plan.epochs
    assert study.rungs["spent"].max() == plan.epochs or "failed" in set(study.trials["status"])
    for bracket, judged in study.rungs.groupby("bracket"):
        rungs = [rung for _, rung in judged.groupby("rung")]
        for i, (one, after) in enumerate(pairwise(rungs)):
            alive = one[one["status"] == "complete"]
            stay = set(after["trial"])
            assert len(stay) == min(len(alive), plan.brackets[bracket][i + 1].networks)
            ranked = sorted(alive["score"], reverse=True)[: len(stay)]
            assert sorted(alive[alive["trial"].isin(stay)]["score"], reverse=True) == ranked


@calm(300)
@given(st.lists(JUNK, min_size=4, max_size=4), st.integers(0, 15))
def test_garbage_makes_no_plan_or_one_that_adds_up(junk, which):
    good = (27, 9, 3, 2)
    a, b, c, d = (j if which >> i & 1 else g for i, (j, g) in enumerate(zip(junk, good, strict=True)))
    many = 10**4  # a plan of a million rungs is a plan, but no test
    if any(isinstance(value, int) and value > many for value in (a, b, c, d)):
        return
    for make in (
        lambda: one_epoch(a, b, c),
        lambda: successive_halving(a, b, d),
        lambda: hyperband(a, d),
        lambda: hyperband(27, 3, junk[0]),
        lambda: population_based(a, b, c),
        lambda: PopulationBased(b, c, share=junk[0], resample=junk[1]),
    ):
        plan, _ = attempt(make)
        if hasattr(plan, "brackets"):
            assert plan.epochs >= 1 and repr(plan)


# --- files --------------------------------------------------------------------------------------------

NUMERIC = ["0", "1", "2.5", "-3", "1e3", "7", "0.125", "1e-300", "99999999999999999999"]
WORDS = ["a", "b", "ä", "São Paulo", "yes", "no", "True", "x" * 500, "=1+1", "a,b"]
DATES = ["2024-05-31", "2024-05", "9999-12-31", "31.12.2024", "12:30"]
NASTY = [
    "", "NA", "None", "nan", "inf", "-inf", "1e39", "-1e308", "1e999", "1,5", "1_000", "€5", "50%", '"', "'", "\x00",
    "\x1b[2J", "é\u2028", "two\nlines", "-", "--", " ", "0x10", "1j", "\r",
]  # fmt: skip
CELLS = NUMERIC + WORDS + DATES + NASTY


@st.composite
def tables(draw):
    """A table as text and what stands between its columns: each column from a pool, and sometimes a row gone wrong."""
    rng = random.Random(draw(st.integers(0, 2**64)))
    pools = [rng.sample(rng.choice([NUMERIC, NUMERIC, WORDS, DATES, CELLS]), rng.randint(2, 5)) for _ in range(3)]
    pools = pools[rng.choice([0, 0, 1, 2]) :]
    pools[-1] = rng.choice([NUMERIC[:7], ["yes", "no"], pools[-1]])
    pools[0] += rng.choice([[], [""], [rng.choice(NASTY)]])
    header = [*["own", rng.choice(["id", "two\nlines", "Unnamed: 0"])][: len(pools) - 1], "y"]
    lines = [header, *([rng.choice(pool) for pool in pools] for _ in range(rng.choice([0, 2, 10, 25, 40])))]
    if rng.random() < 0.3:
        line = rng.choice(lines)
        line[rng.randrange(len(line)) :] = [rng.choice([*CELLS, "y ", "Y"]) for _ in range(rng.randrange(4))]
    between, end, quoted = rng.choice(",;\t"), rng.choice(["\n", "\r\n", "\r"]), rng.random() < 0.5

    def cell(text):
        odd = any(c in text for c in '\n\r"' + between)
        return '"' + text.replace('"', '""') + '"' if odd or quoted else text

    return end.join(between.join(map(cell, line)) for line in lines[rng.random() < 0.1 :]), between


def _read_or_refused(path, **kwargs):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*says the same as the target", UserWarning)
        task, line = attempt(lambda: Task.from_csv(path, "y", **kwargs))
        if line:
            return line
        assert np.isfinite(task.dataset.y).all() and not np.isinf(task.dataset.x).any()
        assert len(task.dataset.columns) == task.dataset.x.shape[1] >= 1
        arrays = task.arrays()
        for name in ("x_train", "y_train", "x_validation", "y_validation"):
            assert np.isfinite(getattr(arrays, name)).all(), name
        assert arrays.x_train.shape[1:] == task.dataset.inputs
    return None


ENCODINGS = st.sampled_from(["utf-8"] * 5 + ["utf-8-sig", "utf-16", "utf-16-le", "latin-1"])


def test_any_table_is_read_to_finite_numbers_or_refused(tmp_path, capsys):
    lines = []

    @calm(300)
    @given(tables(), ENCODINGS)
    def check(table, encoding):
        text, between = table
        (tmp_path / "x.csv").write_bytes(text.encode(encoding, "replace"))
        lines.append(_read_or_refused(tmp_path / "x.csv", read_csv={"sep": between}))
        assert all(line.startswith("x: ") for line in capsys.readouterr().out.splitlines())

    check()
    assert lines.count(None) > 30  # most of what is made up cannot be read, but enough can
    assert len(set(lines)) > 30


@calm(100)
@given(st.binary(max_size=60) | st.text("ay,;\n\r\t\"'1.-e\x00\\#é", max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(tmp_path, content):
    (tmp_path / "x.csv").write_bytes(content)
    _read_or_refused(tmp_path / "x.csv")
    (tmp_path / "x.csv").write_bytes(b"a,y\n" + b"1,2\n3,4.5\n" * 3 + content)
    _read_or_refused(tmp_path / "x.csv", problem="regression")


NUMBERS = st.floats(-1e30, 1e30, allow_subnormal=False) | st.just(math.nan)
TEXTS = st.sampled_from(["Oslo", "São Paulo", "a,b", 'say "x"', "new\nline", "semi;colon", None])
WHOLE = st.integers(-(2**53), 2**53)


@calm(100)
@given(st.data(), st.integers(12, 30))
def test_a_frame_comes_back_from_its_file(tmp_path, data, rows):
    kinds = data.draw(st.lists(st.sampled_from([NUMBERS, TEXTS, WHOLE, st.booleans()]), min_size=1, max_size=4))
    columns = {f"c{i}": data.draw(st.lists(kind, min_size=rows, max_size=rows)) for i, kind in enumerate(kinds)}
    frame = pd.DataFrame({**columns, "y": np.arange(rows) / 4})
    frame.to_csv(tmp_path / "x.csv", index=False)
    made, line = attempt(lambda: Task.from_frame(frame, "y", name="x"))
    if line:
        with pytest.raises(InvalidInput):
            Task.from_csv(tmp_path / "x.csv", "y")
        return
    again = Task.from_csv(tmp_path / "x.csv", "y")
    assert again.dataset.columns == made.dataset.columns
    assert np.array_equal(again.dataset.x, made.dataset.x, equal_nan=True)
    assert np.array_equal(again.dataset.y, made.dataset.y)
    assert again.split.fingerprint == made.split.fingerprint
