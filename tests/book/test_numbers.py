"""The numbers that the pages print: each kept within bounds that say where they come from.

Three kinds of bound. A closed form or a count allows the exact number. A law with sampling noise allows a few
standard errors. For what networks reach the bounds are wide: they catch a broken experiment (a network that
guesses, a leak that makes everything perfect, a metric in the wrong unit), not a better one.
"""

from __future__ import annotations

import ast
import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import hpt

pytestmark = pytest.mark.site

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / "_build" / "jupyter_execute" / "book"


@cache
def glued(page: str) -> dict[str, Any]:
    """Every glued name of a page with its value."""
    path = BUILT / f"{page}.glue.json"
    if not path.is_file():
        pytest.fail(f"there are no numbers in {path}: run `make book` first", pytrace=False)
    outputs = json.loads(path.read_text())
    return {name: ast.literal_eval(output["data"]["text/plain"]) for name, output in outputs.items()}


WHAT = "foundations/what-tuning-is"
KINDS = "foundations/problem-types"
NOISE = "foundations/noise"
SHAPE = "hyperparameters/architecture"
STEPS = "hyperparameters/optimization"
HOLD = "hyperparameters/regularization"
HEADS = "hyperparameters/task-specific"
PRACTICE = "practice/best-practices"
FIRST = "strategies/first-searches"
CHOICES = "strategies/two-choices"
MANUAL = "strategies/manual"
GRID = "strategies/grid"
RANDOM = "strategies/random"
BAYES = "strategies/bayesian"
EVOLUTION = "strategies/evolutionary"
BANDS = "strategies/hyperband"
BOHB = "strategies/bohb"
PBT = "strategies/population-based-training"
SHOWDOWN = "strategies/showdown"
KERAS = "tasks/keras-example"
OWN = "tasks/your-own-data"
SERIES = "tasks/time-series"
CLASSES = "tasks/classification"
REGRESSION = "tasks/regression"
VISION = "tasks/vision"
SEQUENCES = "tasks/transformer"
CODERS = "tasks/autoencoder"
BUGS = "practice/published-bugs"
NOTHING = "practice/nothing-helps"
BUGS = "practice/published-bugs"
NOTHING = "practice/nothing-helps"
OVERTUNING = "practice/overtuning"

EXACT = {
    (BUGS, "bugs-brackets"): 6,  # 243 = 3^5
    (BUGS, "bugs-lost-networks"): 243,
    (BUGS, "bugs-networks"): 243 + 98 + 41 + 18 + 9 + 6,  # ceil(6 / (s + 1) * 3^s), s = 5 … 0
    (BUGS, "bugs-unchanged"): "True",
    (BUGS, "bugs-like-scaler"): "True",
    (BUGS, "bugs-steps-after"): 0,
    (BUGS, "bugs-before"): 0,  # the same networks until the first rung
    (NOTHING, "nothing-edge"): "high",
    (NOTHING, "nothing-advice"): "try larger values",
    (NOTHING, "nothing-first-lost"): 0,
    (NOTHING, "nothing-matter"): "learning rate",
    (NOTHING, "nothing-momentum-shown"): "shown",
    (NOTHING, "nothing-decay-effect"): "+0 (+0 to +0), n = 20",  # 1 - 3e-9 is 1 in single precision
    (NOTHING, "nothing-shown-first"): "shown",
    (NOTHING, "nothing-sad"): "worse than",
    (WHAT, "tuning-weights"): 64 * 32 + 32 + 32 * 10 + 10,
    (WHAT, "tuning-untouched"): 5 * 32,  # five constant pixels, 32 units
    (WHAT, "tuning-search-complete"): 12,
    (KINDS, "problems-class-rows"): 114,
    (NOISE, "noise-rivals"): 4,
    (NOISE, "noise-nothing-any"): pytest.approx(100 * (1 - 0.95**20)),
    (NOISE, "noise-half-20"): pytest.approx(2.093024 / 20**0.5),  # Student's table: 19 degrees of freedom, 0.975
    (SHAPE, "architecture-weights-2x64"): (10 * 64 + 64) + (64 * 64 + 64) + (64 + 1),
    (SHAPE, "architecture-space"): 10 * 1009 * 4,
    (FIRST, "first-searches-combinations"): 3 * 2 * 2 * 2,
    (FIRST, "first-searches-trainings"): 72,
    (FIRST, "first-searches-tuple-warnings"): 3,
    (FIRST, "first-searches-epochs"): 9 * 15,
    (STEPS, "optimization-rows"): 1797 - 2 * 360,
    (STEPS, "optimization-updates-16"): 5 * math.ceil(1077 / 16),
    (STEPS, "optimization-updates-256"): 5 * math.ceil(1077 / 256),
    (KERAS, "keras-example-leak-inside"): "False",
    (KERAS, "keras-example-leak-before"): "True",
    (KERAS, "keras-example-hand-epochs"): 4 * 3 * 15,
    (KERAS, "keras-example-hpt-epochs"): 8 * 3 * 15,
    (CHOICES, "two-choices-hyperband-epochs"): (27 + 18 + 18 + 18) + (36 + 24 + 18) + (54 + 36) + 108,
    (CHOICES, "two-choices-halving-epochs"): 27 + 9 * 2 + 3 * 6 + 18,
    (CHOICES, "two-choices-pairs"): 10 * 5,
    (CHOICES, "two-choices-pairs-ran"): 10 * 5,
    (CHOICES, "two-choices-batch-same"): 16,
    (GRID, "grid-count-6-3"): 3**6,
    (GRID, "grid-count-6-5"): 5**6,
    (GRID, "grid-trained"): sum(3**n for n in range(1, 7)),
    (GRID, "grid-cut-rates"): 1,
    (RANDOM, "random-enough"): math.ceil(math.log(0.05) / math.log(0.95)),
    (RANDOM, "random-closed"): pytest.approx(1 - 0.95**60),
    (RANDOM, "random-empty-sobol"): 0,
    (RANDOM, "random-draws"): 20 * 16,
    (BAYES, "bayesian-candidates"): 24,  # Optuna's default
    # Li et al. 2018: Algorithm 1, the printed table; KerasTuner's rounding
    (BANDS, "hyperband-configurations"): 143,
    (BANDS, "hyperband-trainings"): 206,
    (BANDS, "hyperband-epochs"): 1581,
    (BANDS, "hyperband-to-the-end"): 10,
    (BANDS, "hyperband-from-scratch"): 1902,
    (BANDS, "hyperband-trainings-table"): 187,
    (BANDS, "hyperband-trainings-ceiling"): 211,
    (BANDS, "hyperband-float-brackets"): 5,
    (BANDS, "hyperband-whole-brackets"): 6,
    (BOHB, "bohb-budget-0"): 9,
    (BOHB, "bohb-budget-1"): 3,
    (BOHB, "bohb-budget-2"): 1,
    (BOHB, "bohb-first"): 9 + 3 * 2 + 6,
    (BOHB, "bohb-spend"): 4 * 69,
    (EVOLUTION, "evolution-shapes"): 244 + 244**2 + 244**3,
    (PBT, "pbt-hand-epochs"): 48,
    (PBT, "pbt-large-epochs"): 1200,
    (SHOWDOWN, "showdown-budget"): 3 * 69,
    (OWN, "own-inputs"): 2 + 4 + 3,  # two numbers, four districts, three heatings
    (OWN, "own-leaks"): "False",
    (OWN, "own-alone"): 0,
    (OWN, "own-members"): 16,
    (HOLD, "regularization-parameters"): (10 * 64 + 64) + (64 * 64 + 64) + (64 + 1),
    (HOLD, "regularization-bn-updates"): 8 * math.ceil(1077 / 32),
    (SHOWDOWN, "showdown-trials"): 23,
    (SHOWDOWN, "showdown-spent"): 9 + 3 * 2 + 6,
    (SHOWDOWN, "showdown-contestants"): 9,
    (SERIES, "series-epochs"): 40 * 20,
    (SERIES, "series-test-rows"): 479 // 5,
    (SERIES, "series-changes-last"): pytest.approx(100),  # |y - 0| / |y|
    (SEQUENCES, "transformer-updates"): 8 * math.ceil(400 / 32),
    # the commonest of five values out of four: 4 lists of one value, 60 with it four times, 360 thrice, 600 twice
    (SEQUENCES, "transformer-counting"): pytest.approx((4 * 5 + 60 * 4 + 360 * 3 + 600 * 2) / 1024 / 5),
    (SEQUENCES, "transformer-same-count"): True,
    (CLASSES, "classification-held"): 114,
    (CLASSES, "classification-costs"): 4 * 3,
    (CLASSES, "classification-breast_cancer-majority-roc_auc"): 0.5,  # one answer for all rows: every pair ties
    (REGRESSION, "regression-wrong"): 360 // 20,
    # 240 updates at a rate of 0.001, decay 0.01
    (REGRESSION, "regression-forgets"): pytest.approx(100 * (1 - (1 - 1e-5) ** 240)),
    (VISION, "vision-default-weights"): (9 + 1) * 16 + (9 * 16 + 1) * 32 + (32 + 1) * 10,
    (VISION, "vision-default-adds"): 64 * 9 * 16 + 16 * 9 * 16 * 32 + 32 * 10,
    (VISION, "vision-epochs"): 69,  # Hyperband for nine epochs, each bracket once
    (VISION, "vision-read-same"): True,
    (CODERS, "autoencoder-same-front"): "True",  # the definition, against Optuna's
    (CODERS, "autoencoder-epochs"): 80 * 12,
    (CODERS, "autoencoder-conv-weights"): (9 + 1) * 16 + (256 + 1) * 8 + (8 + 1) * 256 + (9 * 16 + 1) * (16 + 1),
    (CODERS, "autoencoder-dense-weights"): (64 + 1) * 64 + (64 + 1) * 8 + (8 + 1) * 64 + (64 + 1) * 64,
    (CODERS, "autoencoder-pairs"): 20,
}

# A 3 x 3 grid placed at 1/6, 1/2, 5/6 misses a uniform optimum by 1/12 on average; the nearest of n uniform
# draws misses one by (1 / (2 (n + 1))) (1 + 1 / (n + 1)) or so: 0.0545 for 9 and 0.0185 for 27.
WITHIN = {
    (BUGS, "bugs-repaired"): (0.93, 0.99),
    (NOTHING, "nothing-lost-share"): (10, 50),  # SGD diverges somewhere above 0.1, two of seven decades
    (NOTHING, "nothing-floor"): (0.5, 5),
    (NOTHING, "nothing-last-best"): (50, 62),
    (FIRST, "first-searches-one-of-two-grid"): (1 / 12 - 0.002, 1 / 12 + 0.002),
    (FIRST, "first-searches-one-of-three-grid"): (1 / 12 - 0.002, 1 / 12 + 0.002),
    (FIRST, "first-searches-one-of-two-random"): (0.0545 - 0.002, 0.0545 + 0.002),
    (FIRST, "first-searches-one-of-three-random"): (0.0185 - 0.001, 0.0185 + 0.001),
    # He 2015: ReLU with He keeps the variance, with Glorot halves it in square layers
    (SHAPE, "architecture-sums-relu-He"): (0.9, 1.1),
    (SHAPE, "architecture-sums-relu-Glorot"): (0.45, 0.55),
    (SHAPE, "architecture-gradients-sigmoid-Glorot"): (0.04, 0.0625),  # the square of a slope of a quarter at most
    # [0.0001, 0.01] is 9.91 % of [0.0001, 0.1], but two of its three decades; a thousand draws
    (STEPS, "optimization-draws-expected"): (0.0990, 0.0992),
    (STEPS, "optimization-draws-linear"): (0.0991 - 4 * 0.0095, 0.0991 + 4 * 0.0095),
    (STEPS, "optimization-draws-log"): (2 / 3 - 4 * 0.015, 2 / 3 + 4 * 0.015),
    (STEPS, "optimization-adam-difference"): (0, 1e-4),  # our update against Keras's
    # what small networks reach on these data, all of it published many times over
    (WHAT, "tuning-search-best"): (95, 100),
    (WHAT, "tuning-test-winner"): (94, 99.9),
    (WHAT, "tuning-test-untuned"): (90, 99.9),
    (WHAT, "tuning-width-2-train-loss"): (0.6, math.log(10)),
    (WHAT, "tuning-width-64-train-loss"): (0, 0.05),
    (KINDS, "problems-class-accuracy"): (0.93, 0.999),
    (KINDS, "problems-class-majority"): (60, 65),  # 357 of 569 are benign
    (KINDS, "problems-regression-flat"): (70, 90),  # the target's standard deviation is 77
    (KINDS, "problems-regression-rmse"): (45, 72),
    (KINDS, "problems-regression-r2"): (0.2, 0.65),
    (NOISE, "noise-nothing-alone"): (0, 5),  # binomial, 20 times 5 percent: more in 3 of 10,000 cases
    (NOISE, "noise-nothing-together"): (0, 1),
    (NOISE, "noise-ratio-validation"): (1.5, 15),  # "what they share cancels"
    (NOISE, "noise-ratio-test"): (1.2, 15),
    (NOISE, "noise-sd-paired"): (0.5, 8),
    (NOISE, "noise-share-split"): (10, 95),
    (OVERTUNING, "overtuning-diabetes-kept"): (48, 66),
    (OVERTUNING, "overtuning-breast_cancer-kept"): (0.04, 0.25),
    (OVERTUNING, "overtuning-diabetes-worse"): (0, 45),
    (OVERTUNING, "overtuning-breast_cancer-worse"): (20, 100),  # "little to win"
    (SHAPE, "architecture-accuracy-sigmoid-16"): (0.05, 0.2),  # sixteen sigmoid layers do not learn in four epochs
    (SHAPE, "architecture-accuracy-tanh-16"): (0.6, 1),
    (SHAPE, "architecture-width-diabetes-best"): (16, 1024),  # "all four lie inside the usual ranges"
    (SHAPE, "architecture-width-Friedman-best"): (16, 1024),
    (SHAPE, "architecture-depth-diabetes-best"): (1, 9),
    (SHAPE, "architecture-depth-Friedman-best"): (1, 9),
    (STEPS, "optimization-sgd-best"): (0.93, 1),
    (STEPS, "optimization-sgd-smallest"): (0, 0.4),
    (STEPS, "optimization-lost-at-10"): (15, 20),
    (STEPS, "optimization-adam-loss-at-10"): (100, math.inf),  # "long exploded"
    (STEPS, "optimization-fifth-adam-high"): (1e-2, 1e-1),
    (STEPS, "optimization-fifth-plain-high"): (0.3, 1),  # "wants more"
    (STEPS, "optimization-turn-never"): (0, 20),
    (STEPS, "optimization-noise-16"): (75, 99),  # most of what 16 rows say
    (HOLD, "regularization-bn-start"): (0, 10),  # "those averages need time", and had it
    (HOLD, "regularization-dropout-few-most"): (0, 500),
    (PRACTICE, "practices-record-most"): (0, 0.1),  # points of RMSE: rounding, in a chaotic network enlarged
    (PRACTICE, "practices-mixed-best"): (0.05, 0.5),
    (HEADS, "task-specific-multi-right"): (88, 100),
    (HEADS, "task-specific-multi-forgot"): (10, 90),
    (HEADS, "task-specific-mean-rmse"): (70, 90),
    ("index", "index-rate-best"): (93, 100),
    ("index", "index-rate-worst"): (10, 75),
    (FIRST, "first-searches-scaled"): (0.95, 0.995),
    (FIRST, "first-searches-unscaled"): (0.85, 0.96),
    (FIRST, "first-searches-grid-best"): (0.96, 0.995),
    (KERAS, "keras-example-default-accuracy"): (0.94, 0.995),
    (KERAS, "keras-example-hpt-loss"): (0.03, 0.2),
    (KERAS, "keras-example-test-tuned-accuracy"): (0.93, 1),
    (GRID, "grid-cut-score-mean"): (0.1, math.log(2)),  # less than from guessing to perfection
    (GRID, "grid-fit-score-mean"): (-0.05, 0.05),
    (MANUAL, "manual-look-best"): (1e-3, 1e-1),
    # the closed form, and four standard errors of the share with ties
    (RANDOM, "random-simulated"): (0.942, 0.966),
    (RANDOM, "random-reach-ratio"): (5, math.inf),
    (RANDOM, "random-half-grid"): (math.log(10) - 0.5, math.inf),  # "hopeless": guessing has ln 10
    (BAYES, "bayesian-reached-random"): (10 - 9, 10 + 9),  # "with probability one half", four standard errors of 20
    (BAYES, "bayesian-area"): (0.999, 1.001),
    (BAYES, "bayesian-lost-fail"): (20, 30),
    (BAYES, "bayesian-lost-pruned"): (0, 20),
    (BANDS, "hyperband-agreement-1"): (0.4, 0.8),
    (BANDS, "hyperband-agreement-9"): (0.75, 0.97),
    (BANDS, "hyperband-apart"): (0, 1e-3),
    (BOHB, "bohb-bowl-share"): (52, 88),
    (EVOLUTION, "evolution-alike-mixed"): (0.5, 0.98),
    (EVOLUTION, "evolution-alike-smooth"): (0.5, 0.98),
    (PBT, "pbt-again-course-times-mean"): (0.8, 1.25),
    (PBT, "pbt-decades-mean"): (-1.5, 0),
    (SHOWDOWN, "showdown-ratio"): (1, 20),
    # the noise is 25; 120 test rows know a deviation to 6.5 %, so four of these below it
    (OWN, "own-tuned"): (18.5, 45),
    (OWN, "own-leaky"): (0, 18.5),
    (OWN, "own-holes"): (600 / 7 - 4 * 8.6, 600 / 7 + 4 * 8.6),  # a binomial count
    (CLASSES, "classification-breast_cancer-logistic-accuracy"): (0.93, 1),  # published many times over
    (CLASSES, "classification-test-default"): (0.93, 1),
    (CLASSES, "classification-digits-tuned"): (0.93, 0.995),
    (CLASSES, "classification-border-large"): (0.9, 1),  # "until it separates the classes"
    (CLASSES, "classification-same-all"): (0, 12),  # "the metric changes the winner"
    (CLASSES, "classification-tied-accuracy"): (5, 20),  # steps of 1/114 tie
    # the noise on 400 rows: 1, give or take four standard errors of 1 / sqrt(800)
    (REGRESSION, "regression-floor"): (1 - 4 / math.sqrt(800), 1 + 4 / math.sqrt(800)),
    (REGRESSION, "regression-above-floor"): (0.03, 0.8),
    (REGRESSION, "regression-closed"): (60, 100),
    (REGRESSION, "regression-line-mean"): (50, 60),  # published fits of these data leave about half of the variance
    (REGRESSION, "regression-line-gap"): (-5, 5),  # small beside the twenty points from the mean to a line
    (REGRESSION, "regression-tilt"): (0.4, 1),  # sqrt(1 - R²) of an unbiased fit
    (REGRESSION, "regression-scale-shared"): (5, 50),
    (REGRESSION, "regression-smooth-low"): (0, 0.3),  # "can be too smooth"
    (REGRESSION, "regression-scale-rate"): (-9, 0),  # the text calls it surprising
    (REGRESSION, "regression-loss-rmse"): (-2.5, 2.5),
    (REGRESSION, "regression-loss-mae"): (-2.5, 2.5),
    (REGRESSION, "regression-diabetes-ranks"): (0.8, 1),
    (REGRESSION, "regression-friedman-ranks"): (0.8, 1),
    # the series is fixed, so these change only with the way they are computed
    (SERIES, "series-month-share"): (93, 94),
    (SERIES, "series-levels-last"): (0.3, 0.31),
    (SERIES, "series-ridge-test"): (0.3, 0.33),
    (SERIES, "series-tuned-test"): (0.32, 0.5),  # from ridge to a little above last season
    (SERIES, "series-levels-tuned"): (0.06, 0.15),
    (SERIES, "series-changes-tuned"): (36, 100),  # dozens of per cent
    (SERIES, "series-tenth-share"): (40, 80),
    (VISION, "vision-size-gap"): (0, 3),  # equal size means equal
    (VISION, "vision-line-top"): (98, 100),
    (VISION, "vision-test-tuned"): (90, 99.5),
    (VISION, "vision-test-perceptron"): (90, 99.5),
    (VISION, "vision-lost-tuned"): (2, 60),  # "not immune"
    (CODERS, "autoencoder-mean-error"): (0.06, 0.1),  # about the variance of a pixel
    (CODERS, "autoencoder-size"): (4, 8),  # the rule allows 8, and a front has something near it
    (CODERS, "autoencoder-auc-8"): (0.8, 0.98),
    (SEQUENCES, "transformer-size-gap"): (0, 3),  # equal size means equal
    (SEQUENCES, "transformer-default-accuracy"): (0.5, 0.9),  # it learns, and "has not arrived"
    (SEQUENCES, "transformer-line-accuracy"): (0.4, 0.5),  # it "belongs to the counters"
    (SEQUENCES, "transformer-solved"): (1, 20),
    (SEQUENCES, "transformer-warm-low-mean"): (-0.3, 0),  # "costs time at a low one"
    (SEQUENCES, "transformer-rank-metrics"): (0.8, 1),  # "much alike"
}

# (page, smaller, larger): what sentences lean on without a computed word
ORDERED = [
    (BUGS, "bugs-half-scaled", "bugs-never-adapted"),
    (BUGS, "bugs-never-adapted", "bugs-repaired"),
    (BUGS, "bugs-kept", "bugs-promised"),
    (NOTHING, "nothing-last-best", "nothing-ridge-validation"),
    (NOTHING, "nothing-ridge-validation", "nothing-first-best"),
    (NOTHING, "nothing-last-best", "nothing-again"),
    (NOTHING, "nothing-expected", "nothing-there"),
    (BUGS, "bugs-half-scaled", "bugs-never-adapted"),
    (BUGS, "bugs-never-adapted", "bugs-repaired"),
    (BUGS, "bugs-kept", "bugs-promised"),
    (NOTHING, "nothing-last-best", "nothing-ridge-validation"),
    (NOTHING, "nothing-ridge-validation", "nothing-first-best"),
    (NOTHING, "nothing-last-best", "nothing-again"),
    (NOTHING, "nothing-expected", "nothing-there"),
    (WHAT, "tuning-rate-needed-001", "tuning-rate-needed-0001"),
    (WHAT, "tuning-rate-last-001", "tuning-rate-last-01"),
    (WHAT, "tuning-width-64-train-loss", "tuning-width-16-train-loss"),
    (WHAT, "tuning-width-16-train-loss", "tuning-width-2-train-loss"),
    (WHAT, "tuning-decay-best-val-loss", "tuning-decay-none-val-loss"),
    (WHAT, "tuning-decay-best-gap", "tuning-decay-none-gap"),
    (WHAT, "tuning-decay-none-train-loss", "tuning-decay-most-train-loss"),
    (KINDS, "problems-regression-rmse", "problems-regression-flat"),
    (KINDS, "problems-scaled-first", "problems-unscaled-first"),
    (KINDS, "problems-pca-32", "problems-coder-nothing"),
    (SHAPE, "architecture-depth-diabetes-last-training", "architecture-depth-diabetes-first-training"),
    (SHAPE, "architecture-width-diabetes-last-training", "architecture-width-diabetes-first-training"),
    (SHAPE, "architecture-accuracy-sigmoid-16", "architecture-accuracy-sigmoid-2"),
    (SHAPE, "architecture-accuracy-sigmoid-2", "architecture-accuracy-relu-2"),
    (STEPS, "optimization-turn-validation", "optimization-end-validation"),
    (STEPS, "optimization-end-training", "optimization-turn-training"),
    (STEPS, "optimization-turn-diabetes-01", "optimization-turn-diabetes-001"),
    (STEPS, "optimization-turn-cancer-01", "optimization-turn-cancer-001"),
    (STEPS, "optimization-noise-256", "optimization-noise-64"),
    (STEPS, "optimization-noise-64", "optimization-noise-16"),
    (HOLD, "regularization-last-train", "regularization-turn-train"),
    (HOLD, "regularization-turn-val", "regularization-last-val"),
    (HOLD, "regularization-bn-without-decades", "regularization-bn-with-decades"),
    (HOLD, "regularization-kept-strong", "regularization-kept"),
    (PRACTICE, "practices-edge-right", "practices-edge-narrow"),
    (HEADS, "task-specific-binary-right-log-loss", "task-specific-binary-mse-log-loss"),
    (HEADS, "task-specific-scaled-linear-rmse", "task-specific-raw-linear-rmse"),
    (HEADS, "task-specific-scaled-linear-rmse", "task-specific-mean-rmse"),
    (HEADS, "task-specific-mean-rmse", "task-specific-raw-sigmoid-rmse"),
    (HEADS, "task-specific-weight-adam-factor", "task-specific-weight-sgd-factor"),
    (FIRST, "first-searches-unscaled", "first-searches-scaled"),
    (FIRST, "first-searches-two-of-two-grid", "first-searches-two-of-two-random"),
    (FIRST, "first-searches-by-dropout", "first-searches-by-rate"),
    (MANUAL, "manual-end", "manual-start"),
    (RANDOM, "random-matter-momentum", "random-matter-rate"),
    (RANDOM, "random-best-16", "random-best-8"),
    (RANDOM, "random-half-random", "random-half-grid"),
    (RANDOM, "random-early-5-random", "random-early-5-grid"),  # "the lines cross"
    (RANDOM, "random-early-7-random", "random-early-7-grid"),
    (RANDOM, "random-late-5-grid", "random-late-5-random"),
    (RANDOM, "random-late-7-grid", "random-late-7-random"),
    (RANDOM, "random-even-7", "random-even-5"),
    (RANDOM, "random-even-5", "random-even-2"),
    (BANDS, "hyperband-agreement-1", "hyperband-agreement-3"),
    (BANDS, "hyperband-agreement-3", "hyperband-agreement-9"),
    (BANDS, "hyperband-slow-rate", "hyperband-fast-rate"),
    (PBT, "pbt-large-rate-last", "pbt-large-rate-first"),
    (OWN, "own-leaky", "own-honest"),
    (OWN, "own-shuffled", "own-calendar"),  # a rise that no column says is a bias on later rows
    (CLASSES, "classification-jump-slow", "classification-jump-fast"),
    (CLASSES, "classification-breast_cancer-majority-accuracy", "classification-breast_cancer-majority-f1"),
    (REGRESSION, "regression-line-friedman", "regression-tenths-friedman"),
    (REGRESSION, "regression-floor", "regression-friedman-tuned-test"),
    (REGRESSION, "regression-friedman-tuned-test", "regression-friedman-ridge-test"),
    (REGRESSION, "regression-diabetes-narrow", "regression-friedman-narrow"),
    (REGRESSION, "regression-wild-mae-rmse", "regression-wild-mse-rmse"),
    (SERIES, "series-ridge-test", "series-tuned-test"),
    (SERIES, "series-long-best", "series-best-6"),
    (SERIES, "series-line-12", "series-line-6"),
    (SERIES, "series-near-net", "series-far-net"),
    (SERIES, "series-year-last", "series-half-last"),
    (REGRESSION, "regression-rate-moves-scaled", "regression-rate-moves-unscaled"),
    (VISION, "vision-default-weights", "vision-default-adds"),
    (VISION, "vision-top-worst", "vision-top-high"),
    (VISION, "vision-mnist-epoch", "vision-cifar-epoch"),
    (NOISE, "noise-lowest-test", "noise-highest-test"),
    (NOISE, "noise-needed-2-paired", "noise-needed-2-unpaired"),
    (NOISE, "noise-needed-0.5-paired", "noise-needed-0.5-unpaired"),
    (OVERTUNING, "overtuning-breast_cancer-promised", "overtuning-breast_cancer-kept"),  # "an error higher by"
    (OVERTUNING, "overtuning-diabetes-promised", "overtuning-diabetes-kept"),
    (OVERTUNING, "overtuning-breast_cancer-mean", "overtuning-breast_cancer-median"),  # "ruled by a few repeats"
    (CODERS, "autoencoder-all-median", "autoencoder-ten-median"),
    (CODERS, "autoencoder-fanova-size-importance", "autoencoder-ped-anova-size-importance"),
    (CODERS, "autoencoder-pca-test-32", "autoencoder-net-test-32"),
    (CODERS, "autoencoder-net-test-8", "autoencoder-pca-test-8"),
    (CODERS, "autoencoder-by-auc", "autoencoder-by-error"),
    (CODERS, "autoencoder-auc-wide", "autoencoder-auc-picked"),
    (SEQUENCES, "transformer-line-accuracy", "transformer-tuned-accuracy"),
]


@pytest.mark.parametrize(("page", "name"), EXACT)
def test_a_count_is_the_count(page: str, name: str) -> None:
    assert glued(page)[name] == EXACT[page, name]


@pytest.mark.parametrize(("page", "name"), WITHIN)
def test_a_number_lies_within_its_bounds(page: str, name: str) -> None:
    low, high = WITHIN[page, name]
    assert low <= glued(page)[name] <= high


@pytest.mark.parametrize(("page", "smaller", "larger"), ORDERED)
def test_what_a_sentence_leans_on_holds(page: str, smaller: str, larger: str) -> None:
    assert glued(page)[smaller] < glued(page)[larger]


def test_more_units_help_the_training_loss_by_the_larger_factor() -> None:
    numbers = glued(WHAT)
    train, held = (
        numbers[f"tuning-width-16-{k}"] / numbers[f"tuning-width-64-{k}"] for k in ("train-loss", "val-loss")
    )
    assert train > 2 * held > 0


def test_the_same_quantity_is_the_same_on_two_pages() -> None:
    """PCA of the digits, and the root mean squared error of predicting the mean, stand on two pages each."""
    for size in (2, 8, 32):
        assert glued(KINDS)[f"problems-pca-{size}"] == pytest.approx(glued(HEADS)[f"task-specific-pca-{size}"])
    assert glued(KINDS)["problems-regression-flat"] == pytest.approx(glued(HEADS)["task-specific-mean-rmse"])


def test_pca_on_the_page_is_pca_computed_here() -> None:
    from sklearn.decomposition import PCA

    arrays = hpt.task("digits_autoencoder").arrays()
    train, held = (x.reshape(len(x), -1) for x in (arrays.x_train, arrays.x_validation))
    for size in (2, 8, 32):
        pca = PCA(size, random_state=0).fit(train)
        rebuilt = pca.inverse_transform(pca.transform(held))
        assert glued(KINDS)[f"problems-pca-{size}"] == pytest.approx(float(((held - rebuilt) ** 2).mean()), rel=1e-3)


def test_every_glued_number_is_finite() -> None:
    pages = [path.relative_to(BUILT).as_posix().removesuffix(".glue.json") for path in BUILT.rglob("*.glue.json")]
    assert len(pages) >= 19
    for page in pages:
        for name, value in glued(page).items():
            assert not isinstance(value, float) or math.isfinite(value), name
