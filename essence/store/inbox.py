"""The inbox in SQL; what its statements do is told in `essence.store.line` and `essence.store.parking`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Connection, Executable, Select, or_, select, type_coerce, update

from essence.dialogue import Address, Backlog, Claim, Message, Outcome, Platform, Reply, Sound
from essence.errors import JuneError
from essence.store import parking
from essence.store.bell import Bell
from essence.store.clock import Clock
from essence.store.database import Database
from essence.store.line import (
    END,
    LEAVE,
    RELEASE,
    RELEASE_ALL,
    TAKE_HEAD,
    extension,
    held,
    keep,
    lost,
    serve_next,
    settle,
)
from essence.store.outbox import keep_part
from essence.store.records import message_json, message_of, storable
from essence.store.tables import PLATFORMS, address_of, chat_of, chats, inbox, is_open, is_parked, person_of

_BYTES_A_SECOND = 4000
"""Of a voice message whose length the platform doesn't tell: Opus at some 32 kbit/s."""
_LONGEST_SOUND_S = 4 * 3600.0
"""As STT_MAX_AUDIO_S: longer ones are refused, which takes no time."""


class DurableInbox:
    """See `essence.ports.Inbox`."""

    def __init__(self, database: Database, clock: Clock, bell: Bell, outgoing: Bell, *, deadline_s: float) -> None:
        """`bell` is rung for messages, `outgoing` for parts."""
        self._database = database
        self._clock = clock
        self._bell = bell
        self._outgoing = outgoing
        self._deadline = timedelta(seconds=deadline_s)
        self._lease = database.lease_clock
        self._serve_any = serve_next(self._lease, one_platform=False)
        self._serve_one = serve_next(self._lease, one_platform=True)
        self._extend = extension(self._lease)

    async def receive(self, message: Message) -> bool:
        row = self._row(message)
        open_messages = await self._database.run(lambda connection: keep(connection, row, opens=1))
        if open_messages == 1:  # else the conversation is in the line already
            self._bell.ring(message.address.platform)
        return open_messages is not None

    def _row(self, message: Message) -> dict[str, object]:
        now = self._clock.now()
        return {
            "key": message.key,
            "chat": chat_of(message.address),
            "platform": message.address.platform,
            "person": person_of(message.address.platform, message.sender.person_id),
            "message": message_json(message),
            "sent_at": message.sent_at,
            "received_at": now,
            "deadline_at": self._deadline_of(message, now),
            "attempts": 0,
            "fence": 0,
            "reason": "",
            "private": message.private,
        }

    def _deadline_of(self, message: Message, at: datetime) -> datetime:
        return at + self._deadline + timedelta(seconds=_length_s(message.sound))

    async def knows(self, key: str) -> bool:
        query = select(inbox.c.id).where(inbox.c.key == key)
        return await self._database.run(lambda connection: connection.execute(query).first() is not None)

    async def conclude(self, message: Message, outcome: Outcome, reply: Reply | None = None, reason: str = "") -> bool:
        row = self._row(message)
        row |= {"outcome": outcome, "ended_at": row["received_at"], "reason": storable(reason)}

        def end(connection: Connection) -> bool:
            new = keep(connection, row, opens=0) is not None
            if new and reply is not None:
                keep_part(connection, f"{message.key}:0", message.address, reply)
            return new

        new = await self._database.run(end)
        if new and reply is not None:
            self._outgoing.ring(message.address.platform)
        return new

    async def park(self, message: Message) -> bool:
        return await self.conclude(message, "parked")

    async def park_unbegun(self, platform: Platform, before: datetime) -> int:
        total, more = 0, True
        while more:
            at = self._clock.now()
            count, more = await self._database.run(
                lambda connection, at=at: parking.park_some(connection, platform, before, at)  # type: ignore[misc]
            )
            total += count
        return total

    async def parked(self, platform: Platform) -> tuple[Backlog, ...]:
        query = parking.untold(platform)
        return await self._database.run(lambda connection: parking.backlog_of(connection, query))

    async def announce(self, address: Address, key: str, reply: Reply) -> bool:
        at = self._clock.now()
        told = await self._database.run(lambda connection: parking.announce(connection, address, key, reply, at))
        if told:
            self._outgoing.ring(address.platform)
        return told

    async def unpark(self, address: Address) -> int:
        at = self._clock.now()
        count = await self._database.run(
            lambda connection: parking.unpark(connection, address, at, lambda message: self._deadline_of(message, at))
        )
        if count:
            self._bell.ring(address.platform)
        return count

    async def discard(self, address: Address) -> int:
        at = self._clock.now()
        return await self._database.run(lambda connection: parking.discard(connection, address, at))

    async def record(self, address: Address) -> str:
        query = select(chats.c.record).where(chats.c.chat == chat_of(address))
        return await self._database.run(lambda connection: connection.scalar(query)) or ""

    async def newest(self, platform: Platform) -> tuple[Message, ...]:
        last_first = (inbox.c.sent_at.desc(), inbox.c.id.desc())
        last = select(inbox.c.message).where(inbox.c.chat == chats.c.chat).order_by(*last_first).limit(1)
        return await self._messages(select(last.scalar_subquery()).where(chats.c.platform == platform))

    async def amend(self, message: Message) -> bool:
        change = (
            update(inbox)
            .where(inbox.c.key == message.key, or_(is_open, is_parked), inbox.c.attempts == 0)
            .values(message=message_json(message))
        )
        return await self._database.run(lambda connection: connection.execute(change).rowcount == 1)

    async def claim(
        self, worker_id: str, *, lease_s: float, wait_s: float = 0.0, platform: Platform | None = None
    ) -> Claim | None:
        values = {"p_worker": worker_id, "p_lease_s": lease_s}
        serve: Executable = self._serve_any
        if platform is not None:
            values["p_platform"] = platform
            serve = self._serve_one
        return await self._bell.first(lambda: self._claim(serve, values), wait_s=wait_s, platform=platform)

    async def _claim(self, serve: Executable, values: Mapping[str, object]) -> Claim | None:
        """Take a message; whoever is cancelled meanwhile has not taken one."""
        # A power cut takes the worker along: nobody holds a claim that it undid, and its fence may be given again.
        work = self._database.run(
            lambda connection: _take(connection, serve, {**values, **self._lease.read()}), lasting=False
        )
        taking = asyncio.ensure_future(work)
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            with contextlib.suppress(JuneError):
                if (claim := await taking) is not None:
                    await self.release(claim)
            raise

    async def extend(self, claim: Claim, *, lease_s: float) -> None:
        await self._change(claim, self._extend, lambda: {"p_lease_s": lease_s} | self._lease.read())

    async def release(self, claim: Claim) -> None:
        await self._change(claim, RELEASE, dict)
        self._bell.ring(claim.message.address.platform)

    async def _change(self, claim: Claim, change: Executable, values: Callable[[], dict[str, float]]) -> None:
        def work(connection: Connection) -> int:
            return connection.execute(change, held(claim) | values()).rowcount

        if await self._database.run(work, lasting=False) != 1:
            raise lost(claim)

    async def release_all(self, worker_id: str) -> int:
        mine = {"p_worker": worker_id}
        count = await self._database.run(lambda connection: connection.execute(RELEASE_ALL, mine).rowcount)
        self._bell.ring_all()
        return count

    async def finish(self, claim: Claim, outcome: Outcome, reason: str = "", *, record: str | None = None) -> None:
        at = self._clock.now()
        leaving = held(claim) | {"p_at": at, "p_record": None if record is None else storable(record)}
        ending = {"p_key": claim.message.key, "p_outcome": outcome, "p_reason": storable(reason), "p_at": at}

        def end(connection: Connection) -> int:
            left = connection.execute(LEAVE, leaving).scalar()
            if left is None or connection.execute(END, ending).first() is None:
                raise lost(claim)
            return int(left)

        if await self._database.run(end):
            self._bell.ring(claim.message.address.platform)

    async def settle(self, key: str, outcome: Outcome, reason: str = "", *, reply: Reply | None = None) -> bool:
        at, why, platform = self._clock.now(), storable(reason), key.partition(":")[0]

        def end(connection: Connection) -> bool:
            chat = settle(connection, key, outcome, why, at)
            if chat is not None and reply is not None:
                keep_part(connection, f"{key}:w0", address_of(chat), reply)
            return chat is not None

        settled = await self._database.run(end)
        if settled:  # the conversation may be free again
            self._bell.ring(platform)
            self._outgoing.ring(platform)
        return settled

    async def put_off(self, platform: Platform, by: timedelta) -> None:
        later = type_coerce(inbox.c.deadline_at, BigInteger) + by // timedelta(microseconds=1)
        change = update(inbox).where(is_open, inbox.c.platform == platform).values(deadline_at=later)
        await self._database.run(lambda connection: connection.execute(change))

    async def waiting(self, address: Address, *, limit: int = 100) -> tuple[Message, ...]:
        line = (inbox.c.sent_at, inbox.c.id)
        return await self._messages(
            select(inbox.c.message).where(inbox.c.chat == chat_of(address), is_open).order_by(*line).limit(limit)
        )

    async def delegated(self, address: Address, *, limit: int = 20) -> tuple[Message, ...]:
        theirs = (inbox.c.chat == chat_of(address), inbox.c.outcome == "delegated")
        newest = (inbox.c.sent_at.desc(), inbox.c.id.desc())
        return await self._messages(select(inbox.c.message).where(*theirs).order_by(*newest).limit(limit))

    async def overdue(self, *, limit: int = 100, platform: Platform | None = None) -> tuple[Message, ...]:
        platforms = PLATFORMS if platform is None else (platform,)
        late = (inbox.c.platform.in_(platforms), inbox.c.deadline_at <= self._clock.now())
        return await self._messages(
            select(inbox.c.message).where(is_open, *late).order_by(inbox.c.deadline_at).limit(limit)
        )

    async def _messages(self, query: Select[Any]) -> tuple[Message, ...]:
        records = await self._database.run(lambda connection: connection.scalars(query).all())
        return tuple(message_of(record) for record in records if record is not None)

    async def backlog(self) -> tuple[Backlog, ...]:
        query = select(inbox.c.chat).where(is_open)
        return await self._database.run(lambda connection: parking.backlog_of(connection, query))


def _take(connection: Connection, serve: Executable, values: Mapping[str, object]) -> Claim | None:
    served = connection.execute(serve, values).first()
    if served is None:
        return None
    row = connection.execute(TAKE_HEAD, {"p_chat": served.chat, "p_fence": served.fence}).one()
    return Claim(
        message_of(row.message),
        str(values["p_worker"]),
        served.fence,
        row.attempts,
        row.deadline_at,
        row.received_at,
        served.record,
    )


def _length_s(sound: Sound | None) -> float:
    """How long a sound lasts, as far as the platform tells: its transcription and its answer take longer then."""
    if sound is None:
        return 0.0
    told_s = sound.duration_s if sound.duration_s is not None else (sound.size_bytes or 0) / _BYTES_A_SECOND
    return min(max(0.0, told_s), _LONGEST_SOUND_S)  # in this order, max makes 0 of what is no number
