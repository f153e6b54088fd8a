"""Limits: what one network may take of time and memory before it counts as failed.

A search tries what nobody would build by hand. Somewhere in a wide space stands a network that fills the memory, or
takes all night; without a limit it ends the search, with one it is a row of the result that says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from hpt.errors import InvalidInput


@dataclass(frozen=True)
class Limits:
    """What one network may take; one that takes more has failed, and the search goes on.

    Attributes:
        seconds: of training, by the clock; networks that train together share it. Looked at every few epochs, so a
            result may depend on the machine. Default: no limit.
        megabytes: of its parameters, their gradients and the optimizer's memory, 16 bytes a parameter; looked at
            before it trains. Default: no limit.

    Raises:
        InvalidInput: for a limit that is not a number above 0.
    """

    seconds: float | None = None
    megabytes: float | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if value is not None and not (number and value > 0):
                raise InvalidInput(f"{name} must be a number above 0, or None for no limit, got {value!r}")

    def too_large(self, parameters: int) -> str:
        """Say in what a network of so many parameters is too large; nothing where it is not."""
        needs = 16 * parameters / 1e6
        if self.megabytes is None or needs <= self.megabytes:
            return ""
        return f"needs {needs:,.0f} MB for {parameters:,} parameters, over the limit of {self.megabytes:g} MB"

    def too_long(self, seconds: float) -> str:
        """Say in what a training that took so long is too long; nothing where it is not."""
        if self.seconds is None or seconds <= self.seconds:
            return ""
        return f"took {seconds:.3g} s so far, over the limit of {self.seconds:g} s"
