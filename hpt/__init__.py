"""Tune the hyperparameters of neural networks, and know how sure you are.

>>> import hpt
>>> task = hpt.task("breast_cancer")
>>> study = hpt.tune(task, "random", trials=20, seed=0)  # doctest: +SKIP
>>> study.best  # doctest: +SKIP

What is heavy (TensorFlow, Optuna, pandas, matplotlib) is imported when it is first used, so ``import hpt`` is
quick. Each module is a lesson and says at its top what it teaches; from the bottom up: `hpt.domains`, `hpt.space`,
`hpt.catalog`, `hpt.data`, `hpt.generated`, `hpt.networks`, `hpt.layers`, `hpt.tables`, `hpt.builders`, `hpt.limits`,
`hpt.tasks`, `hpt.images`, `hpt.baselines`, `hpt.training`, `hpt.samplers`, `hpt.schedules`, `hpt.strategies`,
`hpt.search`, `hpt.backends`, `hpt.keeping`, `hpt.study`, `hpt.storage`, `hpt.importances`, `hpt.diagnosis`,
`hpt.evidence`, `hpt.claims`, `hpt.comparison`, `hpt.sweeps`, `hpt.reports`, `hpt.recording`, `hpt.simulation`,
`hpt.libraries`, `hpt.plots`, `hpt.command`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from hpt.baselines import baseline
    from hpt.catalog import layerwise_space, search_space, table
    from hpt.claims import experiment
    from hpt.comparison import Comparison, compare
    from hpt.data import Dataset, by_time, holdout, kfold, load
    from hpt.diagnosis import diagnose, rate_test
    from hpt.domains import Choice, Float, Int
    from hpt.errors import InvalidInput, StorageError, UnknownName
    from hpt.evidence import Effect, Verdict, combine, fact, judge, paired
    from hpt.importances import importance
    from hpt.limits import Limits
    from hpt.reports import Report, report
    from hpt.space import Space
    from hpt.storage import resume
    from hpt.strategies import Strategy
    from hpt.study import Study, tune
    from hpt.sweeps import Runs, Trained, repeat, sweep, train
    from hpt.tasks import Task, task

_WHERE = {
    "baselines": ("baseline",),
    "catalog": ("layerwise_space", "search_space", "table"),
    "claims": ("experiment",),
    "comparison": ("Comparison", "compare"),
    "data": ("Dataset", "by_time", "holdout", "kfold", "load"),
    "errors": ("InvalidInput", "StorageError", "UnknownName"),
    "evidence": ("Effect", "Verdict", "combine", "fact", "judge", "paired"),
    "importances": ("importance",),
    "diagnosis": ("diagnose", "rate_test"),
    "domains": ("Choice", "Float", "Int"),
    "limits": ("Limits",),
    "reports": ("Report", "report"),
    "space": ("Space",),
    "storage": ("resume",),
    "strategies": ("Strategy",),
    "study": ("Study", "tune"),
    "sweeps": ("Runs", "Trained", "repeat", "sweep", "train"),
    "tasks": ("Task", "task"),
}
_HOME = {name: module for module, names in _WHERE.items() for name in names}
_MODULES = (
    "backends",
    "baselines",
    "builders",
    "catalog",
    "claims",
    "command",
    "comparison",
    "data",
    "diagnosis",
    "domains",
    "errors",
    "evidence",
    "generated",
    "images",
    "importances",
    "keeping",
    "layers",
    "libraries",
    "limits",
    "metrics",
    "networks",
    "pages",
    "plots",
    "recording",
    "reports",
    "samplers",
    "schedules",
    "search",
    "seeds",
    "simulation",
    "space",
    "storage",
    "strategies",
    "study",
    "sweeps",
    "tables",
    "tasks",
    "training",
)

__all__ = [
    "Choice",
    "Comparison",
    "Dataset",
    "Effect",
    "Float",
    "Int",
    "InvalidInput",
    "Limits",
    "Report",
    "Runs",
    "Space",
    "StorageError",
    "Strategy",
    "Study",
    "Task",
    "Trained",
    "UnknownName",
    "Verdict",
    "baseline",
    "by_time",
    "combine",
    "compare",
    "diagnose",
    "experiment",
    "fact",
    "holdout",
    "importance",
    "judge",
    "kfold",
    "layerwise_space",
    "load",
    "paired",
    "rate_test",
    "repeat",
    "report",
    "resume",
    "search_space",
    "sweep",
    "table",
    "task",
    "train",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"hpt.{_HOME[name]}"), name)
    if name in _MODULES:
        return import_module(f"hpt.{name}")
    raise AttributeError(f"module 'hpt' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
