"""Work that is broken off as soon as something else happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, NoReturn


@asynccontextmanager
async def watched(watch: Coroutine[Any, Any, NoReturn]) -> AsyncIterator[None]:
    """Run the body beside `watch`, which raises what breaks it off, or goes on until the body ends."""
    try:
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(watch)
            yield
            watching.cancel()
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from failed


def is_told_to_stop() -> bool:
    """Whether this task was cancelled; if not, a CancelledError in it is that of something it waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
