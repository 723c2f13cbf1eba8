"""The inbox in SQL.

A conversation is a row of `chats`, which holds the lease: at most one of its messages is worked on at a time. Every
transaction that changes what is open in a conversation locks that row first, so they can't meet in a deadlock and
none reads what another is about to change. Conversations with open messages stand in a line, ordered by `turn`; one
goes to its end when it gets its first open message, when it is served and when its message has ended. So a message
waits for one message of each other conversation, however many those hold.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Double,
    Select,
    Update,
    bindparam,
    case,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from essence.dialogue import Address, Backlog, Claim, Message, Outcome
from essence.errors import Conflict, JuneError
from essence.store.bell import Bell
from essence.store.clock import Clock
from essence.store.database import Database
from essence.store.records import message_json, message_of, storable
from essence.store.tables import INSERTS, address_of, chat_of, chats, inbox, is_open, person_of

_line = chats.alias("line")
_in_line = _line.c.open > literal_column("0")
_LAST = select(func.coalesce(func.max(_line.c.turn), 0) + 1).where(_in_line).scalar_subquery()
"""The turn behind all others."""
_NOBODY = {"worker": None, "granted_s": None, "until_s": None}
_KEEP = {
    name: insert(inbox).on_conflict_do_nothing(index_elements=["key"]).returning(inbox.c.id)
    for name, insert in INSERTS.items()
}


def _join(insert: Any) -> Any:
    """Add a message to its conversation, and the conversation to the line."""
    joining = insert(chats).values(open=1, fence=0, turn=_LAST)
    again = {
        "open": chats.c.open + 1,
        "turn": case((chats.c.open == 0, _LAST), else_=chats.c.turn),
        "touched_at": joining.excluded.touched_at,
    }
    return joining.on_conflict_do_update(index_elements=["chat"], set_=again).returning(chats.c.open)


_JOIN = {name: _join(insert) for name, insert in INSERTS.items()}
_head = inbox.alias("head")
_HEAD = (
    select(_head.c.id)
    .where(_head.c.chat == bindparam("p_chat"), _head.c.outcome.is_(None))
    .order_by(_head.c.sent_at, _head.c.id)
    .limit(1)
)
_TAKE_HEAD = (
    update(inbox)
    .where(inbox.c.id == _HEAD.scalar_subquery())
    .values(attempts=inbox.c.attempts + 1, fence=bindparam("p_fence", type_=BigInteger))
    .returning(inbox.c.message, inbox.c.attempts, inbox.c.deadline_at)
)
_LEAVE = (
    update(chats)
    .where(chats.c.chat == bindparam("p_chat"), chats.c.fence == bindparam("p_fence"), chats.c.worker.is_not(None))
    .values(**_NOBODY, open=chats.c.open - 1, turn=_LAST, fence=chats.c.fence + 1, touched_at=bindparam("p_at"))
    .returning(chats.c.open)
)
"""Take one message from a conversation, and the lease with it; what remains is served after all others."""
_END = (
    update(inbox)
    .where(inbox.c.key == bindparam("p_key"), is_open)
    .values(outcome=bindparam("p_outcome"), reason=bindparam("p_reason"), ended_at=bindparam("p_at"))
    .returning(inbox.c.chat, inbox.c.fence)
)


class DurableInbox:
    """See `essence.ports.Inbox`."""

    def __init__(self, database: Database, clock: Clock, bell: Bell, *, deadline_s: float) -> None:
        self._database = database
        self._clock = clock
        self._bell = bell
        self._deadline = timedelta(seconds=deadline_s)
        self._lease = database.lease_clock
        self._serve_next = _serve_next(database)

    async def receive(self, message: Message) -> bool:
        now = self._clock.now()
        row = {
            "key": message.key,
            "chat": chat_of(message.address),
            "person": person_of(message.address.platform, message.sender.person_id),
            "message": message_json(message),
            "sent_at": message.sent_at,
            "received_at": now,
            "deadline_at": now + self._deadline,
            "attempts": 0,
            "fence": 0,
            "reason": "",
        }
        open_messages = await self._database.run(lambda connection: _keep(connection, row))
        if open_messages == 1:  # else the conversation is in the line already
            self._bell.ring()
        return open_messages > 0

    async def amend(self, message: Message) -> bool:
        change = (
            update(inbox)
            .where(inbox.c.key == message.key, is_open, inbox.c.attempts == 0)
            .values(message=message_json(message))
        )
        return await self._database.run(lambda connection: connection.execute(change).rowcount == 1)

    async def claim(self, worker_id: str, *, lease_s: float, wait_s: float = 0.0) -> Claim | None:
        return await self._bell.first(lambda: self._claim(worker_id, lease_s), wait_s=wait_s)

    async def _claim(self, worker_id: str, lease_s: float) -> Claim | None:
        """Take a message; whoever is cancelled meanwhile has not taken one."""
        taking = asyncio.ensure_future(
            self._database.run(lambda connection: self._take(connection, worker_id, lease_s))
        )
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            with contextlib.suppress(JuneError):
                if (claim := await taking) is not None:
                    await self.release(claim)
            raise

    def _take(self, connection: Connection, worker_id: str, lease_s: float) -> Claim | None:
        values = {"p_worker": worker_id, "p_lease_s": lease_s} | self._lease.read()
        served = connection.execute(self._serve_next, values).first()
        if served is None:
            return None
        row = connection.execute(_TAKE_HEAD, {"p_chat": served.chat, "p_fence": served.fence}).one()
        return Claim(message_of(row.message), worker_id, served.fence, row.attempts, row.deadline_at)

    async def extend(self, claim: Claim, *, lease_s: float) -> None:
        now_s = self._lease.now_s
        change = _held_by(claim).values(granted_s=now_s, until_s=now_s + lease_s)
        await self._change(claim, change, self._lease.read())

    async def release(self, claim: Claim) -> None:
        change = _held_by(claim).values(**_NOBODY, fence=chats.c.fence + 1)
        await self._change(claim, change, {})
        self._bell.ring()

    async def _change(self, claim: Claim, change: Update, values: dict[str, float]) -> None:
        if await self._database.run(lambda connection: connection.execute(change, values).rowcount) != 1:
            raise lost(claim)

    async def release_all(self, worker_id: str) -> int:
        change = update(chats).where(chats.c.worker == worker_id).values(**_NOBODY, fence=chats.c.fence + 1)
        count = await self._database.run(lambda connection: connection.execute(change).rowcount)
        for _ in range(count):
            self._bell.ring()
        return count

    async def finish(self, claim: Claim, outcome: Outcome, reason: str = "") -> None:
        leaving = {"p_chat": chat_of(claim.message.address), "p_fence": claim.fence, "p_at": self._clock.now()}
        ending = {
            "p_key": claim.message.key,
            "p_outcome": outcome,
            "p_reason": storable(reason),
            "p_at": leaving["p_at"],
        }

        def end(connection: Connection) -> int:
            left = connection.execute(_LEAVE, leaving).scalar()
            if left is None or connection.execute(_END, ending).first() is None:
                raise lost(claim)
            return int(left)

        if await self._database.run(end):
            self._bell.ring()

    async def settle(self, key: str, outcome: Outcome, reason: str = "") -> bool:
        at, why = self._clock.now(), storable(reason)
        settled = await self._database.run(lambda connection: settle(connection, key, outcome, why, at))
        self._bell.ring()
        return settled

    async def waiting(self, address: Address, *, limit: int = 100) -> tuple[Message, ...]:
        line = (inbox.c.sent_at, inbox.c.id)
        return await self._messages(
            select(inbox.c.message).where(inbox.c.chat == chat_of(address), is_open).order_by(*line).limit(limit)
        )

    async def overdue(self, *, limit: int = 100) -> tuple[Message, ...]:
        late = inbox.c.deadline_at <= self._clock.now()
        return await self._messages(
            select(inbox.c.message).where(is_open, late).order_by(inbox.c.deadline_at).limit(limit)
        )

    async def _messages(self, query: Select[str]) -> tuple[Message, ...]:
        records = await self._database.run(lambda connection: connection.scalars(query).all())
        return tuple(message_of(record) for record in records)

    async def backlog(self) -> tuple[Backlog, ...]:
        oldest = func.min(inbox.c.received_at).label("oldest_at")
        query = select(inbox.c.chat, func.count().label("messages"), oldest).where(is_open).group_by(inbox.c.chat)
        rows = await self._database.run(lambda connection: connection.execute(query.order_by(oldest)).all())
        return tuple(Backlog(address_of(row.chat), row.messages, row.oldest_at) for row in rows)


def _serve_next(database: Database) -> ReturningUpdate[str, int]:
    """Give a worker the first conversation of the line that nobody holds, and put it at the end of the line."""
    now_s = database.lease_clock.now_s
    free = _line.c.worker.is_(None) | database.lease_clock.over(_line.c.granted_s, _line.c.until_s)
    first = select(_line.c.chat).where(_in_line, free).order_by(_line.c.turn).limit(1)
    return (
        update(chats)
        # SKIP LOCKED: workers on several connections take different conversations instead of waiting for one another.
        .where(chats.c.chat == first.with_for_update(skip_locked=True).scalar_subquery())
        .values(
            worker=bindparam("p_worker"),
            granted_s=now_s,
            until_s=now_s + bindparam("p_lease_s", type_=Double),
            fence=chats.c.fence + 1,
            turn=_LAST,
        )
        .returning(chats.c.chat, chats.c.fence)
    )


def _keep(connection: Connection, row: dict[str, object]) -> int:
    """Insert a message; returns how many its conversation has open with it, 0 for a duplicate."""
    dialect = connection.dialect.name
    if connection.execute(_KEEP[dialect], row).first() is None:
        return 0
    joining = {"chat": row["chat"], "touched_at": row["received_at"]}
    return int(connection.execute(_JOIN[dialect], joining).scalar_one())


def _held_by(claim: Claim) -> Update:
    chat = chat_of(claim.message.address)
    return update(chats).where(chats.c.chat == chat, chats.c.fence == claim.fence, chats.c.worker.is_not(None))


def hold(connection: Connection, claim: Claim) -> None:
    """Make sure that a claim holds until this transaction ends.

    Raises:
        Conflict: It was lost.
    """
    mine = select(chats.c.chat).where(
        chats.c.chat == chat_of(claim.message.address), chats.c.fence == claim.fence, chats.c.worker.is_not(None)
    )
    if connection.execute(mine.with_for_update(read=True)).first() is None:
        raise lost(claim)


def settle(connection: Connection, key: str, outcome: Outcome, reason: str, at: datetime) -> bool:
    """End a message whoever holds it; False if it has ended or is unknown."""
    chat = connection.scalar(select(inbox.c.chat).where(inbox.c.key == key))
    if chat is None:
        return False
    here = update(chats).where(chats.c.chat == chat)
    # The conversation first: every transaction locks it before its messages.
    fence = connection.scalar(here.values(touched_at=at).returning(chats.c.fence))
    ended = connection.execute(_END, {"p_key": key, "p_outcome": outcome, "p_reason": reason, "p_at": at}).first()
    if ended is None:
        return False
    held = ended.fence == fence
    connection.execute(here.values(open=chats.c.open - 1))
    if held:
        connection.execute(here.values(**_NOBODY, fence=chats.c.fence + 1))
    return True


def lost(claim: Claim) -> Conflict:
    """What a worker is told whose claim no longer holds."""
    return Conflict(f"{claim.worker_id} no longer holds {claim.message.key}: it ended, or another worker has it.")
