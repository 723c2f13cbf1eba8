"""`/stop` reaches whoever works on an owner's message, and no answer comes."""

import asyncio

import pytest

from essence.fakes.telegram import TelegramServer
from essence.tasks.opening import open_board
from essence.work import STOPPED, request_of
from tests.agent_house import Script, World, world
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
    class Endless:
        def __init__(self) -> None:
            self.asked = asyncio.Event()

        async def reply(self, history, *, tools=()):
            self.asked.set()
            await asyncio.Event().wait()
            yield

    task_id, model = await here.ask(), Endless()
    working = asyncio.create_task(here.worker_with(model).work_once())
    await model.asked.wait()
    await stop(here)
    await working
    assert here.answers == []
    task = await here.task_of(task_id)
    assert (task.status, task.notes) == ("dead", "Its owner stopped it.")


async def test_an_answer_that_is_written_is_delivered_all_the_same(here: World):
    await here.ask()
    await here.store.journal.record("telegram:7:10", "answer", '{"text":"Paris.","failed":false}', person="telegram/1")
    await stop(here)
    await here.worker("London.").work_once()
    assert here.answer == "Paris."


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
