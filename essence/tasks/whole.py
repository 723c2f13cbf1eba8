"""A task with its whole history, as June's own words of work."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Row, bindparam, select

from essence.tasks.desk import Desk
from essence.tasks.records import task_rows
from essence.tasks.refusals import unknown
from essence.tasks.tables import PRIORITIES, history, tasks
from essence.work import Priority, Task, TaskStatus, TaskUpdate

_ID = bindparam("p_id", type_=BigInteger)
_TASK = task_rows().where(tasks.c.id == _ID)
_HISTORY = select(history).where(history.c.task_id == _ID).order_by(history.c.id)
_STATUSES: dict[str, TaskStatus] = {
    "available": "available",
    "in_progress": "in_progress",
    "complete": "complete",
    "cancelled": "cancelled",
    "dead": "dead",
}
_PRIORITIES: dict[str, Priority] = {"low": "low", "medium": "medium", "high": "high", "critical": "critical"}


def whole_task(desk: Desk, task_id: int) -> Task:
    """A task and all that happened to it, the oldest first.

    Raises:
        Refusal: `not_found`.
    """
    row = desk.connection.execute(_TASK, {"p_id": task_id}).first()
    if row is None:
        raise unknown("Task", task_id, "task_id")
    return Task(
        task_id=str(row.id),
        title=row.title,
        instruction=row.task_instruction,
        verification=row.verification_instruction,
        status="blocked" if row.blocked else _STATUSES[row.task_status],
        priority=_PRIORITIES[PRIORITIES[row.rank]],
        created_at=row.created_at,
        project_id=None if row.project_id is None else str(row.project_id),
        agent_id=row.assigned_agent,
        notes=row.notes or "",
        updates=tuple(_update(change) for change in desk.connection.execute(_HISTORY, {"p_id": task_id})),
    )


def _update(row: Row[Any]) -> TaskUpdate:
    return TaskUpdate(row.agent_id, row.change_type, row.notes or "", row.created_at)
