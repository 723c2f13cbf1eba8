"""Messages that are set aside until their people say whether they still matter, in SQL.

A parked message is an ended row, so that it is pruned as all others are; `told_at` says when its sender was told. One
that is opened again bears it too, for its sender knows of it and wants it: it is not parked a second time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, func, select, update

from essence.dialogue import Address, Backlog, Message, Platform, Reply
from essence.store.line import LOSE, join, lock
from essence.store.outbox import keep_part
from essence.store.records import message_of
from essence.store.tables import Utc, address_of, chat_of, chats, inbox, is_open, is_parked, is_untold

BATCH = 500
"""Messages that are parked in one transaction: some 20 ms of writing."""

_here = inbox.c.chat == bindparam("p_chat")
_is_unbegun = and_(is_open, inbox.c.attempts == 0, inbox.c.told_at.is_(None))
_UNBEGUN = (
    select(inbox.c.id, inbox.c.chat)
    .where(inbox.c.platform == bindparam("p_platform"), _is_unbegun)
    .where(inbox.c.sent_at < bindparam("p_before", type_=Utc))
    .limit(BATCH)
)
_LOCK_ALL = (
    select(chats.c.chat)
    .where(chats.c.chat.in_(bindparam("p_chats", expanding=True)))
    .order_by(chats.c.chat)  # one order for all, or two of them wait for each other
    .with_for_update()
)
_PARK_ALL = (
    update(inbox)
    .where(inbox.c.id.in_(bindparam("p_ids", expanding=True)), _is_unbegun)
    .values(outcome="parked", ended_at=bindparam("p_at", type_=Utc))
    .returning(inbox.c.chat)
)
_TOUCH_ALL = (
    update(chats)
    .where(chats.c.chat.in_(bindparam("p_chats", expanding=True)))
    .values(touched_at=bindparam("p_at", type_=Utc))
)
_TELL = update(inbox).where(_here, is_untold).values(told_at=bindparam("p_at", type_=Utc))
_PARKED = select(inbox.c.id, inbox.c.message).where(_here, is_parked)
_OPEN = (
    update(inbox)
    .where(inbox.c.id == bindparam("p_id"))
    .values(outcome=None, reason="", ended_at=None, fence=0)
    .values(deadline_at=bindparam("p_deadline_at", type_=Utc), told_at=bindparam("p_at", type_=Utc))
)
_DISCARD = update(inbox).where(_here, is_parked).values(outcome="cancelled", ended_at=bindparam("p_at", type_=Utc))


def park_some(connection: Connection, platform: Platform, before: datetime, at: datetime) -> tuple[int, bool]:
    """Park a batch of what nobody has begun with or asked for; returns how many, and whether there may be more."""
    found = connection.execute(_UNBEGUN, {"p_platform": platform, "p_before": before}).all()
    if not found:
        return 0, False
    where = {"p_chats": sorted({row.chat for row in found})}
    connection.execute(_LOCK_ALL, where).all()
    parked = Counter(connection.scalars(_PARK_ALL, {"p_ids": [row.id for row in found], "p_at": at}).all())
    connection.execute(_TOUCH_ALL, where | {"p_at": at})
    if parked:
        connection.execute(LOSE, [{"p_chat": chat, "p_count": count} for chat, count in parked.items()])
    return parked.total(), len(found) == BATCH


def backlog_of(connection: Connection, query: Select[Any]) -> tuple[Backlog, ...]:
    """Count messages by conversation, the longest waiting first."""
    oldest = func.min(inbox.c.received_at).label("oldest_at")
    counting = query.add_columns(func.count().label("messages"), oldest).group_by(inbox.c.chat).order_by(oldest)
    return tuple(Backlog(address_of(row.chat), row.messages, row.oldest_at) for row in connection.execute(counting))


def untold(platform: Platform) -> Select[Any]:
    """The conversations of a platform whose people don't know what was set aside."""
    return select(inbox.c.chat).where(inbox.c.platform == platform, is_untold)


def announce(connection: Connection, address: Address, key: str, reply: Reply, at: datetime) -> bool:
    """Mark parked messages as told, and keep the part that tells; False for a known key or if there are none."""
    here = {"p_chat": chat_of(address)}
    lock(connection, address, at)
    if connection.execute(_PARKED.where(inbox.c.told_at.is_(None)).limit(1), here).first() is None:
        return False
    if not keep_part(connection, key, address, reply):
        return False
    connection.execute(_TELL, here | {"p_at": at})
    return True


def unpark(connection: Connection, address: Address, at: datetime, deadline: Callable[[Message], datetime]) -> int:
    """Open parked messages again; returns how many."""
    chat = chat_of(address)
    lock(connection, address, at)
    rows = connection.execute(_PARKED, {"p_chat": chat}).all()
    if rows:
        opened = [{"p_id": row.id, "p_deadline_at": deadline(message_of(row.message)), "p_at": at} for row in rows]
        connection.execute(_OPEN, opened)
        join(connection, chat, address.platform, at, opens=len(rows))
    return len(rows)


def discard(connection: Connection, address: Address, at: datetime) -> int:
    """Cancel parked messages; returns how many."""
    lock(connection, address, at)
    return connection.execute(_DISCARD, {"p_chat": chat_of(address), "p_at": at}).rowcount
