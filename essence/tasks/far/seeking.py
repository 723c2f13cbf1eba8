"""Finds work on a board that can't say what to do next, and takes it so that nobody else does."""

from __future__ import annotations

import asyncio
import bisect
import math
import random
from collections.abc import Sequence

from essence.errors import Conflict, NotFound
from essence.tasks.far.holdings import Holdings
from essence.tasks.far.ledger import DurableLedger, Grant
from essence.tasks.far.records import Row, newest_lease, rows_of, urgency
from essence.tasks.far.watch import Watch
from essence.tasks.far.wire import Answer, Wire
from essence.work import TaskClaim

LIMITS = (100, 1000, 10_000)
"""Tasks asked for at once; more only where all of those are other people's, or wait. There are no further pages."""
LOOK_EVERY = 1 / 3
"""Of a lease: how often others' work is looked at, so that a lost task is found within two leases."""


class Seeker:
    """Takes tasks: lost ones first, which have waited longest, then the most urgent."""

    def __init__(self, wire: Wire, ledger: DurableLedger, holdings: Holdings, *, project_id: str) -> None:
        """`project_id`: whose tasks are taken, besides those without a project; empty: of all projects."""
        self._wire, self._ledger, self._holdings = wire, ledger, holdings
        self._project_id = project_id
        self._watch = Watch()
        self._looked_s = -math.inf
        self._level = 0  # of LIMITS: the first that was enough to see all
        self._resumed: set[str] = set()

    async def look(self, agent_id: str, *, lease_s: float) -> TaskClaim | None:
        """One task, or None if there is none now. One look at a time."""
        return (
            await self._own(agent_id, lease_s)
            or await self._lapsed(agent_id, lease_s)
            or await self._lost_elsewhere(agent_id, lease_s)
            or await self._available(agent_id, lease_s)
        )

    async def _own(self, agent_id: str, lease_s: float) -> TaskClaim | None:
        """What this agent held when it was killed, as the ledger says and, the first time, as the board says."""
        held = list(await self._ledger.held(agent_id))
        if agent_id not in self._resumed:
            asked = {"task_status": "in_progress", "agent_id": agent_id, "limit": LIMITS[1]}
            rows = rows_of(await self._wire.call("query_tasks", asked))
            held += [str(row["id"]) for row in rows if self._is_ours(row)]
        for task_id in dict.fromkeys(held):
            if task_id not in self._holdings and (claim := await self._adopt(task_id, agent_id, lease_s)):
                return claim
        self._resumed.add(agent_id)
        return None

    async def _lapsed(self, agent_id: str, lease_s: float) -> TaskClaim | None:
        """What other agents of this store have lost."""
        for task_id in await self._ledger.lapsed():
            if claim := await self._adopt(task_id, agent_id, lease_s):
                return claim
        return None

    async def _lost_elsewhere(self, agent_id: str, lease_s: float) -> TaskClaim | None:
        """What agents have lost that share the board alone."""
        now_s = asyncio.get_running_loop().time()
        if now_s - self._looked_s < lease_s * LOOK_EVERY:
            return None
        self._looked_s = now_s
        rows = rows_of(await self._wire.call("query_tasks", {"task_status": "in_progress", "limit": LIMITS[1]}))
        rows = [row for row in rows if self._is_ours(row)]
        known = await self._ledger.standings(str(row["id"]) for row in rows)
        others = [row for row in rows if known.get(str(row["id"]), "free") == "free"]
        for task_id in self._watch.to_read(others):
            context = await self._holdings.context(task_id)
            if self._watch.is_lost(context, now_s) and (
                claim := await self._adopt(task_id, agent_id, lease_s, of=str(context["task"]["assigned_agent"]))
            ):
                return claim
        return None

    async def _adopt(self, task_id: str, agent_id: str, lease_s: float, *, of: str | None = None) -> TaskClaim | None:
        """Take over a task; `of`: whose it is if the ledger doesn't know. None where there is nothing left to do."""
        grant = await self._ledger.take(task_id, agent_id, lease_s=lease_s)
        if grant is None:
            return None
        try:
            context = await self._holdings.context(task_id)
        except NotFound:
            await self._over(task_id, grant)
            return None
        row = context["task"]
        if _is_new(row):
            return await self._reserve(row, agent_id, grant, lease_s)
        if row["task_status"] == "in_progress":
            return await self._take_over(context, agent_id, grant, lease_s, of=of or grant.before)
        if row["task_status"] == "blocked":
            await self._ledger.drop(task_id, grant.fence, counts=False)
        else:
            await self._over(task_id, grant)
        return None

    async def _take_over(
        self, context: Answer, agent_id: str, grant: Grant, lease_s: float, *, of: str | None
    ) -> TaskClaim | None:
        row = context["task"]
        task_id, holder = str(row["id"]), row["assigned_agent"]
        if holder == agent_id:
            lease = newest_lease(context)
            if grant.fence == 1 and lease is not None and math.isinf(lease[1]):  # it failed, and this ledger is new
                await self._over(task_id, grant, failed=True)
                return None
            return await self._holdings.begin(row, agent_id, grant, lease_s=lease_s)  # `reserve_task` would refuse it
        if holder != of:
            await self._ledger.drop(task_id, grant.fence, counts=False)
            return None
        await self._wire.call("bulk_unlock_tasks", {"task_ids": [row["id"]], "agent_id": agent_id})
        return await self._reserve(row, agent_id, grant, lease_s)

    async def _available(self, agent_id: str, lease_s: float) -> TaskClaim | None:
        for level in range(self._level, len(LIMITS)):
            rows = await self._waiting(LIMITS[level])
            ours = [row for row in rows if self._is_ours(row) and _is_new(row)]
            if claim := await self._first(ours, agent_id, lease_s):
                return claim
            if len(rows) < LIMITS[level]:
                self._level = bisect.bisect_right(LIMITS, len(rows))
                break
        return None

    async def _waiting(self, limit: int) -> list[Row]:
        """Tasks that can be worked on, without those that todorama offers again for verification.

        `query_tasks` tells the newest first, so where it doesn't tell all, the oldest are asked for, too.
        """
        asked = {"task_status": "available", "task_type": "concrete", "order_by": "priority", "limit": limit}
        rows = rows_of(await self._wire.call("query_tasks", asked))
        if len(rows) < limit:
            return rows
        oldest = {"agent_type": "implementation", "limit": limit}
        both = [*rows, *rows_of(await self._wire.call("list_available_tasks", oldest))]
        return list({row["id"]: row for row in both}.values())

    async def _first(self, rows: list[Row], agent_id: str, lease_s: float) -> TaskClaim | None:
        """The first that can be had; after a lost race any of the same urgency, since others go by the same order."""
        standings = await self._ledger.standings(str(row["id"]) for row in rows)
        left = sorted((row for row in rows if standings.get(str(row["id"]), "free") in ("free", "failed")), key=urgency)
        raced = False
        while left:
            row = _any_of_the_first(left) if raced else left[0]
            left.remove(row)
            failed = standings.get(str(row["id"])) == "failed"
            grant = await self._right_to(row, agent_id, lease_s, failed=failed)
            if grant is None:
                continue
            if claim := await self._reserve(row, agent_id, grant, lease_s):
                return claim
            raced = True
        return None

    async def _right_to(self, row: Row, agent_id: str, lease_s: float, *, failed: bool) -> Grant | None:
        """The ledger's right. A task that failed can be had again once somebody has unlocked it on the board."""
        task_id = str(row["id"])
        if failed and (await self._holdings.context(task_id))["task"]["task_status"] != "available":
            return None
        return await self._ledger.take(task_id, agent_id, lease_s=lease_s, again=failed)

    async def _reserve(self, row: Row, agent_id: str, grant: Grant, lease_s: float) -> TaskClaim | None:
        """The board's right; None where somebody was faster. A lost answer is cleared up by the next look (`_own`)."""
        task_id = str(row["id"])
        try:
            answer = await self._wire.call("reserve_task", {"task_id": row["id"], "agent_id": agent_id})
        except (Conflict, NotFound):
            await self._ledger.drop(task_id, grant.fence, counts=False)
            return None
        reserved: Row = answer["task"]
        if reserved["completed_at"] is None:
            return await self._holdings.begin(reserved, agent_id, grant, lease_s=lease_s)
        # It was completed since it was listed, and this reservation is one to verify it: that, not the work again.
        await self._wire.call("complete_task", {"task_id": row["id"], "agent_id": agent_id})
        await self._over(task_id, grant)
        return None

    async def _over(self, task_id: str, grant: Grant, *, failed: bool = False) -> None:
        """Take down an end that the board knows of."""
        if await self._ledger.end(task_id, grant.fence, "failed" if failed else "done"):
            await self._ledger.settle(task_id, grant.fence)

    def _is_ours(self, row: Row) -> bool:
        return not self._project_id or row["project_id"] is None or str(row["project_id"]) == self._project_id


def _is_new(row: Row) -> bool:
    """Whether nobody has done it: what was completed and unlocked again is offered like new work."""
    return row["task_status"] == "available" and row["completed_at"] is None


def _any_of_the_first(rows: Sequence[Row]) -> Row:
    first = urgency(rows[0])[0]
    return random.choice([row for row in rows if urgency(row)[0] == first])  # noqa: S311 - to spread, not to hide
