"""Blueprints: one member's network as numbers, which is all that a stack needs to know of it.

`Blueprint` is the seam between the members and the stacks. `DenseBlueprint` reads a dense network off its
configuration, or off the Keras model that a user's own builder made; `hpt.training.anykeras` has the one for the
other Keras models.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from hpt.data import Array
from hpt.layers import initial_weights, layers
from hpt.networks import DEFAULTS, HEADS, complete
from hpt.training import Member
from hpt.training.activations import ACTIVATIONS, SMOOTH
from hpt.training.building import built, moving
from hpt.training.dense import Dense, Structure
from hpt.training.engine import Network
from hpt.training.planner import products
from hpt.training.reading import NotStackable, check_targets, checked, dense_of, loss_of, rule_of
from hpt.training.updates import Rule, rule

if TYPE_CHECKING:
    from hpt.tasks import Task


class Blueprint(Protocol):
    """One member's network as numbers.

    Attributes:
        settings: its configuration; ``batch_size`` and ``patience`` are read from it.
        rule: of its optimizer.
        drops: whether it drops units.
        products: multiply-adds a row of training.
    """

    settings: Any
    rule: Rule
    drops: bool
    products: float

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers in each layer, inputs first."""

    @property
    def last(self) -> bool:
        """Whether it stands in the second half of its stack."""

    def shapes(self, sizes: Sequence[int]) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
        """Return the shapes of weights and moving statistics of a network of these sizes."""

    def structure(self, *, dropout: bool, clip: bool) -> Any:
        """Return what it must share with the others of its stack."""

    def network(self, structure: Any) -> Network:
        """Return the functions of a stack of this structure."""

    def traits(self, members: Any, sizes: Sequence[int]) -> list[Array]:
        """Return what differs between the members of a stack."""

    def initial(self, seed: int) -> tuple[list[Array], list[Array]]:
        """Return the first weights and moving statistics."""

    def model(self, weights: Sequence[Array], stats: Sequence[Array]) -> Any:
        """Return it as a compiled Keras model."""

    def outputs(self, weights: Sequence[Array], stats: Sequence[Array], x: Array) -> Array:
        """Return its answers ``(rows, outputs)`` for scaled inputs ``(rows, *inputs)``, nothing dropped."""


class DenseBlueprint:
    """One member's dense network as numbers; see `Blueprint`.

    Args:
        task: the problem.
        member: the network.
        model: the compiled Keras model that the task's builder made, where the builder is the user's own.
    """

    def __init__(self, task: Task, member: Member, model: Any = None) -> None:
        self.task, self.member = task, member
        self.configuration = task.configuration(member.configuration)
        activation, loss = HEADS[task.shape.problem]
        if model is None:
            self.settings = complete(self.configuration)
            self.layers = layers(task.build, self.configuration, task.shape)
            self.rule, self.dropout = rule(self.settings), float(self.settings["dropout"])
            self.output_activation = self.settings["output_activation"] or activation
            self.loss = self.settings["loss"] or loss
            self._first: tuple[list[Array], list[Array]] | None = None
        else:
            read = dense_of(model)
            if read is None:
                raise NotStackable("it is not a dense network")
            self.settings = checked({**DEFAULTS, **self.configuration})
            self.layers, self.dropout, self.output_activation = read
            self.rule, self.loss = rule_of(model), loss_of(model)
            self._first = [v.numpy() for v in model.trainable_variables], [v.numpy() for v in moving(model)]
            for layer in self.layers:
                if layer.activation not in ACTIVATIONS:
                    raise NotStackable(f"its activation is {layer.activation}")
        check_targets(task, self.loss)
        if not 0 <= self.rule.first <= 1:
            raise NotStackable("Keras refuses its momentum")
        self.drops = self.dropout > 0
        self.sizes = (self.layers[0].inputs, *(layer.outputs for layer in self.layers))
        self.products = float(products(np.array(self.sizes)))
        self.activations = [layer.activation for layer in self.layers if layer.kind == "hidden"]

    @property
    def last(self) -> bool:
        """Whether the member stands in the second half of its stack, with the smooth activations."""
        return bool(self.activations) and ACTIVATIONS[self.activations[0]][0] == SMOOTH

    @property
    def mixed(self) -> bool:
        """Whether its hidden layers have different activations."""
        return len(set(self.activations)) > 1

    def shapes(self, sizes: Sequence[int]) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
        """Return the shapes of the weights, in their order in a flat row, and of the moving statistics.

        Args:
            sizes: numbers in each layer, the member's own or those of a stack that it is padded to.
        """
        weights: list[tuple[int, ...]] = []
        stats: list[tuple[int, ...]] = []
        for layer, inputs, outputs in zip(self.layers, sizes, sizes[1:], strict=False):
            weights += [(inputs, outputs)] + [(outputs,)] * (2 if layer.batch_norm else 1)
            stats += [(outputs,)] * (2 if layer.batch_norm else 0)
        return weights, stats

    def structure(self, *, dropout: bool, clip: bool, mixed: bool = False) -> Structure:
        """Return what this member must share with the others of its stack.

        Args:
            dropout: whether any member drops units.
            clip: whether any member clips its gradient.
            mixed: whether any member is `mixed`; with one hidden layer none of its stack can be.
        """
        return Structure(
            hidden=tuple(layer.kind == "hidden" for layer in self.layers[:-1]),
            batch_norm=any(layer.batch_norm for layer in self.layers),
            dropout=dropout,
            clip=clip,
            output_activation=self.output_activation,
            loss=self.loss,
            mixed=mixed and len(self.activations) > 1,
        )

    def network(self, structure: Structure) -> Dense:
        """Return the functions of a stack of this structure."""
        return Dense(structure)

    @staticmethod
    def traits(members: Sequence[DenseBlueprint], sizes: Sequence[int]) -> list[Array]:
        """Return what differs between the members of a stack, for `Dense`.

        Returns:
            The padded sizes ``(layers + 1,)``; each member's own widths ``(M, layers)``; how many are smooth; the
            numbers of their activations, the first one 1 for a smooth one ``(M, hidden, 4)``; the share of units each
            keeps ``(M,)``.
        """
        forms = [[ACTIVATIONS[name] for name in member.activations] for member in members]
        return [
            np.array(sizes, dtype="int32"),
            np.array([member.sizes[1:] for member in members], dtype="int32"),
            np.array(sum(member.last for member in members), dtype="int32"),
            np.array(forms, dtype="float32").reshape(len(members), len(forms[0]), 4),
            np.array([1 - member.dropout for member in members], dtype="float32"),
        ]

    def initial(self, seed: int) -> tuple[list[Array], list[Array]]:
        """Return the first weights, and the first moving statistics: means of 0, variances of 1."""
        if self._first is not None:
            weights, stats = self._first
            return [w.copy() for w in weights], [s.copy() for s in stats]
        stats = [np.full(size, i % 2, "float32") for i, (size,) in enumerate(self.shapes(self.sizes)[1])]
        return initial_weights(self.layers, seed), stats

    def model(self, weights: Sequence[Array], stats: Sequence[Array]) -> Any:
        """Return the member as a compiled Keras model with these weights."""
        return built(self.task, self.member, weights, stats)

    def outputs(self, weights: Sequence[Array], stats: Sequence[Array], x: Array) -> Array:
        """Return the member's answers ``(rows, outputs)``; in NumPy, which for one small network is quickest."""
        import keras

        piece, moving = iter(weights), iter(stats)
        h = x.reshape(len(x), -1)
        for layer in self.layers:
            h = h @ next(piece)
            if layer.batch_norm:
                h = (h - next(moving)) / np.sqrt(next(moving) + Structure.epsilon) * next(piece)
            h = h + next(piece)
            if layer.kind == "hidden":
                family, a, b, c = ACTIVATIONS[layer.activation]
                h = a * np.tanh(b * h) + c if family == SMOOTH else np.maximum(h, 0) + a * np.minimum(h, 0)
        return np.asarray(keras.activations.get(self.output_activation)(h))
