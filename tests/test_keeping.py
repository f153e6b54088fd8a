"""Kept studies: interrupted anywhere, they end as if nothing had happened; opened as others, they are refused."""

import json
import os
import signal
import time
from dataclasses import replace
from functools import partial
from importlib import import_module

import keras
import numpy as np
import optuna
import pytest
from sklearn.preprocessing import MinMaxScaler

import hpt
from hpt import backends, keeping, storage, strategies
from hpt.training.keras_loop import KerasLoop
from hpt.training.stack import Stack

from doubles import Pretend, same

BUDGETS = {
    **{name: {"trials": 4} for name in ("random", "sobol")},
    **{name: {"trials": 13} for name in ("tpe", "gp")},
    **{name: {"trials": 9} for name in ("evolution", "nsga2", "cmaes")},
}
SMALL = {
    "manual": strategies.manual([{"units": units, "learning_rate": 0.01} for units in (16, 32)]),
    "grid": strategies.grid(2),
    "evolution": strategies.evolution(4, 2),
    "nsga2": strategies.nsga2(4),
    "cmaes": strategies.cmaes(4),
    "pbt": strategies.pbt(5, 1),
}


def import_name(path):
    """A module, or a class in one."""
    try:
        return import_module(path)
    except ModuleNotFoundError:
        module, name = path.rsplit(".", 1)
        return getattr(import_module(module), name)


@pytest.fixture(scope="module")
def task():
    space = hpt.Space({"units": hpt.Choice(16, 32), "learning_rate": hpt.Float(1e-3, 1, log=True)})
    return hpt.task("wine", epochs=3, space=space)


@pytest.fixture(scope="module")
def stack():
    return Stack()


def tuned(task, strategy, **kwargs):
    return hpt.tune(task, SMALL.get(strategy, strategy), **{"seed": 1, **BUDGETS.get(strategy, {}), **kwargs})


class Until:
    """A trainer that Ctrl-C stops in some round, and that remembers how many members it has trained."""

    def __init__(self, trainer, rounds):
        self.trainer, self.left, self.trained = trainer, rounds, 0

    def together(self, task):
        return 3  # more rounds than with 64

    def start(self, task, members):
        return self.trainer.start(task, members)

    def advance(self, waiting):
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1
        self.trained += sum(len(run.progress) for run, _ in waiting)
        self.trainer.advance(waiting)


# --- the same end --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", strategies.STRATEGIES)
def test_stopped_after_every_round_it_ends_as_if_it_had_not(task, stack, name, tmp_path):
    alone = tuned(task, name, trainer=(whole := Until(stack, -1)))
    trained, rounds, study = 0, 0, None
    while study is None or study.interrupted:
        study = tuned(task, name, storage=tmp_path / "x.journal", trainer=(part := Until(stack, 1)))
        trained += part.trained
        rounds += 1
    assert rounds > 1 or whole.left == -2
    assert same(study, alone)
    assert trained == whole.trained  # nothing was trained twice
    assert same(storage.read(tmp_path / "x.journal", task=task), alone)


def test_a_study_that_ended_comes_back_without_training(task, stack, tmp_path):
    where = tmp_path / "x.journal"
    study = tuned(task, "hyperband", trainer=stack, storage=where)
    before = where.read_bytes()
    for again in (
        hpt.resume(where, task=task, trainer=Until(stack, 0)),
        tuned(task, "hyperband", trainer=Until(stack, 0), storage=where),
    ):
        assert again.trials.equals(study.trials)  # the seconds too: they are those of then
        assert same(again, study)
    assert where.read_bytes() == before


@pytest.mark.parametrize("address", ["{}/x.journal", "sqlite:///{}/x.db"])
def test_a_journal_and_a_database_keep_the_same(task, stack, address, tmp_path):
    where = address.format(tmp_path)
    alone = tuned(task, "bohb", trainer=stack)
    assert tuned(task, "bohb", storage=where, trainer=Until(stack, 2)).interrupted
    assert same(storage.resume(where, task=task, trainer=stack), alone)
    listed = storage.studies(where).iloc[0]
    assert listed[["name", "task", "strategy", "seed", "trials", "ended", "best"]].tolist() == [
        *("wine by bohb, seed 1", "wine", "bohb", 1),
        *(len(alone.trials), True, alone.best_score),
    ]


def test_optuna_opens_what_is_kept(task, stack, tmp_path):
    study = tuned(task, "hyperband", trainer=stack, storage=f"sqlite:///{tmp_path}/x.db", name="mine")
    loaded = optuna.load_study(study_name="mine", storage=f"sqlite:///{tmp_path}/x.db")
    assert loaded.best_value == study.best_score
    assert sorted(trial.user_attrs["trial"] for trial in loaded.trials) == study.trials["number"].tolist()
    assert loaded.metric_names == ["accuracy"]
    told = {trial.user_attrs["trial"]: trial for trial in loaded.trials}
    assert [told[n].params for n in study.trials["number"]] == [
        task.space.labels(configuration) for configuration in study.configurations
    ]


def dropping(units=16, rate=0.3):
    """A network that only the Keras loop trains, with layers that draw at every step."""

    class Noise(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.seeds = keras.random.SeedGenerator(7)

        def call(self, x, training=False):
            return x + 0.1 * keras.random.normal(keras.ops.shape(x), seed=self.seeds) if training else x

    model = keras.Sequential([Noise(), keras.layers.Dense(units, "relu"), keras.layers.Dropout(rate, seed=3)])
    model.add(keras.layers.Dense(3, "softmax"))
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


@pytest.mark.parametrize(
    ("strategy", "trainer", "patience"),
    [("hyperband", KerasLoop, None), ("hyperband", Stack, 1), ("pbt", KerasLoop, 1), ("pbt", Stack, None)],
)
def test_networks_of_the_keras_loop_go_on_from_their_weights(strategy, trainer, patience, tmp_path):
    space = hpt.Space({"units": hpt.Choice(4, 8), "batch_size": hpt.Choice(32, 64)})
    if strategy == "pbt":
        space = hpt.Space({"rate": hpt.Float(0.1, 0.4), "batch_size": hpt.Int(16, 64)})
    task = hpt.Task.from_keras(dropping, hpt.load("wine"), space, epochs=3, name="own")
    chosen = strategies.pbt(3, 1) if strategy == "pbt" else strategies.hyperband(3)
    alone = hpt.tune(task, chosen, trainer=trainer(), patience=patience)
    study = None
    while study is None or study.interrupted:
        study = hpt.tune(task, chosen, trainer=Until(trainer(), 1), patience=patience, storage=tmp_path / "x", name="a")
    assert same(study, alone)


@pytest.mark.parametrize("seed", [1, 2])
def test_heirs_that_fail_stay_failed(seed, tmp_path):
    def growing(dropout=0.1):
        model = keras.Sequential([keras.layers.Dense(int(4 + 20 * dropout), "relu"), keras.layers.Dense(3, "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    own = hpt.Task.from_keras(growing, hpt.load("wine"), hpt.Space({"dropout": hpt.Float(0.1, 0.5)}), epochs=5)
    alone = hpt.tune(own, strategies.pbt(6, 1), seed=seed)
    assert "failed" in set(alone.trials["status"])
    study = None
    while study is None or study.interrupted:
        study = hpt.tune(own, strategies.pbt(6, 1), seed=seed, trainer=Until(Stack(), 1), storage=tmp_path / "x")
    assert same(study, alone)


def test_a_network_that_breaks_stays_broken(task, stack, tmp_path):
    wild = task.with_space(learning_rate=hpt.Float(1e-3, 1e20, log=True), units=hpt.Choice(16, 2000))
    wild = replace(wild, limits=hpt.Limits(megabytes=10), defaults={"optimizer": "sgd", "layers": 1})
    alone = hpt.tune(wild, strategies.successive_halving(9), trainer=stack)
    assert {"diverged", "complete"} <= set(alone.trials["status"])
    study = None
    while study is None or study.interrupted:
        study = hpt.tune(wild, strategies.successive_halving(9), trainer=Until(stack, 1), storage=tmp_path / "x")
    assert same(study, alone)


# --- another study -------------------------------------------------------------------------------------


CHANGES = {
    "seed 0, now it is 1": lambda t, k: (t, k | {"seed": 1}),
    "trials=3, now it is trials=4; open it as it was, or give another name= and seed=": lambda t, k: (
        t,
        k | {"trials": 4},
    ),
    "patience: nothing, now it is 2": lambda t, k: (t, k | {"patience": 2}),
    "space units: Choice(16, 32), now it is Choice(16, 64)": lambda t, k: (t.with_space(units=hpt.Choice(16, 64)), k),
    "networks trained for 3, now it is 4": lambda t, k: (replace(t, epochs=4), k),
    "other rows": lambda t, k: (hpt.task("wine", seed=5, epochs=3, space=t.space), k),
    "metrics": lambda t, k: (replace(t, metrics=("log_loss",)), k),
    "task wine, now it is vine": lambda t, k: (replace(t, name="vine"), k),
    "limits seconds: None, now it is 9": lambda t, k: (replace(t, limits=hpt.Limits(seconds=9)), k),
    "the space in the order units, learning_rate": lambda t, k: (
        replace(t, space=hpt.Space({name: t.space[name] for name in reversed([*t.space])})),
        k,
    ),
    "scaler None, now it is MinMaxScaler(feature_range=(0, 2))": lambda t, k: (
        replace(t, scaler=partial(MinMaxScaler, feature_range=(0, 2))),
        k,
    ),
    "the strategy random": lambda t, k: (t, k | {"strategy": "sobol"}),
}


@pytest.mark.parametrize("message", CHANGES)
def test_a_study_opened_as_another_is_refused_in_a_line(task, message, tmp_path):
    trainer, where = Pretend(lambda m: m.configuration["learning_rate"]), tmp_path / "x.journal"
    begun = {"strategy": "random", "trials": 3, "seed": 0}
    hpt.tune(task, **begun, storage=where, name="a", trainer=trainer)
    before = where.read_bytes()
    changed, kwargs = CHANGES[message](task, begun)
    with pytest.raises(hpt.InvalidInput, match=r"'a' in .*x\.journal was begun") as caught:
        hpt.tune(changed, **kwargs, storage=where, name="a", trainer=trainer)
    assert not list(tmp_path.rglob("*.process"))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert where.read_bytes() == before


def test_another_version_of_the_package_does_not_go_on(task, stack, tmp_path, monkeypatch):
    hpt.tune(task, "hyperband", storage=tmp_path / "x", trainer=Until(stack, 1))
    monkeypatch.setattr(hpt, "__version__", "9.9")
    with pytest.raises(hpt.InvalidInput, match=r"begun with hpt 0\.1\.0, now it is 9\.9"):
        hpt.tune(task, "hyperband", storage=tmp_path / "x", trainer=stack)


def test_a_storage_of_a_newer_format_is_refused(task, tmp_path, monkeypatch):
    trainer = Pretend(lambda m: 1.0)
    monkeypatch.setattr(keeping, "FORMAT", keeping.FORMAT + 1)
    hpt.tune(task, "random", trials=2, storage=tmp_path / "x", trainer=trainer)
    monkeypatch.undo()
    for open_it in (storage.studies, storage.read, storage.resume):
        with pytest.raises(hpt.InvalidInput, match="in a newer format: update hpt to read it"):
            open_it(tmp_path / "x")


def test_a_strategy_comes_back_from_what_was_written(task):
    for name in strategies.STRATEGIES:
        if name != "manual":
            chosen = SMALL.get(name) or strategies.resolve(name)
            assert keeping.made(json.loads(json.dumps(keeping.written(chosen, task.space))), task.space) == chosen
    listed = keeping.made(json.loads(json.dumps(keeping.written(SMALL["manual"], task.space))), task.space)
    assert [*listed.sampler.configurations] == [*SMALL["manual"].sampler.configurations]
    assert set(strategies.PARTS) >= {type(strategies.resolve(n).sampler).__name__ for n in BUDGETS}


def test_a_sampler_of_ones_own_must_be_given_again(task, tmp_path):
    class Mine(strategies.Random):
        pass

    mine, trainer = hpt.Strategy("mine", Mine()), Pretend(lambda m: m.configuration["learning_rate"])
    study = hpt.tune(task, mine, trials=2, storage=tmp_path / "x", trainer=trainer)
    with pytest.raises(hpt.InvalidInput, match="Mine is not a part of hpt, so it cannot be made again: give strategy="):
        hpt.resume(tmp_path / "x", task=task)
    again = hpt.resume(tmp_path / "x", task=task, strategy=hpt.Strategy("mine", Mine()))
    assert again.trials.equals(study.trials)


def test_what_resume_needs_is_said(task, tmp_path):
    where, trainer = tmp_path / "x", Pretend(lambda m: 1.0)
    with pytest.raises(hpt.InvalidInput, match="there is no storage"):
        hpt.resume(where)
    assert not where.exists()
    hpt.tune(hpt.task("wine"), "random", trials=2, storage=where, name="a", trainer=trainer)
    assert hpt.resume(where).task == "wine"  # a ready task makes itself
    hpt.tune(task, "random", trials=2, storage=where, name="b", source={"csv": "x.csv"}, trainer=trainer)
    with pytest.raises(hpt.InvalidInput, match=r"x holds 2 studies, so say which: 'a', 'b'"):
        hpt.resume(where)
    with pytest.raises(hpt.InvalidInput, match=r"postgresql://me:\*\*\*@there/db holds 2 studies"):  # no password
        storage.chosen(None, ["a", "b"], "postgresql://me:secret@there/db")
    with pytest.raises(hpt.InvalidInput, match="'b' searches 'wine', not a ready task or a changed one: give task="):
        hpt.resume(where, "b")
    with pytest.raises(hpt.UnknownName, match="unknown study 'bb': did you mean 'b'"):
        hpt.resume(where, "bb")
    assert storage.studies(where)["source"].tolist() == [None, {"csv": "x.csv"}]
    hpt.tune(task, "random", trials=2, storage=tmp_path / "y", name="c", source="x.csv", trainer=trainer)
    hpt.tune(task, "random", trials=2, storage=tmp_path / "y", name="d", trainer=trainer)
    assert storage.studies(tmp_path / "y")["source"].tolist() == ["x.csv", None]
    with pytest.raises(hpt.InvalidInput, match="give storage= as well"):
        hpt.tune(task, "random", trials=2, name="a")


def test_a_study_that_tune_has_not_begun_is_left_alone(task, tmp_path):
    study = hpt.tune(task, "random", trials=2, trainer=Pretend(lambda m: 1.0))
    hpt.recording.to_storage(study, tmp_path / "x", name="a")
    with pytest.raises(hpt.InvalidInput, match=r"'a' in .* was not begun by hpt\.tune"):
        hpt.tune(task, "random", trials=2, storage=tmp_path / "x", name="a", trainer=Pretend(lambda m: 1.0))
    assert storage.studies(tmp_path / "x").empty


# --- what goes wrong -----------------------------------------------------------------------------------


def journal(task, where, trainer=None):
    trainer = trainer or Pretend(lambda m: m.configuration["learning_rate"])
    return hpt.tune(task, SMALL["evolution"], trials=9, seed=1, storage=where, trainer=trainer)


def test_a_torn_last_line_costs_one_round(task, tmp_path):
    whole = journal(task, tmp_path / "whole")
    data = (tmp_path / "whole").read_bytes()
    first = data.index(b"\n", data.index(b"hpt:facts")) + 1
    cuts = np.random.default_rng(0).integers(first, len(data), 40)
    for cut in cuts:
        where = tmp_path / f"cut {cut}"
        where.write_bytes(data[:cut])
        assert same(journal(task, where), whole)
        assert same(storage.read(where, task=task), whole)
        told = [json.loads(line) for line in where.read_text().splitlines()]  # every line is whole again
        assert sum(line["op_code"] == 4 for line in told) == len(whole.trials)  # create a trial: none doubled


def test_a_line_damaged_in_the_middle_is_said(task, tmp_path):
    journal(task, tmp_path / "x")
    lines = (tmp_path / "x").read_bytes().splitlines(keepends=True)
    (tmp_path / "x").write_bytes(b"".join([*lines[:5], b"rubbish\n", *lines[6:]]))
    with pytest.raises(hpt.StorageError, match=r"x is damaged.*put a copy of it back"):
        journal(task, tmp_path / "x")


def test_a_study_that_is_open_is_refused_and_can_be_read(task, tmp_path):
    def look(member):
        with pytest.raises(hpt.StorageError, match=rf"is open already, in process {os.getpid()}: wait until it ends"):
            journal(task, tmp_path / "x")
        with pytest.raises(hpt.StorageError, match="is open already"):
            hpt.resume(tmp_path / "x", task=task)
        seen.append(len(storage.read(tmp_path / "x", task=task).trials))
        return member.configuration["learning_rate"]

    seen = []
    study = journal(task, tmp_path / "x", Pretend(look))
    assert len(seen) == len(study.trials) == 9
    journal(task, tmp_path / "x")  # it is free again


@pytest.mark.parametrize(
    "where",
    [
        "folder",
        "text.txt",
        "file/below.journal",
        "sqlite:///{}/no/where.db",
        "what://is/it",
        "redis://x/0",
        "/dev/full",
    ],
)
def test_what_is_no_storage_is_said_in_a_line(task, where, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.txt").write_text("hello")
    (tmp_path / "file").write_text("hello")
    before = sorted(tmp_path.rglob("*"))
    place = where.format(tmp_path) if "://" in where else tmp_path / where
    with pytest.raises((hpt.InvalidInput, hpt.StorageError)) as caught:
        journal(task, place)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("address", ["postgresql://me:secret@host/one", "what://me:secret@host/one"])
def test_a_password_is_not_printed(address, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((hpt.InvalidInput, hpt.StorageError), match=r"me:\*\*\*@host") as caught:
        storage.studies(address)
    assert "secret" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("postgresql://me:se@cret@host/one", r"postgresql://… holds more than one @: write %40 for an @"),
        ("postgresql://me:secret@host:54a/one", r"postgresql://… is no address of a database, such as .*postgresql://"),
        ("what:///one?host=there&password=secret", r"what:///one\?host=there "),
        ("what:///one?sslpassword=secret", r"what:///one "),
        ("what://me:se?c@cret@host/one", r"what://… holds more than one @"),
        ("what:///?odbc_connect=DSN%3Dx%3BPWD%3Dsecret", r"what:/// "),
    ],
)
def test_a_password_is_not_printed_wherever_it_stands(task, address, message):
    for call in (storage.studies, partial(journal, task)):
        with pytest.raises((hpt.InvalidInput, hpt.StorageError), match=message) as caught:
            call(address)
        assert "cret" not in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ModuleNotFoundError("no", name="psycopg"), r"needs the package psycopg, .*: pip install 'psycopg\[binary\]'"),
        (ModuleNotFoundError("no", name="asyncpg"), "needs the package asyncpg, .*: pip install 'asyncpg'"),
        (ImportError("no libpq\nat all"), "needs a package that does not start: no libpq$"),
    ],
)
def test_a_missing_driver_is_named(task, error, message, monkeypatch):
    def fails(dialect):
        raise error

    monkeypatch.setattr("sqlalchemy.dialects.postgresql.psycopg.PGDialect_psycopg.import_dbapi", classmethod(fails))
    for call in (storage.studies, partial(journal, task)):
        with pytest.raises(hpt.InvalidInput, match=rf"^postgresql\+psycopg://me:\*\*\*@host/one {message}"):
            call("postgresql+psycopg://me:secret@host/one")


@pytest.mark.parametrize("wrapped", [False, True])
def test_what_a_server_says_is_one_line_with_advice(wrapped):
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import OperationalError

    def fails():
        error = OperationalError("select 1", {}, Exception("connection refused\nIs the server running?"))
        if wrapped:
            raise StorageInternalError("An exception is raised during the commit.") from error
        raise error

    said = r"^postgresql://me:\*\*\*@host/one could not be opened or written \(connection refused\): "
    with (
        pytest.raises(hpt.StorageError, match=rf"{said}is its server up.* What was finished is kept$"),
        backends.telling("postgresql://me:secret@host/one"),
    ):
        fails()


def test_a_folder_for_locks_that_cannot_be_made_is_named():
    with (
        pytest.raises(hpt.StorageError, match=r"\(Permission denied: /home/me/\.hpt\)"),
        backends.telling("what://host/one"),
    ):
        raise PermissionError(13, "Permission denied", "/home/me/.hpt")


@pytest.mark.parametrize("left", [None, b"", b"text", 0.5])
def test_weights_that_are_gone_or_damaged_are_said(task, stack, left, tmp_path):
    where = tmp_path / "x.journal"
    hpt.tune(task, "hyperband", storage=where, trainer=Until(stack, 1))
    (weights,) = (tmp_path / "x.journal.d").glob("*.npz")
    data = weights.read_bytes()
    weights.unlink()
    if left is not None:
        weights.write_bytes(data[: len(data) // 2] if left == 0.5 else left)
    with pytest.raises(hpt.StorageError, match=r"npz, the weights of the networks on their way, is (gone|damaged)"):
        hpt.tune(task, "hyperband", storage=where, trainer=stack)


def test_scores_go_to_no_other_configurations(task, tmp_path, monkeypatch):
    """A round is on record and its trials are not yet; then the sampler draws otherwise, as in another version."""

    def fails_once_there_are_rounds(kept, search):
        if kept.rounds:
            raise RuntimeError("power")

    trainer = Pretend(lambda m: m.configuration["learning_rate"])
    with monkeypatch.context() as patch:
        patch.setattr(keeping.Kept, "tell", fails_once_there_are_rounds)
        with pytest.raises(RuntimeError, match="power"):
            hpt.tune(task, "random", trials=3, storage=tmp_path / "x", trainer=trainer)
    monkeypatch.setattr("hpt.samplers.basic.Random.propose", lambda *_: {"units": 16, "learning_rate": 0.5})
    with pytest.raises(hpt.StorageError, match="trained other networks than the search asks for"):
        hpt.tune(task, "random", trials=3, storage=tmp_path / "x", trainer=trainer)


def test_locks_open_where_the_step_after_them_fails(task, tmp_path, monkeypatch):
    where = tmp_path / "x.journal"
    kept = backends.backend(where)
    where.unlink()
    with pytest.raises(OSError, match="No such file"):
        kept.create_new_study([optuna.study.StudyDirection.MINIMIZE], "a")
    journal(task, where)
    monkeypatch.setattr(keeping.Path, "write_text", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    journal(task, where)
    monkeypatch.undo()
    journal(task, where)


class Server:
    """Stands in for a server with advisory locks: SQLite, with the function that takes one."""

    def __init__(self):
        self.owners, self.open = {}, {}

    def connected(self, connection, record):
        connection.create_function(
            "pg_try_advisory_lock", 1, lambda key: self.owners.setdefault(key, id(record)) == id(record)
        )
        self.open[id(record)] = connection

    def closed(self, connection, record):
        for key in [key for key, owner in self.owners.items() if owner == id(record)]:
            del self.owners[key]
        self.open.pop(id(record), None)

    def drop(self):
        """Close every connection that has a lock, as a server does that starts again."""
        for owner in set(self.owners.values()):
            self.open[owner].close()
        self.owners.clear()


@pytest.fixture
def server(monkeypatch):
    from sqlalchemy import Engine, event

    made = Server()
    monkeypatch.setattr(backends, "_has_locks", lambda where: str(where).startswith("sqlite"))
    for name, listener in (("connect", made.connected), ("close", made.closed)):
        event.listen(Engine, name, listener)
    yield made
    for name, listener in (("connect", made.connected), ("close", made.closed)):
        event.remove(Engine, name, listener)


def elsewhere(where):
    """The folder of locks on another machine."""
    return backends.file_of(where).with_name("elsewhere")


def test_a_study_that_another_machine_has_open_is_refused(task, server, tmp_path, monkeypatch):
    def look(member):
        with monkeypatch.context() as patch:
            for module in (backends, keeping):
                patch.setattr(module, "beside", elsewhere)
            with pytest.raises(hpt.StorageError, match="is open already, by another user or on another machine: wait"):
                journal(task, where)
        seen.append(member)
        return member.configuration["learning_rate"]

    where, seen = f"sqlite:///{tmp_path}/x.db", []
    study = journal(task, where, Pretend(look))
    assert len(seen) == 9
    assert not server.owners  # it is free again
    for module in (backends, keeping):
        monkeypatch.setattr(module, "beside", elsewhere)
    assert same(journal(task, where), study)


def test_a_connection_that_is_lost_is_made_again(task, server, tmp_path):
    def look(member):
        held.append(bool(server.owners))
        server.drop()
        return member.configuration["learning_rate"]

    where, held = f"sqlite:///{tmp_path}/x.db", []
    assert same(journal(task, where, Pretend(look)), journal(task, tmp_path / "whole"))
    assert held == [True, False, False, False, *[True] * 5]  # the lock is taken again before each of six rounds
    assert storage.studies(where)["trials"].tolist() == [9]


@pytest.mark.parametrize("ended", [True, False])
def test_who_lost_the_connection_leaves_the_study_to_who_went_on(task, server, ended, tmp_path, monkeypatch):
    def look(member):
        server.drop()
        with monkeypatch.context() as patch:
            for module in (backends, keeping):
                patch.setattr(module, "beside", elsewhere)
            if ended:
                journal(task, where)
            else:
                other.acquire(0)
        return member.configuration["learning_rate"]

    monkeypatch.setattr(keeping, "PATIENCE", 0.1)
    where = f"sqlite:///{tmp_path}/x.db"
    other = backends.ServerLock(where, backends.slug("wine by evolution, seed 1"))
    said = "another process went on with {}: resume it when that" if ended else "{} is locked now: resume it when it"
    with pytest.raises(hpt.StorageError, match="was lost, and " + said.format("'wine by evolution, seed 1'")):
        journal(task, where, Pretend(look))
    other.release()
    assert same(journal(task, where), journal(task, tmp_path / "whole"))
    assert storage.studies(where)["trials"].tolist() == [9]


def test_a_lock_that_stays_is_said(task, tmp_path, monkeypatch):
    monkeypatch.setattr(backends, "PATIENCE", 0.1)
    journal(task, tmp_path / "x")
    with (
        backends.FileLock(tmp_path / "x.d" / "journal.lock"),
        pytest.raises(hpt.StorageError, match=r"has been locked by another process for 0\.1 s: is it stuck"),
    ):
        hpt.tune(task, "random", trials=1, storage=tmp_path / "x", name="b", trainer=Pretend(lambda m: 1.0))


def test_reading_makes_nothing(task, tmp_path):
    import sqlite3

    with sqlite3.connect(tmp_path / "mine.db") as mine:
        mine.execute("create table mine (x)")
    before = (tmp_path / "mine.db").read_bytes()
    with pytest.raises(hpt.InvalidInput, match="is a database without studies"):
        storage.studies(f"sqlite:///{tmp_path}/mine.db")
    with pytest.raises(hpt.InvalidInput, match="there is no storage"):
        storage.studies(f"sqlite:///{tmp_path}/none.db")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.db"]
    assert (tmp_path / "mine.db").read_bytes() == before
    with pytest.raises(hpt.InvalidInput, match="is gone with its process: name a file"):
        journal(task, "sqlite:///:memory:")


def test_a_study_of_optunas_with_this_name_is_not_adopted(task, tmp_path):
    where = f"sqlite:///{tmp_path}/x.db"
    optuna.create_study(storage=where, study_name="n", direction="minimize")
    with pytest.raises(hpt.InvalidInput, match=r"was not begun by hpt\.tune"):
        hpt.tune(task, "random", trials=1, storage=where, name="n", trainer=Pretend(lambda m: 1.0))


def test_numbers_of_numpy_are_kept_and_other_sources_refused(task, tmp_path):
    trainer = Pretend(lambda m: m.configuration["learning_rate"])
    small = {"strategy": strategies.evolution(np.int64(4), 2), "trials": np.int64(5), "seed": np.int64(1)}
    hpt.tune(task, **small, storage=tmp_path / "x", trainer=trainer)
    with pytest.raises(hpt.InvalidInput, match="source= must be of dicts, lists"):
        hpt.tune(task, **small, storage=tmp_path / "y", trainer=trainer, source={1})
    with pytest.raises(hpt.InvalidInput, match="the name of a study is a text, got 5"):
        hpt.tune(task, **small, storage=tmp_path / "y", trainer=trainer, name=5)
    assert not (tmp_path / "y").exists()


def test_a_trainer_that_cannot_keep_is_refused_before_it_trains(task, tmp_path):
    class Run:
        def __init__(self, members):
            self.progress = [None for _ in members]

    class Plain(Until):
        def start(self, task, members):
            return Run(members)

    with pytest.raises(hpt.InvalidInput, match=r"cannot keep networks on their way: its runs lack state and restore"):
        hpt.tune(task, "hyperband", storage=tmp_path / "x", trainer=Plain(None, -1))


def test_what_ended_is_read_by_another_version_too(task, tmp_path, monkeypatch):
    study = journal(task, tmp_path / "x")
    monkeypatch.setattr(hpt, "__version__", "9.9")
    assert same(storage.read(tmp_path / "x", task=task), study)
    assert same(journal(task, tmp_path / "x"), study)


def test_one_study_of_a_newer_format_keeps_nobody_from_the_others(task, tmp_path, monkeypatch):
    study = journal(task, tmp_path / "x")
    with monkeypatch.context() as patch:
        patch.setattr(keeping, "FORMAT", keeping.FORMAT + 1)
        hpt.tune(task, "random", trials=2, storage=tmp_path / "x", name="new", trainer=Pretend(lambda m: 1.0))
    assert same(hpt.resume(tmp_path / "x", "wine by evolution, seed 1", task=task), study)
    with pytest.raises(hpt.InvalidInput, match="in a newer format"):
        hpt.resume(tmp_path / "x", "new", task=task)


def test_another_search_on_the_record_is_said(task, tmp_path, monkeypatch):
    journal(task, tmp_path / "x")
    monkeypatch.setattr("hpt.seeds.derive", lambda *address: 5)
    monkeypatch.setattr("hpt.search.derive", lambda *address: 5)
    with pytest.raises(hpt.StorageError, match="trained other networks than the search asks for"):
        journal(task, tmp_path / "x")


def test_nothing_is_pickled(task, stack, tmp_path):
    alone = tuned(task, "cmaes", trainer=stack)
    assert any(key.startswith("cma:") for trial in alone.record.trials for key in trial.system_attrs)
    tuned(task, "cmaes", trainer=stack, storage=tmp_path / "x")
    assert b"cma:" not in (tmp_path / "x").read_bytes()
    tuned(task, "pbt", trainer=Until(stack, 1), storage=tmp_path / "x")
    (weights,) = (tmp_path / "x.d").glob("*.npz")
    with np.load(weights, allow_pickle=False) as held:
        assert all(held[name].dtype != object for name in held.files)


# --- Ctrl-C --------------------------------------------------------------------------------------------


PLACES = ["hpt.keeping.Kept.add", "hpt.keeping.Kept.tell", "hpt.search.Search.judge", "hpt.samplers.base.fixed"]


@pytest.mark.parametrize("nth", [1, 2, 5])
@pytest.mark.parametrize("place", [None, *PLACES])
def test_ctrl_c_at_any_moment_returns_and_keeps_what_there_is(task, place, nth, tmp_path, monkeypatch):
    """Pressed in a training, or while results are put away: then it is heard before the next round."""
    calls = iter(range(1, 1000))

    def press(*args, **kwargs):
        if next(calls) == nth:
            signal.raise_signal(signal.SIGINT)

    def pressed(function):
        return lambda *args, **kwargs: (press(), function(*args, **kwargs))[1]

    whole = journal(task, tmp_path / "whole")

    def score(member):
        if place is None:
            press()
        return member.configuration["learning_rate"]

    if place:
        owner, name = place.rsplit(".", 1)
        monkeypatch.setattr(place, pressed(getattr(import_name(owner), name)))
    study = journal(task, tmp_path / "x", Pretend(score))
    monkeypatch.undo()
    assert study.interrupted
    done = study.trials[study.trials["status"] == "complete"]
    assert len(done) < 9 or storage.studies(tmp_path / "x")["ended"].all()
    assert done.drop(columns="seconds").equals(whole.trials.drop(columns="seconds").loc[done.index])
    assert storage.studies(tmp_path / "x")["trials"].sum() <= len(done)
    assert same(journal(task, tmp_path / "x"), whole)


def test_a_second_ctrl_c_is_not_held_back():
    def press():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)

    with keeping.Hold(Pretend(lambda m: 1.0)):
        press()
        with pytest.raises(KeyboardInterrupt):
            press()


def test_ctrl_c_is_as_before_afterwards():
    before = signal.getsignal(signal.SIGINT)
    with keeping.Hold(Pretend(lambda m: 1.0)):
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with keeping.Hold(Pretend(lambda m: 1.0)):
            assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


# --- limits --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trainer", [Stack, KerasLoop])
def test_a_network_over_a_limit_has_failed_and_the_search_goes_on(task, trainer):
    wide = replace(task.with_space(units=hpt.Choice(8, 20_000)), defaults={"layers": 1}, epochs=2)
    wide = replace(wide, limits=hpt.Limits(megabytes=1))
    study = hpt.tune(wide, "random", trials=8, trainer=trainer())
    large = study.trials["units"] == 20_000
    assert 0 < large.sum() < 8
    assert set(study.trials.loc[~large, "status"]) == {"complete"}
    assert set(study.trials.loc[large, "status"]) == {"failed"}
    assert "needs 5 MB for 340,003 parameters, over the limit of 1 MB" in study.trials.loc[large, "reason"].iloc[0]
    short = hpt.tune(replace(task, limits=hpt.Limits(seconds=1e-6), epochs=50), "random", trials=2, trainer=trainer())
    assert set(short.trials["status"]) == {"failed"}
    assert all("over the limit of 1e-06 s" in reason for reason in short.trials["reason"])
    assert (short.trials["epochs"] < 50).all()


def test_a_limit_that_is_not_reached_changes_nothing(task, stack):
    limited = replace(task, limits=hpt.Limits(seconds=1000, megabytes=1000), epochs=12)
    alone = hpt.tune(replace(task, epochs=12), "random", trials=3, trainer=stack)
    assert same(hpt.tune(limited, "random", trials=3, trainer=stack), alone)


@pytest.mark.parametrize("bad", [0, -1, True, "1", np.nan])
def test_a_limit_is_a_number_above_zero(bad):
    with pytest.raises(hpt.InvalidInput, match="must be a number above 0, or None for no limit"):
        hpt.Limits(seconds=bad)


@pytest.mark.parametrize("trainer", [Stack, KerasLoop])
def test_memory_that_runs_out_is_a_status(trainer):
    def greedy(units=8):
        if units > 8:
            raise MemoryError("Unable to allocate 9 TiB")
        model = keras.Sequential([keras.layers.Dense(units, "relu"), keras.layers.Dense(3, "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    space = hpt.Space({"units": hpt.Choice(8, 16)})
    study = hpt.tune(hpt.Task.from_keras(greedy, hpt.load("wine"), space, epochs=1), "grid", trainer=trainer())
    assert study.trials["status"].tolist() == ["complete", "failed"]
    assert study.trials["reason"].iloc[1] == "MemoryError: Unable to allocate 9 TiB"


def test_folders_beside_a_storage(tmp_path):
    assert backends.beside(tmp_path / "x.journal") == tmp_path / "x.journal.d"
    assert backends.beside(f"sqlite:///{tmp_path}/x.db") == tmp_path / "x.db.d"
    assert backends.beside("postgresql://host/one") != backends.beside("postgresql://host/two")
    (tmp_path / "y").symlink_to(tmp_path / "x.journal")
    assert backends.beside(tmp_path / "y") == backends.beside(tmp_path / "x.journal")
    assert backends.beside(f"sqlite+pysqlite:///{tmp_path}/x.db?timeout=3") == tmp_path / "x.db.d"
    assert backends.beside("postgresql://a:b@host/one") == backends.beside("postgresql+psycopg2://c:d@host/one")
    assert backends.beside("postgresql://a:b@host/one") == backends.beside(
        "postgresql:///one?host=host&user=c&password=d"
    )
    assert backends.beside("postgresql://host/one") == backends.beside("postgresql://HOST:5432/one")
    assert backends.beside("postgresql:///one?host=here") != backends.beside("postgresql:///one?host=there")


def test_opened_test_rows_are_on_record_for_every_study_of_their_split(task, tmp_path):
    where, trainer = tmp_path / "x", Pretend(lambda m: 1.0)
    for name in ("a", "b"):
        hpt.tune(task, "random", trials=2, storage=where, name=name, trainer=trainer)
    other = hpt.task("wine", seed=5, epochs=3, space=task.space)
    assert storage.opened(where, "a", task) is None
    storage.note_opened(where, "a")
    assert storage.opened(where, "a", task).endswith("for this study")
    assert storage.opened(where, "b", task).endswith("for 'a'")
    assert storage.opened(where, "b", other) is None


def test_fewer_start_at_once_with_a_storage(task, tmp_path):
    trainer = Pretend(lambda m: m.configuration["learning_rate"])
    hpt.tune(task, "random", trials=40, storage=tmp_path / "x", trainer=trainer)
    assert storage.studies(tmp_path / "x")["rounds"].tolist() == [3]  # 16, 16 and 8
