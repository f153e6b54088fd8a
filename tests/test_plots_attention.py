"""The pictures of attention, and the numbers in them."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import hpt
from hpt.evidence import interval
from hpt.generated import recall
from hpt.networks import Shape, lstm, transformer
from hpt.plots import attention

pytestmark = pytest.mark.usefixtures("book_style")

PAIRS = 3


@pytest.fixture(scope="module")
def sequences():
    return recall(40, pairs=PAIRS).x


@pytest.fixture(scope="module")
def model():
    import keras

    keras.utils.set_random_seed(0)
    return transformer({"layers": 2, "units": 8, "heads": 2}, Shape((PAIRS + 1, PAIRS + 4), 4, "multiclass"))


@pytest.fixture(scope="module")
def found(model, sequences):
    return attention.weights(model, sequences)


def test_what_a_step_gives_adds_up_to_one(found, sequences):
    assert found.shape == (2, len(sequences), 2, PAIRS + 1, PAIRS + 1)
    assert found.sum(axis=-1) == pytest.approx(1, abs=1e-5)


def test_weights_are_the_softmax_of_scaled_products_as_in_the_paper(model, found, sequences):
    layer = next(one for one in model.layers if type(one).__name__ == "MultiHeadAttention")
    embedded = np.asarray(model.get_layer("embedding")(sequences))
    query, query_bias, key, key_bias = (np.asarray(weight) for weight in layer.get_weights()[:4])
    q = np.einsum("bsu,uhd->bhsd", embedded, query) + query_bias[:, None]
    k = np.einsum("bsu,uhd->bhsd", embedded, key) + key_bias[:, None]
    raised = np.exp(q @ k.swapaxes(-1, -2) / np.sqrt(query.shape[-1]))
    assert found[0] == pytest.approx(raised / raised.sum(axis=-1, keepdims=True), abs=1e-5)


def test_a_network_without_attention_is_refused():
    with pytest.raises(hpt.InvalidInput, match="no attention"):
        attention.weights(lstm({"units": 4}, Shape((4, 7), 4, "multiclass")), np.zeros((1, 4, 7)))


def test_steps_are_named_by_key_and_value():
    x = np.zeros((3, 6))
    x[[0, 0, 1, 1, 2], [1, 2 + 3, 0, 2 + 2, 1]] = 1
    assert attention.named(x, 2) == ["B = 3", "A = 2", "B = ?"]


def test_looks_are_means_by_who_looks_at_whom():
    weights = np.full((1, 2, 1, 4, 4), 0.25)
    weights[0, :, 0, 3] = [[0.7, 0.1, 0.1, 0.1], [0.2, 0.5, 0.2, 0.1]]  # the last step looks at its pair
    weights[0, :, 0, :, 3] = [[0.9, 0.1, 0.3, 0.1], [0.2, 0.8, 0.4, 0.1]]  # and the pairs at the last step
    one = attention.looks(weights, np.array([0, 1])).set_index("look")["weight"]
    expected = [(0.7 + 0.5) / 2, (0.1 + 0.1 + 0.2 + 0.2) / 4, (0.9 + 0.8) / 2, (0.1 + 0.3 + 0.2 + 0.4) / 4]
    assert one[list(attention.LOOKS)].to_list() == pytest.approx(expected)


def test_a_map_has_a_panel_a_head_and_frames_both_places(found):
    figure = attention.maps(found[:, 0], ["A", "B", "C", "A?"], 1)
    panels = [ax for ax in figure.axes if ax.get_title() == "" and ax.texts]
    assert [ax.texts[0].get_text() for ax in panels] == [f"block {b}, head {h}" for b in (1, 2) for h in (1, 2)]
    assert np.array_equal(panels[3].images[0].get_array(), found[1, 0, 1])
    assert {tuple(frame.get_xy()) for frame in panels[0].patches} == {(0.5, 2.5), (2.5, 0.5)}


def test_looks_of_networks_are_drawn_with_the_interval_of_their_mean(found, sequences):
    rng = np.random.default_rng(0)
    asked = np.zeros(len(sequences), dtype=int)
    frame = pd.concat([attention.looks(found * rng.random(), asked).assign(network=i) for i in range(4)])
    ax = attention.look(frame, even=0.25)
    own = frame[(frame["block"] == 1) & (frame["look"] == attention.LOOKS[0])]
    mean, low, high = interval(own.groupby("network")["weight"].mean())
    drawn = {float(value) for line in ax.lines for value in np.atleast_1d(line.get_xdata())}
    assert all(any(value == pytest.approx(end) for value in drawn) for end in (mean, low, high))
    assert ax.get_legend().get_window_extent().y0 >= ax.get_window_extent().y1 - 1


def test_curves_are_coloured_by_their_learning_rate():
    rates = [1e-4, 5e-3, 5e-2]
    points = [(trial, 0, epoch, 1.0 / (trial + epoch)) for trial in range(3) for epoch in (1, 2)]
    study = SimpleNamespace(
        curves=pd.DataFrame(points, columns=["trial", "fold", "epoch", "score"]),
        trials=pd.DataFrame({"number": range(3), "learning_rate": rates}),
        objective="log_loss",
    )
    ax = attention.curves(study, marks={"a line": 0.5})
    trials = [line for line in ax.lines if list(line.get_xdata()) == [1, 2]]
    colours = {round(float(line.get_ydata()[0]), 3): line.get_color() for line in trials}
    assert [colours[round(1 / (trial + 1), 3)] for trial in range(3)] == list(hpt.plots.COLOURS[:3])
    assert "a line" in [text.get_text() for text in ax.get_legend().get_texts()]
