"""Which work there is, and who takes it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Row, bindparam, literal_column, select

from essence.tasks import history
from essence.tasks.arguments import ClaimNext, Heartbeat, ReserveTask
from essence.tasks.desk import Desk
from essence.tasks.records import Answer, stamp, task_json, task_rows
from essence.tasks.refusals import Code, Refusal, unknown
from essence.tasks.tables import relationships, tasks

_IS_PART = select(literal_column("1")).where(relationships.c.child_task_id == tasks.c.id).correlate(tasks).exists()
_LOCKED = (
    task_rows()
    .add_columns(_IS_PART.label("is_part"))
    .where(tasks.c.id == bindparam("p_id", type_=BigInteger))
    .with_for_update(of=tasks)
)


def claim_next(desk: Desk, asked: ClaimNext) -> Answer:
    """Give the agent the most urgent work there is for it, the oldest of that; none is no failure."""
    if asked.resume:
        row = _resumed(desk, asked)
        if row is not None:
            return _taken(desk, row)
    row = desk.leases.take_next(
        desk.connection,
        asked.agent_type,
        asked.project_id,
        desk.agent_id,
        asked.lease_s or desk.rules.lease_s,
        desk.now,
        self_verify=desk.rules.self_verify,
    )
    return {"success": True, "task": None} if row is None else _taken(desk, row)


def _resumed(desk: Desk, asked: ClaimNext) -> Row[Any] | None:
    """What the agent held when it was killed; it counts as an attempt that was lost."""
    theirs = desk.leases.expire(desk.connection, desk.agent_id, asked.holding)
    if not theirs:
        return None
    reap(desk)
    for task_id in theirs:
        row = lock(desk, task_id)
        if row.task_status != "dead" and not row.blocked:
            lease_s = asked.lease_s or desk.rules.lease_s
            return desk.leases.take(desk.connection, task_id, desk.agent_id, lease_s, desk.now)
    return None


def reserve_task(desk: Desk, asked: ReserveTask) -> Answer:
    """Give the agent one task; its own once more, with a new token, where it holds it already."""
    row = lock(desk, asked.task_id)
    _check_free(desk, row)
    before = row.assigned_agent if row.failure is not None and row.task_status == "available" else None
    taken = desk.leases.take(desk.connection, row.id, desk.agent_id, asked.lease_s or desk.rules.lease_s, desk.now)
    answer = _taken(desk, taken)
    if before is not None and before != desk.agent_id:
        answer["stale_warning"] = {
            "is_stale": True,
            "previous_agent": before,
            "unlocked_at": stamp(row.updated_at),
            "stale_finding": row.failure,
            "warning": "Another agent began this task. Look at what it left before you go on.",
        }
    return answer


def _check_free(desk: Desk, row: Row[Any]) -> None:
    if row.holder not in (None, desk.agent_id):
        raise Refusal("conflict", f"Task {row.id} is reserved by {row.holder}. Take another one.", "task_id")
    if row.blocked:
        raise Refusal("conflict", f"Task {row.id} is blocked by tasks that are open. Take another one.", "task_id")
    if row.task_status == "complete" and row.verification_status == "unverified":
        if row.assigned_agent == desk.agent_id and not desk.rules.self_verify:
            raise Refusal("conflict", f"Task {row.id} is your own work: another agent has to verify it.", "task_id")
    elif row.task_status not in ("available", "in_progress"):
        raise Refusal("conflict", f"Task {row.id} can't be reserved: it is {row.task_status}.", "task_id")


def _taken(desk: Desk, row: Row[Any]) -> Answer:
    if row.task_status == "complete":
        history.add(desk, row.id, "verification_locked")
    else:
        history.status_changed(desk, row.id, "locked", "available", "in_progress")
    return {
        "success": True,
        "task": task_json(row),
        "lease_token": row.fence,
        "lease_s": row.until_s - row.granted_s,
        "attempt": row.attempts,
    }


def heartbeat(desk: Desk, asked: Heartbeat) -> Answer:
    """Hold a task for longer."""
    row = held(desk, asked.task_id, asked.lease_token)
    desk.leases.renew(desk.connection, row.id, desk.now, asked.lease_s)
    return {"success": True, "task_id": row.id, "lease_s": asked.lease_s or row.until_s - row.granted_s}


def reap(desk: Desk) -> int:
    """End the leases that are over; returns how many."""
    lost = desk.leases.reap(desk.connection, desk.now)
    for row in lost:
        notes = f"Nothing was heard of {row.assigned_agent} for as long as its lease."
        history.add(
            desk, row.id, "lease_expired", field="task_status", new=row.task_status, notes=notes, by=history.BOARD
        )
    return len(lost)


def lock(desk: Desk, task_id: int) -> Row[Any]:
    """A task, which nobody else can change until this transaction ends, and `is_part`: others may depend on it.

    Raises:
        Refusal: `not_found`.
    """
    row = desk.connection.execute(_LOCKED, {"p_id": task_id}).first()
    if row is None:
        raise unknown("Task", task_id, "task_id")
    return row


def held(desk: Desk, task_id: int, token: int | None) -> Row[Any]:
    """A task that the agent has.

    Raises:
        Refusal: `not_found`; `stale_lease`: the token isn't that of the newest lease; `not_owner`: it is another's.
    """
    row = lock(desk, task_id)
    check_token(row, token)
    if row.holder != desk.agent_id:
        code: Code = "stale_lease" if token is not None else "not_owner" if row.holder else "conflict"
        had = f"it is {row.holder}'s" if row.holder else "nobody has reserved it"
        raise Refusal(code, f"{desk.agent_id} doesn't hold task {task_id}: {had}.", "task_id")
    return row


def check_token(row: Row[Any], token: int | None) -> None:
    """Make sure that a token, where one is shown, is of the newest lease."""
    if token is not None and token != row.fence:
        lost = f"This is not the token of the newest lease on task {row.id}: the lease was lost, or never yours."
        raise Refusal("stale_lease", f"{lost} Stop, and claim other work.", "lease_token")
