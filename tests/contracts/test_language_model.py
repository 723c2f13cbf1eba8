"""What every language model promises, near, far and fake."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager

import pytest

from essence.config import LlmEngine
from essence.dialogue import Finished, ReasoningDelta, TextDelta, ToolCall, ToolSpec, Turn
from essence.engines.llm.openai import open_player
from essence.errors import EmptyAnswer
from essence.fakes import ScriptedModel
from essence.fakes.openai_server import Answer, CallTool, OpenAiServer, Think
from essence.ports import LanguageModel
from essence.rpc import client
from essence.rpc.server import LANGUAGE_MODEL, serving

HISTORY = (Turn("system", "You are June."), Turn("user", "Hello?"))
LOOK = ToolSpec("look", "Looks around.", '{"type": "object"}')
CALL = ToolCall("a", "look", '{"at": "sky"}')

Open = Callable[[str], AbstractAsyncContextManager[LanguageModel]]


@asynccontextmanager
async def fake(script: str) -> AsyncIterator[LanguageModel]:
    yield {
        "words": ScriptedModel("Hello there, friend."),
        "nothing": ScriptedModel(),
        "tool": ScriptedModel(CALL, Finished("tool_calls")),
        "thought": ScriptedModel(ReasoningDelta("Hmm."), "Yes."),
    }[script]


@asynccontextmanager
async def openai(script: str) -> AsyncIterator[LanguageModel]:
    answer = {
        "words": Answer("Hello", " there,", " friend."),
        "nothing": Answer(),
        "tool": Answer(CallTool('{"at":', 0, "a", "look"), CallTool(' "sky"}'), finish_reason="tool_calls"),
        "thought": Answer(Think("Hmm."), "Yes."),
    }[script]
    async with OpenAiServer(answer) as server, open_player(server.url, LlmEngine()) as model:
        yield model


def far(near: Open) -> Open:
    @asynccontextmanager
    async def opened(script: str) -> AsyncIterator[LanguageModel]:
        async with (
            near(script) as player,
            serving(LANGUAGE_MODEL, player) as url,
            client.open_language_model(url, LlmEngine()) as model,
        ):
            yield model

    return opened


every_player = pytest.mark.parametrize(
    "player", [fake, openai, far(fake), far(openai)], ids=["fake", "openai", "fake over gRPC", "openai over gRPC"]
)


@every_player
async def test_the_answer_streams_in_pieces_and_ends_once(player: Open) -> None:
    async with player("words") as model:
        events = [event async for event in model.reply(HISTORY)]
    words = [event.text for event in events if isinstance(event, TextDelta)]
    assert len(words) > 1
    assert "".join(words) == "Hello there, friend."
    assert [event for event in events if isinstance(event, Finished)] == [events[-1]]
    assert events[-1].reason == "stop"


@every_player
async def test_a_tool_call_comes_whole(player: Open) -> None:
    async with player("tool") as model:
        events = [event async for event in model.reply(HISTORY, tools=[LOOK])]
    assert events[0] == CALL
    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "tool_calls"


@every_player
async def test_reasoning_is_no_part_of_the_answer(player: Open) -> None:
    async with player("thought") as model:
        events = [event async for event in model.reply(HISTORY)]
    assert events[:2] == [ReasoningDelta("Hmm."), TextDelta("Yes.")]


@every_player
async def test_an_answer_without_a_word_is_a_failure(player: Open) -> None:
    async with player("nothing") as model:
        with pytest.raises(EmptyAnswer):
            [event async for event in model.reply(HISTORY)]


@every_player
async def test_a_reply_can_be_closed_early_and_asked_for_again(player: Open) -> None:
    async with player("words") as model:
        async with aclosing(model.reply(HISTORY)) as reply:
            assert isinstance(await anext(reply), TextDelta)
        assert [event async for event in model.reply(HISTORY)]
