"""What June is to say at a time, in SQL."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, select, update

from essence.dialogue import Platform
from essence.store.agent_tables import is_to_come, reminders
from essence.store.bell import Bell
from essence.store.clock import Clock
from essence.store.database import Database
from essence.store.records import storable
from essence.store.tables import INSERTS, address_of, chat_of, person_at, person_of
from essence.work import Reminder

_AT_ONCE = 100


class DurableReminders:
    """See `essence.ports.Reminders`."""

    def __init__(self, database: Database, clock: Clock, bell: Bell) -> None:
        self._database = database
        self._clock = clock
        self._bell = bell

    async def add(self, reminder: Reminder, *, key: str) -> Reminder:
        row = _columns(reminder) | {"key": key}

        def keep(connection: Connection) -> Reminder:
            connection.execute(INSERTS[connection.dialect.name](reminders).on_conflict_do_nothing(), row)
            kept = connection.execute(select(reminders).where(reminders.c.key == key)).one()
            return _reminder(kept, kept.due_at or reminder.due_at)  # it may have been told by now

        kept = await self._database.run(keep)
        self._bell.ring_all()
        return kept

    async def of(self, platform: Platform, person_id: str) -> tuple[Reminder, ...]:
        theirs = reminders.c.person == person_of(platform, person_id)
        query = select(reminders).where(theirs, is_to_come).order_by(reminders.c.due_at, reminders.c.id)
        rows = await self._database.run(lambda connection: connection.execute(query).all())
        return tuple(_reminder(row, row.due_at) for row in rows)

    async def due(self, platform: Platform | None = None, *, wait_s: float = 0.0) -> tuple[Reminder, ...]:
        return await self._bell.first(lambda: self._due(platform), wait_s=wait_s, platform=platform)

    async def _due(self, platform: Platform | None) -> tuple[Reminder, ...]:
        has_come = and_(is_to_come, reminders.c.due_at <= self._clock.now())
        if platform is not None:
            has_come &= reminders.c.chat.startswith(f"{platform}/", autoescape=True)
        query = select(reminders).where(has_come).order_by(reminders.c.due_at).limit(_AT_ONCE)
        rows = await self._database.run(lambda connection: connection.execute(query).all())
        return tuple(_reminder(row, row.due_at) for row in rows)

    async def settle(self, reminder: Reminder, next_at: datetime | None) -> bool:
        as_it_was = and_(reminders.c.id == _number(reminder.reminder_id), reminders.c.due_at == reminder.due_at)
        settled_at = self._clock.now() if next_at is None else None
        change = update(reminders).where(as_it_was).values(due_at=next_at, settled_at=settled_at)
        return await self._database.run(lambda connection: connection.execute(change).rowcount == 1)

    async def cancel(self, platform: Platform, person_id: str, reminder_id: str) -> bool:
        theirs: ColumnElement[bool] = and_(
            reminders.c.person == person_of(platform, person_id), reminders.c.id == _number(reminder_id), is_to_come
        )
        change = update(reminders).where(theirs).values(due_at=None, settled_at=self._clock.now())
        return await self._database.run(lambda connection: connection.execute(change).rowcount == 1)


def _number(reminder_id: str) -> int:
    return int(reminder_id) if reminder_id.isascii() and reminder_id.isdigit() and len(reminder_id) < 18 else -1


def _columns(reminder: Reminder) -> dict[str, object]:
    return {
        "chat": chat_of(reminder.address),
        "person": person_of(reminder.address.platform, reminder.person_id),
        "text": storable(reminder.text),
        "due_at": reminder.due_at,
        "rule": reminder.rule,
        "zone": reminder.zone,
        "spoken": reminder.spoken,
        "language": reminder.language,
        "works": reminder.works,
    }


def _reminder(row: Row[Any], due_at: datetime) -> Reminder:
    return Reminder(
        reminder_id=str(row.id),
        address=address_of(row.chat),
        person_id=person_at(row.person)[1],
        text=row.text,
        due_at=due_at,
        rule=row.rule,
        zone=row.zone,
        spoken=row.spoken,
        language=row.language,
        works=row.works,
    )
