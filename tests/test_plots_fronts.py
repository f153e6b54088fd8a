"""Pictures of fronts, of the curves of trials, of reconstructions, and of a score by size."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import hpt
from hpt.evidence import interval
from hpt.plots import fronts

from doubles import pretend

pytestmark = pytest.mark.usefixtures("book_style")


@pytest.fixture(scope="module")
def study():
    """Twelve tiny autoencoders, searched for a small error and a small bottleneck."""
    task = replace(hpt.task("digits_autoencoder", epochs=1), costs=("latent_size",))
    return hpt.tune(task, "random", trials=12, seed=0, progress=False)


def test_the_steps_go_through_the_front_and_through_nothing_else(study):
    ax = fronts.front(study, "latent_size")
    [steps] = [line for line in ax.lines if line.get_drawstyle() == "steps-post"]
    best = study.front.sort_values(["latent_size", "score"])
    assert list(steps.get_xdata()) == best["latent_size"].tolist()
    assert list(steps.get_ydata()) == best["score"].tolist()
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


def test_no_trial_lies_where_it_would_beat_a_trial_of_the_front(study):
    number = int(study.front["number"].iloc[0])
    ax = fronts.front(study, "latent_size", beats=number)
    star = study.trials.loc[number]
    beaten, _, beating, _ = (part.get_paths()[0].get_extents() for part in ax.collections)
    assert (beaten.x0, beaten.y0) == pytest.approx((star["latent_size"], star["score"]))
    assert (beating.x1, beating.y1) == pytest.approx((star["latent_size"], star["score"]))
    others = study.trials.drop(index=number)
    assert not ((others["latent_size"] <= beating.x1) & (others["score"] <= beating.y1)).any()


def test_lines_and_points_beside_a_front_keep_their_names(study):
    ax = fronts.front({"random": study}, "latent_size", beside={"PCA": {2: 0.05, 8: 0.03}}, chosen={"mine": (8, 0.04)})
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["random, trials", "random, front", "PCA", "mine"]


def test_a_front_needs_a_cost_that_was_searched(study):
    with pytest.raises(hpt.InvalidInput, match="a front is drawn of units"):
        fronts.front(study, "units")
    assert "learning_rate" in study.trials  # searched, but no cost
    with pytest.raises(hpt.InvalidInput, match=r"search a task with costs=\('learning_rate',\) and an error"):
        fronts.front(study, "learning_rate")
    without = pretend(hpt.task("digits_autoencoder"), trials=3)
    with pytest.raises(hpt.InvalidInput, match=r"this one had costs=\(\) and mse"):
        fronts.front(without, "latent_size")


def test_every_complete_trial_has_a_curve_in_the_colour_of_its_choice(study):
    ax = fronts.trials(study, "optimizer")
    done = study.trials[study.trials["status"] == "complete"]
    drawn = [line for line in ax.lines if len(line.get_xdata())]
    assert len(drawn) == len(done)
    assert len({line.get_color() for line in drawn}) == done["optimizer"].nunique()
    with pytest.raises(hpt.UnknownName):
        fronts.trials(study, "optimiser")


def test_reconstructions_stand_in_rows_on_one_scale():
    pictures = np.linspace(0, 1, 3 * 64).reshape(3, 64)
    figure = fronts.reconstructions({"net": {"a": pictures, "b": pictures}, "PCA": {"a": pictures, "b": pictures}})
    images = [ax.images[0] for ax in figure.axes if ax.images]
    assert len(images) == 2 * 2 * 3
    assert {image.get_clim() for image in images} == {(0.0, 1.0)}
    assert np.array_equal(images[0].get_array(), pictures[0].reshape(8, 8))
    with pytest.raises(hpt.InvalidInput, match="must have the rows a, b"):
        fronts.reconstructions({"net": {"a": pictures, "b": pictures}, "PCA": {"a": pictures}})


def test_by_size_draws_the_mean_over_the_units_with_its_interval():
    rows = [(k, unit, half, k + unit + half) for k in (2, 4) for unit in range(5) for half in (-0.5, 0.5)]
    frame = pd.DataFrame(rows, columns=["size", "unit", "half", "mse"]).assign(method="one")
    ax = fronts.by_size(frame, "size", "mse", "unit", "method")
    bars = ax.containers[0].lines[2][0].get_segments()
    for k, bar in zip((2, 4), bars, strict=True):
        expected = interval([k + unit for unit in range(5)])
        assert (bar[0][1], bar[1][1]) == pytest.approx((expected.low, expected.high))
    plt.close("all")
