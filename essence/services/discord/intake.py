"""What comes on the gateway and from histories, handed over in each channel's order."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import discord

from essence import observe
from essence.dialogue import Message
from essence.ports import Receive
from essence.services.discord import incoming
from essence.services.discord.catching_up import Gap
from essence.services.discord.directory import Directory, Place, in_private_with
from essence.services.discord.gaps import Gaps, Known
from essence.services.discord.histories import Histories
from essence.services.discord.interactions import COMMAND, COMPONENT, Interactions, Open
from essence.services.discord.lanes import Lanes
from essence.services.discord.patience import any_error, retryable, until_it_works
from essence.services.discord.rest import Json

LATEST_EDIT = timedelta(minutes=15)
"""Later than that an event tells of something else that happened to a message edited long ago, such as a pin."""
MOST_WAITING = 50
"""Of one channel; what comes beyond that is read in its history later."""
MOST_USED = 10
"""Of these, slash commands and buttons, which no history tells of."""


@dataclass(frozen=True, slots=True)
class _Said:
    raw: Json


@dataclass(frozen=True, slots=True)
class _Unread:
    """In the place of messages that were too many to keep: to be read in the history, from this one on."""

    raw: Json


@dataclass(frozen=True, slots=True)
class _Changed:
    raw: Json


@dataclass(frozen=True, slots=True)
class _Used:
    raw: Json
    opened: Open


_Item = _Said | _Unread | _Changed | _Used | Gap


@dataclass(frozen=True, slots=True)
class Sources:
    """What is asked in order to understand what comes."""

    directory: Directory
    histories: Histories
    interactions: Interactions
    known: Known


class Intake:
    """One call of `listen`: the gateway's ears."""

    def __init__(self, tasks: asyncio.TaskGroup, receive: Receive, sources: Sources, troubles: Counter[str]) -> None:
        """`tasks`: where all work is done."""
        self._tasks, self._receive, self._from, self._troubles = tasks, receive, sources, troubles
        self._gaps = Gaps(tasks, sources.known, troubles, self._wake)
        self._lanes: Lanes[_Item] = Lanes(tasks, self._take, self._gaps.due, self._shortened, MOST_WAITING)

    # The gateway's ears

    def met(self, client: discord.Client, me: Json) -> None:
        """A new session began: what happened since the last one ended has to be read."""
        self._from.directory.met(client, me)
        self._tasks.create_task(self._from.interactions.offer(self._from.directory.application_id))
        if (gap := self._gaps.begin()) is not None:
            self._lanes.put_everywhere(gap)

    def resumed(self) -> None:
        """The session goes on, and nothing was missed."""
        self._from.directory.connected = True
        self._troubles["resumed"] += 1
        observe.logger().info("gateway_resumed")

    def parted(self) -> None:
        """There is no connection."""
        if self._from.directory.connected:
            self._troubles["gateway closed"] += 1
            observe.logger().warning("gateway_closed")
        self._from.directory.connected = False

    def all_there(self) -> None:
        """The servers and their channels are known."""
        self._gaps.all_there()

    def said(self, raw: Json) -> None:
        """MESSAGE_CREATE."""
        if incoming.is_a_persons(raw):
            self._queue(_Said(raw))

    def changed(self, raw: Json) -> None:
        """MESSAGE_UPDATE."""
        if incoming.is_a_persons(raw) and _was_edited_lately(raw):
            self._queue(_Changed(raw))

    def used(self, raw: Json) -> None:
        """INTERACTION_CREATE."""
        if raw.get("type") in (COMMAND, COMPONENT) and (opened := self._from.interactions.began(raw)) is not None:
            telling = self._tasks.create_task(self._from.interactions.answer_in_time(raw, opened))
            telling.add_done_callback(lambda _: opened.told.set())
            self._queue(_Used(raw, opened))

    def _queue(self, item: _Said | _Changed | _Used) -> None:
        channel_id = item.raw["channel_id"]
        if (person_id := in_private_with(item.raw)) is not None:
            self._gaps.came_from(person_id, channel_id)
        self._lanes.put(channel_id, item)

    def _wake(self, channel_id: str) -> None:
        self._lanes.put(channel_id)

    def _shortened(self, waiting: Sequence[_Item]) -> list[_Item]:
        """A lane with one reading of the history in the place of its messages."""
        said = [item for item in waiting if isinstance(item, _Said | _Unread)]
        used = [item for item in waiting if isinstance(item, _Used)]
        first = min((item.raw for item in said), key=lambda raw: int(raw["id"]), default=None)
        self._troubles["message to be read again"] += sum(isinstance(item, _Said) for item in said)
        self._troubles["edit not taken"] += sum(isinstance(item, _Changed) for item in waiting)
        self._troubles["command not taken"] += len(used[MOST_USED:])
        gaps = [item for item in waiting if isinstance(item, Gap)]
        return [*gaps, *([_Unread(first)] if first is not None else []), *used[:MOST_USED]]

    # What is there

    async def _take(self, channel_id: str, item: _Item) -> None:
        if isinstance(item, Gap):
            await self._catch_up(channel_id, item)
            return
        place = await until_it_works(
            "place not known", lambda: self._from.directory.place(item.raw), self._troubles, retryable
        )
        if isinstance(item, _Unread):
            await self._read_on(channel_id, int(item.raw["id"]) - 1, place)
        else:
            await self._hand_over(item, place)

    async def _catch_up(self, channel_id: str, gap: Gap) -> None:
        stretch = await gap.stretch(channel_id)
        if stretch is not None:
            await self._read_on(channel_id, stretch.after, stretch.place)
            await self._gaps.read(gap, channel_id)

    async def _read_on(self, channel_id: str, after: int, place: Place) -> None:
        async with aclosing(self._from.histories.after(channel_id, after)) as missed:
            async for raw in missed:
                if incoming.is_a_persons(raw):
                    await self._hand_over(_Said(raw), place)

    async def _hand_over(self, item: _Said | _Changed | _Used, place: Place) -> None:
        for message in self._understood(item, place):
            await until_it_works("message not taken", lambda: self._receive(message), self._troubles, any_error)  # noqa: B023 - awaited at once
            if isinstance(item, _Used):
                item.opened.kept.set()

    def _understood(self, item: _Said | _Changed | _Used, place: Place) -> list[Message]:
        try:
            return self._read(item, place)
        except (AttributeError, KeyError, TypeError, ValueError) as error:  # a form of Discord's that June doesn't know
            self._troubles["message not understood"] += 1
            observe.logger().error("message_not_understood", message=item.raw.get("id"), error=repr(error))
            return []

    def _read(self, item: _Said | _Changed | _Used, place: Place) -> list[Message]:
        match item:
            case _Said(raw):
                return incoming.messages(raw, place, self._from.directory)
            case _Changed(raw):
                return [incoming.edited(raw, place, self._from.directory)]
            case _Used(raw):
                return [incoming.command(raw, place) if raw["type"] == COMMAND else incoming.press(raw, place)]


def _was_edited_lately(raw: Json) -> bool:
    edited = raw.get("edited_timestamp")
    return edited is not None and datetime.now(UTC) - datetime.fromisoformat(edited) < LATEST_EDIT
