"""What people get wrong: one line that says what was expected and what came; exit code 2; nothing is written."""

import pytest

import hpt
from hpt import Choice, Float, Int, InvalidInput, Space, UnknownName, keeping, schedules, strategies
from hpt.command import main

from doubles import Pretend, pretend


@pytest.fixture(autouse=True)
def _somewhere(tmp_path, monkeypatch):
    """An empty folder to work in, and networks that only pretend to train."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hpt.command.actions.Stack", lambda: Pretend(lambda member: 0.5))
    monkeypatch.setattr("hpt.command.aside._load_tensorflow", lambda: None)


def there(folder):
    return {path.relative_to(folder): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


# --- tables -------------------------------------------------------------------------------------------


def table(header="size,rooms,price", row=lambda i: f"{i * 7 % 31},{i % 5},{i * i % 23 + 0.5}", rows=40, end=""):
    return "\n".join([header, *map(row, range(rows))]) + "\n" + end


def with_column(cell):
    return table("odd,size,price", lambda i: f"{cell(i)},{i * 7 % 31},{i * i % 23 + 0.5}")


def with_target(cell):
    return table(row=lambda i: f"{i * 7 % 31},{i % 5},{cell(i)}")


REFUSED = {
    "no header": (
        table(header="8.5,3,250.5"),
        "'x.csv' has no header, it begins with '8.5, 3, 250.5': write the names",
    ),
    "a row too long": (table(end="1,2,3,4,5\n"), "Expected 3 fields in line 42, saw 5"),
    "all rows too long": (
        table(row=lambda i: f"{i},{i % 5},{i % 7},"),
        "Expected 3 fields in line 2, saw 4",
    ),
    "UTF-16": (table().encode("utf-16"), "byte 0xff is no utf-8 text. Save it as UTF-8"),
    "UTF-16 without its mark": (table().encode("utf-16-le"), "'x.csv' has zero bytes in its header. Save it as UTF-8"),
    "latin-1": (with_column(lambda i: "éü"[i % 2]).encode("latin-1"), "is no utf-8 text. Save it as UTF-8"),
    "a picture": (b"\x89PNG\r\n\x1a\n\x00\xff\xfe", "'x.csv' could not be read as comma-separated values"),
    "an empty file": ("", "'x.csv' could not be read as comma-separated values: No columns to parse from file"),
    "a header and no row": ("size,rooms,price\n", "the frame is empty: it has 0 rows and 3 columns"),
    "another separator": (table().replace(",", ";"), "has one column only, 'size;rooms;price': say --sep ';'"),
    "one column": (table("price", lambda i: f"{i}.5"), "x: no column is left to learn from"),
    "one row": (table(rows=1), "x: target 'price' holds a single value, 0.5: nothing to learn"),
    "two rows": (table(rows=2), "x has 2 rows with a target, a table needs at least 3"),
    "a header twice": (table("size,size,price"), "'x.csv' has two columns 'size': rename one of them"),
    "no such target": (
        table("size,rooms,prize"),
        "unknown column 'price': did you mean 'prize'? Known columns: size, rooms",
    ),
    "no target at all": (with_target(lambda i: ""), "x: no row has a target 'price'"),
    "a constant target": (with_target(lambda i: 5), "x: target 'price' holds a single value, 5: nothing to learn"),
    "one class": (with_target(lambda i: "yes"), "x: target 'price' holds a single value, yes: nothing to learn"),
    "a class of one": (
        with_target(lambda i: "yes" if i == 9 else ["no", "maybe"][i % 2]),
        "x: target 'price' has 1 row of class 'yes', a class needs at least 3: leave it out, or join it with another",
    ),
    "an infinite target": (
        with_target(lambda i: "inf" if i == 9 else i),
        "column 'price' holds 1 infinite numbers, the first in row 9: put a number or NaN in their place",
    ),
    "dates to predict": (
        with_target(lambda i: f"2024-05-{i % 28 + 1:02}"),
        "x: target 'price' holds dates: make numbers",
    ),
    "an infinite number": (
        with_column(lambda i: "-inf" if i == 9 else i),
        "column 'odd' holds 1 infinite numbers, the first in row 9: put a number or NaN in their place",
    ),
    "a number too large": (
        with_column(lambda i: "1e300" if i == 9 else i),
        "column 'odd' holds 1e+300, beyond 1e+38: write it in a larger unit",
    ),
    "numbers and others": (
        with_column(lambda i: "?" if i == 9 else i),
        "column 'odd' holds numbers, and others that are not, such as '?': make it numbers",
    ),
    "numbers as text": (
        with_column(lambda i: f'"{i},000"'),
        "column 'odd' holds numbers written as text, such as '0,000'",
    ),
    "a missing value as text": (with_target(lambda i: "unknown" if i == 9 else i), "such as 'unknown'"),
}


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_a_table_that_cannot_be_learned_from(content, message, tmp_path, capsys):
    (tmp_path / "x.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    before = there(tmp_path)
    assert main(["tune", "x.csv", "--target", "price", "--trials", "3", "--storage", "new.journal"]) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert err.startswith("hpt: ") and err.count("\n") == 1 and out == ""
    assert there(tmp_path) == before


# --- tables that are read, with a remark --------------------------------------------------------------

READ = {
    "holes in the target": (with_target(lambda i: "" if i % 4 == 0 else i), "x: 10 of 40 rows have no target 'price'"),
    "a row too short": (table(end="1,2\n"), "x: 1 of 41 rows have no target 'price' and are left out"),
    "an empty column": (with_column(lambda i: ""), "x: column 'odd' is left out, it holds nothing"),
    "a constant column": (with_column(lambda i: 7), "x: column 'odd' is left out, it holds the same number wherever"),
    "a constant text": (with_column(lambda i: "Oslo"), "x: column 'odd' is left out, it holds 'Oslo' wherever"),
    "dates": (with_column(lambda i: f"2024-05-{i % 28 + 1:02}"), "x: column 'odd' is left out, it holds dates: make"),
    "a name for each row": (
        with_column(lambda i: f"user-{i}"),
        "x: column 'odd' is left out, it holds a different text",
    ),
    "too many categories": (
        with_column(lambda i: f"street-{i % 25}"),
        "x: column 'odd' is left out, it holds 25 different texts in 40 rows: join the rare ones",
    ),
    "the target twice": (
        with_column(lambda i: i * i % 23 + 0.5),
        "hpt: warning: x: column 'odd' says the same as the target 'price', value for value: "
        "a leak, unless it is known before the target is. Leave it out with --drop 'odd'",
    ),
    "the target in another unit": (
        with_column(lambda i: (i * i % 23 + 0.5) * 100),
        "'odd' says the same as the target",
    ),
}


@pytest.mark.parametrize(("content", "message"), READ.values(), ids=READ)
def test_a_table_that_is_read_with_a_remark(content, message, tmp_path, capsys):
    (tmp_path / "x.csv").write_text(content)
    assert main(["tune", "x.csv", "--target", "price", "--problem", "regression", "--trials", "3"]) == 0
    said = capsys.readouterr()
    assert message in said.err
    assert "best" in said.out and message not in said.out
    assert main(["tune", "x.csv", "--target", "price", "--trials", "3", "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_holes_among_the_numbers_are_filled_and_counted(tmp_path, capsys):
    (tmp_path / "x.csv").write_text(with_column(lambda i: "" if i % 3 else i))
    assert main(["tune", "x.csv", "--target", "price", "--problem", "regression", "--trials", "3"]) == 0
    assert capsys.readouterr().err == "x: 40 rows; numbers odd, size (26 holes filled)\n"


# --- arguments ----------------------------------------------------------------------------------------


def newer():
    """A storage with a study that a later version of the package has written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keeping, "FORMAT", keeping.FORMAT + 1)
        kept("newer.journal")


def kept(where):
    pretend(hpt.task("wine", epochs=2), trials=2, storage=where, name="kept")


COMMANDS = {
    "no such task": (
        "tune wnie --trials 3",
        "unknown task 'wnie': did you mean 'wine'? Known tasks: breast_cancer, wine",
    ),
    "no such file": ("tune y.csv --target price --trials 3", "there is no file 'y.csv'"),
    "a folder for a file": ("tune folder --target price --trials 3", "'folder' is a folder: name a file in it"),
    "no target": (
        "tune x.csv --trials 3",
        "say which column of 'x.csv' to predict, --target COLUMN; it has size, rooms",
    ),
    "a target for a ready task": (
        "tune wine --target price --trials 3",
        "--target is for a table, and 'wine' is a ready",
    ),
    "no such command": ("tuna wine", "unknown command 'tuna': did you mean 'tune'?"),
    "no such option": ("tune wine --trails 3", "unknown option '--trails': did you mean '--trials'?"),
    "no such strategy": (
        "tune wine --strategy hyperbnd --trials 3",
        "unknown strategy 'hyperbnd': did you mean 'hyperband'?",
    ),
    "a list is missing": ("tune wine --strategy manual", "manual search needs its list"),
    "no such metric": (
        "tune wine --metric accurracy --trials 3",
        "unknown metric 'accurracy': did you mean 'accuracy'",
    ),
    "another problem's metric": (
        "tune wine --metric rmse --trials 3",
        "rmse does not judge a multiclass problem: take accuracy",
    ),
    "no such hyperparameter": (
        "tune wine --set unit=8..16 --trials 3",
        "unknown hyperparameter 'unit': did you mean 'units'",
    ),
    "bounds reversed": (
        "tune wine --set units=64..16 --trials 3",
        "units=64..16 ends below its start: write units=16..64",
    ),
    "a log scale from zero": ("tune wine --set dropout=0..0.5:log --trials 3", "with :log a range starts above 0"),
    "an empty choice": ("tune wine --set optimizer= --trials 3", "optimizer= is no domain: write a range"),
    "a choice twice": ("tune wine --set optimizer=adam,adam --trials 3", "takes each value once, got 'adam' twice"),
    "no such choice": ("tune wine --set optimizer=adamm --trials 3", "unknown optimizer 'adamm': did you mean 'adam'?"),
    "no budget": ("tune wine", "random search has no end of its own: say --trials 20, or --epochs 600"),
    "zero trials": ("tune wine --trials 0", "argument --trials: expected a whole number of at least 1, got '0'"),
    "negative epochs": ("tune wine --epochs -5", "argument --epochs: expected a whole number of at least 1, got '-5'"),
    "trials by word": (
        "tune wine --trials many",
        "argument --trials: expected a whole number of at least 1, got 'many'",
    ),
    "half a trial": ("tune wine --trials 1.5", "argument --trials: expected a whole number of at least 1, got '1.5'"),
    "epochs for less than a network": (
        "tune wine --epochs 7",
        "a budget of 7 epochs is less than one trial costs here: 30",
    ),
    "trials for less than a bracket": (
        "tune wine --strategy hyperband --trials 3",
        "3 trials are less than the first bracket of hyperband starts here: 27",
    ),
    "networks too short for a rung": (
        "tune wine --strategy one_epoch --train-epochs 1",
        "needs trainings of 2 epochs or more, got 1",
    ),
    "networks of no epoch": ("tune wine --train-epochs 0 --trials 3", "expected a whole number of at least 1, got '0'"),
    "more folds than rows": (
        "tune wine --folds 500 --trials 3",
        "k-fold of 'wine' takes 2 to 38 folds (the members of its smallest class), got 500",
    ),
    "a name without a storage": (
        "tune wine --trials 3 --name mine",
        "--name is of a study in a storage: say --storage FILE",
    ),
    "a storage that is a folder": (
        "tune wine --trials 3 --storage folder",
        "folder is a folder: name a file in it, such as",
    ),
    "a storage that is another file": ("tune wine --trials 3 --storage x.csv", "x.csv"),
    "a storage that is not there": ("resume none.journal", "none.journal"),
    "a storage of a newer version": (
        "resume newer.journal",
        "in a newer format: update hpt to read it",
    ),
    "a study that is not there": ("resume kept.journal mine", "unknown study 'mine'. Known studies: kept"),
}


@pytest.mark.parametrize(("typed", "message"), COMMANDS.values(), ids=COMMANDS)
def test_a_command_that_cannot_be(typed, message, tmp_path, capsys):
    (tmp_path / "x.csv").write_text(table())
    (tmp_path / "folder").mkdir()
    newer()
    kept("kept.journal")
    stored = any(word in typed for word in ("--storage", "--name", "resume"))
    before = there(tmp_path)
    assert main([*typed.split(), *([] if stored else ["--storage", "new.journal"])]) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert err.startswith("hpt: ") and err.count("\n") == 1 and out == ""
    assert there(tmp_path) == before


# --- what has no option -------------------------------------------------------------------------------


def wine(**changes):
    return hpt.task("wine", epochs=9, **changes)


CALLS = {
    "an eta of 1": (
        lambda: pretend(wine(), strategies.hyperband(eta=1)),
        "eta must be a whole number of at least 2, got 1",
    ),
    "an eta that is no number": (
        lambda: pretend(wine(), strategies.bohb(eta="3")),
        "eta must be a whole number of at least",
    ),
    "half an eta": (lambda: schedules.hyperband(81, 2.5), "eta must be a whole number of at least 2, got 2.5"),
    "no such convention": (
        lambda: schedules.hyperband(81, 3, "tabel"),
        "unknown convention 'tabel': did you mean 'table'?",
    ),
    "more survivors than networks": (lambda: schedules.one_epoch(9, 3, 5), "the best 5 of 3 networks can't go on"),
    "a look that comes too late": (
        lambda: pretend(wine(), strategies.pbt(every=9)),
        "a look every 9 epochs comes too late",
    ),
    "no network": (lambda: schedules.successive_halving(9, 0), "networks must be a whole number of at least 1, got 0"),
    "a task by its name": (
        lambda: hpt.tune("wine", trials=3),
        "tune needs a Task, such as hpt.task('breast_cancer'), got",
    ),
    "trials of True": (lambda: pretend(wine(), trials=True), "trials must be a whole number of at least 1, got True"),
    "not a number of epochs": (
        lambda: pretend(wine(), epochs=float("nan")),
        "epochs must be a whole number of at least 1",
    ),
    "no patience": (
        lambda: pretend(wine(), trials=3, patience=0),
        "patience must be a whole number of epochs of at least 1",
    ),
    "no metric": (lambda: wine(metrics=()), "task 'wine' needs at least one metric; the first one decides"),
    "no such field": (lambda: wine(epoch=3), "unknown task field 'epoch'"),
    "two lengths": (
        lambda: pretend(wine().with_space(epochs=Int(1, 9)), "hyperband"),
        "hyperband decides how long to train, and so would 'epochs' in this task's space: leave it out",
    ),
    "an empty space": (lambda: Space({}), "a space needs a dict of at least one name and its domain, got {}"),
    "a value for a domain": (lambda: Space({"units": 8}), "a fixed value is a Choice of one), got 'units': 8"),
    "an infinite bound": (lambda: Float(0, float("inf")), "Float needs finite numbers as bounds, got high=inf"),
    "a bound beyond floats": (lambda: Int(0, 10**400), "Int goes to 2**53, as far as floats can count"),
    "a condition on nothing": (
        lambda: Space({"m": Float(0, 1).when(optimiser="sgd")}),
        "unknown hyperparameter 'optimiser'",
    ),
    "an empty choice": (lambda: Choice(), "Choice needs at least one value, got none"),
    "shares of all rows": (
        lambda: hpt.holdout(hpt.load("wine"), test=0.5, validation=0.5),
        "that leave some for training",
    ),
}


@pytest.mark.parametrize(("call", "message"), CALLS.values(), ids=CALLS)
def test_a_call_that_cannot_be(call, message, tmp_path):
    with pytest.raises((InvalidInput, UnknownName)) as caught:
        call()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert there(tmp_path) == {}
