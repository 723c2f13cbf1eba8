"""Tools for models that have no native tool calls."""

import json

import jsonschema
import pytest

from essence.config import LlmEngine
from essence.dialogue import Finished, TextDelta, ToolCall, ToolSpec, Turn, Usage
from essence.engines.llm import constrained
from essence.engines.llm.endpoint import Endpoint
from essence.engines.llm.openai_model import open_model
from essence.errors import EmptyAnswer
from essence.fakes.openai_server import Answer, OpenAiServer

SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
REMEMBER = ToolSpec("remember", "Keep a fact.", json.dumps(SCHEMA))
STOP = Finished("stop", Usage(1, 2))


@pytest.mark.parametrize(
    ("reply", "fits"),
    [
        ({"name": "remember", "arguments": {"text": "x"}}, True),
        ({"name": "answer", "arguments": {"text": "x"}}, True),
        ({"name": "remember", "arguments": {}}, False),
        ({"name": "other", "arguments": {"text": "x"}}, False),
        ({"name": "remember", "arguments": {"text": "x"}, "more": 1}, False),
        ("x", False),
    ],
)
def test_the_schema_lets_a_model_use_a_tool_or_answer_and_nothing_else(reply, fits):
    validator = jsonschema.Draft202012Validator(constrained.schema([REMEMBER]))
    assert validator.is_valid(reply) is fits


def test_the_tools_are_told_once_in_the_system_turn():
    told = constrained.told([Turn("system", "You are June."), Turn("user", "Hi")], [REMEMBER])
    assert told[0].text.startswith("You are June.\n\n")
    assert "- remember: Keep a fact." in told[0].text
    assert told[1:] == (Turn("user", "Hi"),)
    assert constrained.told([Turn("user", "Hi")], [REMEMBER])[0].role == "system"


def test_earlier_uses_of_tools_become_the_text_that_they_were():
    used = Turn("assistant", "", (ToolCall("c", "remember", '{"text": "x"}'),))
    told = constrained.told([Turn("user", "Hi"), used, Turn("tool", "Done.", tool_call_id="c")], ())
    assert [(turn.role, turn.text) for turn in told] == [
        ("user", "Hi"),
        ("assistant", '{"name": "remember", "arguments": {"text": "x"}}'),
        ("user", "(Result of the tool:)\nDone."),
    ]


def test_a_reply_in_the_shape_is_a_call_or_words():
    call = constrained.events_of('{"name": "remember", "arguments": {"text": "x"}}', STOP)
    assert call == [ToolCall("call_0", "remember", '{"text": "x"}'), Finished("tool_calls", Usage(1, 2))]
    assert constrained.events_of('{"name": "answer", "arguments": {"text": "Hi."}}', STOP) == [TextDelta("Hi."), STOP]


def test_words_of_a_server_that_knows_no_schema_are_an_answer():
    assert constrained.events_of("Just words.", STOP) == [TextDelta("Just words."), STOP]


@pytest.mark.parametrize(
    "text", ['{"name": "remem', '{"x": 1}', "[]", '{"name": "answer", "arguments": {"text": " "}}']
)
def test_json_of_another_shape_is_no_answer(text):
    with pytest.raises(EmptyAnswer):
        constrained.events_of(text, STOP)


async def reply(server: OpenAiServer, **settings: object) -> list[object]:
    engine = LlmEngine().model_copy(update=settings)
    async with open_model(Endpoint(server.url, "", "small"), engine, on_this_machine=True) as model:
        return [event async for event in model.reply([Turn("user", "Remember x")], tools=[REMEMBER])]


async def test_a_server_is_asked_for_json_of_the_schema_and_no_native_tools():
    async with OpenAiServer(Answer('{"name": "remember", ', '"arguments": {"text": "x"}}')) as server:
        events = await reply(server, llm_tools="schema")
    assert [event for event in events if isinstance(event, ToolCall)] == [
        ToolCall("call_0", "remember", '{"text": "x"}')
    ]
    assert "tools" not in server.calls[0].body
    assert server.calls[0].body["response_format"]["json_schema"]["schema"] == constrained.schema([REMEMBER])


async def test_a_server_with_native_tool_calls_is_offered_them():
    async with OpenAiServer(Answer("Hi.")) as server:
        assert TextDelta("Hi.") in await reply(server)
    assert "response_format" not in server.calls[0].body
    assert server.calls[0].body["tools"][0]["function"]["name"] == "remember"
