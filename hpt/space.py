"""Search spaces: which hyperparameters there are, and where each one may lie.

A `Space` is domains by name (see `hpt.domains`), and a *configuration* is a plain dict with one value for each
name. Storage knows numbers and text, a `Choice` holds any Python values: so a space translates between a
configuration and its *labels*, which is what an Optuna study keeps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hpt.domains import Choice, Domain, Float, Int, check_length, draw, plain, same
from hpt.errors import InvalidInput, unknown

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import BaseTrial

Configuration = dict[str, Any]


class Space(Mapping[str, Domain]):
    """Domains by name, in order: a mapping that does not change. A parent stands before its children.

    Args:
        domains: at least one.

    Raises:
        InvalidInput: for no domains, something that is not a domain, a parent that stands after its child, or
            a condition that the parent can never meet.
        UnknownName: for a condition on a parent that is not in the space.

    >>> space = Space({"optimizer": Choice("adam", "sgd"), "momentum": Float(0.8, 0.99).when(optimizer="sgd")})
    >>> space.grid(2)
    [{'optimizer': 'adam'}, {'optimizer': 'sgd', 'momentum': 0.8}, {'optimizer': 'sgd', 'momentum': 0.99}]
    >>> space
    Space(
      optimizer: adam, sgd
      momentum: 0.8 to 0.99, when optimizer is 'sgd'
    )
    """

    __slots__ = ("_domains",)

    def __init__(self, domains: Mapping[str, Domain]) -> None:
        if not isinstance(domains, Mapping) or not domains:
            raise InvalidInput(f"a space needs a dict of at least one name and its domain, got {domains!r}")
        self._domains: dict[str, Domain] = {}
        for name, domain in domains.items():
            named = isinstance(name, str) and name and name.isprintable()
            if not named or not isinstance(domain, Float | Int | Choice):
                wanted = "a space maps names to Float, Int or Choice (a fixed value is a Choice of one)"
                raise InvalidInput(f"{wanted}, got {name!r}: {domain!r}")
            for parent, values in domain.condition:
                if parent not in self._domains:
                    if parent in domains:
                        raise InvalidInput(f"{name} depends on {parent}, which stands after it: put {parent} first")
                    raise unknown("hyperparameter", parent, self._domains, f"the condition of {name!r}")
                above = self._domains[parent]
                for value in values:
                    if not above.contains(value):
                        raise InvalidInput(f"{name} waits for {parent}={value!r}, but {parent} can only be {above}")
            self._domains[name] = domain

    def __getitem__(self, name: str) -> Domain:
        if name not in self._domains:
            raise unknown("hyperparameter", name, self._domains)
        return self._domains[name]

    def __contains__(self, name: object) -> bool:
        return name in self._domains

    def __iter__(self) -> Iterator[str]:
        return iter(self._domains)

    def __len__(self) -> int:
        return len(self._domains)

    def __eq__(self, other: object) -> bool:
        return list(self.items()) == list(other.items()) if isinstance(other, Space) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self._domains))

    def __repr__(self) -> str:
        rows = [f"  {name}: {domain}{_when(domain)}" for name, domain in self.items()]
        return "\n".join(["Space(", *rows, ")"])

    def replace(self, **domains: Domain) -> Space:
        """Return a space with these domains in the place of its own, or added at the end."""
        return Space({**self._domains, **domains})

    def active(self, name: str, chosen: Mapping[str, Any]) -> bool:
        """Say whether every parent is there and has one of the values that let this hyperparameter in."""
        for parent, values in self._domains[name].condition:
            if parent not in chosen or not any(self._is(parent, chosen[parent], value) for value in values):
                return False
        return True

    def _is(self, name: str, value: Any, wanted: Any) -> bool:
        return same(value, wanted) if isinstance(self._domains[name], Choice) else bool(value == wanted)

    def at(self, shares: Sequence[float]) -> Configuration:
        """Return the configuration at a point of the unit cube, one coordinate a name, used or not.

        >>> Space({"dropout": Float(0, 0.5), "units": Int(1, 4)}).at([0.5, 0.99])
        {'dropout': 0.25, 'units': 4}
        """
        many = isinstance(shares, Sequence | np.ndarray) and len(shares) == len(self)
        if not many or not all(Float(0, 1).contains(share) for share in shares):
            raise InvalidInput(f"a point of this space is {len(self)} numbers from 0 to 1, got {shares!r}")
        configuration: Configuration = {}
        for (name, domain), share in zip(self.items(), shares, strict=True):
            if self.active(name, configuration):
                configuration[name] = domain.at(share)
        return configuration

    def completed(self, values: Mapping[str, Any], rng: np.random.Generator) -> Configuration:
        """Return a valid configuration: what a condition leaves out goes, what it brings in and is missing is drawn."""
        whole: Configuration = {}
        for name, domain in self.items():
            if self.active(name, whole):
                whole[name] = values[name] if name in values else domain.sample(rng)
        return whole

    def sample(self, rng: np.random.Generator) -> Configuration:
        """Draw one configuration, each hyperparameter on its own, uniform on its scale.

        One number is taken from ``rng`` for every name, used or not, so what is drawn for one hyperparameter
        does not depend on what was drawn for another.
        """
        return self.at([draw(rng) for _ in self])

    def grid(self, points: int | Mapping[str, int] | None = None) -> list[Configuration]:
        """Return every combination, the last name changing fastest, conditions respected, each one once.

        Args:
            points: how many values each number gets, or a dict by name. A `Float` needs it, an `Int` without
                it gives all its values, a `Choice` always does.

        Raises:
            InvalidInput: if a `Float` has no number of points, or there are more than `MAX_GRID` combinations.
            UnknownName: for a name in ``points`` that is not in the space.
        """
        for name in points if isinstance(points, Mapping) else ():
            _ = self[name]
        found: list[Configuration] = [{}]
        for name, domain in self.items():
            try:
                values = domain.grid(points.get(name) if isinstance(points, Mapping) else points)
            except InvalidInput as error:
                raise InvalidInput(f"{name}: {error}") from None
            active = [self.active(name, one) for one in found]
            check_length(len(found) + sum(active) * (len(values) - 1), "the grid of this space")
            found = [
                more
                for one, here in zip(found, active, strict=True)
                for more in ([{**one, name: value} for value in values] if here else [one])
            ]
        return found

    def size(self) -> int | float:
        """Return how many configurations there are: exact, or infinity where one of them holds a `Float`."""
        told: dict[str, list[Any]] = {}  # the values of each parent that some condition names
        for domain in self.values():
            for parent, values in domain.condition:
                seen = told.setdefault(parent, [])
                for value in values:
                    if not any(self._is(parent, value, other) for other in seen):
                        seen.append(value)
        names = list(self)

        def count(i: int, chosen: Configuration) -> int | float:
            if i == len(names):
                return 1
            name, domain = names[i], self._domains[names[i]]
            if not self.active(name, chosen):
                return count(i + 1, chosen)
            if name not in told:
                return domain.size() * count(i + 1, chosen)
            others = domain.size() - len(told[name])
            rest = others * count(i + 1, {**chosen, name: _OTHER}) if others else 0
            return rest + sum(count(i + 1, {**chosen, name: value}) for value in told[name])

        return count(0, {})

    def validate(self, configuration: Mapping[str, Any]) -> Configuration:
        """Return a configuration in the space's order, its numbers as Python's own.

        Raises:
            InvalidInput: for a value outside its domain, one that is missing, or one whose condition fails.
            UnknownName: for a name that is not in the space.
        """
        if not isinstance(configuration, Mapping):
            raise InvalidInput(f"a configuration is a dict of names and values, got {configuration!r}")
        for name in configuration:
            _ = self[name]
        checked: Configuration = {}
        for name, domain in self.items():
            if not self.active(name, checked):
                if name in configuration:
                    raise InvalidInput(f"{name} is used only{_when(domain)[1:]}: leave it out, got {configuration!r}")
                continue
            if name not in configuration:
                raise InvalidInput(f"the configuration lacks {name}: expected {domain}, got {configuration!r}")
            value = plain(configuration[name])
            if not domain.contains(value):
                raise InvalidInput(f"{name}: expected {_expected(domain)}, got {value!r}")
            checked[name] = float(value) if isinstance(domain, Float) else value
        return checked

    def suggest(self, trial: BaseTrial) -> Configuration:
        """Let an Optuna trial choose a configuration; choices come back as values, not as labels."""
        configuration: Configuration = {}
        for name, domain in self.items():
            if not self.active(name, configuration):
                continue
            if isinstance(domain, Choice):
                configuration[name] = domain.value(trial.suggest_categorical(name, domain.labels))
            elif isinstance(domain, Int):
                low, high = domain.low, domain.high
                configuration[name] = trial.suggest_int(name, low, high, step=domain.step, log=domain.log)
            else:
                configuration[name] = trial.suggest_float(name, domain.low, domain.high, log=domain.log)
        return configuration

    def labels(self, configuration: Mapping[str, Any]) -> dict[str, Any]:
        """Return a configuration as storage holds it, for ``study.enqueue_trial``; checks it like `validate`."""
        return {
            name: domain.label(value) if isinstance(domain := self._domains[name], Choice) else value
            for name, value in self.validate(configuration).items()
        }

    def from_labels(self, params: Mapping[str, Any]) -> Configuration:
        """Return the configuration that ``trial.params`` stands for; checks it like `validate`."""
        if not isinstance(params, Mapping):
            raise InvalidInput(f"labels are a dict of names and numbers or texts, got {params!r}")
        return self.validate(
            {
                name: domain.value(value) if isinstance(domain := self[name], Choice) else value
                for name, value in params.items()
            }
        )

    def distributions(self) -> dict[str, BaseDistribution]:
        """Return Optuna's distribution for every name, its condition left aside."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        def one(domain: Domain) -> BaseDistribution:
            if isinstance(domain, Choice):
                return CategoricalDistribution(domain.labels)
            if isinstance(domain, Int):
                return IntDistribution(domain.low, domain.high, log=domain.log, step=domain.step)
            return FloatDistribution(domain.low, domain.high, log=domain.log)

        return {name: one(domain) for name, domain in self.items()}


_OTHER = object()
"""Stands, while configurations are counted, for every value that no condition mentions."""


def _expected(domain: Domain) -> str:
    if isinstance(domain, Choice):
        return f"one of {domain}"
    return f"a {'whole ' if isinstance(domain, Int) else ''}number from {domain}"


def _when(domain: Domain) -> str:
    parts = [f"{parent} is {' or '.join(map(repr, values))}" for parent, values in domain.condition]
    return f", when {' and '.join(parts)}" if parts else ""
