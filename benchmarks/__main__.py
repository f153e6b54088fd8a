"""Run the benchmarks and write ``benchmarks/results``.

Every measurement is a process of its own. The engines take turns, round by round, so that a machine that gets busy
slows all of them. Tables are written after every step, and an engine that fails is a row with a reason.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import machine, tables
from benchmarks.engines import ENGINES
from benchmarks.tables import Record

RESULTS = Path(__file__).parent / "results"
EXPERIMENTS = ("mixed", "hyperband", "scaling", "recurrent", "ray")


@dataclass(frozen=True)
class Case:
    """One engine on one workload."""

    engine: str
    workload: str
    size: int
    epochs: int


def cases(experiment: str, options: argparse.Namespace) -> list[Case]:
    """Return what one round of an experiment runs, in order."""
    n, epochs = options.configurations, options.epochs
    if experiment == "mixed":
        engines = [name for name in ENGINES if not name.startswith(("hyperband", "ray"))]
        return [Case(engine, data, n, epochs) for data in ("breast_cancer", "digits") for engine in engines]
    if experiment == "ray":
        return [Case(engine, "digits", n, epochs) for engine in ("stack", "ray_stack", "keras_fit", "ray_tune")]
    if experiment == "hyperband":
        engines = [name for name in ENGINES if name.startswith("hyperband")]
        return [Case(engine, "digits", 0, longest) for longest in options.longest for engine in engines]
    if experiment == "scaling":
        sizes = [2**k for k in range(options.members.bit_length()) if 2**k <= options.members]
        stack = [Case("stack", "identical", size, epochs) for size in sizes]
        return stack + [Case("keras_loop", "identical", size, epochs) for size in sizes if size <= 16]
    return [Case(engine, kind, min(n, 16), epochs) for kind in ("lstm", "cnn") for engine in ("stack", "keras_loop")]


def measure(case: Case, round_: int, timeout: float) -> list[Record]:
    """Run one case in a process of its own; return a record a call, or one that says why there is none."""
    about = {"round": round_, **asdict(case)}
    command = ["benchmarks.engines", case.engine, case.workload]
    command += ["--size", str(case.size), "--epochs", str(case.epochs), "--seed", str(round_)]
    calls, reason = process(command, timeout)
    records = [{**about, "reason": "", **call} for call in calls]
    for call in ("cold", "warm")[len(records) : ENGINES[case.engine].calls]:
        records.append({**about, "call": call, "reason": reason})
    return records


def process(command: list[str], timeout: float) -> tuple[list[Record], str]:
    """Run a module; return the JSON it printed, a dict a line, and the last line of what went wrong."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    child = subprocess.Popen([sys.executable, "-m", *command], start_new_session=True, **pipes)  # type: ignore[call-overload]
    try:
        out, errors = child.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        return [], f"did not end within {timeout:.0f} seconds"
    finally:  # also on Ctrl-C: what is left of it would slow the next one down
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    said = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    complaint = (errors.strip().splitlines() or [f"ended with code {child.returncode}"])[-1]
    return said, complaint[:200]


def gemm() -> dict[str, float]:
    """Measure the machine's peak, in a process of its own."""
    peaks, _ = process(["benchmarks.machine"], timeout=300)
    return peaks[0] if peaks else {}


def run(experiment: str, options: argparse.Namespace) -> None:
    """Run all rounds of one experiment; its table is on disk after each step."""
    records: list[Record] = []
    for round_ in range(max(options.rounds, options.slow_rounds)):
        peak = max(gemm().values(), default=math.nan) if experiment == "mixed" else math.nan
        for case in cases(experiment, options):
            if round_ >= (options.slow_rounds if ENGINES[case.engine].slow else options.rounds):
                continue
            began = time.perf_counter()
            new = measure(case, round_, options.timeout)
            records += [{**record, "peak": peak} for record in new]
            said = ", ".join(one["reason"] or f"{one['call']} {one['wall_seconds']:.2f} s" for one in new)
            what = f"{case.engine} on {case.workload}, {case.size or 'R'} × {case.epochs}"
            print(f"{experiment}, round {round_ + 1}: {what}: {said} ({time.perf_counter() - began:.0f} s)", flush=True)
            tables.write(options.results, experiment, records)
            tables.summary(options.results)


def numbers(text: str) -> list[int]:
    """Read 27,81."""
    return [int(word) for word in text.split(",")]


def names(text: str) -> list[str]:
    """Read mixed,scaling."""
    chosen = text.split(",")
    for name in chosen:
        if name not in EXPERIMENTS:
            raise argparse.ArgumentTypeError(f"expected some of {','.join(EXPERIMENTS)}, got {name!r}")
    return chosen


def main() -> None:
    """Read the options and run."""
    add = (parser := argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)).add_argument
    add("--only", type=names, default=list(EXPERIMENTS), help=f"some of {','.join(EXPERIMENTS)}")
    add("--rounds", type=int, default=3, help="of the fast engines, default 3")
    add(
        "--slow-rounds",
        type=int,
        default=1,
        help="of model.fit, Optuna, KerasTuner and one-by-one Hyperband, default 1",
    )
    add("--configurations", type=int, default=81, help="in mixed, default 81; recurrent takes 16 of them at most")
    add("--epochs", type=int, default=10, help="of every training outside Hyperband, default 10")
    add("--longest", type=numbers, default=[27, 81], help="Hyperband's R, default 27,81")
    add("--members", type=int, default=512, help="scaling goes up to here in powers of two, default 512")
    add("--timeout", type=float, default=3600, help="seconds that one process may take, default 3600")
    add("--results", type=Path, default=RESULTS, help="folder for the tables, default benchmarks/results")
    options = parser.parse_args()
    options.results.mkdir(parents=True, exist_ok=True)
    about = {**machine.describe(), "gigamacs_peak": gemm(), "command": " ".join(sys.argv[1:])}
    try:
        for experiment in options.only:
            tables.note(options.results, experiment, about)
            run(experiment, options)
    except KeyboardInterrupt:
        sys.exit(f"interrupted: what was finished is in {options.results}")
    print(f"written: {options.results}")


if __name__ == "__main__":
    main()
