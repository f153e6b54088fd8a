"""Kills searches: processes that tune are killed at random moments, and their studies are resumed.

    python tests/killing.py --kills 100 --seed 0

All strategies in turn, with real networks, or with ``--pretend`` with networks that only take their time. A study is
killed again and again until it has ended; then it is compared with one that was never interrupted, to the last bit.
Prints a line a study, as JSON. Importing TensorFlow takes seconds, so it is imported once; each search runs in a fork
of this process, which itself never computes.
"""

import argparse
import itertools
import json
import os
import signal
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ["HPT_PROGRESS"] = "0"

import numpy as np
import tensorflow  # noqa: F401 - before the forks; it starts only when it computes

import hpt
from hpt import backends, storage, strategies
from hpt.training.stack import Stack

from doubles import Pretend

SMALL = {
    "manual": (strategies.manual([{"units": u, "learning_rate": 0.01} for u in (8, 16, 32)]), {}),
    "grid": (strategies.grid(3), {}),
    "random": ("random", {"trials": 12}),
    "sobol": ("sobol", {"trials": 12}),
    "tpe": (strategies.tpe(3), {"trials": 12}),
    "gp": (strategies.gp(3), {"trials": 12}),
    "evolution": (strategies.evolution(4, 2), {"trials": 12}),
    "nsga2": (strategies.nsga2(4), {"trials": 12}),
    "cmaes": (strategies.cmaes(4), {"trials": 12}),
    "one_epoch": (strategies.one_epoch(9, 3), {}),
    "successive_halving": (strategies.successive_halving(9), {}),
    "hyperband": ("hyperband", {}),
    "bohb": ("bohb", {}),
    "pbt": (strategies.pbt(5, 1), {}),
}


def task():
    space = hpt.Space({"units": hpt.Choice(8, 16, 32), "learning_rate": hpt.Float(1e-3, 1, log=True)})
    return hpt.task("wine", epochs=9, space=space, metrics=("log_loss", "accuracy"))


class Few(Stack):
    """Trains few at a time, so that a study has many rounds."""

    def together(self, task):
        return 3


def score(member, epoch):
    time.sleep(0.001)
    return member.configuration["learning_rate"] / epoch


def search(name, seed, where, ready, real):
    strategy, budget = SMALL[name]
    if real:
        hpt.tune(task(), "random", trials=1)  # TensorFlow starts
    ready.touch()
    trainer = Few() if real else Pretend(score)
    hpt.tune(task(), strategy, **budget, seed=seed, storage=where, name="study", trainer=trainer)


def forked(function):
    """Run a function in a fork of this process; return its process id."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        function()
        code = 0
    finally:
        os._exit(code)


def ended(pid, seconds, ready):
    """Wait for a process, at most so long after it was ready; say whether it has ended by itself."""
    until = None
    while until is None or time.monotonic() < until:
        if until is None and ready.exists():
            until = time.monotonic() + seconds
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            if status:
                raise RuntimeError(f"a search ended with status {status}")
            return True
        time.sleep(0.001)
    return False


def compared(alone, where, file):
    """Compare the kept study with the uninterrupted one, and look for what is there twice."""
    one, other = (storage.read(place, task=task()) for place in (alone, where))
    frames = ("trials", "curves", "rungs")
    same = all(
        getattr(one, name).drop(columns="seconds", errors="ignore").equals(
            getattr(other, name).drop(columns="seconds", errors="ignore")
        )
        for name in frames
    )  # fmt: skip
    opened = backends.backend(where)
    told = opened.get_all_trials(opened.get_study_id_from_name("study"))
    numbers = [trial.user_attrs["trial"] for trial in told]
    found = {
        "same": same and one.configurations == other.configurations and not other.interrupted,
        "once": sorted(numbers) == other.trials["number"].tolist(),
        "running": sum(trial.state.name == "RUNNING" for trial in told),
        "left": sorted(path.suffix for path in backends.beside(where).iterdir()),
    }
    file.write_text(json.dumps(found))


def killed_and_resumed(name, seed, most, rng, home, real):
    """Search once without a kill, then with up to ``most`` kills; return how many there were and what is kept."""
    alone, where, ready, found = (home / f"{name} {seed}{end}" for end in (".alone", ".journal", ".ready", ".json"))
    lasts, kills = 0.0, 0
    for place in (alone, where):
        while True:
            ready.unlink(missing_ok=True)
            pid = forked(lambda place=place: search(name, seed, place, ready, real))
            if ended(pid, rng.uniform(0, 0.8 * lasts) if place == where and kills < most else 600, ready):
                break
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            kills += 1
        lasts = time.time() - ready.stat().st_mtime
    ended(forked(lambda: compared(alone, where, found)), 600, ready)
    return {"strategy": name, "kills": kills, **json.loads(found.read_text())}


def main(kills, seed, each, pretend):
    rng, home, done = np.random.default_rng(seed), Path(tempfile.mkdtemp()), 0
    for number in itertools.count():
        if done >= kills:
            return
        name = list(SMALL)[number % len(SMALL)]
        found = killed_and_resumed(name, number, min(each, kills - done), rng, home, not pretend)
        done += found["kills"]
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--each", type=int, default=8, help="at most so many kills of one study")
    parser.add_argument("--pretend", action="store_true")
    main(**vars(parser.parse_args()))
