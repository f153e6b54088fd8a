"""Commands on stored searches: kept, gone on with, reported, drawn, written elsewhere."""

import json
import re
from functools import partial

import numpy as np
import pandas as pd
import pytest

import hpt
from hpt.command import actions, aside, main, pictures, problems, words

from doubles import Pretend

WINE = "wine by random, seed 0"


def run(capsys, *argv):
    """Run a command; return its exit code, and what it wrote to the standard output and to the standard error."""
    code = main([str(one) for one in argv])
    return (code, *capsys.readouterr())


@pytest.fixture(autouse=True)
def trainer(tmp_path, monkeypatch):
    """A double in place of the networks, and an empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    one = Pretend(lambda member: member.configuration.get("learning_rate", 0.001))  # 0.001: the default network
    monkeypatch.setattr(actions, "Stack", lambda: one)
    monkeypatch.setattr(aside, "_load_tensorflow", lambda: None)
    monkeypatch.setattr(hpt, "importance", partial(hpt.importance, repeats=10))  # the fewest: a second instead of five
    return one


@pytest.fixture
def stored(capsys):
    """A storage with one search of forty trials."""
    assert run(capsys, "tune", "wine", "--trials", 40, "--storage", "a.journal")[0] == 0
    return "a.journal"


@pytest.fixture
def two(capsys, stored):
    """A storage with two searches."""
    assert run(capsys, "tune", "wine", "--trials", 5, "--seed", 1, "--storage", stored)[0] == 0
    return stored


# --- kept, and gone on with


def test_tune_says_where_the_search_is_kept(capsys):
    code, out, err = run(capsys, "tune", "wine", "--trials", 3, "--storage", "a.journal", "--name", "my search")
    assert code == 0 and "3 complete" in out
    assert err == "kept in a.journal: hpt report a.journal 'my search'\n"


def test_studies_are_listed(capsys, two):
    rows = json.loads(run(capsys, "studies", two, "--json")[1])
    assert [(row["name"], row["trials"], row["ended"]) for row in rows] == [
        (WINE, 40, True),
        ("wine by random, seed 1", 5, True),
    ]
    assert rows[0]["source"] is None  # a ready task as it is, so hpt.resume needs no more than the storage
    heading, first, _ = run(capsys, "studies", two)[1].splitlines()
    assert WINE in first and " ".join(heading.split()) == "name task strategy seed rounds trials best ended"


def test_an_interrupted_search_goes_on_to_the_same_end(capsys, trainer, monkeypatch):
    whole = json.loads(run(capsys, "tune", "wine", "--trials", 20, "--json")[1])
    monkeypatch.setattr(trainer, "together", lambda task: 4)
    before, kept = trainer.score, trainer.asked

    def stopping(member):
        if len(kept) - at > 2:
            raise KeyboardInterrupt
        return before(member)

    at, trainer.score = len(kept), stopping
    code, out, err = run(capsys, "tune", "wine", "--trials", 20, "--storage", "a.journal")
    assert code == 1 and "8 complete" in out and "interrupted:" not in out
    assert err == f"hpt: interrupted: go on with hpt resume a.journal '{WINE}'\n"
    assert [row["ended"] for row in json.loads(run(capsys, "studies", "a.journal", "--json")[1])] == [False]
    assert "not to its end yet" in run(capsys, "report", "a.journal")[1]
    trainer.score, done = before, len(kept)
    code, out, _ = run(capsys, "resume", "a.journal", "--json")
    found = json.loads(out)
    assert code == 0 and {name: found[name] for name in ("trials", "best", "ended")} == {
        name: whole[name] for name in ("trials", "best", "ended")
    }
    assert len(kept) - done == 3  # three rounds of four; the first two were kept


def test_a_finished_search_comes_back_without_training(capsys, stored, trainer):
    before = len(trainer.asked)
    code, out, _ = run(capsys, "resume", stored)
    assert code == 0 and "40 complete" in out and len(trainer.asked) == before


def test_a_table_is_found_again_from_another_folder(capsys, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    pd.DataFrame({"a": rng.normal(size=50), "y": rng.normal(size=50)}).to_csv("t.csv", index=False)
    assert run(capsys, "tune", "t.csv", "--target", "y", "--trials", 3, "--storage", "a.journal")[0] == 0
    [row] = json.loads(run(capsys, "studies", "a.journal", "--json")[1])
    assert row["source"] == {"csv": str(tmp_path / "t.csv"), "target": "y"}
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert "3 complete" in run(capsys, "resume", "../a.journal")[1]
    (tmp_path / "t.csv").unlink()
    code, _, err = run(capsys, "resume", "../a.journal")
    assert code == 2 and "there is no file" in err and err.count("\n") == 1


def test_a_search_that_python_began_can_be_read(capsys, trainer):
    hpt.tune(hpt.task("wine"), "random", trials=25, trainer=trainer, storage="a.journal")
    assert len(json.loads(run(capsys, "report", "a.journal", "--json")[1])["diagnosis"]) == 5


def test_what_python_changed_of_a_ready_task_is_not_guessed(capsys, trainer):
    hpt.tune(hpt.task("wine", folds=2), "random", trials=25, trainer=trainer, storage="a.journal")
    assert json.loads(run(capsys, "report", "a.journal", "--json")[1])["diagnosis"] is None
    code, _, err = run(capsys, "export", "a.journal", "--keras", "w.keras")
    assert code == 2 and "this needs the task as it was searched" in err


def test_options_of_a_ready_task_are_noted(capsys):
    options = ["--train-epochs", 7, "--metric", "f1", "--set", "units=8..16"]
    run(capsys, "tune", "wine", "--trials", 3, *options, "--storage", "a.journal")
    [row] = json.loads(run(capsys, "studies", "a.journal", "--json")[1])
    assert row["source"] == {"task": "wine", "train_epochs": 7, "metric": "f1", "set": ["units=8..16"]}
    assert json.loads(run(capsys, "resume", "a.journal", "--json")[1])["objective"] == "f1"


def test_a_task_that_python_made_is_left_to_python(capsys, trainer):
    from dataclasses import replace

    mine = replace(hpt.task("wine"), name="mine")
    hpt.tune(mine, "random", trials=3, trainer=trainer, storage="a.journal", name="b")
    code, _, err = run(capsys, "report", "a.journal")
    assert code == 2 and "hpt.resume('a.journal', 'b', task=…)" in err


def test_a_search_that_began_otherwise_is_refused(capsys, stored):
    code, _, err = run(capsys, "tune", "wine", "--trials", 50, "--storage", stored)
    assert code == 2 and "with --trials 40, now it is --trials 50" in err and "--name" in err and err.count("\n") == 1


@pytest.mark.parametrize("command", ["resume", "report"])
def test_which_study_must_be_clear(capsys, two, command):
    code, _, err = run(capsys, command, two)
    assert code == 2 and f"say which: '{WINE}', 'wine by random, seed 1'" in err
    code, _, err = run(capsys, command, two, "wine by random, seed 2")
    assert code == 2 and err.startswith("hpt: unknown study 'wine by random, seed 2': did you mean")
    assert run(capsys, command, two, WINE)[0] == 0


def test_a_storage_without_our_studies_says_so(capsys):
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.create_study(storage=JournalStorage(JournalFileBackend("a.journal")))
    capsys.readouterr()  # what Optuna says of it
    for command in ("studies", "report", "resume"):
        assert run(capsys, command, "a.journal") == (2, "", "hpt: a.journal holds no study that hpt has begun\n")
    assert run(capsys, "studies", "a.journal", "--json")[1] == "[]\n"


# --- report


def test_a_report_says_what_was_found(capsys, stored):
    code, out, err = run(capsys, "report", stored)
    study = hpt.storage.read(stored)
    assert code == 0 and not err
    assert f"Best, trial {study.best_trial}" in out and "40 complete" in out and "to its end" in out
    assert "Where to look next" in out and "high edge: try larger values" in out  # the score is the learning rate


def test_a_report_as_json(capsys, stored):
    found = json.loads(run(capsys, "report", stored, "--json")[1])
    task = hpt.task("wine")
    study = hpt.storage.read(stored)
    assert found["best"]["score"] == study.best_score and found["tested"] is None
    assert [row["trial"] for row in found["top"]] == list(words.completed(study)["number"][:5])
    assert [row["edge"] for row in found["diagnosis"]] == [
        edge if isinstance(edge, str) else None for edge in hpt.diagnose(task, study)["edge"]
    ]


def test_a_report_counts_what_was_lost(capsys, trainer):
    from hpt.training import failure

    trainer.score = lambda member: (
        failure(ValueError("too wide")) if member.configuration["units"] > 64 else member.configuration["learning_rate"]
    )
    run(capsys, "tune", "wine", "--trials", 30, "--storage", "a.journal")
    study = hpt.storage.read("a.journal")
    lost = int((study.trials["status"] == "failed").sum())
    out = " ".join(run(capsys, "report", "a.journal")[1].split())
    assert 0 < lost < 30 and f"Lost {lost} failed ValueError: too wide" in out
    assert f"needs 20 complete trials, there are {30 - lost}" in out


def test_a_page_stands_alone(capsys, stored, tmp_path):
    assert run(capsys, "report", stored, "--html", "r.html")[0] == 0
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>") and page.rstrip().endswith("</html>")
    sources = re.findall(r'(?:src|href)="([^"]{0,30})', page)
    assert len(sources) == 3 and all(one.startswith("data:image/svg+xml;base64,") for one in sources)
    assert "<script" not in page and "http" not in page and page.count('alt="') == 3


def test_the_test_rows_are_opened_on_demand(capsys):
    run(capsys, "tune", "breast_cancer", "--trials", 3, "--storage", "a.journal")
    found = json.loads(run(capsys, "report", "a.journal", "--test", "--repeats", 3, "--json")[1])
    networks = {(row["network"], row["rows"]) for row in found["tested"]}
    assert networks == {(name, rows) for name in ("default", "tuned") for rows in ("validation", "test")}


def test_the_test_rows_are_opened_once(capsys, trainer):
    for seed in (0, 1):
        run(capsys, "tune", "wine", "--trials", 3, "--seed", seed, "--storage", "a.journal")
    argv = ["report", "a.journal", "wine by random, seed 0", "--test", "--repeats", 2]
    code, out, _ = run(capsys, *argv)
    assert code == 0 and "test" in out
    before = len(trainer.asked)
    for name, opener in (("wine by random, seed 0", "this study"), ("wine by random, seed 1", repr(WINE))):
        code, out, err = run(capsys, "report", "a.journal", name, "--test", "--repeats", 2)
        assert code == 2 and not out and len(trainer.asked) == before
        assert re.fullmatch(
            rf"hpt: the test rows were opened on [-\d]+ [:\d]+ for {opener}: "
            "a second look would make validation data of them\n",
            err,
        )
    assert run(capsys, *argv[:3])[0] == 0
    run(capsys, "tune", "breast_cancer", "--trials", 3, "--storage", "a.journal")  # other rows
    assert run(capsys, "report", "a.journal", "breast_cancer by random, seed 0", "--test", "--repeats", 2)[0] == 0


# --- before the first result


@pytest.fixture
def begun(capsys, trainer):
    """A storage with a search that was stopped before a network was trained to its end."""
    score = trainer.score

    def stop(member):
        raise KeyboardInterrupt

    trainer.score = stop
    assert run(capsys, "tune", "wine", "--trials", 9, "--storage", "a.journal")[0] == 1
    trainer.score = score
    return "a.journal"


NO_RESULT = [
    *(["plot", "--kind", kind, "--out", "a.png"] for kind in ("progress", "curves", "importances", "searched")),
    ["export", "--keras", "a.keras"],
    ["report", "--test"],
]


@pytest.mark.parametrize("argv", NO_RESULT, ids=" ".join)
def test_without_a_result_there_is_nothing_to_show(capsys, begun, tmp_path, argv):
    before = sorted(tmp_path.rglob("*"))
    said = f"hpt: no network has been trained to the end yet: go on with hpt resume a.journal '{WINE}'\n"
    assert run(capsys, argv[0], begun, *argv[1:]) == (1, "", said)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_page_without_a_result_has_no_pictures(capsys, begun, tmp_path):
    assert run(capsys, "report", begun, "--html", "r.html")[0] == 0
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "not to its end yet" in page and "<img" not in page


@pytest.mark.parametrize("argv", NO_RESULT, ids=" ".join)
def test_a_search_that_ended_without_a_result_cannot_go_on(capsys, trainer, argv):
    from hpt.training import failure

    trainer.score = lambda member: failure(ValueError("too wide"))
    run(capsys, "tune", "wine", "--trials", 3, "--storage", "a.journal")
    said = f"hpt: no network was trained to the end: hpt report a.journal '{WINE}' says why\n"
    assert run(capsys, argv[0], "a.journal", *argv[1:]) == (1, "", said)


# --- pictures


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("progress", []),
        ("curves", []),
        ("curves", ["--bracket", 0]),
        ("importances", []),
        ("searched", []),
        ("searched", ["--axes", "units,dropout"]),
    ],
)
def test_pictures_are_drawn(capsys, stored, tmp_path, kind, options):
    import matplotlib.pyplot as plt

    code, out, err = run(capsys, "plot", stored, "--kind", kind, "--out", "a.png", *options)
    assert (code, out, err) == (0, "a.png\n", "")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG") and not plt.get_fignums()


def ticks(axis):
    low, high = axis.get_view_interval()
    found = zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)
    return [label.get_text() for place, label in found if low <= place <= high]


def test_axes_of_less_than_two_decades_have_plain_ticks(trainer):
    import matplotlib.pyplot as plt

    task = problems.make({"task": "wine", "set": ["units=16..64:log", "learning_rate=1e-3..8e-3:log"]})
    ax = hpt.plots.searched(hpt.tune(task, "random", trials=9, trainer=trainer), task, "units", "learning_rate")
    assert (ticks(ax.xaxis), ticks(ax.yaxis)) == (["15", "20", "30", "50"], ["0.001", "0.002", "0.005"])
    plt.close("all")


@pytest.mark.parametrize("strategy", ["random", "one_epoch"])
def test_curves_have_ticks_beside_the_rungs(trainer, strategy):
    import matplotlib.pyplot as plt

    from hpt.plots.brackets import cuts

    study = hpt.tune(hpt.task("wine"), strategy, trials=30, trainer=trainer)
    ax = cuts(study)
    assert {int(label) for label in ticks(ax.xaxis)} == {1, 3, 10, 30}
    plt.close("all")


@pytest.mark.parametrize(("ending", "start"), [("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_the_ending_says_what_a_picture_is(capsys, stored, tmp_path, ending, start):
    run(capsys, "plot", stored, "--kind", "progress", "--out", f"a.{ending}")
    assert (tmp_path / f"a.{ending}").read_bytes().startswith(start)


def test_families_are_those_of_a_population(capsys, stored):
    argv = ["tune", "wine", "--strategy", "pbt", "--set", "layers=2", "units=16", "batch_size=32", "--train-epochs", 4]
    assert run(capsys, *argv, "--storage", "p.journal", "--quiet")[0] == 0
    assert run(capsys, "plot", "p.journal", "--kind", "families", "--out", "a.png")[0] == 0
    code, _, err = run(capsys, "plot", stored, "--kind", "families", "--out", "b.png")
    assert code == 2 and "random has no families" in err


def test_networks_that_broke_off_are_left_out_of_the_curves(capsys, trainer, tmp_path):
    from hpt.training import Progress

    trainer.score = lambda member: (
        Progress("diverged", "the training loss became nan in epoch 1", stopped=True)
        if member.configuration["units"] > 64
        else 0.5
    )
    run(capsys, "tune", "wine", "--trials", 12, "--storage", "a.journal")
    assert run(capsys, "plot", "a.journal", "--kind", "curves", "--out", "a.png")[0] == 0


def test_kinds_are_those_of_the_help():
    from hpt.command import arguments

    assert list(pictures.KINDS) == list(arguments.KINDS)


# --- written elsewhere


def test_csv_holds_what_the_package_writes(capsys, stored):
    code, out, _ = run(capsys, "export", stored, "--csv", "out")
    held = hpt.recording.read_csv("out")
    assert (code, out) == (0, "out\n")
    pd.testing.assert_frame_equal(held.trials, hpt.storage.read(stored).trials)


def test_keras_holds_the_winner(capsys, monkeypatch):
    import keras

    from hpt.training.stack import Stack

    monkeypatch.setattr(actions, "Stack", Stack)
    argv = ["tune", "wine", "--trials", 2, "--train-epochs", 2, "--set", "layers=1", "--storage", "a.journal"]
    assert run(capsys, *argv, "--quiet")[0] == 0
    code, out, err = run(capsys, "export", "a.journal", "--keras", "w.keras")
    assert err == "the model takes scaled inputs, which task.arrays().transform(...) makes\n"
    study = hpt.storage.read("a.journal", task=problems.make({"task": "wine", "train_epochs": 2, "set": ["layers=1"]}))
    assert (code, out) == (0, "w.keras\n")
    task = hpt.task("wine")
    outputs = keras.models.load_model("w.keras")(task.arrays().x_validation)
    score = task.objective.score(task.dataset.y[task.split.folds[0].validation], np.asarray(outputs))
    assert score == pytest.approx(
        study.best_score, abs=0.03
    )  # the last digits depend on the stack: a row of 36 may turn


def test_what_a_regression_exports_is_scaled_at_both_ends(capsys, monkeypatch):
    from types import SimpleNamespace

    kept = []
    monkeypatch.setattr(actions, "_winner", lambda *_: SimpleNamespace(model=SimpleNamespace(save=kept.append)))
    rng = np.random.default_rng(0)
    pd.DataFrame({"a": rng.normal(size=50), "y": rng.normal(size=50)}).to_csv("t.csv", index=False)
    run(capsys, "tune", "t.csv", "--target", "y", "--trials", 3, "--storage", "a.journal")
    code, out, err = run(capsys, "export", "a.journal", "--keras", "w.keras")
    assert (code, out, kept) == (0, "w.keras\n", ["w.keras"])
    assert "takes scaled inputs" in err and "scaled outputs, which task.arrays().restore(...)" in err
    assert "scaled inputs, and of a regression gives scaled outputs" in " ".join(
        run(capsys, "export", "--help")[1].split()
    )


def test_the_winner_of_a_population_cannot_be_trained_in_one_go(capsys):
    argv = ["tune", "wine", "--strategy", "pbt", "--set", "layers=2", "units=16", "batch_size=32", "--train-epochs", 4]
    run(capsys, *argv, "--storage", "p.journal", "--quiet")
    study = hpt.storage.studies("p.journal")
    assert len(study) == 1
    code, _, err = run(capsys, "export", "p.journal", "--keras", "w.keras")
    assert code == 2 and "took over the weights of another one" in err


# --- a file of SQLite


@pytest.mark.parametrize(
    "argv", [["studies", "a.db"], ["report", "a.db"], ["tune", "wine", "--trials", "3", "--storage", "a.db"]]
)
def test_a_database_has_an_address(capsys, argv):
    assert run(capsys, "tune", "wine", "--trials", 3, "--storage", "sqlite:///a.db", "--quiet")[0] == 0
    assert run(capsys, *argv) == (2, "", "hpt: a.db is a SQLite database: say sqlite:///a.db\n")
    assert run(capsys, "report", "sqlite:///a.db")[0] == 0


def test_a_budget_that_is_not_there_is_no_option(capsys):
    run(capsys, "tune", "wine", "--trials", 3, "--storage", "a.journal")
    _, _, err = run(capsys, "tune", "wine", "--epochs", 90, "--storage", "a.journal")
    assert "was begun with --trials 3, now it is no --trials; open it" in err


# --- nothing is overwritten


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["report", "--html", "there.html"], "there.html is there already"),
        (["report", "--html", "new.txt"], "expected a file that ends in .html, got 'new.txt'"),
        (["plot", "--kind", "progress", "--out", "there.png"], "there.png is there already"),
        (["plot", "--kind", "progress", "--out", "no/new.png"], "there is no folder 'no'"),
        (["plot", "--kind", "progress", "--out", "new.gif"], "ends in .png or .svg or .pdf"),
        (["plot", "--kind", "curves", "--bracket", 9, "--out", "new.png"], "brackets 0 to 0, got 9"),
        (["plot", "--kind", "searched", "--axes", "units,unit", "--out", "new.png"], "did you mean 'units'"),
        (["plot", "--kind", "searched", "--axes", "units", "--out", "new.png"], "two hyperparameters"),
        (["export", "--csv", "full"], "full holds something already"),
        (["export", "--keras", "there.keras"], "there.keras is there already"),
        (["export", "--keras", "new.h5"], "ends in .keras, got 'new.h5'"),
        (["export"], "one of the arguments --csv --keras is required"),
        (["export", "--csv", "a", "--keras", "b.keras"], "not allowed with argument"),
    ],
)
def test_places_are_looked_at_first(capsys, stored, tmp_path, argv, said):
    for name in ("there.html", "there.png", "there.keras"):
        (tmp_path / name).write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    code, out, err = run(capsys, argv[0], stored, *argv[1:])
    assert code == 2 and not out
    assert err.count("\n") == 1 and said in err
    assert sorted(tmp_path.rglob("*")) == before
    assert {path.read_text() for path in tmp_path.glob("there.*")} == {"mine"}


# --- a database with a password


@pytest.fixture
def server(monkeypatch):
    """The address of a database with a password; a journal stands behind it."""
    from hpt import backends, keeping

    address, opened = "postgresql://me:secret@host/one", backends.backend
    for module in (keeping, hpt.storage, hpt.recording):
        monkeypatch.setattr(module, "backend", lambda where, **kwargs: opened("behind.journal", **kwargs))
    for module in (backends, keeping):
        monkeypatch.setattr(module, "beside", lambda where: backends.Path("behind.d").resolve())
    monkeypatch.setattr(backends, "_has_locks", lambda where: False)
    return address


def test_a_password_is_neither_printed_nor_kept(capsys, server, trainer, tmp_path, monkeypatch):
    """In no command, whether it ends well or not, and in no file."""
    tuned = ("tune", "wine", "--trials", 20, "--storage", server)
    begun = (server, "wine by random, seed 0")
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "score", lambda member: (_ for _ in ()).throw(KeyboardInterrupt))
        said = [
            run(capsys, *tuned),
            run(capsys, "report", server),
            run(capsys, "plot", server, "--kind", "progress", "--out", "a.png"),
        ]
    said += [
        run(capsys, *tuned),
        run(capsys, *tuned, "--json"),
        run(capsys, *tuned, "--seed", 1),
        run(capsys, "report", server),
    ]
    hpt.tune(hpt.task("wine", folds=2), "random", trials=3, trainer=trainer, storage=server, name="b", source="mine")
    said += [run(capsys, "resume", server, "b"), run(capsys, "resume", *begun), run(capsys, "studies", server)]
    said += [run(capsys, "report", *begun, "--html", "a.html"), run(capsys, "report", *begun, "--json")]
    said += [
        run(capsys, "export", *begun, "--csv", "a"),
        run(capsys, "plot", *begun, "--kind", "progress", "--out", "b.png"),
    ]
    assert [code for code, *_ in said] == [1, 0, 1, 0, 0, 0, 2, 2, 0, 0, 0, 0, 0, 0], said
    assert "secret" not in str(said)
    assert "go on with hpt resume 'postgresql://me:***@host/one' 'wine by random, seed 0'" in said[0][2]
    assert json.loads(said[4][1])["storage"] == "postgresql://me:***@host/one"
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or b"secret" not in path.read_bytes(), path
