"""How long one process waits for a SQLite store in which another one writes without a pause.

June takes turns at the file (`essence.store.turnstile`); the peer is the same store without, which is SQLite's own way:
who waits sleeps and asks again.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

from benchmarks._table import show
from essence.config import StoreSettings
from essence.dialogue import Address, Message, Person
from essence.store import open_store
from essence.store.turnstile import Turnstile

RUN_S = 10.0
PAUSE_S = 0.02
WRITERS = 10
NOW = datetime(2026, 11, 25, tzinfo=UTC)


def message(chat: str, number: int) -> Message:
    return Message(Address("telegram", chat), str(number), Person("1", "Anna"), NOW, "How are you?")


async def hog(url: str) -> int:
    """Keep messages for the whole time, several at once; how many."""
    until, kept = time.monotonic() + RUN_S + 1.0, [0] * WRITERS

    async def write(writer: int) -> None:
        while time.monotonic() < until:
            await store.inbox.receive(message(f"hog-{writer}", kept[writer]))
            kept[writer] += 1

    async with open_store(url, StoreSettings(store_deadline_s=60)) as store:
        await asyncio.gather(*map(write, range(WRITERS)))
    return sum(kept)


@asynccontextmanager
async def busy(url: str, kind: str) -> AsyncIterator[asyncio.subprocess.Process]:
    command = [sys.executable, "-m", "benchmarks.store_neighbors", kind, url]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        yield process
    finally:
        await process.wait()


async def waits(kind: str) -> tuple[str, ...]:
    """What the neighbor of a busy process waits for each message."""
    with tempfile.TemporaryDirectory(dir=_scratch()) as folder:
        url, waited = f"sqlite:///{folder}/june.db", []
        async with open_store(url, StoreSettings(store_deadline_s=60)) as store, busy(url, kind) as process:
            until = time.monotonic() + RUN_S
            while time.monotonic() < until:
                began = time.perf_counter()
                await store.inbox.receive(message("neighbor", len(waited)))
                waited.append((time.perf_counter() - began) * 1e3)
                await asyncio.sleep(PAUSE_S)
            assert process.stdout is not None
            hogged = int(await process.stdout.read())
    p50, p95 = statistics.median(waited), statistics.quantiles(waited, n=20)[-1]
    return (f"{hogged / (RUN_S + 1):,.0f}", f"{p50:.1f}", f"{p95:.1f}", f"{max(waited):.1f}")


def _scratch() -> Path:
    """On the disk of the checkout: the system's temporary folder may be memory."""
    scratch = Path("build").resolve()
    scratch.mkdir(exist_ok=True)
    return scratch


def without_turns() -> mock._patch[object]:
    return mock.patch.object(Turnstile, "enter", return_value=None)


def main() -> None:
    if len(sys.argv) > 1:
        kind, url = sys.argv[1:]
        if kind == "peer":
            without_turns().start()
        print(asyncio.run(hog(url)))
        return
    rows = [("June", *asyncio.run(waits("june")))]
    with without_turns():
        rows.append(("without turns", *asyncio.run(waits("peer"))))
    columns = ("store", "messages a second of the busy process", "neighbor's wait p50 [ms]", "p95", "longest")
    show("SQLite store of two processes, one of them busy", columns, rows)


if __name__ == "__main__":
    main()
