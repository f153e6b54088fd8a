"""The pictures of populations show who took over from whom, where it moved, and what it bred."""

import numpy as np
import pytest

import hpt
from hpt.plots import populations
from hpt.seeds import derive

from doubles import pretend

SPACE = hpt.Space({
    "learning_rate": hpt.Float(1e-4, 1e-1, log=True),
    "dropout": hpt.Float(0, 0.5),
    "activation": hpt.Choice("relu", "tanh"),
})  # fmt: skip


pytestmark = pytest.mark.usefixtures("book_style")


def study_of(population, every=3, seed=0):
    task = hpt.task("wine", epochs=12).with_space(SPACE)
    return pretend(task, hpt.strategies.pbt(population, every), seed=seed)


def markers(ax, kind):
    return [line for line in ax.get_lines() if line.get_marker() == kind]


def test_an_heir_stands_in_the_place_of_the_network_that_was_given_up():
    study = study_of(4)
    standing = populations._places(study)
    assert list(standing) == [3, 6, 9, 12]
    parents = study.trials["parent"].dropna().astype(int)
    for before, after in ((3, 6), (6, 9), (9, 12)):
        for old, new in zip(standing[before], standing[after], strict=True):
            if old != new:
                assert study.trials.loc[old, "status"] == "pruned"
                assert parents[new] in standing[before]
        judged = study.rungs.loc[study.rungs["epoch"] == after, "trial"]
        assert sorted(standing[after]) == sorted(judged)


def test_a_small_population_has_a_number_a_trial_and_a_cross_and_an_arrow_a_copy():
    study = study_of(4)
    ax = populations.families(study)
    copies = int(study.trials["parent"].notna().sum())
    assert copies == 3
    assert len(markers(ax, "x")) == copies
    texts = [text.get_text() for text in ax.texts]
    assert sorted(text for text in texts if text) == sorted(f"trial {number}" for number in study.trials["number"])
    assert sum(text.arrow_patch is not None for text in ax.texts if hasattr(text, "arrow_patch")) == copies
    [star] = markers(ax, "*")
    assert star.get_ydata()[0] == populations._places(study)[12].index(study.best_trial)


def test_in_a_large_population_only_the_families_that_are_left_have_a_colour():
    study = study_of(12, every=1)
    ax = populations.families(study)
    colours = {line.get_color() for line in ax.get_lines() if line.get_linestyle() == "-"}
    ends = study.rungs.loc[study.rungs["epoch"] == 12, "trial"]
    left = {int(study.lineage(int(trial))["trial"].iloc[0]) for trial in ends}
    assert len(colours) == len(left) + 1
    assert populations.PALE in colours
    assert not [text for text in ax.texts if text.get_text()]


def test_the_schedule_is_the_lineage_with_a_mark_at_every_takeover():
    study = study_of(8)
    ax = populations.schedule(study, "learning_rate", SPACE)
    line = study.lineage()
    bold = next(one for one in ax.get_lines() if one.get_label() == "the winner's lineage")
    assert bold.get_ydata().tolist() == [*line["learning_rate"], line["learning_rate"].iloc[-1]]
    assert bold.get_xdata().tolist() == [*line["from_epoch"], 12]
    [marks] = markers(ax, "D")
    assert marks.get_xdata().tolist() == line["from_epoch"].tolist()[1:]
    pale = [one for one in ax.get_lines() if one.get_color() == populations.PALE]
    assert len(pale) == len(study.trials)
    assert ax.get_yscale() == "log"
    assert ax.get_legend_handles_labels()[1] == ["the other trials", "the winner's lineage", "took over here"]


def test_the_schedule_without_a_space_takes_its_scale_from_the_values():
    assert populations.schedule(study_of(8), "dropout").get_yscale() == "linear"


def test_a_schedule_of_what_is_not_there_or_has_no_order_is_refused():
    with pytest.raises(hpt.UnknownName, match="learning_rate"):
        populations.schedule(study_of(4), "learnin_rate")
    with pytest.raises(hpt.InvalidInput, match="choice without an order"):
        populations.schedule(study_of(4), "activation", SPACE)


def test_generations_fill_the_last_trials_and_pale_all_before():
    task = hpt.task("wine", epochs=2).with_space(SPACE)
    studies = {name: pretend(task, name, trials=12, seed=0) for name in ("random", "sobol")}
    fig = populations.generations(studies, SPACE, "learning_rate", "dropout", 4)
    assert len(fig.axes) == 4  # two rows, trials 0 to 3 and 8 to 11
    first, second = fig.axes[:2]
    before, now = second.get_lines()
    trials = studies["random"].trials
    assert before.get_xdata().tolist() == trials["learning_rate"].tolist()[:8]
    assert now.get_ydata().tolist() == trials["dropout"].tolist()[8:]
    assert len(first.get_lines()[0].get_xdata()) == 0
    assert (first.get_xscale(), first.get_yscale()) == ("log", "linear")
    assert [text.get_text() for ax in (first, second) for text in ax.texts] == ["trials 0 to 3", "trials 8 to 11"]


def test_every_hidden_layer_is_a_box_with_its_units():
    space, rng = hpt.layerwise_space(3, learning_rate=hpt.Float(1e-4, 1e-1, log=True)), np.random.default_rng(0)
    nets = {f"net {i}": space.sample(rng) for i in range(5)}
    ax = populations.layers(nets)
    units = [str(net[f"units_{k}"]) for net in nets.values() for k in range(1, net["layers"] + 1)]
    assert [text.get_text() for text in ax.texts] == units
    assert len(ax.patches) == len(units)
    kinds = {net[f"activation_{k}"] for net in nets.values() for k in range(1, net["layers"] + 1)}
    assert {text.get_text() for text in ax.get_legend().get_texts()} == kinds
    assert len({(patch.get_facecolor(), patch.get_hatch()) for patch in ax.patches}) == len(kinds)


def test_the_splits_of_a_comparison_are_where_the_chapter_looks_them_up():
    """book/strategies/population-based-training.md trains winners again on the rows on which they were found."""
    task = hpt.task("wine", epochs=2)
    repeated, _ = task.resplit(3, 0)
    for repeat, fold in enumerate(repeated.split.folds):
        same = hpt.holdout(task.dataset, seed=derive(0, "split", repeat)).folds[0]
        assert np.array_equal(fold.train, same.train)
        assert np.array_equal(fold.validation, same.validation)
