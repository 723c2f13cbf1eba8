"""The outbox in SQL: what is to be sent, what is on its way, what has arrived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Double,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    case,
    false,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from essence.dialogue import Address, Claim, Part, Platform, Receipt, Reply, Unsent
from essence.errors import Conflict, NotFound
from essence.store.bell import Bell
from essence.store.clock import Clock, LeaseClock
from essence.store.database import Database
from essence.store.line import hold
from essence.store.records import part_of, reply_columns, storable
from essence.store.tables import INSERTS, Utc, chat_of, is_unsettled, outbox

_NOT_SENDING = {"sender": None, "granted_s": None, "until_s": None}
_other = outbox.alias("other")
# As text, for SQLAlchemy leaves the tables' names out of what SQLite returns, a subquery's too: `id != id`.
_has_more = literal_column(
    "EXISTS (SELECT 1 FROM outbox AS other"
    " WHERE other.chat = outbox.chat AND other.settled_at IS NULL AND other.id <> outbox.id)",
    Boolean,
).label("has_more")
"""Whether something else waits in the same conversation."""
_waits = and_(outbox.c.platform == bindparam("p_platform"), is_unsettled)
_UNSENT = select(
    select(func.count()).select_from(outbox).where(_waits).scalar_subquery(),
    select(outbox.c.key).where(_waits).order_by(outbox.c.id).limit(1).scalar_subquery(),
)
_KEEP = {
    name: insert(outbox).on_conflict_do_nothing(index_elements=["key"]).returning(outbox.c.state)
    for name, insert in INSERTS.items()
}
_SENT = (
    update(outbox)
    .where(outbox.c.key == bindparam("p_key"), outbox.c.state != "sent")
    .values(**_NOT_SENDING, state="sent", settled_at=bindparam("p_at", type_=Utc))
    .values(
        receipt_id=bindparam("p_receipt_id"),
        sent_at=bindparam("p_sent_at", type_=Utc),
        assumed=bindparam("p_assumed", type_=Boolean),
    )
    .returning(_has_more)
)


class DurableOutbox:
    """See `essence.ports.Outbox`."""

    def __init__(self, database: Database, clock: Clock, bell: Bell) -> None:
        self._database = database
        self._clock = clock
        self._bell = bell
        self._lease = database.lease_clock
        self._uncertain = _uncertain(database.lease_clock)
        self._start = _start(database.lease_clock)
        self._start_due = _start_due(self._start, self._uncertain, database.lease_clock)
        self._keep_sending = _keep_sending(database.lease_clock)
        self._failed = _failed(database.lease_clock)
        self._due = _due(self._uncertain, database.lease_clock)

    async def intend(self, key: str, to: Address, reply: Reply, *, under: Claim | None = None) -> bool:
        def keep(connection: Connection) -> bool:
            if under is not None:
                hold(connection, under)
            return keep_part(connection, key, to, reply)

        new = await self._database.run(keep)
        if new:
            self._bell.ring(to.platform)
        return new

    async def dispatch(
        self, key: str, to: Address, reply: Reply, *, sender_id: str, lease_s: float, under: Claim | None = None
    ) -> Part | None:
        row = _row(key, to, reply)

        def keep_or_start(connection: Connection) -> Part | None:
            sending = {"p_sender": sender_id, "p_lease_s": lease_s} | self._lease.read()
            if under is not None:
                hold(connection, under)
            keeping = row | sending | {"p_chat": row["chat"]}
            state = connection.scalar(self._keep_sending[connection.dialect.name], keeping)
            if state is not None:  # a new part
                return _new(row, to, reply) if state == "sending" else None
            known = connection.execute(self._start_due, {"p_key": key} | sending).first()
            return None if known is None else part_of(known)

        return await self._database.run(keep_or_start)

    async def sending(self, key: str, *, sender_id: str, lease_s: float) -> Part:
        def start(connection: Connection) -> Part:
            values = {"p_key": key, "p_sender": sender_id, "p_lease_s": lease_s} | self._lease.read()
            row = connection.execute(self._start, values).first()
            if row is None:
                _must_exist(connection, key)
                raise Conflict(f"{key} was sent or taken back, or another sender is at it.")
            return part_of(row)

        return await self._database.run(start)

    async def sent(self, key: str, receipt: Receipt) -> None:
        values = {
            "p_receipt_id": receipt.message_id,
            "p_sent_at": receipt.sent_at,
            "p_assumed": receipt.assumed,
            "p_at": self._clock.now(),
        }
        await self._change(key, _SENT, values)

    async def failed(self, key: str, why: str, *, retry_at: datetime | None, doubtful: bool = False) -> None:
        final, now = retry_at is None, self._clock.now()
        values: dict[str, object] = {
            "p_why": storable(why),
            "p_state": "given_up" if final else "failed",
            "p_retry_at": retry_at,
            "p_pause_s": 0.0 if retry_at is None else (retry_at - now).total_seconds(),
            "p_settled_at": now if final else None,
            "p_doubtful": doubtful,
        }
        await self._change(key, self._failed, values | self._lease.read())

    async def _change(self, key: str, change: ReturningUpdate[Any], values: Mapping[str, object]) -> None:
        keyed = {**values, "p_key": key}

        def work(connection: Connection) -> bool:
            row = connection.execute(change, keyed).first()
            if row is None:
                _must_exist(connection, key)
            return row is not None and bool(row.has_more)

        if await self._database.run(work):  # the next part of its conversation may go
            self._bell.ring_all()

    async def release_all(self, sender_id: str) -> int:
        # A lease of no length: it has ended, and what it was for is uncertain.
        change = update(outbox).where(outbox.c.sender == sender_id).values(sender=None, until_s=outbox.c.granted_s)
        count = await self._database.run(lambda connection: connection.execute(change).rowcount)
        self._bell.ring_all()
        return count

    async def cancel(self, message_key: str) -> int:
        waiting = outbox.c.state.in_(("intended", "failed"))
        change = (
            update(outbox)
            .where(outbox.c.cause == message_key, is_unsettled, waiting)
            .values(state="cancelled", settled_at=self._clock.now())
        )
        count = await self._database.run(lambda connection: connection.execute(change).rowcount)
        self._bell.ring_all()
        return count

    async def parts(self, message_key: str) -> tuple[Part, ...]:
        query = select(outbox, self._uncertain).where(outbox.c.cause == message_key).order_by(outbox.c.id)
        rows = await self._database.run(lambda connection: connection.execute(query, self._lease.read()).all())
        return tuple(part_of(row) for row in rows)

    async def pending(self, platform: Platform, *, limit: int = 100, wait_s: float = 0.0) -> tuple[Part, ...]:
        rows = await self._bell.first(lambda: self._pending(platform, limit), wait_s=wait_s, platform=platform)
        return tuple(part_of(row) for row in rows)

    async def unsent(self, platform: Platform) -> Unsent:
        count, oldest_key = await self._database.run(
            lambda connection: connection.execute(_UNSENT, {"p_platform": platform}).one()
        )
        return Unsent(count, oldest_key or "")

    async def _pending(self, platform: Platform, limit: int) -> Sequence[Row[Any]]:
        values = {"p_platform": platform, "p_limit": limit}
        return await self._database.run(
            lambda connection: connection.execute(self._due, values | self._lease.read()).all()
        )


def _over(lease: LeaseClock) -> ColumnElement[bool]:
    """A request was about to leave, and its sender's time has passed."""
    return and_(outbox.c.state == "sending", lease.over(outbox.c.granted_s, outbox.c.until_s))


def _failed(lease: LeaseClock) -> ReturningUpdate[Any]:
    """Until its next try a part rests under a lease that nobody holds: a wall clock that is set moves no retry."""
    return (
        update(outbox)
        .where(outbox.c.key == bindparam("p_key"), is_unsettled)
        .values(
            state=bindparam("p_state"),
            why=bindparam("p_why"),
            sender=None,
            granted_s=lease.now_s,
            until_s=lease.now_s + bindparam("p_pause_s", type_=Double),
            retry_at=bindparam("p_retry_at", type_=Utc),
            settled_at=bindparam("p_settled_at", type_=Utc),
            doubtful=or_(outbox.c.doubtful, bindparam("p_doubtful", type_=Boolean)),
        )
        .returning(_has_more)
    )


def _uncertain(lease: LeaseClock) -> ColumnElement[bool]:
    return func.coalesce(_over(lease), false()).label("uncertain")


def _start(lease: LeaseClock) -> ReturningUpdate[Any]:
    may_start = or_(outbox.c.state != "sending", _over(lease))
    return (
        update(outbox)
        .where(outbox.c.key == bindparam("p_key"), is_unsettled, may_start)
        .values(
            state="sending",
            tries=outbox.c.tries + 1,
            doubtful=or_(outbox.c.doubtful, outbox.c.state == "sending"),
            sender=bindparam("p_sender"),
            granted_s=lease.now_s,
            until_s=lease.now_s + bindparam("p_lease_s", type_=Double),
            retry_at=None,
        )
        .returning(outbox, false().label("uncertain"))
    )


def _first_and_due(uncertain: ColumnElement[bool], lease: LeaseClock) -> tuple[ColumnElement[bool], ...]:
    """The first unsettled part of a conversation, where it may be sent now."""
    earlier = outbox.alias("earlier")
    behind = (
        select(earlier.c.id)
        .where(earlier.c.chat == outbox.c.chat, earlier.c.settled_at.is_(None), earlier.c.id < outbox.c.id)
        .exists()
    )
    rested = func.coalesce(lease.over(outbox.c.granted_s, outbox.c.until_s), true())
    retry = and_(outbox.c.state == "failed", rested)
    return is_unsettled, ~behind, or_(outbox.c.state == "intended", retry, uncertain)


def _due(uncertain: ColumnElement[bool], lease: LeaseClock) -> Select[Any]:
    return (
        select(outbox, uncertain)
        .where(outbox.c.platform == bindparam("p_platform"), *_first_and_due(uncertain, lease))
        .order_by(outbox.c.id)
        .limit(bindparam("p_limit"))
    )


def _start_due(start: ReturningUpdate[Any], uncertain: ColumnElement[bool], lease: LeaseClock) -> ReturningUpdate[Any]:
    """Of a part that is kept already."""
    return start.where(*_first_and_due(uncertain, lease))


def _keep_sending(lease: LeaseClock) -> dict[str, Any]:
    """Keep a new part as being sent, or as intended where something waits before it; by dialect."""
    others = select(_other.c.id).where(_other.c.chat == bindparam("p_chat"), _other.c.settled_at.is_(None)).exists()
    until_s = lease.now_s + bindparam("p_lease_s", type_=Double)
    values = {
        "state": case((others, "intended"), else_="sending"),
        "tries": case((others, 0), else_=1),
        "sender": case((others, null()), else_=bindparam("p_sender", type_=Text)),
        "granted_s": case((others, null()), else_=lease.now_s),
        "until_s": case((others, null()), else_=until_s),
    }
    return {name: keep.values(**values) for name, keep in _KEEP.items()}


def keep_part(connection: Connection, key: str, to: Address, reply: Reply) -> bool:
    """Add a part to the outbox; False for a known key."""
    row = _row(key, to, reply) | {"state": "intended", "tries": 0}
    return connection.execute(_KEEP[connection.dialect.name], row).first() is not None


def _row(key: str, to: Address, reply: Reply) -> dict[str, object]:
    shared = {"key": key, "cause": key.rpartition(":")[0], "chat": chat_of(to), "platform": to.platform, "why": ""}
    return reply_columns(reply) | shared


def _new(row: dict[str, object], to: Address, reply: Reply) -> Part:
    """A part as it was just kept: what is in memory need not be read again."""
    kept = replace(reply, text=str(row["text"]), spoken=str(row["spoken"]))
    return Part(str(row["key"]), to, kept, "sending", tries=1)


def _must_exist(connection: Connection, key: str) -> None:
    if connection.execute(select(outbox.c.id).where(outbox.c.key == key)).first() is None:
        raise NotFound(f"The outbox has no part {key}.")
