"""Lists of tasks: what can be taken, what matches, what is found, what is late."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, literal_column, or_, select, text

from essence.tasks import cursors
from essence.tasks.arguments import (
    AgentType,
    Deadlines,
    ListAvailable,
    QueryTasks,
    RecentCompletions,
    SearchTasks,
    StaleTasks,
    SummarizeTasks,
    WaitForWork,
)
from essence.tasks.desk import Desk
from essence.tasks.leases import IN_LINE, IS_READY
from essence.tasks.records import (
    SUMMARY_COLUMNS,
    Answer,
    has_open_blocker,
    is_blocked,
    summary_json,
    task_json,
    task_rows,
)
from essence.tasks.tables import (
    PRIORITIES,
    is_any,
    is_available,
    is_complete,
    is_due,
    is_held,
    is_in_progress,
    task_tags,
    tasks,
)


def list_available_tasks(desk: Desk, asked: ListAvailable) -> Answer:
    """What an agent of this type can take now, the most urgent first, the oldest of those."""
    waiting = _waiting(task_rows(), asked.agent_type, asked.project_id)
    return _page(desk, waiting, "priority", asked.limit, asked.cursor, task_json, {"p_at": desk.now})


def wait_for_work(desk: Desk, asked: WaitForWork) -> Answer:
    """Whether there is work."""
    waiting = _waiting(select(literal_column("1")).select_from(tasks), asked.agent_type, asked.project_id)
    return {"success": True, "work": desk.connection.scalar(waiting.limit(1), {"p_at": desk.now}) is not None}


def _waiting(tasks_of: Select[Any], agent_type: AgentType, project_id: int | None) -> Select[Any]:
    waiting = tasks_of.where(*IN_LINE[agent_type])
    if agent_type != "verification":
        waiting = waiting.where(IS_READY, ~has_open_blocker)
    return waiting if project_id is None else waiting.where(tasks.c.project_id == project_id)


def query_tasks(desk: Desk, asked: QueryTasks) -> Answer:
    """Tasks that match all that is asked for."""
    matching = _matching(task_rows(), asked, asked.agent_id)
    for tag_id in {*asked.tag_ids, *([] if asked.tag_id is None else [asked.tag_id])}:
        tagged = select(task_tags.c.task_id).where(task_tags.c.tag_id == tag_id)
        matching = matching.where(tasks.c.id.in_(tagged))
    return _page(desk, matching, asked.order_by, asked.limit, asked.cursor, task_json)


def get_task_summary(desk: Desk, asked: SummarizeTasks) -> Answer:
    """The same in brief."""
    matching = _matching(select(*SUMMARY_COLUMNS), asked, asked.assigned_agent)
    answer = _page(desk, matching, None, asked.limit, asked.cursor, summary_json)
    return {**answer, "count": _count(answer)}


def _matching(tasks_of: Select[Any], asked: QueryTasks | SummarizeTasks, agent_id: str | None) -> Select[Any]:
    tasks_of = tasks_of.where(is_any)
    if asked.project_id is not None:
        tasks_of = tasks_of.where(tasks.c.project_id == asked.project_id)
    if asked.task_type is not None:
        tasks_of = tasks_of.where(tasks.c.task_type == asked.task_type)
    if asked.task_status is not None:
        tasks_of = tasks_of.where(_has_status(asked.task_status))
    if agent_id is not None:
        tasks_of = tasks_of.where(tasks.c.assigned_agent == agent_id)
    if asked.priority is not None:
        tasks_of = tasks_of.where(tasks.c.rank == PRIORITIES.index(asked.priority))
    return tasks_of


def _has_status(status: str) -> ColumnElement[bool]:
    if status == "blocked":
        return is_blocked
    if status == "available":
        return and_(is_available, ~has_open_blocker)
    return tasks.c.task_status == status


def _page(
    desk: Desk,
    matching: Select[Any],
    order_by: str | None,
    limit: int,
    cursor: str | None,
    as_json: Callable[[Row[Any]], Answer],
    values: dict[str, object] | None = None,
) -> Answer:
    place = cursors.read(cursor)
    if place is not None:
        matching = matching.where(_after(order_by, place))
    if order_by is not None:
        matching = matching.order_by(tasks.c.rank if order_by == "priority" else tasks.c.rank.desc())
    # One more than is told, to know whether that was all.
    rows = desk.connection.execute(matching.order_by(tasks.c.id).limit(limit + 1), values or {}).all()
    answer: Answer = {"success": True, "tasks": [as_json(row) for row in rows[:limit]]}
    if len(rows) > limit:
        last = rows[limit - 1]
        answer["next_cursor"] = cursors.written((last.rank if order_by else 0, last.id))
    return answer


def _after(order_by: str | None, place: cursors.Place) -> ColumnElement[bool]:
    rank, row_id = place
    if order_by is None:
        return tasks.c.id > row_id
    further = tasks.c.rank > rank if order_by == "priority" else tasks.c.rank < rank
    return or_(further, and_(tasks.c.rank == rank, tasks.c.id > row_id))


def search_tasks(desk: Desk, asked: SearchTasks) -> Answer:
    """Tasks that have all of the words, or words that begin with them; the most fitting first."""
    words = _words(asked.query)
    if not words:
        return {"success": True, "tasks": [], "count": 0}
    found = _found_on_a_server if desk.connection.dialect.name == "postgresql" else _found_in_a_file
    ids = found(desk, words, asked.limit)
    rows = {row.id: row for row in desk.connection.execute(task_rows().where(tasks.c.id.in_(ids)))}
    listed = [task_json(rows[task_id]) for task_id in ids]
    return {"success": True, "tasks": listed, "count": len(listed)}


def _words(query: str) -> list[str]:
    """What is looked for, without what the databases' query languages would take for their own."""
    return ["".join(filter(str.isalnum, word)) for word in _spaced(query).split()][:32]


def _spaced(query: str) -> str:
    return "".join(character if character.isalnum() else " " for character in query)


_IN_A_FILE = text("SELECT rowid FROM tasks_text WHERE tasks_text MATCH :words ORDER BY rank LIMIT :most")
_ON_A_SERVER = text(
    "SELECT id FROM tasks, to_tsquery('simple', :words) AS asked WHERE tasks.text @@ asked "
    "ORDER BY ts_rank(tasks.text, asked) DESC, id LIMIT :most"
)


def _found_in_a_file(desk: Desk, words: Sequence[str], limit: int) -> list[int]:
    terms = " ".join(f'"{word}"*' for word in words)
    return list(desk.connection.scalars(_IN_A_FILE, {"words": terms, "most": limit}))


def _found_on_a_server(desk: Desk, words: Sequence[str], limit: int) -> list[int]:
    terms = " & ".join(f"'{word}':*" for word in words)
    return list(desk.connection.scalars(_ON_A_SERVER, {"words": terms, "most": limit}))


def query_stale_tasks(desk: Desk, asked: StaleTasks) -> Answer:
    """Tasks in progress of whose agents nothing was heard for so long; the board takes them back by itself."""
    before = desk.now - timedelta(hours=asked.hours)
    stale = task_rows().where(is_held, is_in_progress, tasks.c.updated_at < before).order_by(tasks.c.updated_at)
    listed = _listed(desk, stale.limit(1000))
    return {"success": True, "stale_tasks": listed, "count": len(listed), "timeout_hours": asked.hours}


def get_tasks_approaching_deadline(desk: Desk, asked: Deadlines) -> Answer:
    """Open tasks that are due soon or were due already, in the order in which they are due."""
    until = desk.now + timedelta(days=asked.days_ahead)
    due = task_rows().where(is_due, tasks.c.due_date <= until).order_by(tasks.c.due_date, tasks.c.id)
    listed = _listed(desk, due.limit(asked.limit))
    return {"success": True, "tasks": listed, "count": len(listed), "days_ahead": asked.days_ahead}


def get_recent_completions(desk: Desk, asked: RecentCompletions) -> Answer:
    """Completed tasks, the last one first."""
    done: Select[Any] = select(*SUMMARY_COLUMNS).where(is_complete)
    if asked.project_id is not None:
        done = done.where(tasks.c.project_id == asked.project_id)
    if asked.hours is not None:
        done = done.where(tasks.c.completed_at >= desk.now - timedelta(hours=asked.hours))
    last_first = done.order_by(tasks.c.completed_at.desc(), tasks.c.id.desc()).limit(asked.limit)
    listed = [summary_json(row) for row in desk.connection.execute(last_first)]
    return {"success": True, "tasks": listed, "count": len(listed)}


def _listed(desk: Desk, rows: Select[Any]) -> list[Answer]:
    return [task_json(row) for row in desk.connection.execute(rows)]


def _count(answer: Answer) -> int:
    listed = answer["tasks"]
    assert isinstance(listed, list)
    return len(listed)
