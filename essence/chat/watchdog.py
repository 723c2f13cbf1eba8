"""Sees to it that every message has an end that its sender sees: the last line, where an exchange has failed to.

Exchanges end their messages before the deadline. What is overdue all the same, with nothing of it on its way to its
sender, is ended here and counted. Time in which nobody could be told anything doesn't count: while the platform was
out of reach, the machine slept or somebody set the clock forward, deadlines have stood still.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from essence import observe
from essence.dialogue import Message, Reply
from essence.errors import JuneError
from essence.ports import Channel, Store

EVERY_S = 1.0
GRACE_S = 60.0
"""After a start, an outage or a jump nothing is ended for so long: by then exchanges are at it again, and what waits
for the courier's longest pause has left."""
NOTICEABLE_S = 5.0
"""A shorter loss of time is given back to nobody."""
NO_TIME = timedelta()


async def watch(store: Store, channel: Channel) -> None:
    """End what is overdue, tell its sender, and count it; until cancelled."""
    watchdog = Watchdog(store, channel)
    while True:
        await asyncio.sleep(EVERY_S)
        try:
            await watchdog.look()
        except JuneError as error:
            observe.logger().error("watchdog_failed", code=error.code, error=str(error))


class Watchdog:
    """Looks after the messages of one channel's platform."""

    def __init__(self, store: Store, channel: Channel) -> None:
        self._store, self._channel, self._platform = store, channel, channel.profile.platform
        self._loop = asyncio.get_running_loop()
        self._last_look = self._loop.time(), datetime.now(UTC)
        self._lost = NO_TIME
        self._waits_until = self._loop.time() + GRACE_S
        self._silent: set[str] = set()
        """Keys of what was overdue at the last look, with nothing on its way."""

    async def look(self) -> None:
        """Give lost time back, or end what is overdue.

        Raises:
            JuneError: The store failed; look again.
        """
        self._lost += self._lost_since_last_look()
        if not self._channel.state.connected:
            return
        if self._lost >= timedelta(seconds=NOTICEABLE_S):
            await self._store.inbox.put_off(self._platform, self._lost)
            self._waits_until = self._loop.time() + GRACE_S
        self._lost = NO_TIME
        if self._loop.time() >= self._waits_until:
            await self._end_overdue()

    def _lost_since_last_look(self) -> timedelta:
        (then_s, then), (now_s, now) = self._last_look, (self._loop.time(), datetime.now(UTC))
        self._last_look = now_s, now
        passed = timedelta(seconds=now_s - then_s)
        jump = max(now - then - passed, NO_TIME)  # back is none: deadlines come late by it
        return jump if self._channel.state.connected else jump + passed

    async def _end_overdue(self) -> None:
        overdue = await self._store.inbox.overdue(platform=self._platform)
        silent = [message for message in overdue if not await self._is_on_its_way(message)]
        for message in silent:
            if message.key in self._silent:  # at the last look too: nobody is about to end it
                await self._end(message)
        self._silent = {message.key for message in silent}

    async def _is_on_its_way(self, message: Message) -> bool:
        """Whether its sender is yet to get something of its answer, behind which anything else would wait."""
        parts = await self._store.outbox.parts(message.key)
        return any(part.state in ("intended", "sending", "failed") for part in parts)

    async def _end(self, message: Message) -> None:
        reply = Reply("⚠️ I did not get this done in time. Please send it again.", reply_to_id=message.message_id)
        if await self._store.inbox.settle(message.key, "failed", "overdue", reply=reply):
            observe.MESSAGES_WITHOUT_END.labels(self._platform).inc()
            observe.logger().error("message_without_end", key=message.key)
            observe.count_message(self._platform, "failed")
