"""What can be asked of tasks without changing any."""

from __future__ import annotations

from datetime import timedelta

from essence.fakes.todorama.fields import (
    GetComments,
    ListAvailable,
    Nothing,
    OfTask,
    Performance,
    QueryStale,
    QueryTasks,
    SearchTasks,
)
from essence.fakes.todorama.refusals import Json
from essence.fakes.todorama.world import PRIORITIES, TASK_TYPES, TaskRow, World, first, like


def list_available_tasks(world: World, asked: ListAvailable) -> list[Json]:
    """What is free, the oldest first, with all that is complete and unverified among it."""
    hidden = world.hidden()

    def fits(task: TaskRow) -> bool:
        if asked.project_id is not None and task.project_id != asked.project_id:
            return False
        free = task.task_status == "available" and task.id not in hidden
        if asked.agent_type == "implementation":
            return (free and task.task_type == "concrete") or task.needs_verification
        return asked.agent_type == "breakdown" and free and task.task_type != "concrete"

    found = sorted(filter(fits, world.tasks.values()), key=lambda task: (task.created_at, task.id))
    return [task.full() for task in first(found, asked.limit)]


def query_tasks(world: World, asked: QueryTasks) -> list[Json]:
    """Tasks by their fields."""
    return [task.full() for task in _queried(world, asked)]


def _queried(world: World, asked: QueryTasks) -> list[TaskRow]:
    """The newest first, whatever else; a wrong value finds nothing."""
    wanted = {
        "project_id": asked.project_id,
        "task_type": asked.task_type,
        "task_status": asked.task_status,
        "assigned_agent": asked.agent_id or asked.assigned_agent,
        "priority": asked.priority,
    }
    found = [
        task
        for task in world.tasks.values()
        if all(value is None or getattr(task, name) == value for name, value in wanted.items())
    ]
    found.sort(key=lambda task: (task.created_at, task.id), reverse=True)
    if asked.order_by in ("priority", "priority_asc"):
        found.sort(key=lambda task: PRIORITIES.index(task.priority), reverse=asked.order_by == "priority")
    return first(found, asked.limit)


_SUMMARY = (
    "id", "title", "task_type", "task_status", "assigned_agent", "project_id", "priority", "created_at", "updated_at",
    "completed_at",
)  # fmt: skip


def get_task_summary(world: World, asked: QueryTasks) -> Json:
    """The same with ten fields each."""
    rows = [{name: getattr(task, name) for name in _SUMMARY} for task in _queried(world, asked)]
    return {"success": True, "tasks": rows, "count": len(rows)}


def search_tasks(world: World, asked: SearchTasks) -> list[Json]:
    """The full-text index is never filled, so it comes down to LIKE."""
    pattern = like(asked.query)
    found = [
        task
        for task in world.tasks.values()
        if any(pattern.search(text or "") for text in (task.title, task.task_instruction, task.notes))
    ]
    return [task.raw() for task in first(reversed(found), asked.limit)]


def get_task_context(world: World, asked: OfTask) -> Json:
    """A task, what was told of it, and its last ten changes."""
    task = world.task(asked.task_id)
    parents = [one.parent_id for one in world.relations if one.child_id == task.id and one.kind == "subtask"]
    return {
        "success": True,
        "task": task.full(),
        "project": None if task.project_id is None else {"id": task.project_id, "name": f"Project {task.project_id}"},
        "updates": world.history(task.id, updates=True),
        "ancestry": [world.tasks[parent].full() for parent in parents],
        "recent_changes": world.history(task.id, updates=False)[-10:],
    }


def query_stale_tasks(world: World, asked: QueryStale) -> Json:
    """By `updated_at`, which no update of a task touches."""
    before = f"{world.now() - timedelta(hours=asked.hours):%Y-%m-%d %H:%M:%S}"
    stale = [task for task in world.tasks.values() if task.task_status == "in_progress" and task.updated_at < before]
    rows = [task.full() for task in stale]
    return {"success": True, "stale_tasks": rows, "count": len(rows), "timeout_hours": asked.hours}


def get_agent_performance(world: World, asked: Performance) -> Json:
    """Verified counts what an agent verified of its own; there is no `success`."""
    mine = [change for change in world.changes if change["agent_id"] == asked.agent_id]
    done = sum(change["change_type"] == "completed" for change in mine)
    verified = sum(change["change_type"] == "verified" for change in mine)
    return {
        "agent_id": asked.agent_id,
        "tasks_completed": done,
        "tasks_verified": verified,
        "success_rate": 100.0 * verified / done if done else 0.0,
        "avg_time_delta": None,
        "task_type_filter": asked.task_type,
    }


def get_task_statistics(world: World, _: Nothing) -> Json:
    """How many of what."""
    rows = list(world.tasks.values())

    def count(name: str, values: tuple[str, ...]) -> Json:
        return {value: sum(getattr(task, name) == value for task in rows) for value in values}

    by_status = count("task_status", ("available", "in_progress", "complete", "blocked", "cancelled"))
    projects = [str(task.project_id) if task.project_id is not None else "null" for task in rows]
    return {
        "success": True,
        "total": len(rows),
        "by_status": by_status,
        "by_type": count("task_type", TASK_TYPES),
        "by_project": {project: projects.count(project) for project in dict.fromkeys(projects)},
        "completion_rate": 100.0 * by_status["complete"] / len(rows) if rows else 0.0,
    }


def get_task_comments(world: World, asked: GetComments) -> Json:
    """What was said about a task, without answers."""
    rows = [one for one in world.comments if one["task_id"] == asked.task_id and one["parent_comment_id"] is None]
    return {"success": True, "task_id": asked.task_id, "comments": rows[: asked.limit], "count": len(rows)}
