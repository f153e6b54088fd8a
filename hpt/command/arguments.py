"""What may be typed: the commands, their options, and the help of each, with examples that work.

Only the standard library is imported here, so that help appears at once.
"""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter, _ActionsContainer
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, NoReturn

import hpt
from hpt.errors import InvalidInput, UnknownName

COMMANDS = {
    "tasks": "list the ready tasks",
    "strategies": "list the strategies",
    "table": "print a table of the catalogue of hyperparameters",
    "tune": "search the best hyperparameters of a task",
    "resume": "go on with a stored search",
    "studies": "list what is in a storage",
    "report": "say what a stored search found",
    "compare": "let strategies search the same task, many times",
    "plot": "draw a stored search",
    "export": "write a stored search as CSV, or its winner as a Keras model",
}
"""The commands, and what each does."""

EXAMPLES = {
    "": """
  hpt tune wine --trials 20
  hpt tune houses.csv --target price --strategy hyperband --storage studies.journal
  hpt resume studies.journal
  hpt report studies.journal --html report.html
""",
    "tasks": "\n  hpt tasks\n  hpt tasks --json\n",
    "strategies": "\n  hpt strategies\n",
    "table": "\n  hpt table\n  hpt table optimization\n",
    "tune": """
  hpt tune wine --trials 20
  hpt tune breast_cancer --strategy hyperband --epochs 800 --seed 1
  hpt tune houses.csv --target price --trials 40 --storage studies.journal
  hpt tune sales.csv --target sold --time day --drop id --sep ';' --decimal , --trials 20
  hpt tune wine --trials 20 --set learning_rate=1e-4..1e-1:log units=16..256 optimizer=adam,sgd

domains of --set:
  16..256            whole numbers from 16 to 256; with decimals, such as 0.1..0.5, real ones
  1e-4..1e-1:log     the same, spread over orders of magnitude
  16..256:step=16    the same, in steps
  adam,sgd           one of these
  adam               this one and no other
""",
    "resume": """
  hpt resume studies.journal
  hpt resume sqlite:///studies.db 'wine by random, seed 0'
""",
    "studies": "\n  hpt studies studies.journal\n  hpt studies sqlite:///studies.db --json\n",
    "report": """
  hpt report studies.journal
  hpt report studies.journal 'wine by random, seed 0' --html report.html
  hpt report studies.journal --test --repeats 10
""",
    "compare": """
  hpt compare wine --strategies random,tpe --repeats 5
  hpt compare houses.csv --target price --strategies random,hyperband,bohb --epochs 1200
""",
    "plot": """
  hpt plot studies.journal --kind progress --out progress.png
  hpt plot studies.journal --kind searched --axes learning_rate,units --out searched.svg
""",
    "export": """
  hpt export studies.journal --csv wine-random
  hpt export studies.journal 'wine by random, seed 0' --keras winner.keras
""",
}
"""What stands at the end of each help; the empty name is that of ``hpt`` itself."""

KINDS = {
    "progress": "every score, and the best so far, against the epochs spent",
    "curves": "the score of every network, epoch by epoch; --bracket N of a schedule with brackets",
    "importances": "which hyperparameters mattered, with intervals; from 30 complete trials on",
    "searched": "two hyperparameters against each other, coloured by score; --axes X,Y",
    "families": "who descends from whom in population-based training",
}
"""The pictures of `hpt plot`."""


class Parser(ArgumentParser):
    """A parser whose errors are those of the package."""

    def error(self, message: str) -> NoReturn:
        """Raise what was wrong with the arguments, instead of printing the usage and leaving."""
        raise InvalidInput(f"{message}; '{self.prog} --help' shows how")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Read arguments; refuse those that this command does not have, before the one above it does."""
        found, left = super().parse_known_args(args, namespace)
        if left:
            name = left[0].partition("=")[0]
            what = "option" if name.startswith("-") else "argument"
            near = get_close_matches(name, self._option_string_actions, n=1)
            hint = f": did you mean {near[0]!r}?" if near else ";"
            raise UnknownName(f"unknown {what} {name!r}{hint} '{self.prog} --help' lists all")
        return found, left


def parser() -> Parser:
    """Return the parser of all commands."""
    main = Parser(
        "hpt",
        description="Tune the hyperparameters of neural networks. 'hpt COMMAND --help' says more of each command.",
        **_help(""),
    )
    main.add_argument("--version", action="version", version=f"hpt {hpt.__version__}")
    commands = main.add_subparsers(metavar="COMMAND", dest="command", required=True)
    for name, what in COMMANDS.items():
        one = commands.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.", **_help(name))
        _OPTIONS[name](one)
    return main


def _help(name: str) -> dict[str, Any]:
    return {
        "epilog": f"examples:{EXAMPLES[name]}".rstrip(),
        "formatter_class": RawDescriptionHelpFormatter,
        "allow_abbrev": False,
    }


# --- values


def _whole(least: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise ArgumentTypeError(f"expected a whole number of at least {least}, got {text!r}")
        return number

    return read


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise ArgumentTypeError(f"expected names with commas between them, such as random,tpe, got {text!r}")
    return names


# --- what commands share


def _output(one: ArgumentParser, quiet: bool = False) -> None:
    if quiet:
        one.add_argument("--quiet", action="store_true", help="no progress bar and no remarks: the result only")
    one.add_argument("--json", action="store_true", help="the result as JSON on the standard output, nothing else")


def _problem(one: ArgumentParser) -> None:
    one.add_argument("task", metavar="TASK|FILE.csv", help="a ready task ('hpt tasks' lists them), or a table")
    table = one.add_argument_group("of a table")
    table.add_argument("--target", metavar="COLUMN", help="the column to predict")
    table.add_argument("--problem", metavar="KIND", help="binary, multiclass or regression; default: a guess")
    table.add_argument("--time", metavar="COLUMN", help="the rows are split along it, and it is no input")
    table.add_argument("--drop", metavar="COLUMN", nargs="+", action="extend", help="columns that are no inputs")
    table.add_argument("--sep", metavar="TEXT", help="what stands between two cells; default: a comma")
    table.add_argument("--decimal", metavar="TEXT", help="what stands before decimals; default: a point")
    table.add_argument("--thousands", metavar="TEXT", help="what stands between thousands; default: nothing")
    table.add_argument("--na", metavar="TEXT", nargs="+", action="extend", help="what else stands for a missing value")
    task = one.add_argument_group("of the task")
    task.add_argument("--metric", metavar="NAME", help="what decides, such as f1; default: the task's first metric")
    task.add_argument(
        "--folds", metavar="N", type=_whole(1), help="1 validates on a fifth of the rows; more cross-validate"
    )
    task.add_argument("--train-epochs", metavar="N", type=_whole(1), help="epochs of one network")
    task.add_argument(
        "--set",
        metavar="NAME=DOMAIN",
        nargs="+",
        action="extend",
        help="search a hyperparameter here, such as learning_rate=1e-4..1e-1:log, units=16..256, optimizer=adam,sgd",
    )


def _training(one: _ActionsContainer) -> None:
    one.add_argument("--ray-address", metavar="ADDRESS", help="train on this Ray cluster, such as auto")


def _stored(one: ArgumentParser) -> None:
    one.add_argument("storage", metavar="STORAGE", help="a journal file, or an address such as sqlite:///studies.db")
    one.add_argument("name", metavar="NAME", nargs="?", help="of the study; needed where the storage has several")


# --- the commands


def _table(one: ArgumentParser) -> None:
    one.add_argument("name", metavar="NAME", nargs="?", help="which one; without it, the names are listed")
    _output(one)


def _tune(one: ArgumentParser) -> None:
    _problem(one)
    search = one.add_argument_group("of the search")
    search.add_argument("--strategy", metavar="NAME", default="random", help="see 'hpt strategies'; default: random")
    search.add_argument("--trials", metavar="N", type=_whole(1), help="try at most so many configurations")
    search.add_argument("--epochs", metavar="N", type=_whole(1), help="spend at most so many epochs in all")
    search.add_argument("--seed", metavar="N", type=_whole(0), default=0, help="of the search; default: 0")
    search.add_argument("--storage", metavar="STORAGE", help="keep the search here: a file, or an address")
    search.add_argument("--name", metavar="NAME", help="of the study in the storage; an existing one goes on")
    _training(search)
    _output(one, quiet=True)


def _resume(one: ArgumentParser) -> None:
    _stored(one)
    _training(one)
    _output(one, quiet=True)


def _studies(one: ArgumentParser) -> None:
    one.add_argument("storage", metavar="STORAGE", help="a journal file, or an address such as sqlite:///studies.db")
    _output(one)


def _report(one: ArgumentParser) -> None:
    _stored(one)
    one.add_argument("--html", metavar="FILE", help="write a page with pictures that needs no other file")
    one.add_argument(
        "--test",
        action="store_true",
        help="also train the winner and the default again, and open the test rows: once, at the very end of a project",
    )
    one.add_argument("--repeats", metavar="N", type=_whole(2), default=20, help="fresh seeds for --test; default: 20")
    _training(one)
    _output(one)


def _compare(one: ArgumentParser) -> None:
    _problem(one)
    search = one.add_argument_group("of the comparison")
    search.add_argument("--strategies", metavar="A,B", type=_names, required=True, help="see 'hpt strategies'")
    search.add_argument("--repeats", metavar="N", type=_whole(2), default=10, help="searches of each; default: 10")
    search.add_argument(
        "--epochs",
        metavar="N",
        type=_whole(1),
        help="budget of each search; default: that of 20 networks, or one bracket",
    )
    search.add_argument("--seed", metavar="N", type=_whole(0), default=0, help="of all searches and splits; default: 0")
    _training(search)
    _output(one, quiet=True)


def _plot(one: ArgumentParser) -> None:
    _stored(one)
    width = max(map(len, KINDS)) + 2
    kinds = "\n".join(f"  {kind:<{width}}{what}" for kind, what in KINDS.items())
    one.epilog = f"kinds:\n{kinds}\n\n{one.epilog}"
    one.add_argument("--kind", metavar="KIND", required=True, help=", ".join(KINDS))
    one.add_argument("--out", metavar="FILE", required=True, help="a new file that ends in .png, .svg or .pdf")
    one.add_argument("--axes", metavar="X,Y", type=_names, help="of searched; default: the first two with an order")
    one.add_argument("--bracket", metavar="N", type=_whole(0), help="of curves; default: 0, the first one")


def _export(one: ArgumentParser) -> None:
    _stored(one)
    where = one.add_mutually_exclusive_group(required=True)
    where.add_argument("--csv", metavar="FOLDER", help="write trials, curves and facts into a new folder")
    where.add_argument(
        "--keras",
        metavar="FILE",
        help="train the winner again, save it; it takes scaled inputs, and of a regression gives scaled outputs",
    )


_OPTIONS: dict[str, Callable[[ArgumentParser], None]] = {
    "tasks": _output,
    "strategies": _output,
    "table": _table,
    "tune": _tune,
    "resume": _resume,
    "studies": _studies,
    "report": _report,
    "compare": _compare,
    "plot": _plot,
    "export": _export,
}
