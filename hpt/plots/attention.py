"""Pictures of attention: which step of a sequence looks at which, and how networks come to know where to look.

Attention weights are shares: what a step gives to all steps adds up to 1 (Vaswani et al. 2017). They say where numbers
are taken from, and not whether the answer depends on them (Jain and Wallace 2019), so a picture of them is a guess that
wants a test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hpt.data import Array
from hpt.errors import InvalidInput
from hpt.evidence import interval
from hpt.plots.basic import COLOURS, MARKERS, STYLES, axes, legend, plain_log, title
from hpt.study import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def weights(model: Any, x: Array) -> Array:
    """Return the attention weights of a Keras model, such as one of `hpt.networks.transformer`.

    Args:
        model: a functional model with ``MultiHeadAttention`` layers in which steps look at steps of the same sequence.
        x: inputs, scaled as the model wants them, shape ``(rows, steps, features)``.

    Returns:
        Shape ``(blocks, rows, heads, steps, steps)``: how much the step of the last axis but one looks at that of the
        last axis. Each row of the last axis adds up to 1.

    Raises:
        InvalidInput: for a model without such layers.
    """
    import keras

    blocks = [layer for layer in model.layers if isinstance(layer, keras.layers.MultiHeadAttention)]
    if not blocks:
        raise InvalidInput("this model has no attention: give one of hpt.networks.transformer")
    before = keras.Model(model.input, [layer.input[0] for layer in blocks])(x, training=False)
    before = before if isinstance(before, list | tuple) else [before]
    return np.stack(
        [
            np.asarray(layer(steps, steps, return_attention_scores=True, training=False)[1])
            for layer, steps in zip(blocks, before, strict=True)
        ]
    )


def named(sequence: Array, pairs: int) -> list[str]:
    """Return what each step of a sequence of `hpt.generated.recall` holds, in the units of the data.

    Args:
        sequence: shape ``(pairs + 1, pairs + values)``.
        pairs: how many keys there are; they are called A, B, C, ….

    >>> from hpt.generated import recall
    >>> named(recall(10, pairs=2).x[0], 2)
    ['B = 2', 'A = 0', 'A = ?']
    """
    said = [f"{chr(65 + int(step[:pairs].argmax()))} = {step[pairs:].argmax()}" for step in sequence]
    return [*said[:-1], f"{said[-1][0]} = ?"]


LOOKS = ("last step at its pair", "last step at another pair", "pair asked for at last step", "other pair at last step")
"""Who looks at whom, in a sequence of pairs whose last step asks for one of them."""


def looks(found: Array, asked: Array) -> pd.DataFrame:
    """Average attention weights by who looks at whom; see `LOOKS`.

    Args:
        found: from `weights`.
        asked: which step holds the pair that the last step asks for, shape ``(rows,)``.

    Returns:
        A row a block, head and kind of look: ``block`` and ``head`` (from 1), ``look``, ``weight``, the mean over rows,
        and over pairs where there are several.
    """
    _, _, _, steps, _ = found.shape
    last, rows = steps - 1, np.arange(len(asked))
    others = np.ones((len(asked), steps), dtype=bool)
    others[rows, asked] = others[:, last] = False
    out, into = np.moveaxis(found[:, :, :, last, :], 2, 3), np.moveaxis(found[:, :, :, :, last], 2, 3)
    kinds = (out[:, rows, asked], out[:, others], into[:, rows, asked], into[:, others])
    return pd.DataFrame(
        [
            (block + 1, head + 1, look, float(weight))
            for look, kind in zip(LOOKS, kinds, strict=True)
            for (block, head), weight in np.ndenumerate(kind.mean(axis=1))
        ],
        columns=["block", "head", "look", "weight"],
    )


def maps(found: Array, labels: Sequence[str], asked: int) -> Figure:
    """Draw the attention of one sequence: a panel a block and head, a row the step that looks, a column where it looks.

    Args:
        found: weights of one sequence, shape ``(blocks, heads, steps, steps)``.
        labels: what each step holds.
        asked: the step that holds the pair asked for; a frame marks where it and the last step meet.
    """
    import matplotlib.pyplot as plt
    from matplotlib.patches import Rectangle

    blocks, heads, steps, _ = found.shape
    columns = min(blocks * heads, 2)
    rows = -(-blocks * heads // columns)
    size = (2.9 * columns + 1.3, 2.9 * rows + 0.5)
    figure, panels = plt.subplots(rows, columns, squeeze=False, sharex=True, sharey=True, figsize=size)
    top = float(found.max())
    for ax in panels.flat[blocks * heads :]:
        ax.set_axis_off()
    for ax, (block, head) in zip(panels.flat, np.ndindex(blocks, heads), strict=False):
        image = ax.imshow(found[block, head], cmap="Greys", vmin=0, vmax=top)
        for x, y in ((asked, steps - 1), (steps - 1, asked)):
            ax.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, edgecolor=COLOURS[1], lw=2, clip_on=False))
        ax.set_xticks(range(steps), labels, rotation=90)
        ax.set_yticks(range(steps), labels)
        ax.grid(visible=False)
        ax.text(0, 1.02, f"block {block + 1}, head {head + 1}", transform=ax.transAxes, va="bottom", fontsize="small")
    for ax in panels[-1]:
        ax.set_xlabel("is looked at")
    for ax in panels[:, 0]:
        ax.set_ylabel("looks")
    figure.colorbar(image, ax=panels, label="attention weight", shrink=0.8)
    return figure


def look(frame: pd.DataFrame, even: float, ax: Axes | None = None) -> Axes:
    """Draw how much some kinds of steps look at others: a small mark a network, a large one the mean.

    Args:
        frame: from `looks`, of several networks: with a column ``network`` besides.
        even: the weight that every step would get from one that looks at all alike.
        ax: where to draw, default a new figure.
    """
    ax = axes(ax)
    blocks = sorted(frame["block"].unique())
    for i, block in enumerate(blocks):
        own = frame[frame["block"] == block].pivot_table(index="network", columns="look", values="weight")
        colour, mark = COLOURS[i], MARKERS[i]
        for place, kind in enumerate(LOOKS):
            y = place + 0.3 * (i - (len(blocks) - 1) / 2)
            mean, low, high = interval(own[kind])
            ax.plot(own[kind], np.full(len(own), y), mark, color=colour, ms=4, alpha=0.35, mew=0, ls="none")
            ax.errorbar(
                mean, y - 0.11, xerr=[[mean - low], [high - mean]], fmt=mark, color=colour, ms=7, capsize=4, ls="none"
            )
        ax.plot([], [], mark, color=colour, ms=7, ls="none", label=f"block {block}")
    ax.axvline(even, color="#444444", lw=1.2, ls="--", label="all steps alike")
    ax.set_yticks(range(len(LOOKS)), [kind.replace(" at ", "\nat ") for kind in LOOKS])
    ax.set(xlabel="attention weight (a share)", ylim=(len(LOOKS) - 0.5, -0.5), xlim=(0, None))
    ax.grid(visible=False, axis="y")
    legend(ax)
    return ax


RATES = (1e-3, 1e-2)
"""Where `curves` cuts the learning rates into low, middle and high."""


def curves(study: Study, ax: Axes | None = None, marks: Mapping[str, float] | None = None) -> Axes:
    """Draw the score of every trial epoch by epoch, coloured by its learning rate, on a log axis.

    Args:
        study: from `hpt.tune`; it searched a learning rate.
        ax: where to draw, default a new figure.
        marks: scores by name, drawn as level lines, such as a baseline's.
    """
    ax = axes(ax)
    wide = study.curves.pivot_table("score", "epoch", "trial")  # the mean over the folds
    rates = study.trials.set_index("number")["learning_rate"].reindex(wide.columns)
    names = (f"below {RATES[0]:g}", f"{RATES[0]:g} to {RATES[1]:g}", f"above {RATES[1]:g}")
    group = np.digitize(rates, RATES)
    for i in (0, 2, 1):  # the middle on top
        style: dict[str, Any] = {"color": COLOURS[i], "ls": STYLES[i]}
        ax.plot(wide.index, wide.loc[:, group == i], lw=1, alpha=0.55, **style)
    for i, name in enumerate(names):
        ax.plot([], [], color=COLOURS[i], ls=STYLES[i], lw=2, label=f"rate {name}")
    for i, (name, level) in enumerate((marks or {}).items()):
        ax.axhline(level, color="#444444", ls=("--", ":")[i % 2], lw=1.5, label=name)
    ax.set(yscale="log", xlabel="epoch", ylabel=f"{title(study.objective)}\non validation rows")
    plain_log(ax.yaxis)
    legend(ax)
    return ax
