"""What todorama's tools are asked. Fields that a tool doesn't know are ignored, and ids may be strings of digits."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class OfTask(BaseModel):
    """A task."""

    task_id: int


class ByAgent(OfTask):
    """A task, and who asks."""

    agent_id: str


class CreateTask(BaseModel):
    """A new task."""

    title: str
    task_type: str
    task_instruction: str
    verification_instruction: str
    agent_id: str
    project_id: int | None = None
    parent_task_id: int | None = None
    relationship_type: str | None = None
    notes: str | None = None
    priority: str | None = None
    estimated_hours: float | None = None
    due_date: str | None = None


class ListAvailable(BaseModel):
    """For which type of agent."""

    agent_type: str
    project_id: int | None = None
    limit: int = 10


class CompleteTask(ByAgent):
    """The end of work, and what follows from it."""

    notes: str | None = None
    actual_hours: float | None = None
    followup_title: str | None = None
    followup_task_type: str | None = None
    followup_instruction: str | None = None
    followup_verification: str | None = None


class AddTaskUpdate(ByAgent):
    """An entry of the history."""

    content: str
    update_type: str
    metadata: dict[str, Any] | None = None


class BulkUnlock(BaseModel):
    """Several tasks."""

    task_ids: list[int]
    agent_id: str


class QueryTasks(BaseModel):
    """What tasks have in common; `assigned_agent` is `get_task_summary`'s name for `agent_id`."""

    project_id: int | None = None
    task_type: str | None = None
    task_status: str | None = None
    agent_id: str | None = None
    assigned_agent: str | None = None
    priority: str | None = None
    order_by: str | None = None
    limit: int = 100


class SearchTasks(BaseModel):
    """Words."""

    query: str
    limit: int = 100


class QueryStale(BaseModel):
    """How long nothing has changed."""

    hours: int = 24


class Performance(BaseModel):
    """An agent."""

    agent_id: str
    task_type: str | None = None


class CreateComment(ByAgent):
    """A remark."""

    content: str
    parent_comment_id: int | None = None
    mentions: list[str] | None = None


class GetComments(OfTask):
    """Remarks on a task."""

    limit: int = 100


class Nothing(BaseModel):
    """No field that matters."""
