"""Updates as they come, by poll or by webhook, converted and handed over."""

from __future__ import annotations

import asyncio
import warnings
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from telegram import Bot, Update, User
from telegram.warnings import PTBDeprecationWarning

from essence import observe
from essence.dialogue import Address, Message
from essence.ports import Receive
from essence.services.telegram.albums import Albums
from essence.services.telegram.incoming import Move, album_with_words, message_of, move_of

Json = dict[str, Any]
MoveOn = Callable[[Address, Address], Awaitable[None]]
"""Lets a conversation go on elsewhere; when it returns, that is durable."""


async def stay(_old: Address, _new: Address) -> None:
    """Of a group that becomes a supergroup nothing is taken along."""


@dataclass(frozen=True, slots=True)
class Hearers:
    """Who is told of what comes."""

    receive: Receive
    move_on: MoveOn
    albums: Albums


class Intake:
    """Hands over what people send; the messages of one chat one after another, those of several side by side."""

    def __init__(self, bot: Bot, me: User, hearers: Hearers, troubles: Counter[str]) -> None:
        """`troubles`: where it is counted what can't be understood or kept."""
        self._bot, self._me, self._hearers, self._troubles = bot, me, hearers, troubles
        self._chats: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def read(self, update: Json) -> Message | Move | None:
        """What an update says; None if there is nothing in it for June, or nothing that can be understood."""
        try:
            with warnings.catch_warnings():
                # Some of the library's own constructors ask for what it deprecates.
                warnings.simplefilter("ignore", PTBDeprecationWarning)
                return self._understood(Update.de_json(update, self._bot))
        except Exception as error:  # noqa: BLE001 - one update of an unknown form must not keep back all others
            self._troubles["malformed"] += 1
            observe.logger().error(
                "update_not_understood", update_id=update.get("update_id"), error=type(error).__name__
            )
            return None

    def _understood(self, update: Update) -> Message | Move | None:
        if (album := album_with_words(update)) is not None:
            self._hearers.albums.note_words(album)
        return move_of(update) or message_of(update, self._me)

    async def hand_over(self, item: Message | Move) -> None:
        """Return when it is durable.

        Raises:
            JuneError: It is not.
        """
        chat = self._chats.setdefault(chat_id_of(item), asyncio.Lock())
        async with chat:
            if isinstance(item, Move):
                await self._hearers.move_on(item.old, item.new)
            else:
                await self._hearers.receive(item)


def chat_id_of(item: Message | Move) -> str:
    """Where it must not be overtaken: what a group remembers is there before its first words as a supergroup."""
    return item.new.chat_id if isinstance(item, Move) else item.address.chat_id
