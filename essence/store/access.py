"""From a URL to a database, whatever it keeps: the store's tables or the task board's."""

from __future__ import annotations

import asyncio
import importlib.util
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, StaticPool, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from essence.errors import ConfigError, EngineMissing, StoreError, TooSlow
from essence.store.clock import Clock, of_the_server, of_this_machine
from essence.store.database import Database, MemoryDatabase, ServerDatabase
from essence.store.file import FileDatabase
from essence.store.schema import Migrations, bring_up_to_date
from essence.store.turnstile import Turnstile

_FORMS = "Use memory://, sqlite:///PATH or postgresql://USER:PASSWORD@HOST/DATABASE."
_OPENING_TRIES = 50
_BETWEEN_TRIES_S = 0.1


@dataclass(frozen=True, slots=True)
class Access:
    """How a database is reached."""

    url: str
    """`memory://`, `sqlite:///PATH` (four slashes make it absolute) or `postgresql://USER:PASSWORD@HOST/DATABASE`."""
    setting: str
    """The variable that holds the URL, for what is told of errors: the URL may hold a password."""
    deadline_s: float
    """Longest wait for it."""
    connections: int
    """To a server."""


@asynccontextmanager
async def open_database(access: Access, clock: Clock, migrations: Migrations) -> AsyncIterator[Database]:
    """Open a database on entry, bring its tables up to date, let go of it on exit.

    Raises:
        ConfigError: The URL can't be used, or a newer June wrote this database.
        EngineMissing: The database's driver isn't installed.
        StoreError, Unreachable, TooSlow: It can't be opened.
    """
    async with _opener(access)(access, clock) as database:
        await _bring_up_to_date(database, access.setting, migrations)
        yield database


@asynccontextmanager
async def open_reader(access: Access, clock: Clock, database: Database) -> AsyncIterator[Database]:
    """Where work is done that changes nothing, for as long as `database` is open.

    A file gets another connection, whose thread waits for no writer and no disk, and delays none however long it reads
    (https://sqlite.org/wal.html#concurrency). Elsewhere it is `database` itself.
    """
    if not isinstance(database, FileDatabase):
        yield database
        return
    engine = create_engine(
        URL.create("sqlite", database=_parsed(access).database),
        connect_args={"timeout": access.deadline_s, "check_same_thread": False},
        poolclass=StaticPool,
    )
    event.listen(engine, "connect", _read_alone)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    reader = FileDatabase(engine, of_this_machine(clock), access.setting, access.deadline_s)
    try:
        yield reader
    finally:
        await reader.close()
        engine.dispose()


Opener = Callable[[Access, Clock], AbstractAsyncContextManager[Database]]


def _opener(access: Access) -> Opener:
    openers: dict[str, Opener] = {
        "memory": _in_memory,
        "sqlite": _in_a_file,
        "postgresql": _on_a_server,
        "postgres": _on_a_server,
    }
    scheme = access.url.partition(":")[0]
    if scheme not in openers:
        raise ConfigError(f"{access.setting}: there is no database {scheme!r}. {_FORMS}")
    return openers[scheme]


@asynccontextmanager
async def _in_memory(access: Access, clock: Clock) -> AsyncIterator[Database]:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    _begin_at_once(engine)
    try:
        yield MemoryDatabase(engine, of_this_machine(clock), access.setting)
    finally:
        engine.dispose()


@asynccontextmanager
async def _in_a_file(access: Access, clock: Clock) -> AsyncIterator[Database]:
    path = _parsed(access).database
    if not path or path == ":memory:":
        raise ConfigError(f"{access.setting}={access.url} names no file. {_FORMS}")
    _make_file(Path(path), access.setting)
    wait = {"timeout": access.deadline_s, "check_same_thread": False}
    engine = create_engine(URL.create("sqlite", database=path), connect_args=wait, poolclass=StaticPool)
    turnstile = Turnstile(Path(path), access.deadline_s)
    _begin_at_once(engine, turnstile)
    event.listen(engine, "connect", _write_ahead)
    database = FileDatabase(engine, of_this_machine(clock), access.setting, access.deadline_s)
    try:
        yield database
    finally:
        await database.close()
        engine.dispose()
        turnstile.close()


@asynccontextmanager
async def _on_a_server(access: Access, clock: Clock) -> AsyncIterator[Database]:
    if importlib.util.find_spec("asyncpg") is None:
        raise EngineMissing("PostgreSQL needs asyncpg. Install it with: pip install 'june-assistant[postgresql]'")
    from sqlalchemy.ext.asyncio import create_async_engine  # brings the ORM, which takes 0.3 s to load

    engine = create_async_engine(
        _parsed(access).set(drivername="postgresql+asyncpg"),
        pool_size=access.connections,
        max_overflow=0,
        pool_timeout=access.deadline_s,
        pool_pre_ping=True,  # a server that was restarted costs a ping, not a failed call
        connect_args={"timeout": access.deadline_s},
    )
    try:
        yield ServerDatabase(engine, of_the_server(clock), access.setting, access.deadline_s)
    finally:
        await engine.dispose()


def _parsed(access: Access) -> URL:
    try:
        return make_url(access.url)
    except (ArgumentError, ValueError) as error:
        raise ConfigError(f"{access.setting} can't be read. {_FORMS}") from error  # not quoted: a password may be in it


def _make_file(path: Path, setting: str) -> None:
    """Readable by nobody else: these are people's conversations."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except OSError as error:
        raise StoreError(f"The store's file {path} can't be written ({error.strerror}). Check {setting}.") from error


def _begin_at_once(engine: Engine, turnstile: Turnstile | None = None) -> None:
    """Take the right to write when a transaction begins, not at its first change.

    SQLite fails a transaction that has read and then finds another one writing, however long it may wait. The driver's
    own transactions begin too late (https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#sqlite-transactions).
    """

    def no_own_transactions(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None

    def begin(connection: Connection) -> None:
        if turnstile is None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            return
        turnstile.enter()
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        finally:
            turnstile.leave()

    event.listen(engine, "connect", no_own_transactions)
    event.listen(engine, "begin", begin)


def _read_alone(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA query_only=1")
    cursor.close()


def _write_ahead(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    if cursor.fetchone() != ("wal",):
        raise sqlite3.OperationalError("SQLite can't keep a write-ahead log there; use a local disk")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


async def _bring_up_to_date(database: Database, setting: str, migrations: Migrations) -> None:
    """With patience: while one process turns a new file to WAL, SQLite tells others at once that it is locked."""

    def work(connection: Connection) -> None:
        bring_up_to_date(connection, setting, migrations)

    for _ in range(_OPENING_TRIES):
        try:
            return await database.run(work)
        except TooSlow:
            await asyncio.sleep(_BETWEEN_TRIES_S)
    return await database.run(work)
