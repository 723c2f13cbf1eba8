"""An owner, Telegram, the board and the agent, all together: what is asked there is decided there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from zoneinfo import ZoneInfo

import pytest

from essence.agent.budget import Budget
from essence.agent.consent import Consent
from essence.agent.gate import Gate
from essence.agent.messengers import Messengers
from essence.agent.tools.tool import Arguments, Tool, typed
from essence.agent.worker import House, Manners, Worker
from essence.fakes.telegram import TelegramServer, User
from essence.ports import TaskBoard
from essence.tasks.opening import open_board
from tests.agent_house import DAY_COST, TASK_COST, Script, call
from tests.chat_board import SETTINGS, at
from tests.chat_june import june

ZONE = ZoneInfo("Europe/Berlin")


class Launch(Arguments):
    target: str


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server


@pytest.fixture
def ann(telegram: TelegramServer) -> User:
    return telegram.user("Ann")


@pytest.fixture
def launched() -> list[str]:
    return []


@asynccontextmanager
async def agent(telegram, ann, url, launched, *replies) -> AsyncIterator[Script]:
    """June on Telegram, and her agent at work on what she is asked."""

    async def launch(_, wanted: Launch) -> str:
        launched.append(wanted.target)
        return "Launched."

    outside = frozenset({"outside"})
    tool = Tool("launch", "Launch.", *typed(Launch), launch, effect="risk", proves=outside, repeatable=False)
    owners = {"telegram": frozenset({str(ann.person.user_id)})}
    async with open_board("memory://", SETTINGS) as board, june(telegram, url, ann, open_board=at(board)) as assistant:
        worker = Worker(_house(board, assistant, model := Script(*replies), tool), Manners("a", "June.", owners, ZONE))

        async def work() -> None:
            while True:
                await worker.work_once(wait_s=5)

        working = asyncio.create_task(work())
        yield model
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


def _house(board: TaskBoard, assistant, model: Script, tool) -> House:
    messengers = Messengers({"telegram": assistant.messenger})
    consent = Consent(assistant.store.approvals, messengers, wait_s=30)
    budget = Budget(TASK_COST, DAY_COST, ZONE)
    return House(board, model, assistant.store, messengers, lambda *_: (tool,), Gate(0.6), consent, budget)


@pytest.fixture
def url(tmp_path) -> str:
    return f"sqlite:///{tmp_path}/june.db"


async def test_the_owner_decides_by_a_button_and_reads_the_answer(telegram, ann, url, launched):
    async with agent(telegram, ann, url, launched, call("launch", target="Mars"), "It is launched."):
        await ann.says("Launch it")
        question = await ann.receives()
        assert "May I do this?" in question.text
        await ann.presses(question, "Do it")
        await ann.chat.until(lambda: any(said.text == "It is launched." for said in ann.chat.answers))
    assert launched == ["Mars"]


async def test_a_no_is_a_no_and_nobody_else_has_a_say(telegram, ann, url, launched):
    eve = telegram.user("Eve")
    async with agent(telegram, ann, url, launched, call("launch", target="Mars"), "All right."):
        await ann.says("Launch it")
        question = await ann.receives()
        await eve.presses(question, "Do it")
        await ann.presses(question, "Cancel")
        await ann.chat.until(lambda: any(said.text == "All right." for said in ann.chat.answers))
    assert launched == []


async def test_why_tells_what_the_agent_s_work_took_and_what_was_slow(telegram, ann, url, launched):
    async with agent(telegram, ann, url, launched, call("launch", target="Mars"), "It is launched."):
        await ann.says("Launch it")
        question = await ann.receives()
        await ann.says("/why")
        told = await ann.receives()
        assert told.text.startswith("My agent is still at work on your last message here. So far, ")
        assert "replies of the language model: 1" in told.text
        await asyncio.sleep(0.1)
        await ann.presses(question, "Do it")
        await ann.chat.until(lambda: any(said.text == "It is launched." for said in ann.chat.answers))
        told = await why_when(ann, "My agent's answer here took ")
        assert "replies of the language model: 2" in told
        assert "uses of tools: 1" in told
        assert "your yes (" in told
        assert "Longest: " in told
        assert "first token" not in told


async def why_when(ann: User, state: str) -> str:
    """What /why says once it begins so: what the person has, the agent may not know yet."""
    await ann.says("/why")
    async with asyncio.timeout(10):
        while not (told := (await ann.receives()).text).startswith(state):
            await ann.says("/why")
    return told


async def test_why_tells_that_no_agent_has_begun(telegram, ann, url):
    async with open_board("memory://", SETTINGS) as board, june(telegram, url, ann, open_board=at(board)):
        await ann.says("Launch it")
        told = await why_when(ann, "No agent has begun with your last message here yet. So far, ")
    assert "Longest: " in told


async def test_why_tells_of_what_june_answered_herself_as_before(telegram, ann, url):
    async with june(telegram, url, ann):
        await ann.says("hello")
        await ann.receives()
        assert "Longest at work" in await why_when(ann, "My last answer here took ")


async def test_the_question_is_shown_once_to_the_model(telegram, ann, url, launched):
    async with agent(telegram, ann, url, launched, "Paris.") as model:
        await ann.says("What is the capital of France?")
        await ann.receives()
    shown = [turn.text for turn in model.seen[0] if "capital of France" in turn.text]
    assert len(shown) == 1
