"""A task board in this process: as strict as a real one, gone when the process ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from essence.errors import Conflict, InvalidInput, NotFound
from essence.work import NewTask, Priority, Task, TaskClaim, TaskStatus, TaskUpdate

_LOOK_EVERY_S = 0.05
"""Leases and rests end without a sound."""
_URGENCY: dict[Priority, int] = {"critical": 0, "high": 1, "medium": 2, "low": 3}


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class _Entry:
    task: Task
    updates: list[TaskUpdate] = field(default_factory=list)
    fence: int = 0
    attempts: int = 0
    attempts_max: int = 0
    leased_until: datetime | None = None
    not_before: datetime | None = None

    def is_ready(self, now: datetime) -> bool:
        return self.task.status == "available" and (self.not_before is None or self.not_before <= now)


@dataclass(slots=True)
class _Wall:
    """What all who see the board share."""

    entries: dict[str, _Entry] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)


class MemoryBoard:
    """See `essence.ports.TaskBoard`. A task that names no number of its own is dead after `attempts_max` in vain."""

    def __init__(
        self,
        *,
        now: Callable[[], datetime] = _utc_now,
        attempts_max: int = 5,
        projects: frozenset[str] = frozenset({"1"}),
        wall: _Wall | None = None,
    ) -> None:
        """`projects`: ids of those that there are. `wall`: of the board that is seen; None: a new one."""
        self._now, self._attempts_max, self._projects = now, attempts_max, projects
        self._wall = wall or _Wall()
        self._holding: set[str] = set()
        """Tasks that were claimed through this object and have not ended."""

    def elsewhere(self) -> MemoryBoard:
        """The same board, as another process sees it."""
        return MemoryBoard(now=self._now, attempts_max=self._attempts_max, projects=self._projects, wall=self._wall)

    async def create(self, task: NewTask, *, key: str) -> str:
        if key in self._wall.keys:
            return self._wall.keys[key]
        self._check(task)
        task_id = str(len(self._wall.entries) + 1)
        made = Task(
            task_id, task.title, task.instruction, task.verification, "available", task.priority, self._now(),
            task.project_id,
        )  # fmt: skip
        entry = _Entry(made, attempts_max=task.attempts_max or self._attempts_max)
        self._wall.keys[key], self._wall.entries[task_id] = task_id, entry
        async with self._wall.news:
            self._wall.news.notify_all()
        return task_id

    def _check(self, task: NewTask) -> None:
        if not task.title.strip() or not task.instruction.strip():
            raise InvalidInput("A task needs a title and an instruction.")
        if task.project_id is not None and task.project_id not in self._projects:
            raise NotFound(f"There is no project {task.project_id}.")
        if task.parent_task_id is not None:
            self._entry(task.parent_task_id)

    async def claim(self, agent_id: str, *, lease_s: float, wait_s: float = 0.0) -> TaskClaim | None:
        loop = asyncio.get_running_loop()
        ends = loop.time() + wait_s
        while (claim := self._claim(agent_id, lease_s)) is None and (left_s := ends - loop.time()) > 0:
            await self._wait(min(left_s, _LOOK_EVERY_S))
        return claim

    async def _wait(self, at_most_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(at_most_s), self._wall.news:
                await self._wall.news.wait()

    def _claim(self, agent_id: str, lease_s: float) -> TaskClaim | None:
        now = self._now()
        for entry in self._wall.entries.values():
            if entry.leased_until is not None and now >= entry.leased_until:
                self._lapse(entry)
        lost = [entry for entry in self._wall.entries.values() if self._was_lost_by(agent_id, entry)]
        ready = [entry for entry in self._wall.entries.values() if entry.is_ready(now)]
        ready.sort(key=lambda entry: (_URGENCY[entry.task.priority], entry.task.created_at))
        for entry in (*lost, *ready):
            return self._grant(entry, agent_id, now + timedelta(seconds=lease_s))
        return None

    def _was_lost_by(self, agent_id: str, entry: _Entry) -> bool:
        """The agent was killed while it held this task, and is another object now."""
        mine = entry.task.status == "in_progress" and entry.task.agent_id == agent_id
        return mine and entry.task.task_id not in self._holding

    def _lapse(self, entry: _Entry) -> None:
        entry.leased_until = None
        status: TaskStatus = "dead" if entry.attempts >= entry.attempts_max else "available"
        entry.task = replace(entry.task, status=status)

    def _grant(self, entry: _Entry, agent_id: str, until: datetime) -> TaskClaim:
        entry.fence += 1
        entry.attempts += 1
        entry.leased_until = until
        entry.task = replace(entry.task, status="in_progress", agent_id=agent_id)
        self._holding.add(entry.task.task_id)
        return TaskClaim(entry.task, agent_id, entry.fence, entry.attempts)

    async def extend(self, claim: TaskClaim, *, lease_s: float) -> None:
        self._held(claim).leased_until = self._now() + timedelta(seconds=lease_s)

    async def progress(self, claim: TaskClaim, text: str) -> None:
        self._note(self._held(claim), claim.agent_id, "progress", text)

    async def complete(self, claim: TaskClaim, notes: str) -> None:
        entry = self._entry(claim.task.task_id)
        if entry.task.status == "complete" and entry.fence == claim.fence:
            return
        self._end(self._held(claim), "complete", notes)

    async def release(self, claim: TaskClaim, why: str, *, retry_s: float = 0.0, counts: bool = True) -> None:
        entry = self._held(claim)
        entry.attempts -= not counts
        self._note(entry, claim.agent_id, "blocker", why)
        self._lapse(entry)
        self._holding.discard(claim.task.task_id)
        entry.not_before = self._now() + timedelta(seconds=retry_s)

    async def fail(self, claim: TaskClaim, why: str) -> None:
        entry = self._held(claim)
        self._note(entry, claim.agent_id, "blocker", why)
        self._end(entry, "dead", why)

    def revive(self, task_id: str) -> None:
        """A person says that a dead task is to be tried again."""
        entry = self._entry(task_id)
        entry.attempts, entry.task = 0, replace(entry.task, status="available")

    async def read(self, task_id: str) -> Task:
        entry = self._entry(task_id)
        return replace(entry.task, updates=tuple(entry.updates))

    def _end(self, entry: _Entry, status: TaskStatus, notes: str) -> None:
        entry.leased_until = None
        self._holding.discard(entry.task.task_id)
        entry.task = replace(entry.task, status=status, notes=notes)

    def _note(self, entry: _Entry, agent_id: str, kind: str, text: str) -> None:
        entry.updates.append(TaskUpdate(agent_id, kind, text, self._now()))

    def _entry(self, task_id: str) -> _Entry:
        if (entry := self._wall.entries.get(task_id)) is None:
            raise NotFound(f"There is no task {task_id}.")
        return entry

    def _held(self, claim: TaskClaim) -> _Entry:
        entry = self._entry(claim.task.task_id)
        lost = entry.leased_until is None or self._now() >= entry.leased_until or entry.fence != claim.fence
        if lost:
            self._holding.discard(claim.task.task_id)
            raise Conflict(f"Task {claim.task.task_id} is no longer {claim.agent_id}'s. Stop working on it.")
        return entry
