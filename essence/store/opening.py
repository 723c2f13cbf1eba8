"""From a URL to a store."""

from __future__ import annotations

import asyncio
import importlib.util
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from sqlalchemy import URL, Engine, StaticPool, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from essence.config import StoreSettings
from essence.errors import ConfigError, EngineMissing, StoreError, TooSlow
from essence.store import retention
from essence.store.api_keys import DurableApiKeys
from essence.store.approvals import DurableApprovals
from essence.store.bell import Bell
from essence.store.clock import Clock, of_the_server, of_this_machine
from essence.store.conversations import DurableConversations
from essence.store.database import Database, MemoryDatabase, ServerDatabase
from essence.store.file import FileDatabase
from essence.store.identities import DurableIdentities
from essence.store.inbox import DurableInbox
from essence.store.journal import DurableJournal
from essence.store.memories import DurableMemories
from essence.store.messages import DurableMessages
from essence.store.outbox import DurableOutbox
from essence.store.people import DurablePeople
from essence.store.reminders import DurableReminders
from essence.store.schema import bring_up_to_date

_FORMS = "Use memory://, sqlite:///PATH or postgresql://USER:PASSWORD@HOST/DATABASE."
_OPENING_TRIES = 50
_BETWEEN_TRIES_S = 0.1


class DurableStore:
    """See `essence.ports.Store`. In memory it lasts for as long as it is open."""

    def __init__(self, database: Database, settings: StoreSettings, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._retention_days = settings.store_retention_days
        poll_s = settings.store_poll_s
        outgoing = Bell(poll_s)
        self.inbox = DurableInbox(database, clock, Bell(poll_s), outgoing, deadline_s=settings.message_deadline_s)
        self.outbox = DurableOutbox(database, clock, outgoing)
        self.conversations = DurableConversations(
            database, clock, max_turns=settings.history_max_turns, max_chars=settings.history_max_chars
        )
        self.people = DurablePeople(database, clock)
        self.journal = DurableJournal(database, clock)
        self.approvals = DurableApprovals(database, clock, Bell(poll_s))
        self.memories = DurableMemories(database, clock)
        self.reminders = DurableReminders(database, clock, Bell(poll_s))
        self.messages = DurableMessages(database, clock, due=Bell(poll_s), ended=Bell(poll_s))
        self.api_keys = DurableApiKeys(database, clock)
        self.identities = DurableIdentities(database)

    async def prune(self) -> int:
        return await retention.prune(self._database, self._clock.now(), self._retention_days)


@asynccontextmanager
async def open_store(url: str, settings: StoreSettings, clock: Clock | None = None) -> AsyncIterator[DurableStore]:
    """Open the store on entry, bring its tables up to date, let go of it on exit.

    Args:
        url: `memory://`, `sqlite:///PATH` (four slashes make it absolute) or
            `postgresql://USER:PASSWORD@HOST/DATABASE`.
        settings: Limits and deadlines; the URL in them is not looked at.
        clock: Where times come from; None is the real ones.

    Raises:
        ConfigError: The URL can't be used, or a newer June wrote this store.
        EngineMissing: The database's driver isn't installed.
        StoreError, Unreachable, TooSlow: It can't be opened.
    """
    clock = clock or Clock()
    async with _opener(url)(url, settings, clock) as database:
        await _bring_up_to_date(database)
        yield DurableStore(database, settings, clock)


Opener = Callable[[str, StoreSettings, Clock], AbstractAsyncContextManager[Database]]


def _opener(url: str) -> Opener:
    openers: dict[str, Opener] = {
        "memory": _in_memory,
        "sqlite": _in_a_file,
        "postgresql": _on_a_server,
        "postgres": _on_a_server,
    }
    scheme = url.partition(":")[0]
    if scheme not in openers:
        raise ConfigError(f"STORE_URL: there is no store {scheme!r}. {_FORMS}")
    return openers[scheme]


@asynccontextmanager
async def _in_memory(url: str, settings: StoreSettings, clock: Clock) -> AsyncIterator[Database]:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    _begin_at_once(engine)
    try:
        yield MemoryDatabase(engine, of_this_machine(clock))
    finally:
        engine.dispose()


@asynccontextmanager
async def _in_a_file(url: str, settings: StoreSettings, clock: Clock) -> AsyncIterator[Database]:
    path = _parsed(url).database
    if not path or path == ":memory:":
        raise ConfigError(f"STORE_URL={url} names no file. {_FORMS}")
    _make_file(Path(path))
    wait = {"timeout": settings.store_deadline_s, "check_same_thread": False}
    engine = create_engine(URL.create("sqlite", database=path), connect_args=wait, poolclass=StaticPool)
    _begin_at_once(engine)
    event.listen(engine, "connect", _write_ahead)
    database = FileDatabase(engine, of_this_machine(clock), settings.store_deadline_s)
    try:
        yield database
    finally:
        await database.close()
        engine.dispose()


@asynccontextmanager
async def _on_a_server(url: str, settings: StoreSettings, clock: Clock) -> AsyncIterator[Database]:
    if importlib.util.find_spec("asyncpg") is None:
        raise EngineMissing("PostgreSQL needs asyncpg. Install it with: pip install 'june-assistant[postgresql]'")
    engine = create_async_engine(
        _parsed(url).set(drivername="postgresql+asyncpg"),
        pool_size=settings.store_connections,
        max_overflow=0,
        pool_timeout=settings.store_deadline_s,
        pool_pre_ping=True,  # a server that was restarted costs a ping, not a failed call
        connect_args={"timeout": settings.store_deadline_s},
    )
    try:
        yield ServerDatabase(engine, of_the_server(clock), settings.store_deadline_s)
    finally:
        await engine.dispose()


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError) as error:
        raise ConfigError(f"STORE_URL can't be read. {_FORMS}") from error  # not quoted: a password may be in it


def _make_file(path: Path) -> None:
    """Readable by nobody else: these are people's conversations."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except OSError as error:
        raise StoreError(f"The store's file {path} can't be written ({error.strerror}). Check STORE_URL.") from error


def _begin_at_once(engine: Engine) -> None:
    """Take the right to write when a transaction begins, not at its first change.

    SQLite fails a transaction that has read and then finds another one writing, however long it may wait. The driver's
    own transactions begin too late (https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#sqlite-transactions).
    """

    def no_own_transactions(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None

    event.listen(engine, "connect", no_own_transactions)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))


def _write_ahead(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    if cursor.fetchone() != ("wal",):
        raise sqlite3.OperationalError("SQLite can't keep a write-ahead log there; use a local disk")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


async def _bring_up_to_date(database: Database) -> None:
    """With patience: while one process turns a new file to WAL, SQLite tells others at once that it is locked."""
    for _ in range(_OPENING_TRIES):
        try:
            return await database.run(bring_up_to_date)
        except TooSlow:
            await asyncio.sleep(_BETWEEN_TRIES_S)
    return await database.run(bring_up_to_date)
