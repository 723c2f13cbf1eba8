"""What agents of this process have claimed on a board without leases, and the way each claim ends."""

from __future__ import annotations

import asyncio
import contextlib
import math
from dataclasses import dataclass

from essence.errors import Conflict, JuneError, NotFound
from essence.tasks.far.ledger import DurableLedger, Ending, Grant, Outcome
from essence.tasks.far.records import Row, lease_text, number_of, task_of, worded
from essence.tasks.far.wire import Answer, Wire
from essence.work import TaskClaim

TELL_EVERY = 1 / 3
"""Of a lease: how often it is told on the board. Two tellings may fail before others take the task for lost."""


@dataclass(slots=True)
class _Held:
    fence: int
    lease_s: float
    seen_s: float
    """When the board was last asked whose the task is; by the loop's clock."""
    told_s: float = -math.inf
    """When the lease was last told on the board."""


class Holdings:
    """Claims. The ledger says who holds one; the board is asked when nobody has looked for the length of a lease.

    Until then no June takes the task, and what others do is noticed at the end, which the board refuses.
    """

    def __init__(self, wire: Wire, ledger: DurableLedger) -> None:
        self._wire, self._ledger = wire, ledger
        self._held: dict[str, _Held] = {}
        self._ending: set[str] = set()

    def __contains__(self, task_id: str) -> bool:
        """Whether somebody in this process works on a task."""
        return task_id in self._held

    async def begin(self, row: Row, agent_id: str, grant: Grant, *, lease_s: float) -> TaskClaim:
        """Take down a task that ledger and board have granted, and tell its lease on the board."""
        task_id = str(row["id"])
        claim = TaskClaim(task_of(row), agent_id, grant.fence, grant.attempt)
        self._held[task_id] = _Held(grant.fence, lease_s, _now_s())
        with contextlib.suppress(JuneError):  # the claim stands all the same; `extend` tells it
            await self._tell_lease(claim, lease_s)
        return claim

    async def extend(self, claim: TaskClaim, *, lease_s: float) -> None:
        """See `essence.ports.TaskBoard`."""
        if not await self._ledger.extend(claim.task.task_id, claim.fence, lease_s=lease_s):
            raise self._lost(claim)
        held = self._of(claim)
        held.lease_s = lease_s
        if _now_s() - held.told_s >= lease_s * TELL_EVERY:
            await self._look(claim)
            await self._tell_lease(claim, lease_s)

    async def progress(self, claim: TaskClaim, text: str) -> None:
        """See `essence.ports.TaskBoard`."""
        await self._hold(claim)
        await self._update(claim.task.task_id, claim.agent_id, "progress", text)

    async def release(self, claim: TaskClaim, why: str, *, retry_s: float, counts: bool) -> None:
        """See `essence.ports.TaskBoard`. The board first: what stays undone then is done when the lease is over."""
        await self._hold(claim)
        task_id = claim.task.task_id
        if why:
            await self._update(task_id, claim.agent_id, "note", why)
        with contextlib.suppress(Conflict, NotFound):  # it was given back already, and only the answer was lost
            await self._wire.call("unlock_task", {"task_id": int(task_id), "agent_id": claim.agent_id})
        await self._ledger.drop(task_id, claim.fence, pause_s=retry_s, counts=counts)
        self._forget(claim)

    async def end(self, claim: TaskClaim, outcome: Outcome, notes: str) -> None:
        """End a claim, once: in the ledger first, so that nobody does this work again whatever becomes of the rest.

        Raises:
            Conflict: The claim was lost.
        """
        task_id = claim.task.task_id
        self._ending.add(task_id)
        try:
            again = not await self._ledger.holds(task_id, claim.fence)
            if not again:
                await self._hold(claim)
            if not await self._ledger.end(task_id, claim.fence, outcome, notes):
                raise self._lost(claim)
            if not await self._ledger.is_settled(task_id, claim.fence):
                await self._tell_end(Ending(task_id, claim.agent_id, claim.fence, outcome, notes), again=again)
            self._forget(claim)
        finally:
            self._ending.discard(task_id)

    async def settle(self, agent_id: str) -> None:
        """Tell the board of ends that it may not know of, since somebody was killed or the board was away."""
        for ending in await self._ledger.unsettled(agent_id):
            if ending.task_id not in self._ending:
                with contextlib.suppress(Conflict):  # somebody has it now, and the ledger knows
                    await self._tell_end(ending, again=True)

    async def context(self, task_id: str) -> Answer:
        """A task with its history, as the board knows it."""
        return await self._wire.call("get_task_context", {"task_id": number_of(task_id, "task")})

    async def verify(self, task_id: str, agent_id: str) -> None:
        """Take a task that is complete out of the lines of work: todorama offers it again until it is verified."""
        await self._wire.call("verify_task", {"task_id": int(task_id), "agent_id": agent_id})

    async def _tell_end(self, ending: Ending, *, again: bool) -> None:
        tell = self._tell_done if ending.outcome == "done" else self._tell_failed
        try:
            await tell(ending, again=again)
        except NotFound:
            pass  # the task is gone, and nobody can do it again
        except Conflict:  # somebody took the task behind the ledger's back, and has it now
            await self._ledger.settle(ending.task_id, ending.fence)
            raise
        await self._ledger.settle(ending.task_id, ending.fence)

    async def _tell_done(self, ending: Ending, *, again: bool) -> None:
        """`again`: it may have been told; to complete a verified task would count as work done anew."""
        task_id, agent_id = ending.task_id, ending.agent_id
        if again:
            row = (await self.context(task_id))["task"]
            if row["task_status"] == "complete":
                if row["verification_status"] != "verified":
                    await self.verify(task_id, agent_id)
                return
        notes = worded(ending.notes) if ending.notes else None
        asked = {"task_id": int(task_id), "agent_id": agent_id, "notes": notes}
        answer = await self._wire.call("complete_task", asked)
        if not answer.get("verified"):
            await self.verify(task_id, agent_id)

    async def _tell_failed(self, ending: Ending, *, again: bool) -> None:
        """A todorama knows no failure: the task stays with its agent, so nobody takes it until a person unlocks it."""
        why = worded(ending.notes)
        told = (await self.context(ending.task_id))["updates"] if again else []
        if not any(update["change_type"] == "blocker" and update["notes"] == why for update in told):
            await self._update(ending.task_id, ending.agent_id, "blocker", why)
        await self._update(ending.task_id, ending.agent_id, "note", lease_text(math.inf))

    async def _hold(self, claim: TaskClaim) -> None:
        """Make sure that a claim holds, as far as one can know."""
        if not await self._ledger.holds(claim.task.task_id, claim.fence):
            raise self._lost(claim)
        held = self._of(claim)
        if _now_s() - held.seen_s > held.lease_s:
            await self._look(claim)

    async def _look(self, claim: TaskClaim) -> None:
        """Ask the board whose the task is; anybody may have unlocked it there."""
        task_id = claim.task.task_id
        row = (await self.context(task_id))["task"]
        if row["task_status"] != "in_progress" or row["assigned_agent"] != claim.agent_id:
            await self._ledger.drop(task_id, claim.fence)
            raise self._lost(claim)
        self._of(claim).seen_s = _now_s()

    async def _tell_lease(self, claim: TaskClaim, lease_s: float) -> None:
        await self._update(claim.task.task_id, claim.agent_id, "note", lease_text(lease_s))
        self._of(claim).told_s = _now_s()

    async def _update(self, task_id: str, agent_id: str, kind: str, text: str) -> None:
        update = {"task_id": int(task_id), "agent_id": agent_id, "content": worded(text), "update_type": kind}
        await self._wire.call("add_task_update", update)

    def _of(self, claim: TaskClaim) -> _Held:
        """What is known of a claim; of one that another process took, that nobody has looked."""
        held = self._held.get(claim.task.task_id)
        if held is None or held.fence != claim.fence:
            held = self._held[claim.task.task_id] = _Held(claim.fence, 0.0, -math.inf)
        return held

    def _lost(self, claim: TaskClaim) -> Conflict:
        self._forget(claim)
        return Conflict(
            f"{claim.agent_id} no longer holds task {claim.task.task_id}: it ended, or another agent has it."
        )

    def _forget(self, claim: TaskClaim) -> None:
        held = self._held.get(claim.task.task_id)
        if held is not None and held.fence == claim.fence:
            del self._held[claim.task.task_id]


def _now_s() -> float:
    return asyncio.get_running_loop().time()
