"""What was written while nobody listened: which channels are read again, and from which message on.

After READY that is not a resume, Discord does not deliver what was missed. June reads it in the channels' history.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import discord

from essence.dialogue import Address, Message
from essence.services.discord.addresses import moment
from essence.services.discord.directory import Place, Room

FARTHEST_BACK = timedelta(hours=24)
"""Of channels of servers, where most of what is said is not for June, and of private conversations that June has no
message of; all others are read from their end."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Of one channel: all messages after this one."""

    place: Place
    after: int


class Gap:
    """A time when nobody listened. Each channel's lane reads its stretch before it goes on with what came later."""

    def __init__(self) -> None:
        self._planned = asyncio.Event()
        self._stretches: dict[str, Stretch] = {}

    @property
    def planned(self) -> bool:
        """Whether it is known what must be read."""
        return self._planned.is_set()

    @property
    def over(self) -> bool:
        """Whether all of that was read."""
        return self.planned and not self._stretches

    def plan(self, stretches: dict[str, Stretch]) -> None:
        """Say what must be read; lanes of all other channels go on."""
        self._stretches = dict(stretches)
        self._planned.set()

    def add(self, channel_id: str, stretch: Stretch) -> None:
        """Something that was found later; nothing may have come in this channel that does not wait for this gap."""
        self._stretches[channel_id] = stretch

    def holds(self, channel_id: str) -> bool:
        """Whether what comes in this channel has to wait."""
        return not self.planned or channel_id in self._stretches

    async def stretch(self, channel_id: str) -> Stretch | None:
        """What must be read of a channel, as soon as it is known."""
        await self._planned.wait()
        return self._stretches.get(channel_id)

    def read(self, channel_id: str) -> None:
        """A channel's stretch was read."""
        self._stretches.pop(channel_id, None)


def edge_of(newest: Sequence[Message]) -> int:
    """The newest message of all; 0 where there is none. `newest`: as `stretches`."""
    return max((after for one in newest if (after := moment(one.message_id)) is not None), default=0)


def stretches(newest: Sequence[Message], rooms: Iterable[Room], now: datetime, edge: int) -> dict[str, Stretch]:
    """What must be read, by channel.

    Args:
        newest: The last message of each conversation that June knows.
        rooms: The channels of the servers that she is in.
        now: Aware UTC.
        edge: The newest message of all, when the last catching up began that has not come to its end: from there on
            channels are read that June has no message of. Since then she may have got on in others.
    """
    by_room = {room.channel_id: room for room in rooms}
    farthest = discord.utils.time_snowflake(now - FARTHEST_BACK)
    found = dict(_known(newest, farthest))
    if not found:
        return {}
    for channel_id in by_room.keys() - found.keys():
        found[channel_id] = Stretch(by_room[channel_id].place, max(edge, farthest))
    return {name: one for name, one in found.items() if _has_more(by_room.get(name), one)}


def unheard_of(channel_id: str, now: datetime) -> Stretch:
    """What must be read of a private conversation that June has no message of. `now`: aware UTC."""
    place = Place(Address("discord", channel_id), private=True)
    return Stretch(place, discord.utils.time_snowflake(now - FARTHEST_BACK))


def _known(newest: Sequence[Message], farthest: int) -> Iterator[tuple[str, Stretch]]:
    for message in newest:
        after = moment(message.message_id)
        if after is not None:
            place = Place(message.address, message.private)
            if message.sound is not None:  # of the same message there may be more sounds, which are messages of June's
                after -= 1
            stretch = Stretch(place, after if message.private else max(after, farthest))
            yield message.address.thread_id or message.address.chat_id, stretch


def _has_more(room: Room | None, stretch: Stretch) -> bool:
    """False only where the gateway says that nothing came since; of private conversations it says nothing."""
    return room is None or room.last_message_id > stretch.after
