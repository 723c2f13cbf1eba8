"""SQLite in a file, with a thread of its own that commits together what comes together.

Durable means on the disk: WAL with synchronous=FULL calls fsync at each commit (with NORMAL, a power cut loses the
last commits; https://sqlite.org/pragma.html#pragma_synchronous). A commit takes as long as the disk's fsync, so all
work that arrived during one commit shares the next. Work that need not outlive a power cut is committed with NORMAL,
which outlives the process and waits for no disk; the next commit with FULL brings it to the disk as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from essence.errors import TooSlow, Unreachable
from essence.store.clock import LeaseClock
from essence.store.database import T, Work
from essence.store.failures import june_error

_TOGETHER = 256
"""Most pieces of work in one transaction: some 50 ms of writing."""


@dataclass(frozen=True, slots=True)
class _Job:
    work: Callable[[Connection], Any]
    lasting: bool
    result: asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class _Done:
    job: _Job
    value: Any = None
    error: BaseException | None = None


class FileDatabase:
    """A connection, the thread that owns it, and what waits for it. Opened within a running loop."""

    def __init__(self, engine: Engine, lease_clock: LeaseClock, setting: str, deadline_s: float) -> None:
        """`setting`: the variable that holds the URL, for what is told of errors."""
        self.lease_clock = lease_clock
        self._setting = setting
        self._engine = engine
        self._deadline_s = deadline_s
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        self._closed = False
        # A daemon, so that a stuck disk can't keep a process from ending.
        self._thread = threading.Thread(target=self._serve, name="june-store", daemon=True)
        self._thread.start()

    async def run(self, work: Work[T], *, lasting: bool = True) -> T:
        if self._closed:
            raise Unreachable("The store is closed.")
        job = _Job(work, lasting, self._loop.create_future())
        self._jobs.put(job)
        try:
            async with asyncio.timeout(self._deadline_s):
                value: T = await job.result
        except TimeoutError as error:
            raise TooSlow(f"The store's disk took longer than {self._deadline_s:g} s. Try again.") from error
        return value

    async def close(self) -> None:
        """Finish what waits, then end the thread."""
        self._closed = True
        self._jobs.put(None)
        await self._stopped.wait()
        self._thread.join()

    def _serve(self) -> None:
        try:
            with contextlib.closing(_Writer(self._engine, self._setting)) as writer:
                while jobs := self._next():
                    self._tell(self._deliver, writer.commit(jobs))
        finally:
            self._tell(self._stopped.set)

    def _next(self) -> list[_Job]:
        """Wait for work, then take all there is; nothing means that it is over."""
        jobs: list[_Job] = []
        while len(jobs) < _TOGETHER and not (jobs and self._jobs.empty()):
            job = self._jobs.get()
            if job is None:
                if jobs:
                    self._jobs.put(None)
                break
            if not job.result.cancelled():
                jobs.append(job)
        return jobs

    def _tell(self, callback: Callable[..., object], *values: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed, and with it all who waited
            self._loop.call_soon_threadsafe(callback, *values)

    @staticmethod
    def _deliver(done: list[_Done]) -> None:
        for one in done:
            if one.job.result.done():  # whoever asked has gone
                continue
            if one.error is None:
                one.job.result.set_result(one.value)
            else:
                one.job.result.set_exception(one.error)


class _Writer:
    """A connection and its transactions. It is opened for the first of them, and anew after each that failed."""

    def __init__(self, engine: Engine, setting: str) -> None:
        self._engine = engine
        self._setting = setting
        self._connection: Connection | None = None

    def commit(self, jobs: list[_Job]) -> list[_Done]:
        """Do several pieces of work in one transaction; if any fails, undo them all and do each in one of its own."""
        if len(jobs) > 1:
            with contextlib.suppress(Exception):  # raised again below, by the work that it is of
                with self._transaction(jobs) as connection:
                    done = [_Done(job, job.work(connection)) for job in jobs]
                return done  # noqa: RET504 - nothing is done before the commit
        return [self._alone(job) for job in jobs]

    def close(self) -> None:
        """Give the connection back, with what it had begun undone."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _alone(self, job: _Job) -> _Done:
        try:
            with self._transaction([job]) as connection:
                value = job.work(connection)
            return _Done(job, value)
        except (SQLAlchemyError, sqlite3.Error) as error:  # the latter from the connection's first words, see access.py
            converted = june_error(error, self._setting)
            converted.__cause__ = error
            return _Done(job, error=converted)
        except Exception as error:  # noqa: BLE001 - raised where the work was asked for, not in this thread
            return _Done(job, error=error)

    @contextlib.contextmanager
    def _transaction(self, jobs: list[_Job]) -> Iterator[Connection]:
        if self._connection is None:
            self._connection = self._engine.connect()
        try:
            _make_last(self._connection, any(job.lasting for job in jobs))
            with self._connection.begin():
                yield self._connection
        except BaseException:
            self.close()
            raise


def _make_last(connection: Connection, lasting: bool) -> None:  # noqa: FBT001 - a value, not a choice of the caller's
    """Say whether the next commit waits for the disk; the connection remembers what it was told last."""
    if connection.info.get("lasting", True) != lasting:
        driver = connection.connection.cursor()
        driver.execute(f"PRAGMA synchronous={'FULL' if lasting else 'NORMAL'}")
        driver.close()
        connection.info["lasting"] = lasting
