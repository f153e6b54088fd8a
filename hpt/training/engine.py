"""The engine: one traced TensorFlow function trains a whole stack for as many epochs as it is told.

The function holds three nested ideas: a loop over epochs, a loop over steps, and in each step one gradient and one
update for all members together. It is traced once for a structure. Everything else, from the number of members to
the number of rows, is a shape that may change from call to call, or a number in a table: so the next rung, the next
study and the next data set of the same structure cost no tracing.

What is stacked is up to a `Network`: `hpt.training.dense` writes its arithmetic out, `hpt.training.anykeras` calls a
Keras model with a member's weights.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple, Protocol

import numpy as np

from hpt.data import Array
from hpt.training.updates import COLUMNS, clip, update


class Network(Protocol):
    """Members that share a structure, as functions of their flat weights. Shapes: see `hpt.training.dense.Dense`.

    Attributes:
        structure: hashable; members of one structure share a trace.
    """

    structure: Any

    @property
    def trait_signature(self) -> list[Any]:
        """TensorFlow's description of what differs between members."""

    def prepare(self, traits: Sequence[Any]) -> Any:
        """Work out what does not change from step to step."""

    def gradient(self, fixed: Any, w: Any, stats: Any, x: Any, y: Any, weight: Any, start: Any) -> tuple[Any, Any, Any]:
        """Return each member's loss, its gradient, and the new moving statistics."""

    def judge(self, fixed: Any, w: Any, stats: Any, x: Any, y: Any) -> tuple[Any, Any]:
        """Return outputs and each row's loss, as for rows that were never seen."""


class State(NamedTuple):
    """What a stack carries from epoch to epoch. ``M`` members, ``P`` weights, ``Q`` moving statistics.

    Attributes:
        w: weights ``(M, P)``.
        m: memory of the gradient ``(M, P)``.
        v: memory of its square ``(M, P)``.
        stats: moving statistics ``(M, Q)``.
        best_w: weights at the epoch that counts ``(M, P)``.
        best_stats: moving statistics then ``(M, Q)``.
        lowest: validation loss then ``(M,)``.
        waited: epochs since then ``(M,)``, int32.
        stopped: whether early stopping has ended a member ``(M,)``.
    """

    w: Array
    m: Array
    v: Array
    stats: Array
    best_w: Array
    best_stats: Array
    lowest: Array
    waited: Array
    stopped: Array


class Work(NamedTuple):
    """What a stack trains on in one call. ``E`` epochs, ``S`` steps each, ``N`` rows of data, the last one empty.

    Attributes:
        x: inputs ``(N, inputs)``, each row flat; the last row is all zeros and stands for "no row".
        y: targets ``(N,)`` or ``(N, outputs)``.
        rows: the rows of every batch ``(E·S, M, B)``, int32; shorter batches end in the empty row.
        weights: of each row in its batch, together 1, or 0 where a member has no batch left ``(S, M, B)``.
        shares: of each batch in its epoch's loss, together 1 ``(S, M)``.
        heights: how many rows the longest batch of each step has ``(S,)``, int32.
        table: coefficients of every step ``(E·S, M, 8)``, see `hpt.training.updates`.
        starts: where random numbers start ``(E·S, M)``, int32.
        validation: validation rows ``(M, V)``, int32.
        validation_weights: of each validation row, together 1 ``(M, V)``.
        patience: epochs without improvement that end a member, 0 for never ``(M,)``, int32.
        clip: longest gradient ``(M, 1)``.
    """

    x: Array
    y: Array
    rows: Array
    weights: Array
    shares: Array
    heights: Array
    table: Array
    starts: Array
    validation: Array
    validation_weights: Array
    patience: Array
    clip: Array


class Seen(NamedTuple):
    """What one call saw, epoch by epoch.

    Attributes:
        train_loss: mean over the epoch's batches, as Keras reports it ``(E, M)``.
        val_loss: ``(E, M)``.
        outputs: for the validation rows ``(E, M, V, outputs)``.
        counts: whether this epoch is the one that counts so far ``(E, M)``.
        stopped: whether early stopping has ended the member ``(E, M)``.
    """

    train_loss: Array
    val_loss: Array
    outputs: Array
    counts: Array
    stopped: Array


def train(network: Network, state: State, work: Work, traits: Sequence[Any]) -> tuple[State, Seen]:
    """Train every member of a stack for the epochs in ``work``. This is the function that is traced."""
    import tensorflow as tf

    fixed = network.prepare(traits)
    x_validation, y_validation = tf.gather(work.x, work.validation), tf.gather(work.y, work.validation)
    steps = tf.shape(work.heights)[0]
    epochs = tf.math.floordiv(tf.shape(work.rows)[0], steps)

    def step(s: Any, t: Any, w: Any, m: Any, v: Any, stats: Any, losses: Any) -> tuple[Any, ...]:
        height = work.heights[s]
        rows, weight = work.rows[t, :, :height], work.weights[s, :, :height]
        x, y = tf.gather(work.x, rows), tf.gather(work.y, rows)
        loss, gradient, stats = network.gradient(fixed, w, stats, x, y, weight, work.starts[t])
        if network.structure.clip:
            gradient = clip(gradient, work.clip)
        w, m, v = update(w, m, v, gradient, work.table[t])
        return s + 1, t + 1, w, m, v, stats, losses + work.shares[s] * loss

    def one_epoch(epoch: Any, now: State, seen: Any) -> tuple[Any, State, Seen]:
        start = (0, epoch * steps, now.w, now.m, now.v, now.stats, tf.zeros(tf.shape(now.lowest)))
        _, _, w, m, v, stats, train_loss = tf.while_loop(lambda s, *_: s < steps, step, start, parallel_iterations=1)
        w += tf.reduce_sum(v - v, axis=1, keepdims=True)  # NaN once a square was infinite, as in Keras; else 0
        outputs, loss = network.judge(fixed, w, stats, x_validation, y_validation)
        there = work.validation_weights
        val_loss = tf.reduce_sum(tf.where(there > 0, loss * there, 0.0), axis=1)
        patient = work.patience > 0
        counts = ~now.stopped & ((val_loss < now.lowest) | ~patient)
        waited = tf.where(counts, 0, now.waited + 1)
        stopped = now.stopped | (patient & (waited >= work.patience))
        later = State(
            w,
            m,
            v,
            stats,
            tf.where(counts[:, None], w, now.best_w),
            tf.where(counts[:, None], stats, now.best_stats),
            tf.where(counts, val_loss, now.lowest),
            waited,
            stopped,
        )
        news = Seen(train_loss, val_loss, outputs, counts, stopped)
        return epoch + 1, later, Seen(*(array.write(epoch, new) for array, new in zip(seen, news, strict=True)))

    empty = Seen(*(tf.TensorArray(t, epochs) for t in (tf.float32, tf.float32, tf.float32, tf.bool, tf.bool)))
    _, state, seen = tf.while_loop(
        lambda epoch, *_: epoch < epochs, one_epoch, (0, state, empty), parallel_iterations=1
    )
    return state, Seen(*(array.stack() for array in seen))


_WAITS = {"If", "StatelessIf", "Case", "StatelessCase"}
"""Operations that wait for a thread of the pool, and would wait for ever if all of them ran a stack inline."""


@contextmanager
def _in_this_thread() -> Iterator[None]:
    """Let a function run on the thread that calls it, where TensorFlow would hand its operations to a pool.

    An operation on a small network takes microseconds, and a hand-over takes longer. The switch is private, so a
    TensorFlow without it is used as it comes.
    """
    try:
        from tensorflow.python.eager.context import function_executor_type as switch
    except ImportError:
        yield
        return
    with switch("SINGLE_THREADED_EXECUTOR"):
        yield


_lock = threading.Lock()
_traced: dict[Any, Callable[..., Any]] = {}
MOST_TRACES = 64
"""Functions that are kept; the one that was not used for longest makes room for the next."""
traces = 0
"""How many functions this process has traced so far. Read it as ``engine.traces``: it counts on."""


def traced(network: Network, y: Array) -> Callable[[State, Work, Sequence[Array]], tuple[State, Seen]]:
    """Return the traced `train` of a network's structure; traced the first time, then kept.

    Args:
        network: what is stacked.
        y: targets; their number of axes and their type are part of the trace.
    """
    global traces
    key = network.structure, y.ndim, y.dtype.str
    with _lock:
        if key not in _traced:
            made = _trace(network, y)
            traces += 1
            if len(_traced) >= MOST_TRACES:
                del _traced[next(iter(_traced))]
        else:
            made = _traced.pop(key)  # back to the end: used last, dropped last
        _traced[key] = made
        return made


def _trace(network: Network, y: Array) -> Callable[..., Any]:
    import tensorflow as tf

    two, three, one = [None, None], [None, None, None], [None]
    float_, int_ = tf.float32, tf.int32
    state = [(two, float_)] * 6 + [(one, float_), (one, int_), (one, tf.bool)]
    work = [
        (two, float_),
        ([None] * y.ndim, tf.as_dtype(y.dtype)),
        (three, int_),
        (three, float_),
        (two, float_),
        (one, int_),
        ([None, None, len(COLUMNS)], float_),
        (two, int_),
        (two, int_),
        (two, float_),
        (one, int_),
        ([None, 1], float_),
    ]
    signature = [
        State(*(tf.TensorSpec(*spec) for spec in state)),
        Work(*(tf.TensorSpec(*spec) for spec in work)),
        tuple(network.trait_signature),
    ]
    function = tf.function(lambda s, w, t: train(network, s, w, t), input_signature=signature, autograph=False)
    run: Any = _in_this_thread
    with run():
        concrete = function.get_concrete_function()
    graph = concrete.graph.as_graph_def()
    nodes = [*graph.node, *(node for inner in graph.library.function for node in inner.node_def)]
    if _WAITS & {node.op for node in nodes}:
        run = nullcontext
        concrete = tf.function(function.python_function, input_signature=signature, autograph=False)
        concrete = concrete.get_concrete_function()

    def call(state: State, work: Work, traits: Sequence[Array]) -> tuple[State, Seen]:
        given = State(*map(tf.constant, state)), Work(*map(tf.constant, work)), tuple(map(tf.constant, traits))
        with run():
            after, seen = concrete(*given)
        return State(*map(np.asarray, after)), Seen(*map(np.asarray, seen))

    return call
