"""From a URL to a task board."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from essence.config import TaskBoards
from essence.errors import ConfigError
from essence.ports import TaskBoard
from essence.store.clock import Clock


@asynccontextmanager
async def open_board(url: str, settings: TaskBoards, clock: Clock | None = None) -> AsyncIterator[TaskBoard]:
    """Open a task board on entry, let go of it on exit.

    Args:
        url: `http(s)://HOST:PORT/mcp` is any todorama; `memory://`, `sqlite:///PATH` or `postgresql://…` is June's own
            board in this process.
        settings: Deadlines, keys, rules, and the project whose tasks are claimed; the URLs in them are not looked at.
        clock: Where the times of June's own board come from; None is the real ones.

    Raises:
        ConfigError: The URL or the project can't be used, or a newer June wrote this board.
        EngineMissing: The database's driver isn't installed.
        StoreError, Unreachable, TooSlow: It can't be opened.
    """
    if url.startswith(("http://", "https://")):
        far_board = await asyncio.to_thread(_far)
        async with far_board(settings.model_copy(update={"tasks_url": url}), settings, clock) as far:
            yield far
        return
    from essence.tasks.board import open_own  # each kind loads what the other doesn't need
    from essence.tasks.near import NearBoard

    async with open_own(url, settings, clock) as board:
        yield NearBoard(board, _project(settings.todorama_project_id))


def _far() -> Callable[..., AbstractAsyncContextManager[TaskBoard]]:
    """The MCP SDK takes half a second to load, in which a chat service that is at work must not stand still."""
    from essence.tasks.far import open_far_board

    return open_far_board


def _project(setting: str) -> int | None:
    if not setting:
        return None
    if not setting.isdecimal():
        raise ConfigError(f"TODORAMA_PROJECT_ID={setting} is no project of June's own board. Set it to a number.")
    return int(setting)
