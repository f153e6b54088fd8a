"""Faults for real: processes that are killed, that run into one another, and disks that are full."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from killing import SMALL

import hpt
from hpt import storage

from doubles import Pretend, same

HERE = Path(__file__).parent


def started(*arguments, **kwargs):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, *map(str, arguments)], **pipes, **kwargs)


@pytest.mark.slow
def test_a_hundred_kills_change_nothing():
    """Most kills hit networks that only take their time; `killing` says what is compared, and kills more."""
    real, pretended = (["--kills", 20, "--each", 2], ["--kills", 80, "--each", 6, "--pretend"])
    both = [started(HERE / "killing.py", *options) for options in (real, pretended)]
    found = []
    for one in both:
        said, wrong = one.communicate(timeout=1500)
        assert one.returncode == 0, wrong[-2000:]
        found.append([json.loads(line) for line in said.splitlines()])
    assert [sum(one["kills"] for one in half) for half in found] == [20, 80]
    assert len({one["strategy"] for one in found[1] if one["kills"]}) > 0.8 * len(SMALL)
    for one in found[0] + found[1]:
        assert (one["same"], one["once"], one["running"]) == (True, True, 0), one
        assert set(one["left"]) <= {".lock"}, one


SEARCH = """
import sys
from doubles import Pretend
import hpt
task = hpt.task("wine", epochs=3)
def score(member):
    for _ in range(int(sys.argv[2])):
        pass
    return member.configuration["learning_rate"]
try:
    hpt.tune(task, hpt.strategies.evolution(4, 2), trials=30, seed=0, storage=sys.argv[1], trainer=Pretend(score))
except hpt.StorageError as error:
    print(error)
    raise SystemExit(1)
"""


@pytest.fixture(scope="module")
def task():
    return hpt.task("wine", epochs=3)


def searched(task, where=None):
    trainer = Pretend(lambda member: member.configuration["learning_rate"])
    return hpt.tune(task, hpt.strategies.evolution(4, 2), trials=30, seed=0, storage=where, trainer=trainer)


@pytest.mark.parametrize("address", ["{}/x.journal", "sqlite:///{}/x.db"])
def test_of_four_processes_on_one_study_one_works_and_three_are_told(task, address, tmp_path):
    where = address.format(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    four = [started("-c", SEARCH, where, 300_000, env=environment) for _ in range(4)]
    said = [one.communicate(timeout=300) for one in four]
    codes = [one.returncode for one in four]
    assert set(codes) <= {0, 1}, said
    assert 0 in codes  # who came late may have found it ended
    for code, (out, _) in zip(codes, said, strict=True):
        assert code == 0 or ("is open already" in out and "wait until it ends, or give another name=" in out)
    assert same(searched(task, where), searched(task))
    assert storage.studies(where)["trials"].tolist() == [30]  # nothing doubled


LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the system then says that the file is too large, as of a full disk
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
"""


@pytest.mark.parametrize("room", [0, 1_000, 5_000, 20_000])
def test_a_full_disk_loses_nothing_that_is_finished(task, room, tmp_path):
    where = tmp_path / "x.journal"
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    out, wrong = (full := started("-c", LIMITED + SEARCH, where, 0, room, env=environment)).communicate(timeout=300)
    assert full.returncode == 1, wrong
    assert out.count("\n") == 1
    assert "could not be written" in out and "make room, then resume" in out
    kept = storage.studies(where)["trials"].sum() if where.exists() else 0
    assert (kept > 0) == (room > 5_000)
    assert same(searched(task, where), searched(task))


def test_a_folder_that_nobody_may_write_to_is_said(task, tmp_path):
    """Root may write everywhere, so the folder is one that the system keeps to itself."""
    folder = tmp_path
    if os.geteuid() == 0:
        folder = Path("/sys")
        if not folder.is_dir():
            pytest.skip("no /sys here")
    else:
        folder.chmod(0o500)
    with pytest.raises(hpt.StorageError, match="could not be written or read"):
        searched(task, folder / "x.journal")
