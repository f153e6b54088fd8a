"""Backends: the file or the database behind a storage, how it is opened, and who has it.

A storage is a path, for Optuna's journal, or the address of a database. Beside a file is a folder with its name, for
locks and for the weights of networks on their way; that of a server is in the home folder. The operating system opens
a lock when its process dies.

A lock in a folder says nothing to another machine. PostgreSQL has locks of its own, so there the server is asked as
well (`ServerLock`).

Whatever goes wrong is said in a line, and never with a password (`printed`, `telling`).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from hpt.errors import InvalidInput, StorageError
from hpt.search import quiet_optuna

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from sqlalchemy import Connection

PATIENCE = 60
"""Seconds to wait for a lock that others hold for milliseconds."""
KEEPALIVES = {"tcp_keepalives_idle": 15, "tcp_keepalives_interval": 5, "tcp_keepalives_count": 3}
"""Seconds, and a count: a server opens the locks of a machine half a minute after that is gone."""
HARMLESS = ("host", "port", "dbname", "sslmode", "charset", "application_name", "connect_timeout")
"""What may be printed of the options in a server's address."""
PORTS = {"postgresql": 5432, "mysql": 3306, "mariadb": 3306}
"""Where a server listens whose address names no port."""
DRIVERS = {"psycopg": "psycopg[binary]", "psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient"}
"""What to install for the modules with which a database is reached, where it has another name."""


def backend(where: str | Path, *, writes: bool = True) -> BaseStorage:
    """Open an Optuna storage: a journal in a file, or a database by its address.

    Args:
        where: a file, which is made where there is none; or an address such as ``"sqlite:///studies.db"``.
        writes: whether it will be written to; else nothing is made.

    Raises:
        InvalidInput: for a folder, a file that is no journal, a database in memory, and for what is not there or has
            no studies where it is only read.
        StorageError: where nothing can be written or read, or the file is damaged.
    """
    from optuna.storages import JournalStorage, RDBStorage, get_storage
    from optuna.storages.journal import JournalFileBackend
    from sqlalchemy import create_engine, inspect, make_url

    def database() -> BaseStorage:  # a connection that was closed in the hours of a round is opened again
        return get_storage(RDBStorage(str(where), engine_kwargs={"pool_pre_ping": True}))

    said = printed(where)
    with telling(where), quiet_optuna():
        file = file_of(where)
        if not _is_address(where):
            check_journal(Path(where))
        if not writes and file is not None and not file.is_file():
            raise InvalidInput(f"there is no storage {said!r}: a path is read from the folder {Path.cwd().name!r}")
        if _is_address(where):
            make_url(str(where)).get_dialect().import_dbapi()  # what nobody knows fails before anything is made
            if not writes:
                engine = create_engine(str(where))
                known = inspect(engine).has_table("studies")
                engine.dispose()
                if not known:
                    raise InvalidInput(f"{said} is a database without studies of Optuna's")
                return database()
            beside(where).mkdir(parents=file is None, exist_ok=True)
            with ExitStack() as stack:  # two processes would make its tables twice
                for lock in locks(where, "opening"):
                    stack.enter_context(_locked(lock, said))
                return database()
        path = Path(where)
        own: Any = _JournalLock(path)
        return JournalStorage(JournalFileBackend(str(path), lock_obj=own))


def _is_address(where: str | Path) -> bool:
    return isinstance(where, str) and "://" in where


def file_of(where: str | Path) -> Path | None:
    """Return the file of a storage, links followed; None for a database that is no file.

    Raises:
        InvalidInput: for a database in memory, or what is no address.
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    if not _is_address(where):
        return Path(where).resolve()
    try:
        url = make_url(str(where))
    except (ArgumentError, ValueError):  # a port that is no number
        raise InvalidInput(
            f"{printed(where)} is no address of a database, such as sqlite:///studies.db or "
            "postgresql://user@host:5432/database"
        ) from None
    if url.get_backend_name() != "sqlite":
        if _torn(where):
            raise InvalidInput(f"{printed(where)} holds more than one @: write %40 for an @ in a name or a password")
        return None
    if url.database in (None, "", ":memory:"):
        raise InvalidInput(f"{printed(where)} is gone with its process: name a file, as in sqlite:///studies.db")
    return Path(str(url.database)).resolve()


def printed(where: str | Path) -> str:
    """Return a storage as it may stand in a message: without a password, wherever the address has it."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    if not _is_address(where):
        return str(where)
    hidden = f"{str(where).split('://')[0]}://…"
    try:
        url = make_url(str(where))
    except (ArgumentError, ValueError):
        return hidden
    if url.get_backend_name() != "sqlite" and _torn(where):
        return hidden
    if url.get_backend_name() != "sqlite":
        url = url.difference_update_query([key for key in url.query if key not in HARMLESS])
    return url.render_as_string(hide_password=True)


def _torn(where: str | Path) -> bool:
    """Say whether an @ in a password may tear it apart: what comes after it would be taken for the host."""
    return str(where).count("@") > 1


def beside(where: str | Path) -> Path:
    """Return the folder for locks and weights: beside a file, or for another database in ``.hpt`` of the home folder.

    However a storage is spelled, it is the same folder; but a server that goes by two names, such as an address and
    ``localhost``, has two.
    """
    from sqlalchemy import make_url

    file = file_of(where)
    if file is not None:
        return file.with_name(f"{file.name}.d")
    url = make_url(str(where))
    kind, host = url.get_backend_name(), str(url.host or url.query.get("host")).lower()
    port, database = url.port or url.query.get("port") or PORTS.get(kind), url.database or url.query.get("dbname")
    return Path.home() / ".hpt" / slug(f"{kind} {host} {port} {database}")


def slug(name: str) -> str:
    """Return a name as it may stand in the name of a file: 16 digits and letters, always the same ones."""
    return sha256(name.encode()).hexdigest()[:16]


def locks(where: str | Path, name: str) -> list[FileLock | ServerLock]:
    """Make the locks of one thing in a storage, to be taken in this order: in its folder, and on its server."""
    here = FileLock(beside(where) / f"{name}.lock")
    return [here, ServerLock(str(where), name)] if _has_locks(where) else [here]


def _has_locks(where: str | Path) -> bool:
    """Say whether a database has locks that open by themselves when their process dies."""
    from sqlalchemy import make_url

    return _is_address(where) and make_url(str(where)).get_backend_name() == "postgresql"


class ServerLock:
    """An advisory lock of PostgreSQL, for processes on other machines. It lasts as long as its connection.

    Args:
        where: the address of the database.
        name: of the lock, in this database.
    """

    def __init__(self, where: str, name: str) -> None:
        from sqlalchemy import NullPool, create_engine, func, select

        number = int.from_bytes(sha256(f"hpt {name}".encode()).digest()[:8], "big", signed=True)
        self._ask = select(func.pg_try_advisory_lock(number))
        self._engine = create_engine(where, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        self._connection: Connection | None = None

    def acquire(self, timeout: float) -> None:
        """Take the lock, as `filelock.FileLock` does.

        Raises:
            Timeout: if another process has it for so many seconds.
            SQLAlchemyError: if the server does not answer.
        """
        until = monotonic() + timeout
        self._connection = connection = self._engine.connect()
        try:
            if self._engine.dialect.name == "postgresql":
                for setting, value in KEEPALIVES.items():
                    connection.exec_driver_sql(f"SET {setting} = {value}")
            while not connection.scalar(self._ask):
                if monotonic() >= until:
                    raise Timeout("the lock of the server")
                sleep(0.05)
        except BaseException:
            self.release()
            raise

    def held(self) -> bool:
        """Say whether the connection is still there, and the lock with it."""
        from sqlalchemy import literal, select
        from sqlalchemy.exc import SQLAlchemyError

        try:
            return self._connection is not None and bool(self._connection.scalar(select(literal(1))))
        except SQLAlchemyError:
            self.release()
            return False

    def release(self) -> None:
        """Close the connection, and open the lock."""
        from sqlalchemy.exc import SQLAlchemyError

        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except SQLAlchemyError:  # it is dead, and the lock with it
                connection.invalidate()


@contextmanager
def _locked(lock: FileLock | ServerLock, said: str) -> Iterator[None]:
    """Hold a lock for a moment, for which others need a moment only."""
    try:
        lock.acquire(timeout=PATIENCE)
    except Timeout:
        raise StorageError(f"{said} has been locked by another process for {PATIENCE} s: is it stuck?") from None
    try:
        yield
    finally:
        lock.release()


def check_journal(path: Path) -> None:
    """Refuse a path where neither a journal is nor a new one can be made.

    Raises:
        InvalidInput: for a folder, a device, or a file that is no journal.
        StorageError: if it cannot be read.
    """
    if path.is_dir():
        raise InvalidInput(f"{path} is a folder: name a file in it, such as {path / 'studies.journal'}")
    if not path.exists():
        return
    if not path.is_file():
        raise InvalidInput(f"{path} is no file: name a new one, such as studies.journal")
    with telling(path), path.open("rb") as file:
        begin = file.read(15)
    if begin == b"SQLite format 3":
        raise InvalidInput(f"{path} is a SQLite database: say sqlite:///{path}")
    if not b'{"op_code"'.startswith(begin[:10]):
        raise InvalidInput(f"{path} is no journal of Optuna's: name a new file, or an address with ://")


class _JournalLock:
    """Optuna's journal is written under this lock, which opens by itself when its process dies.

    Whoever takes it first cuts off the end of a line that a killed process, or a full disk, has left torn.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.lock = path, FileLock(beside(path) / "journal.lock")

    def acquire(self) -> bool:
        beside(self.path).mkdir(parents=True, exist_ok=True)
        self.held = ExitStack()
        with ExitStack() as stack:
            stack.enter_context(_locked(self.lock, str(self.path)))
            with self.path.open("r+b") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - 1))
                if file.read() not in (b"", b"\n"):
                    file.seek(0)
                    file.truncate(file.read().rfind(b"\n") + 1)
            self.held = stack.pop_all()
        return True

    def release(self) -> None:
        self.held.close()


@contextmanager
def telling(where: str | Path) -> Iterator[None]:
    """Turn what goes wrong with a storage into a line that says what to do."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    here, where = "://" not in str(where) or str(where).startswith("sqlite"), printed(where)
    try:
        yield
    except (StorageError, InvalidInput):
        raise
    except ImportError as error:
        if error.name is None:  # the package is there, a library that it needs is not
            raise InvalidInput(f"{where} needs a package that does not start: {_line(error)}") from error
        package = DRIVERS.get(error.name, error.name)
        raise InvalidInput(
            f"{where} needs the package {error.name}, which is not installed: pip install '{package}'"
        ) from error
    except OSError as error:
        said = error.strerror or str(error)
        if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
            hint = "make room, then resume: what was finished is kept"
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            hint = "choose a folder that you may write to"
        else:
            hint = "is the folder there, and are you its owner?"
        if not here and error.filename:  # of the folder for locks and weights
            said = f"{said}: {error.filename}"
        raise StorageError(f"{where} could not be written or read ({said}): {hint}") from error
    except (StorageInternalError, SQLAlchemyError) as error:
        cause = error.__cause__ or error
        said = _line(getattr(cause, "orig", None) or cause)
        hint = "is its address right?"
        if not here:
            hint = "is its server up, are address and password right? What was finished is kept"
        raise StorageError(f"{where} could not be opened or written ({said}): {hint}") from error
    except RuntimeError as error:  # of a database of another version of Optuna
        raise InvalidInput(f"{where} cannot be used: {_line(error)}") from error
    except (ValueError, KeyError) as error:
        raise StorageError(f"{where} is damaged, it holds what Optuna cannot read: put a copy of it back") from error


def _line(error: object) -> str:
    """Return the first line of a message."""
    return next(iter(str(error).splitlines()), "no reason given")
