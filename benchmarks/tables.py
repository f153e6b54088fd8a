"""Tables: from what was measured round by round to medians, extremes and ratios.

A *record* is one call of one engine in one round. On a shared machine seconds drift from minute to minute, so what
is compared is compared within a round: a ratio is taken there, and the median is the median of ratios.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

KEY = ["workload", "size", "epochs", "engine", "call"]
FIGURES = (
    "import_seconds",  # importing what the engine needs
    "wall_seconds",
    "cpu_seconds",  # user + system
    "wall_times_cold",  # how many times the stack's seconds in the same round, its first call
    "wall_times_warm",  # … its second call
    "cpu_times_cold",
    "cpu_times_warm",
    "seconds_per_network",
    "gigamacs",  # useful multiply-adds, 10⁹ a second
    "share_of_peak",  # of the matrix products measured in the same round
    "memory_mb",  # peak, above what the imports took
    "memory_mb_per_network",  # what each network beyond the first adds to it
    "score",  # median over the networks, at their last epoch; Hyperband: best of all epochs
    "seconds_to_same_score",  # until the lower of the two final bests: the stack's and KerasTuner's
    "trainings",
    "trained_epochs",
    "diverged",
)
Record = dict[str, Any]


def write(folder: Path, experiment: str, records: list[Record]) -> None:
    """Write an experiment's table: one row for each engine and call, three columns for each figure."""
    table(records).to_csv(folder / f"{experiment}.csv", index=False, float_format="%.6g")


def table(records: list[Record]) -> pd.DataFrame:
    """Return median, smallest and largest of every figure over the rounds; figures nobody has are left out."""
    derived(records)
    rows = []
    for key in dict.fromkeys(_key(record) for record in records):
        own = [record for record in records if _key(record) == key]
        fine = [record for record in own if not record["reason"]]
        row: Record = dict(zip(KEY, key, strict=True))
        row |= {"rounds": len(fine), "failed": len(own) - len(fine)}
        row["reason"] = next((record["reason"] for record in own if record["reason"]), "")
        for figure in FIGURES:
            values = [record[figure] for record in fine if math.isfinite(record.get(figure, math.nan))]
            for suffix, summary in (("", np.median), ("_min", min), ("_max", max)):
                row[figure + suffix] = float(summary(values)) if values else math.nan
        rows.append(row)
    return pd.DataFrame(rows).dropna(axis="columns", how="all")


def _key(record: Record) -> tuple[Any, ...]:
    return tuple(record[name] for name in KEY)


def derived(records: list[Record]) -> None:
    """Add what follows from comparing records of one round: ratios, shares, and time to the same score."""
    for record in records:
        if record["reason"]:
            continue
        peers = [one for one in records if not one["reason"] and one["round"] == record["round"]]
        same = [one for one in peers if all(one[name] == record[name] for name in ("workload", "size", "epochs"))]
        for reference in same:
            if reference["engine"] in ("stack", "hyperband_stack"):
                for clock in ("wall", "cpu"):
                    seconds = reference[f"{clock}_seconds"]
                    record[f"{clock}_times_{reference['call']}"] = record[f"{clock}_seconds"] / seconds
        record["seconds_per_network"] = record["wall_seconds"] / record["trainings"]
        record["gigamacs"] = record.get("multiply_adds", math.nan) / record["wall_seconds"] / 1e9
        record["share_of_peak"] = record["gigamacs"] / record.get("peak", math.nan)
        for first in peers:
            if [first[name] for name in KEY] == [record["workload"], 1, *(record[name] for name in KEY[2:])]:
                more = record["memory_mb"] - first["memory_mb"]
                record["memory_mb_per_network"] = more / (record["size"] - 1) if record["size"] > 1 else math.nan
        if "path" in record:
            record["seconds_to_same_score"] = _seconds_to(_same_score(same), record["path"])


def _same_score(same: Iterable[Record]) -> float:
    bests: dict[str, float] = {one["engine"]: one["score"] for one in same if one["call"] == "cold"}
    ours, theirs = (bests.get(f"hyperband_{name}", math.nan) for name in ("stack", "keras_tuner"))
    return float(np.minimum(ours, theirs))  # NaN where one of them is missing


def _seconds_to(score: float, path: list[tuple[float, int, float]]) -> float:
    return next((seconds for seconds, _, best in path if best >= score - 1e-6), math.nan)  # Keras: float32


# --- for people -----------------------------------------------------------------------------------------------

_BOTH = ("wall_seconds", "cpu_seconds", "wall_times_cold")
SHOWN = {
    "mixed": (*_BOTH, "wall_times_warm", "cpu_times_cold", "share_of_peak", "score"),
    "hyperband": (*_BOTH, "seconds_to_same_score", "trainings", "trained_epochs", "score"),
    "scaling": ("wall_seconds", "seconds_per_network", "memory_mb", "memory_mb_per_network"),
    "recurrent": (*_BOTH, "wall_times_warm", "cpu_times_cold", "score"),
    "ray": (*_BOTH, "wall_times_warm", "cpu_times_cold", "score"),
}
TITLES = {
    "mixed": "The same random configurations, engine by engine",
    "hyperband": "A whole Hyperband (epochs: R)",
    "scaling": "From one network to many of the same structure",
    "recurrent": "Recurrent and convolutional networks",
    "ray": "The same configurations on Ray's workers",
}


def note(folder: Path, experiment: str, about: Record) -> None:
    """Write into ``machine.json`` where and when an experiment runs; what it says of the others stays."""
    path = folder / "machine.json"
    machines = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**machines, experiment: about}, indent=2) + "\n")


def summary(folder: Path) -> None:
    """Write ``summary.md`` from the tables that are there, whichever run they come from."""
    machines = json.loads((folder / "machine.json").read_text())
    lines = [
        "# What was measured",
        "",
        "Medians, in brackets the smallest and the largest of the rounds. `times_cold`, `times_warm`: so many times",
        "what the stacked trainer took in the same round, in its first and in its second call. Read the ratios, not",
        "the seconds.",
    ]
    for experiment, columns in SHOWN.items():
        path = folder / f"{experiment}.csv"
        if path.exists():
            one = machines[experiment]
            where = f"{one['cores']} × {one['cpu']}, Python {one['python']}, {one['date']}."
            lines += ["", f"## {TITLES[experiment]}", "", where, "", *_markdown(pd.read_csv(path), columns)]
    (folder / "summary.md").write_text("\n".join(lines) + "\n")


def _markdown(frame: pd.DataFrame, columns: tuple[str, ...]) -> list[str]:
    lines = ["| " + " | ".join([*KEY, "rounds", *columns]) + " |", "|" + " --- |" * (len(KEY) + 1 + len(columns))]
    for row in frame.to_dict("records"):
        cells = [str(row[name]) for name in [*KEY, "rounds"]]
        if row["rounds"]:
            cells += [_cell(row, column) for column in columns]
        else:
            cells += ["missing: " + str(row["reason"]).replace("|", "/"), *[""] * (len(columns) - 1)]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _cell(row: dict[Any, Any], column: str) -> str:
    value, low, high = (row.get(column + suffix, math.nan) for suffix in ("", "_min", "_max"))
    if not math.isfinite(value):
        return ""
    return f"{value:.3g}" if low == high else f"{value:.3g} ({low:.3g}–{high:.3g})"
