"""The claims ledger: what is said about tuning, on trial.

A sentence such as "random search beats grid search" can be wrong. Here each such sentence has an id. A chapter opens
an `Experiment` on it and says what would count as support *before* it runs anything; then it runs; then it hands over
the measured effects, and the verdict follows by rule (`hpt.evidence.judge`). Nobody types a verdict.

What comes out is an `Entry`. In a notebook it shows itself as a box, and it carries its numbers along, so that the
book's ledger can list all of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

from hpt.errors import InvalidInput, unknown
from hpt.evidence import REASONS, Effect, Verdict, check_rule, combine, judge
from hpt.pages import definitions, versions

if TYPE_CHECKING:
    import pandas as pd

Found = Effect | Verdict | tuple[Effect, Verdict]
"""What was found under one condition."""
MIME = "application/vnd.hpt.claim+json"
"""Under this type a notebook keeps an entry."""
LEAST = 20
"""Pairs that an effect in the book's ledger must rest on."""


@dataclass(frozen=True)
class Claim:
    """A sentence that could be wrong.

    Attributes:
        statement: the sentence.
        page: the page of the book, below ``book/``, on which it is tried.
        literature: what others measured, and where that is published.
    """

    statement: str
    page: str
    literature: str = ""


_SHAPE, _STEPS, _HOLD = (f"hyperparameters/{name}" for name in ("architecture", "optimization", "regularization"))
_PRACTICE, _RANDOM = "practice/best-practices", "strategies/random"

CLAIMS: Mapping[str, Claim] = {
    "params-vs-hyper": Claim(
        "Hyperparameters, which are set before training, change how fast a network learns, how much it can learn, and "
        "how well it generalizes.",
        "foundations/what-tuning-is",
    ),
    "noise": Claim(
        "One run of a search says little: splits, searches and training seeds move the score.",
        "foundations/noise",
        "Bouthillier et al. 2021: the split moves a benchmark more than the first weights do.",
    ),
    "depth-width": Claim(
        "Depth and width set what a network can learn; 1 to 10 layers and 16 to 1024 units are usual.", _SHAPE
    ),
    "activation": Claim("Networks with ReLU, leaky ReLU, sigmoid and tanh learn differently well.", _SHAPE),
    "init": Claim(
        "He's first weights go with ReLU, Glorot's with tanh and sigmoid.",
        _SHAPE,
        "Glorot and Bengio 2010; He et al. 2015.",
    ),
    "lr-range": Claim(
        "The learning rate to look for lies between 0.0001 and 0.1.",
        _STEPS,
        "Van Rijn and Hutter 2018 name the learning rate among the most important hyperparameters of many datasets.",
    ),
    "optimizer": Claim(
        "Adam, RMSprop and SGD differ in what they reach.",
        _STEPS,
        "Choi et al. 2019: the ranking depends on how well each is tuned; Schmidt et al. 2021: none wins everywhere.",
    ),
    "batch-size": Claim(
        "Batch size sets the noise of the gradient; 16 to 256 is usual.",
        _STEPS,
        "Shallue et al. 2019: at its own learning rate, no batch size is worse in the end.",
    ),
    "epochs": Claim("Training takes 50 to 1,000 epochs or more.", _STEPS),
    "momentum": Claim("Momentum between 0.8 and 0.99 helps SGD.", _STEPS),
    "dropout": Claim("Dropout of 0.2 to 0.5 regularizes.", _HOLD, "Srivastava et al. 2014."),
    "weight-decay": Claim("A weight decay of 0.00001 to 0.01 keeps the weights small.", _HOLD),
    "early-stopping": Claim("Early stopping prevents overfitting.", _HOLD),
    "batch-norm": Claim(
        "Batch normalization stabilizes learning.",
        _HOLD,
        "Ioffe and Szegedy 2015: higher learning rates still train; Santurkar et al. 2018 on why.",
    ),
    "task-heads": Claim(
        "Each kind of problem has its own output and loss: softmax or sigmoid with cross-entropy, linear with a "
        "squared or absolute error.",
        "hyperparameters/task-specific",
    ),
    "manual": Claim("Tuning by hand is simple, and inefficient.", "strategies/manual"),
    "grid-explodes": Claim("The cost of a grid explodes with the number of hyperparameters.", "strategies/grid"),
    "random-vs-grid": Claim(
        "Random search finds good configurations sooner than a grid.",
        _RANDOM,
        "Bergstra and Bengio 2012: better on one and equal on most of their datasets.",
    ),
    "random-unsystematic": Claim("Random search does not explore systematically, which costs quality.", _RANDOM),
    "bayes-efficient": Claim(
        "Bayesian optimization needs fewer trials than random search.",
        "strategies/bayesian",
        "Turner et al. 2021: better than random search on most problems of a challenge.",
    ),
    "evolution": Claim(
        "Evolutionary search is good where the space is mixed and rough.",
        "strategies/evolutionary",
        "Real et al. 2019.",
    ),
    "hyperband": Claim(
        "Hyperband gets there on fewer epochs, because it stops bad networks early.",
        "strategies/hyperband",
        "Li et al. 2018; Egele et al. 2023: one epoch is often enough.",
    ),
    "bohb": Claim(
        "BOHB joins Hyperband's quick start with Bayesian optimization's strong end.",
        "strategies/bohb",
        "Falkner et al. 2018.",
    ),
    "scales-deep": Claim(
        "Strategies that stop early pay off for convolutional networks and Transformers.", "strategies/showdown"
    ),
    "keras-example": Claim(
        "KerasTuner and Optuna, each around the same Keras model, space and budget, find equally good networks.",
        "tasks/keras-example",
    ),
    "tune-classification": Claim(
        "For classification, tune layers, learning rate, batch size and dropout: it raises the accuracy.",
        "tasks/classification",
        "Schneider et al. 2025: in about one case in ten the tuned choice is worse than the default.",
    ),
    "tune-regression": Claim(
        "For regression, tune units, learning rate and regularization: it lowers the error.", "tasks/regression"
    ),
    "tune-autoencoder": Claim(
        "For autoencoders, tune bottleneck, optimizer and activation: it lowers the reconstruction error below that of "
        "PCA with as many numbers.",
        "tasks/autoencoder",
    ),
    "tune-series": Claim(
        "For time series, tune sequence length, learning rate and dropout: it lowers the error.", "tasks/time-series"
    ),
    "tune-vision": Claim(
        "For vision, tune filters, kernel size, learning rate and epochs: it raises the accuracy.", "tasks/vision"
    ),
    "intuition-classification": Claim(
        "More capacity bends the border between classes, until it separates them.", "tasks/classification"
    ),
    "intuition-regression": Claim(
        "Learning rate and regularization decide how smooth a fitted curve is.", "tasks/regression"
    ),
    "intuition-unsupervised": Claim("An autoencoder balances compression against reconstruction.", "tasks/autoencoder"),
    "normalize": Claim("Scale the inputs before training.", _PRACTICE),
    "watch-validation": Claim("Watch the validation score, not only the training score.", _PRACTICE),
    "random-plus-bayes": Claim("Random search first, Bayesian optimization after it, is efficient.", _PRACTICE),
    "record": Claim("Record every trial: what is recorded can be rebuilt and need not be run again.", _PRACTICE),
    "limit-space": Claim("A space that is too large wastes the budget.", _PRACTICE),
    "goal": Claim(
        "What has the best validation score generalizes better than the default.",
        "practice/overtuning",
        "Schneider et al. 2025: in about one case in ten the tuned choice is worse than the default.",
    ),
    "bugs": Claim("Bugs of published tuning code cost score, or promise what is not there.", "practice/published-bugs"),
}
"""Every claim that the book tries, by id."""


@dataclass(frozen=True, repr=False)
class Experiment:
    """A claim on trial, and what would count as support; see `experiment`."""

    id: str
    effect: str
    budget: str
    seed: int
    expected: str
    margin: float
    started: float

    @property
    def rule(self) -> str:
        """The rule in words, which stands before the numbers are known."""
        if self.expected == "equal":
            return f"supported if the interval lies within ±{self.margin:g}"
        edge = self.margin if self.expected == "above" else -self.margin
        return f"supported if the interval lies {self.expected} {edge:g}"

    def conclude(
        self,
        found: Found | Mapping[str, Found],
        *,
        on: str = "",
        raw: pd.DataFrame | None = None,
    ) -> Entry:
        """Judge what was measured.

        Args:
            found: the effect, or one for each condition (a dataset, a budget). Where one has a rule of its own, give
                the pair of it and its verdict. A `hpt.evidence.fact` stands for what is no comparison, such as a count.
            on: what tells the conditions apart, to end the words "depends on".
            raw: the results themselves, one row a network or a pair: what a reader needs to compute the effect again.
                Columns of seconds are left out: they differ from run to run.

        Raises:
            InvalidInput: for no conditions, or several without a word on what tells them apart.
        """
        found = dict(found) if isinstance(found, Mapping) else {"": found}
        if not found or (len(found) > 1 and not on):
            raise InvalidInput(f"{self.id} needs an effect, and with several a word (on=) for what tells them apart")
        rows = [(name, *self._judged(one)) for name, one in found.items()]
        verdicts = {name: verdict for name, _, verdict in rows}
        verdict = combine(verdicts, on) if len(rows) > 1 else rows[0][2]
        text = "" if raw is None else _without_clocks(raw).to_csv(index=False, lineterminator="\n", float_format="%.6g")
        return Entry(self, tuple(rows), verdict, text, perf_counter() - self.started)

    def _judged(self, one: Found) -> tuple[Effect | None, Verdict]:
        if isinstance(one, Effect):
            return one, judge(one, self.margin, self.expected)
        if isinstance(one, tuple):
            return one
        if one.reason in REASONS:
            raise InvalidInput(f"{self.id} got a verdict without its effect: give the effect, or (effect, verdict)")
        return None, one

    def lines(self) -> list[tuple[str, str]]:
        """Return what stands before the numbers: labels and values."""
        return [("On trial", CLAIMS[self.id].statement), ("Effect", self.effect), ("Rule", self.rule)]

    def __repr__(self) -> str:
        return _text(self.lines())

    def _repr_html_(self) -> str:
        return _box(self.lines())


def _without_clocks(raw: pd.DataFrame) -> pd.DataFrame:
    return raw.drop(columns=[name for name in raw if str(name).endswith("seconds")])


def experiment(
    id: str,
    *,
    effect: str,
    budget: str,
    seed: int = 0,
    expected: str = "above",
    margin: float = 0.0,
) -> Experiment:
    """Put a claim on trial. The clock of the experiment starts here.

    Args:
        id: of the claim, see `CLAIMS`.
        effect: what is measured, in words, with its unit: ``"accuracy on test rows, random minus grid"``.
        budget: what each side may spend, in training epochs.
        seed: from which all others are counted.
        expected: where the claim says that the effect lies: ``"above"``, ``"below"`` (0 and the margin), or ``"equal"``
            (within the margin).
        margin: half the width of the region in which an effect is too small to matter; 0 if any will do.

    Raises:
        UnknownName: for a claim that is not in the list, or another word than the three.
        InvalidInput: for a margin that cannot be, or equality without one.

    >>> experiment("lr-range", effect="share of the best rates that lie inside, minus a half", budget="9 x 5 epochs")
    On trial: The learning rate to look for lies between 0.0001 and 0.1.
    Effect: share of the best rates that lie inside, minus a half
    Rule: supported if the interval lies above 0
    """
    if id not in CLAIMS:
        raise unknown("claim", id, CLAIMS)
    check_rule(margin, expected)
    return Experiment(id, effect, budget, seed, expected, margin, perf_counter())


@dataclass(frozen=True, repr=False)
class Entry:
    """One line of the ledger.

    Attributes:
        experiment: what was asked.
        rows: condition, effect (None where there is nothing to compare) and verdict.
        verdict: on the claim as a whole.
        raw: the results as CSV text.
        seconds: from the opening of the experiment to its conclusion.
    """

    experiment: Experiment
    rows: tuple[tuple[str, Effect | None, Verdict], ...]
    verdict: Verdict
    raw: str
    seconds: float

    def record(self) -> dict[str, Any]:
        """Return everything but the seconds, as it goes into a notebook: plain data, the same in every run."""
        asked, claim = self.experiment, CLAIMS[self.experiment.id]
        return {
            "id": asked.id,
            "statement": claim.statement,
            "literature": claim.literature,
            "effect": asked.effect,
            "rule": asked.rule,
            "budget": asked.budget,
            "seed": asked.seed,
            "verdict": str(self.verdict),
            "reason": self.verdict.reason,
            "rows": [
                {
                    "condition": name,
                    "effect": None if effect is None else str(effect),
                    "mean": None if effect is None else effect.mean,
                    "low": None if effect is None else effect.low,
                    "high": None if effect is None else effect.high,
                    "n": None if effect is None else effect.n,
                    "lost": None if effect is None else effect.lost,
                    "confidence": None if effect is None else effect.confidence,
                    "method": None if effect is None else effect.method,
                    "verdict": str(verdict),
                    "reason": verdict.reason,
                }
                for name, effect, verdict in self.rows
            ],
            "raw": self.raw,
            "versions": versions(),
        }

    def lines(self) -> list[tuple[str, str]]:
        """Return what the box says: labels and values."""
        asked, claim = self.experiment, CLAIMS[self.experiment.id]
        measured = [
            (f"{name}: " if name else "") + (f"{effect}, {verdict.reason}" if effect else verdict.reason)
            for name, effect, verdict in self.rows
        ]
        lines = [("Claim", claim.statement), ("Effect", asked.effect), ("Rule", asked.rule)]
        lines += [("Measured", one) for one in measured]
        lines += [("Verdict", str(self.verdict)), ("Budget", f"{asked.budget}; seed {asked.seed}")]
        return lines + ([("Literature", claim.literature)] if claim.literature else [])

    def __repr__(self) -> str:
        return _text(self.lines())

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        html = _box(self.lines(), f' id="claim-{self.experiment.id}"')
        record = json.loads(json.dumps(self.record()))
        return {"text/plain": repr(self), "text/html": html, MIME: record}, {MIME: {"seconds": self.seconds}}


def _text(lines: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"{label}: {value}" for label, value in lines)


def _box(lines: Sequence[tuple[str, str]], attribute: str = "") -> str:
    return f'<dl class="hpt-claim"{attribute}>{definitions(lines)}</dl>'
