"""What came out, in words: tables of plain text, the best so far as a line of bars, whole pages, and JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hpt import pages
from hpt.comparison import Comparison
from hpt.diagnosis import LEAST, diagnose, failures
from hpt.errors import InvalidInput
from hpt.reports import Report
from hpt.study import Study
from hpt.tasks import Task

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 40
"""Most bars in a line."""
TOP = 5
"""So many trials are listed."""


def as_json(value: Any) -> str:
    """Return a value as JSON; what is no number is null there.

    >>> as_json({"score": float("nan"), "trials": np.int64(3)})
    '{"score": null, "trials": 3}'
    """
    return json.dumps(plain(value), ensure_ascii=False)


def plain(value: Any) -> Any:
    """Return a value as what JSON knows; other objects become their text."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame, the columns named by text."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as aligned columns, numbers to the right, four digits.

    >>> print(table([{"trial": 3, "optimizer": "adam"}, {"trial": 12, "optimizer": None}]))
    trial  optimizer
        3  adam
       12  –
    >>> print(table([{"rmse": 36140.2}, {"rmse": 0.00012345}]))
         rmse
       36,140
    0.0001234
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [names, *([short(row.get(name)) for name in names] for row in rows)]
    right = [all(_is_number(row.get(name)) for row in rows) for name in names]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = (
        "  ".join(
            f"{cell:>{width}}" if end else f"{cell:<{width}}"
            for cell, width, end in zip(line, widths, right, strict=True)
        )
        for line in cells
    )
    return "\n".join(line.rstrip() for line in lines)


def sheet(title: str, rows: Sequence[Mapping[Any, str]]) -> str:
    """Return rows of long texts below each other, the first cell of each as its heading."""
    return pages.text(title, [(first, [*map(_pair, rest)]) for row in rows for (_, first), *rest in [row.items()]])


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def short(value: Any) -> str:
    """Return a value in a few characters, a missing one as a dash."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, float) and 9999.5 <= abs(value) < 1e12:
        return f"{value:,.0f}"
    return f"{value:.4g}" if isinstance(value, float) else " ".join(str(value).split())


def completed(study: Study) -> pd.DataFrame:
    """Return the complete trials of a study, the best first."""
    done = study.trials[study.trials["status"] == "complete"]
    return done.sort_values("score", ascending=not study.greater_is_better, kind="stable")


def top(study: Study, count: int = TOP) -> list[dict[str, Any]]:
    """Return the best trials of a study: their numbers, scores, epochs and configurations."""
    return [
        {"trial": int(row["number"]), study.objective: float(row["score"]), "epochs": int(row["epochs"]), **found}
        for row in completed(study).head(count).to_dict("records")
        for found in [study.configurations[row["number"]]]
    ]


def bars(study: Study) -> str:
    """Return the best score so far as a line of bars, from the first complete trial to the last one."""
    done = study.trials[study.trials["status"] == "complete"]["score"].astype(float)
    best = (done.cummax() if study.greater_is_better else done.cummin()).to_numpy()
    shown = best[np.linspace(0, len(best) - 1, min(WIDTH, len(best))).round().astype(int)]
    span = np.ptp(shown)
    levels = ((shown - shown.min()) / span * (len(BARS) - 1)).round().astype(int) if span else np.full(len(shown), 3)
    return f"{''.join(BARS[level] for level in levels)}  {short(float(best[0]))} → {short(float(best[-1]))}"


def summary(study: Study) -> str:
    """Return what a search found: its counts, its best, the way there and the best trials."""
    if completed(study).empty:
        return repr(study)
    return f"{study!r}\n\nbest so far  {bars(study)}\n\n{table(top(study))}"


def facts(study: Study) -> dict[str, Any]:
    """Return what a search found, for JSON."""
    found = top(study, 1)
    best = None
    if found:
        row = study.trials.iloc[study.best_trial]
        best = {
            "trial": study.best_trial,
            "score": study.best_score,
            "configuration": study.best,
            "epochs": row["epochs"],
            "seed": row["seed"],
        }
    return {
        "task": study.task,
        "strategy": study.strategy,
        "seed": study.seed,
        "objective": study.objective,
        "greater_is_better": study.greater_is_better,
        "trials": len(study.trials),
        "ended": study.trials["status"].value_counts().to_dict(),
        "epochs": study.epochs,
        "seconds": float(study.trials["seconds"].sum()),
        "interrupted": study.interrupted,
        "best": best,
    }


# --- comparisons


def compared(found: Comparison) -> dict[str, Any]:
    """Return what a comparison found, for JSON: medians over the repeats, and gains over the first strategy."""
    first, *_ = found.strategies
    ends = [
        {"strategy": name, "validation": own["score"].median(), "test": own["test"].median(), "repeats": len(own)}
        for name, own in found.final().groupby("strategy", sort=False)
    ]
    return {
        "task": found.task,
        "objective": found.objective,
        "epochs": dict(found.epochs),
        "medians": ends,
        "over": first,
        "gains": {rows: _gains(found, first, column) for rows, column in (("validation", "score"), ("test", "test"))},
        "interrupted": found.interrupted,
    }


def _gains(found: Comparison, over: str, column: str) -> list[dict[str, Any]]:
    try:
        return records(found.gains(over, column))
    except InvalidInput:  # fewer than two repeats have a score of both
        return []


def comparison(found: Comparison) -> str:
    """Return what a comparison found, as text."""
    facts = compared(found)
    parts = [repr(found), f"median {found.objective} at the end, {max(found.epochs.values()):,} epochs a search"]
    parts.append(table(facts["medians"]))
    for rows, gains in facts["gains"].items():
        parts += [f"gain over {facts['over']} on {rows} rows, above 0 is better, 95 % interval"]
        parts += [table(gains) if gains else "too few repeats have a score"]
    return "\n\n".join(parts)


# --- reports


@dataclass(frozen=True)
class Page:
    """What there is to say about a stored study.

    Args:
        row: of the study in `hpt.storage.studies`.
        study: as far as it came.
        task: that it searched, if it could be made again.
        tested: its report on test rows, if there is one.
    """

    row: Mapping[str, Any]
    study: Study
    task: Task | None
    tested: Report | None

    def to_text(self) -> str:
        """Return the page as text."""
        return pages.text(self._title, self._sections())

    def to_html(self, pictures: str) -> str:
        """Return the page as HTML that stands alone; the pictures, HTML too, come last."""
        return pages.html(self._title, self._sections(), page=True).replace("</article>", f"{pictures}</article>")

    def to_dict(self) -> dict[str, Any]:
        """Return the page as values, for JSON."""
        tested = None
        if self.tested is not None:
            tested = [
                {"network": network, "metric": name, "rows": rows, "mean": mean, "sd": sd}
                for network in self.tested.outputs
                for name in self.tested.metrics
                for rows in ("validation", "test")
                for mean, sd in [self.tested.mean(network, name, rows)]
            ]
        looked = self._diagnosis()
        return {
            "name": self.row["name"],
            "came_to_its_end": self.row["ended"],
            **facts(self.study),
            "top": top(self.study),
            "failures": records(failures(self.study)),
            "diagnosis": None if isinstance(looked, str) else looked,
            "tested": tested,
        }

    @property
    def _title(self) -> str:
        return f"Report on {self.row['name']!r}"

    def _sections(self) -> list[pages.Section]:
        sections = [("Search", self._search()), *self._best(), ("Lost", self._lost())]
        looked = self._diagnosis()
        if isinstance(looked, str):
            sections.append(("Where to look next", [("diagnosis", looked)]))
        else:
            sections.append(("Where to look next", [(one["hyperparameter"], _advice(one)) for one in looked or []]))
        said = [(heading, rows) for heading, rows in sections if rows]
        return said + (self.tested.sections()[2:] if self.tested is not None else [])

    def _search(self) -> list[tuple[str, str]]:
        study, task = self.study, self.task
        ended = ", ".join(f"{count} {status}" for status, count in study.trials["status"].value_counts().items())
        rows = f", {task.dataset.problem}, {len(task.dataset):,} rows" if task is not None else ""
        return [
            ("task", study.task + rows),
            ("strategy", f"{study.strategy}, seed {study.seed}"),
            ("trials", ended or "none"),
            ("cost", f"{study.epochs:,} epochs, {study.trials['seconds'].sum():.0f} s of training"),
            ("came", "to its end" if self.row["ended"] else "not to its end yet: hpt resume goes on"),
        ]

    def _best(self) -> list[pages.Section]:
        study = self.study
        if completed(study).empty:
            return []
        said = f"{short(study.best_score)} {study.objective} on validation rows: the best of many, so optimistic"
        rows = [(f"trial {row.pop('trial')}", _listed(row)) for row in top(study)]
        return [
            (f"Best, trial {study.best_trial}", [("score", said), *map(_pair, study.best.items())]),
            ("The best trials, as they were searched", rows),
        ]

    def _lost(self) -> list[tuple[str, str]]:
        rows = records(failures(self.study))
        lost = [one for one in rows if one["status"] not in ("complete", "pruned")]
        return [(f"{one['trials']} {one['status']}", one["reason"]) for one in lost]

    def _diagnosis(self) -> list[dict[str, Any]] | str | None:
        """Return the rows of `hpt.diagnose`, why there are none, or None without a task."""
        if self.task is None:
            return None
        if len(completed(self.study)) < LEAST:
            return f"needs {LEAST} complete trials, there are {len(completed(self.study))}"
        return records(diagnose(self.task, self.study))


def _pair(item: tuple[Any, Any]) -> tuple[str, str]:
    return str(item[0]), short(item[1])


def _listed(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {short(value)}" for name, value in row.items())


def _advice(one: Mapping[str, Any]) -> str:
    """Put a row of `hpt.diagnose` into words."""
    said = [f"searched {one['searched']}", f"the best fifth {one['best']}"]
    if isinstance(one["matters"], bool | np.bool_):
        said.append("matters" if one["matters"] else "not shown to matter")
    if one["edge"] and isinstance(one["edge"], str):
        said.append(f"{one['edge']} edge: {one['advice']}")
    return "; ".join(said)
