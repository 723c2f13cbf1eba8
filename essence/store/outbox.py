"""The outbox in SQL: what is to be sent, what is on its way, what has arrived."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    Row,
    Select,
    Update,
    and_,
    bindparam,
    false,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from essence.dialogue import Address, Claim, Part, Platform, Receipt, Reply
from essence.errors import Conflict, NotFound
from essence.store.bell import Bell
from essence.store.clock import Clock, LeaseClock
from essence.store.database import Database
from essence.store.inbox import hold
from essence.store.records import part_of, reply_columns, storable
from essence.store.tables import INSERTS, Utc, chat_of, is_unsettled, outbox

_NOT_SENDING = {"sender": None, "granted_s": None, "until_s": None}
_KEEP = {
    name: insert(outbox).on_conflict_do_nothing(index_elements=["key"]).returning(outbox.c.id)
    for name, insert in INSERTS.items()
}


class DurableOutbox:
    """See `essence.ports.Outbox`."""

    def __init__(self, database: Database, clock: Clock, bell: Bell) -> None:
        self._database = database
        self._clock = clock
        self._bell = bell
        self._lease = database.lease_clock
        self._uncertain = _uncertain(database.lease_clock)
        self._start = _start(database.lease_clock)
        self._due = _due(self._uncertain)

    async def intend(self, key: str, to: Address, reply: Reply, *, under: Claim | None = None) -> bool:
        row = reply_columns(reply) | {
            "key": key,
            "cause": key.rpartition(":")[0],
            "chat": chat_of(to),
            "platform": to.platform,
            "state": "intended",
            "tries": 0,
            "why": "",
        }

        def keep(connection: Connection) -> bool:
            if under is not None:
                hold(connection, under)
            return connection.execute(_KEEP[connection.dialect.name], row).first() is not None

        new = await self._database.run(keep)
        if new:
            self._bell.ring()
        return new

    async def sending(self, key: str, *, sender_id: str, lease_s: float) -> Part:
        values = {"p_key": key, "p_sender": sender_id, "p_lease_s": lease_s} | self._lease.read()

        def start(connection: Connection) -> Part:
            row = connection.execute(self._start, values).first()
            if row is None:
                _must_exist(connection, key)
                raise Conflict(f"{key} was sent or taken back, or another sender is at it.")
            return part_of(row)

        return await self._database.run(start)

    async def sent(self, key: str, receipt: Receipt) -> None:
        change = (
            update(outbox)
            .where(outbox.c.key == key, outbox.c.state != "sent")
            .values(
                **_NOT_SENDING,
                state="sent",
                receipt_id=receipt.message_id,
                sent_at=receipt.sent_at,
                assumed=receipt.assumed,
                settled_at=self._clock.now(),
            )
        )
        await self._change(key, change)

    async def failed(self, key: str, why: str, *, retry_at: datetime | None) -> None:
        values = {"why": storable(why), "retry_at": retry_at, "state": "failed"}
        if retry_at is None:
            values |= {"state": "given_up", "settled_at": self._clock.now()}
        change = update(outbox).where(outbox.c.key == key, is_unsettled).values(**_NOT_SENDING, **values)
        await self._change(key, change)

    async def _change(self, key: str, change: Update) -> None:
        def work(connection: Connection) -> None:
            if connection.execute(change).rowcount == 0:
                _must_exist(connection, key)

        await self._database.run(work)
        self._bell.ring()  # the next part of its conversation may go

    async def release_all(self, sender_id: str) -> int:
        # A lease of no length: it has ended, and what it was for is uncertain.
        change = update(outbox).where(outbox.c.sender == sender_id).values(sender=None, until_s=outbox.c.granted_s)
        count = await self._database.run(lambda connection: connection.execute(change).rowcount)
        self._bell.ring()
        return count

    async def cancel(self, message_key: str) -> int:
        waiting = outbox.c.state.in_(("intended", "failed"))
        change = (
            update(outbox)
            .where(outbox.c.cause == message_key, is_unsettled, waiting)
            .values(state="cancelled", settled_at=self._clock.now())
        )
        count = await self._database.run(lambda connection: connection.execute(change).rowcount)
        self._bell.ring()
        return count

    async def parts(self, message_key: str) -> tuple[Part, ...]:
        query = select(outbox, self._uncertain).where(outbox.c.cause == message_key).order_by(outbox.c.id)
        values = self._lease.read()
        rows = await self._database.run(lambda connection: connection.execute(query, values).all())
        return tuple(part_of(row) for row in rows)

    async def pending(self, platform: Platform, *, limit: int = 100, wait_s: float = 0.0) -> tuple[Part, ...]:
        rows = await self._bell.first(lambda: self._pending(platform, limit), wait_s=wait_s)
        return tuple(part_of(row) for row in rows)

    async def _pending(self, platform: Platform, limit: int) -> Sequence[Row[Any]]:
        values = {"p_platform": platform, "p_at": self._clock.now(), "p_limit": limit} | self._lease.read()
        return await self._database.run(lambda connection: connection.execute(self._due, values).all())


def _over(lease: LeaseClock) -> ColumnElement[bool]:
    """A request was about to leave, and its sender's time has passed."""
    return and_(outbox.c.state == "sending", lease.over(outbox.c.granted_s, outbox.c.until_s))


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


def _due(uncertain: ColumnElement[bool]) -> Select[Any]:
    """The first unsettled part of each conversation, where it may be sent now."""
    earlier = outbox.alias("earlier")
    behind = (
        select(earlier.c.id)
        .where(earlier.c.chat == outbox.c.chat, earlier.c.settled_at.is_(None), earlier.c.id < outbox.c.id)
        .exists()
    )
    retry = and_(outbox.c.state == "failed", outbox.c.retry_at <= bindparam("p_at", type_=Utc))
    return (
        select(outbox, uncertain)
        .where(outbox.c.platform == bindparam("p_platform"), is_unsettled, ~behind)
        .where(or_(outbox.c.state == "intended", retry, uncertain))
        .order_by(outbox.c.id)
        .limit(bindparam("p_limit"))
    )


def _must_exist(connection: Connection, key: str) -> None:
    if connection.execute(select(outbox.c.id).where(outbox.c.key == key)).first() is None:
        raise NotFound(f"The outbox has no part {key}.")
