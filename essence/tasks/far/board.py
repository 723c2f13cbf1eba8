"""Somebody else's board, whichever kind it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from essence.config import StoreSettings, TasksClient
from essence.errors import ConfigError, StoreError
from essence.store.clock import Clock
from essence.tasks.far import leased
from essence.tasks.far.leased import LeasedBoard
from essence.tasks.far.ledger import DurableLedger, open_ledger
from essence.tasks.far.plain import PlainBoard
from essence.tasks.far.wire import Wire, open_wire
from essence.work import NewTask, Task, TaskClaim

_UNREADABLE = (AttributeError, LookupError, OverflowError, RecursionError, TypeError, ValueError)
"""What Python raises where JSON isn't what one took it for."""


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

    Besides what the role says, a method may raise ConfigError or EngineMissing: at `TASKS_URL` is no such board; or
    StoreError: what it answers is no todorama's answer.
    """

    def __init__(self, wire: Wire, ledger: DurableLedger, settings: TasksClient) -> None:
        self._wire = wire
        self._plain, self._leased = PlainBoard(wire, ledger, settings), LeasedBoard(wire, settings)

    async def create(self, task: NewTask, *, key: str) -> str:
        async with self._board() as board:
            return await board.create(task, key=key)

    async def claim(self, agent_id: str, *, lease_s: float, wait_s: float = 0.0) -> TaskClaim | None:
        async with self._board() as board:
            return await board.claim(agent_id, lease_s=lease_s, wait_s=wait_s)

    async def extend(self, claim: TaskClaim, *, lease_s: float) -> None:
        async with self._board() as board:
            await board.extend(claim, lease_s=lease_s)

    async def progress(self, claim: TaskClaim, text: str) -> None:
        async with self._board() as board:
            await board.progress(claim, text)

    async def complete(self, claim: TaskClaim, notes: str) -> None:
        async with self._board() as board:
            await board.complete(claim, notes)

    async def release(self, claim: TaskClaim, why: str, *, retry_s: float = 0.0, counts: bool = True) -> None:
        async with self._board() as board:
            await board.release(claim, why, retry_s=retry_s, counts=counts)

    async def fail(self, claim: TaskClaim, why: str) -> None:
        async with self._board() as board:
            await board.fail(claim, why)

    async def read(self, task_id: str) -> Task:
        async with self._board() as board:
            return await board.read(task_id)

    @asynccontextmanager
    async def _board(self) -> AsyncIterator[PlainBoard | LeasedBoard]:
        """Whichever it is. Its answers are read inside, field by field; one that can't be becomes an error here."""
        try:
            yield self._leased if await self._wire.tools() >= leased.TOOLS else self._plain
        except _UNREADABLE as error:
            what = f"The task board's answer can't be used ({error!r:.200})"
            raise StoreError(f"{what}. Check that TASKS_URL is a todorama's, and look at its log.") from error
