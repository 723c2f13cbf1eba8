"""The player for OpenAI-compatible servers, against scripted servers on a real socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from contextlib import aclosing

import pytest

from essence.config import LlmEngine
from essence.dialogue import Finished, ModelEvent, ReasoningDelta, TextDelta, ToolCall, ToolSpec, Turn, Usage
from essence.engines.llm.openai import open_player
from essence.errors import (
    ConfigError,
    ContextOverflow,
    EmptyAnswer,
    EngineBusy,
    EngineError,
    JuneError,
    NotAllowed,
    NotFound,
    TooSlow,
    Unreachable,
)
from essence.fakes import openai_server as fake
from essence.fakes.openai_server import Answer, CallTool, HangUp, OpenAiServer, Raw, Think, Wait

QUESTION = (Turn("system", "You are June."), Turn("user", "Hello?"))
QUICK = LlmEngine(llm_first_token_s=1.0, llm_between_tokens_s=1.0)
PATIENT = LlmEngine()


async def ask(
    url: str, settings: LlmEngine = PATIENT, history: Sequence[Turn] = QUESTION, tools: Sequence[ToolSpec] = ()
) -> list[ModelEvent]:
    async with open_player(url, settings) as model, aclosing(model.reply(history, tools=tools)) as reply:
        return [event async for event in reply]


def told(events: Sequence[ModelEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def thought(events: Sequence[ModelEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, ReasoningDelta))


async def test_an_answer_streams_and_ends_with_its_cost() -> None:
    async with OpenAiServer(Answer("Hello", " there.")) as server:
        events = await ask(server.url)
    assert events == [TextDelta("Hello"), TextDelta(" there."), Finished("stop", Usage(20, 5, 16))]


async def test_the_server_is_asked_with_the_settings() -> None:
    settings = LlmEngine(llm_model="big", llm_api_key="sk-1", llm_max_tokens=7, llm_temperature=0.5)
    async with OpenAiServer(Answer("Hi")) as server:
        await ask(server.url, settings)
        call = server.calls[0]
    assert call.authorization == "Bearer sk-1"
    assert call.body["model"] == "big"
    assert (call.body["max_tokens"], call.body["temperature"], call.body["stream"]) == (7, 0.5, True)
    assert call.body["messages"] == [
        {"role": "system", "content": "You are June."},
        {"role": "user", "content": "Hello?"},
    ]


async def test_without_a_model_name_the_first_on_offer_is_taken() -> None:
    async with OpenAiServer(Answer("Hi"), models=("first", "second")) as server:
        await ask(server.url)
        assert server.calls[0].body["model"] == "first"


async def test_an_address_without_a_path_gets_the_usual_one() -> None:
    async with OpenAiServer(Answer("Hi")) as server:
        assert told(await ask(server.url.removesuffix("/v1"))) == "Hi"


async def test_a_cut_answer_says_so() -> None:
    async with OpenAiServer(Answer("Hi", finish_reason="length")) as server:
        assert (await ask(server.url))[-1] == Finished("length", Usage(20, 5, 16))


@pytest.mark.parametrize("in_field", ["reasoning_content", "reasoning"])
async def test_reasoning_in_a_field_of_its_own_is_kept_apart(in_field: str) -> None:
    async with OpenAiServer(Answer(Think("Hm", in_field), Think("m.", in_field), "\n\n", "Yes.")) as server:
        events = await ask(server.url)
    assert (thought(events), told(events)) == ("Hmm.", "Yes.")


@pytest.mark.parametrize("text", ["<think>Hmm.</think>\n\nYes.", "<thinking>Hmm.</thinking>Yes."])
async def test_reasoning_in_the_text_is_kept_apart(text: str) -> None:
    async with OpenAiServer(Answer(*text)) as server:
        events = await ask(server.url)
    assert (thought(events), told(events)) == ("Hmm.", "Yes.")


@pytest.mark.parametrize(
    "settings", [LlmEngine(llm_reasoning="opened"), LlmEngine(llm_model="Qwen/Qwen3-30B-A3B-Thinking-2507")]
)
async def test_reasoning_that_was_never_opened_is_kept_apart(settings: LlmEngine) -> None:
    async with OpenAiServer(Answer("Hm", "m.</", "think>", "\n\nYes.")) as server:
        events = await ask(server.url, settings)
    assert (thought(events), told(events)) == ("Hmm.", "Yes.")


async def test_a_thinking_model_behind_a_server_that_separates_is_still_heard() -> None:
    async with OpenAiServer(Answer(Think("Hmm."), "Yes.")) as server:
        events = await ask(server.url, LlmEngine(llm_reasoning="opened"))
    assert (thought(events), told(events)) == ("Hmm.", "Yes.")


async def test_tool_calls_are_put_together_from_their_fragments() -> None:
    steps = (
        CallTool("", 0, "a", "look"),
        CallTool('{"at":', 0),
        CallTool("", 1, "b", "listen"),
        CallTool(' "sky"}', 0),
        CallTool("{}", 1),
    )
    tool = ToolSpec("look", "Looks somewhere.", '{"type": "object", "properties": {"at": {"type": "string"}}}')
    async with OpenAiServer(Answer("Let me see.", *steps, finish_reason="tool_calls")) as server:
        events = await ask(server.url, tools=[tool])
        offered = server.calls[0].body["tools"]
    assert events[1:3] == [ToolCall("a", "look", '{"at": "sky"}'), ToolCall("b", "listen", "{}")]
    assert events[-1] == Finished("tool_calls", Usage(20, 5, 16))
    assert offered[0]["function"]["parameters"]["properties"] == {"at": {"type": "string"}}


async def test_calls_under_one_index_are_told_apart_by_their_id() -> None:
    steps = (CallTool("{}", 0, "a", "look"), CallTool('{"x": 1}', 0, "b", "look"))
    async with OpenAiServer(Answer(*steps)) as server:
        events = await ask(server.url)
    assert events[:2] == [ToolCall("a", "look", "{}"), ToolCall("b", "look", '{"x": 1}')]


async def test_tool_results_go_back_to_the_server() -> None:
    history = (
        *QUESTION,
        Turn("assistant", "", (ToolCall("a", "look", "{}"),)),
        Turn("tool", "blue", tool_call_id="a"),
    )
    async with OpenAiServer(Answer("Blue.")) as server:
        await ask(server.url, history=history)
        asked, answered = server.calls[0].body["messages"][2:]
    assert asked["tool_calls"][0] == {"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    assert answered == {"role": "tool", "content": "blue", "tool_call_id": "a"}


async def test_comments_between_the_events_are_no_words() -> None:
    async with OpenAiServer(Answer(fake.KEEPALIVE, "Hi", fake.KEEPALIVE)) as server:
        assert told(await ask(server.url)) == "Hi"


ERROR_IN_MID_STREAM = Raw(b'data: {"error": {"message": "out of memory", "type": "server_error", "code": 500}}\n\n')
OVERFLOW_IN_MID_STREAM = Raw(
    b'data: {"error": {"message": "prompt is too long", "type": "exceed_context_size_error", "code": 400}}\n\n'
)


@pytest.mark.parametrize(
    ("script", "error", "says"),
    [
        (fake.WRONG_KEY, NotAllowed, "LLM_API_KEY"),
        (fake.UNKNOWN_MODEL, NotFound, "small, large"),
        (fake.OVERFLOW_OPENAI, ContextOverflow, "LLM_CONTEXT_TOKENS"),
        (fake.OVERFLOW_VLLM, ContextOverflow, "2048"),
        (fake.OVERFLOW_LLAMA_CPP, ContextOverflow, "3031"),
        (fake.OVERFLOW_TENSORRT_LLM, ContextOverflow, "4096"),
        (Answer(OVERFLOW_IN_MID_STREAM), ContextOverflow, "too long"),
        (fake.BAD_REQUEST, EngineError, "tools are not supported"),
        (fake.RATE_LIMITED, EngineBusy, "Ask again"),
        (fake.BROKEN, Unreachable, "CUDA error"),
        (fake.LOADING, Unreachable, "Loading model"),
        (Answer(), EmptyAnswer, "Ask again"),
        (Answer(" \n"), EmptyAnswer, "Ask again"),
        (Answer("<think>Hm", finish_reason="length"), EmptyAnswer, "LLM_MAX_TOKENS"),
        (Answer("Hi", HangUp()), Unreachable, "broke"),
        (Answer("Hi", finish_reason=None), Unreachable, "before it was complete"),
        (Answer("Hi", finish_reason="content_filter"), EngineError, "content filter"),
        (Answer("Hi", ERROR_IN_MID_STREAM), EngineError, "out of memory"),
        (Answer("Hi", fake.NOT_JSON), EngineError, "JSON"),
        (Answer(Wait(5), "Hi"), TooSlow, "LLM_FIRST_TOKEN_S"),
        (Answer(*[fake.KEEPALIVE, Wait(0.1)] * 50, "Hi"), TooSlow, "LLM_FIRST_TOKEN_S"),
        (Answer("Hi", Wait(5), "again"), TooSlow, "LLM_BETWEEN_TOKENS_S"),
    ],
)
async def test_every_failure_has_its_name_and_a_next_step(
    script: fake.Script, error: type[JuneError], says: str
) -> None:
    async with OpenAiServer(script, models=("small", "large")) as server:
        with pytest.raises(JuneError, match=says) as raised:
            await ask(server.url, QUICK if error is TooSlow else PATIENT)
    assert type(raised.value) is error


async def test_a_server_that_is_not_there_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(Unreachable, match="LLM_URL"):
        await ask(f"http://127.0.0.1:{port}/v1", LlmEngine(llm_model="any"))


async def test_a_name_that_no_one_knows_is_unreachable() -> None:
    with pytest.raises(Unreachable, match="LLM_URL"):
        await ask("http://nowhere.invalid:8000/v1", LlmEngine(llm_model="any"))


async def test_a_wrong_path_is_told() -> None:
    async with OpenAiServer(Answer("Hi")) as server:
        with pytest.raises(NotFound, match="/v1"):
            await ask(server.url + "/wrong", LlmEngine(llm_model="any"))


async def test_a_server_without_models_is_told() -> None:
    async with OpenAiServer(Answer("Hi"), models=()) as server:
        with pytest.raises(NotFound, match="LLM_MODEL"):
            await ask(server.url)


@pytest.mark.parametrize("url", ["http://", "http:nowhere", "https:///v1"])
async def test_what_is_no_address_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(ConfigError, match="LLM_URL"):
        await ask(url)


async def test_a_reader_who_takes_long_is_not_taken_for_a_slow_model() -> None:
    async with OpenAiServer(Answer("One", " two", " three")) as server, open_player(server.url, QUICK) as model:
        words = []
        async for event in model.reply(QUESTION):
            await asyncio.sleep(1.1)
            words.append(event)
    assert told(words) == "One two three"


async def test_an_answer_stands_although_its_cost_never_comes() -> None:
    finish = Raw(b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\n')
    async with OpenAiServer(Answer("Hi", finish, Wait(5))) as server:
        assert await ask(server.url, QUICK) == [TextDelta("Hi"), Finished("stop")]


async def test_closing_a_reply_hangs_up() -> None:
    async with (
        OpenAiServer(Answer("One", Wait(30), "two")) as server,
        open_player(server.url, PATIENT) as model,
    ):
        reply = model.reply(QUESTION)
        assert await anext(reply) == TextDelta("One")
        await reply.aclose()
        await asyncio.wait_for(server.calls[0].ended.wait(), 5)
        assert server.calls[0].hung_up


@pytest.mark.parametrize("steps", [(Wait(30), "One"), ("One", Wait(30))])
async def test_cancelling_a_task_that_waits_hangs_up(steps: tuple[fake.Step, ...]) -> None:
    async with OpenAiServer(Answer(*steps)) as server:
        task = asyncio.create_task(ask(server.url))
        await asyncio.wait_for(server.called.wait(), 5)
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.calls[0].ended.wait(), 5)
        assert server.calls[0].hung_up


async def test_a_request_is_never_lost_to_a_connection_that_its_server_is_closing() -> None:
    async with OpenAiServer(Answer("Hi")) as server, open_player(server.url, PATIENT) as model:
        for _ in range(3):
            [event async for event in model.reply(QUESTION)]
        assert len({call.client_port for call in server.calls}) == 3


async def test_replies_run_side_by_side() -> None:
    async with OpenAiServer(Answer("Hi")) as server, open_player(server.url, PATIENT) as model:

        async def one() -> str:
            return told([event async for event in model.reply(QUESTION)])

        assert await asyncio.gather(*(one() for _ in range(20))) == ["Hi"] * 20
        assert len(server.calls) == 20


async def test_a_long_history_is_shortened_before_it_is_sent() -> None:
    history = [Turn("system", "You are June.")]
    for number in range(100):
        history += [Turn("user", f"Question {number}? " * 20), Turn("assistant", "Answer. " * 20)]
    async with OpenAiServer(Answer("Hi")) as server:
        await ask(server.url, history=[*history, Turn("user", "And now?")])
        sent = server.calls[0].body["messages"]
    assert 3 < len(sent) < 100
    assert (sent[0]["role"], sent[1]["role"], sent[-1]["content"]) == ("system", "user", "And now?")
