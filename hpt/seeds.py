"""Seeds by counter: every random stream has an address.

A generator that is passed around gives results that depend on who drew before. Here a stream is looked
up by its address instead, such as ``stream(seed, "draw", trial)``, so a result stays the same whatever
the order, the batch size, or the point from which a run was resumed.

Source: NumPy's ``SeedSequence`` (O'Neill 2015), which mixes the numbers of an address into independent
streams.
"""

from __future__ import annotations

import zlib

import numpy as np

from hpt.errors import InvalidInput


def _sequence(seed: int, address: tuple[int | str, ...]) -> np.random.SeedSequence:
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise InvalidInput(f"a seed is a whole number of 0 or more, got {seed!r}")
    words = [zlib.crc32(part.encode()) if isinstance(part, str) else int(part) for part in address]
    return np.random.SeedSequence([int(seed), *words])


def stream(seed: int, *address: int | str) -> np.random.Generator:
    """Return the random generator that lives at an address.

    Args:
        seed: the seed of the whole study, 0 or more. ``0`` is a seed like any other.
        address: words and counters, such as ``"draw", 12``. Another address is another stream.

    Raises:
        InvalidInput: if the seed is not a whole number of 0 or more.

    >>> a, b = stream(0, "draw", 3), stream(0, "draw", 3)
    >>> bool(a.random() == b.random()), bool(a.random() == stream(0, "draw", 4).random())
    (True, False)
    """
    return np.random.default_rng(_sequence(seed, address))


def derive(seed: int, *address: int | str) -> int:
    """Return a whole number below 2**31 for libraries that take their seed as one (see `stream`).

    >>> derive(0, "train", 1) == derive(0, "train", 1) != derive(0, "train", 2)
    True
    """
    return int(_sequence(seed, address).generate_state(1)[0] >> 1)
