"""June's own board from far away: its own keys, leases and fences are used, and it waits for work in June's stead."""

import asyncio

import pytest
from structlog.testing import capture_logs

from essence.errors import InvalidInput, NotAllowed, Unreachable
from essence.work import NewTask
from tests.far_boards import PATIENCE_S, far_board, new, served
from tests.store_cases import HandClock

LEASE_S = 30.0


@pytest.fixture
async def url():
    async with served("memory://", HandClock()) as address:
        yield address


async def test_work_is_waited_for_at_the_board(url):
    async with far_board(url) as board, far_board(url) as other:
        asked: list[str] = []
        has_asked = asyncio.Event()
        call = board._wire.call

        async def counted(tool, arguments, *, wait_s=0.0):
            asked.append(tool)
            has_asked.set()
            return await call(tool, arguments, wait_s=wait_s)

        board._wire.call = counted
        waiting = asyncio.create_task(board.claim("a", lease_s=LEASE_S, wait_s=PATIENCE_S))
        await has_asked.wait()
        task_id = await other.create(new(), key="k")
        assert (await waiting).task.task_id == task_id
        assert asked == ["claim_next", "claim_next"]  # what was held before, then what comes


async def test_nobody_who_stops_waiting_takes_work_along(url):
    async with far_board(url) as board, far_board(url) as other:
        await board.claim("a", lease_s=LEASE_S)
        waiting = asyncio.create_task(board.claim("a", lease_s=LEASE_S, wait_s=PATIENCE_S))
        await asyncio.sleep(0.1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        task_id = await other.create(new(), key="k")
        assert (await board.claim("a", lease_s=LEASE_S)).task.task_id == task_id


async def test_what_was_given_in_an_answer_that_was_lost_is_given_again_at_once(url):
    async with far_board(url) as board:
        assert await board.claim("a", lease_s=LEASE_S) is None
        task_id = await board.create(new(), key="k")
        call = board._wire.call

        async def unheard(tool, arguments, *, wait_s=0.0):
            await call(tool, arguments, wait_s=wait_s)
            raise Unreachable("The answer was lost.")

        board._wire.call = unheard
        with pytest.raises(Unreachable):
            await board.claim("a", lease_s=LEASE_S)
        board._wire.call = call
        assert (await board.claim("a", lease_s=LEASE_S)).task.task_id == task_id


async def test_the_key_is_the_board_s_so_no_store_is_needed(url):
    async with far_board(url) as one, far_board(url) as other:
        made = await asyncio.gather(*(board.create(new(), key="k") for board in (one, other) * 4))
        assert len(set(made)) == 1


async def test_a_failed_task_is_dead(url):
    async with far_board(url) as board:
        await board.create(new(), key="k")
        claim = await board.claim("a", lease_s=LEASE_S)
        await board.fail(claim, "No cat.")
        assert (await board.read(claim.task.task_id)).status == "dead"


@pytest.mark.parametrize("task", [NewTask("x" * 501, "i", "v"), NewTask("t", "x" * 2**20, "v")], ids=["title", "body"])
async def test_what_the_board_finds_too_large_is_refused(url, task):
    async with far_board(url) as board:
        with pytest.raises(InvalidInput):
            await board.create(task, key="k")
        await board.create(new(), key="k")


async def test_a_board_without_the_project_is_worked_on_as_a_whole_with_one_warning(url):
    with capture_logs() as logs:
        async with far_board(url, project="77") as board:
            for key in "ab":
                await board.create(new(), key=key)
                assert await board.claim("a", lease_s=LEASE_S) is not None
    assert [log["event"] for log in logs if log["event"] == "task_project_missing"] == ["task_project_missing"]


async def test_a_key_says_who_one_is():
    async with served("memory://", HandClock(), keys="agent-a=0123456789abcdef") as url:
        async with far_board(url, key="0123456789abcdef") as board:
            await board.create(new(), key="k")
            claim = await board.claim("agent-a", lease_s=LEASE_S)
            await board.complete(claim, "fed")
            with pytest.raises(NotAllowed):
                await board.claim("agent-b", lease_s=LEASE_S)
        async with far_board(url, key="wrong") as stranger:
            with pytest.raises(NotAllowed, match="TASKS_KEY"):
                await stranger.claim("agent-a", lease_s=LEASE_S)


async def test_a_board_that_was_restarted_knows_its_claims(tmp_path):
    board_url = f"sqlite:///{tmp_path}/tasks.db"
    async with served(board_url, HandClock()) as url:
        async with far_board(url) as board:
            await board.create(new(), key="k")
            claim = await board.claim("a", lease_s=LEASE_S)
    async with served(board_url, HandClock()) as url, far_board(url) as board:
        await board.complete(claim, "fed")
        assert (await board.read(claim.task.task_id)).status == "complete"
