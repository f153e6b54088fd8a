"""The catalogue says what the usual lists say, typed here a second time, and its tables are its spaces.

Everything in capitals is typed by hand from the lists that the catalogue follows, so that a person can compare
the two; nothing is computed from the catalogue.
"""

import re
import subprocess
import sys
from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest

import hpt
from hpt import catalog
from hpt.domains import Choice, Float, Int
from hpt.errors import InvalidInput, UnknownName
from hpt.space import Space
from hpt.strategies import STRATEGIES

NAMES = (
    "problem-types", "architecture", "optimization", "regularization", "task-specific", "strategies", "per-problem",
    "practices", "summary",
)  # fmt: skip

# row: words that its other cells hold
PROBLEM_TYPES = {
    "Classification": ("spam", "not spam", "dog", "cat", "cross-entropy"),
    "Regression": ("continuous", "house", "stock", "mean squared error", "MSE"),
    "Representation (unsupervised)": ("structure", "labels", "extracted features", "anomalies", "reconstruction loss"),
}

# row: key, range
ARCHITECTURE = {
    "Hidden layers": ("layers", "1 to 10+"),
    "Neurons per layer": ("units", "16 to 1024, log scale"),
    "Activation function": ("activation", "relu, leaky_relu, sigmoid, tanh"),
    "Initialization": ("init", "he_normal, glorot_uniform"),
}
OPTIMIZATION = {
    "Learning rate (η)": ("learning_rate", "1e-4 to 0.1, log scale"),
    "Optimizer": ("optimizer", "adam, rmsprop, sgd"),
    "Batch size": ("batch_size", "16 to 256, log scale"),
    "Epochs": ("epochs", "50 to 1000+, log scale"),
    "Momentum (β)": ("momentum", "0.8 to 0.99"),
}
REGULARIZATION = {
    "Dropout": ("dropout", "0.2 to 0.5"),
    "Weight decay (L2)": ("weight_decay", "1e-5 to 0.01, log scale"),
    "Early stopping": ("patience", "5 to 50, log scale"),
    "Batch normalization": ("batch_norm", "False, True"),
}
SYMBOLS = {"learning_rate": "η", "momentum": "β", "weight_decay": "λ"}

TASK_SPECIFIC = [
    ("Classification", "output_activation", "softmax, sigmoid"),
    ("Classification", "loss", "sparse_categorical_crossentropy, binary_crossentropy"),
    ("Classification", "learning_rate", "1e-4 to 0.1, log scale"),
    ("Regression", "output_activation", "linear"),
    ("Regression", "loss", "mse, mae"),
    ("Regression", "scale_target", "True, False"),
    ("Autoencoder (unsupervised)", "latent_size", "2 to 32, log scale"),
    ("Autoencoder (unsupervised)", "reconstruction_weight", "0.1 to 10, log scale"),
]
OURS = {"patience", "batch_norm", "scale_target", "latent_size", "reconstruction_weight"}
"""Where the usual lists give no range."""

# row: sampler, name in hpt.tune, words of the other cells
STRATEGY_ROWS = {
    "Manual search": ("a person", "manual", ("simple", "inefficient", "first experiments", "small models")),
    "Grid search": ("all combinations", "grid", ("exhaustive", "very slow", "GridSearchCV")),
    "Random search": ("independent draws", "random", ("sooner than a grid", "not systematic", "RandomizedSearchCV")),
    "Quasi-random search": ("Sobol", "sobol", ("evenly",)),
    "Bayesian optimization": (
        "TPE", "tpe, gp",
        ("probabilistic", "expensive", "deep models", "harder to implement", "Optuna", "scikit-optimize", "Hyperopt",
         "Ray Tune", "KerasTuner"),
    ),
    "Evolutionary search": (
        "genetic algorithm", "evolution, nsga2, cmaes",
        ("select", "cross", "mutate", "complex", "not smooth", "computing", "neural architecture search", "NAS"),
    ),
    "One epoch": ("independent draws", "one_epoch", ("baseline", "slow starter")),
    "Successive halving": ("independent draws", "successive_halving", ("one bracket", "HalvingRandomSearchCV")),
    "Hyperband": (
        "independent draws", "hyperband", ("few epochs", "stopped", "efficient", "scales", "CNN", "Transformer"),
    ),
    "BOHB": ("TPE", "bohb", ("Bayesian", "Hyperband", "efficient", "scales", "CNN", "Transformer")),
    "Population-based training": ("copies of the best", "pbt", ("mid-training", "learning rate")),
}  # fmt: skip
FULL = {
    "Manual search", "Grid search", "Random search", "Quasi-random search", "Bayesian optimization",
    "Evolutionary search",
}  # fmt: skip

# row: metrics, tuned
PER_PROBLEM = {
    "Binary and multi-class classification": (
        "accuracy, F1-score, ROC-AUC", ("layers", "learning_rate", "batch_size", "dropout"),
    ),
    "Regression": ("MAE, RMSE, R²", ("units", "learning_rate", "regularization")),
    "Autoencoder (unsupervised)": ("reconstruction loss (MSE)", ("latent_size", "optimizer", "activation")),
    "Time-series forecasting (RNN, LSTM)": ("MAPE, RMSE", ("sequence_length", "learning_rate", "dropout")),
    "Images, vision (CNN)": ("accuracy, top-5 accuracy", ("filters", "kernel_size", "learning_rate", "epochs")),
}  # fmt: skip

PRACTICES = {
    "Normalize the inputs": ("StandardScaler",),
    "Stop early": ("overfit",),
    "Watch validation metrics": ("training",),
    "Combine random and Bayesian search": (),
    "Record every result": ("TensorBoard", "Weights & Biases"),
    "Limit the search space": ("computing",),
}

SUMMARY = [
    ("Hidden layers", "Architecture", "1 to 5"),
    ("Neurons per layer", "Architecture", "16 to 512, log scale"),
    ("Learning rate", "Learning", "1e-4 to 0.01, log scale"),
    ("Batch size", "Optimization", "16 to 256, log scale"),
    ("Dropout", "Regularization", "0.2 to 0.5"),
    ("L2 weight decay", "Regularization", "1e-5 to 0.01, log scale"),
    ("Epochs", "Training", "50 to 1000, log scale"),
    ("Activation function", "Activation", "relu, tanh, sigmoid"),
    ("Loss function", "Task", "cross-entropy, mse"),
]

HYPERPARAMETER_TABLES = {"architecture": ARCHITECTURE, "optimization": OPTIMIZATION, "regularization": REGULARIZATION}


def _text(name, row):
    return " | ".join(hpt.table(name).loc[row])


# --- the facts ----------------------------------------------------------------------------------------


def test_there_are_nine_tables():
    assert tuple(catalog.TABLES) == NAMES


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("problem-types", PROBLEM_TYPES),
        ("architecture", ARCHITECTURE),
        ("optimization", OPTIMIZATION),
        ("regularization", REGULARIZATION),
        ("task-specific", [row[0] for row in TASK_SPECIFIC]),
        ("strategies", STRATEGY_ROWS),
        ("per-problem", PER_PROBLEM),
        ("practices", PRACTICES),
        ("summary", [row[0] for row in SUMMARY]),
    ],
)
def test_every_row_is_there_in_its_order(name, rows):
    assert hpt.table(name).index.tolist() == list(rows)


@pytest.mark.parametrize("name", HYPERPARAMETER_TABLES)
def test_every_range_is_there(name):
    table = hpt.table(name)
    for title, (key, text) in HYPERPARAMETER_TABLES[name].items():
        assert (table.loc[title, "Key"], table.loc[title, "Range"]) == (key, text)


def test_symbols_are_those_of_the_formulas():
    rows = [row for group in catalog.GROUPS.values() for row in group]
    assert {row.key: row.symbol for row in rows if row.symbol} == SYMBOLS


def test_deep_networks_and_long_training_go_past_the_upper_end():
    rows = [row for group in catalog.GROUPS.values() for row in group]
    assert {row.key for row in rows if row.open_end} == {"layers", "epochs"}
    assert "10 and more" in hpt.table("architecture").loc["Hidden layers", "Note"]


def test_an_activation_has_its_initialization():
    init = catalog.hyperparameter("init")
    assert init.pairs == {
        "relu": "he_normal", "leaky_relu": "he_normal", "tanh": "glorot_uniform", "sigmoid": "glorot_uniform",
    }  # fmt: skip
    assert set(init.pairs) == set(catalog.domain("activation").values)
    assert set(init.pairs.values()) == set(init.domain.values)
    assert init.pairs.items() <= hpt.networks.PARTNER.items()
    assert init.note == "he_normal with relu, glorot_uniform (Xavier) with tanh and sigmoid"


def test_task_specific_rows():
    table = hpt.table("task-specific").reset_index()
    assert list(table[["Problem type", "Key", "Range"]].itertuples(index=False, name=None)) == TASK_SPECIFIC
    assert catalog.TASK_SPECIFIC[0].hyperparameters[2] is catalog.hyperparameter("learning_rate")


def test_a_range_of_our_own_is_marked_in_its_table_and_no_other_is():
    marked = set()
    for name in ("architecture", "optimization", "regularization", "task-specific"):
        table = hpt.table(name)
        marked |= set(table.loc[table["Note"].str.startswith("our range"), "Key"])
    assert marked == OURS


@pytest.mark.parametrize(("name", "facts"), [("problem-types", PROBLEM_TYPES), ("practices", PRACTICES)])
def test_cells_hold_the_facts(name, facts):
    for row, words in facts.items():
        for word in words:
            assert word in _text(name, row)


def test_strategies_say_what_they_are_good_for_and_what_runs_them():
    table = hpt.table("strategies")
    for row, (sampler, runs, words) in STRATEGY_ROWS.items():
        assert sampler in table.loc[row, "What to try next"]
        assert table.loc[row, "In hpt.tune"] == runs
        for word in words:
            assert word in _text("strategies", row)
    assert set(table.index[table["How long to train"] == "full"]) == FULL
    assert table.loc[["Hyperband", "BOHB"], "How long to train"].str.startswith("all brackets").all()


def test_the_table_knows_which_strategies_run():
    assert [name for row in catalog.STRATEGIES for name in row.runs] == list(STRATEGIES)


def test_per_problem_rows():
    table = hpt.table("per-problem")
    for row, (title, (metrics, tuned)) in zip(catalog.PER_PROBLEM, PER_PROBLEM.items(), strict=True):
        assert (row.title, row.tuned) == (title, tuned)
        assert table.loc[title, "Metrics"] == metrics
    assert table.loc["Images, vision (CNN)", "Tuned"] == "filters, kernel size, learning rate, epochs"
    assert table.loc["Regression", "Tuned"] == "neurons per layer, learning rate, regularization"


def test_summary_rows_have_ranges_of_their_own():
    table = hpt.table("summary").reset_index()
    assert list(table[["Hyperparameter", "Category", "Range"]].itertuples(index=False, name=None)) == SUMMARY
    assert (table["Purpose"].str.len() > 0).all()


# --- the table is the space ---------------------------------------------------------------------------


def _parsed(text):
    """The domain that a cell of the Range column describes, read back from its text alone."""
    log = text.endswith(", log scale")
    bounds = re.fullmatch(r"(\S+) to ([^\s+]+)\+?", text.removesuffix(", log scale"))
    if bounds is None:
        constants = {"True": True, "False": False}
        return Choice(*(constants.get(word, word) for word in text.split(", ")))
    kind = Int if all(re.fullmatch(r"\d+", end) for end in bounds.groups()) else Float
    read = int if kind is Int else float
    return kind(read(bounds[1]), read(bounds[2]), log=log)


@pytest.mark.parametrize("name", HYPERPARAMETER_TABLES)
def test_what_a_reader_sees_is_what_a_search_walks(name):
    for _, row in hpt.table(name).iterrows():
        read = _parsed(row["Range"])
        assert read == catalog.domain(row["Key"])
        assert Space({row["Key"]: read}) == hpt.search_space(row["Key"])


def test_what_a_reader_sees_for_one_kind_of_problem_is_what_a_search_walks():
    short = {task.title: task.problem for task in catalog.TASK_SPECIFIC}
    for title, row in hpt.table("task-specific").iterrows():
        read = _parsed(row["Range"])
        assert read == catalog.domain(row["Key"], short[title])
        assert Space({row["Key"]: read}) == hpt.search_space(row["Key"], problem=short[title])


def test_summary_ranges_are_read_back_and_lie_in_the_full_ones():
    for row, cell in zip(catalog.SUMMARY, hpt.table("summary")["Range"], strict=True):
        inner = row.hyperparameter
        assert _parsed(cell) == inner.domain
        if inner.key != "loss":
            assert all(catalog.domain(inner.key).contains(value) for value in inner.domain.grid(7))


def test_keras_knows_every_name():
    import keras

    for name in catalog.domain("activation").values:
        assert keras.activations.get(name) is not None
    for name in catalog.domain("init").values:
        assert keras.initializers.get(name) is not None
    for name in catalog.domain("optimizer").values:
        assert keras.optimizers.get(name) is not None
    for task in catalog.TASK_SPECIFIC[:2]:
        for name in catalog.domain("output_activation", task.problem).values:
            assert keras.activations.get(name) is not None
        for name in catalog.domain("loss", task.problem).values:
            assert keras.losses.get(name) is not None


def test_networks_read_every_general_hyperparameter():
    general = {row.key for group in catalog.GROUPS.values() for row in group}
    assert general <= {*hpt.networks.DEFAULTS, "epochs"}


# --- tables -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_table_is_ready_for_a_page(name):
    table = hpt.table(name)
    assert table.index.name
    assert all(column and column == column.strip() for column in table.columns)
    cells = [*table.index, *(cell for column in table for cell in table[column])]
    assert all(isinstance(cell, str) and cell.strip() == cell != "" for cell in cells)
    assert max(map(len, cells)) <= 90


def test_a_table_belongs_to_its_reader():
    table = hpt.table("summary")
    table.loc["Dropout", "Range"] = "mine"
    assert hpt.table("summary").loc["Dropout", "Range"] == "0.2 to 0.5"


def test_rows_are_typed_and_frozen():
    assert {f.name for f in fields(catalog.StrategyRow)} >= {"sampler", "schedule", "libraries", "runs"}
    with pytest.raises(FrozenInstanceError):
        catalog.ARCHITECTURE[0].title = "x"


def test_the_catalogue_is_imported_without_pandas():
    code = "import sys, hpt.catalog; print({'pandas', 'optuna', 'tensorflow'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


# --- spaces -------------------------------------------------------------------------------------------


def test_a_space_has_the_names_in_the_order_they_were_given():
    space = hpt.search_space("units", "layers", "learning_rate")
    assert list(space) == ["units", "layers", "learning_rate"]
    assert list(hpt.search_space("units", dropout=Float(0, 0.1))) == ["units", "dropout"]


def test_momentum_waits_for_sgd_where_the_optimizer_is_searched():
    space = hpt.search_space("momentum", "optimizer")
    assert list(space) == ["optimizer", "momentum"]
    assert space["momentum"] == Float(0.8, 0.99).when(optimizer="sgd")
    assert hpt.search_space("momentum")["momentum"] == Float(0.8, 0.99)
    own = hpt.search_space("optimizer", momentum=Float(0.9, 0.95).when(optimizer=("rmsprop", "sgd")))
    assert own["momentum"].condition == (("optimizer", ("rmsprop", "sgd")),)
    assert hpt.search_space("optimizer", momentum=Choice(0.9))["momentum"] == Choice(0.9).when(optimizer="sgd")


def test_a_group_stands_for_its_hyperparameters():
    assert list(hpt.search_space("regularization")) == ["dropout", "weight_decay", "patience", "batch_norm"]
    assert list(hpt.search_space("units", "architecture")) == ["units", "layers", "activation", "init"]


@pytest.mark.parametrize("row", catalog.PER_PROBLEM, ids=lambda row: row.title)
def test_what_is_tuned_for_a_problem_makes_a_space(row):
    space = hpt.search_space(*row.tuned)
    assert space.validate(space.sample(np.random.default_rng(0)))


def test_a_value_or_a_list_narrows_a_domain_to_it():
    space = hpt.search_space(
        "units", "optimizer", "learning_rate", units=[16, 64], optimizer="adam", learning_rate=1e-3
    )
    assert dict(space) == {"units": Choice(16, 64), "optimizer": Choice("adam"), "learning_rate": Choice(1e-3)}


def test_the_layerwise_space_has_units_and_activation_for_every_layer_that_there_is():
    space = hpt.layerwise_space()
    assert list(space) == ["layers", *(f"{name}_{i}" for i in (1, 2, 3, 4) for name in ("units", "activation"))]
    assert space["layers"] == Int(1, 4)
    assert space["units_1"] == Int(16, 256, log=True)  # every network has a first layer
    assert space["units_3"] == Int(16, 256, log=True).when(layers=(3, 4))
    assert space["activation_4"] == catalog.domain("activation").when(layers=4)
    for layers in range(1, 5):
        names = [f"{name}_{i}" for i in range(1, layers + 1) for name in ("units", "activation")]
        assert list(space.at([(layers - 0.5) / 4] + [0.5] * 8)) == ["layers", *names]
    values = 241 * 4  # widths times activations of one layer
    assert space.size() == sum(values**layers for layers in range(1, 5))


def test_the_layerwise_space_takes_other_domains():
    rate, momentum = Float(1e-3, 1e-1, log=True), Float(0.8, 0.9).when(optimizer="sgd")
    space = hpt.layerwise_space(2, Choice(8, 16), Choice("relu"), rate=rate, optimizer=Choice("sgd"), momentum=momentum)
    assert list(space)[5:] == ["rate", "optimizer", "momentum"]
    assert space["units_2"] == Choice(8, 16).when(layers=2)
    assert (space["rate"], space["momentum"]) == (rate, momentum)
    assert len(hpt.layerwise_space(1)) == 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: hpt.layerwise_space(0), "low must not be above high"),
        (lambda: hpt.layerwise_space(2.5), "whole numbers"),
        (lambda: hpt.layerwise_space(2, layers=Int(1, 3)), "layers follows from most, units and activation"),
        (lambda: hpt.layerwise_space(2, units_2=Int(1, 3)), "units_2 follows from most"),
        (lambda: hpt.layerwise_space(2, units=16), "a space maps names to Float, Int or Choice"),
        (lambda: hpt.table("architectur"), "unknown table 'architectur': did you mean 'architecture'? Known tables: "),
        (lambda: hpt.table("problem_types"), "did you mean 'problem-types'"),
        (lambda: catalog.domain("lerning_rate"), "unknown hyperparameter 'lerning_rate': did you mean 'learning_rate'"),
        (lambda: hpt.search_space("unit"), "did you mean 'units'"),
        (lambda: hpt.search_space("units", layer=Int(1, 2)), "did you mean 'layers'"),
        (lambda: hpt.search_space("units", layer=3), "did you mean 'layers'"),
        (lambda: catalog.domain("loss"), "depend on the problem: say problem='classification' or problem='regression'"),
        (lambda: catalog.domain("loss", "regresion"), "did you mean 'regression'"),
        (lambda: catalog.domain("loss", "autoencoder"), "got problem='autoencoder'"),
        (lambda: hpt.search_space("units", units=[16, 4096]), "units=4096 lies outside the catalogue's 16 to 1024"),
        (lambda: hpt.search_space("optimizer", optimizer="adma"), "optimizer='adma' lies outside"),
        (lambda: hpt.search_space("units", units=[]), "Choice needs at least one value"),
        (lambda: hpt.search_space(), "at least one name"),
        (lambda: hpt.search_space("optimizer", "momentum", optimizer="adam"), "momentum waits for optimizer='sgd'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(call, message):
    with pytest.raises((InvalidInput, UnknownName)) as caught:
        call()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
