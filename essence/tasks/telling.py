"""What is known of a task, of an agent and of the board: context, updates, activity, figures."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, bindparam, func, literal_column, select

from essence.store.tables import INSERTS
from essence.tasks import cursors
from essence.tasks.arguments import ActivityFeed, AddTaskUpdate, OfTask, Performance, Statistics
from essence.tasks.desk import Desk
from essence.tasks.filing import APART, holder
from essence.tasks.projects import project_json
from essence.tasks.records import Answer, change_json, compact, stamp, task_json, task_rows
from essence.tasks.refusals import unknown
from essence.tasks.tables import history, is_any, is_available, is_complete, projects, relationships, tasks
from essence.tasks.taking import held, lock

UPDATE_TYPES = ("progress", "note", "blocker", "question", "finding")
_ID = bindparam("p_id", type_=BigInteger)
_TASK = task_rows().where(tasks.c.id == _ID)
_ANCESTORS_MAX = 50
_UPDATES_MAX = 1000
_RECENT = 10
_ADD_ONCE = {
    name: dialect(history).on_conflict_do_nothing(index_elements=["key"]).returning(history.c.id)
    for name, dialect in INSERTS.items()
}
_WITH_KEY = select(history.c.id, history.c.task_id, history.c.agent_id).where(history.c.key == bindparam("p_key"))
_BLOCKERS = (
    select(relationships.c.blocker_id, tasks.c.task_status)
    .join(tasks, tasks.c.id == relationships.c.blocker_id)
    .where(relationships.c.blocked_id == _ID)
    .order_by(relationships.c.blocker_id)
)
_blocker = tasks.alias("blocker")
_IS_BLOCKED = is_available & tasks.c.id.in_(
    select(relationships.c.blocked_id)
    .join(_blocker, _blocker.c.id == relationships.c.blocker_id)
    .where(
        relationships.c.blocked_id.is_not(None),
        _blocker.c.task_status.not_in([literal_column("'complete'"), literal_column("'cancelled'")]),
    )
)
"""Begins with the blockers, which are few: to be counted among all tasks."""
_STATUSES = dict.fromkeys(("available", "in_progress", "complete", "blocked", "cancelled", "dead"), 0)
_TYPES = dict.fromkeys(("concrete", "abstract", "epic"), 0)
_PARENTS = (
    select(relationships.c.parent_task_id)
    .where(relationships.c.child_task_id == _ID, relationships.c.relationship_type == literal_column("'subtask'"))
    .order_by(relationships.c.id)
)


def add_task_update(desk: Desk, asked: AddTaskUpdate) -> Answer:
    """Write into a task's history how it gets on; from whoever holds the task it is a sign of life, too."""
    row = lock(desk, asked.task_id) if asked.lease_token is None else held(desk, asked.task_id, asked.lease_token)
    update_id, repeated = _tell(desk, asked, asked.idempotency_key)
    if row.holder == desk.agent_id:
        desk.leases.renew(desk.connection, row.id, desk.now)
    answer: Answer = {"success": True, "update_id": update_id, "task_id": row.id}
    return (
        answer | {"message": f"Update added successfully to task {row.id}"} | ({"repeated": True} if repeated else {})
    )


def _tell(desk: Desk, asked: AddTaskUpdate, key: str | None) -> tuple[int, bool]:
    """The update's id, and whether it was there.

    A key is its agent's own, for one task: agents count alike, and one agent may count anew with each task.
    """
    entry = {
        "task_id": asked.task_id,
        "agent_id": desk.agent_id,
        "change_type": asked.update_type,
        "new_value": None if asked.metadata is None else compact(asked.metadata),
        "notes": asked.content,
        "key": key,
        "created_at": desk.now,
    }
    update_id = desk.connection.scalar(_ADD_ONCE[desk.connection.dialect.name], entry)
    if update_id is not None:
        return int(update_id), False
    known = desk.connection.execute(_WITH_KEY, {"p_key": key}).one()
    if (known.task_id, holder(known.agent_id)) == (asked.task_id, holder(desk.agent_id)):
        return int(known.id), True
    return _tell(desk, asked, f"{key}{APART}{asked.task_id} of {holder(desk.agent_id)}")


def get_task_context(desk: Desk, asked: OfTask) -> Answer:
    """All that one should know before beginning with a task."""
    row = desk.connection.execute(_TASK, {"p_id": asked.task_id}).first()
    if row is None:
        raise unknown("Task", asked.task_id, "task_id")
    updates, recent = _updates(desk, row.id), _changes(desk, row.id)
    answer: Answer = {
        "success": True,
        "task": task_json(row),
        "project": _project(desk, row.project_id),
        "updates": updates,
        "ancestry": _ancestry(desk, row.id),
        "recent_changes": recent,
        "blockers": _blockers(desk, row.id),
    }
    if row.failure is not None and row.task_status in ("available", "dead"):
        answer["stale_info"] = {
            "is_stale": True,
            "previous_agent": row.assigned_agent,
            "unlocked_at": stamp(row.updated_at),
            "stale_finding": row.failure,
        }
    return answer


def _updates(desk: Desk, task_id: int) -> list[Answer]:
    """The newest that agents wrote, the oldest of them first."""
    of_task = select(history).where(history.c.task_id == task_id, history.c.change_type.in_(UPDATE_TYPES))
    rows = desk.connection.execute(of_task.order_by(history.c.id.desc()).limit(_UPDATES_MAX)).all()
    return [change_json(row) for row in reversed(rows)]


def _changes(desk: Desk, task_id: int) -> list[Answer]:
    of_task = select(history).where(history.c.task_id == task_id, history.c.change_type.not_in(UPDATE_TYPES))
    rows = desk.connection.execute(of_task.order_by(history.c.id.desc()).limit(_RECENT)).all()
    return [change_json(row) for row in reversed(rows)]


def _project(desk: Desk, project_id: int | None) -> Answer | None:
    row = desk.connection.execute(select(projects).where(projects.c.id == project_id)).first()
    return None if row is None else project_json(row)


def _ancestry(desk: Desk, task_id: int) -> list[Answer]:
    """The task that this one is a part of, the one that that is a part of, and so on."""
    seen = [task_id]
    while len(seen) <= _ANCESTORS_MAX:
        parent_id = desk.connection.scalar(_PARENTS, {"p_id": seen[-1]})
        if parent_id is None or parent_id in seen:
            break
        seen.append(parent_id)
    return [task_json(desk.connection.execute(_TASK, {"p_id": parent}).one()) for parent in seen[1:]]


def _blockers(desk: Desk, task_id: int) -> list[Answer]:
    rows = desk.connection.execute(_BLOCKERS, {"p_id": task_id})
    return [{"task_id": row.blocker_id, "task_status": row.task_status} for row in rows]


def get_activity_feed(desk: Desk, asked: ActivityFeed) -> Answer:
    """What happened, the oldest first; with a cursor what has happened since."""
    place = cursors.read(asked.cursor)
    feed = select(history)
    if asked.task_id is not None:
        feed = feed.where(history.c.task_id == asked.task_id)
    if asked.agent_id is not None:
        feed = feed.where(history.c.agent_id == asked.agent_id)
    if asked.start_date is not None:
        feed = feed.where(history.c.created_at >= asked.start_date)
    if asked.end_date is not None:
        feed = feed.where(history.c.created_at <= asked.end_date)
    rows = _newest(desk, feed, asked.limit) if place is None else _since(desk, feed, asked.limit, place[1])
    listed = [change_json(row) for row in rows]
    last = rows[-1].id if rows else 0 if place is None else place[1]
    return {"success": True, "feed": listed, "count": len(listed), "next_cursor": cursors.written((0, last))}


def _newest(desk: Desk, feed: Select[Any], limit: int) -> list[Any]:
    rows = desk.connection.execute(feed.order_by(history.c.id.desc()).limit(limit)).all()
    return list(reversed(rows))


def _since(desk: Desk, feed: Select[Any], limit: int, row_id: int) -> list[Any]:
    after = feed.where(history.c.id > row_id).order_by(history.c.id).limit(limit)
    return list(desk.connection.execute(after).all())


def get_agent_performance(desk: Desk, asked: Performance) -> Answer:
    """What an agent completed, and how much of it others found good."""
    its = [tasks.c.assigned_agent == asked.agent_id, is_complete]
    if asked.task_type is not None:
        its.append(tasks.c.task_type == asked.task_type)
    verified = func.count().filter(tasks.c.verification_status == literal_column("'verified'"))
    delta = func.avg(tasks.c.actual_hours - tasks.c.estimated_hours)
    figures = select(func.count(), verified, delta).select_from(tasks)
    completed, good, avg_delta = desk.connection.execute(figures.where(*its)).one()
    return {
        "success": True,
        "agent_id": asked.agent_id,
        "tasks_completed": completed,
        "tasks_verified": good,
        "success_rate": round(100 * good / completed, 2) if completed else 0.0,
        "avg_time_delta": avg_delta,
        "task_type_filter": asked.task_type,
    }


def get_task_statistics(desk: Desk, asked: Statistics) -> Answer:
    """How many tasks there are of each status, type and project."""
    chosen = _chosen(asked)
    statuses, types, by_project = Counter(_STATUSES), Counter(_TYPES), Counter[str]()
    counted = (tasks.c.task_status, tasks.c.task_type, tasks.c.project_id)
    for row in desk.connection.execute(
        select(*counted, func.count().label("number")).where(*chosen).group_by(*counted)
    ):
        statuses[row.task_status] += row.number
        types[row.task_type] += row.number
        by_project["null" if row.project_id is None else str(row.project_id)] += row.number
    blocked = desk.connection.scalar(select(func.count()).select_from(tasks).where(*chosen, _IS_BLOCKED)) or 0
    statuses.update(blocked=blocked, available=-blocked)
    total = statuses.total()
    return {
        "success": True,
        "total": total,
        "by_status": dict(statuses),
        "by_type": dict(types),
        "by_project": dict(by_project),
        "completion_rate": round(100 * statuses["complete"] / total, 2) if total else 0.0,
    }


def _chosen(asked: Statistics) -> list[ColumnElement[bool]]:
    chosen: list[ColumnElement[bool]] = [is_any]
    if asked.project_id is not None:
        chosen.append(tasks.c.project_id == asked.project_id)
    if asked.task_type is not None:
        chosen.append(tasks.c.task_type == asked.task_type)
    if asked.start_date is not None:
        chosen.append(tasks.c.created_at >= asked.start_date)
    if asked.end_date is not None:
        chosen.append(tasks.c.created_at <= asked.end_date)
    return chosen
