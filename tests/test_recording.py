"""Recordings: what was written, read back with the reader of the place it was written to."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import optuna
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import hpt
from hpt import recording, strategies
from hpt.training import Progress

from doubles import pretend

RATE = hpt.Float(1e-4, 1e-1, log=True)
ODD = hpt.Space(
    {
        "learning_rate": RATE,
        "units": hpt.Choice((8,), (8, 4)),
        "regularizer": hpt.Choice(None, "l2", 0.5),
        "optimizer": hpt.Choice("adam", "sgd"),
        "momentum": hpt.Float(0.8, 0.99).when(optimizer="sgd"),
        "nesterov": hpt.Choice(False, True).when(optimizer="sgd"),
        "batch_size": hpt.Choice(16, 128),
        "layers": hpt.Int(1, 3),
        "callback": hpt.Choice(1, min),
    }
)


def _odd():
    """Two folds; what no printer has is among the scores; some diverge, some raise, one is no number."""
    scores = iter(range(1000))

    def score(member):
        rate, number = member.configuration["learning_rate"], next(scores)
        if number in (4, 5):
            return np.nan
        if rate > 3e-2:
            curve = [{"epoch": 1, "train_loss": 1 / 3, "val_loss": np.inf, "score": np.nan}]
            return Progress("diverged", 'the loss, in "epoch 1", became nan', curve, stopped=True)
        return Progress("failed", "ValueError: no", stopped=True) if rate < 3e-4 else 1 / 3 + rate

    return pretend(hpt.task("wine", folds=2, epochs=2).with_space(ODD), score=score, trials=16)


def _interrupted():
    calls = []

    def score(member):
        calls.append(member)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return 0.5

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hpt.study, "TOGETHER", 2)
        return pretend(hpt.task("wine", epochs=2), score=score, trials=10)


def _hyperband():
    return pretend(hpt.task("wine", epochs=9), "hyperband")


def _population():
    return pretend(hpt.task("wine", epochs=9), strategies.pbt(population=4, every=3))


def _costs():
    task = hpt.task("diabetes", epochs=1, costs=("units",))
    return pretend(task, "random", lambda member: member.configuration["learning_rate"], trials=8)


MADE = {
    "odd": (_odd, ODD, {"complete", "diverged", "failed"}),
    "interrupted": (_interrupted, hpt.task("wine").space, {"complete", "interrupted"}),
    "hyperband": (_hyperband, hpt.task("wine").space, {"complete", "pruned"}),
    "population": (_population, hpt.task("wine").space, {"complete", "pruned"}),
    "costs": (_costs, hpt.task("diabetes").space, {"complete"}),
}


@pytest.fixture(scope="module")
def studies():
    return {name: make() for name, (make, _, _) in MADE.items()}


@pytest.fixture(params=MADE)
def made(request, studies):
    """A study, and the space that was searched."""
    _, space, states = MADE[request.param]
    study = studies[request.param]
    assert set(study.trials["status"]) == states
    return study, space


@pytest.fixture
def small(wine):
    return pretend(wine, trials=2)


@pytest.fixture
def offline(monkeypatch):
    """Whoever opens a connection to another machine is caught."""

    def connect(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "localhost", "::1"):
            raise AssertionError(f"connects to {address}")
        return real(self, address)

    real = socket.socket.connect
    monkeypatch.setattr(socket.socket, "connect", connect)


# --- plain files --------------------------------------------------------------------------------------


def test_plain_files_give_back_every_value_and_dtype(made, tmp_path):
    study, space = made
    recording.to_csv(study, tmp_path / "there")
    back = recording.read_csv(tmp_path / "there", space)
    for name in recording.FRAMES:
        assert_frame_equal(getattr(back, name), getattr(study, name), check_exact=True)
    assert back.configurations == study.configurations
    for one, other in zip(back.configurations, study.configurations, strict=True):
        assert list(map(type, one.values())) == list(map(type, other.values()))


def test_without_the_space_choices_are_labels_and_numbers_are_numbers(studies, tmp_path):
    study = studies["odd"]
    back = recording.read_csv(recording.to_csv(study, tmp_path / "there"))
    assert list(back.configurations) == [ODD.labels(configuration) for configuration in study.configurations]
    plain = ["learning_rate", "momentum", "batch_size", "layers", "optimizer", "score", "epochs", "reason"]
    assert_frame_equal(back.trials[plain], study.trials[plain], check_exact=True)
    assert set(back.trials["units"]) == {"(8,)", "(8, 4)"}
    assert set(back.trials["regularizer"]) == {"None", "'l2'", "0.5"}
    assert set(back.trials["callback"]) == {"1", "1:min"}
    missing = ["momentum" not in configuration for configuration in study.configurations]
    assert back.trials["nesterov"].isna().tolist() == missing
    assert any(missing) and not all(missing)


def test_a_spreadsheet_reads_the_files_as_they_are(studies, tmp_path):
    study = studies["odd"]
    table = pd.read_csv(recording.to_csv(study, tmp_path / "there") / "trials.csv")
    assert table["learning_rate"].tolist() == pytest.approx(study.trials["learning_rate"].tolist(), rel=1e-15)
    assert list(table.columns) == list(study.trials.columns)


def test_the_facts_say_what_the_search_was(studies, tmp_path):
    back = recording.read_csv(recording.to_csv(studies["costs"], tmp_path / "there"))
    said, task = back.facts, hpt.task("diabetes")
    assert (said["task"], said["strategy"], said["seed"], said["objective"]) == ("diabetes", "random", 0, "rmse")
    assert (said["direction"], said["costs"], said["interrupted"]) == ("minimize", ["units"], False)
    assert said["fingerprint"] == task.split.fingerprint
    assert said["versions"]["optuna"] == optuna.__version__
    distributions = {
        name: optuna.distributions.json_to_distribution(json.dumps(one)) for name, one in said["distributions"].items()
    }
    assert distributions == task.space.distributions()


def test_a_study_without_trials_is_a_recording_too(wine, tmp_path):
    from dataclasses import replace

    study = pretend(wine, trials=1)
    empty = replace(study, trials=study.trials[:0], curves=study.curves[:0], rungs=study.rungs[:0], configurations=())
    back = recording.read_csv(recording.to_csv(empty, tmp_path / "there"), wine.space)
    assert len(back.trials) == len(back.curves) == 0
    assert list(back.trials.columns) == list(study.trials.columns)


def test_the_wrong_space_and_an_empty_folder_are_refused(small, tmp_path):
    recording.to_csv(small, tmp_path / "there")
    with pytest.raises(hpt.InvalidInput, match=r"learning_rate: expected a number from 0\.5 to 1"):
        recording.read_csv(tmp_path / "there", hpt.task("wine").space.replace(learning_rate=hpt.Float(0.5, 1.0)))
    with pytest.raises(hpt.InvalidInput, match=r"holds no study\.json: name a folder"):
        recording.read_csv(tmp_path)


# --- TensorBoard --------------------------------------------------------------------------------------


def _accumulated(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    found.Reload()
    return found


def _scalars(run, tag):
    return [(event.step, event.value) for event in run.Scalars(tag)]


def _single(values):
    """Numbers as TensorBoard holds them: in single precision."""
    return [float(np.float32(value)) for value in values]


def test_tensorboard_reads_every_curve(made, tmp_path, offline):
    study, _ = made
    recording.to_tensorboard(study, tmp_path / "there")
    several = (study.curves["fold"] > 0).any()
    for number in study.trials["number"]:
        run = _accumulated(tmp_path / "there" / f"trial-{number:04}")
        curves = study.curves.query("trial == @number")
        for fold, own in curves.groupby("fold"):
            for name in ("train_loss", "val_loss", "score"):
                points = _scalars(run, f"{name}/fold {fold}" if several else name)
                assert [step for step, _ in points] == own["epoch"].tolist()
                assert np.array_equal([value for _, value in points], _single(own[name]), equal_nan=True)
        row = study.trials.loc[number]
        for name in ("accuracy", "f1", "rmse"):
            if name in study.trials and np.isfinite(row[name]):
                assert _scalars(run, f"final/{name}") == [(row["best_epoch"], *_single([row[name]]))]
            else:
                assert f"final/{name}" not in run.Tags()["scalars"]


def _hparams(folder):
    """The experiment and the table, as TensorBoard's page asks its server for them."""
    from tensorboard import context
    from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
    from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
    from tensorboard.plugins.hparams import api_pb2, backend_context, get_experiment, list_session_groups

    multiplexer = EventMultiplexer()
    multiplexer.AddRunsFromDirectory(str(folder))
    multiplexer.Reload()
    provider = MultiplexerDataProvider(multiplexer, str(folder))
    backend = backend_context.Context(SimpleNamespace(data_provider=provider))
    request, about = context.RequestContext(), api_pb2.GetExperimentRequest()
    content = backend.hparams_metadata(request, "")
    everything = backend.hparams_from_data_provider(request, "", limit=None)
    experiment = backend.experiment_from_metadata(request, "", True, content, everything)
    assert get_experiment.Handler(request, backend, "", about).run() == experiment
    statuses = [api_pb2.STATUS_UNKNOWN, api_pb2.STATUS_SUCCESS, api_pb2.STATUS_FAILURE]
    asked = api_pb2.ListSessionGroupsRequest(start_index=0, slice_size=1000, allowed_statuses=statuses)
    columns = [api_pb2.ColParams(hparam=info.name) for info in experiment.hparam_infos]
    columns += [api_pb2.ColParams(metric=info.name) for info in experiment.metric_infos]
    asked.col_params.extend(columns)
    table = list_session_groups.Handler(request, backend, "", asked).run().session_groups
    return experiment, sorted(table, key=lambda group: group.name)


def _plain(value):
    return getattr(value, value.WhichOneof("kind"))


def test_tensorboard_shows_the_table_of_hyperparameters(made, tmp_path, offline):
    study, space = made
    experiment, table = _hparams(recording.to_tensorboard(study, tmp_path / "there"))
    tried = {name for configuration in study.configurations for name in configuration}
    assert {info.name for info in experiment.hparam_infos} == tried
    metrics = list(study.trials.columns)
    metrics = metrics[metrics.index("score") + 1 : metrics.index("best_epoch")]
    assert [info.display_name for info in experiment.metric_infos] == metrics
    assert [group.name for group in table] == [f"trial-{number:04}" for number in study.trials["number"]]
    state = {"complete": "SUCCESS", "diverged": "FAILURE", "failed": "FAILURE"}
    from tensorboard.plugins.hparams.api_pb2 import Status

    for group, configuration, row in zip(table, study.configurations, study.trials.to_dict("records"), strict=True):
        shown = {name: _plain(value) for name, value in group.hparams.items()}
        labels = space.labels(configuration)
        if "batch_size" in labels:
            labels["batch_size"] = configuration["batch_size"]  # a choice of numbers is a number on the page
        assert shown == labels
        assert Status.Name(group.sessions[0].status) == f"STATUS_{state.get(row['status'], 'UNKNOWN')}"
        finite = [row[name] for name in metrics if np.isfinite(row[name])]
        assert [metric.value for metric in group.metric_values] == _single(finite)


def test_tensorboard_knows_the_domains(studies, tmp_path):
    experiment, _ = _hparams(recording.to_tensorboard(studies["odd"], tmp_path / "there"))
    infos = {info.name: info for info in experiment.hparam_infos}
    rate, layers = infos["learning_rate"].domain_interval, infos["layers"].domain_interval
    assert (rate.min_value, rate.max_value) == (1e-4, 1e-1)
    assert (layers.min_value, layers.max_value) == (1, 3)
    discrete = {name: list(infos[name].domain_discrete) for name in ("units", "batch_size", "optimizer", "callback")}
    assert discrete == {
        "units": ["(8, 4)", "(8,)"],
        "batch_size": [16, 128],
        "optimizer": ["adam", "sgd"],
        "callback": ["1", "1:min"],
    }


# --- Weights & Biases ---------------------------------------------------------------------------------


def test_wandb_keeps_a_run_a_trial(made, tmp_path, offline, capfd):
    pytest.importorskip("wandb")
    study, space = made
    runs = recording.read_wandb(recording.to_wandb(study, tmp_path / "there", project="mine"))
    assert capfd.readouterr() == ("", "")
    assert runs["name"].tolist() == [f"trial-{number:04}" for number in study.trials["number"]]
    assert set(runs["project"]) == {"mine"}
    assert set(runs["group"]) == {f"{study.task} by {study.strategy}, seed 0"}
    assert runs["tags"].tolist() == [[status] for status in study.trials["status"]]
    assert ((runs["exit_code"] == 0) == study.trials["status"].isin(["complete", "pruned"])).all()
    several = (study.curves["fold"] > 0).any()
    for run, configuration, row in zip(
        runs.to_dict("records"), study.configurations, study.trials.to_dict("records"), strict=True
    ):
        labels = space.labels(configuration)
        shown = {
            name: value if value is None or isinstance(value, bool | int | float | str) else labels[name]
            for name, value in configuration.items()
        }
        assert {name: run["config"][name] for name in space if name in run["config"]} == shown
        assert run["config"]["study"] == recording.facts(study)
        for name in ("accuracy", "rmse", "best_epoch", "epochs", "seconds", "seed", "status", "reason", "parent"):
            if name in row and row[name] == row[name]:
                assert run["summary"][name] == row[name]
            else:
                assert name not in run["summary"]
        curves = study.curves.query("trial == @row['number']")
        assert len(run["history"]) == curves["epoch"].nunique()
        for fold, own in curves.groupby("fold"):
            for name in ("train_loss", "val_loss", "score"):
                tag = f"{name}/fold {fold}" if several else name
                found = [point[tag] for point in run["history"]]
                assert np.array_equal(np.array(found, dtype=float), own[name], equal_nan=True)


def test_wandbs_own_program_finds_the_runs(small, tmp_path):
    pytest.importorskip("wandb")
    recording.to_wandb(small, tmp_path / "there")
    command = [sys.executable, "-m", "wandb", "sync", "--dry-run"]
    done = subprocess.run(command, cwd=tmp_path / "there", capture_output=True, text=True, timeout=60, check=False)
    assert "Would sync 2 run(s)" in done.stdout + done.stderr


def test_runs_do_not_name_the_machine(small, tmp_path):
    pytest.importorskip("wandb")
    recording.to_wandb(small, tmp_path / "there")
    files = list((tmp_path / "there").rglob("*.wandb"))
    assert len(files) == 2
    name = socket.gethostname().encode()  # may be two letters, which an identifier may hold: so as a whole text
    secrets = [bytes([len(name)]) + name, b'"%b"' % name, *map(os.fsencode, (Path.home(), sys.executable, __file__))]
    for file in files:
        content = file.read_bytes()
        assert b"learning_rate" in content
        assert [secret for secret in secrets if secret in content] == []


def test_nothing_of_wandb_is_left_running(small, tmp_path):
    pytest.importorskip("wandb")
    psutil = pytest.importorskip("psutil")
    recording.to_wandb(small, tmp_path / "there")
    assert [child.name() for child in psutil.Process().children() if "wandb" in child.name()] == []


def test_a_run_of_ones_own_goes_on(small, tmp_path):
    wandb = pytest.importorskip("wandb")
    (tmp_path / "mine").mkdir()
    settings = wandb.Settings(silent=True, console="off", x_disable_stats=True)
    with wandb.init(mode="offline", project="own", name="mine", dir=tmp_path / "mine", settings=settings) as run:
        recording.to_wandb(small, tmp_path / "there")
        assert wandb.run is run
        run.log({"x": 0.1})
    wandb.teardown()
    back = recording.read_wandb(tmp_path / "mine")
    assert (back["name"].tolist(), back["history"].tolist()) == (["mine"], [[{"x": 0.1}]])


def test_a_long_message_of_wandb_is_put_together_from_its_pieces(studies, tmp_path):
    """A reason of 100,000 letters does not fit into one block of the file."""
    pytest.importorskip("wandb")
    from dataclasses import replace

    study = studies["costs"]
    long = "x" * 100_000
    study = replace(study, trials=study.trials.assign(reason=long))
    runs = recording.read_wandb(recording.to_wandb(study, tmp_path / "there"))
    assert [summary["reason"] for summary in runs["summary"]] == [long] * 8


# --- Optuna -------------------------------------------------------------------------------------------


def _journal(file):
    return optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(file)))


def test_a_journal_gives_back_the_record(made, tmp_path, offline):
    study, _ = made
    name = recording.to_storage(study, tmp_path / "new" / "study.journal")
    assert name == f"{study.task} by {study.strategy}, seed 0"
    back = optuna.load_study(study_name=name, storage=_journal(tmp_path / "new" / "study.journal"))
    assert back.directions == study.record.directions
    assert back.metric_names == [study.objective, *study.costs]
    assert back.user_attrs == recording.facts(study)
    for one, other in zip(back.trials, study.record.trials, strict=True):
        for what in ("number", "state", "values", "params", "distributions", "datetime_start", "datetime_complete"):
            assert getattr(one, what) == getattr(other, what)
        assert one.intermediate_values == pytest.approx(other.intermediate_values, rel=0, abs=0, nan_ok=True)
        assert one.user_attrs == pytest.approx(other.user_attrs, nan_ok=True)


def test_a_database_does_so_as_well(small, tmp_path):
    where = f"sqlite:///{tmp_path / 'study.db'}"
    back = optuna.load_study(study_name=recording.to_storage(small, where, name="mine"), storage=where)
    assert [trial.values for trial in back.trials] == [trial.values for trial in small.record.trials]  # noqa: PD011
    assert [trial.params for trial in back.trials] == [trial.params for trial in small.record.trials]


def _asked(app, path):
    """Ask a web application in this process, as its own page does."""
    from wsgiref.util import setup_testing_defaults

    environ, status = {"PATH_INFO": path}, []
    setup_testing_defaults(environ)
    environ["PATH_INFO"] = path
    body = b"".join(app(environ, lambda line, headers, *rest: status.append(line)))
    assert status == ["200 OK"], body
    return json.loads(body)


def test_the_dashboard_lists_the_study_with_its_trials(studies, tmp_path, offline):
    dashboard = pytest.importorskip("optuna_dashboard")
    file = str(tmp_path / "all.journal")
    names = [recording.to_storage(study, file, name=name) for name, study in studies.items()]
    app = dashboard.wsgi(_journal(file))
    listed = _asked(app, "/api/studies")["study_summaries"]
    assert [one["study_name"] for one in listed] == names
    for one, study in zip(listed, studies.values(), strict=True):
        shown = _asked(app, f"/api/studies/{one['study_id']}")
        assert len(shown["trials"]) == len(study.record.trials)
        for trial, own in zip(shown["trials"], study.record.trials, strict=True):
            assert [float(value) for value in trial.get("values") or []] == (own.values or [])  # noqa: PD011


# --- nothing is overwritten ---------------------------------------------------------------------------

WRITERS = [recording.to_csv, recording.to_tensorboard, recording.to_wandb]


@pytest.mark.parametrize("write", WRITERS)
def test_a_folder_that_holds_something_is_left_alone(small, tmp_path, write):
    (tmp_path / "mine.txt").write_text("mine")
    for place in (tmp_path, tmp_path / "mine.txt"):
        with pytest.raises(hpt.InvalidInput, match="holds something already, and nothing is overwritten") as caught:
            write(small, place)
        assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_a_name_that_is_taken_is_refused_and_another_one_is_added(small, tmp_path):
    file = tmp_path / "study.journal"
    recording.to_storage(small, file)
    before = file.read_bytes()
    with pytest.raises(hpt.InvalidInput, match="holds a study 'wine by random, seed 0' already: give another name="):
        recording.to_storage(small, file)
    assert file.read_bytes().startswith(before)
    recording.to_storage(small, file, name="again")
    storage = _journal(file)
    assert sorted(optuna.get_all_study_names(storage)) == ["again", "wine by random, seed 0"]
    assert len(optuna.load_study(study_name="again", storage=storage).trials) == 2


@pytest.mark.parametrize("content", ["not a journal\n", '{"some": "json"}\n', "[1]\n"])
def test_a_file_that_is_no_journal_is_left_alone(small, tmp_path, content):
    file = tmp_path / "notes.txt"
    file.write_text(content)
    with pytest.raises(hpt.InvalidInput, match="is no journal of Optuna's"):
        recording.to_storage(small, file)
    assert file.read_text() == content


@pytest.mark.parametrize(
    ("call", "module", "extra"),
    [
        (recording.to_tensorboard, "tensorboard.summary.writer.record_writer", "tensorboard"),
        (recording.to_wandb, "wandb", "wandb"),
        (lambda study, folder: recording.read_wandb(folder), "wandb.proto", "wandb"),
    ],
)
def test_what_is_not_installed_is_named(small, tmp_path, monkeypatch, call, module, extra):
    with contextlib.suppress(ImportError):
        __import__(module)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(hpt.errors.MissingExtra, match=rf"not installed: pip install 'hpt\[{extra}\]'"):
        call(small, tmp_path / "there")
    assert not (tmp_path / "there").exists()
