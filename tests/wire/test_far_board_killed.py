"""Agents are killed (SIGKILL) at their work: the store and the board tell the next one where to go on."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from essence.errors import Conflict
from essence.fakes.todorama import Hang, TodoramaServer
from tests.far_boards import far_board, made_by_another

ROOT = Path(__file__).parents[2]
LEASE_S = 60.0


@asynccontextmanager
async def an_agent(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Killed at the end of the block."""
    command = [sys.executable, "-m", "tests.far_board_worker", *arguments]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        await process.communicate()


@pytest.fixture
def store_url(tmp_path):
    return f"sqlite:///{tmp_path}/june.db"


async def test_an_agent_that_is_killed_at_work_goes_on_with_it(store_url):
    async with TodoramaServer() as todorama:
        task_id = made_by_another(todorama)
        async with an_agent(todorama.url, store_url) as agent:
            assert (await agent.stdout.readline()).decode().strip() == task_id
        made_by_another(todorama)
        async with far_board(todorama, store_url) as board:
            claim = await board.claim("a", lease_s=LEASE_S)
            assert (claim.task.task_id, claim.attempt) == (task_id, 2)


@pytest.mark.parametrize(
    ("tool", "fault"),
    [("complete_task", Hang()), ("complete_task", Hang(after_effect=True)), ("verify_task", Hang())],
    ids=str,
)
async def test_work_that_was_done_when_its_agent_was_killed_is_not_done_again(tool, fault, store_url):
    async with TodoramaServer() as todorama:
        task_id = int(made_by_another(todorama))
        todorama.fails(tool, fault)
        async with an_agent(todorama.url, store_url, "completes") as agent:
            await agent.stdout.readline()
            await todorama.until(lambda: todorama.calls_of(tool))
        async with far_board(todorama, store_url) as board:
            assert await board.claim("a", lease_s=LEASE_S) is None
        task = todorama.tasks[task_id]
        assert (task.task_status, task.verification_status, task.assigned_agent) == ("complete", "verified", "a")
        assert (task.notes, todorama.times(task_id, "completed")) == ("fed", 1)


async def test_an_agent_that_is_killed_before_it_knows_what_it_has_finds_out(store_url):
    async with TodoramaServer() as todorama:
        task_id = made_by_another(todorama)
        todorama.fails("reserve_task", Hang(after_effect=True))
        async with an_agent(todorama.url, store_url):
            await todorama.until(lambda: todorama.calls_of("reserve_task"))
        assert todorama.tasks[int(task_id)].assigned_agent == "a"
        async with far_board(todorama, store_url) as board:
            claim = await board.claim("a", lease_s=LEASE_S)
            assert claim.task.task_id == task_id
            await board.complete(claim, "fed")
            with pytest.raises(Conflict):
                await board.progress(claim, "too late")
