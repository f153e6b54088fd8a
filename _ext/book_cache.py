"""Execution cache that knows more than the cells.

myst-nb's cache looks at a notebook's cells alone: edit ``hpt``, upgrade a library or change a
data file, and the old numbers are published again. Here all of these go into one fingerprint.
The fingerprint names the cache's folder, so a changed input is an empty cache, and it is a
Sphinx configuration value, so a changed input re-reads every page.

The fingerprint function takes its inputs as arguments and imports nothing of Sphinx, so a test
can hand it a package of its own.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

KEEP = 3
"""How many cache folders stay: the present one and the last few, for going back and forth."""

KERNEL_ENVIRONMENT = {
    "HPT_PROGRESS": "0",  # a progress bar in a page is noise
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",  # the same numbers on every x86 machine
    "CUDA_VISIBLE_DEVICES": "-1",  # and with or without a graphics card
    "OMP_NUM_THREADS": "1",  # sums in one order; and on a busy machine faster, too
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "JUPYTER_PREFER_ENV_PATH": "1",  # this environment's kernel, not one in the home folder
}

KERNEL_SETTINGS = """\
# Written by the book's build. Libraries in C++ log to file descriptor 2 while they start (TensorFlow
# that it found no graphics card). That belongs on the terminal of the build and not on a page. What
# Python writes to stderr still reaches the page, and fails the build.
c = get_config()
c.IPKernelApp.capture_fd_output = False
c.HistoryManager.enabled = False
"""


def installed_versions() -> dict[str, str]:
    """Name and version of every installed distribution."""
    return {d.name.lower(): d.version for d in metadata.distributions() if d.name}


def input_files(root: Path, patterns: Iterable[str]) -> list[Path]:
    """Files below ``root`` that match one of the glob patterns, sorted, without bytecode."""
    found = {path for pattern in patterns for path in root.glob(pattern) if path.is_file()}
    return sorted(path for path in found if "__pycache__" not in path.parts)


def fingerprint(root: Path, patterns: Iterable[str], versions: dict[str, str]) -> str:
    """Hash of everything beside a chapter's own cells that its numbers depend on.

    Args:
        root: The book's source folder.
        patterns: Globs below ``root`` of the files that the chapters import or read.
        versions: Installed distributions, name to version.
    """
    digest = hashlib.sha256(f"python {sys.version_info[:3]}\n".encode())
    for name, version in sorted(versions.items()):
        digest.update(f"{name}=={version}\n".encode())
    for path in input_files(root, patterns):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(root).as_posix()} {content}\n".encode())
    return digest.hexdigest()[:16]


def check_package(name: str, root: Path) -> None:
    """Refuse to build with a package that is installed from somewhere else.

    A copied repository takes its virtual environment along, and with it an editable install
    that points to the old copy: the book would then show what the old code computes.
    """
    spec = importlib.util.find_spec(name)
    where = Path(spec.origin).resolve() if spec and spec.origin else None
    if where is None or root.resolve() not in where.parents:
        came = f"it comes from {where}" if where else "it is not installed"
        message = f"the book needs {name!r} from {root}, but {came}: run `pip install -e .` there"
        raise RuntimeError(message)


def remove_old(folder: Path, present: str, keep: int = KEEP) -> list[str]:
    """Delete all but the ``keep`` most recently used cache folders; return the deleted names."""
    others = [path for path in folder.iterdir() if path.is_dir() and path.name != present]
    others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in others[keep - 1 :]:
        shutil.rmtree(path, ignore_errors=True)
    return [path.name for path in others[keep - 1 :]]


def kernel_profile(folder: Path) -> Path:
    """Write the kernels' settings; being the book's own, they also keep a person's start-up files out."""
    profile = folder / ".ipython" / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text(KERNEL_SETTINGS)
    return profile.parent


def prepare(app: Any, config: Any) -> None:
    """Point myst-nb at the cache folder of today's fingerprint."""
    root = Path(app.srcdir)
    if config.book_cache_package:
        check_package(config.book_cache_package, root)
    versions = installed_versions() | {"(kernel)": f"{KERNEL_SETTINGS}{KERNEL_ENVIRONMENT}"}
    config.book_fingerprint = fingerprint(root, config.book_cache_files, versions)
    folder = Path(os.environ.get("BOOK_CACHE") or Path(app.outdir).parent / ".book_cache")
    present = folder / config.book_fingerprint
    present.mkdir(parents=True, exist_ok=True)
    os.utime(present)
    remove_old(folder, present.name)
    config.nb_execution_cache_path = str(present)
    os.environ.update(KERNEL_ENVIRONMENT, IPYTHONDIR=str(kernel_profile(folder.parent)))


def setup(app: Any) -> dict[str, Any]:
    """Register the extension."""
    app.add_config_value("book_fingerprint", "", "env")
    app.add_config_value("book_cache_package", "hpt", "env")
    app.add_config_value(
        "book_cache_files",
        ["hpt/**/*.py", "hpt/datasets/**/*", "book/**/*.py", "book/**/*.csv", "book/**/*.json", "benchmarks/results/*"],
        "env",
    )
    app.connect("config-inited", prepare, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
