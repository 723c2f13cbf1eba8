"""What comes on the gateway and from histories, handed over in each channel's order."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import discord

from essence import observe
from essence.dialogue import Message
from essence.ports import Receive
from essence.services.discord import incoming
from essence.services.discord.catching_up import Gap, stretches
from essence.services.discord.directory import Directory, Place
from essence.services.discord.histories import Histories
from essence.services.discord.interactions import COMMAND, COMPONENT, Interactions
from essence.services.discord.lanes import Lanes
from essence.services.discord.patience import any_error, retryable, until_it_works
from essence.services.discord.rest import Json

LATEST_EDIT = timedelta(minutes=15)
"""Later than that an event tells of something else that happened to a message edited long ago, such as a pin."""
Newest = Callable[[], Awaitable[tuple[Message, ...]]]


@dataclass(frozen=True, slots=True)
class _Said:
    raw: Json


@dataclass(frozen=True, slots=True)
class _Changed:
    raw: Json


@dataclass(frozen=True, slots=True)
class _Used:
    raw: Json
    answered: asyncio.Task[None]
    """Done when Discord knows that an answer will come, or can't be told."""


_Item = _Said | _Changed | _Used | Gap


@dataclass(frozen=True, slots=True)
class Sources:
    """What is asked in order to understand what comes."""

    directory: Directory
    histories: Histories
    interactions: Interactions
    newest: Newest
    """The last message of each conversation that June has."""


class Intake:
    """One call of `listen`: the gateway's ears."""

    def __init__(self, tasks: asyncio.TaskGroup, receive: Receive, sources: Sources, troubles: Counter[str]) -> None:
        """`tasks`: where all work is done."""
        self._tasks, self._receive, self._from, self._troubles = tasks, receive, sources, troubles
        self._gap: Gap | None = None
        self._sessions = 0
        self._lanes: Lanes[_Item] = Lanes(tasks, self._take, self._due)

    # The gateway's ears

    def met(self, client: discord.Client, me: Json) -> None:
        """A new session began: what happened since the last one ended has to be read."""
        self._sessions += 1
        self._from.directory.met(client, me)
        self._tasks.create_task(self._from.interactions.offer(self._from.directory.application_id))
        if self._gap is None or self._gap.planned:
            self._gap = Gap()
            self._lanes.put_everywhere(self._gap)
        # Else the last client died before its gap was planned; the plan of this one's will cover both.

    def resumed(self) -> None:
        """The session goes on, and nothing was missed."""
        self._from.directory.connected = True
        self._troubles["resumed"] += 1

    def parted(self) -> None:
        """There is no connection."""
        self._troubles["gateway closed"] += self._from.directory.connected
        self._from.directory.connected = False

    def all_there(self) -> None:
        """The servers and their channels are known."""
        if self._gap is not None and not self._gap.planned:
            self._tasks.create_task(self._plan(self._gap))

    def said(self, raw: Json) -> None:
        """MESSAGE_CREATE."""
        if incoming.is_a_persons(raw):
            self._lanes.put(raw["channel_id"], _Said(raw))

    def changed(self, raw: Json) -> None:
        """MESSAGE_UPDATE."""
        if incoming.is_a_persons(raw) and _was_edited_lately(raw):
            self._lanes.put(raw["channel_id"], _Changed(raw))

    def used(self, raw: Json) -> None:
        """INTERACTION_CREATE."""
        if raw.get("type") in (COMMAND, COMPONENT) and self._from.interactions.began(raw):
            answered = self._tasks.create_task(self._from.interactions.answer_at_once(raw))
            self._lanes.put(raw["channel_id"], _Used(raw, answered))

    # What was missed

    def _due(self, channel_id: str) -> Gap | None:
        return self._gap if self._gap is not None and self._gap.holds(channel_id) else None

    async def _plan(self, gap: Gap) -> None:
        session = self._sessions
        known = await until_it_works("newest not known", self._from.newest, self._troubles, any_error)
        if gap.planned or session != self._sessions:  # the client died meanwhile; the next one knows its servers later
            return
        found = stretches(known, self._from.directory.rooms(), datetime.now(UTC))
        observe.logger().info("catching_up", channels=len(found))
        gap.plan(found)
        for channel_id in found:
            self._lanes.put(channel_id)

    async def _catch_up(self, channel_id: str, gap: Gap) -> None:
        stretch = await gap.stretch(channel_id)
        if stretch is None:
            return
        async with aclosing(self._from.histories.after(channel_id, stretch.after)) as missed:
            async for raw in missed:
                if incoming.is_a_persons(raw):
                    await self._hand_over(_Said(raw), stretch.place)
        gap.read(channel_id)

    # What is there

    async def _take(self, channel_id: str, item: _Item) -> None:
        if isinstance(item, Gap):
            await self._catch_up(channel_id, item)
            return
        if isinstance(item, _Used):
            await asyncio.wait([item.answered])
        place = await until_it_works(
            "place not known", lambda: self._from.directory.place(item.raw), self._troubles, retryable
        )
        await self._hand_over(item, place)

    async def _hand_over(self, item: _Said | _Changed | _Used, place: Place) -> None:
        for message in self._understood(item, place):
            await until_it_works("message not taken", lambda: self._receive(message), self._troubles, any_error)  # noqa: B023 - awaited at once

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
