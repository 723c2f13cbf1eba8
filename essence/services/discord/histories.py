"""Reads what is written in channels."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator

from essence import observe
from essence.errors import JuneError
from essence.services.discord.patience import retryable, until_it_works
from essence.services.discord.rest import Json, Rest

AT_ONCE = 4
"""Requests for histories at the same time, so that others get through."""
PAGE = 100
"""Messages of one request; Discord's documentation, "Get Channel Messages"."""
MOST_PAGES = 10
"""Of one channel in one gap, twice: the oldest, and the newest, which can still be answered. What is between them is
left out, and counted."""


class Histories:
    """The history of every channel."""

    def __init__(self, rest: Rest, troubles: Counter[str]) -> None:
        self._rest, self._troubles = rest, troubles
        self._free = asyncio.Semaphore(AT_ONCE)

    async def after(self, channel_id: str, message_id: int) -> AsyncGenerator[Json]:
        """Yield what came after a message, oldest first; nothing where June may not read.

        Discord is asked until it answers.
        """
        for number in range(2 * MOST_PAGES):
            if number == MOST_PAGES:
                message_id = await self._before_the_newest(channel_id, message_id)
            page = await self._page(channel_id, f"after={message_id}")
            for raw in page:
                message_id = int(raw["id"])
                yield raw
            if len(page) < PAGE:
                return

    async def _before_the_newest(self, channel_id: str, message_id: int) -> int:
        """After which message the newest pages begin, or this one, if they reach back to it."""
        oldest = (1 << 63) - 1  # behind every message
        for _ in range(MOST_PAGES):
            page = await self._page(channel_id, f"before={oldest}")
            if not page or int(page[0]["id"]) <= message_id:
                return message_id
            oldest = int(page[0]["id"])
        self._troubles["history too long"] += 1
        observe.logger().warning("history_too_long", channel=channel_id)
        return oldest - 1

    async def _page(self, channel_id: str, where: str) -> list[Json]:
        """The page of a history next to a message, oldest first."""
        path = f"/channels/{channel_id}/messages?{where}&limit={PAGE}"

        async def ask() -> list[Json]:
            async with self._free:
                page: list[Json] = (await self._rest.request("GET", path)).json()
                return sorted(page, key=lambda one: int(one["id"]))

        try:
            return await until_it_works("history not read", ask, self._troubles, retryable)
        except JuneError as error:
            self._troubles["history not readable"] += 1
            observe.logger().warning("history_not_readable", channel=channel_id, error=str(error))
            return []
