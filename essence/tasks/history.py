"""What happened to tasks, and who did it: written once, never changed."""

from __future__ import annotations

from sqlalchemy import insert

from essence.tasks.desk import Desk
from essence.tasks.tables import history

BOARD = "june"
"""Who does what nobody asked for, such as ending a lease."""
_ADD = insert(history)


def add(
    desk: Desk,
    task_id: int,
    change_type: str,
    *,
    field: str | None = None,
    old: str | None = None,
    new: str | None = None,
    notes: str | None = None,
    by: str | None = None,
) -> None:
    """Write down one change; `by`: who did it, if not the agent that asks."""
    row = {
        "task_id": task_id,
        "agent_id": desk.agent_id if by is None else by,
        "change_type": change_type,
        "field_name": field,
        "old_value": old,
        "new_value": new,
        "notes": notes,
        "created_at": desk.now,
    }
    desk.connection.execute(_ADD, row)


def status_changed(
    desk: Desk, task_id: int, change_type: str, old: str, new: str, *, notes: str | None = None, by: str | None = None
) -> None:
    """Write down that a task has another status."""
    add(desk, task_id, change_type, field="task_status", old=old, new=new, notes=notes, by=by)
