"""Errors: one plain line that says what was expected, what came, and what to do.

Four kinds are enough. `InvalidInput` is a ``ValueError``: the thing exists, its value cannot be. `UnknownName`
is a ``KeyError``: there is no such thing, and the message offers the near ones. `MissingExtra` is an
``ImportError``: an optional package is not installed, and the message says how to get it. `StorageError` is an
``OSError``: nothing is wrong with what was asked for, but a disk is full, or somebody else is at work there.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class InvalidInput(ValueError):
    """A value that cannot be: reversed bounds, an empty space, a budget of zero."""


class StorageError(OSError):
    """A storage that cannot be written or read: full, read-only, locked by another process, damaged."""


class UnknownName(KeyError):
    """A name that is not there. A ``KeyError`` whose message prints without quotes around it.

    >>> str(KeyError("no such task")), str(UnknownName("no such task"))
    ("'no such task'", 'no such task')
    """

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


def unknown(kind: str, name: object, known: Iterable[object], where: str = "") -> UnknownName:
    """Make the error for a name that is not there: it names the near ones and lists what exists.

    Args:
        kind: what the name should have been, in the singular, such as ``"task"``.
        name: what came.
        known: every name there is, in the order in which they are listed.
        where: where the name stood, if the call does not show it, such as ``"the condition of 'momentum'"``.

    Returns:
        The exception, for the caller to raise.

    >>> print(unknown("task", "brest_cancer", ["breast_cancer", "wine"]))
    unknown task 'brest_cancer': did you mean 'breast_cancer'? Known tasks: breast_cancer, wine
    >>> print(unknown("strategy", 7, ["grid", "random"]))
    unknown strategy 7. Known strategies: grid, random
    """
    if isinstance(name, str) and "://" in name:  # an address, which may hold a password
        name = f"{name.split('://')[0]}://…"
    names = [str(one) for one in known]
    lower = {one.lower(): one for one in reversed(names)}
    near = [repr(lower[one]) for one in get_close_matches(str(name).lower(), lower, n=3)]
    place = f" in {where}" if where else ""
    hint = f": did you mean {_either(near)}?" if near else "."
    more = f", … and {len(names) - LISTED} more" if len(names) > LISTED else ""
    listed = (
        f"Known {_plural(kind)}: {', '.join(names[:LISTED])}{more}" if names else f"There are no {_plural(kind)} at all"
    )
    return UnknownName(printable(f"unknown {kind} {name!r}{place}{hint} {listed}"))


LISTED = 100
"""A message lists at most so many names: a table may have thousands of columns."""


def printable(text: str) -> str:
    r"""Return a text as one line that prints: a name from a file may hold line breaks, or orders to the terminal.

    >>> print(printable("two\nlines"))
    two\nlines
    """
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def _either(words: list[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


def _plural(kind: str) -> str:
    if kind.endswith("s"):
        return kind
    return f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"


class MissingExtra(ImportError):
    """A package that only some functions need is not installed; the message says how to install it."""


def missing(what: str, package: str, extra: str) -> MissingExtra:
    """Make the error for an optional package that is not installed.

    Args:
        what: the function that needs it.
        package: its name on the package index.
        extra: of ``hpt``, which installs it.

    Returns:
        The exception, for the caller to raise.

    >>> print(missing("hyperopt", "hyperopt", "hyperopt"))
    hyperopt needs the package hyperopt, which is not installed: pip install 'hpt[hyperopt]'
    """
    return MissingExtra(f"{what} needs the package {package}, which is not installed: pip install 'hpt[{extra}]'")
