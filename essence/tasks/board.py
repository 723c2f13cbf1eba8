"""The board in this process: runs each tool in a transaction of its own, and wakes those who wait for work."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import Connection

from essence.config import BoardSettings
from essence.store.access import Access, open_database, open_reader
from essence.store.bell import Bell
from essence.store.clock import Clock
from essence.store.database import Database
from essence.tasks import recurring, taking
from essence.tasks.arguments import Arguments, ClaimNext, WaitForWork
from essence.tasks.desk import Desk, Rules
from essence.tasks.leases import Leases
from essence.tasks.records import Answer
from essence.tasks.registry import TOOLS, Tool
from essence.tasks.tables import MIGRATIONS

T = TypeVar("T")
_UPKEEP = timedelta(seconds=1)
"""How often those who claim look for lost leases and recurring tasks, at most."""


class Board:
    """All that the board can do, for callers in this process; the faces and the near player stand on it."""

    def __init__(self, database: Database, reader: Database, settings: BoardSettings, clock: Clock) -> None:
        """`reader`: where questions are asked that change nothing."""
        self.database = database
        self._reader = reader
        self._clock = clock
        self._leases = Leases(database.lease_clock)
        self._rules = rules(settings)
        self._lasting = settings.todorama_outlive_power_cuts
        self._bell = Bell(settings.todorama_poll_s)
        self._kept_up_at: datetime | None = None

    async def call(self, tool: Tool, asked: Arguments, agent_id: str) -> Answer:
        """Do what a tool does.

        Raises:
            Refusal: A rule speaks against it.
            StoreError, Unreachable, TooSlow: The database.
        """
        if isinstance(asked, ClaimNext | WaitForWork):
            return await self._await(tool, asked, agent_id)
        answer = await self._run(tool, asked, agent_id)
        if tool.brings_work:
            self._bell.ring_all()
        return answer

    async def ask(self, name: str, asked: Arguments, agent_id: str) -> Answer:
        """`call` by the tool's name."""
        return await self.call(TOOLS[name], asked, agent_id)

    async def keep_up(self) -> None:
        """End lost leases and make the recurring tasks that are due, unless it was done a moment ago."""
        now = self._clock.now()
        if self._kept_up_at is not None and abs(now - self._kept_up_at) < _UPKEEP:
            return
        self._kept_up_at = now
        if await self.work(_upkeep, by="june"):
            self._bell.ring_all()

    def stop_waiting(self) -> None:
        """Answer those who wait for work, now and from now on, by what there is: the board is about to stop."""
        self._bell.close()

    async def work(self, work: Callable[[Desk], T], *, by: str, lasting: bool = True) -> T:
        """Do any piece of work in one transaction, in an agent's name."""

        def done(connection: Connection) -> T:
            return work(Desk(connection, by, self._clock.now(), self._leases, self._rules))

        return await self.database.run(done, lasting=lasting and self._lasting)

    async def read(self, work: Callable[[Desk], T], *, by: str = "") -> T:
        """Do a piece of work that changes nothing."""

        def done(connection: Connection) -> T:
            return work(Desk(connection, by, self._clock.now(), self._leases, self._rules))

        return await self._reader.run(done, lasting=False)

    async def _run(self, tool: Tool, asked: Arguments, agent_id: str) -> Answer:
        if not tool.changes:
            return await self.read(lambda desk: tool.work(desk, asked), by=agent_id)
        return await self.work(lambda desk: tool.work(desk, asked), by=agent_id, lasting=tool.lasting)

    async def _await(self, tool: Tool, asked: ClaimNext | WaitForWork, agent_id: str) -> Answer:
        """Ask until the answer is work, or until the time is over.

        What an agent holds is resumed by the first look alone: later it may have been given to it beside this question.
        """
        last: Answer = {}
        question: Arguments = asked

        async def look() -> Answer | None:
            nonlocal last, question
            await self.keep_up()
            last = await self._run(tool, question, agent_id)
            question = question.model_copy(update={"resume": False}) if isinstance(question, ClaimNext) else question
            return last if last.get("task") or last.get("work") else None

        await self._bell.first(look, wait_s=asked.wait_s, platform=None)
        return last


def _upkeep(desk: Desk) -> int:
    return taking.reap(desk) + recurring.make_due(desk)


def rules(settings: BoardSettings) -> Rules:
    """What the settings say of work."""
    return Rules(
        lease_s=settings.todorama_lease_s,
        max_attempts=settings.todorama_max_attempts,
        backoff_s=settings.todorama_backoff_s,
        backoff_max_s=settings.todorama_backoff_max_s,
        self_verify=settings.todorama_self_verify,
    )


@asynccontextmanager
async def open_own(url: str, settings: BoardSettings, clock: Clock | None = None) -> AsyncIterator[Board]:
    """June's own board on a database: opened on entry, its tables brought up to date, let go of on exit.

    Args:
        url: `memory://`, `sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST/DATABASE`.
        settings: Rules and deadlines; the URL in them is not looked at.
        clock: Where times come from; None is the real ones.

    Raises:
        ConfigError: The URL can't be used, or a newer June wrote this board.
        EngineMissing: The database's driver isn't installed.
        StoreError, Unreachable, TooSlow: It can't be opened.
    """
    clock = clock or Clock()
    access = Access(url, "TODORAMA_URL", settings.todorama_deadline_s, settings.todorama_connections)
    async with open_database(access, clock, MIGRATIONS) as database, open_reader(access, clock, database) as reader:
        yield Board(database, reader, settings, clock)
