"""Sees to it that every message has an end that its sender sees: the last line, where an exchange has failed to."""

from __future__ import annotations

import asyncio

from essence import observe
from essence.dialogue import Message, Reply
from essence.errors import JuneError
from essence.ports import Channel, Store

EVERY_S = 1.0


async def watch(store: Store, channel: Channel) -> None:
    """End what is overdue, tell its sender, and count it; until cancelled.

    While the platform can't be reached nothing is overdue: no end could be seen.
    """
    while True:
        await asyncio.sleep(EVERY_S)
        if not channel.state.connected:
            continue
        try:
            for message in await store.inbox.overdue(platform=channel.profile.platform):
                await _end(store, message)
        except JuneError as error:
            observe.logger().error("watchdog_failed", code=error.code, error=str(error))


async def _end(store: Store, message: Message) -> None:
    observe.MESSAGES_WITHOUT_END.labels(message.address.platform).inc()
    observe.logger().error("message_without_end", key=message.key)
    await store.outbox.intend(
        f"{message.key}:w0",
        message.address,
        Reply("⚠️ I did not get this done in time. Please send it again.", reply_to_id=message.message_id),
    )
    await store.inbox.settle(message.key, "failed", "overdue")
    observe.count_message(message.address.platform, "failed")
