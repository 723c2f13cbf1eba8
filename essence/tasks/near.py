"""June's own board in this process, as the role that June knows."""

from __future__ import annotations

from typing import Any

from essence.store.records import storable
from essence.tasks.arguments import (
    ID_MAX,
    LONG_MAX_CHARS,
    AddTaskUpdate,
    Arguments,
    ClaimNext,
    CompleteTask,
    CreateTask,
    FailTask,
    Heartbeat,
    UnderLease,
)
from essence.tasks.board import Board
from essence.tasks.records import Answer
from essence.tasks.refusals import as_errors
from essence.tasks.whole import whole_task
from essence.work import NewTask, Task, TaskClaim

AGENT = "june"
"""Who creates what June was asked to do."""


class NearBoard:
    """See `essence.ports.TaskBoard`."""

    def __init__(self, board: Board, project_id: int | None) -> None:
        """`project_id`: whose tasks are claimed; None: all."""
        self._board = board
        self._project_id = project_id
        self._seen: set[str] = set()
        """Agents that have claimed here: what they hold since then, they are at work on."""

    async def create(self, task: NewTask, *, key: str) -> str:
        with as_errors():
            asked = CreateTask(
                title=storable(task.title),
                task_type=task.kind,
                task_instruction=storable(task.instruction),
                verification_instruction=storable(task.verification),
                project_id=None if task.project_id is None else _number(task.project_id),
                parent_task_id=None if task.parent_task_id is None else _number(task.parent_task_id),
                priority=task.priority,
                max_attempts=task.attempts_max,
                idempotency_key=key,
            )
        return str((await self._ask("create_task", asked, AGENT))["task_id"])

    async def claim(self, agent_id: str, *, lease_s: float, wait_s: float = 0.0) -> TaskClaim | None:
        asked = ClaimNext.model_construct(
            agent_type="implementation",
            project_id=self._project_id,
            lease_s=lease_s,
            wait_s=wait_s,
            resume=agent_id not in self._seen,
            holding=[],
        )
        self._seen.add(agent_id)
        try:
            answer: dict[str, Any] = await self._ask("claim_next", asked, agent_id)
        except BaseException:
            if asked.resume:
                self._seen.discard(agent_id)
            raise
        if answer["task"] is None:
            return None
        task = await self.read(str(answer["task"]["id"]))
        return TaskClaim(task, agent_id, answer["lease_token"], answer["attempt"])

    async def extend(self, claim: TaskClaim, *, lease_s: float) -> None:
        task_id = int(claim.task.task_id)
        asked = Heartbeat.model_construct(task_id=task_id, lease_token=claim.fence, lease_s=lease_s)
        await self._ask("heartbeat", asked, claim.agent_id)

    async def progress(self, claim: TaskClaim, text: str) -> None:
        with as_errors():
            asked = AddTaskUpdate(
                task_id=int(claim.task.task_id),
                lease_token=claim.fence,
                content=_fitting(text),
                update_type="progress",
            )
        await self._ask("add_task_update", asked, claim.agent_id)

    async def complete(self, claim: TaskClaim, notes: str) -> None:
        with as_errors():
            asked = CompleteTask(
                task_id=int(claim.task.task_id), lease_token=claim.fence, notes=storable(notes)[:LONG_MAX_CHARS]
            )
        await self._ask("complete_task", asked, claim.agent_id)

    async def release(self, claim: TaskClaim, why: str, *, retry_s: float = 0.0, counts: bool = True) -> None:
        if counts:
            await self._fail(claim, why, retry_s=retry_s, final=False)
            return
        asked = UnderLease(task_id=int(claim.task.task_id), lease_token=claim.fence)
        await self._ask("unlock_task", asked, claim.agent_id)

    async def fail(self, claim: TaskClaim, why: str) -> None:
        await self._fail(claim, why, retry_s=None, final=True)

    async def read(self, task_id: str) -> Task:
        with as_errors():
            return await self._board.read(lambda desk: whole_task(desk, _number(task_id)))

    async def _fail(self, claim: TaskClaim, why: str, *, retry_s: float | None, final: bool) -> None:
        with as_errors():
            task_id = int(claim.task.task_id)
            asked = FailTask(
                task_id=task_id, lease_token=claim.fence, error=_fitting(why), retry_s=retry_s, final=final
            )
        await self._ask("fail_task", asked, claim.agent_id)

    async def _ask(self, tool: str, asked: Arguments, agent_id: str) -> Answer:
        with as_errors():
            return await self._board.ask(tool, asked, agent_id)


def _fitting(text: str) -> str:
    """What the board takes, whatever it was: a task's end must not fail on the words that tell of it."""
    fitting = storable(text)[:LONG_MAX_CHARS]
    return fitting if fitting.strip() else "(no words)"


def _number(its_id: str) -> int:
    """Of an id; the largest, which nothing has, where it is none of this board's."""
    return min(int(its_id), ID_MAX) if its_id.isdecimal() and 0 < len(its_id) < 20 else ID_MAX
