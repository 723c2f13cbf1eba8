"""June's own board in this process, as the role that June knows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import ValidationError

from essence.errors import Conflict, InvalidInput
from essence.tasks.arguments import (
    AddTaskUpdate,
    Arguments,
    ClaimNext,
    CompleteTask,
    CreateTask,
    FailTask,
    Heartbeat,
    OfTask,
    UnderLease,
)
from essence.tasks.board import Board
from essence.tasks.records import Answer
from essence.tasks.refusals import Refusal
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
        self._holding: dict[str, set[int]] = {}
        """By agent: tasks that were claimed here and have not ended, so that a claim doesn't take them from itself."""

    async def create(self, task: NewTask, *, key: str) -> str:
        with _refusals_as_errors():
            asked = CreateTask(
                title=task.title,
                task_type=task.kind,
                task_instruction=task.instruction,
                verification_instruction=task.verification,
                project_id=_number(task.project_id),
                parent_task_id=_number(task.parent_task_id),
                priority=task.priority,
                idempotency_key=key,
            )
        return str((await self._ask("create_task", asked, AGENT))["task_id"])

    async def claim(self, agent_id: str, *, lease_s: float, wait_s: float = 0.0) -> TaskClaim | None:
        holding = self._holding.setdefault(agent_id, set())
        asked = ClaimNext.model_construct(
            agent_type="implementation",
            project_id=self._project_id,
            lease_s=lease_s,
            wait_s=wait_s,
            resume=True,
            holding=sorted(holding),
        )
        answer: dict[str, Any] = await self._ask("claim_next", asked, agent_id)
        if answer["task"] is None:
            return None
        task_id = answer["task"]["id"]
        holding.add(task_id)
        return TaskClaim(await self.read(str(task_id)), agent_id, answer["lease_token"], answer["attempt"])

    async def extend(self, claim: TaskClaim, *, lease_s: float) -> None:
        task_id = int(claim.task.task_id)
        asked = Heartbeat.model_construct(task_id=task_id, lease_token=claim.fence, lease_s=lease_s)
        await self._under(claim, "heartbeat", asked)

    async def progress(self, claim: TaskClaim, text: str) -> None:
        with _refusals_as_errors():
            asked = AddTaskUpdate(
                task_id=int(claim.task.task_id), lease_token=claim.fence, content=text, update_type="progress"
            )
        await self._under(claim, "add_task_update", asked)

    async def complete(self, claim: TaskClaim, notes: str) -> None:
        with _refusals_as_errors():
            asked = CompleteTask(task_id=int(claim.task.task_id), lease_token=claim.fence, notes=notes)
        await self._under(claim, "complete_task", asked)
        self._let_go(claim)

    async def release(self, claim: TaskClaim, why: str, *, retry_s: float = 0.0) -> None:
        await self._fail(claim, why, retry_s=retry_s, final=False)

    async def fail(self, claim: TaskClaim, why: str) -> None:
        await self._fail(claim, why, retry_s=None, final=True)

    async def read(self, task_id: str) -> Task:
        with _refusals_as_errors():
            asked = OfTask(task_id=int(task_id) if task_id.isdecimal() else 0)
            return await self._board.read(lambda desk: whole_task(desk, asked.task_id))

    async def _fail(self, claim: TaskClaim, why: str, *, retry_s: float | None, final: bool) -> None:
        with _refusals_as_errors():
            task_id = int(claim.task.task_id)
            asked = FailTask(task_id=task_id, lease_token=claim.fence, error=why, retry_s=retry_s, final=final)
        await self._under(claim, "fail_task", asked)
        self._let_go(claim)

    async def _under(self, claim: TaskClaim, tool: str, asked: UnderLease) -> None:
        try:
            await self._ask(tool, asked, claim.agent_id)
        except Conflict:
            self._let_go(claim)
            raise

    def _let_go(self, claim: TaskClaim) -> None:
        self._holding.get(claim.agent_id, set()).discard(int(claim.task.task_id))

    async def _ask(self, tool: str, asked: Arguments, agent_id: str) -> Answer:
        with _refusals_as_errors():
            return await self._board.ask(tool, asked, agent_id)


def _number(its_id: str | None) -> int | None:
    """Of an id; 0, which nothing has, where it is none of this board's."""
    if its_id is None:
        return None
    return int(its_id) if its_id.isdecimal() else 0


@contextmanager
def _refusals_as_errors() -> Iterator[None]:
    try:
        yield
    except Refusal as error:
        raise error.as_error() from error
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidInput(f"{first['loc'][0] if first['loc'] else 'task'}: {first['msg']}.") from error
