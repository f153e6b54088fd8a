"""The pictures of a stored study: into a file each, or into a page."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pandas as pd

import hpt
from hpt import plots
from hpt.command import words
from hpt.domains import Choice
from hpt.errors import InvalidInput

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _progress(study: hpt.Study) -> Any:
    return plots.progress(study)


def _curves(study: hpt.Study, bracket: int = 0) -> Any:
    """The curves of a bracket; a network that broke off before it was judged has no end to draw."""
    from hpt.plots.brackets import cuts

    judged, drawn = (frame.groupby("trial")["epoch"].max() for frame in (study.rungs, study.curves))
    whole = judged.index[judged <= drawn.reindex(judged.index)]
    return cuts(replace(study, rungs=study.rungs[study.rungs["trial"].isin(whole)]), bracket)


def _importances(study: hpt.Study) -> Any:
    return plots.importances(hpt.importance(study))


def _searched(study: hpt.Study, task: hpt.Task, axes: Sequence[str] | None = None) -> Any:
    names = axes or [name for name, one in task.space.items() if not isinstance(one, Choice | None)][:2]
    if len(names) != 2:
        raise InvalidInput(f"two hyperparameters that are numbers make a picture, such as --axes X,Y, got {len(names)}")
    x, y = names
    return plots.searched(study, task, x, y)


def _families(study: hpt.Study) -> Any:
    from hpt.plots.populations import families

    if "parent" not in study.trials:
        raise InvalidInput(f"{study.strategy} has no families: population-based training has them")
    return families(study)


KINDS: Mapping[str, Callable[..., Any]] = {
    "progress": _progress,
    "curves": _curves,
    "importances": _importances,
    "searched": _searched,
    "families": _families,
}
"""How each kind is drawn; `hpt.command.arguments.KINDS` says what it shows."""


def save(path: str, kind: str, study: hpt.Study, **how: Any) -> None:
    """Draw a picture into a file.

    Args:
        path: ends in what the file should be.
        kind: of `KINDS`.
        study: what is drawn.
        how: for the picture.

    Raises:
        InvalidInput: where the study cannot be drawn so.
    """
    with _drawing():
        _figure(KINDS[kind](study, **how)).savefig(path, dpi=150)


def inline(study: hpt.Study, tested: hpt.Report | None) -> str:
    """Return what a study can be drawn as, as HTML with the pictures inside.

    What it has too few trials for is left out.

    Args:
        study: the study.
        tested: its report on test rows, if there is one.
    """
    from hpt.plots.outcomes import pairs

    if words.completed(study).empty:
        return ""
    draw: dict[str, Callable[[], Any]] = {
        "Every trial's score, and the best so far, against the epochs spent": lambda: _progress(study),
        "The score of every network, epoch by epoch": lambda: _curves(study),
        "How much each hyperparameter mattered, with intervals": lambda: _importances(study),
    }
    if tested is not None:
        draw["Winner and default under the same seeds"] = lambda: pairs(tested)[0]
    shown = []
    for caption, one in draw.items():
        with _drawing():
            try:
                figure = _figure(one())
            except InvalidInput:
                continue
            shown.append(_embedded(figure, caption))
    return "".join(shown)


def _embedded(figure: Figure, caption: str) -> str:
    held = BytesIO()
    figure.savefig(held, format="svg", metadata={"Date": None})
    data = b64encode(held.getvalue()).decode()
    picture = f'<img style="max-width: 100%" alt="{escape(caption)}" src="data:image/svg+xml;base64,{data}">'
    return f'<figure style="margin: 1.5rem 0">{picture}<figcaption>{escape(caption)}</figcaption></figure>'


def _figure(axes: Any) -> Figure:
    figure: Figure = axes.figure
    return figure


@contextmanager
def _drawing() -> Iterator[None]:
    """Draw without a window, in the style of the book, and leave nothing of it behind."""
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    with mpl.rc_context(), pd.option_context("display.max_colwidth", 50, "display.precision", 6):
        plt.switch_backend("agg")
        plots.use_style()
        yield
        plt.close("all")
