"""Trying again what must succeed in the end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TypeVar

from essence import observe
from essence.errors import JuneError, RateLimited

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
T = TypeVar("T")


def any_error(_: JuneError) -> bool:
    """Of June's own parts: what they refuse now, such as a full disk, is mended some day."""
    return True


def retryable(error: JuneError) -> bool:
    """Of the platform: what it refuses for good stays refused."""
    return error.retryable


async def until_it_works(
    what: str, work: Callable[[], Awaitable[T]], troubles: Counter[str], again: Callable[[JuneError], bool]
) -> T:
    """Do it until it succeeds, with growing pauses.

    Args:
        what: Names the failure in logs and `troubles`.
        work: What is done.
        troubles: Counts failures.
        again: Whether a failure may pass; others are raised.
    """
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            return await work()
        except JuneError as error:
            if not again(error):
                raise
            troubles[what] += 1
            observe.logger().warning(what.replace(" ", "_"), code=error.code, error=str(error), pause_s=pause_s)
            wait_s = max(error.retry_after_s, pause_s) if isinstance(error, RateLimited) else pause_s
        await asyncio.sleep(wait_s)
        pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
