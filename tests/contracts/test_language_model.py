"""What every LanguageModel does, whoever plays it. A new player is one line of PLAYERS."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager

import pytest

from essence import engines
from essence.config import LlmEngine
from essence.dialogue import Finished, TextDelta, ToolSpec, Turn
from essence.fakes import ScriptedModel
from essence.ports import LanguageModel
from essence.rpc import client
from essence.rpc.server import LANGUAGE_MODEL, serving

HISTORY = [Turn("system", "Answer in one short sentence."), Turn("user", "What is the capital of France?")]
CLOCK = ToolSpec("clock", "Tells the time.", '{"type": "object", "properties": {}}')


@asynccontextmanager
async def fake() -> AsyncIterator[LanguageModel]:
    yield ScriptedModel("It is Paris.")


@asynccontextmanager
async def far() -> AsyncIterator[LanguageModel]:
    async with serving(LANGUAGE_MODEL, ScriptedModel("It is Paris.")) as url:
        async with client.open_language_model(url, LlmEngine()) as player:
            yield player


def near() -> AbstractAsyncContextManager[LanguageModel]:
    return engines.open_language_model("llamacpp:qwen2.5-coder-0.5b-instruct", LlmEngine(llm_max_tokens=32))


PLAYERS = [fake, far, pytest.param(near, marks=pytest.mark.model)]


@pytest.fixture(params=PLAYERS)
async def player(request: pytest.FixtureRequest) -> AsyncIterator[LanguageModel]:
    opened: Callable[[], AbstractAsyncContextManager[LanguageModel]] = request.param
    async with opened() as model:
        yield model


async def test_an_answer_ends_with_one_finished(player: LanguageModel) -> None:
    events = [event async for event in player.reply(HISTORY)]
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    assert "Paris" in text
    assert [isinstance(event, Finished) for event in events] == [False] * (len(events) - 1) + [True]


async def test_the_last_event_tells_the_cost(player: LanguageModel) -> None:
    finished = [event async for event in player.reply(HISTORY)][-1]
    assert isinstance(finished, Finished)
    assert finished.usage.completion_tokens > 0


async def test_tools_may_be_offered(player: LanguageModel) -> None:
    events = [event async for event in player.reply(HISTORY, tools=[CLOCK])]
    assert isinstance(events[-1], Finished)


async def test_closing_early_is_clean_and_the_player_can_be_asked_again(player: LanguageModel) -> None:
    async with aclosing(player.reply(HISTORY)) as events:
        await anext(events)
    assert [event async for event in player.reply(HISTORY)]
