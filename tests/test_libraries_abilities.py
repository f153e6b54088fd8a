"""The table of what each library can do: every cell is tried, and what it says now is what is known."""

import pytest

import hpt
from hpt.libraries import abilities
from hpt.libraries.abilities import ABILITIES, Finding

CANNOT = {
    ("scikit-learn", "resume"),
    ("scikit-optimize", "failures"),
    ("scikit-optimize", "conditions"),
    ("scikit-optimize", "multi-fidelity"),
    ("Hyperopt", "multi-fidelity"),
    ("Hyperopt", "distribution"),
    ("KerasTuner", "seeds"),
}
"""Whoever learns one of these turns a test red, and the chapter round."""


def test_the_table_is_full():
    libraries = {library for library, _ in abilities._TRIES}
    assert set(abilities._TRIES) == {(library, ability) for library in libraries for ability in ABILITIES}
    assert len(libraries) == 6


@pytest.mark.slow
@pytest.mark.parametrize("library", ["scikit-learn", "Optuna", "scikit-optimize", "Hyperopt", "KerasTuner", "Ray Tune"])
def test_what_a_library_can_do(library, monkeypatch):
    if library == "Ray Tune":
        monkeypatch.setattr("warnings.filters", [("ignore", None, Warning, None, 0)])
    frame = abilities.abilities([library])
    assert frame["ability"].tolist() == list(ABILITIES)
    able = dict(zip(frame["ability"], frame["able"], strict=True))
    assert able == {ability: (library, ability) not in CANNOT for ability in ABILITIES}
    assert frame["seen"].str.len().min() > 5
    assert not frame["seen"].str.contains("\n").any()


def test_an_unknown_library_is_refused():
    with pytest.raises(hpt.UnknownName, match="Known libraries"):
        abilities.abilities(["NoTune"])


# --- the judges themselves


def test_seeds_must_repeat_and_differ():
    assert abilities._seeds(lambda seed: [seed, 2]).able
    assert not abilities._seeds(lambda seed: [1, 2]).able  # every seed the same
    draws = iter(range(100))
    assert not abilities._seeds(lambda seed: [next(draws)]).able


def test_a_search_that_spends_everything_stops_nobody():
    full = abilities.EPOCHS * 3
    assert abilities._spent(full - 1, 3).able
    assert not abilities._spent(full, 3).able


def test_failures_are_counted():
    assert abilities._failed(lambda: abilities.TRIALS - 1) == Finding(True, "8 of the 8 other trials have a result")
    assert not abilities._failed(lambda: 2).able

    def ends():
        raise abilities._Broken

    assert not abilities._failed(ends).able


def test_a_child_must_be_there_on_its_side_only():
    assert abilities._conditional([("left", False), ("right", True)], "how").able
    assert not abilities._conditional([("left", True), ("right", True)], "how").able
    assert not abilities._conditional([("left", False), ("left", False)], "how").able


def test_one_process_is_no_distribution():
    assert abilities._workers([1, 2, 1], "w").able
    assert not abilities._workers([1, 1], "w").able
