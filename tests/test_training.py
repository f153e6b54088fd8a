"""The seam: members are handed to a trainer in groups, and come back in their order."""

import pytest

from hpt.training import Progress, failure


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
