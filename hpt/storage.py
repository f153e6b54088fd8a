"""Storage: studies that outlived their process, and how to go on with them.

`hpt.tune` with ``storage=`` keeps a study while it runs. Here is what can be done with it afterwards: `studies` lists
what a storage holds, `read` gives a study back as far as it came, and `resume` goes on with it. Neither trains
anything that was finished; `hpt.keeping` says how that works.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpt import tasks
from hpt.backends import backend, printed, telling
from hpt.errors import InvalidInput, unknown
from hpt.keeping import ROUND, Nobody, facts_of, made, spelled
from hpt.limits import Limits
from hpt.search import quiet_optuna
from hpt.strategies import Strategy
from hpt.study import Study, tune
from hpt.tasks import TASKS, Task
from hpt.training import Trainer

if TYPE_CHECKING:
    import pandas as pd
    from optuna.storages import BaseStorage

OPENED = "hpt:opened"
"""Under this a study says when the test rows of its task were opened."""
NO_STUDY = "{} holds no study that hpt has begun"
COLUMNS = ["name", "task", "strategy", "seed", "rounds", "trials", "ended", "best", "source"]
"""What `studies` says of each."""


def studies(storage: str | Path) -> pd.DataFrame:
    """List the studies of a storage that `hpt.tune` has begun.

    Args:
        storage: as `hpt.tune` takes it.

    Returns:
        One row a study: ``name``, ``task``, ``strategy``, ``seed``, how many ``rounds`` are kept and ``trials``
        finished, whether it has ``ended``, the ``best`` score of the trials that were trained to the end (missing
        where there is none, or several objectives), and its ``source``, as it was given to `hpt.tune`.

    Raises:
        InvalidInput: for a file that is not there, or is no journal.
        StorageError: if the storage fails.
    """
    import pandas as pd

    at_hand = backend(storage, writes=False)
    found = [_looked_at(at_hand, storage, one) for one in _names(at_hand, storage)]
    listed = pd.DataFrame([{name: one[name] for name in COLUMNS} for one in found], columns=COLUMNS)
    sources = [one["source"] for one in found]  # beside a text pandas would make a number of what is missing
    return listed.assign(source=pd.Series(sources, index=listed.index, dtype=object))


def _names(at_hand: BaseStorage, storage: str | Path) -> list[str]:
    """The names of the studies that `hpt.tune` has begun."""
    with telling(storage), quiet_optuna():
        names = [one.study_name for one in at_hand.get_all_studies()]
        numbers = map(at_hand.get_study_id_from_name, names)
        attributes = map(at_hand.get_study_system_attrs, numbers)
        return sorted(name for name, own in zip(names, attributes, strict=True) if "hpt:facts" in own)


def _looked_at(at_hand: BaseStorage, storage: str | Path, name: str) -> dict[str, Any]:
    """What there is to know about a study without its task."""
    from optuna.study import StudyDirection
    from optuna.trial import TrialState

    with telling(storage), quiet_optuna():
        number = at_hand.get_study_id_from_name(name)
        facts = facts_of(at_hand, number, printed(storage), name) or {}
        attributes, directions = at_hand.get_study_system_attrs(number), at_hand.get_study_directions(number)
        trials = at_hand.get_all_trials(number, deepcopy=False)
        done = [trial for trial in trials if len(directions) == 1 and trial.state == TrialState.COMPLETE]
        scores = [float(trial.values[0]) for trial in done]  # noqa: PD011
        return {
            "name": name,
            "task": facts["task"],
            "strategy": facts["strategy"]["name"],
            "seed": facts["seed"],
            "rounds": sum(key.startswith(ROUND) for key in attributes),
            "trials": len(trials),
            "ended": bool(attributes.get("hpt:ended")),
            "best": (max if directions[0] == StudyDirection.MAXIMIZE else min)(scores, default=None),
            "source": at_hand.get_study_user_attrs(number).get("source"),
            "facts": facts,
        }


def resume(
    storage: str | Path,
    name: str | None = None,
    *,
    task: Task | None = None,
    strategy: Strategy | None = None,
    progress: bool | None = None,
    trainer: Trainer | None = None,
) -> Study:
    """Go on with a study of a storage, with the budget and the seed that it was begun with.

    What is finished is read, the rest is trained, and the end is that of a study that was never interrupted, to the
    last bit; only ``seconds`` are those of the clock. A study that has ended comes back without training.

    Args:
        storage: as `hpt.tune` takes it.
        name: of the study; may be left out where the storage holds a single one.
        task: may be left out for a ready task; else the same as then, for data and networks are not kept.
        strategy: may be left out where its sampler and its schedule are of this package.
        progress: as in `hpt.tune`.
        trainer: as in `hpt.tune`. Another one than then may give other last digits.

    Raises:
        InvalidInput: for a storage that is not there, a name that must be said, a task that must be given, or one that
            is another than it was.
        UnknownName: for a name that the storage does not hold.
        StorageError: if the storage fails, or another process has the study open.
    """
    at_hand = backend(storage, writes=False)
    found = _looked_at(at_hand, storage, chosen(name, _names(at_hand, storage), storage))
    facts = found["facts"]
    task = task or _ready(found)
    return tune(
        task,
        strategy or made(facts["strategy"], task.space),
        **{setting: facts[setting] for setting in ("trials", "epochs", "seed", "patience")},
        progress=progress,
        trainer=trainer,
        storage=storage,
        name=found["name"],
        source=found["source"],
    )


def chosen(name: str | None, names: Sequence[str], storage: str | Path) -> str:
    """Return which study of a storage is meant: the one that is named, or its only one.

    Raises:
        InvalidInput: where there is none, or a name must be said.
        UnknownName: for a name that the storage does not hold.
    """
    if name is None and len(names) != 1:
        said = f"{printed(storage)} holds {len(names)} studies, so say which: {', '.join(map(repr, names))}"
        raise InvalidInput(said if names else NO_STUDY.format(printed(storage)))
    if name is not None and name not in names:
        raise unknown("study", name, names)
    return names[0] if name is None else name


def _ready(found: dict[str, Any]) -> Task:
    """Make the ready task that a study searches."""
    facts = found["facts"]
    if facts["task"] in TASKS and found["source"] is None:
        made_again = tasks.task(
            facts["task"],
            folds=len(facts["folds"]),
            epochs=facts["length"],
            metrics=tuple(facts["metrics"]),
            costs=tuple(facts["costs"]),
            limits=Limits(**facts["limits"]),
        )
        if spelled(made_again.space) == facts["space"] and made_again.split.fingerprint == facts["data"]:
            return made_again
    raise InvalidInput(
        f"{found['name']!r} searches {facts['task']!r}, not a ready task or a changed one: give task= as it was then"
    )


def opened(storage: str | Path, name: str, task: Task) -> str | None:
    """Say when the test rows of a task were opened before, and for which study of a storage; None if never.

    Args:
        storage: as `hpt.tune` takes it.
        name: of the study for which they would be opened now.
        task: whose split counts: another study of the same split had the same test rows.
    """
    with telling(storage), quiet_optuna():
        at_hand = backend(storage, writes=False)
        for one in _names(at_hand, storage):
            number = at_hand.get_study_id_from_name(one)
            attributes = at_hand.get_study_system_attrs(number)
            if OPENED in attributes and attributes["hpt:facts"]["data"] == task.split.fingerprint:
                return f"{attributes[OPENED]} for {'this study' if one == name else repr(one)}"
    return None


def note_opened(storage: str | Path, name: str) -> None:
    """Write down that the test rows of a study's task are being opened now."""
    with telling(storage), quiet_optuna():
        at_hand = backend(storage)
        at_hand.set_study_system_attr(at_hand.get_study_id_from_name(name), OPENED, f"{datetime.now():%Y-%m-%d %H:%M}")


def read(
    storage: str | Path, name: str | None = None, *, task: Task | None = None, strategy: Strategy | None = None
) -> Study:
    """Read a study of a storage as far as it came, without training and without writing.

    Another process may be at work on it. Trials that were never judged are recorded as interrupted, those that wait
    between two rungs as pruned; both say "not trained yet".

    Args:
        storage: as `hpt.tune` takes it.
        name: as in `resume`.
        task: as in `resume`.
        strategy: as in `resume`.

    Raises:
        InvalidInput: as `resume`.
        UnknownName: as `resume`.
        StorageError: if the storage fails.
    """
    return resume(storage, name, task=task, strategy=strategy, progress=False, trainer=Nobody())
