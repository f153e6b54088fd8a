"""The seam: members are handed to a trainer in groups, and come back in their order."""

import pytest

from hpt.training import Member, Progress, failure, train_all

from doubles import Pretend


class Counting(Pretend):
    """Remembers who started together."""

    def __init__(self):
        super().__init__(lambda member: float(member.seed))
        self.groups = []

    def start(self, task, members):
        self.groups.append([member.seed for member in members])
        return super().start(task, members)


def test_members_of_one_length_start_together_and_come_back_in_their_order(wine):
    trainer, lengths = Counting(), [3, 7, 3, 1, 7]
    progress = train_all(trainer, wine, [Member({}, seed) for seed in range(5)], lengths)
    assert trainer.groups == [[0, 2], [1, 4], [3]]
    assert trainer.asked == [3, 7, 1]
    assert [one.epochs for one in progress] == lengths
    assert [one.metrics["accuracy"] for one in progress] == [0, 1, 2, 3, 4]


def test_no_members_start_nothing(wine):
    trainer = Counting()
    assert train_all(trainer, wine, [], []) == []
    assert trainer.groups == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("no\nsecond line"), "ValueError: no"),
        (RuntimeError(), "RuntimeError: no message"),
        (KeyError("  "), "KeyError: '  '"),
    ],
)
def test_a_failure_is_one_line(error, reason):
    assert failure(error) == Progress("failed", reason, stopped=True)
    assert failure(error).epochs == 0
