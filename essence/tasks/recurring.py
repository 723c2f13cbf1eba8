"""Tasks that are made anew each day, week or month."""

from __future__ import annotations

import calendar
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Row, insert, select, update

from essence.tasks import history
from essence.tasks.arguments import (
    CreateRecurring,
    CreateTask,
    ListRecurring,
    OfRecurring,
    RecurrenceConfig,
    UpdateRecurring,
)
from essence.tasks.desk import Desk
from essence.tasks.filing import check, create_task
from essence.tasks.records import Answer, iso, stamp
from essence.tasks.refusals import Refusal, unknown
from essence.tasks.tables import PRIORITIES, is_active, recurring, tasks

_TOGETHER = 100
"""Recurring tasks that are made in one transaction."""


def create_recurring_task(desk: Desk, asked: CreateRecurring) -> Answer:
    """Have a task made anew again and again; the task itself is the model and stays as it is."""
    check(desk, "task", asked.task_id, "task_id")
    row = {
        "task_id": asked.task_id,
        "recurrence_type": asked.recurrence_type,
        **_days(asked.recurrence_config),
        "next_occurrence": asked.next_occurrence,
        "created_at": desk.now,
        "updated_at": desk.now,
    }
    its_id = desk.connection.scalar(insert(recurring).returning(recurring.c.id), row)
    history.add(desk, asked.task_id, "recurrence_added", new=asked.recurrence_type)
    return {"success": True, "recurring_task_id": its_id}


def _days(config: RecurrenceConfig | None) -> dict[str, object]:
    return (config or RecurrenceConfig()).model_dump()


def list_recurring_tasks(desk: Desk, asked: ListRecurring) -> Answer:
    """All recurring tasks, or those that go on."""
    listed = select(recurring).order_by(recurring.c.id)
    if asked.active_only:
        listed = listed.where(is_active)
    return {"success": True, "recurring_tasks": [_json(row) for row in desk.connection.execute(listed)]}


def get_recurring_task(desk: Desk, asked: OfRecurring) -> Answer:
    """One recurring task."""
    return {"success": True, "recurring_task": _json(_locked(desk, asked.recurring_id))}


def update_recurring_task(desk: Desk, asked: UpdateRecurring) -> Answer:
    """Change when a task is made anew."""
    row = _locked(desk, asked.recurring_id)
    values = asked.model_dump(include={"recurrence_type", "next_occurrence"}, exclude_none=True)
    if asked.recurrence_config is not None:
        values |= _days(asked.recurrence_config)
    elif values and _is_implied(row.day_of_month):
        values["day_of_month"] = None
    _change(desk, asked.recurring_id, values)
    return {"success": True, "recurring_id": asked.recurring_id, "message": "Recurring task updated"}


def deactivate_recurring_task(desk: Desk, asked: OfRecurring) -> Answer:
    """Make it anew no more. Safe to repeat."""
    _locked(desk, asked.recurring_id)
    _change(desk, asked.recurring_id, {"is_active": False})
    return {"success": True, "recurring_id": asked.recurring_id, "message": "Recurring task deactivated"}


def create_recurring_instance(desk: Desk, asked: OfRecurring) -> Answer:
    """Make the next one now; the following one is made when its time has come."""
    row = _locked(desk, asked.recurring_id)
    if not row.is_active:
        raise Refusal("conflict", f"Recurring task {row.id} is not active.", "recurring_id")
    return {"success": True, "instance_id": _make(desk, row), "message": "Recurring task instance created"}


def make_due(desk: Desk) -> int:
    """Make the tasks whose time has come; one that was missed several times is made once. Returns how many."""
    due = select(recurring).where(is_active, recurring.c.next_occurrence <= desk.now)
    due = due.order_by(recurring.c.next_occurrence).limit(_TOGETHER).with_for_update(skip_locked=True)
    rows = desk.connection.execute(due).all()
    for row in rows:
        _make(desk, row)
    return len(rows)


def _make(desk: Desk, row: Row[Any]) -> int:
    model = desk.connection.execute(select(tasks).where(tasks.c.id == row.task_id)).one()
    task = CreateTask.model_construct(
        title=model.title,
        task_type=model.task_type,
        task_instruction=model.task_instruction,
        verification_instruction=model.verification_instruction,
        project_id=model.project_id,
        notes=model.notes,
        priority=PRIORITIES[model.rank],
        estimated_hours=model.estimated_hours,
        max_attempts=model.max_attempts,
        idempotency_key=f"recurring:{row.id}:{iso(row.next_occurrence)}",
    )
    made = create_task(desk, task)
    day = _day_to_keep(row)
    wished = None if day is None else abs(day)
    later = following(row.recurrence_type, row.next_occurrence, row.day_of_week, wished)
    while later <= desk.now:
        later = following(row.recurrence_type, later, row.day_of_week, wished)
    _change(desk, row.id, {"next_occurrence": later, "last_occurrence_created": desk.now, "day_of_month": day})
    return int(str(made["task_id"]))


def _day_to_keep(row: Row[Any]) -> int | None:
    """A month's day, to be kept while shorter months have none; below 0: that of the first time, not asked for."""
    if row.day_of_month is None and row.recurrence_type == "monthly":
        return -int(row.next_occurrence.day)
    day: int | None = row.day_of_month
    return day


def _is_implied(day_of_month: int | None) -> bool:
    """Whether nobody asked for this day: then another first time is another day."""
    return day_of_month is not None and day_of_month < 0


def following(kind: str, after: datetime, day_of_week: int | None, day_of_month: int | None) -> datetime:
    """When it is time again, at the same time of day (UTC).

    Args:
        kind: `daily`, `weekly` or `monthly`.
        after: The time before.
        day_of_week: 0 is Monday; None is the day of `after`.
        day_of_month: None is the day of `after`; in shorter months the last day is taken.

    Raises:
        Refusal: `conflict`: it would be after the year 9999, with which Python's calendar ends.
    """
    try:
        return _following(kind, after, day_of_week, day_of_month)
    except (OverflowError, ValueError) as error:
        says = f"After {after:%Y-%m-%d} there is no next time: the calendar ends with the year 9999."
        raise Refusal("conflict", f"{says} Set an earlier next_occurrence.", "recurring_id") from error


def _following(kind: str, after: datetime, day_of_week: int | None, day_of_month: int | None) -> datetime:
    if kind == "daily":
        return after + timedelta(days=1)
    if kind == "weekly":
        days = 7 if day_of_week is None else (day_of_week - after.weekday() - 1) % 7 + 1
        return after + timedelta(days=days)
    first = date(after.year + after.month // 12, after.month % 12 + 1, 1)
    last = calendar.monthrange(first.year, first.month)[1]
    return after.replace(year=first.year, month=first.month, day=min(day_of_month or after.day, last))


def _locked(desk: Desk, recurring_id: int) -> Row[Any]:
    one = select(recurring).where(recurring.c.id == recurring_id).with_for_update()
    row = desk.connection.execute(one).first()
    if row is None:
        raise unknown("Recurring task", recurring_id, "recurring_id")
    return row


def _change(desk: Desk, recurring_id: int, values: dict[str, Any]) -> None:
    changed = update(recurring).where(recurring.c.id == recurring_id)
    desk.connection.execute(changed.values(**values, updated_at=desk.now))


def _json(row: Row[Any]) -> Answer:
    asked_for = None if _is_implied(row.day_of_month) else row.day_of_month
    days = {"day_of_week": row.day_of_week, "day_of_month": asked_for}
    return {
        "id": row.id,
        "task_id": row.task_id,
        "recurrence_type": row.recurrence_type,
        "recurrence_config": {name: day for name, day in days.items() if day is not None},
        "next_occurrence": iso(row.next_occurrence),
        "last_occurrence_created": iso(row.last_occurrence_created),
        "is_active": row.is_active,
        "created_at": stamp(row.created_at),
        "updated_at": stamp(row.updated_at),
    }
