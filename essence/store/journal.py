"""What was done for each task, in SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection, delete, func, select

from essence.store.agent_tables import steps
from essence.store.clock import Clock
from essence.store.database import Database
from essence.store.records import storable
from essence.store.tables import INSERTS
from essence.work import Cost, Step

FREE = Cost()
_COSTS = (steps.c.calls, steps.c.tokens, steps.c.tool_runs, steps.c.seconds)


class DurableJournal:
    """See `essence.ports.Journal`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def record(self, task_key: str, step: str, text: str, *, person: str, cost: Cost = FREE) -> bool:
        row = {"task": task_key, "step": step, "text": storable(text), "person": person, "at": self._clock.now()}

        def add(connection: Connection) -> bool:
            insert = INSERTS[connection.dialect.name](steps).on_conflict_do_nothing().returning(steps.c.id)
            return connection.execute(insert, row | asdict(cost)).first() is not None

        return await self._database.run(add)

    async def steps(self, task_key: str) -> Mapping[str, str]:
        query = select(steps.c.step, steps.c.text).where(steps.c.task == task_key).order_by(steps.c.id)
        rows = await self._database.run(lambda connection: connection.execute(query).all())
        return {row.step: row.text for row in rows}

    async def timed(self, task_key: str) -> tuple[Step, ...]:
        columns = (steps.c.step, steps.c.at, *_COSTS)
        query = select(*columns).where(steps.c.task == task_key).order_by(steps.c.id)
        rows = await self._database.run(lambda connection: connection.execute(query).all())
        return tuple(Step(name, at, Cost(*cost)) for name, at, *cost in rows)

    async def spent(self, since: datetime) -> Cost:
        sums = select(*(func.coalesce(func.sum(column), 0) for column in _COSTS)).where(steps.c.at >= since)
        calls, tokens, tool_runs, seconds = await self._database.run(lambda connection: connection.execute(sums).one())
        return Cost(int(calls), int(tokens), int(tool_runs), float(seconds))

    async def forget(self, task_key: str, *, prefix: str = "") -> None:
        theirs = delete(steps).where(steps.c.task == task_key, steps.c.step.startswith(prefix, autoescape=True))
        await self._database.run(lambda connection: connection.execute(theirs).rowcount)
