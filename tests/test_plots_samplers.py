"""The pictures of samplers: what they compute is checked by hand, what they draw is what the samplers hold."""

import numpy as np
import optuna
import pandas as pd
import pytest

import hpt
from hpt.errors import InvalidInput, UnknownName
from hpt.plots import samplers
from hpt.samplers import GaussianProcess, Observation, Random

RATE = hpt.Space({"learning_rate": hpt.Float(1e-4, 1, log=True)})


pytestmark = pytest.mark.usefixtures("book_style")


@pytest.fixture
def study(wine):
    return hpt.tune(wine.with_space(RATE), hpt.strategies.tpe(startup=5), trials=12, seed=0)


def test_empty_cells_are_counted_and_hatched():
    fig = samplers.cells({"one": np.array([[0.1, 0.1], [0.9, 1.0], [0.2, 0.3]])}, 2)
    [ax] = fig.axes
    assert "2 cells empty" in ax.get_xlabel()
    assert sum(patch.get_hatch() is not None for patch in ax.patches) == 2


def test_projections_mark_what_each_search_tried():
    space = RATE.replace(dropout=hpt.Float(0, 0.5))
    frames = {
        name: pd.DataFrame({name: space[name].grid(5) * 2, "score": np.linspace(1, 2, 10)})
        for name in ("learning_rate", "dropout")
    }
    tried = {"random": [Random().propose(space, (), n, 0) for n in range(4)], "grid": space.grid(2)}
    fig = samplers.projections(tried, frames, space, "loss")
    assert len(fig.axes) == 6
    square, above, _ = fig.axes[:3]
    assert square.get_lines()[0].get_xdata().tolist() == [one["learning_rate"] for one in tried["random"]]
    assert above.get_lines()[1].get_xdata().tolist() == [one["learning_rate"] for one in tried["random"]]
    with pytest.raises(UnknownName, match="dropout"):
        samplers.projections(tried, frames, RATE, "loss")


def test_the_densities_of_tpe_are_densities_and_split_all_trials(study):
    model = samplers.parzen(study, RATE, 10)
    assert sorted(model.good + model.others) == list(range(10))
    scores = study.trials["score"].astype(float) * (1 if study.greater_is_better else -1)
    assert scores[list(model.good)].min() >= scores[list(model.others)].max()  # of equals either may be good
    x = np.geomspace(1e-4, 1, 2001)
    for density in (model.good_density, model.other_density):  # per unit of the natural logarithm
        assert np.trapezoid(density({"learning_rate": x}), np.log(x)) == pytest.approx(1, abs=1e-3)


def test_what_tpe_tries_is_the_candidate_of_the_largest_ratio(study):
    """The densities are those the sampler decides by: among its own candidates it takes the best."""
    model = samplers.parzen(study, RATE)
    sampler = hpt.samplers.Tpe.sampler(1)
    asked = []
    real = sampler._compute_acquisition_func
    sampler._compute_acquisition_func = lambda samples, *rest: asked.append(samples) or real(samples, *rest)
    sampler.infer_relative_search_space(study.record, study.record.trials[-1])
    study.record.sampler = sampler
    trial = study.record.ask(RATE.distributions())
    candidates = asked[0]["learning_rate"]
    ratio = model.good_density({"learning_rate": candidates}) / model.other_density({"learning_rate": candidates})
    assert trial.params["learning_rate"] == pytest.approx(float(candidates[ratio.argmax()]))


def test_an_optuna_without_these_methods_is_refused_loudly(study, monkeypatch):
    monkeypatch.delattr(optuna.samplers.TPESampler, "_build_parzen_estimator")
    with pytest.raises(InvalidInput, match=f"Optuna {optuna.__version__} can't be looked into"):
        samplers.parzen(study, RATE)


def test_a_space_with_a_condition_has_no_one_pair_of_densities(study):
    space = hpt.Space({"optimizer": hpt.Choice("adam", "sgd"), "momentum": hpt.Float(0, 0.9).when(optimizer="sgd")})
    with pytest.raises(InvalidInput, match="without conditions"):
        samplers.parzen(study, space)


def test_the_picture_of_tpe_marks_what_was_tried_next(study):
    fig = samplers.tpe(study, RATE, "learning_rate", trials=10)
    top, middle, bottom = fig.axes
    assert sum(len(line.get_xdata()) for line in top.get_lines()[:2]) == 10
    following = study.trials["learning_rate"][10]
    assert all(ax.get_lines()[-1].get_xdata()[0] == following for ax in (top, middle, bottom))
    assert bottom.get_xlabel() == "learning rate"


def test_the_picture_of_a_gaussian_process_has_a_column_a_step():
    seen = [
        Observation(n, {"learning_rate": x}, {1: -abs(np.log10(x) + 2)}) for n, x in enumerate((1e-4, 0.1, 1, 0.01))
    ]
    fig = samplers.surrogates(seen, RATE, "learning_rate", (3, 4), "loss")
    top = fig.axes[0]
    assert len(fig.axes) == 4
    mean, _ = GaussianProcess.fit(RATE, seen[:3]).predict([{"learning_rate": 1e-4}])
    assert top.get_lines()[0].get_ydata()[0] == pytest.approx(-mean[0])
    assert top.get_lines()[-1].get_xdata()[0] == 0.01  # tried next; after the last one nothing was
    assert len(fig.axes[1].get_lines()) == 2


def test_too_few_observations_are_said():
    seen = [Observation(0, {"learning_rate": 0.1}, {1: 0.0})]
    with pytest.raises(InvalidInput, match="too few"):
        samplers.surrogates(seen, RATE, "learning_rate", (1,), "loss")


def test_a_choice_is_refused():
    space = hpt.Space({"activation": hpt.Choice("relu", "tanh")})
    with pytest.raises(InvalidInput, match="choice without an order"):
        samplers.surrogates([], space, "activation", (1,), "loss")
