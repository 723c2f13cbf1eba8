"""What people are told past the outbox, since the store that holds it has failed."""

from __future__ import annotations

import time

from essence import observe
from essence.dialogue import Message, Reply
from essence.errors import JuneError
from essence.ports import Channel

ONE_NOTICE_S = 600.0
"""A conversation is told once in this time."""
NOTHING_IS_KEPT = "⚠️ I can't keep messages at the moment: my disk is full or can't be written. I'll answer when it can."


class Notices:
    """Remembers whom it has told, as long as the process lives."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._told: dict[str, float] = {}

    async def nothing_is_kept(self, message: Message) -> None:
        """Tell a person who may talk to June that their message waits for the store. A failure is logged alone."""
        chat, now = message.address.chat_id, time.monotonic()
        if self._told.get(chat, -ONE_NOTICE_S) + ONE_NOTICE_S > now:
            return
        self._told = {place: at for place, at in self._told.items() if at + ONE_NOTICE_S > now} | {chat: now}
        try:
            await self._channel.send(message.address, Reply(NOTHING_IS_KEPT), key=f"{message.key}:full")
        except JuneError as error:
            observe.logger().warning("notice_not_sent", code=error.code, error=str(error))
