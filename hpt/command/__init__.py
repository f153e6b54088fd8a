"""The command line: ``hpt``, or ``python -m hpt``.

`hpt.command.arguments` says what may be typed, `hpt.command.problems` makes a task of it, `hpt.command.actions` does
what was asked, and `hpt.command.words` writes down what came out. Results go to the standard output; all that is said
besides goes to the standard error. An error is one line there, and the exit code says whose it was: 1, something
failed while running; 2, what was asked for cannot be.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper

from hpt.command.arguments import COMMANDS, parser
from hpt.errors import InvalidInput, MissingExtra, UnknownName, unknown

FINE, FAILED, WRONG = 0, 1, 2
"""Exit codes."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: what stands behind ``hpt``, default what the process was started with.

    Returns:
        The exit code: 0 fine, 1 something failed while running, 2 wrong use.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow: no chatter,
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # and the same numbers on every x86 machine
    for stream in (sys.stdout, sys.stderr):
        if argv is None and isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without bars gets question marks, and the rest
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other libraries; hpt.command.aside shows those of the package
            code = _run(sys.argv[1:] if argv is None else list(argv))
            sys.stdout.flush()
            return code
    except (InvalidInput, UnknownName, MissingExtra) as error:
        return _say(error, WRONG)
    except KeyboardInterrupt:
        return _say("interrupted", FAILED)
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        return _say(error, FAILED)
    except Exception as error:
        if sys.flags.dev_mode:
            raise
        return _say(f"{type(error).__name__}: {error} (python -X dev -m hpt … shows where)", FAILED)


def _run(argv: list[str]) -> int:
    if argv and not argv[0].startswith("-") and argv[0] not in COMMANDS:
        raise unknown("command", argv[0], COMMANDS)
    try:
        arguments = parser().parse_args(argv)
    except SystemExit:  # after --help and --version
        return FINE
    action = getattr(import_module("hpt.command.actions"), arguments.command)
    return int(action(arguments))


def _say(what: object, code: int) -> int:
    print(f"hpt: {as_typed(' '.join(str(what).split()))}", file=sys.stderr)
    return code


_QUOTED = r"\"[^\"]*\"|'[^']*'"
_VALUE = rf"\[?({_QUOTED}|[\w.]+)\]?"
_ADVICE = re.compile(
    rf"(?<!\w)(?:{_QUOTED})"  # a name or a value, whatever it looks like
    rf"|(?:read_csv=)?\{{['\"](sep|decimal|thousands|na)(?:_values)?['\"]: {_VALUE}\}}"
    rf"|\b(trials|epochs|problem|time|drop|folds|seed|repeats|name)=(?:{_VALUE})?"
)


def as_typed(message: str) -> str:
    """Return a message of the package with its advice as it is typed here; what it quotes stays.

    >>> as_typed("random search has no end of its own: say trials=20, or epochs=600")
    'random search has no end of its own: say --trials 20, or --epochs 600'
    >>> as_typed("one column only, 'a;b': say read_csv={'sep': ';'}")
    "one column only, 'a;b': say --sep ';'"
    >>> as_typed("'seed=1' was begun with no trials=, now it is trials=40")
    "'seed=1' was begun with no --trials, now it is --trials 40"
    """

    def typed(found: re.Match[str]) -> str:
        of_table, cell, option, value = found.groups()
        name = of_table or option
        return f"--{name} {cell or value or ''}".rstrip() if name else found[0]

    return _ADVICE.sub(typed, message)
