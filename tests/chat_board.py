"""A task board in memory for a June in the same process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from essence.config import TaskBoards
from essence.ports import TaskBoard
from essence.work import Task

SETTINGS = TaskBoards(_env_file=None, store_poll_s=0.05)


def at(board: TaskBoard) -> Callable[[], AbstractAsyncContextManager[TaskBoard]]:
    """What opens a board that is open."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[TaskBoard]:
        yield board

    return opened


async def task_on(board: TaskBoard) -> Task:
    """The next task, claimed."""
    claim = await board.claim("tester", lease_s=60, wait_s=20)
    assert claim is not None
    return claim.task
