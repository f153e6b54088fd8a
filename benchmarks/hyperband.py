"""Hyperband over hpt's training seam: Li et al. 2018, Algorithm 1, with resume.

Every bracket starts ``n`` configurations with a small budget and hands the best of them a larger one, rung by rung.
A survivor goes on from where it stood. The brackets differ in how bold they are: the first starts many and cuts
hard, the last trains a few to the end.
"""

from __future__ import annotations

from collections.abc import Iterator

from hpt import Task
from hpt.seeds import derive, stream
from hpt.training import Member, Progress, Trainer


def schedule(longest: int, eta: int = 3) -> list[list[tuple[int, int]]]:
    """Return the brackets; each is a list of rungs, a rung how many networks train until which epoch.

    Whole numbers throughout: a logarithm in floating point loses a bracket at R = 243.

    >>> schedule(27)
    [[(27, 1), (9, 3), (3, 9), (1, 27)], [(12, 3), (4, 9), (1, 27)], [(6, 9), (2, 27)], [(4, 27)]]
    """
    top = 0  # s_max = ⌊log_η R⌋
    while eta ** (top + 1) <= longest:
        top += 1
    brackets = []
    for s in range(top, -1, -1):
        n = -(-(top + 1) * eta**s // (s + 1))  # n = ⌈(s_max + 1)/(s + 1) · η^s⌉
        # n_i = ⌊n · η^-i⌋ networks until epoch r_i = R · η^(i - s)
        brackets.append([(n // eta**i, longest * eta**i // eta**s) for i in range(s + 1)])
    return brackets


def hyperband(
    task: Task, trainer: Trainer, longest: int, seed: int, eta: int = 3
) -> Iterator[tuple[int, list[Progress]]]:
    """Run every bracket; yield, after each rung, the epochs it trained and how far its networks have come."""
    for bracket, rungs in enumerate(schedule(longest, eta)):
        members = [
            Member(task.space.sample(stream(seed, "draw", bracket, i)), derive(seed, "train", bracket, i))
            for i in range(rungs[0][0])
        ]
        run, progress, reached = trainer.start(task, members), list[Progress](), [0] * len(members)
        for kept, epoch in rungs:
            if progress:
                merits = [merit(task, one, last=True) for one in progress]
                best = sorted(range(len(merits)), key=merits.__getitem__, reverse=True)[:kept]
                run.keep(best)
                reached = [reached[i] for i in best]
            progress = run.advance(epoch)
            before, reached = reached, [one.epochs for one in progress]
            yield sum(reached) - sum(before), progress


def merit(task: Task, progress: Progress, *, last: bool = False) -> float:
    """Return a network's best score so far, or its last; more is better, and one that diverged has none."""
    if progress.status != "complete":
        return float("-inf")
    sign = 1 if task.objective.greater_is_better else -1
    return max(sign * point["score"] for point in progress.curve[-1 if last else 0 :])
