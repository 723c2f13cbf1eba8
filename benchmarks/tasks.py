"""The task board: cycles a second, lists, and how soon a waiting agent has its work, against todorama's own figures.

A cycle is create → claim → complete. The peer's figures were measured on this kind of machine (two shared cores) with
the public todorama service over HTTP on SQLite: 28 cycles/s one after another, 35 by 8 clients, 22 ms for a list of 10
among 20,000 tasks. June's aim is 20 times the cycles, the same at any size, and work in the hands of a waiting agent in
200 ms. Where what was said to be done must outlive a power cut, a cycle waits for the disk twice, so the disk's own
commits a second, measured in the same run, are the limit of cycles one after another. The clients share the machine.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks._table import show
from essence.config import BoardSettings
from essence.tasks.board import Board, open_own
from essence.tasks.registry import TOOLS
from tests.todorama_service import running_service

PEER_ALONE, PEER_TOGETHER, PEER_LIST_MS = 28.0, 35.0, 22.0
AIM = 20
CLIENTS = 8
CYCLES = 400
RUNS = 5
SIZES = (1_000, 100_000, 1_000_000)
LISTED_AMONG = 20_000
LISTS = 100
WAITS = 60
WORK = {"title": "Paint the door", "task_type": "concrete", "task_instruction": "Paint it blue."}
WORK |= {"verification_instruction": "The door is blue.", "agent_id": "planner"}

Ask = Callable[..., Awaitable[dict[str, Any]]]


class Connection:
    """HTTP as lean as can be, so that the board is measured and not its client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, tool: str, **fields: object) -> dict[str, Any]:
        body = json.dumps(fields).encode()
        head = f"POST /mcp/{tool} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        headers = await self._reader.readuntil(b"\r\n\r\n")
        length = int(headers.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        answer: dict[str, Any] = json.loads(await self._reader.readexactly(length))
        assert answer["success"], answer
        return answer

    def close(self) -> None:
        self._writer.close()


@asynccontextmanager
async def connected(url: str, count: int) -> AsyncIterator[list[Ask]]:
    port = int(url.rpartition(":")[2])
    connections = [Connection(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(count)]
    try:
        yield [connection.ask for connection in connections]
    finally:
        for connection in connections:
            connection.close()


def in_process(board: Board) -> Ask:
    async def ask(tool: str, **fields: Any) -> dict[str, Any]:
        one = TOOLS[tool]
        return await board.call(one, one.arguments.model_validate(fields), fields.get("agent_id", ""))

    return ask


async def cycles(ask: Ask, count: int, agent: str) -> None:
    for _ in range(count):
        await ask("create_task", **WORK)
        claim = await ask("claim_next", agent_id=agent)
        done = {"task_id": claim["task"]["id"], "lease_token": claim["lease_token"]}
        await ask("complete_task", agent_id=agent, **done)


async def per_s(asks: list[Ask], count: int) -> float:
    """Cycles a second by as many clients as there are, the median of several runs: a checkpoint may fall into one."""
    await cycles(asks[0], 20, "warm")
    speeds = []
    for _ in range(RUNS):
        began = time.perf_counter()
        await asyncio.gather(*(cycles(ask, count // len(asks), f"agent-{n}") for n, ask in enumerate(asks)))
        speeds.append(count / (time.perf_counter() - began))
    return statistics.median(speeds)


def row(name: str, alone: float, together: float) -> tuple[str, ...]:
    return (
        name,
        f"{alone:,.0f}",
        f"{alone / PEER_ALONE:.1f}×",
        f"{together:,.0f}",
        f"{together / PEER_TOGETHER:.1f}×",
    )


def commits_per_s(folder: Path) -> float:
    """What the disk gives: SQLite's own, with WAL and synchronous=FULL, one insert each."""
    connection = sqlite3.connect(folder / "peer.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE t (x)")
    began = time.perf_counter()
    for _ in range(200):
        connection.execute("INSERT INTO t VALUES (1)")
    commits = 200 / (time.perf_counter() - began)
    connection.close()
    return commits


async def throughput(folder: Path) -> None:
    rows = []
    for durable, promise in ((False, "outlives killed processes"), (True, "outlives power cuts")):
        settings = BoardSettings(todorama_outlive_power_cuts=durable)
        async with open_own(f"sqlite:///{folder}/in-{durable}.db", settings) as board:
            ask = in_process(board)
            rows.append(row(f"in process, {promise}", await per_s([ask], CYCLES), await per_s([ask] * CLIENTS, CYCLES)))
        options = {"TODORAMA_OUTLIVE_POWER_CUTS": str(durable), "LOG_LEVEL": "info"}
        with running_service(f"sqlite:///{folder}/http-{durable}.db", **options) as service:
            async with connected(service.url, CLIENTS) as asks:
                rows.append(row(f"HTTP, {promise}", await per_s(asks[:1], CYCLES), await per_s(asks, CYCLES)))
    columns = ("SQLite", "one after another [cycles/s]", "of the peer", f"{CLIENTS} clients [cycles/s]", "of the peer")
    show(
        f"Cycles of create, claim, complete; aim {AIM}×; the disk: {commits_per_s(folder):.0f} commits/s", columns, rows
    )


def fill(path: Path, count: int) -> None:
    """Half of them complete and verified, half available and less urgent than what is measured."""
    columns = "project_id, title, task_type, line, task_instruction, verification_instruction, task_status, "
    columns += (
        "verification_status, rank, created_by, max_attempts, created_at, updated_at, assigned_agent, completed_at"
    )
    values = "1, 'Task ' || n, 'concrete', 0, 'Do number ' || n, 'v', iif(n % 2, 'complete', 'available'), "
    values += "iif(n % 2, 'verified', 'unverified'), 3, 'a', 5, n, n, iif(n % 2, 'b', NULL), iif(n % 2, n, NULL)"
    numbers = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute(f"INSERT INTO tasks ({columns}) {numbers} SELECT {values} FROM numbers", (count,))  # noqa: S608
    connection.commit()
    connection.close()


async def lists(ask: Ask, **fields: object) -> tuple[float, float]:
    """Median and 95th percentile of a list. [ms]"""
    took = []
    for _ in range(LISTS):
        began = time.perf_counter()
        answer = await ask("list_available_tasks", agent_type="implementation", **fields)
        took.append((time.perf_counter() - began) * 1e3)
        assert answer["tasks"]
    return statistics.median(took), statistics.quantiles(took, n=20)[-1]


async def at_sizes(folder: Path) -> None:
    rows = []
    settings = BoardSettings(todorama_outlive_power_cuts=False, todorama_deadline_s=60)
    for size in SIZES:
        path = folder / f"{size}.db"
        async with open_own(f"sqlite:///{path}", settings):
            pass
        fill(path, size)
        async with open_own(f"sqlite:///{path}", settings) as board:
            ask = in_process(board)
            speed = await per_s([ask], CYCLES)
            p50, p95 = await lists(ask, limit=10)
            began = time.perf_counter()
            assert (await ask("search_tasks", query=f"number {size // 2}", limit=10))["tasks"]
            searched_ms = (time.perf_counter() - began) * 1e3
        rows.append((f"{size:,}", f"{speed:,.0f}", f"{p50:.1f}", f"{p95:.1f}", f"{searched_ms:.1f}"))
        path.unlink()
    columns = ("tasks", "cycles/s", "list of 10, p50 [ms]", "p95 [ms]", "search [ms]")
    show("In process, one after another, by how many tasks there are; aim: flat", columns, rows)


async def over_http(folder: Path) -> None:
    path = folder / "listed.db"
    async with open_own(f"sqlite:///{path}", BoardSettings()):
        pass
    fill(path, LISTED_AMONG)
    with running_service(f"sqlite:///{path}") as service:
        async with connected(service.url, 2) as (ask, wait):
            p50, p95 = await lists(ask, limit=10)
            took = await told(ask, wait)
    rows = [
        (f"list of 10 among {LISTED_AMONG:,}", f"{p50:.1f}", f"{p95:.1f}", f"{PEER_LIST_MS:.0f} ms (todorama)"),
        (
            "from create to a waiting claim's answer",
            f"{statistics.median(took):.1f}",
            f"{statistics.quantiles(took, n=20)[-1]:.1f}",
            "p95 under 200 ms (aim)",
        ),
    ]
    show("Over HTTP, SQLite, outlives power cuts", ("what", "p50 [ms]", "p95 [ms]", "against"), rows)


async def told(ask: Ask, wait: Ask) -> list[float]:
    """From the request that brings work to its arrival at an agent that waits for it. [ms]"""
    project = (await ask("create_project", name="empty"))["project_id"]
    took = []
    for _ in range(WAITS):
        waiting = asyncio.create_task(wait("claim_next", agent_id="a", project_id=project, wait_s=30))
        await asyncio.sleep(0.05)
        began = time.perf_counter()
        await ask("create_task", **WORK, project_id=project)
        assert (await waiting)["task"]
        took.append((time.perf_counter() - began) * 1e3)
    return took


async def measure(folder: Path) -> None:
    await throughput(folder)
    await over_http(folder)
    await at_sizes(folder)


def main() -> None:
    scratch = Path("build").resolve()  # on the disk of the checkout: the system's temporary folder may be memory
    scratch.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        asyncio.run(measure(Path(folder)))


if __name__ == "__main__":
    main()
