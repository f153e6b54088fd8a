"""The command line: what may be typed, what comes out, and how it ends. Networks are a double's."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import hpt
from hpt.command import actions, arguments, as_typed, aside, main, problems, words
from hpt.command.problems import read_domain
from hpt.training import failure

from doubles import Pretend


@pytest.fixture
def rate(monkeypatch):
    """Every network scores its learning rate; nothing is trained, and TensorFlow is not loaded."""
    return pretending(monkeypatch, lambda member: member.configuration["learning_rate"])


def pretending(monkeypatch, score):
    trainer = Pretend(score)
    monkeypatch.setattr(actions, "Stack", lambda: trainer)
    monkeypatch.setattr(aside, "_load_tensorflow", lambda: None)
    return trainer


@pytest.fixture
def houses(tmp_path, monkeypatch):
    """A table in the working directory: two numbers, a category, a date, and a price."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"rooms": rng.integers(1, 8, 60), "area": rng.normal(100, 20, 60).round(1)})
    frame["town"] = rng.choice(["north", "south"], 60)
    frame["day"] = pd.date_range("2024-01-01", periods=60).strftime("%Y-%m-%d")
    frame["price"] = frame["area"] * 2 + rng.normal(0, 9, 60).round(2)
    frame.to_csv("houses.csv", index=False)
    return frame


def run(capsys, *argv):
    """Run a command; return its exit code, and what it wrote to the standard output and to the standard error."""
    code = main([str(one) for one in argv])
    return (code, *capsys.readouterr())


# --- help


@pytest.mark.parametrize("command", ["", *arguments.COMMANDS])
def test_help_has_examples_and_is_no_error(capsys, command):
    code, out, err = run(capsys, *command.split(), "--help")
    assert code == 0 and not err
    assert f"\nexamples:\n  hpt {command}" in out


def test_help_imports_nothing_that_is_slow():
    """Nothing but the standard library and a few modules of the package, so it appears at once."""
    code = """
import sys
from hpt.command import main
assert main(["tune", "--help"]) == 0
top = {name.split(".")[0] for name in sys.modules}
print(sorted(top & {"tensorflow", "keras", "numpy", "pandas", "optuna", "matplotlib", "sklearn", "scipy", "tqdm"}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_the_module_runs_as_a_program():
    done = subprocess.run([sys.executable, "-m", "hpt", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"hpt {hpt.__version__}\n", "")


def test_every_example_of_the_help_is_well_formed():
    """The parser takes each of them; the options that it names are there."""
    import shlex

    lines = [line for text in arguments.EXAMPLES.values() for line in text.splitlines() if line.startswith("  hpt ")]
    assert len(lines) > 15
    for line in lines:
        arguments.parser().parse_args(shlex.split(line)[1:])


def test_the_examples_of_domains_are_domains():
    shown = arguments.EXAMPLES["tune"].split("domains of --set:")[1].strip().splitlines()
    assert [read_domain("units", line.split()[0]) for line in shown] == [
        hpt.Int(16, 256),
        hpt.Float(1e-4, 1e-1, log=True),
        hpt.Int(16, 256, step=16),
        hpt.Choice("adam", "sgd"),
        hpt.Choice("adam"),
    ]


# --- what there is


def test_tasks_are_listed_with_problem_rows_and_objective(capsys):
    code, out, _ = run(capsys, "tasks", "--json")
    rows = {row["task"]: row for row in json.loads(out)}
    assert code == 0 and list(rows) == list(hpt.tasks.TASKS)
    assert rows["wine"] == {
        "task": "wine",
        "problem": "multiclass",
        "rows": 178,
        "objective": "accuracy",
        "searches": "layers, units, learning_rate, batch_size, dropout",
    }


def test_listing_tasks_does_not_import_tensorflow():
    code = "from hpt.command import main; import sys; main(['tasks']); sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_strategies_are_listed_with_their_usual_settings(capsys):
    _, out, _ = run(capsys, "strategies")
    assert [line.split()[0] for line in out.splitlines()[1:]] == [
        name for name in hpt.strategies.STRATEGIES if name != "manual"
    ]
    assert "after 10 random ones" in out and "the best 1/3" in out and "`" not in out


@pytest.mark.parametrize("name", hpt.catalog.TABLES)
def test_tables_hold_every_cell(capsys, name):
    _, out, _ = run(capsys, "table", name)
    together = "".join(out.split())
    for row in hpt.table(name).reset_index().to_dict("records"):
        for cell in row.values():
            assert "".join(str(cell).split()) in together


def test_tables_are_listed(capsys):
    _, out, _ = run(capsys, "table", "--json")
    assert [row["table"] for row in json.loads(out)] == list(hpt.catalog.TABLES)


# --- tune


def test_tune_prints_what_the_package_finds(capsys, rate):
    code, out, err = run(capsys, "tune", "wine", "--trials", 12, "--seed", 3)
    study = hpt.tune(hpt.task("wine"), "random", trials=12, seed=3, trainer=rate)
    assert code == 0 and not err
    assert out.startswith(repr(study))
    best = words.table(words.top(study))
    assert best in out and len(best.splitlines()) == 6


def test_quiet_leaves_the_result(capsys, rate, houses):
    code, out, err = run(capsys, "tune", "houses.csv", "--target", "price", "--trials", 3, "--quiet")
    assert code == 0 and not err
    assert len(out.splitlines()) == 3 and out.startswith("Study of 'houses' by random")


def test_json_is_all_that_stands_on_the_standard_output(capsys, rate, houses):
    code, out, err = run(capsys, "tune", "houses.csv", "--target", "price", "--trials", 8, "--json")
    found = json.loads(out)
    assert code == 0 and found["ended"] == {"complete": 8} and found["objective"] == "rmse"
    assert found["best"]["score"] == found["best"]["configuration"]["learning_rate"]
    assert "day" in err and "so this is a regression" in err


def test_remarks_are_written_as_they_are_typed(capsys, rate, houses):
    _, _, err = run(capsys, "tune", "houses.csv", "--target", "rooms", "--trials", 3)
    assert '--problem "regression"' in err and "--time 'day'" in err


def test_warnings_are_one_line(capsys, rate):
    _, _, err = run(capsys, "tune", "wine", "--strategy", "tpe", "--trials", 4)
    assert err.startswith("hpt: warning: tpe draws its first 10 trials at random") and err.count("\n") == 1
    _, _, err = run(capsys, "tune", "wine", "--strategy", "tpe", "--trials", 4, "--quiet")
    assert not err


@pytest.mark.parametrize(
    ("strategy", "options", "same"),
    [
        ("tpe", ["--trials", 15], {"trials": 15}),
        ("hyperband", ["--epochs", 500], {"epochs": 500}),
        ("grid", [], {}),
    ],
)
@pytest.mark.filterwarnings("ignore:this budget")
def test_strategies_and_budgets_reach_the_search(capsys, rate, strategy, options, same):
    _, out, _ = run(capsys, "tune", "wine", "--strategy", strategy, *options, "--json")
    study = hpt.tune(hpt.task("wine"), strategy, trainer=rate, **same)
    assert json.loads(out) == json.loads(words.as_json(words.facts(study)))


def test_options_of_the_task_reach_it(capsys, rate):
    options = ["--train-epochs", 7, "--folds", 3, "--metric", "f1", "--set", "learning_rate=0.5..0.6", "units=8,16"]
    _, out, _ = run(capsys, "tune", "wine", "--trials", 4, *options, "--json")
    found = json.loads(out)
    assert (found["objective"], found["epochs"]) == ("f1", 4 * 3 * 7)
    assert 0.5 <= found["best"]["score"] <= 0.6 and found["best"]["configuration"]["units"] in (8, 16)


def test_nothing_completed_is_a_failure(capsys, monkeypatch):
    pretending(monkeypatch, lambda member: failure(ValueError("no such layer")))
    code, out, err = run(capsys, "tune", "wine", "--trials", 3)
    assert code == 1 and "3 failed" in out
    assert err == "hpt: none of the 3 trials completed; the first said: ValueError: no such layer\n"


def test_ctrl_c_prints_what_there_is(capsys, monkeypatch):
    def stopping(member):
        if len(trainer.asked) > 4:
            raise KeyboardInterrupt
        return member.configuration["learning_rate"]

    trainer = pretending(monkeypatch, stopping)
    monkeypatch.setattr(trainer, "together", lambda task: 1)
    code, out, err = run(capsys, "tune", "wine", "--trials", 20)
    assert code == 1 and "4 complete, 1 interrupted" in out and "best so far" in out
    assert err == "hpt: interrupted: nothing was kept; with --storage FILE a search can go on later\n"


def test_a_ray_address_makes_a_ray_trainer(capsys, rate, monkeypatch):
    import hpt.training.ray

    asked = []
    monkeypatch.setattr(hpt.training.ray, "RayStack", lambda address: asked.append(address) or rate)
    code, _, _ = run(capsys, "tune", "wine", "--trials", 2, "--ray-address", "auto")
    assert code == 0 and asked == ["auto"]


def test_a_bar_is_for_terminals(capsys, rate, monkeypatch):
    monkeypatch.delenv("HPT_PROGRESS")
    assert not run(capsys, "tune", "wine", "--trials", 3)[2]
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert "3/3" in run(capsys, "tune", "wine", "--trials", 3)[2]
    assert not run(capsys, "tune", "wine", "--trials", 3, "--quiet")[2]


# --- errors


WRONG = {
    "no command": ([], "the following arguments are required: COMMAND"),
    "a command that is not there": (["tun"], "unknown command 'tun': did you mean 'tune'?"),
    "no whole number": (["tune", "wine", "--trials", "x"], "expected a whole number of at least 1, got 'x'"),
    "a task that is not there": (["tune", "wyne", "--trials", "3"], "unknown task 'wyne': did you mean 'wine'?"),
    "a file that is not there": (["tune", "wine.csv", "--target", "y"], "there is no file 'wine.csv'"),
    "no target": (["tune", "houses.csv"], "--target COLUMN; it has rooms, area, town, day, price"),
    "a column that is not there": (["tune", "houses.csv", "--target", "prize"], "did you mean 'price'?"),
    "no budget": (["tune", "houses.csv", "--target", "price"], "say --trials 20, or --epochs 600"),
    "a target of a ready task": (["tune", "wine", "--target", "y"], "--target is for a table"),
    "a strategy that is not there": (["tune", "wine", "--strategy", "rand"], "did you mean 'random'"),
    "a metric that does not fit": (["tune", "wine", "--metric", "rmse"], "rmse does not judge a multiclass problem"),
    "a metric that is not there": (["tune", "wine", "--metric", "acc"], "did you mean 'accuracy'?"),
    "a metric with a typing error": (
        ["tune", "wine", "--metric", "acuracy"],
        "? Known metrics: accuracy, top_5_accuracy, f1, roc_auc, log_loss\n",
    ),
    "an option that is not there": (
        ["tune", "wine", "--trails", "5"],
        "unknown option '--trails': did you mean '--trials'? 'hpt tune --help' lists all",
    ),
    "one with its value": (["studies", "a", "--jsn=1"], "did you mean '--json'? 'hpt studies --help'"),
    "an option that is near to none": (["tasks", "--zzz"], "unknown option '--zzz'; 'hpt tasks --help' lists all"),
    "one argument more": (["tasks", "wine"], "unknown argument 'wine'; 'hpt tasks --help' lists all"),
    "a hyperparameter that is not there": (["tune", "wine", "--set", "unit=3"], "did you mean 'units'"),
    "one that does nothing here": (["tune", "wine", "--set", "filters=3..9"], "the networks of 'wine' have no filters"),
    "one that does nothing alone": (["tune", "wine", "--set", "momentum=0.5..0.9"], "only with optimizer sgd"),
    "no domain": (["tune", "wine", "--set", "units"], "--set takes NAME=DOMAIN"),
    "a dash for a range": (["tune", "wine", "--set", "units=8-64"], "units=8-64 is no domain: write units=8..64\n"),
    "logarithms from 0": (
        ["tune", "wine", "--set", "learning_rate=0..1:log"],
        "learning_rate=0..1:log: with :log a range starts above 0, such as learning_rate=0.001..1:log",
    ),
    "logarithms below 0": (["tune", "wine", "--set", "units=-4..-2:log"], "such as units=1..10:log"),
    "a range backwards": (
        ["tune", "wine", "--set", "learning_rate=0.1..1e-3:log"],
        "learning_rate=0.1..1e-3:log ends below its start: write learning_rate=1e-3..0.1:log",
    ),
    "a range of one value": (["tune", "wine", "--set", "dropout=0.5..0.5"], "one value only: write dropout=0.5\n"),
    "steps that miss the end": (["tune", "wine", "--set", "units=8..65:step=8"], "units=8..65:step=8: steps of 8"),
    "one hyperparameter twice": (["tune", "wine", "--set", "units=3", "units=4"], "--set names 'units' twice"),
    "an optimizer that is not there": (["tune", "wine", "--set", "optimizer=adm"], "did you mean 'adam'"),
    "half a layer": (
        ["tune", "wine", "--set", "layers=1.5..3"],
        "takes whole numbers, such as 1 to 10, got 1.5",
    ),
    "words for numbers": (["tune", "wine", "--set", "dropout=much"], "dropout takes numbers"),
    "a value no network has": (
        ["tune", "wine", "--set", "dropout=0..1"],
        "dropout is a share of at least 0",
    ),
    "a name without a storage": (["tune", "wine", "--name", "a"], "say --storage FILE too"),
    "a storage in no folder": (["tune", "wine", "--storage", "no/a"], "there is no folder 'no'"),
    "a storage that is a folder": (["tune", "wine", "--storage", "."], "is a folder: name a file in it"),
    "a storage that is a device": (["tune", "wine", "--storage", "/dev/null"], "/dev/null is no file"),
    "a storage that is no journal": (
        ["tune", "houses.csv", "--target", "price", "--trials", "3", "--storage", "houses.csv"],
        "houses.csv is no journal",
    ),
    "one strategy": (["compare", "wine", "--strategies", "random"], "a comparison needs two strategies"),
    "folds of a comparison": (["compare", "wine", "--strategies", "random,tpe", "--folds", "3"], "leave --folds out"),
    "no storage": (["resume", "no.journal"], "there is no storage 'no.journal'"),
    "a picture that is not there": (["plot", "a", "--kind", "pie", "--out", "a.png"], "unknown kind 'pie'"),
    "axes of another picture": (
        ["plot", "a", "--kind", "progress", "--axes", "a,b", "--out", "a.png"],
        "--axes is for --kind searched",
    ),
    "a table that is not there": (["table", "optimisation"], "did you mean 'optimization'?"),
}


@pytest.mark.parametrize(("argv", "said"), WRONG.values(), ids=WRONG)
def test_wrong_use_is_one_line_and_leaves_nothing_behind(capsys, rate, houses, tmp_path, argv, said):
    code, out, err = run(capsys, *argv)
    assert code == 2 and not out
    assert err.startswith("hpt: ") and err.count("\n") == 1 and said in err
    assert [path.name for path in tmp_path.iterdir()] == ["houses.csv"]


def test_a_missing_package_is_wrong_use(capsys, monkeypatch):
    from hpt.errors import missing

    def refuse(arguments):
        raise missing("RayStack", "ray[tune]", "ray")

    monkeypatch.setattr(actions, "tasks", refuse)
    code, _, err = run(capsys, "tasks")
    assert code == 2 and err == "hpt: RayStack needs the package ray[tune], which is not installed: " + (
        "pip install 'hpt[ray]'\n"
    )


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (hpt.StorageError("a.journal is locked"), "hpt: a.journal is locked\n"),
        (KeyboardInterrupt(), "hpt: interrupted\n"),
        (RuntimeError("two\nlines"), "hpt: RuntimeError: two lines (python -X dev -m hpt … shows where)\n"),
    ],
)
def test_what_fails_while_running_is_one_line_too(capsys, monkeypatch, error, line):
    def fail(arguments):
        raise error

    monkeypatch.setattr(actions, "tasks", fail)
    assert run(capsys, "tasks") == (1, "", line)


def test_a_reader_that_leaves_early_is_no_mistake():
    """As ``hpt table | head -1`` does."""
    command = f"{sys.executable} -m hpt table | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert not done.stderr


def test_a_terminal_without_every_letter_gets_the_rest():
    command = [sys.executable, "-m", "hpt", "table", "optimization"]
    done = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0 and b"Learning rate (?)" in done.stdout


# --- text and domains


@pytest.mark.parametrize(
    ("said", "typed"),
    [
        ("say trials=20, or epochs=600", "say --trials 20, or --epochs 600"),
        ('say read_csv={"sep": ";"}', 'say --sep ";"'),
        ("read_csv={'thousands': ','}, {'decimal': ','} or {'na_values': ['?']}",
         "--thousands ',', --decimal ',' or --na '?'"),
        ("leave it out with drop=['id']", "leave it out with --drop 'id'"),
        ("or give another name=", "or give another --name"),
        ("hidden_trials=3", "hidden_trials=3"),
        ("Optuna's 'x, seed=3': give another name=", "Optuna's 'x, seed=3': give another --name"),
        ("begun with no epochs=, now it is epochs=9", "begun with no --epochs, now it is --epochs 9"),
    ],
)  # fmt: skip
def test_advice_is_translated(said, typed):
    assert as_typed(said) == typed


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("16..256", hpt.Int(16, 256)),
        ("16..256:log", hpt.Int(16, 256, log=True)),
        ("0..0.5", hpt.Float(0, 0.5)),
        ("1e-4..1e-1:log", hpt.Float(1e-4, 1e-1, log=True)),
        ("-1..1", hpt.Int(-1, 1)),
        (".5..1.", hpt.Float(0.5, 1.0)),
        ("32,64,128", hpt.Choice(32, 64, 128)),
        ("true,false", hpt.Choice(True, False)),
        ("none,0.5", hpt.Choice(None, 0.5)),
    ],
)
def test_domains_are_read(text, domain):
    assert read_domain("x", text) == domain


@pytest.mark.parametrize("text", ["", "..", "1..", "a..b", "1..2:lin", "1,,2", "0.1..0.9:step=2", "1..9:step=-1"])
def test_what_is_no_domain_is_refused(text):
    with pytest.raises(hpt.InvalidInput, match=r"is no domain|steps are for whole numbers"):
        read_domain("x", text)


def test_whole_bounds_of_a_real_hyperparameter_make_real_numbers():
    task = problems.make({"task": "wine", "set": ["dropout=0..0.4", "learning_rate=1..3:log"]})
    assert task.space["learning_rate"] == hpt.Float(1, 3, log=True)


def test_conditions_of_the_catalogue_hold():
    task = problems.make({"task": "wine", "set": ["momentum=0.5..0.9", "optimizer=adam,sgd"]})
    assert task.space["momentum"] == hpt.Float(0.5, 0.9).when(optimizer="sgd")


def test_a_source_makes_the_same_task_from_another_folder(houses, tmp_path, monkeypatch):
    typed = ["tune", "houses.csv", "--target", "price", "--time", "day", "--drop", "town", "--train-epochs", "4"]
    source = json.loads(json.dumps(problems.source(arguments.parser().parse_args(typed))))
    one = problems.make(source)
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert problems.make(source).split.fingerprint == one.split.fingerprint
    assert (one.epochs, [column.name for column in one.dataset.columns]) == (4, ["rooms", "area"])


def test_tables_of_other_places_are_read(tmp_path):
    rows = [f"{i};{i % 7},5;{i % 3}.000,0" if i % 9 else f"{i};?;{i % 3}.000,0" for i in range(60)]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(["a;b;y", *rows]))
    options = {"sep": ";", "decimal": ",", "thousands": ".", "na": ["?"], "problem": "regression"}
    task = problems.make({"csv": str(path), "target": "y", **options})
    assert sorted(set(task.dataset.y)) == [0, 1000, 2000]
    assert np.isnan(task.dataset.x[:, 1]).sum() == 7


def test_the_best_so_far_is_a_line_of_bars(rate):
    study = hpt.tune(hpt.task("wine"), "random", trials=60, trainer=rate)
    bars, _, ends = words.bars(study).partition("  ")
    best = study.trials["score"].astype(float).cummax().to_numpy()
    assert len(bars) == words.WIDTH and bars[0] == "▁" and bars[-1] == "█"
    assert list(bars) == sorted(bars) and ends == f"{best[0]:.4g} → {best[-1]:.4g}"


def test_a_single_score_has_a_bar(rate):
    study = hpt.tune(hpt.task("wine"), "random", trials=1, trainer=rate)
    assert len(words.bars(study).split()[0]) == 1


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (36140.2, "36,140"),
        (9999.7, "10,000"),
        (-12345.6, "-12,346"),
        (3614.2, "3614"),
        (0.12345, "0.1235"),
        (1e13, "1e+13"),
    ],
)
def test_large_numbers_are_written_out(value, said):
    assert words.short(value) == said


def test_what_a_table_was_read_as_is_said_in_a_line(capsys, rate, houses):
    houses.loc[:19, "area"] = None
    houses.loc[3, "town"] = None
    for place in range(9):
        houses[f"n{place}"] = np.arange(60) % (place + 2)
    houses.to_csv("houses.csv", index=False)
    _, _, err = run(capsys, "tune", "houses.csv", "--target", "price", "--trials", 3)
    assert (
        "\nhouses: 60 rows; numbers rooms, area, n0, n1, n2, … and 6 more (20 holes filled); "
        "categories town (1 hole filled)\n"
    ) in err


# --- compare


def test_compare_prints_medians_and_gains(capsys, rate):
    argv = ["compare", "wine", "--strategies", "random,sobol", "--repeats", 4, "--epochs", 120]
    code, out, _ = run(capsys, *argv, "--json")
    found = json.loads(out)
    same = hpt.compare(hpt.task("wine"), ["random", "sobol"], repeats=4, epochs=120, trainer=rate)
    ends = same.final().groupby("strategy")["score"].median()
    assert code == 0 and {row["strategy"]: row["validation"] for row in found["medians"]} == dict(ends)
    [gain] = found["gains"]["validation"]
    assert gain["gain"] == same.gains("random")["gain"].item() and gain["low"] < gain["gain"] < gain["high"]
    assert "gain over random on test rows" in run(capsys, *argv)[1]


def test_the_usual_budget_of_a_comparison_pays_for_the_dearest_bracket(capsys, rate):
    _, out, _ = run(capsys, "compare", "wine", "--strategies", "random,hyperband", "--repeats", 2, "--json")
    assert json.loads(out)["epochs"] == {"random": 600, "hyperband": 600}
    assert actions._budget(hpt.task("wine"), [hpt.strategies.pbt(population=50)]) == 50 * 30
