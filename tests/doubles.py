"""Stand-ins for what is slow: a trainer that only pretends."""

import hpt
from hpt.training import Progress


class Pretend:
    """A trainer that trains nothing: it scores a configuration by a function, and fails where told to."""

    def __init__(self, score, epochs_seen=None):
        self.score, self.asked = score, epochs_seen if epochs_seen is not None else []

    def together(self, task):
        return 64

    def start(self, task, members):
        return _PretendRun(self, task, members)


class _PretendRun:
    def __init__(self, trainer, task, members):
        self.trainer, self.task, self.members = trainer, task, members

    def advance(self, epoch):
        self.trainer.asked.append(epoch)
        return [self._one(member, epoch) for member in self.members]

    def _one(self, member, epoch):
        score = self.trainer.score(member)
        if isinstance(score, Progress):
            return score
        curve = [{"epoch": e, "train_loss": 1 / e, "val_loss": 1 / e, "score": score} for e in range(1, epoch + 1)]
        return Progress(curve=curve, metrics=dict.fromkeys(self.task.metrics, score), best_epoch=epoch)


def pretend(task, strategy="random", score=lambda m: m.configuration["learning_rate"], **kwargs):
    return hpt.tune(task, strategy, trainer=Pretend(score), **kwargs)
