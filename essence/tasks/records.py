"""Rows as todorama's JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, literal_column, null, select

from essence.tasks.tables import PRIORITIES, is_available, relationships, tasks

Answer = dict[str, object]
"""What a tool answers: JSON, in todorama's fields."""

_blocker = tasks.alias("blocker")
has_open_blocker: ColumnElement[bool] = (
    select(literal_column("1"))
    .select_from(relationships.join(_blocker, _blocker.c.id == relationships.c.blocker_id))
    .where(
        relationships.c.blocked_id == tasks.c.id,
        _blocker.c.task_status.not_in([literal_column("'complete'"), literal_column("'cancelled'")]),
    )
    .correlate(tasks)
    .exists()
)
"""Asked each time: nothing has to be undone when a blocker ends, is taken up again or is removed."""
is_blocked: ColumnElement[bool] = is_available & has_open_blocker
TASK_COLUMNS = (*tasks.c, is_blocked.label("blocked"))
TAKEN_COLUMNS = (*tasks.c, null().label("blocked"))
"""Of a task that somebody has: it waits for nothing."""
SUMMARY_COLUMNS = (
    tasks.c.id,
    tasks.c.title,
    tasks.c.task_type,
    tasks.c.task_status,
    tasks.c.assigned_agent,
    tasks.c.project_id,
    tasks.c.rank,
    tasks.c.created_at,
    tasks.c.updated_at,
    tasks.c.completed_at,
    is_blocked.label("blocked"),
)


def task_rows() -> Select[Any]:
    """Tasks with all that `task_json` needs."""
    return select(*TASK_COLUMNS)


def stamp(time: datetime | None) -> str | None:
    """Todorama's form: UTC, to the second, no zone."""
    return None if time is None else f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def iso(time: datetime | None) -> str | None:
    """With its zone, as due dates are told."""
    return None if time is None else time.isoformat()


def task_json(row: Row[Any]) -> Answer:
    """A task with todorama's fields, then June's own."""
    status = _status(row)
    needs_verification = row.task_status == "complete" and row.verification_status == "unverified"
    return {
        "id": row.id,
        "project_id": row.project_id,
        "title": row.title,
        "task_type": row.task_type,
        "task_instruction": row.task_instruction,
        "verification_instruction": row.verification_instruction,
        "task_status": status,
        "verification_status": row.verification_status,
        "assigned_agent": _agent(row),
        "created_at": stamp(row.created_at),
        "updated_at": stamp(row.updated_at),
        "completed_at": stamp(row.completed_at),
        "notes": row.notes,
        "priority": PRIORITIES[row.rank],
        "estimated_hours": row.estimated_hours,
        "actual_hours": row.actual_hours,
        "started_at": stamp(row.started_at),
        "time_delta_hours": _delta(row),
        "due_date": iso(row.due_date),
        "metadata": None,
        "organization_id": None,
        "needs_verification": needs_verification,
        "effective_status": "needs_verification" if needs_verification else status,
        "created_by": row.created_by,
        "last_agent": row.assigned_agent,
        "verifier": row.holder if row.task_status == "complete" else row.verified_by,
        "attempts": row.attempts,
        "max_attempts": row.max_attempts,
        "retry_at": iso(row.ready_at),
        "failure": row.failure,
        "version": row.version,
    }


def summary_json(row: Row[Any]) -> Answer:
    """The ten fields that are enough to choose by."""
    return {
        "id": row.id,
        "title": row.title,
        "task_type": row.task_type,
        "task_status": _status(row),
        "assigned_agent": _agent(row),
        "project_id": row.project_id,
        "priority": PRIORITIES[row.rank],
        "created_at": stamp(row.created_at),
        "updated_at": stamp(row.updated_at),
        "completed_at": stamp(row.completed_at),
    }


def _status(row: Row[Any]) -> str:
    return "blocked" if row.blocked else str(row.task_status)


def _agent(row: Row[Any]) -> str | None:
    """Nobody where the task waits for anybody, whoever had it before."""
    return None if row.task_status == "available" else row.assigned_agent


def _delta(row: Row[Any]) -> float | None:
    if row.actual_hours is None or row.estimated_hours is None:
        return None
    return float(row.actual_hours - row.estimated_hours)


def change_json(row: Row[Any]) -> Answer:
    """An entry of a task's history."""
    return {
        "id": row.id,
        "task_id": row.task_id,
        "agent_id": row.agent_id,
        "change_type": row.change_type,
        "field_name": row.field_name,
        "old_value": row.old_value,
        "new_value": row.new_value,
        "notes": row.notes,
        "created_at": stamp(row.created_at),
    }


def compact(value: object) -> str:
    """JSON of ASCII alone, which every database and terminal holds."""
    return json.dumps(value, separators=(",", ":"))
