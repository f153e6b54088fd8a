"""Schedules: how long to train each configuration.

A schedule is a plan that is made before anything runs. It is cut into *brackets*: a bracket starts some networks,
and rung by rung trains fewer of them for longer. A survivor goes on from where it stood, with its weights and its
optimizer's memory. How many networks, and until which epoch, is counted in whole numbers: the logarithm in the
textbooks, taken in floating point, loses a bracket at 243 epochs.

Sources: successive halving, Jamieson and Talwalkar 2016; Hyperband, Li et al. 2018; population-based training,
Jaderberg et al. 2017.

>>> hyperband(9)
3 brackets, 17 configurations, 22 trainings, 69 epochs; 5 networks to the end
bracket 2: 9 until epoch 1, 3 until 3, 1 until 9; 21 epochs
bracket 1: 5 until epoch 3, 1 until 9; 21 epochs
bracket 0: 3 until epoch 9; 27 epochs
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np

from hpt.domains import Choice, Float, Int, is_whole, whole
from hpt.errors import InvalidInput, unknown
from hpt.space import Configuration, Space

if TYPE_CHECKING:
    import pandas as pd


class Rung(NamedTuple):
    """So many networks train until this epoch, counted from their start."""

    networks: int
    epoch: int


Bracket = tuple[Rung, ...]


def epochs_of(bracket: Bracket) -> int:
    """Return the epochs of one bracket, survivors going on from where they stood.

    >>> epochs_of((Rung(9, 1), Rung(3, 3), Rung(1, 9)))
    21
    """
    return sum(rung.networks * (rung.epoch - (bracket[i - 1].epoch if i else 0)) for i, rung in enumerate(bracket))


@dataclass(frozen=True, repr=False)
class Brackets:
    """A plan: brackets in the order in which they run. Printed, it says what it costs."""

    brackets: tuple[Bracket, ...]

    @property
    def configurations(self) -> int:
        """How many configurations are tried."""
        return sum(bracket[0].networks for bracket in self.brackets)

    @property
    def trainings(self) -> int:
        """How many times a network is trained further, counted as the papers do: once a network and rung."""
        return sum(rung.networks for bracket in self.brackets for rung in bracket)

    @property
    def epochs(self) -> int:
        """What the plan costs, survivors going on from where they stood."""
        return sum(map(epochs_of, self.brackets))

    @property
    def epochs_from_scratch(self) -> int:
        """What it would cost if every rung began anew."""
        return sum(rung.networks * rung.epoch for bracket in self.brackets for rung in bracket)

    @property
    def to_the_end(self) -> int:
        """How many networks are trained until the last epoch."""
        last = max(bracket[-1].epoch for bracket in self.brackets)
        return sum(bracket[-1].networks for bracket in self.brackets if bracket[-1].epoch == last)

    def table(self) -> pd.DataFrame:
        """Return one row a rung: ``bracket``, ``rung``, ``networks``, ``epoch`` and the ``epochs`` it costs.

        Brackets have the paper's numbers, s, which count down to 0.
        """
        import pandas as pd

        rows = []
        for number, bracket in zip(range(len(self.brackets) - 1, -1, -1), self.brackets, strict=True):
            before = 0
            for i, rung in enumerate(bracket):
                rows.append((number, i, *rung, rung.networks * (rung.epoch - before)))
                before = rung.epoch
        return pd.DataFrame(rows, columns=["bracket", "rung", "networks", "epoch", "epochs"])

    def __repr__(self) -> str:
        ends = f"{_count(self.to_the_end, 'network')} to the end"
        head = f"{_count(len(self.brackets), 'bracket')}, {_count(self.configurations, 'configuration')}, "
        lines = [f"{head}{_count(self.trainings, 'training')}, {_count(self.epochs, 'epoch')}; {ends}"]
        for number, bracket in zip(range(len(self.brackets) - 1, -1, -1), self.brackets, strict=True):
            steps = [f"{rung.networks} until {'epoch ' * (i == 0)}{rung.epoch}" for i, rung in enumerate(bracket)]
            if len(steps) > 6:
                steps = [*steps[:3], "…", steps[-1]]
            lines.append(f"bracket {number}: {', '.join(steps)}; {_count(epochs_of(bracket), 'epoch')}")
        return "\n".join(lines)


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'s' * (number != 1)}"


# --- plans, pure functions ------------------------------------------------------------------------------

Convention = Literal["algorithm", "table", "ceiling"]
CONVENTIONS: dict[str, str] = {
    "algorithm": "Algorithm 1 of Li et al. 2018: the start rounded up, the survivors down",
    "table": "the table printed in that paper, and HpBandSter: a whole number of the last rungs, doubled downwards",
    "ceiling": "KerasTuner: start, survivors and epochs all rounded up",
}
"""Three ways to round that are all called Hyperband. At 81 epochs they train 206, 187 and 211 times."""


def one_epoch(longest: int, networks: int = 27, best: int = 3) -> Brackets:
    """Train all networks for one epoch, and the best few of them to the end (Egele et al. 2023).

    Args:
        longest: epochs of a full training, at least 2.
        networks: how many start.
        best: how many go on.
    """
    if not is_whole(longest) or longest < 2:
        raise InvalidInput(
            f"one epoch for all and more for the best needs trainings of 2 epochs or more, got {longest!r}"
        )
    longest, networks, best = int(longest), whole("networks", networks, 1), whole("best", best, 1)
    if best > networks:
        raise InvalidInput(f"the best {best} of {networks} networks can't go on: best must not be above networks")
    return Brackets(((Rung(networks, 1), Rung(best, longest)),))


def successive_halving(longest: int, networks: int | None = None, eta: int = 3) -> Brackets:
    """One bracket: start many, and rung by rung train the best ``1/eta`` of them ``eta`` times as long.

    Args:
        longest: epochs of a full training.
        networks: how many start; default as many as leave one at the end if the first rung is as short as can be.
        eta: how hard each rung cuts, 2 or more.
    """
    longest, eta = whole("longest", longest, 1), whole("eta", eta, 2)
    top = logarithm(longest, eta)
    networks = eta**top if networks is None else whole("networks", networks, 1)
    rungs = min(top, logarithm(networks, eta))
    return Brackets((_bracket(networks, rungs, longest, eta),))


def hyperband(longest: int, eta: int = 3, convention: Convention = "algorithm") -> Brackets:
    """All brackets, from the boldest, which starts many and cuts hard, to the one that cuts nothing.

    Args:
        longest: epochs of a full training, R in the paper.
        eta: how hard each rung cuts, 2 or more.
        convention: how to round, see `CONVENTIONS`.

    >>> plan = hyperband(81)
    >>> plan.configurations, plan.trainings, plan.epochs, plan.to_the_end
    (143, 206, 1581, 10)
    """
    longest, eta = whole("longest", longest, 1), whole("eta", eta, 2)
    if not isinstance(convention, str) or convention not in CONVENTIONS:
        raise unknown("convention", convention, CONVENTIONS)
    top = logarithm(longest, eta)  # s_max in the paper
    found = []
    for s in range(top, -1, -1):
        if convention == "ceiling":
            ends = top + 1 + (eta**top < longest)  # its logarithm is rounded up, too
            sizes = [-(-ends * eta ** (s - i) // (s + 1)) for i in range(s + 1)]
            found.append(tuple(Rung(n, -(-longest // eta ** (s - i))) for i, n in enumerate(sizes)))
        elif convention == "table":
            found.append(_bracket((top + 1) // (s + 1) * eta**s, s, longest, eta))
        else:  # n = ⌈(s_max + 1)/(s + 1) · η^s⌉
            found.append(_bracket(-(-(top + 1) * eta**s // (s + 1)), s, longest, eta))
    return Brackets(tuple(found))


def _bracket(networks: int, rungs: int, longest: int, eta: int) -> Bracket:
    """Rung i trains ⌊n · η^-i⌋ networks until epoch ⌊R · η^(i-s)⌋."""
    return tuple(Rung(networks // eta**i, longest * eta**i // eta**rungs) for i in range(rungs + 1))


def population_based(longest: int, population: int = 20, every: int | None = None) -> Brackets:
    """All networks to the end, looked at every few epochs.

    Args:
        longest: epochs of a full training.
        population: how many networks.
        every: epochs between two looks, default a tenth of ``longest``.
    """
    longest, population = whole("longest", longest, 1), whole("population", population, 2)
    every = max(1, longest // 10) if every is None else whole("every", every, 1)
    if 1 < longest <= every:
        raise InvalidInput(f"a look every {every} epochs comes too late for trainings of {longest}: say fewer")
    looks = [*range(every, longest, every), longest]
    return Brackets((tuple(Rung(population, epoch) for epoch in looks),))


def logarithm(number: int, base: int) -> int:
    """Return the largest whole power of ``base`` that is not above ``number``; no floating point.

    >>> logarithm(243, 3), logarithm(242, 3), logarithm(1000, 10)
    (5, 4, 3)
    """
    power = 0
    while base ** (power + 1) <= number:
        power += 1
    return power


# --- schedules: a plan, and who survives a rung -----------------------------------------------------------


class Schedule(Protocol):
    """How long to train."""

    def plan(self, longest: int) -> Brackets:
        """Return the brackets, for networks that train ``longest`` epochs in full."""

    def survivors(self, merits: Sequence[float], places: int, rng: np.random.Generator) -> list[int]:
        """Return who goes on, as positions in ``merits``; who is named twice goes on twice, the second as an heir.

        Args:
            merits: of the networks of a rung, greater is better; minus infinity where a network failed.
            places: in the next rung.
            rng: for a schedule that draws lots.
        """

    def heir(self, space: Space, configuration: Configuration, rng: np.random.Generator) -> Configuration:
        """Return the configuration with which an heir goes on."""


def best_of(merits: Sequence[float], places: int) -> list[int]:
    """Return the positions of the best, in order; of equals the earlier, and none that failed.

    >>> best_of([0.2, 0.9, float("-inf"), 0.9], 3)
    [1, 3, 0]
    """
    order = sorted(range(len(merits)), key=lambda i: -merits[i])  # stable
    return [i for i in order[:places] if merits[i] > -np.inf]


class _Cutting:
    """A schedule in which the best go on and the others end."""

    def survivors(self, merits: Sequence[float], places: int, rng: np.random.Generator) -> list[int]:
        """Return the best."""
        return best_of(merits, places)

    def heir(self, space: Space, configuration: Configuration, rng: np.random.Generator) -> Configuration:
        """Nobody inherits here."""
        raise NotImplementedError


@dataclass(frozen=True)
class Full(_Cutting):
    """Train every configuration to its end."""

    def plan(self, longest: int) -> Brackets:
        """Return one network, trained in full."""
        return Brackets(((Rung(1, longest),),))


@dataclass(frozen=True)
class OneEpoch(_Cutting):
    """See `one_epoch`."""

    networks: int = 27
    best: int = 3

    def plan(self, longest: int) -> Brackets:
        """Return the brackets."""
        return one_epoch(longest, self.networks, self.best)


@dataclass(frozen=True)
class SuccessiveHalving(_Cutting):
    """See `successive_halving`."""

    networks: int | None = None
    eta: int = 3

    def plan(self, longest: int) -> Brackets:
        """Return the brackets."""
        return successive_halving(longest, self.networks, self.eta)


@dataclass(frozen=True)
class Hyperband(_Cutting):
    """See `hyperband`."""

    eta: int = 3
    convention: Convention = "algorithm"

    def plan(self, longest: int) -> Brackets:
        """Return the brackets."""
        return hyperband(longest, self.eta, self.convention)


CHANGEABLE = ("learning_rate", "momentum", "weight_decay", "dropout", "clip_norm", "batch_size")
"""What can change while a network trains. The others are its shape, or what its optimizer remembers."""


@dataclass(frozen=True)
class PopulationBased:
    """Population-based training (Jaderberg et al. 2017): the worst copy the best, and change a little.

    Every few epochs the networks are compared. Each of the worst ``share`` takes over weights and optimizer of one
    of the best ``share`` (*exploit*), and goes on with that one's hyperparameters, each multiplied by 0.8 or 1.2, or
    now and then drawn anew (*explore*). Only what is `CHANGEABLE` changes.

    Args:
        population: how many networks.
        every: epochs between two looks, default a tenth of a full training.
        share: of the population that is replaced at a look, above 0 and at most a half.
        resample: how often a hyperparameter is drawn anew.
    """

    population: int = 20
    every: int | None = None
    share: float = 0.25
    resample: float = 0.25

    def __post_init__(self) -> None:
        if not Float(0, 0.5).contains(self.share) or self.share == 0 or not Float(0, 1).contains(self.resample):
            raise InvalidInput(
                f"share must be above 0 and at most 0.5, resample 0 to 1, got {self.share!r} and {self.resample!r}"
            )

    def plan(self, longest: int) -> Brackets:
        """Return the brackets."""
        return population_based(longest, self.population, self.every)

    def survivors(self, merits: Sequence[float], places: int, rng: np.random.Generator) -> list[int]:
        """Return everybody, but in the places of the worst someone of the best; what failed counts as worst."""
        ranked = best_of(merits, len(merits))
        if not ranked:
            return []
        worst = [i for i in range(len(merits)) if i not in ranked] + ranked[::-1]
        share = max(1, int(self.share * len(merits)))
        replaced = set(worst[: min(max(share, len(merits) - len(ranked)), len(merits) - 1)])
        best = ranked[:share]
        return [int(rng.choice(best)) if i in replaced else i for i in range(len(merits))]

    def heir(self, space: Space, configuration: Configuration, rng: np.random.Generator) -> Configuration:
        """Return the parent's configuration, what can change changed a little.

        Raises:
            InvalidInput: if the space holds nothing that can change in mid-training.
        """
        names, changed = changeable(space), dict(configuration)
        for name in (name for name in names if name in configuration):
            draw, factor = rng.random(2)
            if draw < self.resample:
                changed[name] = space[name].sample(rng)
            else:
                changed[name] = _perturbed(space[name], configuration[name], 0.8 if factor < 0.5 else 1.2)
        return space.completed(changed, rng)


def changeable(space: Space) -> list[str]:
    """Return what can change in mid-training, of those that a space searches.

    Raises:
        InvalidInput: if there is nothing.
    """
    names = [name for name in CHANGEABLE if name in space]
    if not names:
        raise InvalidInput(
            f"population-based training changes hyperparameters in mid-training, one of {', '.join(CHANGEABLE)}: "
            f"this space searches {', '.join(space)}"
        )
    return names


def _perturbed(domain: Float | Int | Choice, value: Any, factor: float) -> Any:
    """A number times the factor, cut to its domain; a choice gives its neighbour."""
    if isinstance(domain, Choice):
        place = domain.labels.index(domain.label(value)) + (1 if factor > 1 else -1)
        return domain.grid()[min(max(place, 0), domain.size() - 1)]
    if isinstance(domain, Float):
        return min(max(value * factor, domain.low), domain.high)
    steps = round((value * factor - domain.low) / domain.step)
    return min(max(domain.low + steps * domain.step, domain.low), domain.high)
