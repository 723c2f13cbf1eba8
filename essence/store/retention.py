"""Deletes what ended long ago, a little at a time."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Delete, delete, select

from essence.store.database import Database
from essence.store.tables import chats, has_ended, has_none_open, inbox, is_done, is_settled, messages, outbox

_BATCH = 500
"""Rows of one transaction: some 10 ms of writing."""


async def prune(database: Database, now: datetime, days: float) -> int:
    """Delete ended messages, settled parts and idle conversations that are older than `days`; returns how many."""
    before = now - timedelta(days=days)
    old_parts = select(outbox.c.id).where(is_settled, outbox.c.settled_at < before).order_by(outbox.c.settled_at)
    old_messages = select(inbox.c.id).where(has_ended, inbox.c.ended_at < before).order_by(inbox.c.ended_at)
    old_chats = select(chats.c.chat).where(has_none_open, chats.c.touched_at < before).order_by(chats.c.touched_at)
    old_posts = select(messages.c.id).where(is_done, messages.c.updated_at < before).order_by(messages.c.updated_at)
    return (
        await _delete(database, delete(messages).where(messages.c.id.in_(old_posts.limit(_BATCH)), is_done))
        + await _delete(database, delete(outbox).where(outbox.c.id.in_(old_parts.limit(_BATCH))))
        + await _delete(database, delete(inbox).where(inbox.c.id.in_(old_messages.limit(_BATCH))))
        # Asked again in the outer condition, for a message may come between choosing the row and locking it.
        + await _delete(database, delete(chats).where(chats.c.chat.in_(old_chats.limit(_BATCH)), has_none_open))
    )


async def _delete(database: Database, some: Delete) -> int:
    """Repeat until a batch is not full."""
    total = 0
    while True:
        count = await database.run(lambda connection: connection.execute(some).rowcount)
        total += count
        if count < _BATCH:
            return total
