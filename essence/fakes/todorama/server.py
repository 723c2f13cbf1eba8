"""A todorama for tests and demonstrations.

async with TodoramaServer() as todorama:
    ...  # a client is given todorama.url
    todorama.fails("create_task", LostAnswer())
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, TypeVar

from essence.fakes.todorama.faults import Fault
from essence.fakes.todorama.front import Call, Front
from essence.fakes.todorama.limit import Limit
from essence.fakes.todorama.tools import TOOLS
from essence.fakes.todorama.world import TaskRow, World

__all__ = ["Call", "TodoramaServer"]
T = TypeVar("T")


def _utc_now() -> datetime:
    return datetime.now(UTC)


class TodoramaServer:
    """An async context manager that listens on a loopback port, from its construction on."""

    def __init__(
        self,
        *,
        port: int = 0,
        limit: Limit | None = None,
        projects: tuple[int, ...] = (),
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        """What there is at the beginning.

        Args:
            port: 0 takes a free one.
            limit: Beyond it, requests get 429; a stock server has `Limit()`, None is one that was told not to.
            projects: Those that somebody has made with SQL; a new server has none.
            now: The server's clock, aware UTC.
        """
        self._world = World(now, projects=set(projects))
        self._front = Front(self._world, limit, port)
        self._front.told = self._tell
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self._front.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._front.stop()

    @property
    def url(self) -> str:
        """As `TASKS_URL` takes it."""
        return f"http://127.0.0.1:{self._front.port}/mcp"

    @property
    def tasks(self) -> dict[int, TaskRow]:
        """All tasks by their ids, to look at and to change as SQL could."""
        return self._world.tasks

    def does(self, tool: str, **arguments: object) -> dict[str, Any]:
        """What somebody else's client does, at once and without a request.

        Raises:
            Refused, Crashed: As the tool does.
        """
        result = TOOLS[tool].work(self._world, TOOLS[tool].asks.model_validate(arguments))
        return {"tasks": result} if isinstance(result, list) else result

    @property
    def calls(self) -> list[Call]:
        """Every request, in the order of arrival."""
        return self._front.calls

    def calls_of(self, *tools: str) -> list[Call]:
        """The calls of some tools, whichever way they came."""
        return [call for call in self.calls if call.tool in tools]

    def times(self, task_id: int, kind: str) -> int:
        """How often something was done to a task: created, locked, unlocked, completed, verified, progress, note …"""
        return sum(one["task_id"] == task_id and one["change_type"] == kind for one in self._world.changes)

    def fails(self, tool: str, fault: Fault, *, times: int | None = 1, skip: int = 0) -> None:
        """Let calls of a tool fail.

        Args:
            tool: Its name, `initialize`, `tools/list`, or `*` for any request.
            fault: What happens.
            times: To how many calls; None: to all, until `heals`.
            skip: How many go well before.
        """
        self._front.faults.plan(tool, fault, times=times, skip=skip)

    def meanwhile(self, tool: str, act: Callable[[], None]) -> None:
        """Do something as somebody else, once, when the next call of a tool has come and before it has its effect."""
        self._front.interludes.append((tool, act))

    def heals(self) -> None:
        """End all faults."""
        self._front.faults.clear()

    async def until(self, found: Callable[[], T | None], *, timeout_s: float = 30.0) -> T:
        """Wait for something about this server to become true; asked again after each request and answer.

        Raises:
            TimeoutError: It did not.
        """
        async with asyncio.timeout(timeout_s):
            while True:
                changed = self._changed
                if result := found():
                    return result
                await changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
