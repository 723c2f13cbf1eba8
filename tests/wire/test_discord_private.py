"""First private messages that were written while June was away: Discord lists no private conversations to bots."""

from datetime import UTC, datetime, timedelta

import pytest

from essence.config import DiscordService
from essence.dialogue import Person
from essence.errors import Unreachable
from essence.fakes.discord import Broken, TooMany
from essence.services.discord import doors
from essence.services.discord.channel import DiscordChannel
from essence.store import open_store
from tests.discord_june import COMMANDS, June, fake_discord, listening

OPENING = {"method": "POST", "path": "/users/@me/channels"}


@pytest.fixture
async def server(monkeypatch):
    async with fake_discord(monkeypatch) as fake:
        yield fake


@pytest.fixture
def ann(server):
    return server.user("Ann")


@pytest.fixture
def bob(server):
    return server.user("Bob")


def june_of(server, *people):
    june = June(server)
    june.allowed = tuple(person.user_id for person in people)
    return june


def opened(server):
    return [call.body["recipient_id"] for call in server.calls if call.path == OPENING["path"]]


async def test_a_first_private_message_that_came_while_june_was_away_is_heard(server, ann):
    await ann.says("are you there?")
    await ann.says("hello?")
    async with listening(june_of(server, ann)) as june:
        await june.hears(2)
        await ann.says("ah")
        await june.hears(3)
    assert june.texts == ["are you there?", "hello?", "ah"]
    assert june.heard[0].private


async def test_what_strangers_wrote_while_june_was_away_is_not_looked_for(server, ann, bob):
    await ann.says("are you there?")
    async with listening(june_of(server, bob)) as june:
        await bob.says("hi")
        await june.hears()
    assert (june.texts, set(opened(server)) - {bob.user_id}) == (["hi"], set())


async def test_private_conversations_that_june_knows_are_not_opened(server, ann):
    first = june_of(server)
    async with listening(first):
        await ann.says("hi")
        await first.hears()
    await ann.says("missed")
    second = june_of(server, ann)
    second.known = dict(first.known)
    async with listening(second):
        await second.hears()
    assert (second.texts, opened(server)) == (["missed"], [])


async def test_what_comes_before_the_conversation_is_found_waits_for_what_was_missed(server, ann):
    await ann.says("missed")
    with server.faults.during(Broken(503), **OPENING):
        async with listening(june_of(server, ann)) as june:
            await june.until(lambda: june.troubles.get("private conversation not opened", 0) > 0)
            await ann.says("live")
            await june.hears(2)
    assert june.texts == ["missed", "live"]


async def test_what_comes_before_anything_is_planned_waits_too(server, ann):
    await ann.says("missed")
    june = june_of(server, ann)
    friends, failures = june.friends, [Unreachable("the store is away")] * 3

    async def at_last() -> tuple[str, ...]:
        if failures:
            failures.pop()
            raise Unreachable("the store is away")
        return await friends()

    june.channel = DiscordChannel(june.settings, COMMANDS, june.newest, at_last, june.bookmark)
    async with listening(june):
        await ann.says("live")
        await june.hears(2)
    assert june.texts == ["missed", "live"]
    assert june.troubles["people not known"] == 3


async def test_an_outage_is_waited_for(server, ann):
    await ann.says("missed")
    server.faults.next(Broken(503), TooMany(0.01), **OPENING)
    async with listening(june_of(server, ann)) as june:
        await june.hears()
    assert june.troubles["private conversation not opened"] == 2


async def test_people_whom_discord_does_not_know_are_counted_and_hide_nobody(server, ann):
    await ann.says("missed")
    june = june_of(server, ann)
    june.allowed = ("4711", "no id", *june.allowed)
    async with listening(june):
        await june.hears()
    assert june.troubles["private conversation refused"] == 2


async def test_conversations_are_opened_one_after_the_other_with_a_pause(server, ann, bob, monkeypatch):
    monkeypatch.setattr(doors, "PAUSE_S", 3600.0)
    await ann.says("first")
    await bob.says("second")
    async with listening(june_of(server, ann, bob)) as june:
        await june.hears()
        await server.user("Eve").says("third")
        await june.hears(2)
    assert (june.texts, opened(server)) == (["first", "third"], [ann.user_id])


async def test_who_is_beyond_the_limit_is_counted_and_caught_up_with_when_they_write(server, ann, bob, monkeypatch):
    monkeypatch.setattr(doors, "MOST", 1)
    await ann.says("first")
    await bob.says("second")
    async with listening(june_of(server, ann, bob)) as june:
        await june.until(lambda: june.troubles.get("private conversation left out", 0) == 1)
        await june.hears()
        await bob.says("third")
        await june.hears(3)
    assert june.texts == ["first", "second", "third"]
    assert opened(server) == [ann.user_id]


async def test_a_conversation_that_was_found_is_read_again_after_the_next_gap(server, ann):
    async with listening(june_of(server, ann)) as june:
        await server.until(lambda: any("messages" in call.path and call.method == "GET" for call in server.calls))
        with server.gateway.away():
            await server.gateway.invalidate(resumable=False)
            await ann.says("in the gap")
        await june.hears()
    assert (june.texts, opened(server)) == (["in the gap"], [ann.user_id])


async def test_what_is_older_than_a_day_is_left_alone(monkeypatch):
    clock = [datetime.now(UTC) - timedelta(hours=25)]
    async with fake_discord(monkeypatch, now=lambda: clock[0]) as server:
        ann = server.user("Ann")
        await ann.says("long ago")
        clock[0] = datetime.now(UTC)
        await ann.says("today")
        async with listening(june_of(server, ann)) as june:
            await june.hears()
    assert june.texts == ["today"]


async def test_owners_come_first_then_guests_by_name_then_who_was_let_in():
    settings = DiscordService(_env_file=None, discord_owner_users="3", discord_whitelisted_users="2,3")
    async with open_store("memory://", settings) as store:
        await store.people.ask("discord", Person("1", "Ann"), "AAAA")
        await store.people.ask("telegram", Person("4", "Bob"), "BBBB")
        await store.people.ask("discord", Person("5", "not let in"), "CCCC")
        assert await store.people.approve("AAAA")
        assert await store.people.approve("BBBB")
        assert await doors.allowed(settings, store.people) == ("3", "2", "1")
