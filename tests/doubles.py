"""Stand-ins for what is slow: a trainer that only pretends."""

from inspect import signature

import numpy as np

import hpt
from hpt.training import Progress


class Pretend:
    """A trainer that trains nothing: it scores a configuration by a function, and fails where told to."""

    def __init__(self, score, epochs_seen=None):
        self.score, self.asked = score, epochs_seen if epochs_seen is not None else []
        self.by_epoch = len(signature(score).parameters) == 2

    def together(self, task):
        return 64

    def start(self, task, members):
        return _PretendRun(self, task, list(members))

    def advance(self, waiting):
        for run, epoch in waiting:
            run.advance(epoch)


class _PretendRun:
    def __init__(self, trainer, task, members):
        self.trainer, self.task, self.members = trainer, task, members
        self.progress = [Progress() for _ in members]

    def advance(self, epoch):
        self.trainer.asked.append(epoch)
        self.progress = [self._one(member, epoch) for member in self.members]
        return self.progress

    def keep(self, survivors, heirs=None):
        self.members = [(heirs or {}).get(new, self.members[old]) for new, old in enumerate(survivors)]

    def _one(self, member, epoch):
        score = self.trainer.score(member, epoch) if self.trainer.by_epoch else self.trainer.score(member)
        if isinstance(score, Progress):
            return score
        curve = [{"epoch": e, "train_loss": 1 / e, "val_loss": 1 / e, "score": score} for e in range(1, epoch + 1)]
        return Progress(curve=curve, metrics=dict.fromkeys(self.task.metrics, score), best_epoch=epoch)

    def state(self):
        return [{"arrays": {}} for _ in self.members]  # a score follows from the member and the epoch

    def restore(self, states):
        assert len(states) == len(self.members)

    def outputs(self, position, x):
        return np.full((len(x), self.task.shape.outputs), 0.5)


def same(a, b):
    """Whether two studies are the same to the last bit, but for what is measured by the clock."""
    frames = all(
        one.drop(columns="seconds", errors="ignore").equals(other.drop(columns="seconds", errors="ignore"))
        for one, other in zip((a.trials, a.curves, a.rungs), (b.trials, b.curves, b.rungs), strict=True)
    )
    return frames and a.configurations == b.configurations and a.interrupted == b.interrupted


def pretend(task, strategy="random", score=lambda m: m.configuration["learning_rate"], **kwargs):
    return hpt.tune(task, strategy, trainer=Pretend(score), **kwargs)
