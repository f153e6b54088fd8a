"""Reports: a winner trained again, the test part opened once, and everything on one page.

The best score of a search is the best of many, so it is too good to be true; and the winner was one network, under one
seed. A report answers what a reader of it asks next. Trained again under fresh seeds, how good is this configuration,
and how much does it vary? On rows that nothing has seen? Is it better than the default, which cost nothing to find?
Than a line? And what did it all cost?

Winner and default are trained in pairs, under the same seeds. Their difference has two intervals. The first is over the
seeds: what other runs on these very rows would give. The second draws the test rows anew as well, since a difference
on a hundred rows may be luck with these rows. The verdict follows the second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from textwrap import wrap
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from hpt import baselines
from hpt.comparison import Interval, interval
from hpt.data import Array
from hpt.domains import is_whole
from hpt.errors import InvalidInput, unknown
from hpt.metrics import METRICS, metric
from hpt.networks import DEFAULTS
from hpt.search import longest
from hpt.seeds import derive, stream
from hpt.study import Study
from hpt.tasks import Task
from hpt.training import Member, Run, Trainer

Section = tuple[str, list[tuple[str, str]]]

RESAMPLES = 400
"""How often the test rows are drawn anew."""


class Difference(NamedTuple):
    """One network's score minus another's, in pairs.

    Attributes:
        metric: name of the metric; the difference is in its units, whichever way it is up.
        seeds: mean, and its interval over the training seeds (Student's t).
        rows: the same mean, and an interval over seeds and rows, both drawn anew (percentile bootstrap; the rows of a
            series in blocks of 12, as neighbours are alike).
        verdict: ``"better"`` or ``"worse"`` where the second interval leaves out 0, else ``"no difference shown"``.
    """

    metric: str
    seeds: Interval
    rows: Interval
    verdict: str


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
        outputs: by name, what the networks answer on the test rows, in the units of the data, shape
            ``(repeats, rows, outputs)``; NaN where a network was lost.
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
    _in_blocks: bool = field(repr=False)
    _runs: dict[str, Run] = field(repr=False, compare=False)
    _known_rows: dict[tuple[str, str, str], Interval] = field(default_factory=dict, repr=False, compare=False)

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
        """Return a network's score minus another's, pair by pair.

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
        pairs = self._scores(self._known(network), name, rows) - self._scores(self._known(over), name, rows)
        seeds = interval(pairs.dropna(), self.confidence)
        wide = self._over_rows(name, network, over, seeds.mean) if rows == "test" else seeds
        up = METRICS[name].greater_is_better
        words = ("worse", "better") if up else ("better", "worse")
        return Difference(name, seeds, wide, wide.against("no difference shown", *words))

    def _over_rows(self, name: str, network: str, over: str, mean: float) -> Interval:
        """The interval over seeds and test rows, both drawn with replacement; the same rows for both networks."""
        if (name, network, over) in self._known_rows:  # it takes a second or two
            return self._known_rows[name, network, over]
        ours, theirs = self.outputs[network], self.outputs[over]
        whole = np.flatnonzero(np.isfinite(ours).all(axis=(1, 2)) & np.isfinite(theirs).all(axis=(1, 2)))
        draws = stream(self.facts["seed"], "rows")
        count, score, found = len(self.x_test), metric(name).score, []
        for _ in range(RESAMPLES):
            chosen = _drawn_rows(draws, count, 12 if self._in_blocks else 1)
            seeds = draws.choice(whole, len(whole))
            truth = self._truth[:, chosen][seeds] if self._truth.ndim > 2 else self._truth[chosen]
            found.append(
                np.mean(score(truth, ours[seeds][:, chosen])) - np.mean(score(truth, theirs[seeds][:, chosen]))
            )
        edge = (1 - self.confidence) / 2
        low, high = np.nanquantile(found, [edge, 1 - edge])  # NaN where no row of a class was drawn
        self._known_rows[name, network, over] = Interval(mean, float(low), float(high))
        return self._known_rows[name, network, over]

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

    def sections(self, varies: bool = True) -> list[Section]:
        """Return what a report states, as sections of labels and values.

        Args:
            varies: also say what differs from one machine to the next: seconds and versions.
        """
        facts, share = self.facts, f"{self.confidence:.0%}"
        repeats = len(self.outputs["tuned"])
        lost = int((self.scores["status"] != "complete").sum() // 2)
        tuned = [(name, _short(value)) for name, value in self.configurations["tuned"].items()]
        default = ", ".join(f"{name} {_short(value)}" for name, value in self.configurations["default"].items())
        seconds = {part: f", {facts[part + ' seconds']:.0f} s of training" if varies else "" for part in _PARTS}
        search = [
            ("strategy", f"{facts['strategy']}, {facts['trials']} trials, seed {facts['search seed']}"),
            ("best score", f"{_short(facts['search score'])} {self.objective} on validation rows: the best of many, so "
             "optimistic"),
            ("cost", f"{facts['search epochs']:,} epochs{seconds['search']}"),
        ]  # fmt: skip
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
        differences = []
        for name in self.metrics:
            one = self.difference(name)
            differences.append(
                (name, f"{one.seeds.mean:+.4g}; {share} over seeds {_ends(one.seeds)}, over seeds and rows "
                 f"{_ends(one.rows)}: {one.verdict}")
            )  # fmt: skip
        made = [("seed", str(facts["seed"])), ("test part", f"{len(self.x_test)} rows, opened once")]
        made += [("versions", ", ".join(f"{name} {v}" for name, v in facts["versions"].items()))] if varies else []
        return [
            ("Configuration", [*tuned, ("the default", default or "what the builder brings itself")]),
            ("Search", search),
            (f"Trained again, {repeats} fresh seeds, mean ± standard deviation", again),
            ("Baselines, test rows", beside),
            ("Tuned minus default, test rows, in pairs", differences),
            ("Made with", made),
        ]

    def to_text(self, varies: bool = True) -> str:
        """Return the page as text of at most 80 columns. ``varies`` as in `sections`."""
        lines = [f"Report on {self.task!r}"]
        for heading, rows in self.sections(varies):
            lines += ["", heading]
            indent = min(22, max((len(label) for label, _ in rows), default=0) + 2)
            for label, value in rows:
                first, *rest = wrap(value, 78 - indent) or [""]
                lines += [f"  {label + ' ':<{indent}}{first}", *(" " * (indent + 2) + part for part in rest)]
        return "\n".join(lines)

    def to_markdown(self, varies: bool = True) -> str:
        """Return the page as Markdown, a table a section. ``varies`` as in `sections`."""
        lines = [f"# Report on {_cell(self.task)}"]
        for heading, rows in self.sections(varies):
            lines += ["", f"## {heading}", "", "| | |", "|---|---|"]
            lines += [f"| {_cell(label)} | {_cell(value)} |" for label, value in rows]
        return "\n".join(lines) + "\n"

    def to_html(self, varies: bool = True, page: bool = False) -> str:
        """Return the page as HTML: a fragment, or a page that stands alone, light or dark as the reader's system is."""
        parts = [f"<h1>Report on {escape(self.task)}</h1>"]
        for heading, rows in self.sections(varies):
            inside = "".join(f"<dt>{escape(label)}</dt><dd>{escape(value)}</dd>" for label, value in rows)
            parts.append(f"<h2>{escape(heading)}</h2><dl>{inside}</dl>")
        body = f'<article class="hpt-report">{"".join(parts)}</article>'
        return _PAGE.format(title=escape(self.task), body=body) if page else body

    def _repr_html_(self) -> str:
        return self.to_html()

    def __repr__(self) -> str:
        return self.to_text()


_PARTS = ("search", "report")

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Report on {title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.5rem; }} h2 {{ font-size: 1.1rem; margin-top: 1.5rem; }}
dl {{ display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: 0.25rem 1rem; }}
dt {{ font-weight: 600; }} dd {{ margin: 0; overflow-wrap: anywhere; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _spread(pair: tuple[float, float]) -> str:
    return f"{pair[0]:.4g} ± {pair[1]:.2g}"


def _ends(one: Interval) -> str:
    return f"{one.low:+.3g} to {one.high:+.3g}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


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
        task: the task that was tuned.
        study: the search, from `hpt.tune`.
        repeats: how many pairs, at least 2. Repeat r trains both on fold r, counted round, under the same fresh seed.
        seed: of all of them; no seed of a search is among them.
        configuration: what to report on, default ``study.best``; of a search with costs a point of its front.
        also: further configurations by name, trained in the same repeats.
        confidence: of the intervals.
        trainer: trains them, default `hpt.training.stack.Stack`.

    Returns:
        A `Report`.

    Raises:
        TestAlreadyOpened: if the test part was opened before: a second look would make it validation data.
        InvalidInput: for a study of another task, too few repeats, or a name that is taken.
    """
    from hpt.training.stack import Stack

    if study.task != task.name:
        raise InvalidInput(f"this study tuned {study.task!r}, and the task is {task.name!r}: they belong together")
    if not is_whole(repeats) or repeats < 2:
        raise InvalidInput(f"repeats must be a whole number of at least 2, for an interval, got {repeats!r}")
    if {"default", "tuned"} & set(also or {}):
        raise InvalidInput("'default' and 'tuned' are in every report: call the further configurations otherwise")
    if task.split.test.opened is not None:
        task.split.test.open()  # raises, before anything is trained
    best = dict(study.best if configuration is None else configuration)
    networks = {"default": {}, "tuned": best, **{name: dict(one) for name, one in (also or {}).items()}}
    folds = [repeat % len(task.split.folds) for repeat in range(repeats)]
    seeds = [derive(seed, "report", repeat) for repeat in range(repeats)]
    trainer = trainer or Stack()
    runs = {
        name: trainer.start(task, [Member(one, *pair) for pair in zip(seeds, folds, strict=True)])
        for name, one in networks.items()
    }
    trainer.advance([(run, longest(task, networks[name])) for name, run in runs.items()])
    x, y = task.split.test.open()
    arrays = {fold: task.arrays(fold) for fold in set(folds)}
    truth = {fold: baselines.targets(task, one, x, y) for fold, one in arrays.items()}
    inputs = {fold: one.transform(x) for fold, one in arrays.items()}
    rows: list[dict[str, Any]] = []
    outputs = {name: np.full((repeats, len(x), task.shape.outputs), np.nan) for name in networks}
    for name, run in runs.items():
        for repeat, (progress, fold) in enumerate(zip(run.progress, folds, strict=True)):
            test = dict.fromkeys(task.metrics, np.nan)
            if progress.status == "complete":
                found = arrays[fold].restore(run.outputs(repeat, inputs[fold]))
                outputs[name][repeat] = found.reshape(len(x), -1)
                test = {m: metric(m).score(truth[fold], found) for m in task.metrics}
            row = {"network": name, "repeat": repeat, "fold": fold, "seed": seeds[repeat]}
            end = {"status": progress.status, "reason": progress.reason}
            seen = dict.fromkeys(task.metrics, np.nan) | progress.metrics
            rows += [{**row, "rows": "validation", **seen, **end}, {**row, "rows": "test", **test, **end}]
    progresses = [progress for run in runs.values() for progress in run.progress]
    return Report(
        task=task.name,
        objective=task.objective.name,
        configurations={
            "default": {name: value for name, value in {**DEFAULTS, **task.defaults}.items() if name in best},
            **{name: task.configuration(one) for name, one in networks.items() if name != "default"},
        },
        scores=pd.DataFrame(rows),
        baselines=_judged_baselines(task, x, y, sorted(set(folds)), best),
        x_test=x,
        y_test=y,
        outputs=outputs,
        facts={
            "strategy": study.strategy,
            "trials": len(study.trials),
            "search seed": study.seed,
            "search score": study.best_score,
            "search epochs": study.epochs,
            "search seconds": float(study.trials["seconds"].sum()),
            "report epochs": sum(progress.epochs for progress in progresses),
            "report seconds": sum(progress.seconds for progress in progresses),
            "seed": seed,
            "versions": _versions(),
        },
        confidence=confidence,
        _truth=np.stack([truth[fold] for fold in folds]) if task.shape.problem == "autoencoder" else y,
        _in_blocks=task.dataset.times is not None,
        _runs=runs,
    )


def _judged_baselines(task: Task, x: Array, y: Array, folds: list[int], best: Mapping[str, Any]) -> pd.DataFrame:
    """Judge the baselines on validation and test rows, and take the mean over the folds."""
    frames = []
    for fold in folds:
        arrays = task.arrays(fold)
        truth = baselines.targets(task, arrays, x, y)
        found = {name: answers(x) for name, answers in baselines.fitted(task, fold, best).items()}
        test = {name: {m: metric(m).score(truth, out) for m in task.metrics} for name, out in found.items()}
        frames.append(baselines.baseline(task, fold=fold, configuration=best).assign(rows="validation"))
        frames.append(pd.DataFrame.from_dict(test, orient="index").rename_axis("baseline").assign(rows="test"))
    return pd.concat(frames).groupby(["baseline", "rows"], sort=False).mean().reset_index()


def _versions() -> dict[str, str]:
    from importlib.metadata import version
    from platform import python_version

    import hpt

    others = {name: version(name) for name in ("tensorflow", "keras", "optuna", "scikit-learn", "numpy")}
    return {"hpt": hpt.__version__, "Python": python_version(), **others}
