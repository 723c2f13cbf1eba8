"""Waiting for work without asking the database all the time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


class Bell:
    """Rung in this process when there is new work; each ring wakes one of those who wait.

    Other processes can't ring it, and a lease ends without a sound: whoever waits looks every `poll_s` seconds too.
    """

    def __init__(self, poll_s: float) -> None:
        self._poll_s = poll_s
        self._rings = 0
        self._waiters: deque[asyncio.Future[None]] = deque()

    def ring(self) -> None:
        """There is one more thing to do."""
        self._rings += 1
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    async def first(self, look: Callable[[], Awaitable[T]], *, wait_s: float) -> T:
        """Look until there is something, or until `wait_s` have passed; returns what the last look gave."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + wait_s
        while True:
            rings = self._rings  # read before the look, so that no ring is lost between look and wait
            found = await look()
            left_s = ends - loop.time()
            if found or left_s <= 0:
                return found
            await self._wait(rings, min(left_s, self._poll_s))

    async def _wait(self, rings: int, at_most_s: float) -> None:
        if rings != self._rings:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await asyncio.wait((waiter,), timeout=at_most_s)
        except asyncio.CancelledError:
            if waiter.done():  # the ring was for this one, who is going: pass it on
                self.ring()
            raise
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
