"""The Gaussian process is scikit-learn's, improvement is Jones's, and the search that uses both finds the best."""

import subprocess
import sys

import numpy as np
import optuna
import pytest
from scipy import integrate, stats
from sklearn.gaussian_process import GaussianProcessRegressor

import hpt
from hpt.domains import Choice, Float, Int
from hpt.samplers import GaussianProcess, Observation, Random
from hpt.samplers.gaussian_process import encode, expected_improvement
from hpt.space import Space

SQUARE = Space({"x": Float(-1, 1), "y": Float(-1, 1)})
MIXED = Space(
    {
        "optimizer": Choice("adam", "sgd"),
        "momentum": Float(0.8, 0.99).when(optimizer="sgd"),
        "kind": Choice((8,), (8, 8), None).when(optimizer="adam"),
        "units": Int(1, 4),
        "learning_rate": Float(1e-4, 1e-1, log=True),
    }
)


@pytest.fixture(autouse=True)
def quiet():
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def _bowl(configuration):
    return sum((value - 0.3) ** 2 for value in configuration.values())


def _seen(space, n, merit=lambda configuration: -_bowl(configuration), seed=0):
    draws = [Random().propose(space, (), number, seed) for number in range(n)]
    return [Observation(number, one, {1: merit(one)}) for number, one in enumerate(draws)]


def _pending(number, configuration):
    return Observation(number, configuration, {})


def _learning_rate(configuration):
    return -((np.log10(configuration["learning_rate"]) + 2) ** 2) - (configuration["optimizer"] == "sgd")


def test_a_configuration_becomes_shares_and_places():
    sgd = {"optimizer": "sgd", "momentum": 0.8, "units": 4, "learning_rate": 1e-1}
    adam = {"optimizer": "adam", "kind": None, "units": 1, "learning_rate": 1e-4}
    rows = encode(MIXED, [sgd, adam])
    # optimizer (2), momentum, kind (3), units (the middle of the last or first quarter), learning rate
    assert rows[0] == pytest.approx([0, 1, 0.0, 0, 0, 0, 0.875, 1])
    assert rows[1] == pytest.approx([1, 0, 0.5, 0, 0, 1, 0.125, 0])


@pytest.mark.parametrize(("space", "merit"), [(SQUARE, lambda one: -_bowl(one)), (MIXED, _learning_rate)])
def test_mean_and_deviation_are_scikit_learns_on_the_same_rows(space, merit):
    """There the noise is the ``alpha`` of the observations, so that its deviation is of the function as well."""
    seen, asked = _seen(space, 20, merit), [one.configuration for one in _seen(space, 30, merit, seed=1)]
    surrogate = GaussianProcess.fit(space, seen)
    kernel = surrogate.process.kernel_
    theirs = GaussianProcessRegressor(kernel.k1, alpha=kernel.k2.noise_level, optimizer=None, normalize_y=True)
    theirs.fit(encode(space, [one.configuration for one in seen]), [one.merit for one in seen])
    mean, deviation = theirs.predict(encode(space, asked), return_std=True)
    ours = surrogate.predict(asked)
    assert ours[0].shape == ours[1].shape == (30,)
    assert ours[0] == pytest.approx(mean, abs=1e-5)
    assert ours[1] == pytest.approx(deviation, abs=1e-4)  # the root of a difference near zero
    at_seen = theirs.predict(encode(space, [one.configuration for one in seen]))
    assert surrogate.best == pytest.approx(at_seen.max(), abs=1e-5)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_fit_is_no_worse_than_scikit_learns_own():
    """Thirty steps of the optimizer, against as many as it wants: the log likelihoods differ by less than 0.5, where
    a likelihood ratio test sees a difference from 1.9 on (chi-squared, one degree of freedom, 5 percent)."""
    process = GaussianProcess.fit(SQUARE, _seen(SQUARE, 30)).process
    theirs = GaussianProcessRegressor(process.kernel, normalize_y=False)
    theirs.fit(process.X_train_, process.y_train_)
    assert process.log_marginal_likelihood_value_ > theirs.log_marginal_likelihood_value_ - 0.5


@pytest.mark.parametrize(("mean", "deviation", "best"), [(0.0, 1.0, 0.0), (-2.0, 0.5, -1.0), (3.0, 2.0, 1.0)])
def test_expected_improvement_is_the_integral_that_defines_it(mean, deviation, best):
    density = stats.norm(mean, deviation).pdf
    integral, error = integrate.quad(lambda merit: (merit - best) * density(merit), best, best + 40)
    found = expected_improvement(np.array([mean]), np.array([deviation]), best)
    assert found[0] == pytest.approx(integral, abs=max(1e-9, 10 * error))


def test_what_is_known_improves_by_what_it_is_above():
    assert expected_improvement(np.array([1.0, 3.0]), np.zeros(2), 2.0).tolist() == [0.0, 1.0]


def test_the_first_proposals_are_random_searchs_and_then_it_departs():
    sampler, seen = GaussianProcess(startup=5), _seen(SQUARE, 12)
    for number in range(8):
        proposal = sampler.propose(SQUARE, seen[:number], number, 0)
        assert (proposal == Random().propose(SQUARE, (), number, 0)) == (number < 5)
    assert [GaussianProcess(startup=4).ahead(number) for number in range(6)] == [4, 3, 2, 1, 1, 1]


@pytest.mark.parametrize("space", [SQUARE, MIXED])
def test_the_same_seed_gives_the_same_proposals_and_another_seed_others(space):
    seen = _seen(space, 12, _learning_rate if space is MIXED else lambda one: -_bowl(one))
    first, second, other = (GaussianProcess().propose(space, seen, 12, seed) for seed in (3, 3, 4))
    assert first == second != other


def test_a_failure_counts_as_the_worst_success():
    seen = _seen(SQUARE, 12)
    failed = [*seen[:5], Observation(5, seen[5].configuration, {1: -np.inf}), *seen[6:]]
    worst = min(one.merit for one in seen if one.number != 5)
    told = [*seen[:5], Observation(5, seen[5].configuration, {1: worst}), *seen[6:]]
    a, b = (GaussianProcess.fit(SQUARE, those).predict([{"x": 0.1, "y": 0.2}]) for those in (failed, told))
    assert a == b
    assert GaussianProcess().propose(SQUARE, failed, 12, 0) == GaussianProcess().propose(SQUARE, told, 12, 0)


@pytest.mark.parametrize("merits", [[], [-np.inf] * 12, [1.0, *[-np.inf] * 11], [0.5] * 12, [None] * 12, [1.0]])
def test_with_nothing_to_learn_from_it_draws_at_random(merits):
    draws = _seen(SQUARE, len(merits))
    seen = [Observation(n, draws[n].configuration, {} if m is None else {1: m}) for n, m in enumerate(merits)]
    assert GaussianProcess.fit(SQUARE, seen) is None
    assert GaussianProcess().propose(SQUARE, seen, 12, 0) == Random().propose(SQUARE, (), 12, 0)


def test_what_still_runs_lowers_the_deviation_and_moves_no_mean():
    """Telling a Gaussian process its own mean changes no mean (Ginsbourger et al. 2010, the kriging believer)."""
    seen, running = _seen(SQUARE, 12), {"x": 0.5, "y": -0.5}
    elsewhere = [one.configuration for one in _seen(SQUARE, 20, seed=1)]
    before = GaussianProcess.fit(SQUARE, seen)
    after = GaussianProcess.fit(SQUARE, [*seen, _pending(12, running)])
    assert after.predict(elsewhere)[0] == pytest.approx(before.predict(elsewhere)[0], abs=1e-6)
    assert (after.predict(elsewhere)[1] <= before.predict(elsewhere)[1] + 1e-6).all()
    assert after.predict([running])[1] < before.predict([running])[1] / 2


def test_a_batch_spreads():
    """Asked for eight at once, it returns eight places, further apart than eight proposals that do not know of each
    other."""
    seen, sampler = _seen(SQUARE, 12), GaussianProcess()
    batch = list(seen)
    for number in range(12, 20):
        batch.append(_pending(number, sampler.propose(SQUARE, batch, number, 0)))
    spread = [tuple(one.configuration.values()) for one in batch[12:]]
    alone = [tuple(sampler.propose(SQUARE, seen, number, 0).values()) for number in range(12, 20)]
    assert len(set(spread)) == 8
    assert np.std(spread, axis=0).sum() > 3 * np.std(alone, axis=0).sum()


def test_a_small_space_is_tried_to_its_end_before_anything_is_tried_twice():
    space = Space({"a": Int(1, 3), "b": Choice("x", "y", "z")})
    seen = []
    for number in range(12):
        one = GaussianProcess(startup=2).propose(space, seen, number, 0)
        seen.append(Observation(number, one, {1: one["a"] - (one["b"] == "y")}))
    fitted = [tuple(one.configuration.values()) for one in seen]
    assert len(set(fitted)) == 9  # 3 × 3, of which the two random ones may be one and the same


def test_conditions_hold_and_the_better_branch_is_found():
    seen = []
    for number in range(25):
        one = GaussianProcess().propose(MIXED, seen, number, 0)
        assert MIXED.validate(one) == one
        seen.append(Observation(number, one, {1: _learning_rate(one)}))
    late = [one.configuration for one in seen[15:]]
    assert sum(one["optimizer"] == "adam" for one in late) >= 8
    assert abs(np.log10(max(seen, key=lambda one: one.merit).configuration["learning_rate"]) + 2) < 0.1


def test_it_beats_random_search_on_a_bowl():
    """Twenty seeds, twenty trials of a smooth bowl in four dimensions: the sign test's p is below 0.001 from 18 wins
    on (binomial, one-sided)."""
    space = Space({name: Float(-1, 1) for name in "abcd"})

    def best(sampler, seed):
        seen = []
        for number in range(20):
            one = sampler.propose(space, seen, number, seed)
            seen.append(Observation(number, one, {1: -_bowl(one)}))
        return max(one.merit for one in seen)

    ours = GaussianProcess(startup=8, candidates=256)
    wins = sum(best(ours, seed) > best(Random(), seed) for seed in range(20))
    assert wins >= 18


@pytest.mark.parametrize("settings", [{"startup": 0}, {"startup": True}, {"candidates": 1}, {"candidates": 2.5}])
def test_wrong_settings_are_refused(settings):
    with pytest.raises(hpt.InvalidInput, match="Bayesian optimization needs"):
        GaussianProcess(**settings)


def test_the_samplers_import_neither_scikit_learn_nor_optuna():
    code = "import sys, hpt.samplers; print({'sklearn', 'optuna'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
