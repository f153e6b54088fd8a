"""One engine in one process: the clock, the processor's time, the memory.

``python -m benchmarks.engines keras_fit digits --size 4 --epochs 2`` prints one line of JSON a call. A process does
one thing only, so its first call is as cold as a reader's: whatever is traced or compiled is in the measured
seconds. What Python has to import is timed apart. This module itself imports nothing that is heavy.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

ENVIRONMENT = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",  # as in the Makefile
}


@dataclass(frozen=True)
class Engine:
    """Where an engine is, and how it is measured.

    Attributes:
        module: of this folder; holds a function with the engine's name.
        also: what else to import before the clock starts.
        calls: 2 measures a second, warm call with other seeds in the same process.
        slow: it gets fewer rounds.
    """

    module: str
    also: tuple[str, ...] = ()
    calls: int = 1
    slow: bool = False


ENGINES = {
    "stack": Engine("with_hpt", ("hpt.training.stack",), calls=2),
    "keras_loop": Engine("with_hpt", ("hpt.training.keras_loop",)),
    "keras_fit": Engine("with_keras", slow=True),
    "keras_fit_2_processes": Engine("with_keras", slow=True),
    "optuna_keras": Engine("with_keras", slow=True),
    "keras_tuner_random": Engine("with_keras_tuner", slow=True),
    "sklearn": Engine("with_sklearn"),
    "hyperband_stack": Engine("with_hpt", ("hpt.training.stack",), calls=2),
    "hyperband_keras_loop": Engine("with_hpt", ("hpt.training.keras_loop",), slow=True),
    "hyperband_keras_tuner": Engine("with_keras_tuner", slow=True),
    "ray_stack": Engine("with_ray", ("hpt.training.stack",), calls=2),
    "ray_tune": Engine("with_ray", slow=True),
}


def main() -> None:
    """Run one engine and print what it took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines", description=__doc__)
    parser.add_argument("engine", choices=ENGINES)
    parser.add_argument("workload", choices=("breast_cancer", "digits", "identical", "lstm", "cnn"))
    parser.add_argument("--size", type=int, default=81, help="how many configurations (Hyperband: no meaning)")
    parser.add_argument("--epochs", type=int, default=10, help="of each training; for Hyperband the longest, R")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)

    engine, began = ENGINES[arguments.engine], time.perf_counter()
    run = getattr(import_module(f"benchmarks.{engine.module}"), arguments.engine)
    for module in engine.also:
        import_module(module)
    imported, before = time.perf_counter() - began, peak_memory()
    from benchmarks.workloads import Job
    from hpt.seeds import derive

    for call in range(engine.calls):
        job = Job(arguments.workload, arguments.size, arguments.epochs, derive(arguments.seed, "call", call))
        began, spent = time.perf_counter(), processor_time()
        with redirect_stdout(sys.stderr):
            figures = run(job)
        clocks = {
            "call": "warm" if call else "cold",
            "import_seconds": imported,
            "wall_seconds": time.perf_counter() - began,
            "cpu_seconds": processor_time() - spent,
            "memory_mb": peak_memory() - before,
        }
        print(json.dumps({**clocks, **figures}), flush=True)


def processor_time() -> float:
    """Return the seconds, user and system, that all threads of this process and its ended children have used."""
    return time.process_time() + sum(os.times()[2:4])  # os.times alone counts in steps of 10 ms


def peak_memory() -> float:
    """Return the largest resident memory that this process has had, in MB (Linux; NaN elsewhere)."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    found = next((line.split()[1] for line in lines if line.startswith("VmHWM")), None)
    return float(found) / 1024 if found else math.nan


if __name__ == "__main__":
    main()
