"""Puts tasks on a board that knows no keys, one for each key all the same."""

from __future__ import annotations

import asyncio
import uuid

from essence import observe
from essence.errors import InvalidInput, NotFound, TooSlow, Unreachable
from essence.store.records import storable
from essence.tasks.far.ledger import DurableLedger
from essence.tasks.far.records import digest_of, is_marked, marked, number_of, rows_of
from essence.tasks.far.wire import Wire
from essence.work import NewTask

MAKER_ID = "june"
"""Who tasks are made by, on boards that want to know; agents do them under ids of their own."""
_ASK_AGAIN_S = 0.1
_MATCHES = 100
"""Tasks of one key that a search may find; more than one only where two Junes with no common store made it at once."""


class Maker:
    """Makes tasks. Before it makes one it looks for it on the board, so that a lost answer makes no second one."""

    def __init__(self, wire: Wire, ledger: DurableLedger, *, project_id: str, deadline_s: float) -> None:
        """`project_id`: of tasks that name none; empty for no project. `deadline_s`: of one call."""
        self._wire, self._ledger = wire, ledger
        self._project_id, self._deadline_s = project_id, deadline_s

    async def create(self, task: NewTask, key: str) -> str:
        """See `essence.ports.TaskBoard`."""
        if not task.title.strip() or not task.instruction.strip():  # a todorama takes what nobody can do
            raise InvalidInput("A task needs a title and an instruction. Say what is to be done.")
        if known := await self._ledger.task_of(key):
            return known
        maker = uuid.uuid4().hex
        try:
            async with asyncio.timeout(3 * self._deadline_s):
                # ASYNC110: it is another process that one waits for; no event of this one tells of it.
                while not await self._ledger.begin(key, maker, lease_s=3 * self._deadline_s):  # noqa: ASYNC110
                    await asyncio.sleep(_ASK_AGAIN_S)
        except TimeoutError as error:
            raise TooSlow("Another process is making this task, and takes too long. Try again.") from error
        try:
            return await self._ledger.task_of(key) or await self._find_or_make(task, key)
        finally:
            await self._ledger.give_back(key, maker)

    async def _find_or_make(self, task: NewTask, key: str) -> str:
        try:
            task_id = await self._find(key) or await self._make(task, key)
        except (TooSlow, Unreachable):
            found = await self._find(key)  # the answer may be all that was lost
            if found is None:
                raise
            task_id = found
        await self._ledger.keep(key, task_id)
        return task_id

    async def _find(self, key: str) -> str | None:
        answer = await self._wire.call("search_tasks", {"query": digest_of(key), "limit": _MATCHES})
        found = [int(row["id"]) for row in rows_of(answer) if is_marked(row, key)]
        return str(min(found)) if found else None

    async def _make(self, task: NewTask, key: str) -> str:
        fields: dict[str, object] = {
            "title": storable(task.title),
            "task_type": task.kind,
            "task_instruction": marked(storable(task.instruction), key),
            "verification_instruction": storable(task.verification),
            "agent_id": MAKER_ID,
            "priority": task.priority,
        }
        if task.parent_task_id is not None:
            fields |= await self._under(task.parent_task_id)
        if task.project_id is not None:
            project = {"project_id": number_of(task.project_id, "project")}
            return await self._made(fields | project)
        return await self._made_in_own_project(fields)

    async def _under(self, parent_task_id: str) -> dict[str, object]:
        """Asked before, since todorama keeps the task whose parent it doesn't find."""
        parent = number_of(parent_task_id, "task")
        await self._wire.call("get_task_context", {"task_id": parent})
        return {"parent_task_id": parent, "relationship_type": "subtask"}

    async def _made_in_own_project(self, fields: dict[str, object]) -> str:
        """Without a project where the board lacks it: on a todorama only SQL can make one, and June has to work."""
        if not self._project_id:
            return await self._made(fields)
        try:
            return await self._made(fields | {"project_id": number_of(self._project_id, "project")})
        except NotFound:
            observe.logger().warning("task_project_missing", setting="TODORAMA_PROJECT_ID", project=self._project_id)
            self._project_id = ""
            return await self._made(fields)

    async def _made(self, fields: dict[str, object]) -> str:
        return str((await self._wire.call("create_task", fields))["task_id"])
