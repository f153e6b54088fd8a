"""The machine: what it is, and how fast it multiplies matrices when nothing stands in the way.

``python -m benchmarks.machine`` prints the peak as JSON. It is the yardstick for "how much of what this machine can
do went into useful arithmetic", so it is measured with all cores and in the precision that networks train in.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from collections.abc import Callable
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("hpt", "tensorflow", "keras", "keras-tuner", "optuna", "scikit-learn", "numpy")


def describe() -> dict[str, Any]:
    """Return what a reader needs to know to compare with a machine of theirs."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "date": datetime.now().isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "cpu": _cpu(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in PACKAGES},
        "commit": commit.stdout.strip(),
        "load_at_start": os.getloadavg()[0],
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def gemm(size: int = 1024, seconds: float = 1.5) -> dict[str, float]:
    """Return the best rate of float32 matrix products, in 10⁹ multiply-adds a second, by library.

    The best of many and not the median: a peak is what is possible.
    """
    import numpy as np
    import tensorflow as tf

    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((size, size), dtype="float32") for _ in range(2))
    x, y = tf.constant(a), tf.constant(b)

    def rate(product: Callable[[], Any]) -> float:
        best, end = float("inf"), time.perf_counter() + seconds
        while time.perf_counter() < end:
            began = time.perf_counter()
            product()
            best = min(best, time.perf_counter() - began)
        return size**3 / best / 1e9

    return {"numpy": rate(lambda: a @ b), "tensorflow": rate(lambda: tf.linalg.matmul(x, y).numpy())}


if __name__ == "__main__":
    from benchmarks.engines import ENVIRONMENT

    os.environ.update({**ENVIRONMENT, **os.environ})
    print(json.dumps(gemm()))
