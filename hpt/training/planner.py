"""The planner: which members train in one stack.

A stack pays once for every step, however many members it has, so it should be large. It also pads: every member is
computed as wide as the widest, and takes as many steps as the one with the smallest batches, so it should be alike.
The planner weighs the two with a small model of cost and cuts as a decision tree does: all members that share a
structure in one heap, cut where a threshold on the batch size or on a layer's width saves the most, and again,
until no cut saves anything.

The plan depends on the members alone, never on the number of cores, so a result does not either.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpt.data import Array

BLOCK = 16
"""Random numbers are read in blocks of this many: one cache line."""

# Seconds, measured on one core of a server of 2024; only their ratios matter (`benchmarks/` measures them again).
PER_STEP, PER_LAYER = 10e-6, 30e-6
"""Scheduling one step of a stack, and each layer of it."""
PER_PRODUCT = 1 / 60e9
"""One multiply-add of a matrix product."""
PER_WEIGHT = 3e-9
"""Updating one weight."""
PER_UNIT = 4e-9
"""Activation and dropout of one unit, there and back."""
MOST_WEIGHTS = 100_000
"""Weights in a stack: past this it no longer fits the processor's cache, and being larger gains nothing."""


@dataclass(frozen=True)
class Need:
    """What one member asks of the stack that it trains in.

    Attributes:
        key: members that differ here cannot share a stack: structure, epochs so far.
        sizes: numbers in each layer, inputs first, outputs last.
        batch: rows a step.
        rows: training rows.
        useful: multiply-adds of one epoch of the member alone.
    """

    key: Hashable
    sizes: tuple[int, ...]
    batch: int
    rows: int
    useful: float


def products(sizes: Array) -> Array:
    """Multiply-adds a row of training: three for each weight, two in the first layer, whose input needs no gradient."""
    every = sizes[..., :-1] * sizes[..., 1:]
    return np.asarray(3 * every.sum(-1) - every[..., 0])


@dataclass(frozen=True)
class PlannedStack:
    """Members that train together.

    Attributes:
        members: their positions.
        sizes: numbers in each layer, of the widest member.
        cost: seconds an epoch, by the planner's model.
        executed: multiply-adds of one epoch, padding included.
        useful: those that a member asked for.
    """

    members: tuple[int, ...]
    sizes: tuple[int, ...]
    cost: float
    executed: float
    useful: float


@dataclass(frozen=True)
class Plan:
    """Stacks, the dearest first, and the members that fit no stack, with the reason.

    >>> Plan((), {3: "a subclassed model"})
    Plan: 0 members in 0 stacks; 1 member one at a time (a subclassed model)
    """

    stacks: tuple[PlannedStack, ...]
    alone: dict[int, str]

    @property
    def useful(self) -> float:
        """Share of the executed multiply-adds that a member asked for; the rest is padding."""
        executed = sum(stack.executed for stack in self.stacks)
        return sum(stack.useful for stack in self.stacks) / executed if executed else 1.0

    def __repr__(self) -> str:
        members = sum(len(stack.members) for stack in self.stacks)
        text = f"Plan: {_count(members, 'member')} in {_count(len(self.stacks), 'stack')}"
        if self.stacks:
            text += f", {self.useful:.0%} of the multiply-adds useful"
        if self.alone:
            reasons = ", ".join(dict.fromkeys(self.alone.values()))
            text += f"; {_count(len(self.alone), 'member')} one at a time ({reasons})"
        return text


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' * (number != 1)}"


def plan(needs: dict[int, Need], alone: dict[int, str] | None = None) -> Plan:
    """Cut members into stacks.

    Args:
        needs: what each member needs, by position.
        alone: members that no stack can take, with the reason.
    """
    heaps: dict[Hashable, list[int]] = defaultdict(list)
    for position, need in needs.items():
        heaps[need.key, len(need.sizes)].append(position)
    stacks = []
    for heap in heaps.values():
        for members in _cut(np.array(heap), _Table([needs[i] for i in heap])):
            stacks.append(_stack(members, needs))
    return Plan(tuple(sorted(stacks, key=lambda stack: -stack.cost)), dict(alone or {}))


def padded(sizes: Array) -> Array:
    """Round the hidden layers' sizes up to whole blocks of random numbers, which also suits the processor.

    >>> padded(np.array([[30, 20, 16, 3]])).tolist()
    [[30, 32, 16, 3]]
    """
    rounded = sizes.copy()
    rounded[..., 1:-1] = -(-sizes[..., 1:-1] // BLOCK) * BLOCK
    return rounded


class _Table:
    """The needs of a heap as columns, so that all cuts along an axis are costed in one go."""

    def __init__(self, needs: Sequence[Need]) -> None:
        self.sizes = padded(np.array([need.sizes for need in needs], dtype="float64"))
        self.batch = np.array([need.batch for need in needs], dtype="float64")
        self.rows = np.array([need.rows for need in needs], dtype="float64")

    def __getitem__(self, chosen: Any) -> _Table:
        part = object.__new__(_Table)
        part.sizes, part.batch, part.rows = self.sizes[chosen], self.batch[chosen], self.rows[chosen]
        return part

    def axes(self) -> list[Array]:
        """What a heap can be cut along: the batch size, and the width of every hidden layer."""
        return [self.batch, *self.sizes[:, 1:-1].T]

    def costs(self) -> Array:
        """Seconds an epoch for the first one, the first two, … members as one stack."""
        sizes = np.maximum.accumulate(self.sizes)
        return _cost(
            sizes,
            np.arange(1, len(sizes) + 1),
            np.maximum.accumulate(np.ceil(self.rows / self.batch)),
            np.maximum.accumulate(self.rows),
            np.minimum.accumulate(self.batch) / np.maximum.accumulate(self.batch),
        )[0]


def _cost(sizes: Array, count: Array, steps: Array, rows: Array, alike: Array) -> tuple[Array, Array]:
    """Return seconds and multiply-adds an epoch. ``alike`` is the smallest batch size over the largest."""
    executed = count * rows * (2 - alike) * products(sizes)  # the members with large batches wait for the others
    weights = (sizes[..., :-1] * sizes[..., 1:]).sum(-1)
    units = rows * (2 - alike) * sizes[..., 1:].sum(-1)
    fixed = steps * (PER_STEP + PER_LAYER * (sizes.shape[-1] - 1))
    return fixed + executed * PER_PRODUCT + count * (steps * weights * PER_WEIGHT + units * PER_UNIT), executed


def _cut(members: Array, table: _Table) -> list[Array]:
    """Cut a heap in two where that saves the most, and again; a heap that no cut makes cheaper stays whole."""
    lowest, parts = table.costs()[-1], None
    for axis in table.axes():
        order = np.argsort(axis, kind="stable")
        both = table[order].costs()[:-1] + table[order[::-1]].costs()[::-1][1:]
        both[axis[order][1:] == axis[order][:-1]] = np.inf  # members that are alike stay together
        if len(both) and both.min() < lowest:
            place = int(both.argmin()) + 1
            lowest, parts = both[place - 1], (order[:place], order[place:])
    if parts is None:
        return _chunks(members, table)
    return [piece for part in parts for piece in _cut(members[part], table[part])]


def _chunks(members: Array, table: _Table) -> list[Array]:
    """Cut a heap into equal parts that each fit the processor's cache."""
    sizes = table.sizes.max(axis=0)
    weights = float((sizes[:-1] * sizes[1:]).sum()) * len(members)
    parts = min(len(members), int(np.ceil(weights / MOST_WEIGHTS)))
    order = np.lexsort((*table.sizes.T, table.batch))
    return [np.sort(part) for part in np.array_split(members[order], parts)]


def _stack(members: Array, needs: dict[int, Need]) -> PlannedStack:
    chosen = [needs[i] for i in members.tolist()]
    table = _Table(chosen)
    sizes = table.sizes.max(axis=0)
    cost, executed = _cost(
        sizes,
        np.array(len(chosen)),
        np.ceil(table.rows / table.batch).max(),
        table.rows.max(),
        table.batch.min() / table.batch.max(),
    )
    useful = sum(need.useful for need in chosen)
    return PlannedStack(tuple(members.tolist()), tuple(int(n) for n in sizes), float(cost), float(executed), useful)
