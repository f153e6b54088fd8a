"""Noise: random numbers of a member's own, from one table for all.

Dropout needs a random number for every unit of every row. A generator for each member would cost more than the
network, and one generator for a whole stack would make a member's numbers depend on its neighbours. So there is one
fixed table, and every member reads from a place of its own, which its seed chooses anew for every step: the numbers
do not depend on who stands beside it, nor on how wide the stack was padded, and cost a copy. The idea of a shared
table is Salimans et al. 2017, section 2.1.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from hpt.data import Array
from hpt.seeds import stream
from hpt.training.planner import BLOCK

TABLE = 2**16
"""Blocks in the table of random numbers, four megabytes of them."""
_STRIDE, LAYER = 127, 40503
"""Blocks from one row's random numbers to the next row's, and from one layer's to the next layer's. In a
step with hundreds of rows and wide layers a few numbers serve twice, for different units."""


@lru_cache(maxsize=1)
def _table() -> Array:
    return stream(0, "noise table").random((TABLE, BLOCK), dtype="float32")


def uniform(start: Any, rows: Any, blocks: Any) -> Any:
    """Return random numbers between 0 and 1 for every member, read from one fixed table.

    Every member reads from a place of its own, which its seed chooses anew for every step. So the numbers do not
    depend on the neighbours, nor on how wide the stack was padded, and cost a copy instead of a generator. The idea
    of a shared table is Salimans et al. 2017, section 2.1.

    Args:
        start: block at which each member starts ``(M,)``, int32, below `TABLE`.
        rows: how many rows, a scalar.
        blocks: for one row, the blocks to read, counted from the start ``(K,)``.

    Returns:
        Shape ``(M, rows, K · BLOCK)``, float32.
    """
    import tensorflow as tf

    place = start[:, None, None] + ((tf.range(rows) * _STRIDE)[:, None] + blocks)
    numbers = tf.gather(tf.constant(_table()), tf.bitwise.bitwise_and(place, TABLE - 1))
    return tf.reshape(numbers, (tf.shape(start)[0], rows, -1))
