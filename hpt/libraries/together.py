"""Together: many searches, each in a thread of its own, whose networks train as one stack.

A library's loop asks for one network and waits for its loss. Twenty repeats of the loop, run one after the other,
would train twenty times as many single networks. Here each repeat runs in a thread, unchanged, and whoever needs a
network waits until every repeat that still runs needs one: then all of them are trained as one heap.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait

from hpt.tasks import Task
from hpt.training import Member, Run, Trainer


class Together:
    """A `Trainer` that trains what all searches wait for at once.

    Args:
        trainer: does the training.

    Attributes:
        outside: seconds of processor time that each search's thread spent outside the trainer: what the library took.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.outside: list[float] = []
        self._turn = threading.Condition()
        self._running: set[int] = set()
        self._waiting: dict[int, Sequence[tuple[Run, int]]] = {}
        self._rounds = 0
        self._error: BaseException | None = None
        self._own = threading.local()

    def run(self, searches: Sequence[Callable[[], object]]) -> None:
        """Run searches that train by this trainer side by side, to their ends.

        Raises:
            Exception: what a search raised; the others go on to their ends first.
            KeyboardInterrupt: after Ctrl-C; what is being trained then is the last.
        """
        self.outside = [0.0] * len(searches)
        self._running = set(range(len(searches)))
        with ThreadPoolExecutor(len(searches)) as pool:
            done = [pool.submit(self._search, number, search) for number, search in enumerate(searches)]
            try:
                wait(done)
            except KeyboardInterrupt as pressed:
                self._error = pressed
                raise
        for one in done:
            one.result()

    def _search(self, number: int, search: Callable[[], object]) -> None:
        self._own.number, self._own.inside = number, 0.0
        began = time.thread_time()
        try:
            search()
        finally:
            self.outside[number] = time.thread_time() - began - self._own.inside
            with self._turn:
                self._running.remove(number)
                self._train_when_all_wait()

    def together(self, task: Task) -> int:
        """Return 1: a search waits for each network."""
        return 1

    def start(self, task: Task, members: Sequence[Member]) -> Run:
        """Build the members, untrained, one search at a time."""
        began = time.thread_time()
        with self._turn:
            run = self.trainer.start(task, members)
        self._own.inside += time.thread_time() - began
        return run

    def advance(self, waiting: Sequence[tuple[Run, int]]) -> None:
        """Wait until every search that still runs waits here, and train for all of them."""
        began = time.thread_time()
        with self._turn:
            rounds = self._rounds
            self._waiting[self._own.number] = waiting
            self._train_when_all_wait()
            self._turn.wait_for(lambda: self._rounds > rounds)
            error = self._error
        self._own.inside += time.thread_time() - began
        if error is not None:
            raise RuntimeError("training for all searches failed") from error

    def _train_when_all_wait(self) -> None:
        if not self._waiting or set(self._waiting) != self._running:
            return
        try:
            if self._error is not None:
                raise self._error
            self.trainer.advance([pair for number in sorted(self._waiting) for pair in self._waiting[number]])
        except BaseException as error:  # all of them wait for it
            self._error = error
        self._waiting.clear()
        self._rounds += 1
        self._turn.notify_all()
