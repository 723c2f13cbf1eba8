"""One queue for each channel: what happened in a channel is worked through in order, and channels side by side."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Lanes(Generic[T]):
    """Queues that exist only while there is something in them."""

    def __init__(
        self,
        tasks: asyncio.TaskGroup,
        work: Callable[[str, T], Awaitable[None]],
        first: Callable[[str], T | None],
        shorten: Callable[[Sequence[T]], Sequence[T]],
        most: int,
    ) -> None:
        """Work is done in `tasks`.

        Args:
            tasks: The tasks of all lanes; they end when what is queued is done.
            work: Does one item of a channel.
            first: What must be done in a channel before anything that comes now; None: nothing.
            shorten: What is queued in the place of what waits in a lane that has become too long.
            most: Items of a lane that may wait.
        """
        self._tasks, self._work, self._first, self._shorten, self._most = tasks, work, first, shorten, most
        self._waiting: dict[str, deque[T]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, channel_id: str, *items: T) -> None:
        """Queue something, in a new lane after what is due there first."""
        if channel_id not in self._waiting:
            first = self._first(channel_id)
            self._waiting[channel_id] = deque([] if first is None else [first])
            self._tasks.create_task(self._run(channel_id))
        waiting = self._waiting[channel_id]
        waiting.extend(items)
        if len(waiting) > self._most:
            self._waiting[channel_id] = deque(self._shorten(tuple(waiting)))

    def put_everywhere(self, item: T) -> None:
        """Queue something in every lane that there is."""
        for waiting in self._waiting.values():
            waiting.append(item)

    async def _run(self, channel_id: str) -> None:
        while waiting := self._waiting[channel_id]:
            await self._work(channel_id, waiting.popleft())
        del self._waiting[channel_id]
