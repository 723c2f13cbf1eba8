"""How tasks are made."""

from __future__ import annotations

from datetime import datetime

from essence.fakes.todorama.fields import CreateTask
from essence.fakes.todorama.refusals import Crashed, Json, database_error, structured
from essence.fakes.todorama.world import PRIORITIES, TASK_TYPES, Relation, TaskRow, World

RELATIONSHIPS = ("subtask", "blocking", "blocked_by", "followup", "related")


def create_task(world: World, asked: CreateTask) -> Json:
    """Make a task. What is wrong with its parent or relation is told after it was made."""
    if asked.priority is not None and asked.priority not in PRIORITIES:
        message = f"Invalid priority: {asked.priority}. Must be one of: {', '.join(PRIORITIES)}"
        raise structured(-32602, message, "ValidationError")
    if asked.due_date is not None:
        _read_due_date(asked.due_date)
    if asked.task_type not in TASK_TYPES:
        raise database_error("create_task", "CHECK constraint failed: task_type IN ('concrete', 'abstract', 'epic')")
    if asked.project_id is not None and asked.project_id not in world.projects:
        raise database_error("create_task", "FOREIGN KEY constraint failed")
    task = _new_task(world, asked)
    answer: Json = {"success": True, "task_id": task.id}
    if asked.parent_task_id is not None and asked.relationship_type is not None:
        answer["relationship_id"] = _relate(world, task, asked.parent_task_id, asked.relationship_type, asked.agent_id)
    return answer


def _read_due_date(text: str) -> None:
    try:
        datetime.fromisoformat(text)
    except ValueError as error:
        raise Crashed from error


def _new_task(world: World, asked: CreateTask) -> TaskRow:
    now = world.stamp()
    task = TaskRow(
        len(world.tasks) + 1, asked.title, asked.task_type, asked.task_instruction, asked.verification_instruction,
        now, now, project_id=asked.project_id, notes=asked.notes, priority=asked.priority or "medium",
        estimated_hours=asked.estimated_hours, due_date=asked.due_date,
    )  # fmt: skip
    world.tasks[task.id] = task
    world.change(task, asked.agent_id, "created")
    return task


def _relate(world: World, task: TaskRow, parent_id: int, kind: str, agent_id: str) -> int:
    """What fails here fails after the task was made: it stays."""
    if parent_id not in world.tasks:
        context = {"resource_type": "Task", "resource_id": str(parent_id)}
        raise structured(-32603, f"Task with ID '{parent_id}' not found", "TaskNotFoundError", context)
    if kind not in RELATIONSHIPS:
        raise database_error("create_task", "CHECK constraint failed: relationship_type IN ('subtask', …)")
    parent = world.tasks[parent_id]
    relation = Relation(len(world.relations) + 1, parent_id, task.id, kind)
    world.relations.append(relation)
    world.change(parent, agent_id, "relationship_added", values=("relationship", None, f"{kind}:{task.id}"))
    if kind == "blocked_by":
        parent.task_status = "blocked"
    return relation.number
