"""Somebody else's board, whichever kind it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from essence.config import StoreSettings, TasksClient
from essence.errors import ConfigError
from essence.store.clock import Clock
from essence.tasks.far import leased
from essence.tasks.far.leased import LeasedBoard
from essence.tasks.far.ledger import DurableLedger, open_ledger
from essence.tasks.far.plain import PlainBoard
from essence.tasks.far.wire import Wire, open_wire
from essence.work import NewTask, Task, TaskClaim


@asynccontextmanager
async def open_far_board(
    settings: TasksClient, store: StoreSettings, clock: Clock | None = None
) -> AsyncIterator[FarBoard]:
    """The board at `TASKS_URL`, connected by its first call, with its ledger in `STORE_URL`.

    Raises:
        ConfigError: A URL or the project can't be used.
        EngineMissing, StoreError, Unreachable, TooSlow: The store can't be opened.
    """
    project_id = settings.todorama_project_id.strip()
    if project_id and not (project_id.isascii() and project_id.isdigit()):
        raise ConfigError(f"TODORAMA_PROJECT_ID={project_id} is no project of a todorama. Set it to a number.")
    async with open_wire(settings) as wire, open_ledger(settings.tasks_url.rstrip("/"), store, clock) as ledger:
        yield FarBoard(wire, ledger, settings)


class FarBoard:
    """See `essence.ports.TaskBoard`. The board's list of tools, read by the first call, says what June has to add.

    Besides what the role says, a method may raise ConfigError or EngineMissing: at `TASKS_URL` is no such board.
    """

    def __init__(self, wire: Wire, ledger: DurableLedger, settings: TasksClient) -> None:
        self._wire = wire
        self._plain, self._leased = PlainBoard(wire, ledger, settings), LeasedBoard(wire, settings)

    async def create(self, task: NewTask, *, key: str) -> str:
        return await (await self._board()).create(task, key=key)

    async def claim(self, agent_id: str, *, lease_s: float, wait_s: float = 0.0) -> TaskClaim | None:
        return await (await self._board()).claim(agent_id, lease_s=lease_s, wait_s=wait_s)

    async def extend(self, claim: TaskClaim, *, lease_s: float) -> None:
        await (await self._board()).extend(claim, lease_s=lease_s)

    async def progress(self, claim: TaskClaim, text: str) -> None:
        await (await self._board()).progress(claim, text)

    async def complete(self, claim: TaskClaim, notes: str) -> None:
        await (await self._board()).complete(claim, notes)

    async def release(self, claim: TaskClaim, why: str, *, retry_s: float = 0.0) -> None:
        await (await self._board()).release(claim, why, retry_s=retry_s)

    async def fail(self, claim: TaskClaim, why: str) -> None:
        await (await self._board()).fail(claim, why)

    async def read(self, task_id: str) -> Task:
        return await (await self._board()).read(task_id)

    async def _board(self) -> PlainBoard | LeasedBoard:
        return self._leased if await self._wire.tools() >= leased.TOOLS else self._plain
