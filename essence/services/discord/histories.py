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
"""Of one channel in one gap, the oldest; so many hide no question to June that still matters. The rest is counted."""


class Histories:
    """The history of every channel."""

    def __init__(self, rest: Rest, troubles: Counter[str]) -> None:
        self._rest, self._troubles = rest, troubles
        self._free = asyncio.Semaphore(AT_ONCE)

    async def after(self, channel_id: str, message_id: int) -> AsyncGenerator[Json]:
        """Yield what came after a message, oldest first; nothing where June may not read.

        Discord is asked until it answers.
        """
        for _ in range(MOST_PAGES):
            page = await self._page(channel_id, message_id)
            for raw in sorted(page, key=lambda one: int(one["id"])):
                message_id = int(raw["id"])
                yield raw
            if len(page) < PAGE:
                return
        self._troubles["history too long"] += 1
        observe.logger().warning("history_too_long", channel=channel_id)

    async def _page(self, channel_id: str, message_id: int) -> list[Json]:
        path = f"/channels/{channel_id}/messages?after={message_id}&limit={PAGE}"

        async def ask() -> list[Json]:
            async with self._free:
                page: list[Json] = (await self._rest.request("GET", path)).json()
                return page

        try:
            return await until_it_works("history not read", ask, self._troubles, retryable)
        except JuneError as error:
            self._troubles["history not readable"] += 1
            observe.logger().warning("history_not_readable", channel=channel_id, error=str(error))
            return []
