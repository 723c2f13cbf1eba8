"""New tasks, and what they are to one another."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Connection, Row, Select, bindparam, literal_column, select

from essence.store.tables import INSERTS
from essence.tasks import history
from essence.tasks.arguments import KEY_MAX_CHARS, CreateTask, RelationshipType
from essence.tasks.desk import Desk
from essence.tasks.records import Answer
from essence.tasks.refusals import Refusal, unknown
from essence.tasks.tables import BREAKDOWN, IMPLEMENTATION, PRIORITIES, projects, relationships, tasks

_ADD = {
    name: dialect(tasks).on_conflict_do_nothing(index_elements=["key"]).returning(tasks.c.id)
    for name, dialect in INSERTS.items()
}
_ASKS = ("project_id", "title", "task_type", "task_instruction", "verification_instruction")
"""What a task asks for: those of two agents that differ in these are two tasks."""
_WITH_KEY = select(tasks).where(tasks.c.key == bindparam("p_key"))
_RELATE = {
    name: dialect(relationships)
    .on_conflict_do_nothing(index_elements=["parent_task_id", "child_task_id", "relationship_type"])
    .returning(relationships.c.id)
    for name, dialect in INSERTS.items()
}
_EXISTS: dict[str, Select[Any]] = {
    "project": select(literal_column("1")).select_from(projects).where(projects.c.id == bindparam("p_id")),
    "task": select(literal_column("1")).select_from(tasks).where(tasks.c.id == bindparam("p_id")),
}


def create_task(desk: Desk, asked: CreateTask) -> Answer:
    """Put a task on the board, and what it is to others, or nothing at all."""
    if asked.project_id is not None:
        check(desk, "project", asked.project_id, "project_id")
    task_id, repeated = _add(desk, asked, asked.idempotency_key)
    if repeated:
        return {"success": True, "task_id": task_id, "repeated": True}
    history.add(desk, task_id, "created")
    answer: Answer = {"success": True, "task_id": task_id}
    if asked.parent_task_id is not None:
        kind = asked.relationship_type or "subtask"
        answer["relationship_id"] = relate(desk, asked.parent_task_id, task_id, kind, "parent_task_id")
    for blocker_id in dict.fromkeys(asked.blocked_by):
        relate(desk, task_id, blocker_id, "blocked_by", "blocked_by")
    return answer


def _add(desk: Desk, asked: CreateTask, key: str | None) -> tuple[int, bool]:
    """The task's id, and whether it was there.

    A key is its agent's own: nobody loses a task because another agent used the key before them, for something else.
    Who asks for the same means the same task, though: June's services may have names of their own, and meet at a key.
    """
    task_id = _insert(desk, asked, key)
    if task_id is not None:
        return task_id, False
    known = desk.connection.execute(_WITH_KEY, {"p_key": key}).one()
    if holder(known.created_by) == holder(desk.agent_id) or _asks_the_same(known, asked):
        return int(known.id), True
    return _add(desk, asked, f"{key}{APART}{holder(desk.agent_id)}")


def _insert(desk: Desk, asked: CreateTask, key: str | None) -> int | None:
    """None: its key is known."""
    row = {
        "project_id": asked.project_id,
        "title": asked.title,
        "task_type": asked.task_type,
        "line": line_of(asked.task_type),
        "task_instruction": asked.task_instruction,
        "verification_instruction": asked.verification_instruction,
        "rank": PRIORITIES.index(asked.priority),
        "notes": asked.notes,
        "estimated_hours": asked.estimated_hours,
        "due_date": asked.due_date,
        "created_by": desk.agent_id,
        "key": key,
        "max_attempts": asked.max_attempts or desk.rules.max_attempts,
        "created_at": desk.now,
        "updated_at": desk.now,
    }
    task_id: int | None = desk.connection.scalar(_ADD[desk.connection.dialect.name], row)
    return task_id


APART = f"{' ' * KEY_MAX_CHARS} of "
"""Between a key that another agent has and whose it is, too. It is longer than any key that can be asked for."""


def holder(agent_id: str) -> str:
    """Whose key an agent shows: its workers, `agent/worker`, speak under it as well."""
    return agent_id.partition("/")[0]


def _asks_the_same(known: Row[Any], asked: CreateTask) -> bool:
    return all(getattr(known, name) == getattr(asked, name) for name in _ASKS)


def line_of(task_type: str) -> int:
    """Where a task waits."""
    return IMPLEMENTATION if task_type == "concrete" else BREAKDOWN


def check(desk: Desk, what: str, its_id: int, field: str) -> None:
    """Make sure that a project or task is there.

    Raises:
        Refusal: `not_found`.
    """
    if desk.connection.scalar(_EXISTS[what], {"p_id": its_id}) is None:
        raise unknown(what.capitalize(), its_id, field)


def relate(desk: Desk, parent_id: int, child_id: int, kind: RelationshipType, field: str) -> int:
    """Say what two tasks are to one another; returns the relationship's id, be it new or known.

    Args:
        desk: Where.
        parent_id: The first of the two; must be there.
        child_id: The second.
        kind: `blocked_by`: the parent waits for the child; `blocking`: the child waits for the parent.
        field: What the caller calls the task that may not be there.

    Raises:
        Refusal: One isn't there, they are the same, or they would wait for one another.
    """
    for its_id in (parent_id, child_id):
        check(desk, "task", its_id, field)
    if parent_id == child_id:
        raise Refusal("invalid_input", "A task can't be related to itself.", field)
    blocked, blocker = _blocking(parent_id, child_id, kind)
    if blocked is not None and _waits_for(desk.connection, blocker, blocked):
        raise Refusal("invalid_input", f"Task {blocker} waits for task {blocked} already, directly or not.", field)
    row = {
        "parent_task_id": parent_id,
        "child_task_id": child_id,
        "relationship_type": kind,
        "blocked_id": blocked,
        "blocker_id": blocker,
        "created_by": desk.agent_id,
        "created_at": desk.now,
    }
    its_id = desk.connection.scalar(_RELATE[desk.connection.dialect.name], row)
    if its_id is None:
        return _related(desk, parent_id, child_id, kind)
    history.add(desk, parent_id, "relationship_added", field="relationship", new=f"{kind}:{child_id}")
    return int(its_id)


def _blocking(parent_id: int, child_id: int, kind: RelationshipType) -> tuple[int | None, int | None]:
    """Which of the two is blocked, and by which."""
    if kind == "blocked_by":
        return parent_id, child_id
    if kind == "blocking":
        return child_id, parent_id
    return None, None


def _waits_for(connection: Connection, task_id: int | None, other_id: int) -> bool:
    """Whether a task can't begin before another, however many are between them."""
    start = select(bindparam("p_start", type_=BigInteger).label("id"))
    chain = start.cte("chain", recursive=True)
    chain = chain.union(select(relationships.c.blocker_id).where(relationships.c.blocked_id == chain.c.id))
    found: Select[Any] = select(literal_column("1")).select_from(chain).where(chain.c.id == other_id)
    return connection.scalar(found, {"p_start": task_id}) is not None


def _related(desk: Desk, parent_id: int, child_id: int, kind: str) -> int:
    r: Any = relationships.c
    one = (r.parent_task_id == parent_id, r.child_task_id == child_id, r.relationship_type == kind)
    return int(desk.connection.execute(select(r.id).where(*one)).scalar_one())
