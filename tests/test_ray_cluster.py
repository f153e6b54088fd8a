"""A Ray cluster that somebody else started: its address, its token, and what those are told who stay outside.

Two machines with a worker each; both of them are this one.
"""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from ray.util import get_node_ip_address

from hpt.errors import InvalidInput
from hpt.training import ray as with_ray

RAY = Path(sys.executable).parent / "ray"
OWN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
HERE = get_node_ip_address()


def free_ports(number):
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("", 0))
        return [one.getsockname()[1] for one in sockets]


@contextmanager
def node(port, *options):
    """Start Ray as on a machine of its own, wait until a port is open, and end it with all it has started."""
    command = [RAY, "start", "--block", "--num-cpus=1", "--disable-usage-stats", *options]
    process = psutil.Popen(command, env=os.environ | OWN, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            assert process.poll() is None, "Ray did not start"
            try:
                socket.create_connection((HERE, port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.2)
        else:
            pytest.fail(f"Ray did not open port {port}")
        yield
    finally:
        own = [process]
        with suppress(psutil.NoSuchProcess):
            own += process.children(recursive=True)
        for one in own:  # asked politely, Ray waits half a minute for its workers
            with suppress(psutil.NoSuchProcess):
                one.kill()
        psutil.wait_procs(own, timeout=30)


@pytest.fixture(scope="module")
def cluster():
    """Two machines; gives their address. (On a busy machine ``ray://``, for those outside, gives up too soon.)"""
    port, outside, second = free_ports(3)
    head = ["--head", f"--port={port}", f"--ray-client-server-port={outside}", "--include-dashboard=false"]
    with node(outside, *head), node(second, f"--address={HERE}:{port}", f"--node-manager-port={second}"):
        yield f"{HERE}:{port}"


DRIVER = """
import json, sys, time
import hpt
from hpt.training.ray import RayStack, connect

ray = connect(address=sys.argv[1])
while ray.cluster_resources().get("CPU") != 2:
    time.sleep(0.2)
task, trainer = hpt.task("wine", epochs=3), RayStack(address=sys.argv[1])
here, there = hpt.tune(task, "hyperband"), hpt.tune(task, "hyperband", trainer=trainer)
same = here.trials.drop(columns="seconds").equals(there.trials.drop(columns="seconds"))
print(json.dumps({"same": same, "workers": len(trainer.pids), "epochs": here.epochs, "score": here.best_score}))
"""
COMMAND = ["-m", "hpt", "tune", "wine", "--strategy", "hyperband", "--train-epochs", "3", "--json"]


def python(*arguments, **environment):
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=os.environ | environment, timeout=300
    )


@pytest.mark.slow
def test_a_search_on_a_cluster_is_the_search_here(cluster):
    done = python("-c", DRIVER, cluster, **OWN)
    assert not done.returncode, done.stderr
    study = json.loads(done.stdout)
    assert study["same"]
    assert study["workers"] == 2
    done = python(*COMMAND, "--ray-address", cluster, **OWN)
    assert not done.returncode, done.stderr
    told = json.loads(done.stdout)
    assert (told["epochs"], told["best"]["score"]) == (study["epochs"], study["score"])


@pytest.mark.slow
def test_who_has_no_token_stays_outside_and_is_told_so(cluster):
    done = python(*COMMAND, "--ray-address", cluster, RAY_AUTH_MODE="disabled")
    assert done.returncode == 1
    assert not done.stdout
    assert done.stderr.splitlines()[-1] == f"hpt: no Ray cluster lets us in at '{cluster}': {with_ray.TOKEN}"


@pytest.mark.parametrize(
    "address", ["nonsense", "ray://somewhere", "here:port", ":80", "ray://10.0.0.1:70000", "http://here:8265"]
)
def test_an_address_of_another_form_is_refused(address):
    with pytest.raises(InvalidInput, match=r"expected 'auto', 'HOST:PORT' or 'ray://HOST:PORT' .*, got "):
        with_ray.connect(address=address)


@pytest.mark.parametrize("form", ["localhost:{}", "ray://127.0.0.1:{}", "10.0.0..1:{}"])
def test_where_nobody_answers_is_said_at_once(form):
    address = form.format(*free_ports(1))
    with pytest.raises(ConnectionError, match=f"nobody answers at '{address}' .*: start Ray there with 'ray start"):
        with_ray.connect(address=address)


def test_a_token_that_is_not_there_is_said(tmp_path):
    """The address answers, though not as Ray: the missing token is noticed first."""
    with socket.create_server(("127.0.0.1", 0)) as there:
        address = f"127.0.0.1:{there.getsockname()[1]}"
        home = {"HOME": str(tmp_path), "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "", "RAY_AUTH_TOKEN_PATH": ""}
        done = python(*COMMAND, "--ray-address", address, **home)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"hpt: no Ray cluster lets us in at '{address}': {with_ray.TOKEN}"
