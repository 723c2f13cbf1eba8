"""Leases, fences and ends on a board that has none of them: what is lost is found, and nothing is done twice."""

import asyncio
import math

import pytest

from essence.errors import Conflict, JuneError, RateLimited, Unreachable
from essence.fakes.todorama import Hang, Limit, LostAnswer, Reset, ServerError, TodoramaServer, TooManyRequests
from essence.tasks.far.watch import READ_AT_ONCE, Watch
from tests.far_boards import PATIENCE_S, POLL_S, far_board, made_by_another, new
from tests.store_cases import HandClock

LEASE_S = 60.0


@pytest.fixture
def store_url(tmp_path):
    return f"sqlite:///{tmp_path}/june.db"


def end_of(todorama: TodoramaServer, task_id: str) -> tuple[str, str, str | None, int]:
    task = todorama.tasks[int(task_id)]
    return task.task_status, task.verification_status, task.assigned_agent, todorama.times(task.id, "completed")


DONE_ONCE_BY_A = ("complete", "verified", "a", 1)


async def test_work_is_verified_right_after_it_is_complete():
    async with TodoramaServer() as todorama, far_board(todorama) as board:
        task_id = made_by_another(todorama)
        await board.complete(await board.claim("a", lease_s=LEASE_S), "fed")
        assert end_of(todorama, task_id) == DONE_ONCE_BY_A
        assert todorama.does("list_available_tasks", agent_type="implementation") == {"tasks": []}


async def test_what_others_completed_and_nobody_verified_is_never_work():
    async with TodoramaServer() as todorama, far_board(todorama) as board:
        task_id = int(made_by_another(todorama))
        todorama.does("complete_task", task_id=task_id, agent_id="x")
        assert len(todorama.does("list_available_tasks", agent_type="implementation")["tasks"]) == 1
        assert await board.claim("a", lease_s=LEASE_S) is None
        todorama.does("reserve_task", task_id=task_id, agent_id="verifier")
        todorama.does("unlock_task", task_id=task_id, agent_id="verifier")
        assert todorama.tasks[task_id].task_status == "available"
        assert await board.claim("a", lease_s=LEASE_S) is None


async def test_what_is_completed_just_before_it_is_reserved_is_not_done_again():
    async with TodoramaServer() as todorama, far_board(todorama) as board:
        done, other = made_by_another(todorama), made_by_another(todorama, "Water the rose")
        todorama.meanwhile("reserve_task", lambda: todorama.does("complete_task", task_id=done, agent_id="x"))
        claim = await board.claim("a", lease_s=LEASE_S)
        assert claim.task.task_id == other
        assert end_of(todorama, done)[:2] == ("complete", "verified")


async def test_new_work_behind_a_thousand_unverified_tasks_is_found():
    async with TodoramaServer() as todorama, far_board(todorama) as board:
        for _ in range(1000):
            todorama.does("complete_task", task_id=made_by_another(todorama), agent_id="x")
        task_id = made_by_another(todorama)
        assert (await board.claim("a", lease_s=LEASE_S)).task.task_id == task_id


async def test_work_behind_a_thousand_tasks_of_other_projects_is_found_and_does_not_cost_more_each_time():
    async with TodoramaServer(projects=(1, 2)) as todorama, far_board(todorama, project="1") as board:
        fields = {"task_type": "concrete", "task_instruction": "i", "verification_instruction": "v", "agent_id": "x"}
        task_id = todorama.does("create_task", title="mine", project_id=1, **fields)["task_id"]
        for _ in range(1100):
            todorama.does("create_task", title="theirs", project_id=2, priority="critical", **fields)
        claim = await board.claim("a", lease_s=LEASE_S)
        assert claim.task.task_id == str(task_id)
        await board.complete(claim, "")
        assert await board.claim("a", lease_s=LEASE_S) is None
        before = len(todorama.calls)
        assert await board.claim("a", lease_s=LEASE_S) is None
        assert len(todorama.calls) - before == 1


async def test_the_oldest_of_many_is_taken_first():
    async with TodoramaServer() as todorama, far_board(todorama) as board:
        made = [made_by_another(todorama) for _ in range(150)]
        claims = [await board.claim("a", lease_s=LEASE_S) for _ in range(3)]
        assert [claim.task.task_id for claim in claims] == made[:3]


async def test_epics_are_for_others():
    async with TodoramaServer() as todorama, far_board(todorama) as board:
        fields = {"task_instruction": "i", "verification_instruction": "v", "agent_id": "x"}
        for kind in ("abstract", "epic"):
            todorama.does("create_task", title="t", task_type=kind, **fields)
        assert await board.claim("a", lease_s=LEASE_S) is None


@pytest.mark.parametrize("fault", [LostAnswer(), Reset(), ServerError(), TooManyRequests(0)], ids=repr)
@pytest.mark.parametrize("tool", ["query_tasks", "reserve_task", "add_task_update"])
async def test_a_claim_whose_way_failed_is_had_by_the_next_try(tool, fault):
    async with TodoramaServer() as todorama, far_board(todorama) as board:
        task_id = made_by_another(todorama)
        await board.read(task_id)
        todorama.fails(tool, fault)
        (claim,) = await asyncio.gather(board.claim("a", lease_s=LEASE_S), return_exceptions=True)
        if isinstance(claim, JuneError):
            assert claim.retryable
            claim = await board.claim("a", lease_s=LEASE_S)
        assert claim.task.task_id == task_id
        await board.extend(claim, lease_s=LEASE_S)
        await board.complete(claim, "")
        assert end_of(todorama, task_id) == DONE_ONCE_BY_A


ENDS = [
    ("get_task_context", Reset()),
    ("complete_task", Reset()),
    ("complete_task", LostAnswer()),
    ("complete_task", ServerError(503)),
    ("complete_task", TooManyRequests(0)),
    ("verify_task", Reset()),
    ("verify_task", LostAnswer()),
    ("verify_task", TooManyRequests(0)),
]


@pytest.mark.parametrize(("tool", "fault"), ENDS, ids=str)
async def test_an_end_is_told_once_whatever_fails_on_the_way(tool, fault):
    async with TodoramaServer() as todorama, far_board(todorama) as board:
        task_id = made_by_another(todorama)
        claim = await board.claim("a", lease_s=LEASE_S)
        todorama.fails(tool, fault)
        for _ in range(2):
            (failure,) = await asyncio.gather(board.complete(claim, "fed"), return_exceptions=True)
            assert failure is None or failure.retryable
        await board.complete(claim, "fed")
        assert end_of(todorama, task_id) == DONE_ONCE_BY_A
        assert todorama.tasks[int(task_id)].notes == "fed"


@pytest.mark.parametrize(("tool", "fault"), ENDS, ids=str)
async def test_an_end_that_could_not_be_told_is_told_by_whoever_looks_for_work_next(tool, fault, store_url):
    async with TodoramaServer() as todorama:
        task_id = made_by_another(todorama)
        async with far_board(todorama, store_url) as board:
            claim = await board.claim("a", lease_s=LEASE_S)
            todorama.fails(tool, fault)
            await asyncio.gather(board.complete(claim, "fed"), return_exceptions=True)
        todorama.heals()
        async with far_board(todorama, store_url) as again:
            assert await again.claim("a", lease_s=LEASE_S) is None
        assert end_of(todorama, task_id) == DONE_ONCE_BY_A


async def test_an_end_that_an_agent_left_untold_is_told_by_another_after_its_lease(store_url):
    clock = HandClock()
    async with TodoramaServer() as todorama:
        task_id = made_by_another(todorama)
        async with far_board(todorama, store_url, clock=clock.clock()) as board:
            claim = await board.claim("a", lease_s=LEASE_S)
            todorama.fails("complete_task", Reset())
            with pytest.raises(Unreachable):
                await board.complete(claim, "fed")
        async with far_board(todorama, store_url, clock=clock.clock()) as other:
            assert await other.claim("b", lease_s=LEASE_S) is None
            assert end_of(todorama, task_id)[0] == "in_progress"
            clock.pass_s(LEASE_S + 1)
            assert await other.claim("b", lease_s=LEASE_S) is None
        assert end_of(todorama, task_id) == DONE_ONCE_BY_A


async def test_an_agent_that_was_killed_goes_on_with_its_task_first(store_url):
    async with TodoramaServer() as todorama:
        async with far_board(todorama, store_url) as board:
            task_id = made_by_another(todorama)
            lost = await board.claim("a", lease_s=LEASE_S)
            made_by_another(todorama)
        async with far_board(todorama, store_url) as again:
            found = await again.claim("a", lease_s=LEASE_S)
            assert (found.task.task_id, found.attempt, found.fence) == (task_id, 2, lost.fence + 1)
            for late in (again.complete(lost, ""), again.extend(lost, lease_s=1), again.progress(lost, "x")):
                with pytest.raises(Conflict):
                    await late
            await again.complete(found, "fed")
        assert end_of(todorama, task_id) == DONE_ONCE_BY_A


async def test_an_agent_whose_store_is_lost_goes_on_with_what_the_board_says_is_its_own():
    async with TodoramaServer() as todorama:
        async with far_board(todorama) as board:
            task_id = made_by_another(todorama)
            await board.claim("a", lease_s=LEASE_S)
        async with far_board(todorama) as again:
            assert (await again.claim("a", lease_s=LEASE_S)).task.task_id == task_id
            assert await again.claim("a", lease_s=LEASE_S) is None


async def test_an_agent_that_died_between_its_two_rights_to_a_task_keeps_it_from_nobody(store_url):
    clock = HandClock()
    async with TodoramaServer() as todorama:
        task_id = made_by_another(todorama)
        async with far_board(todorama, store_url, clock=clock.clock()) as board:
            todorama.fails("reserve_task", Reset())
            with pytest.raises(Unreachable):
                await board.claim("a", lease_s=LEASE_S)
        async with far_board(todorama, store_url, clock=clock.clock()) as other:
            assert await other.claim("b", lease_s=LEASE_S) is None
            clock.pass_s(LEASE_S + 1)
            assert (await other.claim("b", lease_s=LEASE_S)).task.task_id == task_id


async def test_a_task_that_somebody_unlocked_is_lost_and_known_to_be():
    async with TodoramaServer() as todorama, far_board(todorama) as board:
        task_id = made_by_another(todorama)
        claim = await board.claim("a", lease_s=0.05)
        todorama.does("bulk_unlock_tasks", task_ids=[task_id], agent_id="x")
        todorama.does("reserve_task", task_id=task_id, agent_id="x")
        await asyncio.sleep(0.06)  # a lease, after which the board is asked whose the task is
        with pytest.raises(Conflict):
            await board.progress(claim, "half")
        with pytest.raises(Conflict):
            await board.complete(claim, "fed")
        assert end_of(todorama, task_id) == ("in_progress", "unverified", "x", 0)


async def test_an_end_is_refused_where_somebody_else_took_the_task_meanwhile():
    async with TodoramaServer() as todorama, far_board(todorama) as board:
        task_id = made_by_another(todorama)
        claim = await board.claim("a", lease_s=LEASE_S)
        todorama.does("bulk_unlock_tasks", task_ids=[task_id], agent_id="x")
        todorama.does("reserve_task", task_id=task_id, agent_id="x")
        with pytest.raises(Conflict):
            await board.complete(claim, "fed")
        assert end_of(todorama, task_id) == ("in_progress", "unverified", "x", 0)
        assert await board.claim("a", lease_s=LEASE_S) is None


async def test_a_failed_task_stays_with_its_agent_until_a_person_unlocks_it(store_url):
    async with TodoramaServer() as todorama, far_board(todorama, store_url) as board:
        task_id = made_by_another(todorama)
        await board.fail(await board.claim("a", lease_s=LEASE_S), "No cat.")
        assert (await board.read(task_id)).status == "dead"
        assert todorama.times(int(task_id), "blocker") == 1
        assert end_of(todorama, task_id)[::2] == ("in_progress", "a")
        async with far_board(todorama, store_url) as again, far_board(todorama) as elsewhere:
            assert await again.claim("a", lease_s=LEASE_S) is None
            assert await elsewhere.claim("a", lease_s=LEASE_S) is None
        todorama.does("bulk_unlock_tasks", task_ids=[task_id], agent_id="a person")
        claim = await board.claim("b", lease_s=LEASE_S)
        assert (claim.task.task_id, (await board.read(task_id)).status) == (task_id, "in_progress")


async def test_an_agent_that_is_killed_at_a_task_that_failed_before_goes_on_with_it(store_url):
    async with TodoramaServer() as todorama:
        task_id = made_by_another(todorama)
        async with far_board(todorama, store_url) as board:
            await board.fail(await board.claim("a", lease_s=LEASE_S), "No cat.")
            todorama.does("bulk_unlock_tasks", task_ids=[task_id], agent_id="a person")
            todorama.fails("add_task_update", Reset())
            assert await board.claim("a", lease_s=LEASE_S) is not None
        async with far_board(todorama, store_url) as again:
            assert (await again.claim("a", lease_s=LEASE_S)).task.task_id == task_id


@pytest.mark.parametrize(("status", "standing"), [("blocked", "free"), ("cancelled", "done")])
async def test_work_that_was_stopped_while_its_agent_was_away_is_not_gone_on_with(status, standing, store_url):
    async with TodoramaServer() as todorama:
        task_id = made_by_another(todorama)
        async with far_board(todorama, store_url) as board:
            await board.claim("a", lease_s=LEASE_S)
        todorama.tasks[int(task_id)].task_status = status
        async with far_board(todorama, store_url) as again:
            assert await again.claim("a", lease_s=LEASE_S) is None
            assert await again._plain._ledger.standings([task_id]) == {task_id: standing}


@pytest.mark.parametrize("fault", [LostAnswer(), Reset()], ids=repr)
async def test_a_task_is_given_back_whatever_fails_on_the_way(fault):
    async with TodoramaServer() as todorama, far_board(todorama) as board:
        task_id = made_by_another(todorama)
        claim = await board.claim("a", lease_s=LEASE_S)
        todorama.fails("unlock_task", fault)
        with pytest.raises(Unreachable):
            await board.release(claim, "tired")
        await board.release(claim, "tired")
        assert end_of(todorama, task_id) == ("available", "unverified", None, 0)
        assert (await board.claim("b", lease_s=LEASE_S)).attempt == 2


async def test_agents_that_share_the_board_alone_find_what_one_of_them_lost():
    """The lease is told on the board, and time is the reader's own."""
    async with TodoramaServer() as todorama, far_board(todorama) as other:
        task_id = made_by_another(todorama)
        async with far_board(todorama) as board:
            lost = await board.claim("a", lease_s=0.3)
        found = await other.claim("b", lease_s=0.3, wait_s=PATIENCE_S)
        assert (found.task.task_id, todorama.tasks[int(task_id)].assigned_agent) == (task_id, "b")
        async with far_board(todorama) as board:
            with pytest.raises(Conflict):
                await board.complete(lost, "fed")
        await other.complete(found, "fed")
        assert end_of(todorama, task_id) == ("complete", "verified", "b", 1)


async def test_what_is_told_to_be_held_stays_with_its_agent():
    async with TodoramaServer() as todorama, far_board(todorama) as board, far_board(todorama) as other:
        made_by_another(todorama)
        claim = await board.claim("a", lease_s=LEASE_S)
        foreign = made_by_another(todorama)
        todorama.does("reserve_task", task_id=foreign, agent_id="x")
        asking = asyncio.create_task(other.claim("b", lease_s=0.15, wait_s=PATIENCE_S))
        await todorama.until(lambda: len(todorama.calls_of("get_task_context")) >= 6)
        assert not asking.done()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await board.complete(claim, "")
        assert todorama.tasks[int(foreign)].assigned_agent == "x"


def told(task_id: int, agent_id: str, update_id: int | None, lease_s: float = LEASE_S) -> dict:
    lease = {"id": update_id, "agent_id": agent_id, "notes": f"june-lease {lease_s:g}"}
    return {"task": {"id": task_id, "assigned_agent": agent_id}, "updates": [] if update_id is None else [lease]}


def test_a_lost_task_is_told_from_a_held_one_within_two_leases():
    """Whenever the agent dies after it told its lease, looking three times a lease."""
    for died_s in range(1, int(LEASE_S), 7):
        watch, row, lost_s = Watch(), {"id": 1, "assigned_agent": "a"}, None
        for look in range(-3, 12):
            now_s = look * LEASE_S / 3
            update_id = 8 if now_s >= died_s else 7 if now_s >= 0 else 6
            if watch.to_read([row]) and watch.is_lost(told(1, "a", update_id), now_s):
                lost_s = now_s
                break
        assert lost_s is not None
        assert LEASE_S <= lost_s - died_s <= 2 * LEASE_S


def test_a_watch_reads_few_tasks_at_once_each_in_turn_and_foreign_ones_twice():
    watch = Watch()
    rows = [{"id": number, "assigned_agent": "a"} for number in range(READ_AT_ONCE + 3)]
    assert watch.to_read(rows) == []
    seen: list[str] = []
    for look in range(8):
        for task_id in watch.to_read(rows):
            seen.append(task_id)
            watch.is_lost(told(int(task_id), "a", None if task_id == "0" else 7), float(look))
    assert seen.count("0") == 2
    assert min(seen.count(str(row["id"])) for row in rows[1:]) >= 4


def test_a_watch_never_takes_what_is_held_for_good():
    watch = Watch()
    watch.to_read([{"id": 1, "assigned_agent": "a"}])
    assert not any(watch.is_lost(told(1, "a", 7, math.inf), now_s) for now_s in (0.0, 1e9, 2e9))
    assert watch.to_read([{"id": 1, "assigned_agent": "a"}]) == []


async def test_looking_for_work_in_vain_keeps_to_its_pace():
    async with TodoramaServer() as todorama, far_board(todorama) as board:
        assert await board.claim("a", lease_s=LEASE_S) is None
        before = len(todorama.calls)
        assert await board.claim("a", lease_s=LEASE_S, wait_s=20 * POLL_S) is None
        assert len(todorama.calls) - before <= 20 / 0.8 + 1
        assert {call.tool for call in todorama.calls[before:]} == {"query_tasks"}


async def test_a_task_costs_five_requests():
    async with TodoramaServer() as todorama, far_board(todorama) as board:
        assert await board.claim("a", lease_s=LEASE_S) is None
        made_by_another(todorama)
        before = len(todorama.calls)
        await board.complete(await board.claim("a", lease_s=LEASE_S), "fed")
        asked = [call.tool for call in todorama.calls[before:]]
        assert asked == ["query_tasks", "reserve_task", "add_task_update", "complete_task", "verify_task"]


async def test_whoever_waits_leaves_the_rest_of_the_limit_to_those_who_work():
    async with TodoramaServer(limit=Limit(requests=20, window_s=3600)) as todorama, far_board(todorama) as board:
        assert await board.claim("a", lease_s=LEASE_S, wait_s=40 * POLL_S) is None
        assert {call.status for call in todorama.calls} == {200}
        assert len(todorama.calls) <= 18, "a fifth of the limit is left, but for the last look before the wait is over"


async def test_whoever_waits_sits_a_refusal_out():
    async with TodoramaServer() as todorama, far_board(todorama) as board:
        task_id = made_by_another(todorama)
        await board.read(task_id)
        todorama.fails("query_tasks", TooManyRequests(1))
        assert (await board.claim("a", lease_s=LEASE_S, wait_s=PATIENCE_S)).task.task_id == task_id


async def test_a_refusal_that_lasts_longer_than_the_wait_is_told():
    async with TodoramaServer() as todorama, far_board(todorama) as board:
        await board.read(made_by_another(todorama))
        todorama.fails("query_tasks", TooManyRequests(41))
        with pytest.raises(RateLimited):
            await board.claim("a", lease_s=LEASE_S, wait_s=1)


async def test_work_that_this_process_makes_is_claimed_without_a_poll(monkeypatch):
    async with TodoramaServer() as todorama, far_board(todorama) as board:
        board._plain._poll_s = 3600.0
        waiting = asyncio.create_task(board.claim("a", lease_s=LEASE_S, wait_s=PATIENCE_S))
        await todorama.until(lambda: len(todorama.calls_of("query_tasks")) >= 3)
        task_id = await board.create(new(), key="k")
        assert (await waiting).task.task_id == task_id


async def test_a_board_that_hangs_while_somebody_waits_does_not_hold_up_their_work():
    async with TodoramaServer() as todorama, far_board(todorama, deadline_s=2) as board:
        made_by_another(todorama)
        claim = await board.claim("a", lease_s=LEASE_S)
        todorama.fails("query_tasks", Hang())
        waiting = asyncio.create_task(board.claim("b", lease_s=LEASE_S, wait_s=PATIENCE_S))
        await todorama.until(lambda: todorama.calls[-1].tool == "query_tasks")
        await board.complete(claim, "")
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
