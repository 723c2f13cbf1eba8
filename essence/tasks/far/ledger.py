"""What this side knows of a board that keeps too little: which task was made for which key, who works on which task.

It lies in the store (`STORE_URL`), with tables and migrations of its own: so it outlives whoever is killed, and June's
processes that share a store share it. The right to work on a task is taken here first, in one transaction, and on the
board afterwards; an end is written here first, too, and told to the board until the board has it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Double,
    Index,
    Integer,
    MetaData,
    Row,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    or_,
    select,
    text,
    update,
)

from essence.config import StoreSettings
from essence.store.access import Access, open_database
from essence.store.clock import Clock
from essence.store.database import Database
from essence.store.records import storable
from essence.store.schema import Migrations
from essence.store.tables import INSERTS, Utc

_MANY = 500
"""Ids asked for at once; SQLite takes at least 999 parameters (https://sqlite.org/limits.html)."""

metadata = MetaData()
keys = Table(
    "task_keys",
    metadata,
    Column("board", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("task_id", Text),  # null until the board has told it
    Column("maker", Text, nullable=False),  # who may make the task now
    Column("granted_s", Double, nullable=False),  # by the lease clock
    Column("until_s", Double, nullable=False),
    Column("touched_at", Utc, nullable=False),
)
Index("task_keys_touched", keys.c.touched_at)
claims = Table(
    "task_claims",
    metadata,
    Column("board", Text, primary_key=True),
    Column("task_id", Text, primary_key=True),
    Column("agent", Text),  # who holds it, or ended it; null where nobody does
    Column("fence", BigInteger, nullable=False),  # of the newest claim
    Column("attempt", Integer, nullable=False),
    Column("granted_s", Double, nullable=False),  # by the lease clock: of the lease, or of the pause before another try
    Column("until_s", Double, nullable=False),
    Column("outcome", Text),  # done, failed
    Column("notes", Text, nullable=False),  # what is told to the board at the end
    Column("settled", Boolean, nullable=False),  # the board knows of the end
    Column("touched_at", Utc, nullable=False),
)
_is_held = claims.c.agent.is_not(None)
_has_ended = claims.c.outcome.is_not(None)
_is_open = claims.c.outcome.is_(None)
_is_unsettled = text("outcome IS NOT NULL AND NOT settled")
Index("task_claims_held", claims.c.board, claims.c.agent, sqlite_where=_is_held, postgresql_where=_is_held)
Index("task_claims_unsettled", claims.c.board, sqlite_where=_is_unsettled, postgresql_where=_is_unsettled)
Index("task_claims_touched", claims.c.touched_at, sqlite_where=_has_ended, postgresql_where=_has_ended)

MIGRATIONS = Migrations(Path(__file__).parent / "migrations", "0001", "task_ledger_version", tables=metadata)

Outcome = Literal["done", "failed"]
Standing = Literal["free", "held", "waiting", "done", "failed"]
"""`free`: it may be taken, a lapsed lease included; `waiting`: it was given back, and its pause is not over."""


@dataclass(frozen=True, slots=True)
class Grant:
    """The right to work on a task, as far as this side goes."""

    fence: int
    attempt: int
    before: str | None
    """Who held it before, and lost it; None where nobody did."""


@dataclass(frozen=True, slots=True)
class Ending:
    """An end that the board may not know of."""

    task_id: str
    agent_id: str
    fence: int
    outcome: Outcome
    notes: str


@asynccontextmanager
async def open_ledger(board: str, settings: StoreSettings, clock: Clock | None = None) -> AsyncIterator[DurableLedger]:
    """The ledger of the board with this address. What is older than the store's retention goes when it is opened.

    Raises:
        ConfigError, EngineMissing, StoreError, Unreachable, TooSlow: As `essence.store.open_store`.
    """
    clock = clock or Clock()
    access = Access(settings.store_url, "STORE_URL", settings.store_deadline_s, settings.store_connections)
    async with open_database(access, clock, MIGRATIONS) as database:
        ledger = DurableLedger(database, clock, board)
        await ledger.prune(settings.store_retention_days)
        yield ledger


class DurableLedger:
    """See this module. All methods may raise StoreError, Unreachable or TooSlow."""

    def __init__(self, database: Database, clock: Clock, board: str) -> None:
        """`board`: its address; one database may hold the ledgers of several."""
        self._database, self._clock, self._board = database, clock, board
        self._lease = database.lease_clock

    async def task_of(self, key: str) -> str | None:
        """The task that was made for this key, as far as it is known."""
        query = select(keys.c.task_id).where(self._of_key(key))
        return await self._database.run(lambda connection: connection.scalar(query))

    async def begin(self, key: str, maker: str, *, lease_s: float) -> bool:
        """Get the right to make the task of this key for a while; False where another maker has it."""
        row = self._key_row(key) | {"maker": maker, "granted_s": 0.0, "until_s": 0.0}
        over = self._lease.over(keys.c.granted_s, keys.c.until_s)
        grant = update(keys).where(self._of_key(key), over).values(self._until(lease_s) | {"maker": maker})

        def work(connection: Connection) -> bool:
            connection.execute(INSERTS[connection.dialect.name](keys).on_conflict_do_nothing(), row)
            return connection.execute(grant, self._lease.read()).rowcount == 1

        return await self._database.run(work)

    async def give_back(self, key: str, maker: str) -> None:
        """Let others make the task of this key, if it isn't known by now."""
        over = update(keys).where(self._of_key(key), keys.c.maker == maker).values(self._until(0.0))
        await self._database.run(lambda connection: connection.execute(over, self._lease.read()))

    async def keep(self, key: str, task_id: str) -> None:
        """Remember which task was made for this key."""
        known = update(keys).where(self._of_key(key)).values(task_id=task_id, touched_at=self._clock.now())
        await self._database.run(lambda connection: connection.execute(known))

    async def take(self, task_id: str, agent_id: str, *, lease_s: float, again: bool = False) -> Grant | None:
        """Get the right to work on a task; None where another agent has it, its pause is not over, or it has ended.

        `again`: also where it has ended as failed.
        """
        row = self._claim_row(task_id) | {"fence": 0, "attempt": 0, "granted_s": 0.0, "until_s": 0.0}
        row |= {"notes": "", "settled": False}
        over = self._lease.over(claims.c.granted_s, claims.c.until_s).label("over")
        query = select(claims, over).where(self._of_task(task_id)).with_for_update()

        def work(connection: Connection) -> Grant | None:
            connection.execute(INSERTS[connection.dialect.name](claims).on_conflict_do_nothing(), row)
            found = connection.execute(query, self._lease.read()).one()
            if not _may_take(found, agent_id, again=again):
                return None
            granted = {"agent": agent_id, "fence": found.fence + 1, "attempt": found.attempt + 1}
            open_again = {"outcome": None, "notes": "", "settled": False, "touched_at": self._clock.now()}
            values = granted | open_again | self._until(lease_s)
            connection.execute(update(claims).where(self._of_task(task_id)).values(values), self._lease.read())
            return Grant(found.fence + 1, found.attempt + 1, found.agent)

        return await self._database.run(work)

    async def standings(self, task_ids: Iterable[str]) -> dict[str, Standing]:
        """How those of the tasks stand that are known here."""
        over = self._lease.over(claims.c.granted_s, claims.c.until_s).label("over")
        columns = select(claims.c.task_id, claims.c.agent, claims.c.outcome, over).where(claims.c.board == self._board)
        ids = list(task_ids)

        def work(connection: Connection) -> dict[str, Standing]:
            found: dict[str, Standing] = {}
            for start in range(0, len(ids), _MANY):
                query = columns.where(claims.c.task_id.in_(ids[start : start + _MANY]))
                found |= {row.task_id: _standing(row) for row in connection.execute(query, self._lease.read())}
            return found

        return await self._database.run(work)

    async def held(self, agent_id: str) -> tuple[str, ...]:
        """What this agent has not ended, its lost leases included."""
        query = select(claims.c.task_id).where(claims.c.board == self._board, claims.c.agent == agent_id, _is_open)
        return await self._database.run(lambda connection: tuple(connection.scalars(query.order_by(claims.c.fence))))

    async def lapsed(self) -> tuple[str, ...]:
        """What some agent holds whose lease is over."""
        over = self._lease.over(claims.c.granted_s, claims.c.until_s)
        query = select(claims.c.task_id).where(claims.c.board == self._board, _is_held, _is_open, over)
        return await self._database.run(lambda connection: tuple(connection.scalars(query, self._lease.read())))

    async def holds(self, task_id: str, fence: int) -> bool:
        """Whether a claim was not lost."""
        query = select(claims.c.fence).where(self._of_claim(task_id, fence))
        return await self._database.run(lambda connection: connection.scalar(query)) is not None

    async def extend(self, task_id: str, fence: int, *, lease_s: float) -> bool:
        """Hold a claim for so long from now; False where it was lost."""
        return await self._change(task_id, fence, self._until(lease_s))

    async def drop(self, task_id: str, fence: int, *, pause_s: float = 0.0, counts: bool = True) -> bool:
        """Give a claim up: it may be taken again after a pause. False where it was lost. `counts`: as an attempt."""
        attempt = {} if counts else {"attempt": claims.c.attempt - 1}
        return await self._change(task_id, fence, {"agent": None} | attempt | self._until(pause_s))

    async def end(self, task_id: str, fence: int, outcome: Outcome, notes: str = "") -> bool:
        """Write down that a task has ended, before the board knows; False where the claim was lost. Safe to repeat."""
        ended = update(claims).where(self._of_claim(task_id, fence)).values(outcome=outcome, notes=storable(notes))
        same = select(claims.c.fence).where(
            self._of_task(task_id), claims.c.fence == fence, claims.c.outcome == outcome
        )

        def work(connection: Connection) -> bool:
            return connection.execute(ended).rowcount == 1 or connection.scalar(same) is not None

        return await self._database.run(work)

    async def unsettled(self, agent_id: str) -> tuple[Ending, ...]:
        """Ends that the board may not know of: this agent's own, and those of agents whose leases are over."""
        over = self._lease.over(claims.c.granted_s, claims.c.until_s)
        mine = or_(claims.c.agent == agent_id, over)
        query = select(claims).where(claims.c.board == self._board, _is_unsettled, mine)

        def work(connection: Connection) -> tuple[Ending, ...]:
            rows = connection.execute(query, self._lease.read())
            return tuple(Ending(row.task_id, row.agent, row.fence, row.outcome, row.notes) for row in rows)

        return await self._database.run(work)

    async def is_settled(self, task_id: str, fence: int) -> bool:
        """Whether the board knows of this claim's end."""
        query = select(claims.c.settled).where(self._of_grant(task_id, fence), _has_ended)
        return await self._database.run(lambda connection: connection.scalar(query)) is True

    async def settle(self, task_id: str, fence: int) -> None:
        """Write down that the board knows of an end."""
        settled = update(claims).where(self._of_grant(task_id, fence)).values(settled=True)
        await self._database.run(lambda connection: connection.execute(settled))

    async def prune(self, days: float) -> None:
        """Forget keys, and ended tasks that the board knows of, which nobody has touched for so many days."""
        before = self._clock.now() - timedelta(days=days)
        old_claims = delete(claims).where(_has_ended, claims.c.settled, claims.c.touched_at < before)
        old_keys = delete(keys).where(keys.c.touched_at < before)

        def work(connection: Connection) -> None:
            connection.execute(old_claims)
            connection.execute(old_keys)

        await self._database.run(work)

    async def _change(self, task_id: str, fence: int, values: dict[str, Any]) -> bool:
        values |= {"touched_at": self._clock.now()}
        change = update(claims).where(self._of_claim(task_id, fence)).values(values)
        return await self._database.run(lambda connection: connection.execute(change, self._lease.read()).rowcount == 1)

    def _of_key(self, key: str) -> ColumnElement[bool]:
        return and_(keys.c.board == self._board, keys.c.key == storable(key))

    def _of_task(self, task_id: str) -> ColumnElement[bool]:
        return and_(claims.c.board == self._board, claims.c.task_id == task_id)

    def _of_grant(self, task_id: str, fence: int) -> ColumnElement[bool]:
        return and_(self._of_task(task_id), claims.c.fence == fence)

    def _of_claim(self, task_id: str, fence: int) -> ColumnElement[bool]:
        return and_(self._of_grant(task_id, fence), _is_held, _is_open)

    def _key_row(self, key: str) -> dict[str, object]:
        return {"board": self._board, "key": storable(key), "touched_at": self._clock.now()}

    def _claim_row(self, task_id: str) -> dict[str, object]:
        return {"board": self._board, "task_id": task_id, "touched_at": self._clock.now()}

    def _until(self, seconds: float) -> dict[str, Any]:
        return {"granted_s": self._lease.now_s, "until_s": self._lease.now_s + bindparam(None, seconds, type_=Double)}


def _may_take(row: Row[Any], agent_id: str, *, again: bool) -> bool:
    if row.outcome is not None:
        return again and row.outcome == "failed"
    return bool(row.over) or row.agent == agent_id


def _standing(row: Row[Any]) -> Standing:
    if row.outcome is not None:
        return "done" if row.outcome == "done" else "failed"
    if row.over:
        return "free"
    return "waiting" if row.agent is None else "held"
