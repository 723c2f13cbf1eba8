"""What owners want June to know, in SQL."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, and_, delete, select, update

from essence.dialogue import Platform
from essence.store.agent_tables import memories
from essence.store.clock import Clock
from essence.store.database import Database
from essence.store.records import storable
from essence.store.tables import INSERTS, person_of
from essence.work import Memory


class DurableMemories:
    """See `essence.ports.Memories`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def remember(self, platform: Platform, person_id: str, text: str, *, key: str) -> Memory:
        row = {"key": key, "person": person_of(platform, person_id), "text": storable(text), "at": self._clock.now()}

        def keep(connection: Connection) -> Memory:
            connection.execute(INSERTS[connection.dialect.name](memories).on_conflict_do_nothing(), row)
            kept = connection.execute(select(memories).where(memories.c.key == key)).one()
            return Memory(str(kept.id), kept.text, kept.at)

        return await self._database.run(keep)

    async def all(self, platform: Platform, person_id: str) -> tuple[Memory, ...]:
        theirs = select(memories).where(memories.c.person == person_of(platform, person_id)).order_by(memories.c.id)
        rows = await self._database.run(lambda connection: connection.execute(theirs).all())
        return tuple(Memory(str(row.id), row.text, row.at) for row in rows)

    async def correct(self, platform: Platform, person_id: str, memory_id: str, text: str) -> bool:
        change = update(memories).where(_one(platform, person_id, memory_id)).values(text=storable(text))
        return await self._database.run(lambda connection: connection.execute(change).rowcount == 1)

    async def forget(self, platform: Platform, person_id: str, memory_id: str) -> bool:
        removal = delete(memories).where(_one(platform, person_id, memory_id))
        return await self._database.run(lambda connection: connection.execute(removal).rowcount == 1)


def _one(platform: Platform, person_id: str, memory_id: str) -> ColumnElement[bool]:
    number = int(memory_id) if memory_id.isascii() and memory_id.isdigit() and len(memory_id) < 18 else -1
    return and_(memories.c.person == person_of(platform, person_id), memories.c.id == number)
