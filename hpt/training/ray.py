"""Ray: the stacks of a rung, spread over the processes of one machine or of a cluster.

The driver, which is the process that you work in, keeps every member's record and makes the plan. It makes the same
plan as without Ray, because a plan depends on the members alone. Each stack is then a task of Ray's: the records
travel to a worker with it, are trained there, and come back as what they have become. So a worker holds nothing that
could be lost. When one dies, Ray starts another and runs the stack again, from the same records to the same result.

A worker keeps what is dear: TensorFlow, the rows, and the functions that it has traced. Its first stack waits for
these, the later ones find them. See Moritz et al., *Ray: A Distributed Framework for Emerging AI Applications* (2018).
"""

from __future__ import annotations

import logging
import os
import socket
from collections import Counter
from collections.abc import Sequence
from copy import copy, deepcopy
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from hpt.errors import InvalidInput, missing
from hpt.training.records import Data
from hpt.training.stack import Job, Stack, threads_an_operation

if TYPE_CHECKING:
    from hpt.tasks import Task

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read when Ray starts, also by those who start it themselves

STARTS = 4
"""How often Ray is started before giving up."""
RETRIES = 3
"""How often a stack is run again because its worker died, before its members fail."""
TOKEN = (
    "start one there with 'ray start --head'; if it runs, it may ask for a token: set RAY_AUTH_MODE=token, and copy "
    "the file ~/.ray/auth_token from the machine that started it"
)
"""What to do where a cluster does not answer, or lets nobody in."""
SETTINGS = ("TF_ENABLE_ONEDNN_OPTS", "TF_CPP_MIN_LOG_LEVEL")
"""What a worker must do as the driver does: the arithmetic of TensorFlow, and how much it says."""


def connect(workers: int | None = None, address: str | None = None) -> Any:
    """Start Ray quietly, or join a cluster; where Ray runs already, leave it as it is.

    Args:
        workers: processes to start, default one a core.
        address: of a cluster to join: ``"auto"`` for the one that runs on this machine, ``"10.0.0.1:6379"`` from
            one of its machines, ``"ray://10.0.0.1:10001"`` from outside; default start Ray here.

    Returns:
        The module ``ray``.

    Raises:
        MissingExtra: where Ray is not installed.
        InvalidInput: for an address of another form.
        ConnectionError: where no cluster answers, or it lets nobody in without its token.
    """
    try:
        import ray
    except ImportError as error:
        raise missing("RayStack", "ray[tune]", "ray") from error
    if address and not ray.is_initialized():
        _knock(address)
    here: dict[str, Any] = {} if address else {"num_cpus": workers or os.cpu_count(), "include_dashboard": False}
    for attempt in range(STARTS):
        if ray.is_initialized():
            break
        try:
            ray.init(address or "local", log_to_driver=False, logging_level=logging.ERROR, **here)
        except Exception as error:  # a busy machine may need longer than the half minute that Ray waits for itself
            ray.shutdown()
            refused = ConnectionError, ray.exceptions.AuthenticationError
            if address and isinstance(error, refused):
                raise ConnectionError(f"no Ray cluster lets us in at {address!r}: {TOKEN}") from error
            if address or attempt == STARTS - 1:
                raise
    return ray


def _knock(address: str) -> None:
    """Raise where nobody answers at an address: Ray itself would try for minutes."""
    if address in ("auto", "local"):
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or "/" in host or not port.isdecimal() or int(port) >= 2**16:
        forms = "'auto', 'HOST:PORT' or 'ray://HOST:PORT'"
        raise InvalidInput(f"expected {forms} as the address of a Ray cluster, got {address!r}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, UnicodeError) as error:
        start = "start Ray there with 'ray start --head', and let its port through"
        raise ConnectionError(f"nobody answers at {address!r} ({error}): {start}") from error


class RayStack(Stack):
    """Trains like `Stack`, its stacks spread over Ray's workers; on the same kind of machine with the same bits.

    What only the Keras loop can train stays in the driver, one network at a time. Neither the task nor its builder
    is sent: workers get numbers.

    Args:
        workers: how many stacks are trained at the same time, default as many as Ray has CPUs.
        address: of a Ray cluster to join. Default: the Ray that runs in this process, else a new one on this machine
            with ``workers`` CPUs, default its cores. It runs until ``ray.shutdown()``, or the end of the process.

    Attributes:
        pids: how many stacks each worker has trained, by its process id.

    Raises:
        MissingExtra: where Ray is not installed.
    """

    def __init__(self, workers: int | None = None, address: str | None = None) -> None:
        self._ray = connect(workers, address)
        super().__init__(workers or int(self._ray.cluster_resources()["CPU"]))
        settings = {name: os.environ[name] for name in SETTINGS if name in os.environ}
        self._remote = self._ray.remote(num_cpus=1, max_retries=RETRIES, runtime_env={"env_vars": settings})(_train)
        self._sent: tuple[Data, Any] | None = None
        self.pids: Counter[int] = Counter()

    def together(self, task: Task) -> int:
        """Return how many members are worth starting at once: as many as for `Stack`, and one a worker at least."""
        return max(super().together(task), self.threads)

    def train(self, jobs: Sequence[Job], data: Data) -> list[Exception | None]:
        """Train stacks side by side, each on a worker; return what each of them raised."""
        if self._sent is None or self._sent[0] is not data:
            self._sent = data, self._ray.put(data)
        return super().train(jobs, data)

    def attempt(self, job: Job, data: Data) -> Exception | None:
        """Train one stack on a worker; return what it raised. Whatever else is wrong with Ray is raised here."""
        import tensorflow as tf

        assert self._sent is not None
        threads = tf.config.threading.get_intra_op_parallelism_threads()  # sums are taken in the order of the threads
        died = self._ray.exceptions.WorkerCrashedError, self._ray.exceptions.OutOfMemoryError
        try:
            pid, news = self._ray.get(self._remote.remote(_bare(job), [self._sent[1]], threads))
        except self._ray.exceptions.RayTaskError as error:
            return error.cause if isinstance(error.cause, Exception) else error
        except died as error:
            reason = f"its worker died, also after {RETRIES} retries ({type(error).__name__})"
            for record in job.records:
                record.progress = replace(record.progress, status="failed", reason=reason, stopped=True)
            return None
        self.pids[pid] += 1
        for record, new in zip(job.records, news, strict=True):
            vars(record).update(deepcopy(new))  # what Ray hands out is read-only, and stays in its memory
        return None


def _bare(job: Job) -> Job:
    """Return a job to send: its blueprints have read all they need from their tasks."""
    records = [replace(record, blueprint=copy(record.blueprint)) for record in job.records]
    for record in records:
        vars(record.blueprint)["task"] = None
    return replace(job, records=records)


def _train(job: Job, rows: list[Any], threads: int) -> tuple[int, list[dict[str, Any]]]:
    """Train a stack, in a worker; return its process id, and all that has changed of each record."""
    threads_an_operation(threads)
    job.train(_fetched(rows[0]))
    fixed = ("member", "blueprint")
    return os.getpid(), [{k: v for k, v in vars(record).items() if k not in fixed} for record in job.records]


@lru_cache(maxsize=1)
def _fetched(reference: Any) -> Data:
    """Return the rows behind a reference of Ray's, in a worker; those of the last task are kept."""
    import ray

    data: Data = ray.get(reference)
    return data
