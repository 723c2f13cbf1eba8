"""todorama's JSON as June's tasks, and the marks that June leaves in it."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime
from typing import Any, get_args

from essence.errors import NotFound, StoreError
from essence.store.records import storable
from essence.tasks.far.wire import Answer
from essence.work import Priority, Task, TaskStatus, TaskUpdate

KEY_MARK = "june-key"
"""Begins the last line of an instruction; a digest of the task's key follows. A board without keys has no other field
that its search looks through and that a reader of the task is not disturbed by."""
LEASE_MARK = "june-lease"
"""Begins an update that tells how many seconds from then on a claim is held, for agents that share no store."""
_KEY_LINE = re.compile(rf"\n\n{KEY_MARK} [0-9a-f]{{32}}\Z")
_LEASE = re.compile(rf"{LEASE_MARK} (inf|\d+(?:\.\d+)?)\Z")
_STATUSES = frozenset(get_args(TaskStatus))
PRIORITIES: tuple[Priority, ...] = ("critical", "high", "medium", "low")
"""The most urgent first."""

Row = dict[str, Any]
"""A task in todorama's fields."""
WORDS_MAX_CHARS = 100_000
"""Of what is told of work: as much as June's board takes, and more than anybody reads."""


def worded(text: str) -> str:
    """What any board takes, whatever it was: work must not fail on the words that tell of it."""
    fitting = storable(text)[:WORDS_MAX_CHARS]
    return fitting if fitting.strip() else "(no words)"


def digest_of(key: str) -> str:
    """32 hexadecimal digits: no key is the beginning of another one, and no search takes a part of one for syntax."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def marked(instruction: str, key: str) -> str:
    """An instruction that its task can be found by."""
    return f"{instruction}\n\n{KEY_MARK} {digest_of(key)}"


def is_marked(row: Row, key: str) -> bool:
    """Whether a task was made for this key."""
    return str(row["task_instruction"]).endswith(f"\n\n{KEY_MARK} {digest_of(key)}")


def lease_text(lease_s: float) -> str:
    """What tells others how long a claim is held."""
    return f"{LEASE_MARK} {lease_s:g}"


def newest_lease(context: Answer) -> tuple[int, float] | None:
    """Id of the newest update that tells a lease, and the lease's seconds; None where no June works on this task.

    Only what whoever has the task has told counts. A task that failed is held for good (infinite seconds).
    """
    holder = context["task"]["assigned_agent"]
    for update in sorted(context["updates"], key=lambda one: int(one["id"]), reverse=True):
        found = _LEASE.match(str(update["notes"]))
        if found and update["agent_id"] == holder:
            return int(update["id"]), float(found[1])
    return None


def rows_of(answer: Answer) -> list[Row]:
    """Tasks of a list; todorama calls it `tasks` over POST and `result` over JSON-RPC.

    Raises:
        StoreError: It is no list of tasks.
    """
    rows = answer.get("tasks", answer.get("result"))
    if not isinstance(rows, list) or not all(isinstance(row, dict) and "id" in row for row in rows):
        raise StoreError(f"The task board's answer is no list of tasks: {answer!r:.200}")
    return rows


def task_of(row: Row, *, context: Answer | None = None, status: TaskStatus | None = None) -> Task:
    """A task; with its history where its context is given.

    Raises:
        StoreError: A field is missing or can't be read; ids are numbers.
    """
    try:
        return Task(
            task_id=str(int(row["id"])),
            title=str(row["title"]),
            instruction=_KEY_LINE.sub("", str(row["task_instruction"])),
            verification=str(row["verification_instruction"]),
            status=status or _status(row),
            priority=_priority(row),
            created_at=_time(row["created_at"]),
            project_id=_id(row["project_id"]),
            agent_id=_id(row["assigned_agent"]),
            notes=str(row["notes"] or ""),
            updates=() if context is None else _updates(context),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"The task board told a task that can't be read ({error!r}): {row!r:.200}") from error


def urgency(row: Row) -> tuple[int, str, int]:
    """Sorts tasks: the most urgent first, then the oldest."""
    return PRIORITIES.index(_priority(row)), str(row["created_at"]), int(row["id"])


def _priority(row: Row) -> Priority:
    return next((one for one in PRIORITIES if one == row.get("priority")), "medium")


def _status(row: Row) -> TaskStatus:
    told = row["task_status"]
    if told not in _STATUSES:
        raise ValueError(f"unknown status {told!r}")
    status: TaskStatus = told
    return status


def _id(value: object) -> str | None:
    return None if value is None else str(value)


def _time(text: object) -> datetime:
    """`YYYY-MM-DD HH:MM:SS`, UTC without saying so; June's board says it."""
    time = datetime.fromisoformat(str(text))
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _updates(context: Answer) -> tuple[TaskUpdate, ...]:
    """What was told and what was changed, the oldest first; ids grow over both."""
    entries = {int(entry["id"]): entry for entry in [*context.get("recent_changes", []), *context.get("updates", [])]}
    told = (entries[number] for number in sorted(entries))
    return tuple(
        TaskUpdate(str(entry["agent_id"]), str(entry["change_type"]), _text(entry), _time(entry["created_at"]))
        for entry in told
        if not _LEASE.match(str(entry["notes"]))
    )


def _text(entry: Row) -> str:
    """What was written, or how a field was changed."""
    if entry["notes"] is not None:
        return str(entry["notes"])
    changed = entry.get("field_name")
    return "" if changed is None else f"{changed}: {json.dumps(entry['old_value'])} → {json.dumps(entry['new_value'])}"


def number_of(its_id: str, what: str) -> int:
    """An id as todorama wants it.

    Raises:
        NotFound: It is no number, so nothing has it.
    """
    if its_id.isascii() and its_id.isdigit():
        return int(its_id)
    raise NotFound(f"The task board has no {what} {its_id!r}: its ids are numbers.")
