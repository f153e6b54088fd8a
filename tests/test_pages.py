"""Pages as text fit their columns, whatever people call things."""

import pytest

from hpt import pages

LONG = "a network that somebody called by everything that is in it, from the first layer to the head, and then some"


@pytest.mark.parametrize("label", ["x", "y" * 19, "y" * 20, "y" * 21, "y" * 22, LONG])
@pytest.mark.parametrize("value", ["", "0.5", LONG])
def test_no_line_is_longer_than_72_columns_and_every_part_stays_in_one_piece(label, value):
    text = pages.text(LONG, [(f"Heading of {LONG}", [("short", "value"), (label, value)])])
    assert max(map(len, text.splitlines())) <= 72
    words = " ".join(text.split())
    assert words == " ".join([LONG, f"Heading of {LONG}", "short value", label, value]).strip()


def test_a_word_that_fits_no_line_is_broken():
    text = pages.text("t" * 200, [("h" * 200, [("l" * 200, "v" * 200)])])
    assert max(map(len, text.splitlines())) <= 72
    assert "".join(text.split()) == "".join(letter * 200 for letter in "thlv")


def test_values_stand_in_one_column():
    lines = pages.text("Title", [("Heading", [("a", "one"), ("longer", "two"), (LONG, "three")])]).splitlines()
    assert {line.index(word) for word in ("one", "two", "three") for line in lines if line.endswith(word)} == {24}
