"""Shared by all tests: quiet TensorFlow, no progress bars, no windows, and a task that trains in a blink."""

import os
import signal

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ["HPT_PROGRESS"] = "0"
os.environ["MPLBACKEND"] = "Agg"

import pytest

import hpt


@pytest.fixture
def wine():
    """A small task, its networks trained for two epochs."""
    return hpt.task("wine", epochs=2)


@pytest.fixture
def book_style():
    """Figures as in the book, closed afterwards; nothing of it stays."""
    import matplotlib as mpl
    import matplotlib.pyplot as plt
    import pandas as pd

    from hpt import plots

    with mpl.rc_context(), pd.option_context("display.max_colwidth", 50, "display.precision", 6):
        plots.use_style()
        yield
        plt.close("all")


@pytest.fixture(autouse=True)
def ctrl_c_is_heard():
    """No test leaves another handler of Ctrl-C behind, as a library may: the next Ctrl-C would be lost in it."""
    before = signal.getsignal(signal.SIGINT)
    yield
    after = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, before)
    assert after is before
