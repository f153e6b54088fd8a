"""Importances: which hyperparameters a score depends on, asked in two ways, and how sure the answer is.

*fANOVA* (Hutter et al. 2014) takes the whole space: a random forest learns the score, and what it predicts is split
into the part that each hyperparameter moves alone, whatever the others are, and into what only combinations move.
*PED-ANOVA* (Watanabe et al. 2023) takes the top: it compares where the best tenth of the trials lies with where all
of them lie. The answers differ, and both are right: a learning rate may decide whether a network learns at all, and
among those that do learn it may be the width that makes the best. Both methods are Optuna's.

One number a hyperparameter says more than 60 trials know. So each is worked out again on random halves of the
trials, and how much it changes from half to half gives its interval: the delete-d jackknife (Shao, Wu 1989) with d
half of the trials. A mean of half of them has twice the variance of a mean of all, and halves of the same trials
differ by half of that: the two factors cancel, so the spread over the halves is taken as it is. The bootstrap would
draw some trials several times, and a forest learns by heart what it sees often.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hpt.data import Array
from hpt.domains import Choice, Domain, Float, Int, is_whole
from hpt.errors import InvalidInput, unknown
from hpt.metrics import METRICS
from hpt.search import quiet_optuna
from hpt.seeds import derive, stream
from hpt.study import Study

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

QUESTIONS = {
    "fANOVA": "Over the whole space, which share of the variance of the score comes from it alone?",
    "PED-ANOVA": "Which values must be right for a trial to be among the best tenth?",
}
"""What each method answers."""

LEAST = 30
"""Fewer trials are refused: the best tenth of half of them would be a single trial."""

TREES = 8
"""Trees of one forest. With 100 halves of 60 trials the two methods take about 4 seconds, most of them for trees."""

FORESTS = 8
"""So many forests, 64 trees as in Optuna, give the importance itself; each half has one."""


def importance(
    study: Study, *, repeats: int = 100, seed: int = 0, confidence: float = 0.95, metric: str | None = None
) -> pd.DataFrame:
    """Return how important each searched hyperparameter was, by two methods, each with an interval.

    Complete trials count. What a schedule stopped early does not, for its score after a few epochs is not comparable
    with that of a network trained to the end; what diverged or failed has no score. So both methods speak of
    networks that trained to the end, and after a schedule these are a chosen few: ask a study of full trainings,
    best by random search or Sobol points, which look everywhere.

    fANOVA sees each hyperparameter on the scale on which it is searched. (By itself Optuna's takes a log scale as a
    plain one, so that a learning rate from 1e-5 to 0.1 is nearly always above 0.01.) Where a condition leaves a
    hyperparameter out, a value is drawn for it: there it changes nothing, which is what fANOVA should see. Chance
    in the scores counts as if only combinations moved it. A few very bad scores are most of a variance: then fANOVA
    says what spoils networks.

    PED-ANOVA has a tenth of the trials to learn from: below 100 trials or so its intervals are wide.

    Args:
        study: from `hpt.tune`, with at least `LEAST` complete trials. With costs beside the objective, the objective
            counts.
        repeats: how many random halves, at least 10.
        seed: of the halves, the forests, and the values drawn where a condition leaves one out.
        confidence: of the intervals.
        metric: which score, a metric of the task, default its objective.

    Returns:
        One row a hyperparameter and method, the most important by the mean of both methods first: ``hyperparameter``,
        ``method``, ``question``, ``importance``, the interval from ``low`` to ``high``, and ``first``, in which share
        of the halves it was the most important. Importances by fANOVA are shares of the variance; what they lack to
        1 needs combinations. Those by PED-ANOVA are shares of their sum. Hyperparameters with a single value are
        left out.

        The interval is meant to hold the value that a study with very many trials would give. It is the importance ±
        the normal quantile times the standard deviation over the halves, cut at 0 and 1. Measured with two known
        functions of four hyperparameters, and for each 40 random searches of 60 trials: 95 % intervals held that
        value in 80 % to 100 % of the studies, in 95 % taken together. By fANOVA they miss weak hyperparameters most
        often, which a forest of few trials puts too low: with 120 trials one of 0.05 was inside in 13 of 20 studies,
        and those of 0.22 and 0.6 in all. Other intervals did worse: with the bootstrap's standard deviation down to
        62 %, and its percentiles, like those of halves, hardly ever hold a 0.

    Raises:
        InvalidInput: for too few complete trials, fewer than two hyperparameters that can change, scores that are all
            the same, a study by population-based training, or settings that cannot be.
        UnknownName: for a metric that the study does not have.
    """
    if not is_whole(repeats) or repeats < 10:
        raise InvalidInput(f"repeats must be a whole number of random halves, at least 10, got {repeats!r}")
    if isinstance(confidence, bool) or not 0 < confidence < 1:
        raise InvalidInput(f"confidence must be a share between 0 and 1, such as 0.95, got {confidence!r}")
    trials = _scored(study, metric or study.objective)
    domains = _domains(study, trials)
    names, rng, half = list(domains), stream(seed, "halves"), len(trials) // 2

    def one(label: str, repeat: int, chosen: Sequence[FrozenTrial]) -> Array:
        shares = _shares(chosen, domains, stream(seed, label, "left out", repeat))
        forest = _fanova(np.array([trial.value for trial in chosen]), shares, derive(seed, label, "forest", repeat))
        return np.stack([forest, _ped_anova(chosen, names)])

    with _quiet():
        whole = np.mean([one("whole", i, trials) for i in range(FORESTS)], axis=0)
        halves = np.stack(
            [one("half", i, [trials[j] for j in rng.permutation(len(trials))[:half]]) for i in range(repeats)]
        )  # repeats × methods × hyperparameters
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * halves.std(axis=0, ddof=1)
    low, high = np.clip(whole - reach, 0, 1), np.clip(whole + reach, 0, 1)
    first = np.mean(halves == halves.max(axis=2, keepdims=True), axis=0)
    rows = [
        (names[j], method, question, whole[i, j], low[i, j], high[i, j], first[i, j])
        for j in np.argsort(-whole.mean(axis=0), kind="stable")
        for i, (method, question) in enumerate(QUESTIONS.items())
    ]
    return pd.DataFrame(rows, columns=["hyperparameter", "method", "question", "importance", "low", "high", "first"])


def _scored(study: Study, metric: str) -> list[FrozenTrial]:
    """Return the trials that count, each with one value: how good it is, greater is better."""
    from optuna.trial import TrialState, create_trial

    known = [column for column in study.trials if column in METRICS]
    if metric not in known:
        raise unknown("metric", metric, known)
    if "parent" in study.trials:
        raise InvalidInput(
            "a network of population-based training has had several configurations, so its score is due to none of "
            "them: ask a study by another strategy, such as random search"
        )
    found = study.record.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(found) < LEAST:
        raise InvalidInput(
            f"importances need at least {LEAST} complete trials, and this study of {len(study.trials)} has "
            f"{len(found)}: tune with trials={2 * LEAST} by a strategy that trains in full, such as 'random'"
        )
    merits = [METRICS[metric].sign * trial.user_attrs[metric] for trial in found]
    if min(merits) == max(merits):
        raise InvalidInput(
            f"all {len(found)} trials have the same {metric}, so no hyperparameter makes a difference: take another "
            f"metric, of {', '.join(known)}, or search wider ranges"
        )
    return [
        create_trial(params=trial.params, distributions=trial.distributions, value=merit)
        for trial, merit in zip(found, merits, strict=True)
    ]


def _domains(study: Study, trials: Sequence[FrozenTrial]) -> dict[str, Domain]:
    """Return the domains of the hyperparameters that can change, of choices their labels, in the study's order."""
    seen = {name: one for trial in trials for name, one in trial.distributions.items()}
    found = {name: _domain(seen[name]) for name in study.trials if name in seen and not seen[name].single()}
    if len(found) < 2:
        raise InvalidInput(
            f"importances compare hyperparameters, and this study searched {len(found)} that can change: "
            "search at least two"
        )
    return found


def _domain(one: Any) -> Domain:
    from optuna.distributions import CategoricalDistribution, IntDistribution

    if isinstance(one, CategoricalDistribution):
        return Choice(*one.choices)
    if isinstance(one, IntDistribution):
        return Int(one.low, one.high, log=one.log, step=one.step)
    return Float(one.low, one.high, log=one.log)


def _shares(trials: Sequence[FrozenTrial], domains: Mapping[str, Domain], rng: np.random.Generator) -> Array:
    """Return how far along its scale each value lies, 0 to 1, trials × names; what is left out is drawn."""
    return np.array(
        [
            [domain.share(trial.params[name] if name in trial.params else domain.sample(rng))
             for name, domain in domains.items()]
            for trial in trials
        ]
    )  # fmt: skip


def _fanova(merits: Array, shares: Array, seed: int) -> Array:
    """Return the share of the variance that each column of ``shares`` moves alone."""
    from optuna.distributions import FloatDistribution
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances
    from optuna.trial import create_trial

    if merits.min() == merits.max():  # in this half; Optuna would divide by the variance
        return np.zeros(shares.shape[1])
    # Numbers for choices too. Optuna would give each value a column of its own and average over combinations of
    # columns that no configuration has.
    unit: dict[str, BaseDistribution] = {str(j): FloatDistribution(0, 1) for j in range(shares.shape[1])}
    record = _record(
        [
            create_trial(params=dict(zip(unit, map(float, row), strict=True)), distributions=unit, value=merit)
            for row, merit in zip(shares, merits.tolist(), strict=True)
        ]
    )
    forest = FanovaImportanceEvaluator(n_trees=TREES, seed=seed)
    found = get_param_importances(record, evaluator=forest, normalize=False)
    return np.array([found[name] for name in unit])


def _ped_anova(trials: Sequence[FrozenTrial], names: Sequence[str]) -> Array:
    """Return how far the best tenth differs from all trials in each hyperparameter, as shares of the sum."""
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    found = get_param_importances(_record(trials), evaluator=PedAnovaImportanceEvaluator(target_quantile=0.1))
    return np.array([found.get(name, 0.0) for name in names])  # 0 for one that these trials left out


def _record(trials: Sequence[FrozenTrial]) -> optuna.Study:
    import optuna

    record = optuna.create_study(direction="maximize")
    record.add_trials(trials)
    return record


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna reports every study it makes, and warns of arguments that are new and of conditions seldom met."""
    with quiet_optuna(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
