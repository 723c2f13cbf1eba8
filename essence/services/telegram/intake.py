"""Updates as they come, by poll or by webhook, converted and handed over."""

from __future__ import annotations

import asyncio
import warnings
from collections import Counter
from typing import Any
from weakref import WeakValueDictionary

from telegram import Bot, Update, User
from telegram.warnings import PTBDeprecationWarning

from essence import observe
from essence.dialogue import Message
from essence.ports import Receive
from essence.services.telegram.incoming import message_of

Json = dict[str, Any]


class Intake:
    """Hands over what people send; the messages of one chat one after another, those of several side by side."""

    def __init__(self, bot: Bot, me: User, receive: Receive, troubles: Counter[str]) -> None:
        """`troubles`: where it is counted what can't be understood or kept."""
        self._bot, self._me, self._receive, self._troubles = bot, me, receive, troubles
        self._chats: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def read(self, update: Json) -> Message | None:
        """The message of an update; None if there is none in it, or none that can be understood."""
        try:
            with warnings.catch_warnings():
                # Some of the library's own constructors ask for what it deprecates.
                warnings.simplefilter("ignore", PTBDeprecationWarning)
                return message_of(Update.de_json(update, self._bot), self._me)
        except Exception as error:  # noqa: BLE001 - one update of an unknown form must not keep back all others
            self._troubles["malformed"] += 1
            observe.logger().error(
                "update_not_understood", update_id=update.get("update_id"), error=type(error).__name__
            )
            return None

    async def hand_over(self, message: Message) -> None:
        """Return when the message is durable.

        Raises:
            JuneError: It is not.
        """
        chat = self._chats.setdefault(message.address.chat_id, asyncio.Lock())
        async with chat:
            await self._receive(message)
