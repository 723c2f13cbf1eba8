"""Where transactions run: in memory, in a file, on a server. One code path for all that is done in them.

A piece of work is a plain function of a SQLAlchemy `Connection`. It runs in a transaction of its own; if it raises,
nothing of it was done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from essence.errors import TooSlow
from essence.store.clock import LeaseClock
from essence.store.failures import RETRY_AT_ONCE, june_error, sqlstate

if TYPE_CHECKING:  # it brings the ORM, which takes 0.3 s to load, and only a server needs it
    from sqlalchemy.ext.asyncio import AsyncEngine

T = TypeVar("T")
Work = Callable[[Connection], T]
_TRIES = 5
"""Of a transaction that met a deadlock; two are nearly always enough."""


class Database(Protocol):
    """Runs work."""

    @property
    def lease_clock(self) -> LeaseClock: ...

    async def run(self, work: Work[T], *, lasting: bool = True) -> T:
        """Do the work in one transaction; what it did is durable when this returns.

        Args:
            work: What is done.
            lasting: Also where the power is cut. Not needed where the power takes along whoever it is for, as with a
                claim, or where a later transaction is needed to make it count. What comes later never lasts without
                what came before.
        """
        ...


class MemoryDatabase:
    """SQLite in memory, in the loop's own thread: a transaction takes some 0.1 ms and never waits for a disk."""

    def __init__(self, engine: Engine, lease_clock: LeaseClock, setting: str) -> None:
        """`setting`: the variable that holds the URL, for what is told of errors."""
        self._engine = engine
        self._setting = setting
        self.lease_clock = lease_clock

    async def run(self, work: Work[T], *, lasting: bool = True) -> T:
        await asyncio.sleep(0)  # a worker that always finds work must not keep the loop from all others
        try:
            with self._engine.begin() as connection:
                return work(connection)
        except SQLAlchemyError as error:
            raise june_error(error, self._setting) from error


class ServerDatabase:
    """PostgreSQL over a pool of connections. The server itself commits together what comes together.

    All that it did lasts: a server that loses its power doesn't take along those who hold claims on other machines.
    """

    def __init__(self, engine: AsyncEngine, lease_clock: LeaseClock, setting: str, deadline_s: float) -> None:
        """`setting`: the variable that holds the URL, for what is told of errors."""
        self._engine = engine
        self._setting = setting
        self._deadline_s = deadline_s
        self.lease_clock = lease_clock

    async def run(self, work: Work[T], *, lasting: bool = True) -> T:
        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._patiently(work)
        except TimeoutError as error:
            raise TooSlow(f"The database server took longer than {self._deadline_s:g} s. Try again.") from error
        except (SQLAlchemyError, OSError) as error:
            raise june_error(error, self._setting) from error

    async def _patiently(self, work: Work[T]) -> T:
        for _ in range(_TRIES - 1):
            try:
                return await self._once(work)
            except SQLAlchemyError as error:
                if sqlstate(error) not in RETRY_AT_ONCE:
                    raise
        return await self._once(work)

    async def _once(self, work: Work[T]) -> T:
        async with self._engine.begin() as connection:
            return await connection.run_sync(work)
