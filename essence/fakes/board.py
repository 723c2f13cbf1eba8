"""A task board in this process: as strict as a real one, gone when the process ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from essence.errors import Conflict, NotFound
from essence.work import NewTask, Priority, Task, TaskClaim, TaskStatus, TaskUpdate

_URGENCY: dict[Priority, int] = {"critical": 0, "high": 1, "medium": 2, "low": 3}


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class _Entry:
    task: Task
    updates: list[TaskUpdate] = field(default_factory=list)
    fence: int = 0
    attempts: int = 0
    leased_until: datetime | None = None
    not_before: datetime | None = None


class MemoryBoard:
    """See `essence.ports.TaskBoard`. A task that was claimed `attempts_max` times in vain is dead."""

    def __init__(self, *, now: Callable[[], datetime] = _utc_now, attempts_max: int = 5) -> None:
        self._now, self._attempts_max = now, attempts_max
        self._entries: dict[str, _Entry] = {}
        self._keys: dict[str, str] = {}
        self._news = asyncio.Condition()

    async def create(self, task: NewTask, *, key: str) -> str:
        if key in self._keys:
            return self._keys[key]
        if task.parent_task_id is not None:
            self._entry(task.parent_task_id)
        task_id = str(len(self._entries) + 1)
        made = Task(
            task_id, task.title, task.instruction, task.verification, "available", task.priority, self._now(),
            task.project_id,
        )  # fmt: skip
        self._keys[key], self._entries[task_id] = task_id, _Entry(made)
        async with self._news:
            self._news.notify_all()
        return task_id

    async def claim(self, agent_id: str, *, lease_s: float, wait_s: float = 0.0) -> TaskClaim | None:
        loop = asyncio.get_running_loop()
        ends = loop.time() + wait_s
        while (claim := self._claim(agent_id, lease_s)) is None and (left_s := ends - loop.time()) > 0:
            await self._wait(min(left_s, 0.05))  # leases and pauses end without a sound
        return claim

    async def _wait(self, at_most_s: float) -> None:
        async with self._news:
            try:
                async with asyncio.timeout(at_most_s):
                    await self._news.wait()
            except TimeoutError:
                return

    def _claim(self, agent_id: str, lease_s: float) -> TaskClaim | None:
        now = self._now()
        for entry in self._entries.values():
            if entry.leased_until is not None and now >= entry.leased_until:
                self._lapse(entry)
        mine = [e for e in self._entries.values() if e.task.status == "in_progress" and e.task.agent_id == agent_id]
        held = [entry for entry in mine if entry.leased_until is None]
        ready = [
            entry
            for entry in self._entries.values()
            if entry.task.status == "available" and (entry.not_before is None or entry.not_before <= now)
        ]
        ready.sort(key=lambda entry: (_URGENCY[entry.task.priority], entry.task.created_at))
        for entry in (*held, *ready):
            return self._grant(entry, agent_id, now + timedelta(seconds=lease_s))
        return None

    def _lapse(self, entry: _Entry) -> None:
        entry.leased_until = None
        status: TaskStatus = "dead" if entry.attempts >= self._attempts_max else "available"
        entry.task = replace(entry.task, status=status)

    def _grant(self, entry: _Entry, agent_id: str, until: datetime) -> TaskClaim:
        entry.fence += 1
        entry.attempts += 1
        entry.leased_until = until
        entry.task = replace(entry.task, status="in_progress", agent_id=agent_id)
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

    async def release(self, claim: TaskClaim, why: str, *, retry_s: float = 0.0) -> None:
        entry = self._held(claim)
        self._note(entry, claim.agent_id, "blocker", why)
        self._lapse(entry)
        entry.not_before = self._now() + timedelta(seconds=retry_s)

    async def fail(self, claim: TaskClaim, why: str) -> None:
        self._end(self._held(claim), "dead", why)

    async def read(self, task_id: str) -> Task:
        entry = self._entry(task_id)
        return replace(entry.task, updates=tuple(entry.updates))

    def _end(self, entry: _Entry, status: TaskStatus, notes: str) -> None:
        entry.leased_until = None
        entry.task = replace(entry.task, status=status, notes=notes)

    def _note(self, entry: _Entry, agent_id: str, kind: str, text: str) -> None:
        entry.updates.append(TaskUpdate(agent_id, kind, text, self._now()))

    def _entry(self, task_id: str) -> _Entry:
        if (entry := self._entries.get(task_id)) is None:
            raise NotFound(f"There is no task {task_id}.")
        return entry

    def _held(self, claim: TaskClaim) -> _Entry:
        entry = self._entry(claim.task.task_id)
        lost = entry.leased_until is None or self._now() >= entry.leased_until or entry.fence != claim.fence
        if lost:
            raise Conflict(f"Task {claim.task.task_id} is no longer {claim.agent_id}'s. Stop working on it.")
        return entry
