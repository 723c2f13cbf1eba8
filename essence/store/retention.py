"""Deletes what ended long ago, a little at a time."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Delete, delete, select

from essence.store.agent_tables import approvals, reminders, steps
from essence.store.database import Database
from essence.store.tables import chats, has_ended, has_none_open, inbox, is_done, is_settled, messages, outbox

_BATCH = 500
"""Rows of one transaction: some 10 ms of writing."""


async def prune(database: Database, now: datetime, days: float) -> int:
    """Delete what ended longer ago than `days`, messages, parts, conversations and steps; returns how many."""
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
        + await _prune_work(database, before)
    )


async def _prune_work(database: Database, before: datetime) -> int:
    """What the agent kept: memories stay until their owner forgets them."""
    old_steps = select(steps.c.id).where(steps.c.at < before).order_by(steps.c.at)
    old_reminders = select(reminders.c.id).where(reminders.c.settled_at < before)
    old_approvals = select(approvals.c.approval_id).where(approvals.c.expires_at < before)
    return (
        await _delete(database, delete(steps).where(steps.c.id.in_(old_steps.limit(_BATCH))))
        + await _delete(database, delete(reminders).where(reminders.c.id.in_(old_reminders.limit(_BATCH))))
        + await _delete(database, delete(approvals).where(approvals.c.approval_id.in_(old_approvals.limit(_BATCH))))
    )


async def _delete(database: Database, some: Delete) -> int:
    """Repeat until a batch is not full."""
    total = 0
    while True:
        count = await database.run(lambda connection: connection.execute(some).rowcount)
        total += count
        if count < _BATCH:
            return total
