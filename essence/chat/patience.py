"""How long June waits: for a platform without counting the time, for the store without failing at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from essence import observe
from essence.errors import JuneError, TooSlow, Unreachable
from essence.ports import Channel

T = TypeVar("T")

TICK_S = 1.0
STORE_S = 60.0
"""So long the store is tried again: less than a courier's lease."""
STORE_PAUSE_S = 1.0
PASSING: tuple[type[JuneError], ...] = (TooSlow, Unreachable)


async def reachable_for(seconds: float, channel: Channel) -> None:
    """Return after so much time in which the channel's platform could be reached, and while it can."""
    while seconds > 0 or not channel.state.connected:
        pause_s = min(seconds, TICK_S) if seconds > 0 else TICK_S
        await asyncio.sleep(pause_s)
        if channel.state.connected:
            seconds -= pause_s


async def with_patience(work: Callable[[], Awaitable[T]], *, passing: tuple[type[JuneError], ...] = PASSING) -> T:
    """Do something with the store, again while it can't be had.

    Args:
        work: Does no harm when it is done twice.
        passing: What may be over soon.

    Raises:
        JuneError: As the store says, at last.
    """
    loop = asyncio.get_running_loop()
    gives_up_at = loop.time() + STORE_S
    while True:
        try:
            return await work()
        except passing as error:
            if loop.time() > gives_up_at:
                raise
            observe.logger().warning("store_tried_again", code=error.code, error=str(error))
        await asyncio.sleep(STORE_PAUSE_S)
