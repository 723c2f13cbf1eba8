"""What the contracts of the board's tools share: tasks that they are asked of, fields, and which tools have one."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from typing import Any

Call = Callable[..., Awaitable[dict[str, Any]]]
TASK_FIELDS = {
    "id", "project_id", "title", "task_type", "task_instruction", "verification_instruction", "task_status",
    "verification_status", "assigned_agent", "created_at", "updated_at", "completed_at", "notes", "priority",
    "estimated_hours", "actual_hours", "started_at", "time_delta_hours", "due_date", "metadata", "organization_id",
    "needs_verification", "effective_status",
}  # fmt: skip
SUMMARY_FIELDS = {
    "id", "title", "task_type", "task_status", "assigned_agent", "project_id", "priority", "created_at", "updated_at",
    "completed_at",
}  # fmt: skip
CHANGE_FIELDS = {
    "id", "task_id", "agent_id", "change_type", "field_name", "old_value", "new_value", "notes", "created_at",
}  # fmt: skip
numbers = itertools.count(1)
"""For names that no other test has: all ask one board."""
tested: set[str] = set()
"""Tools that have a contract, of the modules that are loaded."""


def of(*tools: str) -> Callable[[Any], Any]:
    """Says which tools a test is the contract of."""
    tested.update(tools)
    return lambda test: test


async def new_task(call: Call, project: int, **fields: object) -> int:
    said = {
        "title": "Paint the door", "task_type": "concrete", "task_instruction": "Paint it blue.",
        "verification_instruction": "The door is blue.", "agent_id": "planner", "project_id": project,
    } | fields  # fmt: skip
    return (await call("create_task", **said))["task_id"]


async def done_task(call: Call, project: int, **fields: object) -> int:
    task_id = await new_task(call, project, **fields)
    await call("reserve_task", task_id=task_id, agent_id="painter")
    await call("complete_task", task_id=task_id, agent_id="painter", notes="blue")
    return task_id


async def task_of(call: Call, task_id: int) -> dict[str, Any]:
    return (await call("get_task_context", task_id=task_id))["task"]


def code(answer: dict[str, Any]) -> str:
    assert set(answer) == {"success", "error"}
    assert set(answer["error"]) == {"code", "message", "field"}
    return answer["error"]["code"]
