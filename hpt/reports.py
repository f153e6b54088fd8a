"""Reports: a winner trained again, the test part opened once, and everything on one page.

The best score of a search is the best of many, so it is too good to be true; and the winner was one network, under one
seed. A report answers what a reader of it asks next. Trained again under fresh seeds, how good is this configuration,
and how much does it vary? On rows that nothing has seen? Is it better than the default, which cost nothing to find?
Than a line? And what did it all cost?

Winner and default are trained in pairs, under the same seeds. Their difference has two intervals. The first is over the
seeds: what other runs on these very rows would give. The second draws the test rows anew as well, since a difference
on a hundred rows may be luck with these rows. The verdict wants both to leave out 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from hpt import baselines, pages
from hpt.builders import LOOP, KerasBuilder
from hpt.data import Array
from hpt.domains import is_whole
from hpt.errors import InvalidInput, unknown
from hpt.evidence import Interval, interval
from hpt.metrics import METRICS, metric
from hpt.networks import DEFAULTS
from hpt.search import longest, members
from hpt.seeds import derive, stream
from hpt.study import Study
from hpt.tasks import Task
from hpt.training import Run, Trainer

RESAMPLES = 1000
"""How often seeds and test rows are drawn anew."""


ROW_MEANS = frozenset({"accuracy", "top_5_accuracy", "log_loss", "mae", "mape", "mse"})
"""Metrics that are means over the rows, so that other rows need no new judgement; the others are judged each time."""


class Difference(NamedTuple):
    """Tuned minus default: one network's score minus another's, in pairs.

    Attributes:
        metric: name of the metric. The difference is in its units: of an error, below 0 is better.
        seeds: mean, and its interval over the training seeds (Student's t).
        rows: the same mean, and an interval over seeds and rows, both drawn anew (percentile bootstrap; the rows of a
            series in blocks of 12, as neighbours are alike). For validation rows it is `seeds` again.
        verdict: ``"better"`` or ``"worse"`` where both intervals leave out 0, else ``"no difference shown"``. (Two
            stacks add the same numbers in another order: a ten-thousandth of the score is no difference.)
        left_out: how many of the `RESAMPLES` behind `rows` have no score, since no row of a class was drawn.
    """

    metric: str
    seeds: Interval
    rows: Interval
    verdict: str
    left_out: int = 0


@dataclass(frozen=True, repr=False)
class Report:
    """What became of a search. Printed, it is one page.

    Attributes:
        task: name of the task.
        objective: the metric that decided.
        configurations: of each network by name, ``"default"`` and ``"tuned"`` first; of the default what the search
            could have changed.
        scores: a row for each network, repeat and part of the data: ``network``, ``repeat``, ``fold``, ``seed``,
            ``rows`` (``"validation"`` or ``"test"``), every metric, ``status`` and ``reason``.
        baselines: a row for each baseline and part: ``baseline``, ``rows``, every metric; the mean over the folds.
        x_test: the test inputs, as opened.
        y_test: the test targets.
        outputs: by name, what the networks answer on the test rows, shape ``(repeats, rows, outputs)``: probabilities,
            or numbers in the units of the data; reconstructions as scaled as the inputs were. NaN where a network was
            lost.
        facts: strategy, trials, scores and costs of the search and of this report, seeds and versions, by name.
        confidence: of the intervals.
    """

    task: str
    objective: str
    configurations: dict[str, dict[str, Any]]
    scores: pd.DataFrame
    baselines: pd.DataFrame
    x_test: Array
    y_test: Array
    outputs: dict[str, Array]
    facts: dict[str, Any]
    confidence: float
    _truth: Array = field(repr=False)
    _block: int = field(repr=False)
    _runs: dict[str, Run] = field(repr=False, compare=False)
    _differences: dict[tuple[str, ...], Difference] = field(default_factory=dict, repr=False, compare=False)

    @property
    def metrics(self) -> list[str]:
        """The metrics of the task; the first one is the objective."""
        return [column for column in self.scores if column in METRICS]

    def model(self, network: str = "tuned", repeat: int = 0) -> Any:
        """Return one of the networks as a Keras model, which takes scaled inputs (``task.arrays().transform``).

        Raises:
            UnknownName: for a network that is not in the report.
            InvalidInput: for a repeat that is not there, or that was lost.
        """
        run, repeats = self._runs[self._known(network)], len(self.outputs["tuned"])
        if not is_whole(repeat) or not 0 <= repeat < repeats:
            raise InvalidInput(f"repeat must be 0 to {repeats - 1}, got {repeat!r}")
        progress = run.progress[repeat]
        if progress.status != "complete":
            raise InvalidInput(f"this network {progress.status}: {progress.reason}")
        return run.model(repeat)

    def mean(self, network: str = "tuned", metric: str | None = None, rows: str = "test") -> tuple[float, float]:
        """Return a network's mean score over the repeats, and its standard deviation; what was lost is left out."""
        values = self._scores(self._known(network), self._metric(metric), rows).dropna()
        return float(values.mean()), float(values.std(ddof=1))

    def difference(
        self, metric: str | None = None, rows: str = "test", network: str = "tuned", over: str = "default"
    ) -> Difference:
        """Return tuned minus default, pair by pair: a network's score minus another's under the same seed.

        Args:
            metric: which one, default the objective.
            rows: ``"test"``, or ``"validation"``, where only the interval over the seeds is known and decides.
            network: whose score.
            over: whose score is taken off.

        Raises:
            UnknownName: for a metric, part or network that the report does not have.
            InvalidInput: where fewer than two pairs are whole.
        """
        name = self._metric(metric)
        key = name, rows, network, over
        if key not in self._differences:
            pairs = (
                self._scores(self._known(network), name, rows) - self._scores(self._known(over), name, rows)
            ).dropna()
            seeds = interval(pairs, self.confidence)
            both, left_out = seeds, 0
            if rows == "test":
                both, left_out = self._over_rows(name, network, over, pairs.index.to_numpy(), seeds.mean)
            words = ("worse", "better") if METRICS[name].greater_is_better else ("better", "worse")
            verdicts = {one.against(_NONE, *words) for one in (seeds, both)}
            tiny = abs(seeds.mean) < 1e-4 * abs(self.mean(over, name, rows)[0])
            verdict = verdicts.pop() if len(verdicts) == 1 and not tiny else _NONE
            self._differences[key] = Difference(name, seeds, both, verdict, left_out)
        return self._differences[key]

    def _over_rows(self, name: str, network: str, over: str, whole: Array, mean: float) -> tuple[Interval, int]:
        """The interval over seeds and test rows, both drawn with replacement; the same rows for both networks.

        Where no row of a class was drawn there may be no score: such resamples are left out, and counted.
        """
        draws, found = stream(self.facts["seed"], "rows"), []
        ours, theirs = self.outputs[network], self.outputs[over]
        alone = self._row_by_row(name, ours) - self._row_by_row(name, theirs) if name in ROW_MEANS else None
        for _ in range(RESAMPLES):
            rows = _drawn_rows(draws, len(self.x_test), self._block)
            seeds, times = np.unique(draws.choice(whole, len(whole)), return_counts=True)  # each is judged once
            place = np.ix_(seeds, rows)
            if alone is not None:
                pairs = alone[place].mean(axis=1)
            else:
                truth = self._truth[place] if self._truth.ndim > 2 else self._truth[rows]
                pairs = metric(name).score(truth, ours[place]) - metric(name).score(truth, theirs[place])
            found.append(np.average(pairs, weights=times))
        edge, kept = (1 - self.confidence) / 2, np.array(found)[~np.isnan(found)]
        low, high = np.quantile(kept, [edge, 1 - edge]) if len(kept) else (np.nan, np.nan)
        return Interval(mean, float(low), float(high)), RESAMPLES - len(kept)

    def _row_by_row(self, name: str, outputs: Array) -> Array:
        """Every row judged by itself, shape ``(repeats, rows)``."""
        truth = np.expand_dims(self._truth, 2 if self._truth.ndim > 2 else 1)
        return np.asarray(metric(name).score(truth, outputs[:, :, None]))

    def _known(self, network: str) -> str:
        if network not in self.outputs:
            raise unknown("network", network, self.outputs)
        return network

    def _metric(self, name: str | None) -> str:
        if name is not None and name not in self.metrics:
            raise unknown("metric", name, self.metrics)
        return name or self.objective

    def _scores(self, network: str, metric: str, rows: str) -> pd.Series:
        if rows not in ("validation", "test"):
            raise unknown("part of the data", rows, ["validation", "test"])
        own = self.scores[(self.scores["network"] == network) & (self.scores["rows"] == rows)]
        return own.set_index("repeat")[metric].astype(float)

    # --- one page, in three forms

    def sections(self, varies: bool = True) -> list[pages.Section]:
        """Return what a report states, as sections of labels and values.

        Args:
            varies: also say what differs from one machine to the next: seconds and versions.
        """
        facts = self.facts
        repeats = len(self.outputs["tuned"])
        lost = int((self.scores["status"] != "complete").sum() // 2)
        tuned = [(name, _short(value)) for name, value in self.configurations["tuned"].items()]
        default = ", ".join(f"{name} {_short(value)}" for name, value in self.configurations["default"].items())
        seconds = {part: f", {facts[part + ' seconds']:.0f} s of training" if varies else "" for part in _PARTS}
        score, best = facts["search score"], facts["best score"]
        chosen = "the best of many" if score == best else f"chosen among many, of which the best had {_short(best)}"
        found = f"{_short(score)} {self.objective} on validation rows: {chosen}, so optimistic"
        search = [
            ("strategy", f"{facts['strategy']}, {facts['trials']} trials, seed {facts['search seed']}"),
            ("score", found if score is not None else "none: the search did not try this configuration to the end"),
            ("cost", f"{facts['search epochs']:,} epochs{seconds['search']}"),
        ]
        again = [
            (f"{name}, {rows}", ", ".join(f"{m} {_spread(self.mean(name, m, rows))}" for m in self.metrics))
            for rows in ("validation", "test")
            for name in self.outputs
        ]
        again += [
            ("lost", f"{lost} of {repeats * len(self.outputs)} networks diverged or failed, and are left out"),
            ("cost", f"{facts['report epochs']:,} epochs{seconds['report']}"),
        ]
        beside = [
            (row["baseline"], ", ".join(f"{m} {_short(row[m])}" for m in self.metrics))
            for row in self.baselines[self.baselines["rows"] == "test"].to_dict("records")
        ]
        differences = [(name, self._in_words(name)) for name in self.metrics] + _READING
        made = [("seed", str(facts["seed"])), ("test part", f"{len(self.x_test)} rows, opened once")]
        made += [("versions", ", ".join(f"{name} {v}" for name, v in facts["versions"].items()))] if varies else []
        return [
            ("Configuration", [*tuned, ("the default", default or "what the builder brings itself")]),
            ("Search", search),
            (f"Trained again, {repeats} fresh seeds, mean ± standard deviation", again),
            ("Baselines, test rows", beside),
            (f"Tuned minus default, test rows, in pairs, intervals of {100 * self.confidence:.4g} %", differences),
            ("Made with", made),
        ]

    def _in_words(self, name: str) -> str:
        try:
            one = self.difference(name)
        except InvalidInput as error:  # too many networks were lost: the page still says the rest
            return str(error)
        over = f"over seeds {_ends(one.seeds)}; over seeds and rows {_ends(one.rows)}"
        if one.left_out:
            over += f", {one.left_out:,} of {RESAMPLES:,} resamples left out, for they have no {name}"
        return f"{one.seeds.mean:+.4g}; {over}: {one.verdict}"

    def to_text(self, varies: bool = True) -> str:
        """Return the page as text of at most 72 columns. ``varies`` as in `sections`."""
        return pages.text(f"Report on {self.task!r}", self.sections(varies))

    def to_markdown(self, varies: bool = True) -> str:
        """Return the page as Markdown, a table a section. ``varies`` as in `sections`."""
        return pages.markdown(f"Report on {self.task!r}", self.sections(varies))

    def to_html(self, varies: bool = True, page: bool = False) -> str:
        """Return the page as HTML: a fragment, or a page that stands alone, light or dark as the reader's system is."""
        return pages.html(f"Report on {self.task!r}", self.sections(varies), page)

    def _repr_html_(self) -> str:
        return self.to_html()

    def __repr__(self) -> str:
        return self.to_text()


_PARTS = ("search", "report")
_NONE = "no difference shown"

_READING = [
    ("over seeds", "what other runs would give, judged on these very test rows"),
    ("over seeds and rows", "what other runs would give, judged on other rows like these"),
    ("verdict", "better or worse where both intervals leave out 0, else no difference shown"),
]
"""How to read the two intervals and the verdict."""


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _spread(pair: tuple[float, float]) -> str:
    return f"{pair[0]:.4g} ± {pair[1]:.2g}"


def _ends(one: Interval) -> str:
    return f"{one.low:+.3g} to {one.high:+.3g}"


def _drawn_rows(draws: np.random.Generator, count: int, block: int) -> Array:
    """Row numbers drawn with replacement, in blocks of neighbours; as many as there are."""
    block = min(block, count)
    firsts = draws.integers(0, count - block + 1, -(-count // block))
    return np.asarray((firsts[:, None] + np.arange(block)).ravel()[:count])


def report(
    task: Task,
    study: Study,
    *,
    repeats: int = 20,
    seed: int = 0,
    configuration: Mapping[str, Any] | None = None,
    also: Mapping[str, Mapping[str, Any]] | None = None,
    confidence: float = 0.95,
    trainer: Trainer | None = None,
) -> Report:
    """Train the winner of a search and the default again, open the test part, and write down what came out.

    Args:
        task: the task that was tuned; its folds may be others, its test part may not.
        study: the search, from `hpt.tune`. If that was given a patience, all networks here have it too.
        repeats: how many pairs, at least 2. Repeat r trains both on fold r, counted round, under the same fresh seed;
            with the fold and the seed of its row in ``scores``, and the study's patience if it has one, `hpt.train`
            trains the network again.
        seed: of all of them; no seed of a search is among them.
        configuration: what to report on, default ``study.best``; of a search with costs a point of its front, as in
            ``study.configurations[number]``.
        also: further configurations by name, trained in the same repeats.
        confidence: of the intervals.
        trainer: trains them, default `hpt.training.stack.Stack`.

    Returns:
        A `Report`.

    Raises:
        TestAlreadyOpened: if the test part was opened before: a second look would make it validation data.
        InvalidInput: for a study of another task, other data or another test part, too few repeats, a confidence that
            is none, or a name that is taken.
    """
    from hpt.training.stack import Stack

    if study.task != task.name:
        raise InvalidInput(f"this study tuned {study.task!r}, and the task is {task.name!r}: they belong together")
    if study.fingerprint != task.split.fingerprint:
        raise InvalidInput(
            "this study searched other data than this task has, or another split of them, so it may have trained on "
            "rows of this test part: report on the task that was tuned, or tune this one first"
        )
    if not is_whole(repeats) or repeats < 2:
        raise InvalidInput(f"repeats must be a whole number of at least 2, for an interval, got {repeats!r}")
    if not 0 < confidence < 1:
        raise InvalidInput(f"confidence is a share between 0 and 1, such as 0.95, got {confidence!r}")
    if {"default", "tuned"} & set(also or {}):
        raise InvalidInput("'default' and 'tuned' are in every report: call the further configurations otherwise")
    if task.split.test.opened is not None:
        task.split.test.open()  # raises, before anything is trained
    if study.patience is not None:
        task = replace(task, defaults={**task.defaults, "patience": study.patience})
    best, best_score = dict(study.best if configuration is None else configuration), study.best_score
    networks = {"default": {}, "tuned": best, **{name: dict(one) for name, one in (also or {}).items()}}
    count = len(task.split.folds)
    folds = [repeat % count for repeat in range(repeats)]
    seeds = [derive(seed, "report", repeat) for repeat in range(repeats)]
    arrays = {fold: task.arrays(fold) for fold in set(folds)}
    simple = {fold: baselines.fitted(task, fold, best) for fold in arrays}
    # On validation rows first: what can go wrong should do so while the test part is closed.
    beside = []
    for fold, answers in simple.items():
        held = task.split.folds[fold].validation
        seen = baselines.judged(task, arrays[fold], answers, task.dataset.x[held], task.dataset.y[held])
        beside.append(seen.assign(rows="validation"))
    trainer = trainer or Stack()
    runs = {
        name: trainer.start(task, [members(one, own, count)[fold] for own, fold in zip(seeds, folds, strict=True)])
        for name, one in networks.items()
    }
    trainer.advance([(run, longest(task, networks[name])) for name, run in runs.items()])
    x, y = task.split.test.open()
    beside += [baselines.judged(task, arrays[fold], one, x, y).assign(rows="test") for fold, one in simple.items()]
    truth = {fold: task.targets(one, x, y) for fold, one in arrays.items()}
    inputs = {fold: one.transform(x) for fold, one in arrays.items()}
    rows: list[dict[str, Any]] = []
    outputs = {name: np.full((repeats, len(x), task.shape.outputs), np.nan, "float32") for name in networks}
    for name, run in runs.items():
        for repeat, (progress, fold) in enumerate(zip(run.progress, folds, strict=True)):
            test = dict.fromkeys(task.metrics, np.nan)
            if progress.status == "complete":
                found = arrays[fold].restore(run.outputs(repeat, inputs[fold]))
                outputs[name][repeat] = found.reshape(len(x), -1)
                test = {m: metric(m).score(truth[fold], found) for m in task.metrics}
            row = {"network": name, "repeat": repeat, "fold": fold, "seed": seeds[repeat]}
            end = {"status": progress.status, "reason": progress.reason}
            known = dict.fromkeys(task.metrics, np.nan) | progress.metrics
            rows += [{**row, "rows": "validation", **known, **end}, {**row, "rows": "test", **test, **end}]
    progresses = [progress for run in runs.values() for progress in run.progress]
    return Report(
        task=task.name,
        objective=task.objective.name,
        configurations={
            "default": {name: value for name, value in _default(task).items() if name in best},
            **{name: task.configuration(one) for name, one in networks.items() if name != "default"},
        },
        scores=pd.DataFrame(rows),
        baselines=pd.concat(beside).groupby(["baseline", "rows"], sort=False).mean().reset_index(),  # over the folds
        x_test=x,
        y_test=y,
        outputs=outputs,
        facts={
            "strategy": study.strategy,
            "trials": len(study.trials),
            "search seed": study.seed,
            "search score": _score_of(study, best),
            "best score": best_score,
            "search epochs": study.epochs,
            "search seconds": float(study.trials["seconds"].sum()),
            "report epochs": sum(progress.epochs for progress in progresses),
            "report seconds": sum(progress.seconds for progress in progresses),
            "seed": seed,
            "versions": pages.versions(),
        },
        confidence=confidence,
        # An autoencoder's truth is its scaled inputs, and each fold has its own scale.
        _truth=np.stack([truth[fold] for fold in folds]) if task.shape.problem == "autoencoder" else y,
        _block=1 if task.dataset.times is None else baselines.SEASON,
        _runs=runs,
    )


def _default(task: Task) -> dict[str, Any]:
    """What a network of the task is like where its configuration is silent, as far as it is known.

    The defaults of `hpt.networks` are those of its own builders; of others only the training loop reads them.
    """
    build = task.build.function if isinstance(task.build, KerasBuilder) else task.build
    own = getattr(build, "__module__", None) == "hpt.networks"
    known = {name: value for name, value in DEFAULTS.items() if own or name in LOOP}
    return {"epochs": task.epochs, **known, **task.defaults}


def _score_of(study: Study, configuration: Mapping[str, Any]) -> float | None:
    """The score that the search saw for a configuration, in what it searched, at the end of a training.

    The best where it saw several, None where it saw none.
    """
    tried = [
        place
        for place, one in enumerate(study.configurations)
        if study.trials["status"].iloc[place] == "complete"
        and one == {name: configuration[name] for name in one if name in configuration}
    ]
    scores = study.trials["score"].iloc[tried].dropna()
    if scores.empty:
        return None
    return float(scores.max() if study.greater_is_better else scores.min())
