"""Makes the screenshots of the book anew: a real browser looks at a real study.

Searches the task of the chapter on recording, writes the study down, starts the programs that show it on this machine,
and takes a picture of each page. Run by hand, with Chromium installed: ``.venv/bin/python -m tests.book.screenshots``.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

import hpt
from hpt import recording

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "book" / "practice" / "images"
BROWSER = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--virtual-time-budget=30000",
]


def study() -> hpt.Study:
    """The study of the chapter."""
    space = hpt.Space(
        {
            "units": hpt.Choice((16,), (64,), (32, 32)),
            "optimizer": hpt.Choice("adam", "sgd"),
            "learning_rate": hpt.Float(1e-4, 100, log=True),
            "momentum": hpt.Float(0.5, 0.99).when(optimizer="sgd"),
        }
    )
    task = hpt.task("breast_cancer", epochs=9, metrics=("log_loss", "accuracy"), space=space)
    return hpt.tune(task, "hyperband", seed=0, progress=False)


@contextmanager
def serving(folder: str, program: str, *arguments: str) -> Iterator[str]:
    """Start a program of this environment in a folder, on a free port, and end it afterwards."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name(program)), *arguments, "--port", str(port)]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(120):
                with socket.socket() as one:
                    if one.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(1)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def picture(name: str, address: str, width: int, height: int, left: int = 0) -> None:
    """Take a picture of a page without what lies left of a column; in few colours, so that the file stays small."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "chromium")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "page.png"
        own = [f"--user-data-dir={folder}/profile", f"--window-size={width},{height}", f"--screenshot={file}"]
        subprocess.run([browser, *BROWSER, *own, address], check=True, capture_output=True, timeout=300)
        IMAGES.mkdir(exist_ok=True)
        with Image.open(file) as page:
            page.convert("RGB").crop((left, 0, width, height)).quantize(128).save(IMAGES / f"{name}.png", optimize=True)
    print(f"{name}.png, {(IMAGES / f'{name}.png').stat().st_size / 1000:.0f} kB")


def main() -> None:
    """Make all pictures."""
    found = study()
    with tempfile.TemporaryDirectory() as folder:
        recording.to_tensorboard(found, Path(folder) / "tensorboard")
        recording.to_storage(found, Path(folder) / "studies.journal")
        with serving(folder, "tensorboard", "--logdir", "tensorboard") as address:
            time.sleep(10)  # it reads the runs after it has begun to answer
            picture("tensorboard-hparams", f"{address}/#hparams", 1340, 580, left=273)
            picture("tensorboard-scalars", f"{address}/#scalars&tagFilter=val_loss&_smoothingWeight=0", 880, 500)
        with serving(folder, "optuna-dashboard", "studies.journal") as address:
            picture("optuna-dashboard", f"{address}/dashboard/studies/0", 760, 640)


if __name__ == "__main__":
    main()
