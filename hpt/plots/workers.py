"""Pictures of simulated workers: who does what when, and where their time goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hpt.errors import InvalidInput
from hpt.plots.basic import COLOURS, axes
from hpt.simulation import LOGGED, WHERE, Simulation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOOKS = dict(
    zip(
        WHERE,
        [(COLOURS[0], ""), (COLOURS[1], "////"), (COLOURS[5], "...."), ("white", ""), (COLOURS[2], "\\\\\\\\"),
         (COLOURS[6], "xxxx")],
        strict=True,
    )
)  # fmt: skip
"""Colour and hatch of what a worker does; waiting is white."""


def gantt(simulation: Simulation, ax: Axes | None = None, *, legend: bool = True) -> Axes:
    """Draw what each worker does when, a row a worker. White is waiting, and a number says until which epoch.

    Args:
        simulation: of few workers.
        ax: where to draw, default a new figure.
        legend: whether to say what the colours mean.

    Raises:
        InvalidInput: if the log of the simulation was cut off.
    """
    if len(simulation.log) >= LOGGED:
        raise InvalidInput(f"only the first {LOGGED:,} rows of a log are kept, too few to draw all of this simulation")
    ax = axes(ax)
    for doing, rows in simulation.log.groupby("doing", sort=False):
        if doing != "waiting":
            colour, hatch = LOOKS[str(doing)]
            ax.barh(rows["worker"], rows["end"] - rows["begin"], left=rows["begin"], color=colour, hatch=hatch,
                    height=0.8, edgecolor="white", lw=0.5, label=str(doing))  # fmt: skip
    trained = simulation.log[simulation.log["doing"] == "training"]
    for worker, begin, end, epoch in trained[["worker", "begin", "end", "epoch"]].to_numpy():
        if end - begin > simulation.makespan / 40:
            ax.text((begin + end) / 2, worker, f"{epoch:.0f}", color="white", size="small", ha="center", va="center")
    ax.set(xlabel="seconds", ylabel="worker", xlim=(0, max(simulation.makespan, ax.get_xlim()[1])))
    ax.set_yticks(range(simulation.workers), [str(worker + 1) for worker in range(simulation.workers)])
    ax.set_ylim(simulation.workers - 0.5, -0.5)
    ax.grid(visible=False)
    if legend:
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(WHERE), fontsize="small")
    return ax


def shares(simulations: Mapping[str, Simulation], ax: Axes | None = None, *, legend: bool = True) -> Axes:
    """Draw where the time of the workers goes, a bar a simulation.

    Args:
        simulations: by what stands beside the bar.
        ax: where to draw, default a new figure.
        legend: whether to say what the colours mean.
    """
    ax = axes(ax)
    left = [0.0] * len(simulations)
    for doing in WHERE:
        widths = [100 * simulation.shares[doing] for simulation in simulations.values()]
        if max(widths) > 0:
            colour, hatch = LOOKS[doing]
            edge = "#767676" if doing == "waiting" else "white"
            ax.barh(
                list(simulations), widths, left=left, color=colour, hatch=hatch, edgecolor=edge, lw=0.5, label=doing
            )
        left = [start + width for start, width in zip(left, widths, strict=True)]
    ax.set(xlabel="share of the workers' time, %", xlim=(0, 100), ylim=(len(simulations) - 0.5, -0.5))
    ax.grid(visible=False)
    if legend:
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(WHERE), fontsize="small")
    return ax
