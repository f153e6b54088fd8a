"""What all samplers share: the seam, and what a sampler of our own can see of the trials so far.

A sampler of our own is one function, `Proposer.propose`: from the observations so far to the next configuration.
It knows neither Optuna nor the study loop, so it can be read, tested and handed to another program by itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from hpt.domains import is_whole
from hpt.errors import InvalidInput
from hpt.space import Configuration, Space

if TYPE_CHECKING:
    from optuna import Study as Record
    from optuna.trial import FrozenTrial, Trial


class Sampler(Protocol):
    """Chooses configurations. ``ends`` says whether it runs out of them by itself."""

    ends: ClassVar[bool]

    def ahead(self, number: int, record: Record | None = None, space: Space | None = None) -> int:
        """Return how many trials, from ``number`` on, can be asked for before any of them has a result.

        Args:
            number: of trials that were asked for so far.
            record: their results, for a sampler that works in generations; default none.
            space: what is searched.
        """

    def ask(self, record: Record, space: Space, number: int, seed: int) -> Trial | None:
        """Return the next trial with its hyperparameters set, or None when there is nothing left to try."""


@dataclass(frozen=True)
class Observation:
    """One trial as a sampler sees it.

    Attributes:
        number: of the trial.
        configuration: its hyperparameters.
        merits: how good it was, by the epoch at which it was judged; greater is better, minus infinity where the
            network diverged or failed. Empty for a trial that was not judged yet.
    """

    number: int
    configuration: Configuration
    merits: Mapping[int, float]

    @property
    def merit(self) -> float | None:
        """How good it was when it was judged last; None if it never was."""
        return self.merits[max(self.merits)] if self.merits else None


def observations(record: Record, space: Space) -> list[Observation]:
    """Return what a record holds, trial by trial; those that were interrupted are left out."""
    from optuna.trial import TrialState

    return [
        Observation(trial.number, space.from_labels(trial.params), merits)
        for trial, merits in judged(record)
        if trial.params or trial.state != TrialState.RUNNING
    ]


def judged(record: Record) -> list[tuple[FrozenTrial, dict[int, float]]]:
    """Return the trials of a record with how good each was, by epoch; those that were interrupted are left out.

    Of several objectives the first one counts.
    """
    from optuna.study import StudyDirection
    from optuna.trial import TrialState

    sign = 1.0 if record.directions[0] == StudyDirection.MAXIMIZE else -1.0
    seen = (TrialState.RUNNING, TrialState.COMPLETE, TrialState.PRUNED)
    return [(trial, _merits(trial, sign)) for trial in record.get_trials(deepcopy=False, states=seen)]


def _merits(trial: FrozenTrial, sign: float) -> dict[int, float]:
    from optuna.trial import TrialState

    merits = {epoch: sign * value for epoch, value in sorted(trial.intermediate_values.items())}
    last = max(merits, default=0)
    if trial.state == TrialState.COMPLETE and trial.values:
        merits[last] = sign * trial.values[0]  # early stopping: the epoch that counts, not the last
    elif trial.state == TrialState.PRUNED and not merits:
        merits[last] = -math.inf
    return {epoch: -math.inf if math.isnan(merit) else merit for epoch, merit in merits.items()}


class Proposer:
    """A sampler of our own: it asks by proposing."""

    ends: ClassVar[bool] = False

    def propose(self, space: Space, seen: Sequence[Observation], number: int, seed: int) -> Configuration | None:
        """Return configuration ``number``, or None when there is nothing left to try.

        Args:
            space: where to look.
            seen: the trials so far, in the order of their numbers.
            number: of the trial that is asked for; with ``seed`` the address of everything random.
            seed: of the study.
        """
        raise NotImplementedError

    def ask(self, record: Record, space: Space, number: int, seed: int) -> Trial | None:
        """Return the next trial with its hyperparameters set, or None when there is nothing left to try."""
        configuration = self.propose(space, observations(record, space), number, seed)
        return None if configuration is None else fixed(record, space, configuration)


def fixed(record: Record, space: Space, configuration: Mapping[str, object]) -> Trial:
    """Put a configuration that is already chosen on the record, as a trial that runs."""
    record.enqueue_trial(space.labels(configuration))
    trial = record.ask()
    space.suggest(trial)
    return trial


def at_least(name: str, value: Any, least: int, what: str) -> None:
    """Refuse a setting of a sampler that is not a whole number of at least ``least``."""
    if not is_whole(value) or value < least:
        raise InvalidInput(f"{name} needs {what}, a whole number of at least {least}, got {value!r}")
