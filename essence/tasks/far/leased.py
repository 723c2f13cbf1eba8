"""A board with June's own tools: it keeps keys, leases and fences itself, and waits for work in her stead."""

from __future__ import annotations

import asyncio
from collections import Counter

from essence import observe
from essence.config import TasksClient
from essence.errors import Conflict, NotFound, RateLimited
from essence.store.records import storable
from essence.tasks.far.http import LONGEST_WAIT_S
from essence.tasks.far.making import MAKER_ID
from essence.tasks.far.records import number_of, task_of, worded
from essence.tasks.far.wire import Wire
from essence.work import NewTask, Task, TaskClaim

TOOLS = frozenset({"claim_next", "heartbeat", "fail_task"})
"""What tells such a board from any other todorama."""
_AFTER_EMPTY_S = 0.2
"""Between two questions where the board says sooner than it was asked to that there is no work."""


class LeasedBoard:
    """See `essence.ports.TaskBoard`."""

    def __init__(self, wire: Wire, settings: TasksClient) -> None:
        self._wire = wire
        self._maker = None if settings.tasks_key else MAKER_ID  # a key tells who it is
        self._project = settings.todorama_project_id.strip()
        self._project_known = False
        self._held: dict[tuple[str, str], int] = {}  # fences of agents' tasks in this process
        self._certain: set[str] = set()  # agents that hold nothing on the board but what is in `_held`
        self._asking: Counter[str] = Counter()  # questions for work under way, by agent
        self._resuming = asyncio.Lock()

    async def create(self, task: NewTask, *, key: str) -> str:
        fields: dict[str, object] = {
            "title": storable(task.title),
            "task_type": task.kind,
            "task_instruction": storable(task.instruction),
            "verification_instruction": storable(task.verification),
            "agent_id": self._maker,
            "priority": task.priority,
            "idempotency_key": storable(key),
            "max_attempts": task.attempts_max,
            "project_id": await self._project_id()
            if task.project_id is None
            else number_of(task.project_id, "project"),
        }
        if task.parent_task_id is not None:
            fields |= {"parent_task_id": number_of(task.parent_task_id, "task"), "relationship_type": "subtask"}
        return str((await self._wire.call("create_task", fields))["task_id"])

    async def claim(self, agent_id: str, *, lease_s: float, wait_s: float = 0.0) -> TaskClaim | None:
        clock = asyncio.get_running_loop().time
        until_s = clock() + wait_s
        while True:
            left_s = max(until_s - clock(), 0.0)
            try:
                if claim := await self._next(agent_id, lease_s, min(left_s, LONGEST_WAIT_S)):
                    return claim
                pause_s = _AFTER_EMPTY_S
            except RateLimited as error:
                if error.retry_after_s > left_s:
                    raise
                pause_s = error.retry_after_s
            if until_s - clock() <= pause_s:
                return None
            await asyncio.sleep(pause_s)

    async def _next(self, agent_id: str, lease_s: float, wait_s: float) -> TaskClaim | None:
        if claim := await self._resume(agent_id, lease_s):
            return claim
        self._asking[agent_id] += 1
        try:
            return await self._ask(agent_id, lease_s, wait_s, resume=False)
        except BaseException:
            self._certain.discard(agent_id)  # the board may have given it something
            raise
        finally:
            self._asking[agent_id] -= 1

    async def _resume(self, agent_id: str, lease_s: float) -> TaskClaim | None:
        """What the board gave to an agent that was killed, or in an answer that was lost.

        Nothing else is asked meanwhile in its name: what that was given would be taken for lost, too.
        """
        async with self._resuming:
            if agent_id in self._certain or self._asking[agent_id]:
                return None
            claim = await self._ask(agent_id, lease_s, 0.0, resume=True)
            self._certain.add(agent_id)
            return claim

    async def _ask(self, agent_id: str, lease_s: float, wait_s: float, *, resume: bool) -> TaskClaim | None:
        asked: dict[str, object] = {
            "agent_id": agent_id,
            "agent_type": "implementation",
            "lease_s": lease_s,
            "wait_s": wait_s,
            "project_id": await self._project_id(),
            "resume": resume,
            "holding": [int(task_id) for agent, task_id in self._held if agent == agent_id],
        }
        answer = await self._wire.call("claim_next", asked, wait_s=wait_s)
        if answer["task"] is None:
            return None
        claim = TaskClaim(task_of(answer["task"]), agent_id, int(answer["lease_token"]), int(answer["attempt"]))
        self._held[agent_id, claim.task.task_id] = claim.fence
        return claim

    async def extend(self, claim: TaskClaim, *, lease_s: float) -> None:
        await self._under(claim, "heartbeat", {"lease_s": lease_s})

    async def progress(self, claim: TaskClaim, text: str) -> None:
        await self._under(claim, "add_task_update", {"content": worded(text), "update_type": "progress"})

    async def complete(self, claim: TaskClaim, notes: str) -> None:
        await self._under(claim, "complete_task", {"notes": worded(notes)})
        self._let_go(claim)

    async def release(self, claim: TaskClaim, why: str, *, retry_s: float = 0.0, counts: bool = True) -> None:
        if counts:
            await self._under(claim, "fail_task", {"error": worded(why), "retry_s": retry_s})
        else:
            await self._under(claim, "unlock_task", {})
        self._let_go(claim)

    async def fail(self, claim: TaskClaim, why: str) -> None:
        await self._under(claim, "fail_task", {"error": worded(why), "final": True})
        self._let_go(claim)

    async def read(self, task_id: str) -> Task:
        context = await self._wire.call("get_task_context", {"task_id": number_of(task_id, "task")})
        return task_of(context["task"], context=context)

    async def _under(self, claim: TaskClaim, tool: str, fields: dict[str, object]) -> None:
        task_id = int(claim.task.task_id)
        shown: dict[str, object] = {"task_id": task_id, "agent_id": claim.agent_id, "lease_token": claim.fence}
        try:
            await self._wire.call(tool, shown | fields)
        except Conflict:
            self._let_go(claim)
            raise

    def _let_go(self, claim: TaskClaim) -> None:
        place = claim.agent_id, claim.task.task_id
        if self._held.get(place) == claim.fence:
            del self._held[place]

    async def _project_id(self) -> int | None:
        """The project of June's tasks; None, with one warning, where the board lacks it."""
        if self._project and not self._project_known:
            try:
                await self._wire.call("get_project", {"project_id": number_of(self._project, "project")})
                self._project_known = True
            except NotFound:
                observe.logger().warning("task_project_missing", setting="TODORAMA_PROJECT_ID", project=self._project)
                self._project = ""
        return int(self._project) if self._project else None
