"""The catalogue: what can be tuned, how, and for which problem, as typed rows.

The tables of the book are these rows. The row of a hyperparameter carries its domain, and from the domain come
both the range that a reader sees and the space that a search walks: they are one thing, written once. `table`
turns rows into a data frame, `search_space` turns them into a `hpt.space.Space`.

The rows follow the usual lists of the field. Where those give no range the row says ``ours=True``, its domain is
our choice, and the table says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hpt.domains import Choice, Domain, Float, Int
from hpt.errors import InvalidInput, unknown
from hpt.space import Space

if TYPE_CHECKING:
    import pandas as pd

Cells = list[dict[str, str]]


# --- kinds of problem ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class ProblemType:
    """A kind of problem: what is asked, what comes out, what training minimizes."""

    title: str
    goal: str
    examples: tuple[str, ...]
    loss: str


PROBLEM_TYPES = (
    ProblemType(
        title="Classification",
        goal="say which class something belongs to",
        examples=("spam or not spam", "dog or cat"),
        loss="cross-entropy",
    ),
    ProblemType(
        title="Regression",
        goal="say how much: a number on a continuous scale",
        examples=("price of a house", "value of a stock"),
        loss="mean squared error (MSE)",
    ),
    ProblemType(
        title="Representation (unsupervised)",
        goal="find structure where nobody gave labels",
        examples=("extracted features", "anomalies"),
        loss="reconstruction loss, of an autoencoder",
    ),
)


# --- hyperparameters ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hyperparameter:
    """Something that is set before training.

    Attributes:
        key: its name in configurations and spaces.
        title: its name in tables.
        purpose: what it does.
        domain: which values are usual; names are those of Keras.
        symbol: the letter that formulas use for it.
        method: what it belongs to, where that has a name of its own.
        note: what else the reader of a table should know.
        open_end: whether larger values than the usual ones are common too.
        ours: whether the domain is our choice, for want of a usual one.
        only_with: the parents' values without which it has no effect; `search_space` makes them its condition.
        pairs: which of its values goes with which value of another hyperparameter.
    """

    key: str
    title: str
    purpose: str
    domain: Domain
    symbol: str = ""
    method: str = ""
    note: str = ""
    open_end: bool = False
    ours: bool = False
    only_with: Mapping[str, Any] = field(default_factory=dict, hash=False)
    pairs: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def range(self) -> str:
        """The domain as a reader sees it, with a ``+`` behind an upper end that is often passed."""
        bounds, comma, scale = str(self.domain).partition(", log")
        return f"{bounds}+{comma}{scale}" if self.open_end else str(self.domain)

    @property
    def remark(self) -> str:
        """The note, preceded by a word on a range that is ours."""
        return "; ".join(part for part in ("our range" if self.ours else "", self.note) if part)


ARCHITECTURE = (
    Hyperparameter(
        key="layers",
        title="Hidden layers",
        purpose="how deep the network is",
        domain=Int(1, 10),
        open_end=True,
        note="simple models stay within it, deep ones have 10 and more",
    ),
    Hyperparameter(
        key="units",
        title="Neurons per layer",
        purpose="how much one layer can hold",
        domain=Int(16, 1024, log=True),
    ),
    Hyperparameter(
        key="activation",
        title="Activation function",
        purpose="how a neuron bends its input",
        domain=Choice("relu", "leaky_relu", "sigmoid", "tanh"),
    ),
    Hyperparameter(
        key="init",
        title="Initialization",
        purpose="where the weights start from",
        domain=Choice("he_normal", "glorot_uniform"),
        note="he_normal with relu, glorot_uniform (Xavier) with tanh and sigmoid",
        pairs={
            "relu": "he_normal",
            "leaky_relu": "he_normal",
            "tanh": "glorot_uniform",
            "sigmoid": "glorot_uniform",
        },
    ),
)

OPTIMIZATION = (
    Hyperparameter(
        key="learning_rate",
        title="Learning rate",
        symbol="η",
        purpose="how far one step goes down the gradient",
        domain=Float(1e-4, 1e-1, log=True),
    ),
    Hyperparameter(
        key="optimizer",
        title="Optimizer",
        purpose="how a gradient becomes a step",
        domain=Choice("adam", "rmsprop", "sgd"),
    ),
    Hyperparameter(
        key="batch_size",
        title="Batch size",
        purpose="how many rows one step looks at",
        domain=Int(16, 256, log=True),
    ),
    Hyperparameter(
        key="epochs",
        title="Epochs",
        purpose="how often training goes through the data",
        domain=Int(50, 1000, log=True),
        open_end=True,
    ),
    Hyperparameter(
        key="momentum",
        title="Momentum",
        symbol="β",
        purpose="how much of earlier steps a step remembers",
        domain=Float(0.8, 0.99),
        note="read by sgd only",
        only_with={"optimizer": "sgd"},
    ),
)

REGULARIZATION = (
    Hyperparameter(
        key="dropout",
        method="Dropout",
        title="Dropout rate",
        purpose="switches this share of neurons off, at random in each step",
        domain=Float(0.2, 0.5),
    ),
    Hyperparameter(
        key="weight_decay",
        method="Weight decay (L2)",
        title="Strength of the penalty",
        symbol="λ",
        purpose="pulls large weights back towards 0",
        domain=Float(1e-5, 1e-2, log=True),
        note="as a penalty in the loss; Keras's decoupled decay may need far more",
    ),
    Hyperparameter(
        key="patience",
        method="Early stopping",
        title="Patience",
        purpose="ends training when the validation loss has not improved for so many epochs",
        domain=Int(5, 50, log=True),
        ours=True,
    ),
    Hyperparameter(
        key="batch_norm",
        method="Batch normalization",
        title="–",
        purpose="keeps the inputs of a layer on one scale, which steadies learning",
        domain=Choice(False, True),
        ours=True,
        note="nothing to tune but off or on",
    ),
)

GROUPS = {"architecture": ARCHITECTURE, "optimization": OPTIMIZATION, "regularization": REGULARIZATION}
"""The groups of hyperparameters that have a meaning for every problem. Their names stand for all their keys."""


@dataclass(frozen=True)
class TaskSpecific:
    """The hyperparameters that matter for one kind of problem in particular. ``problem`` is its short name."""

    problem: str
    title: str
    hyperparameters: tuple[Hyperparameter, ...]


TASK_SPECIFIC = (
    TaskSpecific(
        "classification",
        "Classification",
        (
            Hyperparameter(
                key="output_activation",
                title="Output activation",
                purpose="turns outputs into probabilities",
                domain=Choice("softmax", "sigmoid"),
                note="softmax for several classes, sigmoid for two",
            ),
            Hyperparameter(
                key="loss",
                title="Loss",
                purpose="what a wrong probability costs: cross-entropy",
                domain=Choice("sparse_categorical_crossentropy", "binary_crossentropy"),
                note="the first with softmax, the second with sigmoid",
            ),
            OPTIMIZATION[0],
        ),
    ),
    TaskSpecific(
        "regression",
        "Regression",
        (
            Hyperparameter(
                key="output_activation",
                title="Output activation",
                purpose="leaves the output as it is",
                domain=Choice("linear"),
            ),
            Hyperparameter(
                key="loss",
                title="Loss",
                purpose="what an error costs: its square, or its size",
                domain=Choice("mse", "mae"),
            ),
            Hyperparameter(
                key="scale_target",
                title="Normalization",
                purpose="brings the target to one scale, as the inputs always are",
                domain=Choice(True, False),
                ours=True,
            ),
        ),
    ),
    TaskSpecific(
        "autoencoder",
        "Autoencoder (unsupervised)",
        (
            Hyperparameter(
                key="latent_size",
                title="Latent dimension",
                purpose="how many numbers a row is squeezed into, the bottleneck",
                domain=Int(2, 32, log=True),
                ours=True,
            ),
            Hyperparameter(
                key="reconstruction_weight",
                title="Weight of the reconstruction loss",
                purpose="how much reconstruction counts beside other terms of the loss",
                domain=Float(0.1, 10, log=True),
                ours=True,
            ),
        ),
    ),
)

OF_OTHER_NETWORKS = (
    Hyperparameter(
        "sequence_length", "Sequence length", "how many past values a forecast sees", Int(4, 64, log=True), ours=True
    ),
    Hyperparameter("filters", "Filters", "how many patterns a layer looks for", Int(8, 128, log=True), ours=True),
    Hyperparameter("kernel_size", "Kernel size", "how many pixels wide a pattern is", Choice(3, 5, 7), ours=True),
    Hyperparameter(
        "cell", "Recurrent cell", "how a step is remembered", Choice("lstm", "gru", "simple_rnn"), ours=True
    ),
    Hyperparameter(
        "heads", "Attention heads", "how many looks each step takes at the others", Choice(1, 2, 4), ours=True
    ),
    Hyperparameter("warmup", "Warm-up", "updates in which the learning rate rises from 0", Int(0, 500), ours=True),
)
"""Hyperparameters of convolutional, recurrent and attention networks, some of which `PER_PROBLEM` names."""


# --- strategies ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StrategyRow:
    """A way to search: its two choices, what is said for and against it, and where it can be had.

    ``sampler`` says what is tried next, ``schedule`` how long it is trained, ``runs`` are the names in
    `hpt.tune`.
    """

    title: str
    sampler: str
    schedule: str
    idea: str
    advantage: str
    drawback: str
    used_for: str
    libraries: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()


STRATEGIES = (
    StrategyRow(
        title="Manual search",
        sampler="a list that a person wrote",
        schedule="full",
        idea="try what experience suggests",
        advantage="simple",
        drawback="inefficient",
        used_for="first experiments, small models",
        runs=("manual",),
    ),
    StrategyRow(
        title="Grid search",
        sampler="all combinations",
        schedule="full",
        idea="list a few values for each hyperparameter, try them all",
        advantage="exhaustive",
        drawback="very slow: every hyperparameter multiplies the work",
        used_for="two or three hyperparameters",
        libraries=("scikit-learn GridSearchCV",),
        runs=("grid",),
    ),
    StrategyRow(
        title="Random search",
        sampler="independent draws",
        schedule="full",
        idea="draw every value from its range",
        advantage="near the optimum sooner than a grid",
        drawback="not systematic",
        used_for="a first look at a wide space",
        libraries=("scikit-learn RandomizedSearchCV", "KerasTuner"),
        runs=("random",),
    ),
    StrategyRow(
        title="Quasi-random search",
        sampler="a Sobol sequence",
        schedule="full",
        idea="draw, but evenly",
        advantage="no gaps and no clusters",
        drawback="learns nothing from the results",
        used_for="a first look at a wide space",
        libraries=("SciPy", "Optuna"),
        runs=("sobol",),
    ),
    StrategyRow(
        title="Bayesian optimization",
        sampler="TPE or a Gaussian process",
        schedule="full",
        idea="fit a probabilistic model to the scores so far, try where it promises most",
        advantage="few trials, where each is expensive",
        drawback="harder to implement",
        used_for="deep models",
        libraries=("Optuna", "scikit-optimize", "Hyperopt", "Ray Tune", "KerasTuner"),
        runs=("tpe", "gp"),
    ),
    StrategyRow(
        title="Evolutionary search",
        sampler="ageing evolution, a genetic algorithm or CMA-ES",
        schedule="full",
        idea="keep a population; select, cross and mutate",
        advantage="copes with complex spaces that are not smooth",
        drawback="takes much computing",
        used_for="neural architecture search (NAS)",
        libraries=("Optuna",),
        runs=("evolution", "nsga2", "cmaes"),
    ),
    StrategyRow(
        title="One epoch",
        sampler="independent draws",
        schedule="one epoch, then the best few in full",
        idea="believe the first epoch",
        advantage="nothing to set, hard to beat",
        drawback="a slow starter has no chance",
        used_for="a baseline for everything that stops early",
        runs=("one_epoch",),
    ),
    StrategyRow(
        title="Successive halving",
        sampler="independent draws",
        schedule="one bracket: rung by rung fewer go on for longer",
        idea="stop the worse part, and again",
        advantage="simple",
        drawback="few and long, or many and short: one must choose",
        used_for="many cheap candidates",
        libraries=("scikit-learn HalvingRandomSearchCV", "Ray Tune"),
        runs=("successive_halving",),
    ),
    StrategyRow(
        title="Hyperband",
        sampler="independent draws",
        schedule="all brackets: many start for a few epochs, the bad ones are stopped",
        idea="spend little on what looks bad early",
        advantage="efficient, and scales",
        drawback="may stop a slow starter",
        used_for="large networks such as CNNs and Transformers",
        libraries=("KerasTuner", "Ray Tune"),
        runs=("hyperband",),
    ),
    StrategyRow(
        title="BOHB",
        sampler="TPE, a third of the draws random",
        schedule="all brackets, as Hyperband",
        idea="Hyperband whose newcomers come from a Bayesian model",
        advantage="efficient, and scales",
        drawback="two methods to set up",
        used_for="large networks such as CNNs and Transformers",
        libraries=("Ray Tune",),
        runs=("bohb",),
    ),
    StrategyRow(
        title="Population-based training",
        sampler="independent draws, then changed copies of the best",
        schedule="all to the end, compared every few epochs",
        idea="let the worst take over from the best in mid-training",
        advantage="finds a schedule, not only a value",
        drawback="what it finds is a network, which no configuration makes again",
        used_for="long trainings whose learning rate should change",
        libraries=("Ray Tune",),
        runs=("pbt",),
    ),
)


# --- what to tune for which problem, practices, summary -----------------------------------------------


@dataclass(frozen=True)
class PerProblem:
    """What is measured and what is tuned for one kind of problem. ``tuned`` holds keys, or a group of `GROUPS`."""

    title: str
    metrics: tuple[str, ...]
    tuned: tuple[str, ...]


PER_PROBLEM = (
    PerProblem(
        "Binary and multi-class classification",
        ("accuracy", "F1-score", "ROC-AUC"),
        ("layers", "learning_rate", "batch_size", "dropout"),
    ),
    PerProblem("Regression", ("MAE", "RMSE", "R²"), ("units", "learning_rate", "regularization")),
    PerProblem(
        "Autoencoder (unsupervised)", ("reconstruction loss (MSE)",), ("latent_size", "optimizer", "activation")
    ),
    PerProblem(
        "Time-series forecasting (RNN, LSTM)", ("MAPE", "RMSE"), ("sequence_length", "learning_rate", "dropout")
    ),
    PerProblem(
        "Images, vision (CNN)",
        ("accuracy", "top-5 accuracy"),
        ("filters", "kernel_size", "learning_rate", "epochs"),
    ),
)


@dataclass(frozen=True)
class Practice:
    """A habit, the reason for it, and what helps to keep it."""

    title: str
    reason: str
    tool: str


PRACTICES = (
    Practice("Normalize the inputs", "inputs on one scale are learned at one speed", "StandardScaler"),
    Practice("Stop early", "training past the best validation loss overfits", "patience, Keras EarlyStopping"),
    Practice("Watch validation metrics", "the training loss alone cannot show overfitting", "Study.curves"),
    Practice("Combine random and Bayesian search", "look around first, then use what was seen", "the start-up of TPE"),
    Practice("Record every result", "what is not written down is tried again", "TensorBoard, Weights & Biases"),
    Practice("Limit the search space", "too large a space wastes computing time", "search_space, Space.size"),
)


@dataclass(frozen=True)
class SummaryRow:
    """One line of the summary: a hyperparameter with the range to begin with, and the category it stands in."""

    category: str
    hyperparameter: Hyperparameter


SUMMARY = (
    SummaryRow("Architecture", Hyperparameter("layers", "Hidden layers", "how complex the model is", Int(1, 5))),
    SummaryRow(
        "Architecture", Hyperparameter("units", "Neurons per layer", "what it can represent", Int(16, 512, log=True))
    ),
    SummaryRow(
        "Learning",
        Hyperparameter("learning_rate", "Learning rate", "whether it converges", Float(1e-4, 1e-2, log=True), "η"),
    ),
    SummaryRow(
        "Optimization", Hyperparameter("batch_size", "Batch size", "how steady gradients are", Int(16, 256, log=True))
    ),
    SummaryRow("Regularization", Hyperparameter("dropout", "Dropout", "less overfitting", Float(0.2, 0.5))),
    SummaryRow(
        "Regularization",
        Hyperparameter(
            "weight_decay", "L2 weight decay", "large weights are penalized", Float(1e-5, 1e-2, log=True), "λ"
        ),
    ),
    SummaryRow("Training", Hyperparameter("epochs", "Epochs", "how long it learns", Int(50, 1000, log=True))),
    SummaryRow(
        "Activation",
        Hyperparameter("activation", "Activation function", "non-linearity", Choice("relu", "tanh", "sigmoid")),
    ),
    SummaryRow(
        "Task", Hyperparameter("loss", "Loss function", "what learning aims at", Choice("cross-entropy", "mse"))
    ),
)


# --- rows as tables -----------------------------------------------------------------------------------


def _cells(row: Hyperparameter) -> dict[str, str]:
    return {
        "Hyperparameter": f"{row.title} ({row.symbol})" if row.symbol else row.title,
        "Key": row.key,
        "What it does": row.purpose,
        "Range": row.range,
        "Note": row.remark,
    }


def _words(row: ProblemType | StrategyRow | PerProblem | Practice | SummaryRow) -> dict[str, str]:
    match row:
        case ProblemType():
            return {
                "Problem type": row.title,
                "Goal": row.goal,
                "Examples": "; ".join(row.examples),
                "Usual loss": row.loss,
            }
        case StrategyRow():
            return {
                "Strategy": row.title,
                "What to try next": row.sampler,
                "How long to train": row.schedule,
                "Idea": row.idea,
                "Advantage": row.advantage,
                "Drawback": row.drawback,
                "Used for": row.used_for,
                "Libraries": ", ".join(row.libraries) or "–",
                "In hpt.tune": ", ".join(row.runs),
            }
        case PerProblem():
            return {
                "Problem type": row.title,
                "Metrics": ", ".join(row.metrics),
                "Tuned": ", ".join(_title(key) for key in row.tuned),
            }
        case Practice():
            return {"Practice": row.title, "Why": row.reason, "With": row.tool}
        case SummaryRow():
            inner = row.hyperparameter
            return {
                "Hyperparameter": inner.title,
                "Category": row.category,
                "Range": inner.range,
                "Purpose": inner.purpose,
            }


def _title(key: str) -> str:
    title = key if key in GROUPS else _rows_of(key)[0][1].title
    return title[0].lower() + title[1:]


def _rows_of(key: str) -> list[tuple[str, Hyperparameter]]:
    """Every row of a key, each with the problem it belongs to (empty: any)."""
    general = [("", row) for rows in (*GROUPS.values(), OF_OTHER_NETWORKS) for row in rows]
    special = [(task.problem, row) for task in TASK_SPECIFIC for row in task.hyperparameters]
    found = [(problem, row) for problem, row in general if row.key == key]
    return found or [(problem, row) for problem, row in special if row.key == key]


KEYS = tuple(
    dict.fromkeys(
        row.key
        for rows in (*GROUPS.values(), *(task.hyperparameters for task in TASK_SPECIFIC), OF_OTHER_NETWORKS)
        for row in rows
    )
)
"""The keys of all hyperparameters."""

TABLES: dict[str, Cells] = {
    "problem-types": [_words(row) for row in PROBLEM_TYPES],
    "architecture": [_cells(row) for row in ARCHITECTURE],
    "optimization": [_cells(row) for row in OPTIMIZATION],
    "regularization": [{"Method": row.method, **_cells(row)} for row in REGULARIZATION],
    "task-specific": [
        {"Problem type": task.title, **_cells(row)} for task in TASK_SPECIFIC for row in task.hyperparameters
    ],
    "strategies": [_words(row) for row in STRATEGIES],
    "per-problem": [_words(row) for row in PER_PROBLEM],
    "practices": [_words(row) for row in PRACTICES],
    "summary": [_words(row) for row in SUMMARY],
}
"""The tables by name, each a list of rows, column title to text."""


def table(name: str) -> pd.DataFrame:
    """Return a table of the catalogue as a data frame of text, indexed by its first column.

    A column that is empty in every row is left out.

    Args:
        name: one of `TABLES`.

    Raises:
        UnknownName: for a name that is not there; the message names the near ones.

    >>> table("optimization").loc["Learning rate (η)", "Range"]
    '1e-4 to 0.1, log scale'
    """
    import pandas as pd

    if name not in TABLES:
        raise unknown("table", name, TABLES)
    frame = pd.DataFrame(TABLES[name])
    filled = frame.loc[:, (frame != "").any()].replace("", "–")
    return filled.set_index(filled.columns[0])


# --- rows as spaces -----------------------------------------------------------------------------------


def hyperparameter(key: str, problem: str | None = None) -> Hyperparameter:
    """Return the row of a hyperparameter.

    Args:
        key: as in configurations, such as ``"learning_rate"``.
        problem: ``"classification"``, ``"regression"`` or ``"autoencoder"``; needed for ``"loss"`` and
            ``"output_activation"``, whose values depend on it.

    Raises:
        UnknownName: for a key that no row has, or a problem that is not there.
        InvalidInput: if the key needs a problem.
    """
    rows = _rows_of(key)
    if not rows:
        raise unknown("hyperparameter", key, KEYS)
    problems = [task.problem for task in TASK_SPECIFIC]
    if problem is not None and problem not in problems:
        raise unknown("problem", problem, problems)
    if len(rows) == 1:
        return rows[0][1]
    for owner, row in rows:
        if owner == problem:
            return row
    owners = " or ".join(f"problem={owner!r}" for owner, _ in rows)
    raise InvalidInput(f"the values of {key} depend on the problem: say {owners}, got problem={problem!r}")


def domain(key: str, problem: str | None = None) -> Domain:
    """Return the usual values of a hyperparameter. Takes and raises what `hyperparameter` does.

    >>> domain("batch_size"), domain("loss", problem="regression")
    (Int(16, 256, log=True), Choice('mse', 'mae'))
    """
    return hyperparameter(key, problem).domain


def search_space(*keys: str, problem: str | None = None, **overrides: Any) -> Space:
    """Build a search space from the catalogue's rows.

    A hyperparameter that matters only with certain values of another one gets that condition where both are in
    the space, and then stands behind it: ``momentum`` waits for ``optimizer="sgd"``.

    Args:
        keys: hyperparameters that get the catalogue's domain; ``"regularization"`` and the other names of
            `GROUPS` stand for all of theirs.
        problem: see `hyperparameter`.
        overrides: what replaces the catalogue's domain, by key: another domain, or a value or list of values
            out of the catalogue's. A key that was not named before is added.

    Raises:
        UnknownName: for a key that no row has. Add hyperparameters of your own with `Space.replace`.
        InvalidInput: for a value that lies outside the catalogue's domain, or no keys at all.

    >>> search_space("layers", "learning_rate", "momentum", "optimizer", layers=Int(1, 3), optimizer=["adam", "sgd"])
    Space(
      layers: 1 to 3
      learning_rate: 1e-4 to 0.1, log scale
      optimizer: adam, sgd
      momentum: 0.8 to 0.99, when optimizer is 'sgd'
    )
    """
    wanted = [one for key in keys for one in ([row.key for row in GROUPS[key]] if key in GROUPS else [key])]
    wanted = list(dict.fromkeys([*wanted, *overrides]))
    domains: dict[str, Domain] = {}

    def add(key: str) -> None:
        if key in domains:
            return
        given = overrides.get(key)
        if isinstance(given, Float | Int | Choice) and _rows_of(key):
            row, found = _rows_of(key)[0][1], given
        else:
            row = hyperparameter(key, problem)
            found = _narrowed(row, given) if key in overrides else row.domain
        parents = {parent: value for parent, value in row.only_with.items() if parent in wanted}
        for parent in parents:
            add(parent)
        domains[key] = found.when(**parents) if parents and not found.condition else found

    for key in wanted:
        add(key)
    return Space(domains)


def layerwise_space(
    most: int = 4, units: Domain | None = None, activation: Domain | None = None, **others: Domain
) -> Space:
    """Build a space over architectures: how many layers, and for each one how wide it is and how it bends its input.

    ``units_2`` and ``activation_2`` are there where a network has a second layer, and so on; `hpt.networks.folded`
    makes one network of them.

    Args:
        most: hidden layers; there are 1 to ``most``.
        units: width of each layer, default 16 to 256 on a log scale.
        activation: of each layer, default the catalogue's.
        others: further domains by name, such as ``learning_rate``; they follow in this order.

    Raises:
        InvalidInput: if ``most`` is not a whole number of at least 1, what should be a domain is none, or one of the
            others is laid out already.

    >>> layerwise_space(2, activation=Choice("relu", "tanh"), learning_rate=Float(1e-4, 1e-2, log=True))
    Space(
      layers: 1 to 2
      units_1: 16 to 256, log scale
      activation_1: relu, tanh
      units_2: 16 to 256, log scale, when layers is 2
      activation_2: relu, tanh, when layers is 2
      learning_rate: 1e-4 to 0.01, log scale
    )
    """
    each = Space({"units": units or Int(16, 256, log=True), "activation": activation or domain("activation")})
    domains: dict[str, Domain] = {"layers": Int(1, most)}
    for number in range(1, most + 1):
        for name, one in each.items():
            deep_enough = tuple(range(number, most + 1))
            domains[f"{name}_{number}"] = one.when(layers=deep_enough) if number > 1 else one
    for name in others:
        if name in (*domains, *each):
            raise InvalidInput(f"{name} follows from most, units and activation: leave it out of the others")
    return Space({**domains, **others})


def _narrowed(row: Hyperparameter, given: Any) -> Domain:
    """A value or a list of values of a row's domain, as a choice."""
    values = given if isinstance(given, list | tuple) else [given]
    for value in values:
        if not row.domain.contains(value):
            raise InvalidInput(
                f"{row.key}={value!r} lies outside the catalogue's {row.domain}: "
                f"to widen it say {row.key}=Choice({value!r})"
            )
    return Choice(*values)
