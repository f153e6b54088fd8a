"""Evidence: what may a comparison conclude?

Twenty repeats give twenty differences. Is their mean more than chance, is it large enough to matter, and does it
hold under other conditions? An *effect* is the mean of paired differences with its interval: `paired`, and `family`
where several are read together. A *verdict* is one of three words, by a fixed rule and never typed by hand: `judge`,
`combine`, `fact`. Beside them: the best of n trials (`expected_best`, `best_curve`), ranks of many strategies
(`ranks`), where noise comes from (`variance_parts`), and how many repeats it costs (`repeats_needed`, `detectable`).

An interval that contains 0 does not say that there is no effect. It says that these repeats cannot tell.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from hpt.domains import is_whole
from hpt.errors import InvalidInput, unknown
from hpt.seeds import stream

RESAMPLES = 9_999  # draws of the bootstrap, and for the intervals of variance parts


class Interval(NamedTuple):
    """A mean and the two ends of its interval."""

    mean: float
    low: float
    high: float

    def against(self, zero: str, below: str, above: str) -> str:
        """Return one of three words: the interval contains 0, lies below it, or above it. Ends of NaN show nothing."""
        if 0 < self.low <= self.high:
            return above
        return below if self.low <= self.high < 0 else zero


def interval(differences: Iterable[float], confidence: float = 0.95) -> Interval:
    """Return the mean of paired differences and its interval by Student's t distribution.

    Args:
        differences: one a repeat, at least two.
        confidence: how often such an interval covers the true mean.

    Raises:
        InvalidInput: for fewer than two differences.

    >>> [round(number, 2) for number in interval([1.0, 2.0, 3.0])]
    [2.0, -0.48, 4.48]
    """
    from scipy import stats

    values = np.asarray(list(differences), dtype=float)
    if len(values) < 2:
        raise InvalidInput(f"an interval needs two repeats in which both have a score, got {len(values)}")
    mean, half = float(values.mean()), float(stats.sem(values) * stats.t.ppf((1 + confidence) / 2, len(values) - 1))
    return Interval(mean, mean - half, mean + half)


@dataclass(frozen=True)
class Effect:
    """The mean of ``n`` paired differences, and its interval: in a family all hold together with ``confidence``."""

    mean: float
    low: float
    high: float
    n: int
    method: str
    confidence: float
    differences: tuple[float, ...] = field(repr=False)
    lost: int = 0
    """Pairs in which a score was missing: they are not among the ``n``."""

    def __str__(self) -> str:
        lost = f", {self.lost} lost" if self.lost else ""
        return f"{self.mean:+.3g} ({self.low:+.3g} to {self.high:+.3g}), n = {self.n}{lost}"


def paired(
    one: ArrayLike,
    other: ArrayLike | None = None,
    *,
    method: str = "t",
    confidence: float = 0.95,
    comparisons: int = 1,
    seed: int = 0,
) -> Effect:
    """Return the mean difference between pairs, with its interval.

    Args:
        one: a score a repeat, or the differences themselves.
        other: what they are held against, in the same order. Two pandas Series are paired by their index.
        method: ``"t"``, Student's t, or ``"bootstrap"``, bias-corrected and accelerated (BCa; Efron 1987). In
            simulations with 20 pairs, 95 % intervals covered the mean of normal differences in 95.0 % of the cases (t)
            and 92.5 % (bootstrap), of exponential ones in 91.8 % and 90.8 %: it is no cure for few pairs.
        confidence: how often the interval covers the true mean.
        comparisons: so many are read together: each interval is at 1 − (1 − confidence) / comparisons (Bonferroni).
        seed: of the bootstrap.

    Returns:
        An `Effect`. Pairs in which a score is missing (NaN) are left out: ``n`` says how many are left, ``lost`` how
        many are not. The interval speaks of repeats like these: of other splits of the same rows, where the splits
        vary. Splits share rows, so for rows that nobody has it is too narrow (Nadeau, Bengio 2003).

    Raises:
        InvalidInput, UnknownName: for fewer than two pairs, scores that do not pair, or settings that cannot be.

    >>> print(paired([0.91, 0.93, 0.92], [0.90, 0.90, 0.90]))
    +0.02 (-0.00484 to +0.0448), n = 3
    """
    from scipy import stats

    if method not in ("t", "bootstrap"):
        raise unknown("method", method, ["t", "bootstrap"])
    _check_share("confidence", confidence)
    if not is_whole(comparisons) or comparisons < 1:
        raise InvalidInput(f"comparisons must be a whole number of at least 1, got {comparisons!r}")
    pairs, level = _differences(one, other), 1 - (1 - confidence) / comparisons
    values = pairs[~np.isnan(pairs)]
    mean, low, high = interval(values, level)
    if method == "bootstrap" and np.ptp(values) > 0:  # of equal values BCa makes NaN
        draws = stream(seed, "bootstrap")
        found = stats.bootstrap((values,), np.mean, n_resamples=RESAMPLES, confidence_level=level, rng=draws)
        low, high = map(float, found.confidence_interval)
    return Effect(mean, low, high, len(values), method, confidence, tuple(values.tolist()), len(pairs) - len(values))


def family(
    differences: Mapping[str, ArrayLike], *, method: str = "t", confidence: float = 0.95, seed: int = 0
) -> dict[str, Effect]:
    """Return the effects of several comparisons that are read together: `paired`, widened until all intervals hold.

    Of twenty 95 % intervals one misses on average.
    """
    return {
        name: paired(values, method=method, confidence=confidence, comparisons=len(differences), seed=seed)
        for name, values in differences.items()
    }


def _differences(one: ArrayLike, other: ArrayLike | None) -> NDArray[np.float64]:
    if isinstance(one, pd.Series) and isinstance(other, pd.Series):
        if not (one.index.is_unique and other.index.is_unique):
            raise InvalidInput("two Series are paired by index: set it to the repeat, each once")
        one, other = one.align(other)
    ours = np.asarray(one, dtype=float)
    theirs = np.zeros_like(ours) if other is None else np.asarray(other, dtype=float)
    if ours.ndim != 1 or ours.shape != theirs.shape:
        raise InvalidInput(f"pairs need one score a repeat on both sides, got shapes {ours.shape} and {theirs.shape}")
    if np.isinf(ours).any() or np.isinf(theirs).any():
        raise InvalidInput("an infinite score has no mean: set it to NaN and report it, or compare ranks")
    return np.asarray(ours - theirs)


def _check_share(name: str, value: float) -> None:
    if isinstance(value, bool) or not 0 < value < 1:
        raise InvalidInput(f"{name} must be a share between 0 and 1, got {value!r}")


SUPPORTED, NOT_SUPPORTED, DEPENDS = "supported", "not supported here", "depends on"

BEYOND = "the interval lies beyond the margin"
OTHER_SIDE = "the other way round: the interval lies beyond the margin on the other side"
EQUAL = "practically equal: the interval lies inside ±margin"
SHORT = "not beyond the margin: the interval ends before it"
UNDECIDED = "undecided: the interval contains the margin"
REASONS = (BEYOND, OTHER_SIDE, EQUAL, SHORT, UNDECIDED)


@dataclass(frozen=True)
class Verdict:
    """What a claim comes to: a word, the reason, and for `DEPENDS` the condition. As text, word and condition."""

    word: str
    reason: str
    condition: str = ""

    def __str__(self) -> str:
        return f"{self.word} {self.condition}".rstrip()


def check_rule(margin: float, expected: str) -> None:
    """Refuse a rule by which `judge` cannot judge, before anything runs.

    Raises:
        InvalidInput, UnknownName: for a margin or an expectation that cannot be, or equality without a margin.
    """
    if expected not in ("above", "below", "equal"):
        raise unknown("expectation", expected, ["above", "below", "equal"])
    if not (margin > 0 if expected == "equal" else margin >= 0) or math.isinf(margin):
        raise InvalidInput(f"margin must be a finite number of 0 or more, for equality more than 0, got {margin!r}")


def judge(effect: Effect | Interval, margin: float = 0.0, expected: str = "above") -> Verdict:
    """Say whether an effect supports a claim that was made before looking.

    Args:
        effect: with its interval.
        margin: differences up to this size, either way, are practically nothing; chosen before looking. 0: only the
            sign counts.
        expected: what the claim says: ``"above"`` (supported if the whole interval lies above ``margin``), ``"below"``
            (below ``-margin``), or ``"equal"`` (inside ±``margin``).

    Returns:
        `SUPPORTED`, or `NOT_SUPPORTED`, whose reasons must not be mixed up: `OTHER_SIDE`, `EQUAL`, `SHORT` (it is at
        most practically equal), `UNDECIDED`, and `BEYOND` where equality was claimed. Where the truth is the margin
        itself, a 95 % interval says "above" in 2.5 % of the cases. Equality is judged more strictly than by two
        one-sided tests at 5 % (TOST; Schuirmann 1987), which ask the 90 % interval.

    Raises:
        InvalidInput, UnknownName: for a margin or an expectation that cannot be, or equality without a margin.

    >>> found = paired([0.91, 0.93, 0.92, 0.94], [0.90, 0.90, 0.90, 0.90])
    >>> print(judge(found), "|", judge(found, margin=0.05).reason)
    supported | practically equal: the interval lies inside ±margin
    """
    check_rule(margin, expected)
    low, high = (-effect.high, -effect.low) if expected == "below" else (effect.low, effect.high)
    if -margin <= low and high <= margin:
        return Verdict(SUPPORTED if expected == "equal" else NOT_SUPPORTED, EQUAL)
    if expected == "equal":
        return Verdict(NOT_SUPPORTED, BEYOND if low > margin or high < -margin else UNDECIDED)
    if low > margin:
        return Verdict(SUPPORTED, BEYOND)
    return Verdict(NOT_SUPPORTED, OTHER_SIDE if high < -margin else SHORT if high <= margin else UNDECIDED)


def combine(verdicts: Mapping[Any, Verdict], on: str) -> Verdict:
    """Make one verdict of those under several conditions, whose effects were judged as a `family`.

    Args:
        verdicts: by condition.
        on: what the conditions differ in, such as ``"the number of hyperparameters"``.

    Returns:
        The verdict that all share, else ``depends on <on>``; the reason lists the conditions on each side. Beware of
        "undecided" among them (Gelman, Stern 2006): two conditions with the same true effect, each found with a power
        of one half, "depend" half of the time. Whether they differ is told by the difference of their differences.
    """
    if not verdicts:
        raise InvalidInput("combine needs at least one verdict, got none")
    sides = {one: [str(name) for name, other in verdicts.items() if other == one] for one in verdicts.values()}
    first = next(iter(sides))
    if len(sides) == 1:
        return first
    reason = "; ".join(f"{verdict} ({verdict.reason}): {', '.join(names)}" for verdict, names in sides.items())
    shared = len({str(verdict) for verdict in sides}) == 1
    return Verdict(first.word, reason, first.condition) if shared else Verdict(DEPENDS, reason, on)


def fact(holds: bool, because: str) -> Verdict:
    """Return the verdict on a claim that needs no repeats: a count, or what is the same to the last bit."""
    if not isinstance(holds, bool | np.bool_):
        raise InvalidInput(f"a fact holds or does not: expected True or False, got {holds!r}")
    return Verdict(SUPPORTED if holds else NOT_SUPPORTED, because)


def expected_best(scores: ArrayLike, trials: ArrayLike, *, greater_is_better: bool = True) -> NDArray[np.float64]:
    """Return how good the best of n trials is on average, from a search that had N.

    The i-th worst score is the best of C(i−1, n−1) of the C(N, n) subsets. The mean over subsets is unbiased (Tang et
    al. 2020); that of Dodge et al. (2019) draws with replacement, which puts the best too low.

    Args:
        scores: of the N trials, shape ``(..., N)``. They must not depend on each other, as in random search.
        trials: one n or several, from 1 to N. The answer has the shape ``(..., *shape of trials)``.
        greater_is_better: which way is up.

    Raises:
        InvalidInput: for scores that are missing or infinite, or an n that is not from 1 to N.

    >>> expected_best([1, 2, 3], [1, 2, 3]).round(3).tolist()
    [2.0, 2.667, 3.0]
    """
    merits, n = np.asarray(scores, dtype=float) * (1 if greater_is_better else -1), np.asarray(trials)
    count = merits.shape[-1] if merits.ndim else 0
    if not count or not np.isfinite(merits).all():
        raise InvalidInput("scores must be finite, one a trial: give a failed trial what a user would be left with")
    if n.dtype.kind not in "iu" or n.size == 0 or n.min() < 1 or n.max() > count:
        raise InvalidInput(f"trials must be whole numbers from 1 to {count}, those of the search, got {trials!r}")
    left = count - np.arange(count)  # N for the best, 1 for the worst; each share from the one before
    shares = np.cumprod(np.where(left == count, n[..., None] / count, (left + 1 - n[..., None]) / left), axis=-1)
    best = np.tensordot(np.sort(merits)[..., ::-1], shares, axes=(-1, -1))
    return np.asarray(best if greater_is_better else -best)


def best_curve(
    scores: ArrayLike, trials: Sequence[int], *, greater_is_better: bool = True, confidence: float = 0.95
) -> pd.DataFrame:
    """Return `expected_best` of several n, averaged over studies: ``trials``, ``mean``, ``low``, ``high``.

    ``scores`` has the shape ``(studies, N)``; the interval at each n is Student's t over the studies, for that n alone.
    """
    if np.ndim(scores) != 2:
        raise InvalidInput(f"scores must have the shape (studies, trials), got {np.shape(scores)}")
    curves = expected_best(scores, trials, greater_is_better=greater_is_better)
    _check_share("confidence", confidence)
    rows = [(n, *interval(column, confidence)) for n, column in zip(trials, curves.T, strict=True)]
    return pd.DataFrame(rows, columns=["trials", "mean", "low", "high"])


@dataclass(frozen=True, eq=False)
class Ranks:
    """Mean ranks over ``n`` repeats, 1 is best; Friedman's ``statistic`` and ``p``.

    ``pairs``: p values by ``method``, corrected for their number. Means ``critical_difference`` apart differ.
    """

    mean: pd.Series[float]
    statistic: float
    p: float
    method: str
    pairs: pd.DataFrame
    critical_difference: float
    n: int


def ranks(table: pd.DataFrame, *, greater_is_better: bool = True, confidence: float = 0.95) -> Ranks:
    """Rank strategies in each repeat, and ask whether they differ at all, and which from which.

    Friedman's test, then Nemenyi's of all pairs (Demšar 2006). Ranks forget by how much, and the p value of a pair
    depends on who else takes part (Benavoli et al. 2016): for a pair that matters, use `paired`.

    Args:
        table: scores, repeats × strategies. Equals share a rank, a missing score comes last.
        greater_is_better: which way is up.
        confidence: of the critical difference.

    Raises:
        InvalidInput: for fewer than 3 strategies or 2 repeats.
    """
    from scikit_posthocs import posthoc_nemenyi_friedman
    from scipy import stats

    _check_share("confidence", confidence)
    n, k = table.shape
    if k < 3 or n < 2:
        raise InvalidInput(
            f"Friedman's test needs 3 strategies and 2 repeats, got {k} and {n}: compare two with paired"
        )
    places = table.rank(axis=1, ascending=not greater_is_better, na_option="bottom")
    differ = np.ptp(places.to_numpy(), axis=1).any()  # else SciPy would divide 0 by 0
    statistic, p = stats.friedmanchisquare(*places.to_numpy().T) if differ else (0.0, 1.0)
    reach = stats.studentized_range.ppf(confidence, k, np.inf) * math.sqrt(k * (k + 1) / (12 * n))
    mean, pairs = places.mean().sort_values(), posthoc_nemenyi_friedman(places)
    return Ranks(mean, float(statistic), float(p), "Nemenyi", pairs, float(reach), n)


def variance_parts(
    frame: pd.DataFrame, value: str, parts: Sequence[str], *, nested: bool = True, confidence: float = 0.95
) -> pd.DataFrame:
    """Split the variance of scores into what each source of chance adds, by a balanced analysis of variance.

    Args:
        frame: one row a score.
        value: column of the scores.
        parts: columns of the sources. Nested: from the outermost inwards, such as ``["split", "study", "seed"]``;
            study 0 of another split is another study. Crossed: every level meets every level of the other parts, and
            where they act together, that counts as rest (exact for two parts with one row for each pair of levels).
        nested: or crossed.
        confidence: of each interval by itself.

    Returns:
        One row a part, and ``"rest"`` for what is left, unless the innermost part names single rows: ``part``,
        ``levels``, ``variance`` (moment estimator; Searle, Casella, McCulloch 1992), ``low``, ``high``, and ``share``
        of the sum. Estimates and ends below 0 are put at 0. The intervals are generalized confidence intervals (Hannig,
        Iyer, Patterson 2006) for normal chance; where it was exponential, those of 95 % covered in 72 % to 79 %.

    Raises:
        InvalidInput, UnknownName: for an unbalanced design, something missing, or a part with a single level.
    """
    _check_share("confidence", confidence)
    names = list(parts)
    for name in (value, *names):
        if name not in frame:
            raise unknown("column", name, frame.columns)
    if not names or not len(frame) or frame[[value, *names]].isna().any(axis=None):
        raise InvalidInput("variance_parts needs a part, and a score and every level in every row")
    groups = [frame.groupby(names[: i + 1] if nested else name, observed=True) for i, name in enumerate(names)]
    cells = frame.groupby(names, observed=True)
    levels = [group.ngroups for group in groups]
    if any(np.ptp(group.size()) for group in (*groups, cells)) or not (nested or cells.ngroups == math.prod(levels)):
        raise InvalidInput("the design is not balanced: give every level of every part the same number of rows")
    if nested and levels[-1] == len(frame):
        groups.pop()
        levels.pop()
    else:
        names.append("rest")
    left = frame[value] - frame[value].mean()
    sums, freedom = [], []  # sums of squares around the part before (nested) or the grand mean (crossed)
    for i, (group, count) in enumerate(zip(groups, levels, strict=True)):
        means = left.groupby(group.ngroup()).transform("mean")
        left = left - means
        sums.append(float((means**2).sum()))
        freedom.append(count - (levels[i - 1] if nested and i else 1))
    sums.append(float((left**2).sum()))
    freedom.append(len(frame) - 1 - sum(freedom))
    if min(freedom) < 1:
        raise InvalidInput(f"each of {', '.join(names)} needs at least two levels or rows to vary over")
    # A part's mean square expects its variance × rows a level + the mean square of what lies within it. For the
    # interval, its truth is drawn: sum of squares / chi-squared.
    draws = stream(0, "variance parts").chisquare(freedom, (RESAMPLES, len(freedom)))
    squares = np.vstack([np.divide(sums, freedom), np.array(sums) / draws])
    within = squares[:, 1:] if nested else squares[:, -1:]
    squares[:, :-1] = (squares[:, :-1] - within) / (len(frame) / np.array(levels))
    found = np.clip(squares, 0, None)
    low, high = np.quantile(found[1:], [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    columns = {"part": names, "levels": [*levels, len(frame)], "variance": found[0], "low": low, "high": high}
    return pd.DataFrame(columns | {"share": found[0] / (found[0].sum() or 1.0)})


def repeats_needed(sd: float, difference: float, *, power: float = 0.8, confidence: float = 0.95) -> int:
    """Return how many pairs it takes to see a difference.

    Args:
        sd: standard deviation of the paired differences, from a pilot; that of ten may well be a third too low.
        difference: the true mean difference; with a margin, how far it lies beyond it.
        power: how often `judge` should then support the claim.
        confidence: of the interval that is judged; of k read together, 1 − (1 − confidence) / k.

    >>> repeats_needed(sd=1.0, difference=0.5)
    34
    """
    from statsmodels.stats.power import TTestPower

    alpha = _alpha(sd, power, confidence)
    if not 0 < abs(difference) < math.inf:
        raise InvalidInput(f"difference must be finite and not 0, got {difference!r}")

    def enough(n: int) -> bool:
        return bool(TTestPower().power(abs(difference) / sd, n, alpha, alternative="larger") >= power)

    most = 2
    while not enough(most):
        most *= 2
    return 2 + bisect_left(range(2, most), True, key=enough)


def detectable(sd: float, n: int, *, power: float = 0.8, confidence: float = 0.95) -> float:
    """Return the smallest true difference that n pairs, at least two, would show: the inverse of `repeats_needed`."""
    from statsmodels.stats.power import TTestPower

    alpha = _alpha(sd, power, confidence)
    if not is_whole(n) or n < 2:
        raise InvalidInput(f"n must be a whole number of pairs, at least 2, got {n!r}")
    return float(sd * TTestPower().solve_power(nobs=n, power=power, alpha=alpha, alternative="larger"))


def _alpha(sd: float, power: float, confidence: float) -> float:
    """Return how often `judge` supports a claim that is false by a hair: one end of the interval misses."""
    _check_share("power", power)
    _check_share("confidence", confidence)
    alpha = (1 - confidence) / 2
    if not 0 < sd < math.inf or power <= alpha:
        raise InvalidInput(f"sd must be finite and above 0, and power above {alpha:.3g}, got {sd!r} and {power!r}")
    return alpha
