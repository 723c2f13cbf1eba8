"""A board as somebody else's todorama is: June adds keys, leases, fences and retries on her own side."""

from __future__ import annotations

import asyncio
import random

from essence.config import TasksClient
from essence.errors import RateLimited
from essence.tasks.far.holdings import Holdings
from essence.tasks.far.ledger import DurableLedger
from essence.tasks.far.making import Maker
from essence.tasks.far.records import task_of
from essence.tasks.far.seeking import Seeker
from essence.tasks.far.wire import Wire
from essence.work import NewTask, Task, TaskClaim


class PlainBoard:
    """See `essence.ports.TaskBoard`. Work is looked for every `TASKS_POLL_S`, less often near the rate limit."""

    def __init__(self, wire: Wire, ledger: DurableLedger, settings: TasksClient) -> None:
        self._wire, self._ledger = wire, ledger
        self._poll_s = settings.tasks_poll_s
        project_id = settings.todorama_project_id.strip()
        self._maker = Maker(wire, ledger, project_id=project_id, deadline_s=settings.tasks_deadline_s)
        self._holdings = Holdings(wire, ledger)
        self._seeker = Seeker(wire, ledger, self._holdings, project_id=project_id)
        self._looking = asyncio.Lock()
        self._news = asyncio.Event()

    async def create(self, task: NewTask, *, key: str) -> str:
        task_id = await self._maker.create(task, key)
        self._ring()
        return task_id

    async def claim(self, agent_id: str, *, lease_s: float, wait_s: float = 0.0) -> TaskClaim | None:
        clock = asyncio.get_running_loop().time
        until_s = clock() + wait_s
        while True:
            news, left_s = self._news, until_s - clock()
            try:
                if claim := await self._look(agent_id, lease_s):
                    return claim
                pause_s = max(self._poll_s * random.uniform(0.8, 1.2), self._wire.room.pause_s())  # noqa: S311
            except RateLimited as error:
                if error.retry_after_s > left_s:
                    raise
                pause_s = error.retry_after_s
            left_s = until_s - clock()
            if left_s <= 0:
                return None
            await _wait(news, min(pause_s, left_s))

    async def _look(self, agent_id: str, lease_s: float) -> TaskClaim | None:
        async with self._looking:
            await self._holdings.settle(agent_id)
            return await self._seeker.look(agent_id, lease_s=lease_s)

    async def extend(self, claim: TaskClaim, *, lease_s: float) -> None:
        await self._holdings.extend(claim, lease_s=lease_s)

    async def progress(self, claim: TaskClaim, text: str) -> None:
        await self._holdings.progress(claim, text)

    async def complete(self, claim: TaskClaim, notes: str) -> None:
        await self._holdings.end(claim, "done", notes)

    async def release(self, claim: TaskClaim, why: str, *, retry_s: float = 0.0, counts: bool = True) -> None:
        await self._holdings.release(claim, why, retry_s=retry_s, counts=counts)
        self._ring()

    async def fail(self, claim: TaskClaim, why: str) -> None:
        await self._holdings.end(claim, "failed", why)

    async def read(self, task_id: str) -> Task:
        context = await self._holdings.context(task_id)
        row = context["task"]
        failed = row["task_status"] == "in_progress" and (await self._ledger.standings([task_id])) == {
            task_id: "failed"
        }
        return task_of(row, context=context, status="dead" if failed else None)

    def _ring(self) -> None:
        """Let whoever waits in this process look at once."""
        self._news.set()
        self._news = asyncio.Event()


async def _wait(news: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await news.wait()
    except TimeoutError:
        pass
