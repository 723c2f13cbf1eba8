from __future__ import annotations

import asyncio
import math
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from essence.chat import quota as quotas
from essence.chat.quota import Quota, Refusal, open_quota, sentence
from essence.config import ChatSettings
from essence.errors import ConfigError
from tests.valkey import Server, running_server


@pytest.fixture(scope="module")
def valkey() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture(params=["memory", "valkey"])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "memory":
        return "memory://"
    server: Server = request.getfixturevalue("valkey")
    return server.url


@asynccontextmanager
async def quota_of(
    url: str = "memory://", *, messages: str = "3/hour", audio_s: str = "60/hour"
) -> AsyncIterator[Quota]:
    settings = ChatSettings(rate_limit_url=url, rate_limit_messages=messages, rate_limit_audio_s=audio_s)
    async with open_quota(settings) as quota:
        yield quota


@pytest.fixture
def person(request: pytest.FixtureRequest) -> str:
    """Nobody whom another test knows: they share a server."""
    return f"telegram:{request.node.name}"


def fallbacks() -> float:
    return quotas.DECIDED_HERE._value.get()


async def admitted(quota: Quota, person: str, times: int, sound_s: float = 0.0) -> int:
    answers = await asyncio.gather(*(quota.admit(person, sound_s) for _ in range(times)))
    return answers.count(None)


# --- what may be sent


async def test_as_many_messages_as_the_limit_says_are_taken_and_the_next_is_refused(url: str, person: str) -> None:
    async with quota_of(url) as quota:
        assert [await quota.admit(person, 0) for _ in range(3)] == [None] * 3
        refusal = await quota.admit(person, 0)
    assert refusal is not None
    assert refusal.what == "messages"
    assert 3590 < refusal.retry_after_s <= 3601


async def test_counts_are_exact_when_many_messages_come_at_once(url: str, person: str) -> None:
    async with quota_of(url, messages="7/hour; 20/day") as quota:
        assert await admitted(quota, person, 40) == 7


async def test_one_persons_messages_cost_another_nothing(url: str, person: str) -> None:
    async with quota_of(url) as quota:
        await admitted(quota, person, 4)
        assert await quota.admit(f"{person}2", 0) is None


async def test_sound_is_counted_in_whole_seconds_rounded_up(url: str, person: str) -> None:
    async with quota_of(url, messages="", audio_s="10/hour") as quota:
        assert await quota.admit(person, 8.2) is None
        refusal = await quota.admit(person, 1.1)
        assert refusal is not None
        assert refusal.what == "sound"
        assert await quota.admit(person, 0.4) is None


async def test_text_is_taken_from_one_who_sent_too_much_sound(url: str, person: str) -> None:
    async with quota_of(url, messages="9/hour") as quota:
        assert await quota.admit(person, 60) is None
        assert await quota.admit(person, 1) is not None
        assert await quota.admit(person, 0) is None


async def test_a_message_refused_for_its_sound_does_not_count_as_a_message(url: str, person: str) -> None:
    async with quota_of(url, messages="3/hour", audio_s="5/hour") as quota:
        assert await admitted(quota, person, 9, sound_s=6) == 0
        assert await admitted(quota, person, 9) == 3


async def test_sound_refused_for_the_number_of_messages_costs_no_sound(person: str) -> None:
    async with quota_of(messages="1/minute; 9/day", audio_s="10/hour") as quota:
        assert await quota.admit(person, 4) is None
        assert await admitted(quota, person, 9, sound_s=4) == 0
        charges = quota._charges(6)
        assert [await quota._near._wait_s(person, charge) == 0 for charge in charges] == [False, True, True]


async def test_every_window_binds(url: str, person: str) -> None:
    async with quota_of(url, messages="5/minute; 2/day") as quota:
        assert await admitted(quota, person, 9) == 2
        refusal = await quota.admit(person, 0)
    assert refusal is not None
    assert refusal.retry_after_s > 80_000


async def test_an_empty_setting_is_no_limit(person: str) -> None:
    async with quota_of(messages="", audio_s=" ; ") as quota:
        assert await admitted(quota, person, 500, sound_s=1e6) == 500


async def test_a_refused_message_is_taken_when_the_refusal_said_so(
    person: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    async with quota_of(messages="2/minute", audio_s="") as quota:
        monkeypatch.setattr(time, "time", lambda: now)
        assert await admitted(quota, person, 2) == 2
        refusal = await quota.admit(person, 0)
        assert refusal is not None
        monkeypatch.setattr(time, "time", lambda: now + 59)
        assert await quota.admit(person, 0) is not None
        assert refusal.retry_after_s >= 60
        monkeypatch.setattr(time, "time", lambda: now + refusal.retry_after_s)
        assert await quota.admit(person, 0) is None


async def test_a_message_is_charged_once_however_often_it_is_brought(url: str, person: str) -> None:
    async with quota_of(url, messages="2/hour", audio_s="60/hour") as quota:
        for _ in range(3):
            assert await quota.admit(person, 40, key=f"{person}:1") is None
        quota.settle(f"{person}:1")
        assert await quota.admit(person, 20, key=f"{person}:2") is None
        assert await quota.admit(person, 0, key=f"{person}:1") is not None


async def test_of_no_more_than_some_messages_it_is_known_that_they_were_charged(
    person: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quotas, "MOST_UNSETTLED", 3)
    async with quota_of(messages="6/hour") as quota:
        for number in range(5):
            assert await quota.admit(person, 0, key=f"{person}:{number}") is None
        assert await quota.admit(person, 0, key=f"{person}:4") is None
        assert await quota.admit(person, 0, key=f"{person}:0") is None
        assert await quota.admit(person, 0, key=f"{person}:1") is not None
        assert len(quota._unsettled) == 3


# --- what is said


async def test_a_person_is_told_once_in_a_window_however_much_they_send(url: str, person: str) -> None:
    async with quota_of(url, messages="1/hour") as quota:
        await quota.admit(person, 0)
        refusals = await asyncio.gather(*(quota.admit(person, 0) for _ in range(20)))
    assert [refusal.tell for refusal in refusals if refusal] == [True] + [False] * 19


async def test_a_refusal_whose_notice_was_not_kept_is_told_when_its_message_comes_again(url: str, person: str) -> None:
    async with quota_of(url, messages="1/hour") as quota:
        await quota.admit(person, 0)
        refusals = [await quota.admit(person, 0, key=f"{person}:{number}") for number in (1, 2, 1, 1)]
        quota.settle(f"{person}:1")
        refusals.append(await quota.admit(person, 0, key=f"{person}:1"))
    assert [refusal.tell for refusal in refusals if refusal] == [True, False, True, True, False]


async def test_a_refused_message_that_comes_again_is_taken_when_there_is_room(
    person: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    async with quota_of(messages="1/minute", audio_s="") as quota:
        assert await quota.admit(person, 0) is None
        assert await quota.admit(person, 0, key=f"{person}:1") is not None
        monkeypatch.setattr(time, "time", lambda: now + 61)
        assert await quota.admit(person, 0, key=f"{person}:1") is None
        assert await quota.admit(person, 0, key=f"{person}:1") is None


async def test_a_person_is_told_again_in_the_next_window(person: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    async with quota_of(messages="1/minute", audio_s="") as quota:
        for start in (now, now + 61):
            monkeypatch.setattr(time, "time", lambda start=start: start)
            assert await quota.admit(person, 0) is None
            refusals = [await quota.admit(person, 0) for _ in range(3)]
            assert [refusal.tell for refusal in refusals if refusal] == [True, False, False]


async def test_who_waits_for_room_is_still_told_that_a_recording_is_too_long(url: str, person: str) -> None:
    async with quota_of(url, messages="", audio_s="60/hour") as quota:
        await quota.admit(person, 60)
        first, second = await quota.admit(person, 1), await quota.admit(person, 61)
    assert first is not None
    assert second is not None
    assert (first.tell, second.tell) == (True, True)


async def test_that_there_were_too_many_messages_is_told_beside_too_much_sound(url: str, person: str) -> None:
    async with quota_of(url, messages="5/hour", audio_s="5/hour") as quota:
        assert await quota.admit(person, 5) is None
        too_much = await quota.admit(person, 1)
        assert await admitted(quota, person, 4) == 4
        too_many = await quota.admit(person, 0)
    assert [(refusal.what, refusal.tell) for refusal in (too_much, too_many) if refusal] == [
        ("sound", True),
        ("messages", True),
    ]


async def test_a_recording_longer_than_a_window_is_not_put_off_to_later(url: str, person: str) -> None:
    async with quota_of(url, audio_s="60/minute; 600/day") as quota:
        refusal = await quota.admit(person, 61)
        assert refusal == Refusal(math.inf, tell=True, what="sound")
        assert "shorter" in sentence(refusal)
        assert await quota.admit(person, 60) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 second"), (39.5, "40 seconds"), (91, "2 minutes"), (5400, "90 minutes"), (7201, "3 hours")],
)
def test_the_wait_is_told_in_words_and_rounded_up(seconds: float, words: str) -> None:
    expected = f"That's more than I can take from one person for now. Please try again in {words}."
    assert sentence(Refusal(seconds, tell=True, what="messages")) == expected


@given(st.floats(min_value=0, max_value=1e6))
def test_nobody_is_sent_back_too_early(seconds: float) -> None:
    count, unit = sentence(Refusal(seconds, tell=True, what="sound")).removesuffix(".").split(" in ")[-1].split()
    length_s = {"second": 1, "minute": 60, "hour": 3600}[unit.removesuffix("s")]
    assert int(count) * length_s >= seconds - 1e-6


# --- Redis comes and goes


async def test_processes_share_their_counts(valkey: Server, person: str) -> None:
    async with quota_of(valkey.url) as one, quota_of(valkey.url) as other:
        assert await admitted(one, person, 2) == 2
        assert await admitted(other, person, 2) == 1


async def test_valkey_may_be_called_by_its_name(valkey: Server, person: str) -> None:
    async with quota_of(valkey.url.replace("redis:", "valkey:")) as quota:
        assert await admitted(quota, person, 4) == 3
    async with quota_of(valkey.url) as quota:
        assert await quota.admit(person, 0) is not None


async def test_without_redis_people_are_limited_by_what_this_process_knows_of_them(
    person: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quotas, "AGAIN_S", 0.0)
    with running_server() as server, capture_logs() as logs:
        async with quota_of(server.url, messages="5/hour") as quota:
            assert await admitted(quota, person, 2) == 2
            server.kill()
            before = fallbacks()
            assert await admitted(quota, person, 9) == 3
            assert fallbacks() == before + 9
            server.start()
            assert await admitted(quota, person, 9) == 5  # it remembers nothing
            assert fallbacks() == before + 9
            assert await quota.admit(person, 0) is not None
    assert [entry["event"] for entry in logs] == ["quota_store_lost", "quota_store_back"]


async def test_june_starts_without_redis_and_leaves_it_alone_for_a_while(person: str) -> None:
    with running_server() as server, capture_logs() as logs:
        server.kill()
        async with quota_of(server.url) as quota:
            assert await admitted(quota, person, 1) == 1
            server.start()
            before = fallbacks()
            assert await admitted(quota, person, 9) == 2
            assert fallbacks() == before + 9
    assert [entry["event"] for entry in logs] == ["quota_store_lost"]


async def test_a_redis_that_accepts_and_never_answers_holds_nobody_up(
    person: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quotas, "DEADLINE_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent, capture_logs() as logs:
        async with quota_of(f"redis://127.0.0.1:{silent.getsockname()[1]}") as quota:
            assert await admitted(quota, person, 9) == 3
    assert [entry["event"] for entry in logs] == ["quota_store_lost"]


async def test_when_redis_may_be_back_one_message_finds_out_and_the_others_do_not_wait(
    person: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quotas, "DEADLINE_S", 0.05)
    tried = 0

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tried
        tried += 1
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server, quota_of(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}") as quota:
        assert await quota.admit(person, 0) is None
        assert quota._far is not None
        quota._far._again_at, tried_before = 0.0, tried
        await asyncio.gather(*(quota.admit(f"{person}{number}", 0) for number in range(9)))
        assert tried_before <= tried - 1 <= tried_before + 1  # once, and once more since the connection broke


async def test_one_who_leaves_in_the_middle_leaves_no_lock_behind(valkey: Server, person: str) -> None:
    async with quota_of(valkey.url) as quota:
        asking = asyncio.ensure_future(quota.admit(person, 0))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await admitted(quota, person, 1) == 1
    assert not quota._turns


# --- settings


@pytest.mark.parametrize("limit", ["20", "20/fortnight", "a/minute", "20/minute;;5/day", "-1/minute", "0/minute"])
async def test_a_limit_that_cannot_be_read_names_its_setting(limit: str) -> None:
    with pytest.raises(ConfigError, match=r"^RATE_LIMIT_MESSAGES: "):
        async with quota_of(messages=limit):
            pass
    with pytest.raises(ConfigError, match=r"^RATE_LIMIT_AUDIO_S: "):
        async with quota_of(audio_s=limit):
            pass


@pytest.mark.parametrize(
    "url",
    ["", "redis", "redis://", "mongodb://h:1", "redis://h:hunter2x", "redis://:hunter2@h:1?nonsense=1"],
)
async def test_an_address_that_cannot_be_read_names_its_setting_and_keeps_its_secret(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^RATE_LIMIT_URL: ") as caught:
        async with quota_of(url):
            pass
    assert "hunter2" not in str(caught.value)
