"""How work on a task ends: done, verified, failed, given back, cancelled; and how it begins anew."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Row, bindparam, literal_column, select, update

from essence.tasks import history
from essence.tasks.arguments import (
    BulkUnlock,
    CancelTask,
    CompleteTask,
    CreateTask,
    FailTask,
    ForTask,
    RejectTask,
    UnderLease,
    VerifyTask,
)
from essence.tasks.desk import Desk
from essence.tasks.filing import create_task, relate
from essence.tasks.leases import NOBODY
from essence.tasks.records import Answer
from essence.tasks.refusals import Code, Refusal
from essence.tasks.tables import relationships, tasks
from essence.tasks.taking import check_token, held, lock

_ID = bindparam("p_id", type_=BigInteger)
_child = tasks.alias("child")
_siblings = relationships.alias("siblings")
_CHANGE = update(tasks).where(tasks.c.id == _ID)
"""What is set are the parameters of an execution, so that it is compiled once for each set of columns."""
_IS_SUBTASK: ColumnElement[str] = literal_column("'subtask'")
_PARENTS_DONE = (
    select(tasks.c.id, tasks.c.task_status)
    .join(relationships, relationships.c.parent_task_id == tasks.c.id)
    .where(
        relationships.c.child_task_id == _ID,
        relationships.c.relationship_type == _IS_SUBTASK,
        tasks.c.task_type != literal_column("'concrete'"),
        tasks.c.task_status == literal_column("'available'"),
        ~select(literal_column("1"))
        .select_from(_siblings.join(_child, _child.c.id == _siblings.c.child_task_id))
        .where(
            _siblings.c.parent_task_id == tasks.c.id,
            _siblings.c.relationship_type == _IS_SUBTASK,
            _child.c.task_status.not_in([literal_column("'complete'"), literal_column("'cancelled'")]),
        )
        .correlate(tasks)
        .exists(),
    )
)


def complete_task(desk: Desk, asked: CompleteTask) -> Answer:
    """End work as done or, where the task is done and another agent looked at it, as verified. Safe to repeat."""
    row = lock(desk, asked.task_id)
    check_token(row, asked.lease_token)
    if row.task_status == "complete":
        return _complete_again(desk, row, asked)
    _check_completes(desk, row, asked)
    _complete(desk, row, asked)
    answer: Answer = {"success": True, "task_id": row.id, "completed": True}
    followup = _followup(row, asked)
    if followup is not None:
        answer["followup_task_id"] = create_task(desk, followup)["task_id"]
        relate(desk, row.id, int(str(answer["followup_task_id"])), "followup", "task_id")
    return answer


def _complete_again(desk: Desk, row: Row[Any], asked: CompleteTask) -> Answer:
    if row.assigned_agent == desk.agent_id and row.holder != desk.agent_id:
        return {"success": True, "task_id": row.id, "completed": True, "repeated": True}
    return _verify(desk, row, asked.notes)


def _check_completes(desk: Desk, row: Row[Any], asked: CompleteTask) -> None:
    """Whoever holds it; without a token also whoever had it last, while nobody has taken it since."""
    if row.task_status not in ("in_progress", "available"):
        raise Refusal("conflict", f"Task {row.id} is {row.task_status}: it can't be completed.", "task_id")
    if row.holder == desk.agent_id:
        return
    if row.holder is not None:
        code: Code = "not_owner" if asked.lease_token is None else "stale_lease"
        raise Refusal(code, f"Task {row.id} is {row.holder}'s: only {row.holder} can complete it.", "task_id")
    if asked.lease_token is not None:
        raise Refusal("stale_lease", f"The lease on task {row.id} has ended. Claim it again.", "lease_token")
    if row.assigned_agent != desk.agent_id:
        raise Refusal("conflict", f"Nobody has reserved task {row.id}. Reserve it first.", "task_id")


def _complete(desk: Desk, row: Row[Any], asked: CompleteTask) -> None:
    values: dict[str, object] = {
        **NOBODY,
        "task_status": "complete",
        "verification_status": "unverified",
        "completed_at": desk.now,
        "failure": None,
        "ready_at": None,
    }
    if asked.notes is not None:
        values["notes"] = asked.notes
    if asked.actual_hours is not None:
        values["actual_hours"] = asked.actual_hours
    change(desk, row.id, values)
    history.status_changed(desk, row.id, "completed", row.task_status, "complete", notes=asked.notes)
    if row.is_part:
        _complete_parents(desk, row.id)


def _complete_parents(desk: Desk, task_id: int) -> None:
    """An epic is done once all that it was broken down into is."""
    for parent in desk.connection.execute(_PARENTS_DONE, {"p_id": task_id}).all():
        change(desk, parent.id, {"task_status": "complete", "completed_at": desk.now})
        notes = "All its subtasks are complete."
        history.status_changed(
            desk, parent.id, "completed", parent.task_status, "complete", notes=notes, by=history.BOARD
        )
        _complete_parents(desk, parent.id)


def _followup(row: Row[Any], asked: CompleteTask) -> CreateTask | None:
    """What is to be done next.

    Raises:
        Refusal: Some of its four fields are there and some aren't.
    """
    title, kind = asked.followup_title, asked.followup_task_type
    instruction, verification = asked.followup_instruction, asked.followup_verification
    if title is None and kind is None and instruction is None and verification is None:
        return None
    if title is None or kind is None or instruction is None or verification is None:
        named = "followup_title, followup_task_type, followup_instruction and followup_verification"
        raise Refusal("invalid_input", f"A follow-up needs {named}.", "followup_title")
    return CreateTask(
        title=title,
        task_type=kind,
        task_instruction=instruction,
        verification_instruction=verification,
        project_id=row.project_id,
    )


def verify_task(desk: Desk, asked: VerifyTask) -> Answer:
    """Say that somebody else's work is good. Safe to repeat."""
    row = lock(desk, asked.task_id)
    check_token(row, asked.lease_token)
    return _verify(desk, row, asked.notes)


def _verify(desk: Desk, row: Row[Any], notes: str | None) -> Answer:
    message = f"Task {row.id} verified by agent {desk.agent_id}"
    if row.verified_by == desk.agent_id:
        return {"success": True, "task_id": row.id, "verified": True, "message": message, "repeated": True}
    _check_verifiable(desk, row)
    done = {**NOBODY, "verification_status": "verified", "verified_by": desk.agent_id, "verified_at": desk.now}
    change(desk, row.id, done)
    history.add(desk, row.id, "verified", field="verification_status", old="unverified", new="verified", notes=notes)
    return {"success": True, "task_id": row.id, "verified": True, "message": message}


def _check_verifiable(desk: Desk, row: Row[Any]) -> None:
    if row.task_status != "complete" or row.verification_status != "unverified":
        state = "verified already" if row.task_status == "complete" else row.task_status
        raise Refusal("conflict", f"Task {row.id} can't be verified: it is {state}.", "task_id")
    if row.holder not in (None, desk.agent_id):
        raise Refusal("conflict", f"{row.holder} is at work on verifying task {row.id}.", "task_id")
    if row.assigned_agent == desk.agent_id and not desk.rules.self_verify:
        raise Refusal("not_owner", f"Task {row.id} is your own work: another agent has to verify it.", "agent_id")


def reject_task(desk: Desk, asked: RejectTask) -> Answer:
    """Say that somebody else's work is not good: it has to be done again."""
    row = lock(desk, asked.task_id)
    check_token(row, asked.lease_token)
    _check_verifiable(desk, row)
    again = {**NOBODY, "task_status": "available", "completed_at": None, "failure": asked.reason}
    change(desk, row.id, again)
    history.status_changed(desk, row.id, "rejected", "complete", "available", notes=asked.reason)
    return {"success": True, "task_id": row.id, "message": f"Task {row.id} has to be done again"}


def unlock_task(desk: Desk, asked: UnderLease) -> Answer:
    """Give a task back, with no blame: the attempt doesn't count."""
    row = held(desk, asked.task_id, asked.lease_token)
    _unlock(desk, row)
    return {"success": True, "task_id": row.id, "message": f"Task {row.id} unlocked successfully"}


def _unlock(desk: Desk, row: Row[Any]) -> None:
    if row.task_status == "complete":
        change(desk, row.id, NOBODY)
        history.add(desk, row.id, "verification_unlocked")
        return
    change(desk, row.id, {**NOBODY, "task_status": "available", "attempts": max(row.attempts - 1, 0)})
    history.status_changed(desk, row.id, "unlocked", "in_progress", "available")


def bulk_unlock_tasks(desk: Desk, asked: BulkUnlock) -> Answer:
    """Give several of one's own tasks back; those that can't be are told, and don't keep the others."""
    unlocked: list[int] = []
    failed: list[Answer] = []
    for task_id in sorted(set(asked.task_ids)):
        try:
            _unlock(desk, held(desk, task_id, None))
            unlocked.append(task_id)
        except Refusal as error:
            failed.append({"task_id": task_id, "error": str(error), "code": error.code})
    return {
        "success": True,
        "unlocked_count": len(unlocked),
        "unlocked_task_ids": unlocked,
        "failed_count": len(failed),
        "failed_task_ids": failed,
    }


def fail_task(desk: Desk, asked: FailTask) -> Answer:
    """Say that an attempt failed: the task rests and is tried again, or is dead once it was tried too often."""
    row = held(desk, asked.task_id, asked.lease_token)
    if row.task_status == "complete":
        raise Refusal("conflict", f"Task {row.id} is complete. Reject it, or unlock it.", "task_id")
    dead = asked.final or row.attempts >= row.max_attempts
    rest_s = desk.rules.rest_s(row.attempts) if asked.retry_s is None else asked.retry_s
    ready_at = None if dead else desk.now + timedelta(seconds=rest_s)
    status = "dead" if dead else "available"
    change(desk, row.id, {**NOBODY, "task_status": status, "failure": asked.error, "ready_at": ready_at})
    history.status_changed(desk, row.id, "failed", "in_progress", status, notes=asked.error)
    return {"success": True, "task_id": row.id, "task_status": status, "retry_s": None if dead else rest_s}


def cancel_task(desk: Desk, asked: CancelTask) -> Answer:
    """Say that nobody shall do a task; whoever is at work on it learns so with its next word. Safe to repeat."""
    row = lock(desk, asked.task_id)
    if row.task_status == "cancelled":
        return {"success": True, "task_id": row.id, "task_status": "cancelled", "repeated": True}
    if row.task_status == "complete":
        raise Refusal("conflict", f"Task {row.id} is complete: it can't be cancelled.", "task_id")
    change(desk, row.id, {**NOBODY, "task_status": "cancelled", "ready_at": None, "fence": row.fence + 1})
    history.status_changed(desk, row.id, "cancelled", row.task_status, "cancelled", notes=asked.reason)
    _complete_parents(desk, row.id)
    return {"success": True, "task_id": row.id, "task_status": "cancelled"}


def retry_task(desk: Desk, asked: ForTask) -> Answer:
    """Put a task that is dead or cancelled, or that rests, before all agents again, its attempts at naught."""
    row = lock(desk, asked.task_id)
    rests = row.task_status == "available" and row.ready_at is not None
    if row.task_status not in ("dead", "cancelled") and not rests:
        raise Refusal("conflict", f"Task {row.id} is {row.task_status}: there is nothing to retry.", "task_id")
    change(desk, row.id, {"task_status": "available", "attempts": 0, "ready_at": None})
    history.status_changed(desk, row.id, "retried", row.task_status, "available")
    return {"success": True, "task_id": row.id, "task_status": "available"}


def change(desk: Desk, task_id: int, values: dict[str, Any]) -> None:
    """Set columns of a task that is locked."""
    desk.connection.execute(_CHANGE, {"p_id": task_id, "updated_at": desk.now, **values})
