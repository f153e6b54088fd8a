"""The simulation against closed forms, bounds that others proved, and the searches of the package itself."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr

import hpt
from hpt.schedules import Brackets, Hyperband, Rung, SuccessiveHalving, hyperband, one_epoch, successive_halving
from hpt.seeds import stream
from hpt.simulation import WHERE, Costs, noisy_scores, simulate, spread
from hpt.strategies import Strategy

from doubles import Pretend

HALVING = successive_halving(9, networks=30)


def rung(networks):
    """A plan without any cut: so many networks, one epoch."""
    return Brackets(((Rung(networks, 1),),))


def even(plan, value=0.0):
    return {rung.epoch: [value] * plan.configurations for bracket in plan.brackets for rung in bracket}


# --- closed forms


@pytest.mark.parametrize("plan", [HALVING, hyperband(27), one_epoch(10, 8, 2)])
def test_one_worker_does_all_the_work_one_after_the_other(plan):
    found = simulate(plan, 1, Costs(epoch=2.0, fixed=0.5, dispatch=0.25, startup=3.0))
    assert found.makespan == pytest.approx(3.0 + 2.0 * plan.epochs + (0.5 + 0.25) * plan.trainings)
    parts = {"training": 2.0 * plan.epochs, "overhead": 0.5 * plan.trainings, "queueing": 0.25 * plan.trainings,
             "start-up": 3.0, "waiting": 0, "lost": 0}  # fmt: skip
    assert found.seconds == pytest.approx(parts)
    assert found.units == plan.trainings


@pytest.mark.parametrize(("jobs", "workers"), [(1, 1), (12, 4), (13, 4), (3, 8), (100, 7)])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_equal_jobs_take_rounds(jobs, workers, asynchronous):
    found = simulate(rung(jobs), workers, Costs(epoch=1.5), asynchronous=asynchronous)
    assert found.makespan == pytest.approx(math.ceil(jobs / workers) * 1.5)
    assert found.shares["training"] == pytest.approx(jobs / workers / math.ceil(jobs / workers))


def test_with_a_worker_for_each_network_a_rung_takes_as_long_as_its_slowest():
    seconds = spread(1.0, 0.8, 30, seed=3)
    scores = noisy_scores(HALVING, seed=3)
    found = simulate(HALVING, 30, Costs(epoch=seconds), scores=scores)
    group, before, expected = np.arange(30), 0, 0.0
    for i, step in enumerate(HALVING.brackets[0]):
        if i:
            group = group[np.argsort(-scores[before][group])][: step.networks]
        expected += (step.epoch - before) * seconds[group].max()
        before = step.epoch
    assert found.makespan == pytest.approx(expected)


def test_a_stack_takes_its_fixed_seconds_once():
    costs = Costs(epoch=0.5, fixed=4.0)
    assert simulate(rung(10), 1, costs, unit=10).makespan == pytest.approx(4 + 10 * 0.5)
    assert simulate(rung(10), 1, costs, unit=4).makespan == pytest.approx(3 * 4 + 10 * 0.5)
    assert simulate(rung(10), 3, costs, unit=4).makespan == pytest.approx(4 + 4 * 0.5)


def test_the_driver_serves_one_worker_at_a_time():
    found = simulate(rung(100), 100, Costs(epoch=1.0, dispatch=0.5))
    assert found.makespan == pytest.approx(100 * 0.5 + 1.0)
    assert found.seconds["queueing"] == pytest.approx(0.5 * 100 * 101 / 2)


def test_the_slowest_of_n_exponential_networks_takes_the_nth_harmonic_number():
    n, repeats = 50, 400
    spans = [simulate(rung(n), n, Costs(epoch=stream(i, "test").exponential(size=n))).makespan for i in range(repeats)]
    harmonic = sum(1 / k for k in range(1, n + 1))
    error = math.sqrt(sum(1 / k**2 for k in range(1, n + 1)) / repeats)
    assert abs(np.mean(spans) - harmonic) < 4 * error


def test_deaths_cost_what_restarting_from_scratch_costs():
    """A unit of d seconds that starts anew after each death takes (exp(λd) − 1) / λ on average."""
    n, rate, d = 4000, 1 / 2.0, 3.0
    found = simulate(rung(n), 1, Costs(epoch=d, failures=3600 * rate))
    mean = math.expm1(rate * d) / rate
    deviation = math.sqrt((math.exp(2 * rate * d) - 1 - 2 * rate * d * math.exp(rate * d)) / rate**2)
    assert abs(found.makespan / n - mean) < 4 * deviation / math.sqrt(n)
    assert found.seconds["training"] == pytest.approx(n * d)
    assert found.seconds["lost"] == pytest.approx(found.makespan - n * d)


def test_after_a_death_a_worker_starts_again():
    found = simulate(rung(200), 1, Costs(epoch=1.0, startup=2.0, failures=1800))
    deaths = (found.log["doing"] == "lost").sum()
    assert deaths > 10
    assert found.seconds["start-up"] == pytest.approx(2.0 * (1 + deaths))


# --- bounds and laws


EVERY = [
    (workers, asynchronous, unit, failures)
    for workers in (1, 3, 40)
    for asynchronous in (False, True)
    for unit in (1, 4)
    for failures in (0.0, 300.0)
]


@pytest.mark.parametrize(("workers", "asynchronous", "unit", "failures"), EVERY)
def test_the_time_of_all_workers_is_accounted_for(workers, asynchronous, unit, failures):
    plan = hyperband(9)
    costs = Costs(epoch=spread(1.0, 0.5, plan.configurations), fixed=0.3, dispatch=0.02, startup=2, failures=failures)
    found = simulate(plan, workers, costs, asynchronous=asynchronous, unit=unit)
    assert sum(found.seconds.values()) == pytest.approx(workers * found.makespan)
    assert sum(found.shares.values()) == pytest.approx(1)
    assert min(found.shares.values()) >= 0
    assert tuple(found.shares) == WHERE
    paid = sum(costs.epoch[i] * found.reached[i] for i in range(plan.configurations))
    assert found.seconds["training"] == pytest.approx(paid)
    assert found.seconds["overhead"] == pytest.approx(0.3 * found.units)
    assert 0 < found.busy <= 1
    for _, rows in found.log.groupby("worker"):
        assert (rows["begin"].to_numpy()[1:] >= rows["end"].to_numpy()[:-1] - 1e-9).all(), "two things at once"


@pytest.mark.parametrize("workers", [2, 5, 16])
@pytest.mark.parametrize("seed", range(5))
def test_handing_out_in_order_loses_no_more_than_graham_proved(workers, seed):
    seconds = spread(1.0, 1.2, 60, seed)
    found = simulate(rung(60), workers, Costs(epoch=seconds))
    least = max(seconds.sum() / workers, seconds.max())
    assert least <= found.makespan * (1 + 1e-12)
    assert found.makespan <= (2 - 1 / workers) * least


def test_grahams_worst_case_is_met():
    """M(M − 1) jobs of 1 and then one of M on M workers take 2M − 1, where M would do."""
    m = 6
    found = simulate(rung(m * (m - 1) + 1), m, Costs(epoch=[1.0] * (m * (m - 1)) + [float(m)]))
    assert found.makespan == pytest.approx(2 * m - 1)


# --- who survives


@pytest.mark.parametrize(
    "schedule", [SuccessiveHalving(networks=30), SuccessiveHalving(), Hyperband(), Hyperband(eta=2)]
)
@pytest.mark.parametrize("workers", [1, 7])
def test_waiting_for_rungs_trains_whom_the_search_trains(wine, schedule, workers):
    task = replace(wine, epochs=9)
    sign = task.objective.sign
    trainer = Pretend(lambda member, epoch: math.sin(epoch * 1e4 * member.configuration["learning_rate"]))
    study = hpt.tune(task, Strategy("cutting", hpt.samplers.Random(), schedule), seed=1, trainer=trainer)
    reached = study.trials["epochs"].to_numpy()
    plan = schedule.plan(9)
    rates = np.array([configuration["learning_rate"] for configuration in study.configurations])
    scores = {step.epoch: sign * np.sin(step.epoch * 1e4 * rates) for bracket in plan.brackets for step in bracket}
    found = simulate(plan, workers, Costs(epoch=1.0), scores=scores, unit=4)
    assert found.reached.tolist() == reached.tolist()
    assert found.trained == plan.to_the_end
    assert found.wrong == 0
    assert found.promotions == plan.trainings - plan.configurations


@pytest.mark.parametrize("workers", [1, 4, 30])
@pytest.mark.parametrize("seed", range(4))
def test_who_would_survive_with_patience_also_does_without_if_no_rank_changes(workers, seed):
    """Without patience some more go on, but of those who belong to the top of a rung in the end nobody is missed."""
    scores = noisy_scores(HALVING, correlation=1.0, seed=seed)
    costs = Costs(epoch=spread(1.0, 0.5, 30, seed))
    patient = simulate(HALVING, workers, costs, scores=scores)
    hasty = simulate(HALVING, workers, costs, scores=scores, asynchronous=True)
    assert (hasty.reached >= patient.reached).all()
    assert hasty.wrong == hasty.promotions - patient.promotions


@pytest.mark.parametrize("workers", [1, 8])
def test_of_the_first_rung_nobody_is_missed_whatever_the_scores(workers):
    scores = noisy_scores(HALVING, correlation=0.2, seed=5)
    top = np.argsort(-scores[1])[:10]
    hasty = simulate(HALVING, workers, Costs(epoch=1.0), scores=scores, asynchronous=True)
    assert (hasty.reached[top] > 1).all()


def test_the_worst_order_promotes_everybody_it_can_and_the_best_order_nobody_wrongly():
    plan = successive_halving(3, networks=9)
    rising = {1: np.arange(9.0), 3: np.arange(9.0)}
    falling = {1: -np.arange(9.0), 3: -np.arange(9.0)}
    costs = Costs(epoch=1.0)
    assert simulate(plan, 1, costs, scores=falling, asynchronous=True).wrong == 0
    worst = simulate(plan, 1, costs, scores=rising, asynchronous=True)
    # From the third on the newest is always the best so far, and 6, 7 and 8 belong to the top in the end.
    assert worst.reached.tolist() == [1, 1, 3, 3, 3, 3, 3, 3, 3]
    assert worst.wrong == 4


def test_one_worker_without_patience_trains_in_the_order_of_the_paper():
    """With a cut to a third, the third network is the first that lets one go on, and that happens at once."""
    plan = successive_halving(3, networks=6)
    found = simulate(plan, 1, Costs(epoch=1.0), scores=even(plan), asynchronous=True)
    assert found.log["epoch"].tolist() == [1, 1, 1, 3, 1, 1, 1, 3]
    assert found.reached.tolist() == [3, 3, 1, 1, 1, 1]


def test_without_patience_workers_do_not_wait_while_there_is_something_to_start():
    plan = successive_halving(27, networks=270)
    costs = Costs(epoch=spread(1.0, 0.8, 270))
    patient, hasty = (simulate(plan, 10, costs, asynchronous=a) for a in (False, True))
    assert hasty.makespan < patient.makespan
    assert hasty.shares["waiting"] < patient.shares["waiting"]


def test_what_failed_is_never_promoted():
    scores = even(HALVING)
    scores[1] = [-math.inf] * 28 + [1.0, 2.0]
    for asynchronous in (False, True):
        found = simulate(HALVING, 3, Costs(epoch=1.0), scores=scores, asynchronous=asynchronous)
        assert (found.reached[:28] == 1).all()
        assert (found.reached[28:] > 1).all()
    nobody = simulate(HALVING, 3, Costs(epoch=1.0), scores=even(HALVING, -math.inf))
    assert (nobody.trained, nobody.promotions) == (0, 0)


# --- draws


def test_the_same_seed_gives_the_same_simulation():
    costs = Costs(epoch=[0.5, 1.0, 2.0], failures=60)
    one, same, other = (simulate(HALVING, 4, costs, asynchronous=True, seed=seed) for seed in (1, 1, 2))
    assert one.log.equals(same.log)
    assert (one.reached == same.reached).all()
    assert one.makespan == same.makespan != other.makespan


def test_scores_agree_as_much_as_they_are_told_to():
    plan = successive_halving(81, networks=20_000)
    scores = noisy_scores(plan, correlation=0.4, seed=1)
    assert list(scores) == [1, 3, 9, 27, 81]
    found = [spearmanr(scores[epoch], scores[81]).statistic for epoch in scores]
    assert found == pytest.approx([0.4, 0.55, 0.7, 0.85, 1.0], abs=0.02)
    assert list(noisy_scores(rung(3))) == [1]


def test_spread_keeps_the_mean():
    seconds = spread(2.0, 0.5, 100_000)
    assert seconds.mean() == pytest.approx(2.0, rel=0.01)
    assert np.log(seconds).std() == pytest.approx(0.5, rel=0.01)
    assert (spread(2.0, 0.0, 3) == 2.0).all()


def test_measured_seconds_are_used_in_order_where_there_are_enough():
    assert Costs(epoch=[1.0, 2.0, 3.0]).epochs(2, seed=0) == [1.0, 2.0]
    drawn = Costs(epoch=[1.0, 2.0]).epochs(1000, seed=0)
    assert set(drawn) == {1.0, 2.0}
    assert 400 < drawn.count(1.0) < 600


def test_a_simulation_says_what_it_was():
    assert repr(simulate(rung(3), 2, Costs(epoch=1.0))) == (
        "Simulation of 2 workers: 3 units in 2.0 s\ntraining 75%, waiting 25%"
    )


# --- what cannot be


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"workers": 0}, "workers must be a whole number of at least 1, got 0"),
        ({"workers": 2.5}, "workers must be"),
        ({"unit": 0}, "unit must be"),
        ({"plan": [(9, 1)]}, "a plan is made by hpt.schedules"),
        ({"costs": 3.0}, "costs must be given as Costs"),
        ({"scores": {1: [0.0] * 30}}, "there are none at epoch 3"),
        ({"scores": {1: [0.0] * 30, 3: [0.0] * 29}}, "30 numbers"),
        ({"scores": {1: [0.0] * 30, 3: [math.nan] * 30}}, "none of them NaN"),
    ],
)
def test_what_cannot_be_simulated_is_refused(broken, said):
    with pytest.raises(hpt.InvalidInput, match=said):
        simulate(**{"plan": HALVING, "workers": 2, "costs": Costs(epoch=1.0), **broken})


@pytest.mark.parametrize(
    "broken",
    [{"epoch": 0.0}, {"epoch": []}, {"epoch": [1.0, math.nan]}, {"epoch": "1"}, {"epoch": [[1.0]]},
     {"fixed": -1}, {"dispatch": math.inf}, {"startup": math.nan}, {"failures": "often"}],
)  # fmt: skip
def test_costs_that_cannot_be_are_refused(broken):
    with pytest.raises(hpt.InvalidInput):
        Costs(**{"epoch": 1.0, **broken})


def test_draws_that_cannot_be_are_refused():
    for correlation in (-0.1, 1.5, "high"):
        with pytest.raises(hpt.InvalidInput, match="between 0 and 1"):
            noisy_scores(HALVING, correlation)
    for mean, sigma in ((0, 1), (1, -1), (math.inf, 1)):
        with pytest.raises(hpt.InvalidInput, match="above 0"):
            spread(mean, sigma, 3)
