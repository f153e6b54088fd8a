"""Stacks spread over Ray's workers end with the bits that they have without it, also when a worker dies."""

import os
import signal
from dataclasses import replace

import numpy as np
import pytest

import hpt
from hpt.metrics import METRICS, metric
from hpt.training import Member
from hpt.training import ray as with_ray
from hpt.training.ray import RayStack, connect
from hpt.training.stack import Stack

from doubles import same

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def cluster():
    ray = connect(workers=2)
    yield ray
    ray.shutdown()


@pytest.fixture(scope="module")
def trainer():
    return RayStack()


@pytest.fixture(scope="module")
def wine():
    return hpt.task("wine", epochs=9)


@pytest.fixture(scope="module")
def alone(wine):
    return hpt.tune(wine, "hyperband", trainer=Stack())


@pytest.mark.parametrize("workers", [1, 2])
def test_a_study_is_exactly_what_it_is_without_ray(wine, alone, workers):
    trainer = RayStack(workers)
    assert same(hpt.tune(wine, "hyperband", trainer=trainer), alone)
    assert len(trainer.pids) >= 1
    assert os.getpid() not in trainer.pids
    assert sum(trainer.pids.values()) >= len(set(alone.rungs["bracket"]))


def test_a_driver_that_stops_is_replaced(wine, alone, tmp_path):
    class Once(RayStack):
        def train(self, jobs, data):
            if self.pids:
                raise KeyboardInterrupt
            return super().train(jobs, data)

    assert hpt.tune(wine, "hyperband", trainer=Once(), storage=tmp_path / "x.journal").interrupted
    assert same(hpt.resume(tmp_path / "x.journal", task=wine, trainer=RayStack()), alone)


def deadly(marker, always=False):
    """A metric that kills the worker in which it is asked, once or always, and is accuracy otherwise."""
    driver, accuracy = os.getpid(), metric("accuracy")

    def score(y, outputs):
        if os.getpid() != driver and (always or not os.path.exists(marker)):
            with open(marker, "a") as file:
                file.write(f"{os.getpid()}\n")
            os.kill(os.getpid(), signal.SIGKILL)
        return accuracy.score(y, outputs)

    return replace(accuracy, name="deadly", score=score)


def test_a_worker_that_is_killed_in_mid_rung_changes_nothing(wine, alone, trainer, tmp_path, monkeypatch):
    monkeypatch.setitem(METRICS, "deadly", deadly(tmp_path / "killed"))
    study = hpt.tune(replace(wine, metrics=("deadly", *wine.metrics)), "hyperband", trainer=trainer)
    [killed] = (tmp_path / "killed").read_text().split()
    assert int(killed) not in trainer.pids
    own = replace(study, trials=study.trials.drop(columns="deadly"))
    assert same(own, alone)


def test_members_whose_worker_dies_again_and_again_fail_and_the_others_go_on(wine, tmp_path, monkeypatch):
    monkeypatch.setattr(with_ray, "RETRIES", 0)
    monkeypatch.setitem(METRICS, "deadly", deadly(tmp_path / "killed", always=True))
    trainer = RayStack(1)
    run = trainer.start(replace(wine, metrics=("deadly",)), [Member({"units": 8}, 0), Member({"units": 0}, 1)])
    died, refused = run.advance(2)
    assert (died.status, died.reason) == ("failed", "its worker died, also after 0 retries (WorkerCrashedError)")
    assert refused.reason.startswith("InvalidInput")
    assert not trainer.pids


MEMBERS = [
    Member({"units": 8, "dropout": 0.3, "optimizer": "sgd", "patience": 2}, 3),
    Member({"units": (12, 5), "batch_norm": True}, 4),
    Member({"units": 9, "activation": "tanh", "clip_norm": 0.5}, 5),
]


def test_networks_come_back_with_all_that_they_have_become(wine, trainer):
    x = wine.arrays().x_validation
    there, here = (one.start(wine, MEMBERS) for one in (trainer, Stack()))
    for epoch, kept in ((3, [2, 0, 1]), (5, [0, 1, 1])):
        assert [replace(p, seconds=0) for p in there.advance(epoch)] == [
            replace(p, seconds=0) for p in here.advance(epoch)
        ]
        for run in (there, here):
            run.keep(kept)
    for i in range(3):
        assert there.outputs(i, x).tobytes() == here.outputs(i, x).tobytes()
        for one, other in zip(there.model(i).get_weights(), here.model(i).get_weights(), strict=True):
            assert one.tobytes() == other.tobytes()
        one, other = there._record(i), here._record(i)
        assert (one.step, one.waited, one.lowest) == (other.step, other.waited, other.lowest)
        for name in ("memory", "squares", "stats"):
            assert all(np.array_equal(a, b) for a, b in zip(getattr(one, name), getattr(other, name), strict=True))
            assert all(array.flags.writeable for array in getattr(one, name))


def test_any_keras_model_is_trained_on_ray_and_its_builder_stays_here(trainer):
    def build(configuration, shape):
        assert os.getpid() == driver
        return hpt.networks.cnn(configuration, shape)

    driver = os.getpid()
    task = replace(hpt.task("digits_cnn"), build=build)
    members = [Member({"filters": 4, "dropout": 0.2, "batch_size": 512}, 1)]
    there, here = (one.start(task, members) for one in (trainer, Stack()))
    before = sum(trainer.pids.values())
    [own], [other] = there.advance(1), here.advance(1)
    assert sum(trainer.pids.values()) == before + 1
    assert (own.status, own.curve, own.metrics) == (other.status, other.curve, other.metrics)


def test_what_is_raised_is_the_result_that_it_is_without_ray(wine, trainer):
    def build(configuration, shape):
        raise OSError("no network today")

    bad = [Member({"units": 8, "loss": "nonsense"}, 0), Member({"units": 8, "output_activation": "nonsense"}, 0)]
    for task, members in ((replace(wine, build=build), MEMBERS[:1]), (wine, bad)):
        there, here = (one.start(task, members) for one in (trainer, Stack()))
        own, other = there.advance(1), here.advance(1)
        assert [one.status for one in own] == ["failed"] * len(members)
        assert [one.reason for one in own] == [one.reason for one in other]
        assert there.plan.alone == here.plan.alone


def test_as_many_members_start_together_as_without_ray(wine, trainer):
    assert trainer.together(wine) == Stack().together(wine)
    few = replace(wine, build=hpt.networks.cnn)
    assert RayStack(20).together(few) == 20
