"""A message is one plain line that helps."""

import pickle

import pytest

from hpt.errors import InvalidInput, UnknownName, unknown

TASKS = ["breast_cancer", "wine", "digits", "digits_autoencoder", "diabetes"]


def test_the_message_names_the_near_one_and_lists_what_exists():
    assert str(unknown("task", "brest_cancer", ["breast_cancer", "wine"])) == (
        "unknown task 'brest_cancer': did you mean 'breast_cancer'? Known tasks: breast_cancer, wine"
    )


def test_several_near_names_come_best_first():
    assert "did you mean 'digits' or 'diabetes'?" in str(unknown("task", "digts", TASKS))
    said = str(unknown("name", "aaaaa", ["aaabb", "zzz", "aaaabb", "aaaab"]))
    assert "did you mean 'aaaab', 'aaaabb' or 'aaabb'?" in said  # ratios of 8/10, 8/11 and 6/10


def test_capitals_do_not_hide_a_name():
    assert "did you mean 'adam'?" in str(unknown("optimizer", "Adam", ["sgd", "adam"]))


def test_nothing_near_means_no_guess():
    assert str(unknown("task", "zebra", ["wine"])) == "unknown task 'zebra'. Known tasks: wine"


@pytest.mark.parametrize(("kind", "plural"), [("task", "tasks"), ("strategy", "strategies"), ("series", "series")])
def test_the_plural_is_english(kind, plural):
    assert f"Known {plural}: a" in str(unknown(kind, "zzz", {"a": 1}))


def test_the_place_is_named_when_it_is_given():
    said = str(unknown("hyperparameter", "optimiser", ["optimizer"], where="the condition of 'momentum'"))
    assert said.startswith("unknown hyperparameter 'optimiser' in the condition of 'momentum': did you mean")


@pytest.mark.parametrize("name", [None, 3, ("a", "b"), "two\nlines", ""])
def test_whatever_the_name_is_it_stays_one_line(name):
    said = str(unknown("task", name, ["a\nb"]))
    assert "\n" not in said
    assert repr(name) in said


def test_an_address_in_the_place_of_a_name_is_not_printed():
    assert str(unknown("study", "postgresql://me:secret@host/one", ["a"])).startswith(
        "unknown study 'postgresql://…'. K"
    )


def test_an_empty_list_is_said_to_be_empty():
    assert str(unknown("task", "x", [])) == "unknown task 'x'. There are no tasks at all"


def test_both_errors_are_caught_as_what_python_would_raise():
    with pytest.raises(KeyError):
        raise unknown("task", "x", [])
    with pytest.raises(ValueError, match="no"):
        raise InvalidInput("no")


def test_the_message_survives_a_pickle_so_that_a_worker_can_send_it():
    error = unknown("task", "x", ["y"])
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is UnknownName
    assert str(again) == str(error)
    assert str(UnknownName()) == ""
