"""Tasks as todorama keeps them: no leases, no keys, and a verification that anybody ends."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from essence.fakes.todorama.refusals import Json, unknown_task

UPDATE_KINDS = ("progress", "note", "blocker", "question", "finding")
TASK_TYPES = ("concrete", "abstract", "epic")
PRIORITIES = ("low", "medium", "high", "critical")


@dataclass(slots=True)
class TaskRow:
    """A task's 21 stored fields, in todorama's order."""

    id: int
    title: str
    task_type: str
    task_instruction: str
    verification_instruction: str
    created_at: str
    updated_at: str
    project_id: int | None = None
    task_status: str = "available"
    verification_status: str = "unverified"
    assigned_agent: str | None = None
    completed_at: str | None = None
    notes: str | None = None
    priority: str = "medium"
    estimated_hours: float | None = None
    actual_hours: float | None = None
    started_at: str | None = None
    due_date: str | None = None

    @property
    def needs_verification(self) -> bool:
        """It is complete, and nobody has said that it is good."""
        return self.task_status == "complete" and self.verification_status == "unverified"

    def raw(self) -> Json:
        """As `search_tasks` tells it."""
        return {
            "id": self.id,
            "project_id": self.project_id,
            "title": self.title,
            "task_type": self.task_type,
            "task_instruction": self.task_instruction,
            "verification_instruction": self.verification_instruction,
            "task_status": self.task_status,
            "verification_status": self.verification_status,
            "assigned_agent": self.assigned_agent,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "completed_at": self.completed_at,
            "notes": self.notes,
            "priority": self.priority,
            "estimated_hours": self.estimated_hours,
            "actual_hours": self.actual_hours,
            "started_at": self.started_at,
            "time_delta_hours": None,
            "due_date": self.due_date,
            "metadata": None,
            "organization_id": None,
        }

    def full(self) -> Json:
        """As most tools tell it."""
        status = "needs_verification" if self.needs_verification else self.task_status
        return self.raw() | {"needs_verification": self.needs_verification, "effective_status": status}


@dataclass(frozen=True, slots=True)
class Relation:
    """How a task is related to the one that was named when it was made."""

    number: int
    parent_id: int
    child_id: int
    kind: str


@dataclass(slots=True)
class World:
    """All that the server keeps."""

    now: Callable[[], datetime]
    tasks: dict[int, TaskRow] = field(default_factory=dict)
    changes: list[Json] = field(default_factory=list)
    relations: list[Relation] = field(default_factory=list)
    comments: list[Json] = field(default_factory=list)
    projects: set[int] = field(default_factory=set)

    def stamp(self) -> str:
        """Now: UTC without a zone, in whole seconds."""
        return f"{self.now().astimezone(UTC):%Y-%m-%d %H:%M:%S}"

    def task(self, task_id: int) -> TaskRow:
        """A task by its id.

        Raises:
            Refused: There is none.
        """
        if task_id not in self.tasks:
            raise unknown_task(task_id)
        return self.tasks[task_id]

    def change(
        self, task: TaskRow, agent_id: str, kind: str, *, notes: str | None = None, values: tuple[Any, ...] = ()
    ) -> int:
        """Write down what was done; `values`: the field's name, its old value and its new one. Returns its id."""
        name, old, new = values or (None, None, None)
        row = {
            "id": len(self.changes) + 1,
            "task_id": task.id,
            "agent_id": agent_id,
            "change_type": kind,
            "field_name": name,
            "old_value": old,
            "new_value": new,
            "notes": notes,
            "created_at": self.stamp(),
        }
        self.changes.append(row)
        return len(self.changes)

    def set_status(self, task: TaskRow, agent_id: str, kind: str, status: str, *, owner: str | None) -> None:
        """Move a task on, and write it down."""
        values = ("task_status", task.task_status, status)
        task.task_status, task.assigned_agent, task.updated_at = status, owner, self.stamp()
        self.change(task, agent_id, kind, values=values)

    def history(self, task_id: int, *, updates: bool) -> list[Json]:
        """What was told of a task, or what was changed about it; the oldest first."""
        of_task = (change for change in self.changes if change["task_id"] == task_id)
        return [change for change in of_task if (change["change_type"] in UPDATE_KINDS) == updates]

    def hidden(self) -> set[int]:
        """Blockers are left out of what is available: todorama joins on the wrong column."""
        return {relation.child_id for relation in self.relations if relation.kind == "blocked_by"}

    def complete_parents(self, task: TaskRow, agent_id: str) -> None:
        """A parent is complete when its subtasks are, though nobody reserved it."""
        for relation in self.relations:
            if relation.kind == "subtask" and relation.child_id == task.id:
                parent = self.tasks[relation.parent_id]
                siblings = [one for one in self.relations if (one.parent_id, one.kind) == (parent.id, "subtask")]
                if all(self.tasks[one.child_id].task_status == "complete" for one in siblings):
                    parent.completed_at = self.stamp()
                    self.set_status(parent, agent_id, "completed", "complete", owner=parent.assigned_agent)


def like(query: str) -> re.Pattern[str]:
    """SQL's LIKE '%query%': `%` and `_` in it are wildcards, and case doesn't matter."""
    wildcards = {"%": ".*", "_": "."}
    return re.compile("".join(wildcards.get(one, re.escape(one)) for one in query), re.IGNORECASE | re.DOTALL)


def first(rows: Iterable[TaskRow], limit: int) -> list[TaskRow]:
    """SQL's LIMIT: a negative one is none."""
    found = list(rows)
    return found if limit < 0 else found[:limit]
