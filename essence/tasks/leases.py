"""Leases in SQL: who has a task, until when, and what becomes of it when nothing is heard of them.

A task that is in progress is held by whoever works on it, one that is complete by whoever verifies it. Each lease has a
fence, a number that grows with each lease of a task: who shows an older one has lost it. The clocks are told of in
`essence.store.clock`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, get_args

from sqlalchemy import (
    BigInteger,
    Boolean,
    Connection,
    Double,
    Row,
    Text,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from essence.store.clock import LeaseClock
from essence.store.tables import Utc
from essence.tasks.arguments import AgentType
from essence.tasks.records import TAKEN_COLUMNS, has_open_blocker
from essence.tasks.tables import (
    BREAKDOWN,
    IMPLEMENTATION,
    is_available,
    is_complete,
    is_held,
    is_in_progress,
    is_unverified,
    tasks,
)

_REAPED_TOGETHER = 500
"""Leases that are ended in one transaction."""
_AGENT = bindparam("p_agent", type_=Text)
_AT = bindparam("p_at", type_=Utc)
NOBODY = {"holder": None, "granted_s": None, "until_s": None}
IS_READY = or_(tasks.c.ready_at.is_(None), tasks.c.ready_at <= _AT)
IN_LINE = {
    "implementation": (is_available, tasks.c.line == literal_column(str(IMPLEMENTATION))),
    "breakdown": (is_available, tasks.c.line == literal_column(str(BREAKDOWN))),
    "verification": (is_unverified, tasks.c.holder.is_(None)),
}
"""What waits for each type of agent."""


class Leases:
    """The statements of one lease clock, compiled once."""

    def __init__(self, clock: LeaseClock) -> None:
        self._clock = clock
        self._over = clock.over(tasks.c.granted_s, tasks.c.until_s)
        self._take = self._taking(tasks.c.id == bindparam("p_task", type_=BigInteger))
        self._next = {
            (agent_type, of_one): self._taking_next(agent_type, of_one_project=of_one)
            for agent_type in get_args(AgentType)
            for of_one in (False, True)
        }
        self._renew = update(tasks).where(tasks.c.id == bindparam("p_task", type_=BigInteger), is_held)
        self._renew = self._renew.values(
            granted_s=clock.now_s,
            until_s=clock.now_s
            + func.coalesce(bindparam("p_lease_s", type_=Double), tasks.c.until_s - tasks.c.granted_s),
            updated_at=_AT,
        )
        self._reap = self._reaping()

    def take(self, connection: Connection, task_id: int, agent_id: str, lease_s: float, at: datetime) -> Row[Any]:
        """Give a task to an agent, whoever had it; the caller has made sure that it may."""
        values = {"p_task": task_id, "p_agent": agent_id, "p_lease_s": lease_s, "p_at": at}
        return connection.execute(self._take, values | self._clock.read()).one()

    def take_next(
        self,
        connection: Connection,
        agent_type: AgentType,
        project_id: int | None,
        agent_id: str,
        lease_s: float,
        at: datetime,
        *,
        self_verify: bool,
    ) -> Row[Any] | None:
        """Give an agent the most urgent task of its line, the oldest of those; None where there is none."""
        values = {"p_agent": agent_id, "p_lease_s": lease_s, "p_at": at, "p_project": project_id, "p_self": self_verify}
        statement = self._next[agent_type, project_id is not None]
        return connection.execute(statement, values | self._clock.read()).first()

    def renew(self, connection: Connection, task_id: int, at: datetime, lease_s: float | None = None) -> None:
        """Hold a task for so long from now; None: for as long as it was held before."""
        connection.execute(self._renew, {"p_task": task_id, "p_lease_s": lease_s, "p_at": at} | self._clock.read())

    def reap(self, connection: Connection, at: datetime) -> Sequence[Row[Any]]:
        """End the leases that are over: the tasks can be taken again, or are dead if they were tried too often."""
        return connection.execute(self._reap, {"p_at": at} | self._clock.read()).all()

    def expire(self, connection: Connection, agent_id: str, holding: Sequence[int]) -> list[int]:
        """Make all leases of an agent over, but for those that it is at work on; returns their tasks."""
        theirs = update(tasks).where(tasks.c.holder == agent_id, is_held, tasks.c.id.not_in(holding))
        return list(connection.scalars(theirs.values(granted_s=0.0, until_s=0.0).returning(tasks.c.id)))

    def _taking(self, chosen: Any) -> ReturningUpdate[Any]:
        begun = case((is_complete, tasks.c.started_at), else_=func.coalesce(tasks.c.started_at, _AT))
        return (
            update(tasks)
            .where(chosen)
            .values(
                task_status=case((is_complete, tasks.c.task_status), else_=literal_column("'in_progress'")),
                assigned_agent=case((is_complete, tasks.c.assigned_agent), else_=_AGENT),
                attempts=case((is_complete, tasks.c.attempts), else_=tasks.c.attempts + 1),
                holder=_AGENT,
                granted_s=self._clock.now_s,
                until_s=self._clock.now_s + bindparam("p_lease_s", type_=Double),
                fence=tasks.c.fence + 1,
                started_at=begun,
                updated_at=_AT,
            )
            .returning(*TAKEN_COLUMNS)
        )

    def _taking_next(self, agent_type: AgentType, *, of_one_project: bool) -> ReturningUpdate[Any]:
        first = select(tasks.c.id).where(*IN_LINE[agent_type])
        if of_one_project:
            first = first.where(tasks.c.project_id == bindparam("p_project", type_=BigInteger))
        if agent_type == "verification":
            first = first.where(or_(bindparam("p_self", type_=Boolean), tasks.c.assigned_agent != _AGENT))
        else:
            first = first.where(IS_READY, ~has_open_blocker)
        first = first.order_by(tasks.c.rank, tasks.c.id).limit(1)
        # SKIP LOCKED: agents on several connections take different tasks instead of waiting for one another.
        locked = first.with_for_update(skip_locked=True, of=tasks).scalar_subquery()
        return self._taking(tasks.c.id == locked)

    def _reaping(self) -> ReturningUpdate[Any]:
        lost = select(tasks.c.id).where(is_held, self._over).limit(_REAPED_TOGETHER)
        dead = is_in_progress & (tasks.c.attempts >= tasks.c.max_attempts)
        return (
            update(tasks)
            .where(tasks.c.id.in_(lost.with_for_update(skip_locked=True, of=tasks)))
            .values(
                **NOBODY,
                task_status=case(
                    (dead, literal_column("'dead'")),
                    (is_in_progress, literal_column("'available'")),
                    else_=tasks.c.task_status,
                ),
                failure=case((is_in_progress, literal_column("'The agent was lost.'")), else_=tasks.c.failure),
                ready_at=None,
                updated_at=_AT,
            )
            .returning(tasks.c.id, tasks.c.task_status, tasks.c.assigned_agent, tasks.c.project_id)
        )
