"""How tasks are taken, worked on and ended."""

from __future__ import annotations

import json

from essence.fakes.todorama.fields import AddTaskUpdate, BulkUnlock, ByAgent, CompleteTask, CreateComment, CreateTask
from essence.fakes.todorama.making import create_task
from essence.fakes.todorama.refusals import Crashed, Json, refused
from essence.fakes.todorama.world import UPDATE_KINDS, TaskRow, World


def reserve_task(world: World, asked: ByAgent) -> Json:
    """Take a task that is free, or complete and unverified; one's own a second time is refused, too."""
    task = world.task(asked.task_id)
    if not asked.agent_id:
        raise Crashed
    if task.task_status != "available" and not task.needs_verification:
        raise refused(
            f"Task {task.id} cannot be locked. Current status: {task.task_status}, assigned to: {task.assigned_agent}. "
            "Only tasks with status 'available' or in 'needs_verification' state (complete but unverified) "
            "can be locked."
        )
    world.set_status(task, asked.agent_id, "locked", "in_progress", owner=asked.agent_id)
    task.started_at = task.started_at or world.stamp()
    return {"success": True, "task": task.full(), **_stale_warning(world, task)}


def _stale_warning(world: World, task: TaskRow) -> Json:
    """Told from words: any finding that has one of them counts."""
    for update in world.history(task.id, updates=True):
        words = str(update["notes"]).lower()
        if update["change_type"] == "finding" and ("stale" in words or "abandoned" in words):
            warning = {
                "is_stale": True,
                "previous_agent": update["agent_id"],
                "unlocked_at": update["created_at"],
                "stale_finding": update["notes"],
                "warning": "This task was previously worked on and became stale.",
            }
            return {"stale_warning": warning}
    return {}


def add_task_update(world: World, asked: AddTaskUpdate) -> Json:
    """Write down how it goes, whoever says so; `updated_at` stays."""
    task = world.task(asked.task_id)
    if asked.update_type not in UPDATE_KINDS:
        raise refused(f"Cannot add update to task {task.id}: Invalid update_type: {asked.update_type}")
    if not asked.content.strip():
        raise refused("Update content cannot be empty")
    metadata = None if asked.metadata is None else json.dumps(asked.metadata)
    number = world.change(task, asked.agent_id, asked.update_type, notes=asked.content, values=(None, None, metadata))
    message = f"Update added successfully to task {task.id}"
    return {"success": True, "update_id": number, "task_id": task.id, "message": message}


def complete_task(world: World, asked: CompleteTask) -> Json:
    """End a task as done or, where it was completed before, as verified. Whose it is matters only in progress."""
    task = world.task(asked.task_id)
    if not asked.agent_id:
        raise Crashed
    if task.task_status == "in_progress" and task.assigned_agent != asked.agent_id:
        raise refused(
            f"Task {task.id} is currently assigned to agent '{task.assigned_agent}'. "
            "Only the assigned agent can complete this task."
        )
    if task.completed_at is not None and task.verification_status == "unverified":
        world.set_status(task, asked.agent_id, "completed", "complete", owner=asked.agent_id)
        return _verified(world, task, asked.agent_id) | {"verified": True}
    task.completed_at, task.verification_status = world.stamp(), "unverified"
    task.notes, task.actual_hours = asked.notes or task.notes, asked.actual_hours
    world.set_status(task, asked.agent_id, "completed", "complete", owner=asked.agent_id)
    world.complete_parents(task, asked.agent_id)
    return {"success": True, "task_id": task.id, "completed": True, **_followup(world, task, asked)}


def _followup(world: World, task: TaskRow, asked: CompleteTask) -> Json:
    """All four fields, or silently nothing."""
    title, kind = asked.followup_title, asked.followup_task_type
    instruction, verification = asked.followup_instruction, asked.followup_verification
    if not (title and kind and instruction and verification):
        return {}
    new = CreateTask(
        title=title, task_type=kind, task_instruction=instruction, verification_instruction=verification,
        agent_id=asked.agent_id, project_id=task.project_id,
    )  # fmt: skip
    return {"followup_task_id": create_task(world, new)["task_id"]}


def _verified(world: World, task: TaskRow, agent_id: str) -> Json:
    task.verification_status = "verified"
    world.change(task, agent_id, "verified", values=("verification_status", "unverified", "verified"))
    return {"success": True, "task_id": task.id, "message": f"Task {task.id} verified by agent {agent_id}"}


def verify_task(world: World, asked: ByAgent) -> Json:
    """Whatever state it is in."""
    return _verified(world, world.task(asked.task_id), asked.agent_id)


def unlock_task(world: World, asked: ByAgent) -> Json:
    """Give a task back."""
    task = world.task(asked.task_id)
    if task.task_status != "in_progress" or task.assigned_agent != asked.agent_id:
        raise refused(
            f"Task {task.id} is assigned to agent '{task.assigned_agent}', not '{asked.agent_id}'. "
            "Only the assigned agent can unlock this task."
        )
    world.set_status(task, asked.agent_id, "unlocked", "available", owner=None)
    return {"success": True, "task_id": task.id, "message": f"Task {task.id} unlocked successfully"}


def bulk_unlock_tasks(world: World, asked: BulkUnlock) -> Json:
    """Whoever asks, whosever they are."""
    done: list[int] = []
    failed: list[Json] = []
    for task_id in asked.task_ids:
        task = world.tasks.get(task_id)
        if task is None or task.task_status != "in_progress":
            failed.append({"task_id": task_id, "error": f"Task {task_id} is not in progress"})
            continue
        world.set_status(task, asked.agent_id, "unlocked", "available", owner=None)
        done.append(task_id)
    return {
        "success": True,
        "unlocked_count": len(done),
        "unlocked_task_ids": done,
        "failed_count": len(failed),
        "failed_task_ids": failed,
    }


def create_comment(world: World, asked: CreateComment) -> Json:
    """Say something about a task."""
    world.task(asked.task_id)
    comment = {
        "id": len(world.comments) + 1,
        "task_id": asked.task_id,
        "agent_id": asked.agent_id,
        "content": asked.content,
        "parent_comment_id": asked.parent_comment_id,
        "mentions": asked.mentions or [],
        "created_at": world.stamp(),
        "updated_at": None,
    }
    world.comments.append(comment)
    message = f"Comment added to task {asked.task_id}"
    return {"success": True, "comment_id": comment["id"], "task_id": asked.task_id, "message": message}
