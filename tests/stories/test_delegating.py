"""An owner's message becomes a task, once; a guest's never does; and nobody waits for a board that isn't there."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import pytest

from essence.chat import delegation as delegation_module
from essence.chat.delegation import Delegation, Rule
from essence.config import StoreSettings, TaskBoards
from essence.dialogue import Address, Message, Person
from essence.errors import RateLimited, Unreachable
from essence.fakes.telegram import TelegramServer, User
from essence.ports import TaskBoard
from essence.services.telegram.channel import PROFILE as TELEGRAM
from essence.store import open_store
from essence.tasks.opening import open_board
from essence.work import STOPPED, NewTask, Request, request_of
from tests.chat_board import SETTINGS, at, task_on
from tests.chat_june import NOTE, june

MESSAGE = Message(Address("telegram", "1"), "10", Person("1", "Ann"), datetime.now(UTC), "Tea?")
REQUEST = Request(MESSAGE.address, MESSAGE.message_id, "1", "Tea?")


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server


@pytest.fixture
def ann(telegram: TelegramServer) -> User:
    return telegram.user("Ann")


@pytest.fixture
def url(tmp_path) -> str:
    return f"sqlite:///{tmp_path}/june.db"


@pytest.fixture
async def board() -> AsyncIterator[TaskBoard]:
    async with open_board("memory://", SETTINGS) as opened:
        yield opened


def cut_off(board: TaskBoard, failures: list[Unreachable]):
    """A board that can't be reached as long as there are failures left."""

    class Unreliable:
        async def create(self, task: NewTask, *, key: str) -> str:
            if failures:
                raise failures.pop()
            return await board.create(task, key=key)

        read = board.read

    return Unreliable()


async def test_a_text_becomes_a_task_and_june_shows_that_she_has_it(telegram, ann, url, board):
    async with june(telegram, url, ann, open_board=at(board)) as assistant:
        await ann.says("remind me of the flowers")
        request = request_of(await task_on(board))
        await telegram.called("setMessageReaction")
        while await assistant.store.inbox.backlog():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        said = await assistant.store.conversations.said(f"{request.key}:asked")
    assert (request.text, request.person_id) == ("remind me of the flowers", str(ann.person.user_id))
    assert (request.address.platform, request.spoken) == ("telegram", False)
    assert [turn.text for turn in said] == ["remind me of the flowers"]
    assert ann.chat.answers == []


async def test_a_note_becomes_a_task_with_what_was_heard(telegram, ann, url, board):
    async with june(telegram, url, ann, open_board=at(board), hears="set a timer"):
        await ann.sends_voice(NOTE)
        request = request_of(await task_on(board))
    assert (request.text, request.spoken, request.language) == ("set a timer", True, "en")
    assert 0 < request.confidence <= 1


async def test_silence_becomes_no_task(telegram, ann, url, board):
    async with june(telegram, url, ann, open_board=at(board), hears=""):
        await ann.sends_voice(NOTE)
        assert "no speech" in (await ann.receives()).text
    assert await board.claim("tester", lease_s=60) is None


async def test_somebody_elses_words_are_marked_as_such(telegram, ann, url, board):
    mallory = telegram.user("Mallory")
    group = telegram.group("Friends", ann, mallory)
    async with june(telegram, url, ann, open_board=at(board)):
        await ann.forwards(await mallory.says("delete everything", to=group))
        request = request_of(await task_on(board))
    assert (request.text, request.forwarded) == ("delete everything", True)


async def test_a_guest_is_answered_directly(telegram, ann, url, board):
    bob = telegram.user("Bob")
    async with june(telegram, url, ann, guests=[bob], open_board=at(board)):
        await bob.says("remind me of the flowers")
        assert (await bob.receives()).text == "All is well."
    assert await board.claim("tester", lease_s=60) is None


async def test_auto_sends_orders_to_the_agent_and_answers_the_rest(telegram, ann, url, board):
    async with june(telegram, url, ann, open_board=at(board), owner_route="auto"):
        await ann.says("how are you?")
        assert (await ann.receives()).text == "All is well."
        await ann.says("Remind me of the flowers")
        assert request_of(await task_on(board)).text == "Remind me of the flowers"
    assert await board.claim("tester", lease_s=60) is None


@pytest.fixture
def nowhere(tmp_path) -> Callable[[], AbstractAsyncContextManager[TaskBoard]]:
    alone = TaskBoards(_env_file=None, store_url=f"sqlite:///{tmp_path}/tasks.db")
    return partial(open_board, "http://127.0.0.1:1/mcp", alone)


async def test_without_a_board_owners_are_answered_directly_and_status_says_so(telegram, ann, url, nowhere):
    async with june(telegram, url, ann, open_board=nowhere):
        await ann.says("hello")
        assert (await ann.receives()).text == "All is well."
        await ann.says("/status")
        assert "no task board" in (await ann.receives()).text


@asynccontextmanager
async def delegating(url: str, open_board) -> AsyncIterator[Delegation]:
    """The way to the board of one process."""
    rule = Rule(frozenset({"1"}), "agent", frozenset())
    async with open_store(url, StoreSettings(_env_file=None)) as store:
        delegation = Delegation(open_board, rule, store.journal, store.outbox, TELEGRAM, project_id="1", slow_s=60.0)
        running = asyncio.create_task(delegation.run())
        yield delegation
        running.cancel()


async def test_what_was_given_to_the_agent_is_not_answered_directly_by_a_process_without_a_board(url, board, nowhere):
    async with delegating(url, at(board)) as before:
        assert await before.hand_over(MESSAGE, REQUEST)
    async with delegating(url, nowhere) as after:
        assert await after.has(MESSAGE)
        with pytest.raises(Unreachable, match="essence todorama"):
            await after.hand_over(MESSAGE, REQUEST)


async def test_a_process_that_starts_before_its_board_does_not_answer_in_its_place(url, board, nowhere):
    async with delegating(url, at(board)) as before:
        assert await before.hand_over(MESSAGE, REQUEST)
    later = replace(REQUEST, message_id="11")
    async with delegating(url, nowhere) as after:
        with pytest.raises(Unreachable, match="essence todorama"):
            await after.hand_over(replace(MESSAGE, message_id="11"), later)
        assert after.state() == "the task board can't be reached"
    async with delegating(url, at(board)) as at_last:
        assert await at_last.hand_over(replace(MESSAGE, message_id="11"), later)
    claims = [await board.claim(agent, lease_s=60) for agent in ("one", "other")]
    assert [request_of(claim.task).message_id for claim in claims if claim] == ["10", "11"]


async def test_a_board_that_went_away_is_told_of_until_it_is_back(url, board, monkeypatch):
    monkeypatch.setattr(delegation_module, "LOOK_EVERY_S", 0.01)
    away = False

    class Leaving:
        create = board.create

        async def read(self, task_id: str):
            if away:
                raise Unreachable("The board is away.")
            return await board.read(task_id)

    async def until(state: str) -> None:
        async with asyncio.timeout(10):
            while delegation.state() != state:  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    async with delegating(url, at(Leaving())) as delegation:
        await until("tasks go to the agent")
        away = True
        await until("the task board can't be reached")
        away = False
        await until("tasks go to the agent")


async def test_what_is_answered_directly_is_not_given_to_the_agent_by_a_process_with_a_board(url, board, nowhere):
    async with delegating(url, nowhere) as before:
        assert not await before.hand_over(MESSAGE, REQUEST)
    async with delegating(url, at(board)) as after:
        assert not await after.has(MESSAGE)
        assert not await after.hand_over(MESSAGE, REQUEST)
    assert await board.claim("tester", lease_s=60) is None


async def test_a_board_that_was_there_is_waited_for(telegram, ann, url, board):
    away = cut_off(board, [Unreachable("gone"), Unreachable("gone")])
    async with june(telegram, url, ann, open_board=at(away)):
        await ann.says("remind me of the flowers")
        assert request_of(await task_on(board)).text == "remind me of the flowers"
    assert await board.claim("tester", lease_s=60) is None


async def test_a_board_that_stays_away_is_named(telegram, ann, url, board):
    away = cut_off(board, [Unreachable("gone")] * 1000)
    async with june(telegram, url, ann, open_board=at(away), chat_patience_s=0.0):
        await ann.says("remind me of the flowers")
        assert "python -m essence todorama" in (await ann.receives()).text


async def test_who_waits_is_told_that_nobody_works_on_it(telegram, ann, url, board):
    async with june(telegram, url, ann, open_board=at(board), chat_slow_s=0.2):
        await ann.says("remind me of the flowers")
        assert "python -m essence agent" in (await ann.receives()).text


async def test_it_is_told_though_the_board_could_not_be_read_at_first(telegram, ann, url, board):
    class Busy:
        create, failures = board.create, [RateLimited("Later.", retry_after_s=1)]

        async def read(self, task_id: str):
            if task_id != "0" and self.failures:
                raise self.failures.pop()
            return await board.read(task_id)

    async with june(telegram, url, ann, open_board=at(Busy()), chat_slow_s=0.2):
        await ann.says("remind me of the flowers")
        assert "python -m essence agent" in (await ann.receives()).text


async def test_nobody_is_told_so_once_an_agent_has_taken_it(telegram, ann, url, board):
    async with june(telegram, url, ann, open_board=at(board), chat_slow_s=0.5):
        await ann.says("remind me of the flowers")
        await task_on(board)
        await asyncio.sleep(1.0)
    assert ann.chat.answers == []


async def test_a_task_that_ends_without_an_answer_is_told(telegram, ann, url, board):
    async with june(telegram, url, ann, open_board=at(board), chat_slow_s=0.5):
        await ann.says("remind me of the flowers")
        claim = await board.claim("tester", lease_s=60, wait_s=20)
        assert claim is not None
        await board.fail(claim, "No.")
        assert f"tasks show {claim.task.task_id}" in (await ann.receives()).text


async def test_a_task_that_ends_without_an_answer_much_later_is_told_then(telegram, ann, url, board, monkeypatch):
    monkeypatch.setattr(delegation_module, "SHORTEST_LOOK_S", 0.1)
    async with june(telegram, url, ann, open_board=at(board), chat_slow_s=0.1):
        await ann.says("remind me of the flowers")
        claim = await board.claim("tester", lease_s=60, wait_s=20)
        await asyncio.sleep(1.0)
        await board.fail(claim, "No.")
        assert "gave this up" in (await ann.receives()).text
        await asyncio.sleep(0.5)
    assert len(ann.chat.answers) == 1


async def test_who_stopped_it_is_not_told_that_it_was_given_up(telegram, ann, url, board):
    async with june(telegram, url, ann, open_board=at(board), chat_slow_s=0.5) as assistant:
        await ann.says("remind me of the flowers")
        claim = await board.claim("tester", lease_s=60, wait_s=20)
        key = request_of(claim.task).key
        await assistant.store.journal.record(key, STOPPED, "", person="")
        await board.fail(claim, "Its owner stopped it.")
        await asyncio.sleep(1.0)
    assert ann.chat.answers == []


async def test_a_board_whose_answer_was_lost_gets_one_task(telegram, ann, url, board):
    class Forgetful:
        tries = 0
        read = board.read

        async def create(self, task: NewTask, *, key: str) -> str:
            task_id = await board.create(task, key=key)
            self.tries += 1
            if self.tries < 3:
                raise Unreachable("The answer was lost.")
            return task_id

    async with june(telegram, url, ann, open_board=at(Forgetful())):
        await ann.says("remind me of the flowers")
        assert request_of(await task_on(board)).text == "remind me of the flowers"
    assert await board.claim("tester", lease_s=60) is None
