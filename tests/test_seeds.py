"""Streams have addresses: what was drawn elsewhere does not matter."""

import numpy as np
import pytest

from hpt.errors import InvalidInput
from hpt.seeds import derive, stream


def test_a_stream_is_found_by_its_address_and_not_by_what_was_drawn_before():
    first = stream(7, "draw", 3).random(5)
    stream(7, "draw", 2).random(100)
    assert np.array_equal(first, stream(7, "draw", 3).random(5))


def test_streams_with_words_equal_numpys_seed_sequence():
    words = np.random.SeedSequence([7, __import__("zlib").crc32(b"draw"), 3])
    assert np.array_equal(stream(7, "draw", 3).random(5), np.random.default_rng(words).random(5))


def test_a_thousand_addresses_give_a_thousand_seeds():
    seeds = {derive(seed, word, n) for seed in range(10) for word in ("draw", "train") for n in range(50)}
    assert len(seeds) == 1000
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_neighbouring_streams_are_uncorrelated():
    draws = np.array([stream(0, "draw", n).random(2000) for n in range(6)])
    off_diagonal = np.corrcoef(draws)[~np.eye(6, dtype=bool)]
    assert np.abs(off_diagonal).max() < 0.09  # 4 standard errors of 2,000 pairs


@pytest.mark.parametrize("seed", [-1, 1.5, True, None, "0"])
def test_what_is_not_a_seed_is_named(seed):
    with pytest.raises(InvalidInput, match="whole number of 0 or more, got"):
        stream(seed)
