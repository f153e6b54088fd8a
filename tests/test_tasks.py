"""A task joins data, split, network, space and metrics; the ready ones are complete."""

from dataclasses import replace

import pytest

import hpt
from hpt.tasks import TASKS


@pytest.mark.parametrize("name", TASKS)
def test_a_ready_task_builds_a_network_that_fits_its_data(name):
    task = hpt.task(name)
    arrays = task.arrays()
    model = task.build(task.configuration({}), task.shape)
    assert model.input_shape == (None, *arrays.x_train.shape[1:])
    assert model.output_shape == (None, task.shape.outputs)
    assert model(arrays.x_train[:3]).shape == (3, task.shape.outputs)


@pytest.mark.parametrize("name", TASKS)
def test_what_a_ready_task_searches_lies_in_the_catalogues_ranges(name):
    task = hpt.task(name)
    for key, domain in task.space.items():
        whole = hpt.catalog.domain(key)
        assert all(whole.contains(value) for value in domain.grid(5)), key


def test_folds_are_made_on_demand_and_time_is_kept():
    assert len(hpt.task("wine", folds=4).split.folds) == 4
    for fold in hpt.task("co2", folds=3).split.folds:
        assert fold.train.max() < fold.validation.min()


def test_fields_can_be_replaced():
    task = hpt.task("wine", epochs=7, metrics=("f1", "accuracy"))
    assert (task.epochs, task.objective.name) == (7, "f1")
    narrow = task.with_space(units=hpt.Int(8, 16))
    assert narrow.space["units"] == hpt.Int(8, 16)
    assert narrow.split is task.split
    assert task.space["units"] != hpt.Int(8, 16)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: hpt.task("brest_cancer"), "did you mean 'breast_cancer'"),
        (lambda: hpt.task("wine", folds=0), "folds is a whole number of at least 1, got 0"),
        (lambda: hpt.task("wine", metrics=("acuracy",)), "did you mean 'accuracy'"),
        (lambda: hpt.task("wine", metrics=()), "at least one metric"),
        (lambda: hpt.task("wine").with_space(seed=hpt.Int(1, 2)), "'seed' is a column of every result"),
        (lambda: hpt.task("wine", epoch=3), "unknown task field 'epoch': did you mean 'epochs'"),
        (lambda: hpt.task("wine", epochs=0), "at least 1, got 0"),
        (lambda: replace(hpt.task("wine"), epochs=True), "at least 1, got True"),
    ],
)
def test_a_task_that_cannot_be_gets_one_line(call, message):
    with pytest.raises((hpt.InvalidInput, hpt.UnknownName), match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
