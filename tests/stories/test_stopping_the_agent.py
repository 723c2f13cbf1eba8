"""`/stop` reaches whoever works on an owner's message, and no answer comes."""

import asyncio

import pytest
from structlog.testing import capture_logs

from essence.agent.crew import Crew
from essence.errors import EngineError
from essence.fakes.telegram import TelegramServer
from essence.ports.rounds import begun_round
from essence.tasks.opening import open_board
from essence.work import ANSWER, FAILED, STOPPED, request_of
from tests.agent_house import Endless, Script, World, world
from tests.chat_board import SETTINGS, at, task_on
from tests.chat_june import june


@pytest.fixture
async def here():
    async with world() as made:
        yield made


async def stop(here: World) -> None:
    await here.store.journal.record("telegram:7:10", STOPPED, "", person="telegram/1")


async def test_a_task_that_was_stopped_before_it_was_begun_is_not_worked_on(here: World):
    task_id = await here.ask()
    await stop(here)
    worker = here.worker_with(model := Script("Paris."))
    await worker.work_once()
    assert (model.seen, here.answers) == ([], [])
    assert (await here.task_of(task_id)).status == "dead"


async def test_work_that_is_stopped_breaks_off(here: World):
    task_id, model = await here.ask(), Endless()
    working = asyncio.create_task(here.worker_with(model).work_once())
    await model.asked.wait()
    await stop(here)
    await working
    assert here.answers == []
    task = await here.task_of(task_id)
    assert (task.status, task.notes) == ("dead", "Its owner stopped it.")


async def test_a_worker_goes_on_after_work_that_was_broken_off_though_nobody_told_it_to_stop(here: World):
    class BreaksOff:
        def __init__(self) -> None:
            self.model, self.asked = Script("Paris."), 0

        async def reply(self, history, *, tools=()):
            self.asked += 1
            if self.asked == 1:
                raise asyncio.CancelledError  # of a call that the other end broke off
            async for event in self.model.reply(history, tools=tools):
                yield event

    await here.ask()
    crew = Crew(here.worker_with(BreaksOff()), size=1, iterations=1)
    with capture_logs() as logs:
        async with asyncio.timeout(30):
            await crew.run()
    assert here.answer == "Paris."
    assert "work_broken_off" in [log["event"] for log in logs]


async def test_an_answer_that_is_written_is_delivered_all_the_same(here: World):
    await here.ask()
    await here.store.journal.record("telegram:7:10", "answer", '{"text":"Paris.","failed":false}', person="telegram/1")
    await stop(here)
    await here.worker("London.").work_once()
    assert here.answer == "Paris."


async def test_stop_reaches_work_that_is_tried_again(here: World):
    task_id = await here.ask()
    await here.worker(EngineError("The model broke.")).work_once()
    first = await begun_round("telegram:7:10", here.store.journal)
    assert {ANSWER, FAILED} <= first.steps.keys()  # nothing that could be stopped, until an agent has begun again
    here.board.revive(task_id)
    working = asyncio.create_task(here.worker_with(Endless()).work_once())
    async with asyncio.timeout(30):
        while (newest := await begun_round("telegram:7:10", here.store.journal)).number == 0:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert not {ANSWER, FAILED} & newest.steps.keys()
        await here.store.journal.record(newest.key, STOPPED, "", person="telegram/1")
        await working
    assert (await here.task_of(task_id)).status == "dead"
    assert len(here.answers) == 1


async def test_stop_in_the_chat_is_recorded_for_each_task_without_an_answer(tmp_path):
    async with TelegramServer() as telegram, open_board("memory://", SETTINGS) as board:
        ann, bob = telegram.user("Ann"), telegram.user("Bob")
        url = f"sqlite:///{tmp_path}/june.db"
        async with june(telegram, url, ann, guests=[bob], open_board=at(board)) as assistant:
            await ann.says("paint the fence")
            key = request_of(await task_on(board)).key
            while await assistant.store.inbox.backlog():  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            await bob.says("/stop")
            assert (await bob.receives()).text == "I wasn't saying anything."
            assert STOPPED not in await assistant.store.journal.steps(key)
            await ann.says("/stop")
            assert (await ann.receives()).text == "Stopped."
            assert STOPPED in await assistant.store.journal.steps(key)
            await ann.says("/stop")
            assert (await ann.receives()).text == "I wasn't saying anything."
