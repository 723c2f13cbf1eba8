"""Wakes those who wait for work without asking the database all the time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


class Bell:
    """Rung in this process when there is new work; each ring wakes one of those who wait for work of its platform.

    Other processes can't ring it, and a lease ends without a sound: whoever waits looks every `poll_s` seconds too.
    """

    def __init__(self, poll_s: float) -> None:
        self._poll_s = poll_s
        self._rings = 0
        self._is_closed = False
        self._waiters: dict[asyncio.Future[None], str | None] = {}  # oldest first

    def ring(self, platform: str) -> None:
        """There is one more thing to do on a platform."""
        self._rings += 1
        for waiter, wanted in self._waiters.items():
            if wanted in (None, platform) and not waiter.done():
                waiter.set_result(None)
                return

    def ring_all(self) -> None:
        """There may be much more to do anywhere."""
        self._rings += 1
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def close(self) -> None:
        """Nobody waits from now on: who does gets what one more look gives."""
        self._is_closed = True
        self.ring_all()

    async def first(self, look: Callable[[], Awaitable[T]], *, wait_s: float, platform: str | None) -> T:
        """Look until there is something, or until `wait_s` have passed; returns what the last look gave."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + wait_s
        while True:
            rings = self._rings  # read before the look, so that no ring is lost between look and wait
            found = await look()
            left_s = ends - loop.time()
            if found or left_s <= 0 or self._is_closed:
                return found
            await self._wait(rings, min(left_s, self._poll_s), platform)

    async def _wait(self, rings: int, at_most_s: float, platform: str | None) -> None:
        if rings != self._rings:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters[waiter] = platform
        try:
            await asyncio.wait((waiter,), timeout=at_most_s)
        except asyncio.CancelledError:
            if waiter.done():  # the ring was for this one, who is going: pass it on
                del self._waiters[waiter]
                self._pass_on(platform)
            raise
        finally:
            self._waiters.pop(waiter, None)

    def _pass_on(self, platform: str | None) -> None:
        if platform is None:
            self.ring_all()
        else:
            self.ring(platform)
