"""Faults on command, as a bot's HTTP client meets them."""

import asyncio
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from essence.fakes.telegram import (
    Hang,
    LostAnswer,
    Refusal,
    Reset,
    ServerError,
    Slow,
    TelegramServer,
    TooManyRequests,
    User,
)
from tests.telegram_client import Api


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server


@pytest.fixture
async def api(telegram: TelegramServer) -> AsyncIterator[Api]:
    async with Api(telegram) as client:
        yield client


@pytest.fixture
def ann(telegram: TelegramServer) -> User:
    return telegram.user("Ann")


def said(ann: User) -> list[str]:
    return [answer.text for answer in ann.chat.answers]


@pytest.mark.parametrize(
    ("fault", "status", "why"),
    [
        (TooManyRequests(7), 429, "Too Many Requests: retry after 7"),
        (ServerError(), 502, "Bad Gateway"),
        (ServerError(500), 500, "Internal Server Error"),
        (Refusal(400, "Bad Request: VOICE_MESSAGES_FORBIDDEN"), 400, "Bad Request: VOICE_MESSAGES_FORBIDDEN"),
    ],
)
async def test_a_refusal_on_command_has_no_effect_and_happens_once(telegram, api, ann, fault, status, why):
    telegram.fails("sendMessage", fault)
    refused = await api.refusal("sendMessage", chat_id=ann.person.user_id, text="a")
    assert (refused.status, refused.why) == (status, why)
    assert refused.body.get("parameters") == ({"retry_after": 7} if status == 429 else None)
    assert said(ann) == []
    await api.say(ann.person.user_id, "b")
    assert said(ann) == ["b"]


async def test_a_proxy_answers_with_a_page(telegram, ann):
    telegram.fails("getMe", ServerError(503, html=True))
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{telegram.base_url}{telegram.token}/getMe")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "text/html; charset=utf-8")


async def test_a_reset_has_no_effect(telegram, api, ann):
    telegram.fails("sendMessage", Reset())
    with pytest.raises(httpx.TransportError):
        await api.say(ann.person.user_id, "a")
    assert said(ann) == []


async def test_a_lost_answer_has_its_effect(telegram, api, ann):
    telegram.fails("sendMessage", LostAnswer())
    with pytest.raises(httpx.TransportError):
        await api.say(ann.person.user_id, "a")
    assert said(ann) == ["a"]
    (call,) = telegram.calls_of("sendMessage")
    assert (call.status, call.answered) == (200, False)


@pytest.mark.parametrize(("fault", "effect"), [(Hang(), []), (Hang(after_effect=True), ["a"])])
async def test_a_call_hangs_until_the_bot_gives_up(telegram, api, ann, fault, effect):
    telegram.fails("sendMessage", fault)
    call = asyncio.create_task(api.say(ann.person.user_id, "a"))
    await ann.chat.until(lambda: telegram.calls_of("sendMessage") and said(ann) == effect)
    assert not call.done()
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    assert said(ann) == effect
    await api.say(ann.person.user_id, "b")


@pytest.mark.parametrize("after_effect", [False, True])
async def test_a_slow_answer_comes(telegram, api, ann, after_effect):
    telegram.fails("sendMessage", Slow(0.05, after_effect=after_effect))
    start = time.monotonic()
    await api.say(ann.person.user_id, "a")
    assert time.monotonic() - start >= 0.05
    assert (ann.chat.answers[0].at - start >= 0.05) is not after_effect


async def test_an_outage_lasts_until_it_is_healed(telegram, api, ann):
    telegram.fails("*", Reset(), times=None)
    for _ in range(3):
        with pytest.raises(httpx.TransportError):
            await api("getMe")
    telegram.heals()
    await api("getMe")


async def test_a_fault_can_wait_for_the_call_it_is_meant_for(telegram, api, ann):
    telegram.fails("sendMessage", ServerError(), skip=1, where=lambda call: "x" in call.parameters["text"])
    await api.say(ann.person.user_id, "x1")
    await api.say(ann.person.user_id, "y")
    await api.refusal("sendMessage", chat_id=ann.person.user_id, text="x2")
    await api.say(ann.person.user_id, "x3")
    assert said(ann) == ["x1", "y", "x3"]


async def test_downloads_fail_too(telegram, api, ann):
    message = await ann.sends_voice(b"OggS", duration_s=1)
    file = await api("getFile", file_id=message.content["voice"]["file_id"])
    telegram.fails("download", Reset())
    with pytest.raises(httpx.TransportError):
        await api.download(file["file_path"])
    assert (await api.download(file["file_path"])).content == b"OggS"
    assert (await api.download("voice/none")).status_code == 404


async def test_connections_can_be_cut_in_the_middle_of_a_poll(telegram, api, ann):
    poll = asyncio.create_task(api.updates(timeout=30))
    await telegram.called("getUpdates", done=False)
    telegram.cuts_connections()
    with pytest.raises(httpx.TransportError):
        await poll


async def test_a_test_that_waits_in_vain_is_told_what_the_bot_did_say(telegram, api, ann):
    await api.say(ann.person.user_id, "one")
    assert (await ann.receives()).text == "one"
    with pytest.raises(TimeoutError, match=r"said nothing new .* \['one'\]"):
        await ann.receives(timeout_s=0.01)


async def test_a_call_can_be_waited_for(telegram, api, ann):
    waiting = asyncio.create_task(telegram.called("sendMessage", times=2))
    await api.say(ann.person.user_id, "one")
    await api.say(ann.person.user_id, "two")
    assert (await waiting).parameters["text"] == "two"
