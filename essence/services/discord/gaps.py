"""Plans what is read again after each time when nobody listened."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from essence import observe
from essence.dialogue import Message
from essence.services.discord import doors
from essence.services.discord.bookmark import Bookmark
from essence.services.discord.catching_up import Gap, edge_of, stretches, unheard_of
from essence.services.discord.directory import Directory
from essence.services.discord.doors import Allowed, Doors
from essence.services.discord.patience import any_error, until_it_works

Newest = Callable[[], Awaitable[tuple[Message, ...]]]
"""The last message of each conversation that June has."""


@dataclass(frozen=True, slots=True)
class Known:
    """From what a plan is made."""

    directory: Directory
    newest: Newest
    allowed: Allowed
    doors: Doors
    bookmark: Bookmark


class Gaps:
    """Knows the last gap. Lanes ask it what is due; private conversations are added to its plan as they are found."""

    def __init__(
        self, tasks: asyncio.TaskGroup, known: Known, troubles: Counter[str], wake: Callable[[str], None]
    ) -> None:
        """`wake`: starts a channel's lane, so that it reads."""
        self._tasks, self._from, self._troubles, self._wake = tasks, known, troubles, wake
        self._gap: Gap | None = None
        self._sessions = 0
        self._bookmark_free = asyncio.Lock()
        self._rooms: dict[str, str] = {}
        """Id of a person → channel id of their private conversation, where no kept message may tell of it."""
        self._wanted: dict[str, None] = {}
        """Ids of people who may talk to June and whose private conversation has not been found."""

    def begin(self) -> Gap | None:
        """A new session: the gap before it, or None where it is one with the gap that has not been planned yet."""
        self._sessions += 1
        if self._gap is not None and not self._gap.planned:
            return None
        self._gap = Gap()
        return self._gap

    def due(self, channel_id: str) -> Gap | None:
        """What a channel's lane has to read before anything else."""
        return self._gap if self._gap is not None and self._gap.holds(channel_id) else None

    def all_there(self) -> None:
        """The servers and their channels are known: the plan can be made."""
        if self._gap is not None and not self._gap.planned:
            self._tasks.create_task(self._plan(self._gap))

    async def _plan(self, gap: Gap) -> None:
        session = self._sessions
        newest = await until_it_works("newest not known", self._from.newest, self._troubles, any_error)
        allowed = await until_it_works("people not known", self._from.allowed, self._troubles, any_error)
        edge = await self._began(edge_of(newest))
        if gap.planned or session != self._sessions:  # the client died meanwhile; the next one knows its servers later
            return
        found = stretches(newest, self._from.directory.rooms(), datetime.now(UTC), edge)
        observe.logger().info("catching_up", channels=len(found))
        gap.plan(found)
        for channel_id in found:
            self._wake(channel_id)
        self._look_for(gap, _silent(allowed, newest))
        await self._end(gap)

    async def _began(self, edge: int) -> int:
        if edge == 0:  # a June without a past reads nothing
            return edge
        async with self._bookmark_free:
            return await until_it_works(
                "bookmark not put", lambda: self._from.bookmark.put(edge), self._troubles, any_error
            )

    async def read(self, gap: Gap, channel_id: str) -> None:
        """A channel's stretch was read."""
        gap.read(channel_id)
        await self._end(gap)

    async def _end(self, gap: Gap) -> None:
        """Once all has been read, no later catching up need begin where this one did."""
        async with self._bookmark_free:
            if gap is self._gap and gap.over:
                await until_it_works("bookmark not removed", self._from.bookmark.remove, self._troubles, any_error)

    # Private conversations that no kept message tells of

    def _look_for(self, gap: Gap, people: Sequence[str]) -> None:
        self._rooms = {one: self._rooms[one] for one in people if one in self._rooms}
        self._wanted = {one: None for one in people if one not in self._rooms}
        for channel_id in self._rooms.values():
            self._read(gap, channel_id)
        self._tasks.create_task(self._open(gap, list(self._wanted)))

    async def _open(self, gap: Gap, people: Sequence[str]) -> None:
        for person_id in people[: doors.MOST]:
            if gap is not self._gap:  # its successor's plan looks for the rest
                return
            if person_id in self._wanted and (channel_id := await self._from.doors.open(person_id)) is not None:
                self.came_from(person_id, channel_id)
                await asyncio.sleep(doors.PAUSE_S)
        self._troubles["private conversation left out"] += len(people[doors.MOST :])

    def came_from(self, person_id: str, channel_id: str) -> None:
        """A private conversation shows itself; to be told before its lane is given what came in it."""
        if self._gap is None or not self._gap.planned:
            self._rooms[person_id] = channel_id
        elif person_id in self._wanted:
            del self._wanted[person_id]
            self._rooms[person_id] = channel_id
            self._read(self._gap, channel_id)

    def _read(self, gap: Gap, channel_id: str) -> None:
        gap.add(channel_id, unheard_of(channel_id, datetime.now(UTC)))
        self._wake(channel_id)


def _silent(people: Sequence[str], newest: Sequence[Message]) -> list[str]:
    """Those of whom June has no private message."""
    heard = {message.sender.person_id for message in newest if message.private}
    return [person_id for person_id in people if person_id not in heard]
