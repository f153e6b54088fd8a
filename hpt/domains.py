"""Domains: what one hyperparameter can be.

`Float`, `Int` and `Choice` are the three kinds. Each draws, lists and checks its own values. A domain can be
conditional: the ``Float(0.8, 0.99).when(optimizer="sgd")`` is part of a configuration only where the optimizer
is SGD. The scales are those of Bergstra and Bengio (2012): uniform, or uniform in the logarithm where orders of
magnitude matter.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Self

import numpy as np

from hpt.errors import InvalidInput, printable, unknown

Condition = tuple[tuple[str, tuple[Any, ...]], ...]

LARGEST = 2**53
"""Further from 0, whole numbers are no longer told apart by those who store them as floats."""
MAX_GRID = 1_000_000
"""A longer grid is refused: nobody trains it, and listing it would fill the memory."""


@dataclass(frozen=True)
class _Domain:
    """What the three kinds share. ``condition``: parents and the values each of them may have; all must hold."""

    condition: Condition = field(default=(), kw_only=True)

    def when(self, **parents: Any) -> Self:
        """Return a copy that is part of a configuration only where every parent has one of its values.

        Args:
            parents: for each parent a value or a tuple of values (wrap a value that is a tuple itself).
        """
        if not parents:
            raise InvalidInput("when() needs a parent and its value, such as when(optimizer='sgd')")
        wanted = dict(self.condition)
        for name, values in parents.items():
            wanted[name] = tuple(map(plain, values)) if isinstance(values, tuple) else (plain(values),)
            if not wanted[name]:
                raise InvalidInput(f"when() needs at least one value for {name}, got an empty tuple")
        twin = copy.copy(self)
        object.__setattr__(twin, "condition", tuple(wanted.items()))
        return twin

    def at(self, share: float) -> Any:
        """Return the value that lies this share of the way, 0 to 1, along the domain's scale."""
        raise NotImplementedError

    def share(self, value: Any) -> float:
        """Return how far along the scale a value lies, 0 to 1: what `at` turns back into the value."""
        raise NotImplementedError

    def sample(self, rng: np.random.Generator) -> Any:
        """Draw one value, uniform on the domain's scale; takes exactly one number from ``rng``."""
        return self.at(draw(rng))

    def _repr(self, inside: str) -> str:
        parents = ", ".join(f"{name}={_one(values)}" for name, values in self.condition)
        return f"{type(self).__name__}({inside})" + (f".when({parents})" if parents else "")


@dataclass(frozen=True, repr=False)
class Float(_Domain):
    """A real number from ``low`` to ``high``, both included.

    Args:
        low: smallest value, in the hyperparameter's own unit.
        high: largest value, above ``low``.
        log: spread values evenly over orders of magnitude, default False; needs ``low`` above 0.

    Raises:
        InvalidInput: for bounds that are not finite numbers, reversed, equal, or not above 0 on a log scale.

    >>> rate = Float(1e-4, 1e-1, log=True)
    >>> rate.grid(4), rate.contains(0.5), str(rate)
    ([0.0001, 0.001, 0.01, 0.1], False, '1e-4 to 0.1, log scale')
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            value = getattr(self, name)
            if not _is_number(value):
                raise InvalidInput(f"Float needs finite numbers as bounds, got {name}={value!r}")
            object.__setattr__(self, name, float(value))
        _check(self)
        if self.low == self.high or (self.log and math.log(self.low) == math.log(self.high)):
            raise InvalidInput(f"{self!r} holds one value only: use Choice({self.low!r}) for a fixed one")

    def at(self, share: float) -> float:
        """Return the value that lies this share of the way, 0 to 1, along the scale."""
        if self.log:
            value = math.exp(math.log(self.low) * (1 - share) + math.log(self.high) * share)
        else:
            value = self.low * (1 - share) + self.high * share
        return min(max(value, self.low), self.high)

    def share(self, value: float) -> float:
        """Return how far along the scale a value lies, 0 to 1."""
        low, high, own = map(math.log, (self.low, self.high, value)) if self.log else (self.low, self.high, value)
        return min(max((own - low) / (high - low), 0.0), 1.0)

    def grid(self, points: int | None = None) -> list[float]:
        """Return ``points`` values, evenly spaced on the scale, from ``low`` to ``high``; 1 gives the middle."""
        if points is None:
            raise InvalidInput(f"{self!r} holds infinitely many values: say how many, such as grid(5)")
        if _points(points) == 1:
            return [self.at(0.5)]
        inner = (self.at(i / (points - 1)) for i in range(1, points - 1))
        tidy = (min(max(float(f"{value:.12g}"), self.low), self.high) for value in inner)
        return list(dict.fromkeys([self.low, *tidy, self.high]))

    def size(self) -> float:
        """Return infinity: how many values there are."""
        return math.inf

    def contains(self, value: Any) -> bool:
        """Say whether a value is a number between the bounds."""
        return _is_number(value) and self.low <= float(value) <= self.high

    def __str__(self) -> str:
        return f"{_text(self.low)} to {_text(self.high)}" + (", log scale" if self.log else "")

    def __repr__(self) -> str:
        return self._repr(f"{self.low!r}, {self.high!r}" + (", log=True" if self.log else ""))


@dataclass(frozen=True, repr=False)
class Int(_Domain):
    """A whole number from ``low`` to ``high``, both included.

    Args:
        low: smallest value.
        high: largest value.
        log: spread values evenly over orders of magnitude, default False; needs ``low`` above 0.
        step: distance between neighbours, default 1; must lead from ``low`` to ``high``; 1 on a log scale.

    Raises:
        InvalidInput: for bounds that are not whole numbers or are reversed, or a step that does not fit.

    >>> Int(16, 256, log=True).grid(5), Int(2, 8, step=3).grid(), Int(1, 10).size()
    ([16, 32, 64, 128, 256], [2, 5, 8], 10)
    """

    low: int
    high: int
    log: bool = False
    step: int = 1

    def __post_init__(self) -> None:
        for name in ("low", "high", "step"):
            value = getattr(self, name)
            if not is_whole(value):
                raise InvalidInput(f"Int needs whole numbers, got {name}={value!r}: use Float for others")
            if abs(value) > LARGEST:
                bits = int(value).bit_length()
                raise InvalidInput(f"Int goes to 2**53, as far as floats can count, got a {name} of {bits} bits")
            object.__setattr__(self, name, int(value))
        _check(self)
        if self.step < 1 or (self.log and self.step != 1):
            raise InvalidInput(f"{self!r}: step must be 1 on a log scale, and at least 1 elsewhere")
        if over := (self.high - self.low) % self.step:
            raise InvalidInput(f"{self!r}: step must lead from low to high; use high={self.high - over}")

    def at(self, share: float) -> int:
        """Return the value this share of the way, 0 to 1; every value owns a stretch of the scale."""
        if self.log:
            low, high = math.log(self.low - 0.5), math.log(self.high + 0.5)
            return min(max(round(math.exp(low + share * (high - low))), self.low), self.high)
        return self.low + self.step * min(int(share * self.size()), self.size() - 1)

    def share(self, value: int) -> float:
        """Return the middle of the stretch of the scale that the value owns, 0 to 1."""
        if self.log:
            low, high = math.log(self.low - 0.5), math.log(self.high + 0.5)
            return (math.log(value) - low) / (high - low)
        return ((value - self.low) // self.step + 0.5) / self.size()

    def grid(self, points: int | None = None) -> list[int]:
        """Return every value, or ``points`` of them evenly on the scale (fewer where two round to one)."""
        if points is None:
            check_length(self.size(), repr(self))
            return list(range(self.low, self.high + 1, self.step))
        if _points(points) == 1:
            return [self.at(0.5)]
        if self.log:
            spaced = [round(value) for value in np.geomspace(self.low, self.high, points).tolist()]
        else:
            last = self.size() - 1
            spaced = [self.low + self.step * round(i * last / (points - 1)) for i in range(points)]
        return sorted({min(max(value, self.low), self.high) for value in spaced})

    def size(self) -> int:
        """Return how many values there are."""
        return (self.high - self.low) // self.step + 1

    def contains(self, value: Any) -> bool:
        """Say whether a value is a whole number between the bounds that the steps reach."""
        return is_whole(value) and bool(self.low <= value <= self.high and (value - self.low) % self.step == 0)

    def __str__(self) -> str:
        step = f" in steps of {self.step}" if self.step > 1 else ""
        return f"{self.low} to {self.high}{step}" + (", log scale" if self.log else "")

    def __repr__(self) -> str:
        step = f", step={self.step}" if self.step != 1 else ""
        return self._repr(f"{self.low}, {self.high}" + (", log=True" if self.log else "") + step)


@dataclass(frozen=True, init=False, repr=False, eq=False)
class Choice(_Domain):
    """One of several values, which may be any Python objects.

    Each value has a label, the text that stands for it in storage: strings stand for themselves where all
    values are strings, other literals by their ``repr``, anything else by its place and name. Labels are the
    same in every process. Values of different types differ: ``1``, ``True``, ``1.0`` and ``"1"`` are four.

    Args:
        values: at least one, each once. NumPy's numbers become Python's. Unpack a list: ``Choice(*names)``.

    Raises:
        InvalidInput: for no values, or one that comes twice.

    >>> widths = Choice((64,), (128, 64))
    >>> widths.labels, widths.value("(128, 64)"), Choice("relu", "tanh").labels, Choice(1, min).labels
    (('(64,)', '(128, 64)'), (128, 64), ('relu', 'tanh'), ('1', '1:min'))
    """

    values: tuple[Any, ...]
    labels: tuple[str, ...]

    def __init__(self, *values: Any) -> None:
        if not values:
            raise InvalidInput("Choice needs at least one value, got none: write Choice('relu', 'tanh')")
        own = tuple(_own(plain(value)) for value in values)
        for i, value in enumerate(own):
            if any(same(value, other) for other in own[:i]):
                raise InvalidInput(f"Choice takes each value once, got {value!r} twice")
        words = all(type(value) is str for value in own)
        object.__setattr__(self, "condition", ())
        object.__setattr__(self, "values", own)
        object.__setattr__(self, "labels", own if words else tuple(map(_label, range(len(own)), own)))

    def label(self, value: Any) -> str:
        """Return the label of a value.

        Raises:
            InvalidInput: if the value is not one of the choices.
        """
        for label, own in zip(self.labels, self.values, strict=True):
            if same(own, plain(value)):
                return label
        raise InvalidInput(f"expected one of {self}, got {value!r}")

    def value(self, label: str) -> Any:
        """Return the value of a label.

        Raises:
            UnknownName: for a label that is not there.
        """
        if not isinstance(label, str) or label not in self.labels:
            raise unknown("choice", label, self.labels)
        return _own(self.values[self.labels.index(label)])

    def at(self, share: float) -> Any:
        """Return the value this share of the way, 0 to 1; all values own stretches of the same length."""
        return _own(self.values[min(int(share * len(self.values)), len(self.values) - 1)])

    def share(self, value: Any) -> float:
        """Return the middle of the stretch that the value owns, 0 to 1.

        Raises:
            InvalidInput: if the value is not one of the choices.
        """
        return (self.labels.index(self.label(value)) + 0.5) / len(self.values)

    def grid(self, points: int | None = None) -> list[Any]:
        """Return every value; a choice has no in-between, so ``points`` is not used."""
        return [_own(value) for value in self.values]

    def size(self) -> int:
        """Return how many values there are."""
        return len(self.values)

    def contains(self, value: Any) -> bool:
        """Say whether a value is one of the choices, in type as well."""
        return any(same(own, plain(value)) for own in self.values)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Choice):
            return NotImplemented
        return same(self.values, other.values) and same(self.condition, other.condition)

    def __hash__(self) -> int:
        return hash(self.labels)

    def __str__(self) -> str:
        return printable(", ".join(self.labels))

    def __repr__(self) -> str:
        return self._repr(", ".join(map(repr, self.values)))


Domain = Float | Int | Choice


def is_whole(value: Any) -> bool:
    """Say whether a value is a whole number, Python's or NumPy's; True and False are not."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def whole(name: str, value: Any, least: int) -> int:
    """Return a whole number as Python's, or refuse what is none or is smaller than ``least``.

    Raises:
        InvalidInput: with what was expected and what came.
    """
    if not is_whole(value) or value < least:
        raise InvalidInput(f"{name} must be a whole number of at least {least}, got {value!r}")
    return int(value)


def _is_number(value: Any) -> bool:
    try:
        return (is_whole(value) or isinstance(value, float | np.floating)) and math.isfinite(value)
    except OverflowError:  # a whole number beyond the largest float
        return False


def _check(domain: Float | Int) -> None:
    if not isinstance(domain.log, bool):
        raise InvalidInput(f"log must be True or False, got {domain.log!r}; write step=2 for steps")
    if domain.low > domain.high:
        raise InvalidInput(f"{domain!r}: low must not be above high; swap them")
    if domain.log and domain.low <= 0:
        raise InvalidInput(f"{domain!r}: a log scale needs low above 0, got {domain.low!r}")


def _points(points: int) -> int:
    if not is_whole(points) or points < 1:
        raise InvalidInput(f"a grid needs a whole number of points of at least 1, got {points!r}")
    check_length(points, "the grid")
    return points


def draw(rng: np.random.Generator) -> float:
    """Draw a number from 0 to 1."""
    if not isinstance(rng, np.random.Generator):
        raise InvalidInput(f"sample needs a generator, such as numpy.random.default_rng(0), got {rng!r}")
    return rng.random()


def check_length(length: int, what: str) -> None:
    """Refuse a grid that is longer than `MAX_GRID`."""
    if length > MAX_GRID:
        raise InvalidInput(f"{what} has {length:,} entries, more than {MAX_GRID:,}: ask for fewer points")


def plain(value: Any) -> Any:
    """NumPy's scalars as Python's own."""
    return value.item() if isinstance(value, np.generic) else value


def _is_literal(value: Any) -> bool:
    if type(value) in (tuple, list):
        return all(map(_is_literal, value))
    if type(value) is dict:
        return all(_is_literal(key) and _is_literal(inner) for key, inner in value.items())
    return value is None or type(value) in (bool, int, float, complex, str, bytes)


def _own(value: Any) -> Any:
    """A copy of a list or a dict, so that whoever changes it later changes no choice; others as they are."""
    return copy.deepcopy(value) if _is_literal(value) else value


def _label(index: int, value: Any) -> str:
    return repr(value) if _is_literal(value) else f"{index}:{getattr(value, '__name__', type(value).__name__)}"


def same(a: Any, b: Any) -> bool:
    """Equal, and of one type all the way down: 1, 1.0 and True are three values."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    try:
        return bool(a == b) or (isinstance(a, float) and a != a and b != b)
    except Exception:  # an array's == is not one answer: then only the object itself is the same
        return False


def _text(number: float) -> str:
    """A bound as people write it: 1e-4, 2.5e-3, 0.25, 10."""
    if 0 < abs(number) < 0.01 or abs(number) >= 1e6:
        return f"{Decimal(repr(number)).normalize():e}".replace("e+", "e")
    return repr(number).removesuffix(".0")


def _one(values: tuple[Any, ...]) -> str:
    return repr(values[0]) if len(values) == 1 and not isinstance(values[0], tuple) else repr(values)
