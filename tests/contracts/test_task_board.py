"""What every player of the task board keeps to, be it June's own in this process or somebody else's far away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from essence.config import TaskBoards
from essence.errors import Conflict, InvalidInput, NotFound
from essence.fakes.board import MemoryBoard
from essence.ports import TaskBoard
from essence.tasks.board import open_own
from essence.tasks.near import NearBoard
from essence.work import NewTask
from tests.far_boards import at_a_todorama, at_junes_own
from tests.store_cases import HandClock

SETTINGS = TaskBoards(_env_file=None, todorama_poll_s=0.05, todorama_max_attempts=3, tasks_poll_s=1.0)
LEASE_S = 30.0
WORK = NewTask("Paint the door", "Paint it blue.", "The door is blue.", project_id="1")


@dataclass(frozen=True, slots=True)
class World:
    """A board that is new, and time that passes when it is told to."""

    board: TaskBoard
    other: TaskBoard
    """The same board for another process."""
    pass_s: Callable[[float], None]
    counts_attempts: bool = True


@dataclass(frozen=True, slots=True)
class Player:
    """How a player is brought into play; `database`: which one it needs, if any."""

    name: str
    opened: Callable[[str], AbstractAsyncContextManager[World]]
    database: str


@asynccontextmanager
async def near_in_one_process(url: str) -> AsyncIterator[World]:
    clock = HandClock()
    async with open_own(url, SETTINGS, clock.clock()) as board:
        yield World(NearBoard(board, 1), NearBoard(board, 1), clock.pass_s)


@asynccontextmanager
async def near_in_two_processes(url: str) -> AsyncIterator[World]:
    clock = HandClock()
    async with AsyncExitStack() as stack:
        boards = [await stack.enter_async_context(open_own(url, SETTINGS, clock.clock())) for _ in range(2)]
        yield World(NearBoard(boards[0], 1), NearBoard(boards[1], 1), clock.pass_s)


@asynccontextmanager
async def far_at_a_todorama(url: str) -> AsyncIterator[World]:
    async with at_a_todorama(url) as (board, other, pass_s):
        yield World(board, other, pass_s)


@asynccontextmanager
async def far_at_junes_own(url: str) -> AsyncIterator[World]:
    async with at_junes_own(url) as (board, other, pass_s):
        yield World(board, other, pass_s)


@asynccontextmanager
async def fake(url: str) -> AsyncIterator[World]:
    clock = HandClock()
    board = MemoryBoard(now=lambda: clock.wall)
    yield World(board, board.elsewhere(), clock.pass_s)


PLAYERS = [
    Player("fake", fake, "memory"),
    Player("near-memory", near_in_one_process, "memory"),
    Player("near-sqlite", near_in_two_processes, "sqlite"),
    Player("near-postgresql", near_in_two_processes, "postgresql"),
    Player("far-todorama-sqlite", far_at_a_todorama, "sqlite"),
    Player("far-todorama-postgresql", far_at_a_todorama, "postgresql"),
    Player("far-june", far_at_junes_own, "memory"),
]


@pytest.fixture(params=PLAYERS, ids=lambda player: player.name)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    player = request.param
    urls = {"memory": lambda: "memory://", "sqlite": lambda: request.getfixturevalue("file_url")}
    new_database = urls.get(player.database, lambda: request.getfixturevalue("postgresql").new_database())
    async with player.opened(new_database()) as opened:
        yield opened


async def test_a_repeat_with_the_same_key_makes_no_second_task(world):
    task_id = await world.board.create(WORK, key="k")
    assert await world.board.create(replace(WORK, title="Another title"), key="k") == task_id
    assert await world.other.create(WORK, key="k") == task_id
    assert await world.board.create(WORK, key="l") != task_id


async def test_what_was_created_can_be_read(world):
    task = await world.board.read(await world.board.create(replace(WORK, priority="high"), key="k"))
    assert (task.title, task.instruction, task.verification) == (WORK.title, WORK.instruction, WORK.verification)
    assert (task.status, task.priority, task.project_id, task.agent_id) == ("available", "high", "1", None)


@pytest.mark.parametrize("wrong", [{"project_id": "999"}, {"parent_task_id": "999"}])
async def test_a_task_of_what_is_not_there_is_refused_and_leaves_nothing(world, wrong):
    with pytest.raises((NotFound, InvalidInput)):
        await world.board.create(replace(WORK, **wrong), key="k")
    assert await world.board.claim("a", lease_s=LEASE_S) is None


@pytest.mark.parametrize("wrong", [{"title": " "}, {"instruction": ""}])
async def test_a_task_that_says_nothing_is_refused(world, wrong):
    with pytest.raises(InvalidInput):
        await world.board.create(replace(WORK, **wrong), key="k")


async def test_reading_what_is_not_there_is_not_found(world):
    for task_id in ("999", "none"):
        with pytest.raises(NotFound):
            await world.board.read(task_id)


async def test_no_work_is_no_failure(world):
    assert await world.board.claim("a", lease_s=LEASE_S) is None


async def test_the_most_urgent_task_is_claimed_first_the_oldest_of_those(world):
    for number, priority in enumerate(("low", "medium", "critical", "high", "critical")):
        await world.board.create(replace(WORK, title=f"{priority} {number}", priority=priority), key=str(number))
    claims = [await world.board.claim(agent, lease_s=LEASE_S) for agent in "abcde"]
    assert [claim.task.title for claim in claims] == ["critical 2", "critical 4", "high 3", "medium 1", "low 0"]


async def test_a_claim_says_who_works_for_the_how_manieth_time(world):
    task_id = await world.board.create(WORK, key="k")
    claim = await world.board.claim("a", lease_s=LEASE_S)
    assert (claim.task.task_id, claim.agent_id, claim.attempt) == (task_id, "a", 1)
    assert (claim.task.status, claim.task.agent_id) == ("in_progress", "a")


async def test_work_that_comes_while_somebody_waits_is_theirs(world):
    waiting = asyncio.create_task(world.board.claim("a", lease_s=LEASE_S, wait_s=30))
    await asyncio.sleep(0.1)
    task_id = await world.other.create(WORK, key="k")
    assert (await waiting).task.task_id == task_id


async def test_no_task_is_given_to_two_agents(world):
    for number in range(10):
        await world.board.create(WORK, key=str(number))
    boards = (world.board, world.other)
    claims = await asyncio.gather(*(boards[n % 2].claim(f"agent-{n}", lease_s=LEASE_S) for n in range(14)))
    taken = [claim.task.task_id for claim in claims if claim is not None]
    assert len(taken) == len(set(taken)) == 10


async def test_an_agent_that_works_is_given_other_work(world):
    for number in range(2):
        await world.board.create(WORK, key=str(number))
    first = await world.board.claim("a", lease_s=LEASE_S)
    second = await world.board.claim("a", lease_s=LEASE_S)
    assert first.task.task_id != second.task.task_id
    assert await world.board.claim("a", lease_s=LEASE_S) is None
    await world.board.complete(first, "done")
    await world.board.complete(second, "done")


async def test_what_an_agent_held_when_it_was_killed_comes_first(world):
    task_id = await world.board.create(replace(WORK, priority="low"), key="k")
    lost = await world.board.claim("a", lease_s=LEASE_S)
    await world.board.create(replace(WORK, priority="critical"), key="l")
    found = await world.other.claim("a", lease_s=LEASE_S)
    assert found.task.task_id == task_id
    assert found.fence > lost.fence
    await world.other.complete(found, "done")


async def test_those_who_wait_side_by_side_in_one_name_take_nothing_from_each_other(world):
    async def work() -> None:
        claim = await world.board.claim("a", lease_s=LEASE_S, wait_s=20)
        await asyncio.sleep(0.2)  # what would be taken is taken by now
        await world.board.complete(claim, "done")

    working = [asyncio.create_task(work()) for _ in range(4)]
    await asyncio.sleep(0.2)
    made = [await world.other.create(WORK, key=str(number)) for number in range(4)]
    await asyncio.gather(*working)
    assert {(await world.board.read(task_id)).status for task_id in made} == {"complete"}


async def test_a_task_whose_agent_is_lost_goes_to_another_after_its_lease(world):
    await world.board.create(WORK, key="k")
    lost = await world.board.claim("a", lease_s=LEASE_S)
    world.pass_s(LEASE_S - 1)
    assert await world.other.claim("b", lease_s=LEASE_S) is None
    world.pass_s(2)
    found = await world.other.claim("b", lease_s=LEASE_S)
    assert (found.task.task_id, found.agent_id) == (lost.task.task_id, "b")
    assert found.fence > lost.fence
    assert found.attempt == (2 if world.counts_attempts else found.attempt)


@pytest.mark.parametrize("late", ["extend", "progress", "complete", "release", "fail"])
async def test_whoever_lost_a_claim_is_told_so_and_changes_nothing(world, late):
    await world.board.create(WORK, key="k")
    lost = await world.board.claim("a", lease_s=LEASE_S)
    world.pass_s(LEASE_S + 1)
    found = await world.other.claim("b", lease_s=LEASE_S)
    says = {"extend": {"lease_s": LEASE_S}}
    words = {"progress": ["half"], "complete": ["done"], "release": ["tired"], "fail": ["broken"]}
    with pytest.raises(Conflict):
        await getattr(world.board, late)(lost, *words.get(late, []), **says.get(late, {}))
    task = await world.other.read(found.task.task_id)
    assert (task.status, task.agent_id) == ("in_progress", "b")
    await world.other.complete(found, "done")


async def test_an_extended_claim_holds_longer(world):
    await world.board.create(WORK, key="k")
    claim = await world.board.claim("a", lease_s=LEASE_S)
    for _ in range(3):
        world.pass_s(LEASE_S - 1)
        await world.board.extend(claim, lease_s=LEASE_S)
    assert await world.other.claim("b", lease_s=LEASE_S) is None
    await world.board.complete(claim, "done")


async def test_a_complete_task_is_offered_to_nobody_and_may_be_completed_again(world):
    await world.board.create(WORK, key="k")
    claim = await world.board.claim("a", lease_s=LEASE_S)
    await world.board.complete(claim, "It is blue.")
    await world.board.complete(claim, "It is blue.")
    assert await world.board.claim("a", lease_s=LEASE_S) is None
    assert await world.other.claim("b", lease_s=LEASE_S) is None
    task = await world.board.read(claim.task.task_id)
    assert (task.status, task.agent_id, task.notes) == ("complete", "a", "It is blue.")


async def test_a_released_task_is_claimed_again_after_its_rest(world):
    await world.board.create(WORK, key="k")
    await world.board.release(await world.board.claim("a", lease_s=LEASE_S), "no paint", retry_s=60)
    assert await world.other.claim("b", lease_s=LEASE_S) is None
    world.pass_s(61)
    again = await world.other.claim("b", lease_s=LEASE_S)
    assert again.attempt == (2 if world.counts_attempts else again.attempt)
    await world.other.release(again, "no brush")
    assert await world.board.claim("a", lease_s=LEASE_S) is not None


async def test_what_is_given_back_unblamed_is_free_at_once_and_was_no_attempt(world):
    await world.board.create(WORK, key="k")
    for _ in range(7):
        claim = await world.board.claim("a", lease_s=LEASE_S)
        assert claim.attempt == (1 if world.counts_attempts else claim.attempt)
        await world.board.release(claim, "It was stopped.", counts=False)
    with pytest.raises(Conflict):
        await world.board.complete(claim, "done")
    assert (await world.other.claim("b", lease_s=LEASE_S)).fence > claim.fence


async def test_a_task_lives_for_as_many_attempts_as_it_asks_for(world):
    await world.board.create(replace(WORK, attempts_max=9), key="k")
    for _ in range(8):
        await world.board.release(await world.board.claim("a", lease_s=LEASE_S), "no paint")
    assert await world.board.claim("a", lease_s=LEASE_S) is not None


async def test_a_failed_task_is_offered_to_nobody(world):
    await world.board.create(WORK, key="k")
    claim = await world.board.claim("a", lease_s=LEASE_S)
    await world.board.fail(claim, "There is no door.")
    world.pass_s(10 * 86400)
    assert await world.board.claim("a", lease_s=LEASE_S) is None
    assert await world.other.claim("b", lease_s=LEASE_S) is None
    task = await world.board.read(claim.task.task_id)
    assert "There is no door." in [update.text for update in task.updates]


async def test_progress_is_in_the_history_in_order(world):
    await world.board.create(WORK, key="k")
    claim = await world.board.claim("a", lease_s=LEASE_S)
    for text in ("one", "two", "three"):
        await world.board.progress(claim, text)
    task = await world.other.read(claim.task.task_id)
    told = [(update.agent_id, update.text) for update in task.updates if update.kind == "progress"]
    assert told == [("a", "one"), ("a", "two"), ("a", "three")]


async def test_a_task_s_end_does_not_fail_on_its_words(world):
    for number, words in enumerate(("", "\0 \ud800 \N{SNOWMAN}", "x" * 200_000)):
        await world.board.create(WORK, key=str(number))
        claim = await world.board.claim("a", lease_s=LEASE_S)
        await world.board.progress(claim, words)
        await world.board.complete(claim, words)
