"""Nothing that comes from a file is run as code, and nobody is told what is done here."""

import ast
import os
import pickle
import re
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import optuna
import pytest

import hpt
from hpt import recording
from hpt.command import main
from hpt.training import ray as with_ray

from doubles import Pretend, pretend

ROOT = Path(hpt.__file__).parents[1]

# --- what is read is never run ------------------------------------------------------------------------

UNSAFE = {
    "eval", "exec", "compile", "__import__", "pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal",
    "shelve", "pandas.read_pickle", "torch.load", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "os.system",
    "os.popen", "keras.config.enable_unsafe_deserialization", "tempfile.mktemp",
}  # fmt: skip
"""Calls of these, and of what is inside them."""
METHODS = {"read_pickle", "to_pickle", "load_model", "unsafe_load", "extractall", "enable_unsafe_deserialization"}
"""And these, of whatever object."""
ALLOWED = {
    ("book/reference/command-line.md", "keras.models.load_model"): "a file that the cell before has written, read in "
    "Keras's safe mode",
    (
        "book/strategies/population-based-training.md",
        "keras.models.load_model",
    ): "shown, not executed: a checkpoint that "
    "the search itself has written, of layers that Keras knows, in Keras's safe mode",
}


def names_of(tree):
    """What each imported name stands for."""
    known = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            known |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom):
            known |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return known


def unsafe(source):
    """The unsafe calls in a piece of code, by their full names."""
    tree, found = ast.parse(source), []
    known = names_of(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        first, *rest = ast.unparse(node.func).split(".")
        name = ".".join([known.get(first, first), *rest])
        keywords = {one.arg: ast.unparse(one.value) for one in node.keywords}
        inside = any(name == one or name.startswith(f"{one}.") for one in UNSAFE)
        unpickles = name == "numpy.load" and keywords.get("allow_pickle") != "False"
        trusts = keywords.get("safe_mode", "True") != "True" or keywords.get("shell", "False") != "False"
        if inside or unpickles or trusts or METHODS & set(rest[-1:]):
            found.append(name)
    return found


def pieces():
    """The package and the build, file by file, and the cells of the chapters and what they show."""
    for folder in ("hpt", "_ext"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path, path.read_text()
    for path in sorted((ROOT / "book").rglob("*.md")):
        blocks = re.findall(r"^```\{?(?:code-cell|python|code-block)[^\n]*\n(.*?)^```", path.read_text(), re.M | re.S)
        for block in blocks:
            lines = re.sub(r"\A---\n.*?^---\n|^:[\w-]+:.*$", "", block, flags=re.M | re.S).splitlines()
            yield path, "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in lines)


def test_no_call_can_run_what_it_reads():
    seen, found, skipped = set(), set(), []
    for path, source in pieces():
        seen.add(path.parent.name)
        try:
            calls = unsafe(textwrap.dedent(source))
        except SyntaxError:  # a fragment that is shown, such as one with an ellipsis in it
            calls = [word for word in (*UNSAFE, *METHODS) if re.search(rf"\b{re.escape(word)}\(", source)]
            skipped.append(path)
        found |= {(path.relative_to(ROOT).as_posix(), call) for call in calls}
    assert found == set(ALLOWED)
    assert {"hpt", "_ext", "strategies", "training"} <= seen
    assert len(skipped) < 5, skipped


@pytest.mark.parametrize(
    ("source", "call"),
    [
        ("import pickle as p\np.loads(b'')", "pickle.loads"),
        ("from pickle import load as read\nread(file)", "pickle.load"),
        ("import numpy as np\nnp.load('x.npy', allow_pickle=True)", "numpy.load"),
        ("from numpy import load\nload('x.npz')", "numpy.load"),
        ("frame.to_pickle('x')", "frame.to_pickle"),
        ("import keras\nkeras.models.load_model('x.keras')", "keras.models.load_model"),
        ("from keras.saving import load_model\nload_model('x.keras', safe_mode=False)", "keras.saving.load_model"),
        ("archive.extractall()", "archive.extractall"),
        ("def f():\n    return eval(text)", "eval"),
        ("import subprocess\nsubprocess.run(line, shell=True)", "subprocess.run"),
    ],
)
def test_the_search_for_such_calls_finds_them(source, call):
    assert unsafe(source) == [call]


@pytest.mark.parametrize(
    "source",
    [
        "import numpy as np\nnp.load('x.npz', allow_pickle=False)",
        "import ast\nast.literal_eval(text)",
        "frame.eval('a + b')",
        "import yaml\nyaml.safe_load(text)",
        "model.load_weights('x.weights.h5')",
    ],
)
def test_and_nothing_else(source):
    assert unsafe(source) == []


def cmaes(**changes):
    """A study by CMA-ES, whose optimizer Optuna keeps as a pickle in the record."""
    return pretend(hpt.task("diabetes", epochs=1), "cmaes", trials=30, **changes)


@pytest.mark.parametrize("where", ["studies.journal", "sqlite:///studies.db"])
def test_no_storage_holds_a_pickle(where, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = cmaes(storage=where, name="kept")
    noted = {key: value for trial in study.record.trials for key, value in trial.system_attrs.items()}
    assert type(pickle.loads(bytes.fromhex(noted["cma:optimizer:0"] + noted["cma:optimizer:1"]))).__name__ == "CMA"
    recording.to_storage(study, where, name="copied")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    for path in files:
        held = path.read_bytes()
        assert b"cma:" not in held and noted["cma:optimizer:0"][:40].encode() not in held
    journal = optuna.storages.journal
    storage = where if "://" in where else optuna.storages.JournalStorage(journal.JournalFileBackend(where))
    for name in ("kept", "copied"):
        assert [trial.system_attrs for trial in optuna.load_study(study_name=name, storage=storage).trials] == [{}] * 30


def test_a_journal_in_a_file_has_no_snapshot():
    """Optuna keeps those as pickles, of other journals."""
    assert not hasattr(optuna.storages.journal.JournalFileBackend, "load_snapshot")
    assert hasattr(optuna.storages.journal.JournalRedisBackend, "load_snapshot")


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_a_pickle_that_somebody_put_into_a_storage_is_left_alone(tmp_path):
    """Where Optuna's CMA-ES would look for its optimizer."""
    trap = pickle.dumps(Trap(tmp_path / "sprung"))
    where, calls = f"sqlite:///{tmp_path / 'studies.db'}", []

    def interrupted(member):
        calls.append(member)
        if len(calls) == 20:
            raise KeyboardInterrupt
        return member.configuration["learning_rate"]

    task = hpt.task("diabetes", epochs=1)
    hpt.tune(task, "cmaes", trials=30, storage=where, name="trapped", trainer=Pretend(interrupted))
    with sqlite3.connect(tmp_path / "studies.db") as data:
        trials = [number for (number,) in data.execute("SELECT trial_id FROM trials")]
        row = "INSERT INTO trial_system_attributes (trial_id, key, value_json) VALUES (?, ?, ?)"
        data.executemany(row, [(n, "cma:optimizer:0", f'"{trap.hex()}"') for n in trials])
        data.executemany(row, [(n, "cma:generation", "0") for n in trials])
    data.close()
    assert trials
    study = hpt.resume(where, "trapped", trainer=Pretend(lambda member: member.configuration["learning_rate"]))
    assert len(study.trials) == 30
    assert not (tmp_path / "sprung").exists()
    pickle.loads(trap)
    assert (tmp_path / "sprung").exists()


# --- what is read is never sent to the terminal, or into a page, as it is ------------------------------


def test_a_name_from_a_file_gives_no_orders_to_the_terminal(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"\x1b[2J{i % 3},{i},x\x1b]0;owned\x07\n" for i in range(30))
    Path("x.csv").write_text(f"\x1b[31mred,size,fixed\x07\n{rows}")
    for target in ("rad", "fixed\x07", "\x1b[31mred"):
        main(["tune", "x.csv", "--target", target])
        assert capsys.readouterr().err.removesuffix("\n").isprintable()


def test_a_name_from_a_file_is_text_in_a_report(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = "<script>alert(1)<&script>.csv"
    Path(name).write_text("a,y\n" + "".join(f"{i * 7 % 13},{i % 9}.5\n" for i in range(30)))
    monkeypatch.setattr("hpt.command.actions.Stack", lambda: Pretend(lambda member: 0.5))
    monkeypatch.setattr("hpt.command.aside._load_tensorflow", lambda: None)
    assert main(["tune", name, "--target", "y", "--trials", "3", "--storage", "s.journal", "--quiet"]) == 0
    assert main(["report", "s.journal", "--html", "report.html"]) == 0
    page = Path("report.html").read_text()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script" not in page
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//|url\(["']?(?:https?:)?//|@import""", page)


# --- nobody is told -------------------------------------------------------------------------------------

ORDERS = {
    "hpt last": "import ray, wandb; import hpt.recording, hpt.training.ray",
    "by a library": "import hpt.libraries.with_ray, hpt.recording; import wandb",
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
@pytest.mark.slow
def test_rays_and_wandbs_reports_are_off_in_whatever_order_they_are_imported(order):
    pytest.importorskip("ray")
    pytest.importorskip("wandb")
    asked = "from ray._common.usage import usage_lib; from wandb.env import error_reporting_enabled"
    code = f"{order}; {asked}; print(usage_lib.usage_stats_enabled(), error_reporting_enabled())"
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "WANDB_"))}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=clean, check=True)
    assert ran.stdout.split()[-2:] == ["False", "False"]


def test_ray_is_started_here_without_its_reports_and_without_its_page(monkeypatch):
    ray = pytest.importorskip("ray")
    seen = []

    def init(address, **how):
        seen.append((address, how["include_dashboard"], os.environ["RAY_USAGE_STATS_ENABLED"]))

    monkeypatch.setattr(ray, "is_initialized", lambda: bool(seen))
    monkeypatch.setattr(ray, "init", init)
    with_ray.connect(workers=2)
    assert seen == [("local", False, "0")]


def test_what_somebody_has_said_of_these_reports_holds():
    code = "import os, hpt.recording; print(os.environ['WANDB_ERROR_REPORTING'])"
    said = {**os.environ, "WANDB_ERROR_REPORTING": "true"}
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=said).stdout == "true\n"
