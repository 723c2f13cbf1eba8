"""Several agents at one board, with everything that goes wrong: each task is worked on once."""

import asyncio
import random
from collections import Counter

import pytest

from essence.errors import JuneError
from essence.fakes.todorama import Fault, LostAnswer, Reset, ServerError, TodoramaServer, TooManyRequests
from essence.tasks.far import FarBoard
from tests.far_boards import far_board, made_by_another

TASKS = 200
LEASE_S = 600.0
TOOLS = ("query_tasks", "reserve_task", "add_task_update", "complete_task", "verify_task", "get_task_context")
FAULTS: tuple[Fault, ...] = (Reset(), LostAnswer(), ServerError(), TooManyRequests(0))


async def patiently(call):
    """As an agent does: what may be tried again is tried again."""
    while True:
        try:
            return await call()
        except JuneError as error:
            if not error.retryable:
                raise


async def work_until_there_is_none(board: FarBoard, agent_id: str, pause: random.Random) -> list[str]:
    done: list[str] = []
    while claim := await patiently(lambda: board.claim(agent_id, lease_s=LEASE_S)):
        await asyncio.sleep(pause.random() * 0.01)
        await patiently(lambda claim=claim: board.complete(claim, f"by {agent_id}"))
        done.append(claim.task.task_id)
    return done


@pytest.mark.parametrize("share_a_store", [True, False])
@pytest.mark.parametrize("seed", [None, 7])
async def test_two_agents_work_on_each_task_once(share_a_store, seed, tmp_path):
    """With a seed there are faults, too."""
    urls = [f"sqlite:///{tmp_path}/june.db"] * 2 if share_a_store else ["memory://"] * 2
    chance = random.Random(seed)
    async with TodoramaServer() as todorama:
        made = [made_by_another(todorama, f"Task {number}") for number in range(TASKS)]
        if seed is not None:
            for _ in range(60):
                todorama.fails(chance.choice(TOOLS), chance.choice(FAULTS), skip=chance.randrange(60))
        async with far_board(todorama, urls[0]) as one, far_board(todorama, urls[1]) as other:
            agents = ((one, "a"), (other, "b"))
            working = (work_until_there_is_none(board, agent, random.Random(agent)) for board, agent in agents)
            by_one, by_other = await asyncio.gather(*working)
        assert Counter(by_one + by_other) == Counter(made)
        ends = {(task.task_status, task.verification_status) for task in todorama.tasks.values()}
        assert ends == {("complete", "verified")}
        assert by_one
        assert by_other


async def test_agents_of_one_process_share_its_board():
    async with TodoramaServer() as todorama, far_board(todorama) as board:
        made = [made_by_another(todorama) for _ in range(40)]
        agents = (work_until_there_is_none(board, f"agent-{number}", random.Random(number)) for number in range(4))
        done = [task_id for tasks in await asyncio.gather(*agents) for task_id in tasks]
        assert Counter(done) == Counter(made)
