"""What happens to June's connection to Discord, and that no message is lost by it."""

import asyncio
import json
import logging
from collections.abc import Callable

import aiohttp
import pytest

from essence.config import DiscordService
from essence.dialogue import Address, Message, Person
from essence.errors import ConfigError, NotAllowed, Unreachable
from essence.fakes.discord import Broken, DiscordServer, Reset, TooMany, Upload
from essence.fakes.discord.people import Person as DiscordPerson
from essence.services.discord import gateway, histories
from essence.services.discord.channel import DiscordChannel
from tests.discord_june import COMMANDS, June, Page, fake_discord, listening


@pytest.fixture
async def server(monkeypatch):
    async with fake_discord(monkeypatch) as fake:
        yield fake


@pytest.fixture
async def june(server):
    async with listening(June(server)) as one:
        yield one


@pytest.fixture
def ann(server):
    return server.user("Ann")


@pytest.fixture
def general(server, ann):
    return server.guild("Home", ann).channel("general")


async def nothing_is_known() -> tuple[Message, ...]:
    return ()


async def nobody() -> tuple[str, ...]:
    return ()


def test_without_a_token_june_says_where_to_get_one():
    with pytest.raises(ConfigError, match=r"discord\.com/developers.*Message Content Intent"):
        DiscordChannel(DiscordService(discord_token=" "), COMMANDS, nothing_is_known, nobody, Page())


def test_what_can_be_no_token_is_said_at_once():
    with pytest.raises(ConfigError, match="Copy it again") as caught:
        DiscordChannel(DiscordService(discord_token="abc\ndef"), COMMANDS, nothing_is_known, nobody, Page())
    assert "def" not in str(caught.value)


async def test_entering_asks_discord_nothing(server):
    async with June(server).channel as channel:
        assert not channel.state.connected
        assert channel.state.account == ""
    assert not server.calls


async def test_the_state_tells_who_june_is_and_that_she_is_connected(june):
    assert june.channel.state.connected
    assert june.channel.state.account == "@june"


async def test_a_wrong_token_is_told_in_a_sentence(server):
    async with June(server, discord_token="wrong").channel as channel:
        with pytest.raises(NotAllowed, match="DISCORD_TOKEN"):
            await channel.listen(June(server).receive)
        assert not channel.state.connected


async def test_a_token_that_is_revoked_meanwhile_is_told_too(server):
    june = June(server)
    async with june.channel as channel:
        listens = asyncio.create_task(channel.listen(june.receive))
        await june.until(lambda: channel.state.connected)
        await server.gateway.close(4004)
        with pytest.raises(NotAllowed, match="Reset Token"):
            await listens


async def test_without_the_message_content_intent_june_says_where_to_switch_it_on(monkeypatch):
    async with fake_discord(monkeypatch, privileged_intents=0) as server:
        june = June(server)
        async with june.channel as channel:
            with pytest.raises(NotAllowed, match="Message Content Intent"):
                await channel.listen(june.receive)


async def test_june_asks_for_no_more_than_she_needs():
    intents = gateway._intents()
    assert intents.message_content
    assert not intents.members
    assert not intents.presences


RESUMABLE = {
    "the connection breaks": lambda one: one.drop(),
    "close 4000": lambda one: one.close(4000),
    "op 7": lambda one: one.reconnect(),
    "op 9, resumable": lambda one: one.invalidate(resumable=True),
}


@pytest.mark.parametrize("how", RESUMABLE)
async def test_a_broken_connection_is_resumed_and_nothing_is_missed(server, june, ann, how):
    await ann.says("before")
    await june.hears()
    with server.gateway.away():
        await RESUMABLE[how](server.gateway)
        await ann.says("in the gap")
        await june.until(lambda: not june.channel.state.connected)
    await june.hears(2)
    await ann.says("after")
    await june.hears(3)
    assert june.texts == ["before", "in the gap", "after"]
    assert (june.troubles["resumed"], june.troubles["gateway closed"]) == (1, 1)
    assert server.gateway.identifies == 1


LOST = {
    "op 9": lambda one: one.invalidate(resumable=False),
    "close 4009": lambda one: one.close(4009),
    "close 1000": lambda one: one.close(1000),
}


@pytest.mark.parametrize("how", LOST)
async def test_what_was_missed_without_a_resume_is_read_before_what_comes_live(server, june, ann, general, how):
    await ann.says("before")
    await ann.says("before, all", general)
    await june.hears(2)
    with server.gateway.away():
        await LOST[how](server.gateway)
        await ann.says("in the gap")
        await ann.says("in the gap, all", general)
    await server.until(lambda: server.gateway.identifies == 2)
    await ann.says("after")
    await ann.says("after, all", general)
    await june.hears(6)
    assert [text for text in june.texts if "all" not in text] == ["before", "in the gap", "after"]
    assert [text for text in june.texts if "all" in text] == ["before, all", "in the gap, all", "after, all"]


async def test_what_comes_live_waits_until_its_channel_is_caught_up_with(server, june, ann):
    await ann.says("before")
    await june.hears()
    with server.faults.during(Broken(503), method="GET", path="/channels/*/messages"):
        with server.gateway.away():
            await server.gateway.invalidate(resumable=False)
            await ann.says("in the gap")
        await server.until(lambda: server.gateway.identifies == 2)
        await ann.says("live")
        await server.user("Bob").says("somebody new")
        await june.until(lambda: june.troubles.get("history not read", 0) > 1)
        assert june.texts == ["before", "somebody new"]
    await june.hears(4)
    assert june.texts == ["before", "somebody new", "in the gap", "live"]


async def test_a_restarted_june_reads_on_where_she_left_off(server, ann):
    first = June(server)
    async with listening(first):
        await ann.says("before")
        await first.hears()
    for number in range(230):
        await ann.says(f"missed {number}")
    second = June(server)
    second.known = dict(first.known)
    async with listening(second):
        await second.hears(230)
        await ann.says("live")
        await second.hears(231)
    assert second.texts == [*(f"missed {number}" for number in range(230)), "live"]


async def test_a_first_start_reads_no_histories(server, ann):
    await ann.says("long before June")
    async with listening(June(server)) as june:
        await ann.says("hi")
        await june.hears()
        assert june.texts == ["hi"]
    assert not [call for call in server.calls if call.method == "GET" and call.path.endswith("/messages")]


async def test_channels_of_servers_that_june_has_no_message_of_are_read_from_her_newest_on(server, ann):
    guild = server.guild("Home", ann)
    quiet, busy = guild.channel("quiet"), guild.channel("busy")
    await ann.says("before June's newest", quiet)
    june = June(server)
    async with listening(june):
        await ann.says("newest")
        await june.hears()
    await ann.says("missed", busy)
    again = June(server)
    again.known = dict(june.known)
    async with listening(again):
        await again.hears()
        await ann.says("live", quiet)
        await again.hears(2)
    assert again.texts == ["missed", "live"]
    read = [
        call.ids["channel_id"] for call in server.calls if call.route.endswith("/messages") and call.method == "GET"
    ]
    assert quiet.channel_id not in read


async def killed_before_it_keeps(june: June, is_kept: Callable[[Message], bool], until: Callable[[], bool]) -> None:
    """June listens, keeps what she may, and dies."""
    take = june.receive

    async def receive(message: Message) -> None:
        if not is_kept(message):
            await asyncio.Event().wait()
        await take(message)

    june.receive = receive
    async with listening(june):
        await june.until(until)


async def test_a_first_message_in_a_channel_is_read_though_june_dies_while_she_catches_up_in_others(server, ann):
    guild = server.guild("Home", ann)
    known, fresh = guild.channel("known"), guild.channel("fresh")
    first = June(server)
    async with listening(first):
        await ann.says("before", known)
        await first.hears()
    await ann.says("missed in fresh", fresh)
    await ann.says("missed in known", known)
    second = June(server).after(first)
    await killed_before_it_keeps(
        second, lambda message: message.address.chat_id != fresh.channel_id, lambda: len(second.known) == 2
    )
    third = June(server).after(second)
    async with listening(third):
        await third.hears()
        await third.until(lambda: third.bookmark.edge is None)
    assert third.texts == ["missed in fresh"]


async def test_the_second_sound_of_a_message_is_heard_though_june_dies_after_the_first(server, ann):
    first = June(server)
    async with listening(first):
        await ann.says("before")
        await first.hears()
    await ann.sends_files(Upload("a.ogg", "audio/ogg", b"OggS1"), Upload("b.ogg", "audio/ogg", b"OggS2"))
    second = June(server).after(first)
    await killed_before_it_keeps(
        second, lambda message: not message.message_id.endswith(".2"), lambda: len(second.known) == 2
    )
    async with listening(June(server).after(second)) as third:
        assert (await third.hears()).message_id.endswith(".2")


@pytest.fixture
def short_histories(monkeypatch) -> None:
    monkeypatch.setattr(histories, "PAGE", 3)
    monkeypatch.setattr(histories, "MOST_PAGES", 2)


async def away_for(messages: int, server: DiscordServer, ann: DiscordPerson) -> June:
    """June after so many messages that she has not heard."""
    first = June(server)
    async with listening(first):
        await ann.says("before")
        await first.hears()
    for number in range(messages):
        await ann.says(str(number))
    return June(server).after(first)


@pytest.mark.usefixtures("short_histories")
async def test_of_more_than_is_read_the_newest_are_not_left_out(server, ann):
    async with listening(await away_for(20, server, ann)) as second:
        await second.hears(12)
        await ann.says("live")
        await second.hears(13)
    assert second.texts == [*map(str, range(6)), *map(str, range(14, 20)), "live"]
    assert second.troubles["history too long"] == 1


@pytest.mark.usefixtures("short_histories")
async def test_what_fits_into_twice_as_many_pages_is_read_whole(server, ann):
    async with listening(await away_for(11, server, ann)) as second:
        await second.hears(11)
    assert second.texts == [*map(str, range(11))]
    assert "history too long" not in second.troubles


async def test_a_channel_that_june_may_not_read_is_left_out(server, ann, general):
    june = June(server)
    async with listening(june):
        await ann.says("seen", general)
        await ann.says("in private")
        await june.hears(2)
    general.hides()
    await ann.says("missed, and hidden", general)
    await ann.says("missed")
    again = June(server)
    again.known = dict(june.known)
    async with listening(again):
        await again.hears()
        assert again.texts == ["missed"]
        await again.until(lambda: "history not readable" in again.troubles)


async def test_where_the_store_is_away_after_a_start_june_waits_for_it(server, ann):
    june = June(server)
    newest, failures = june.newest, [Unreachable("the store is away")] * 2

    async def at_last() -> tuple[Message, ...]:
        if failures:
            raise failures.pop()
        return await newest()

    june.channel = DiscordChannel(june.settings, COMMANDS, at_last, nobody, june.bookmark)
    async with listening(june):
        await ann.says("hi")
        await june.hears()
    assert june.troubles["newest not known"] == 2


async def test_ids_that_are_no_ids_of_messages_do_not_break_catching_up(server, ann):
    said = await ann.says("before")
    june = June(server)
    for message_id in (f"slash-{said.message_id}", f"press-{said.message_id}", f"{said.message_id}.2", "?", ""):
        address = Address("discord", server.user(message_id).dm.channel_id)
        message = Message(address, message_id, Person("1", "Ann"), said.sent_at)
        june.known[message.key] = message
    last = Message(Address("discord", ann.dm.channel_id), f"{said.message_id}.2", Person("1", "Ann"), said.sent_at)
    june.known[last.key] = last
    await ann.says("missed")
    async with listening(june):
        await june.hears()
    assert june.texts == ["missed"]


async def test_a_malformed_event_costs_a_client_and_no_message(server, june, ann):
    await ann.says("before")
    await june.hears()
    server.gateway.send_raw(json.dumps({"op": 0, "t": "CHANNEL_CREATE", "s": 99, "d": {"nothing": "of use"}}))
    await server.until(lambda: server.gateway.identifies == 2)
    await ann.says("after")
    await june.hears(2)
    assert june.texts == ["before", "after"]
    assert june.troubles["client restarted"] == 1


async def test_a_malformed_message_costs_a_client_and_not_the_next_message(server, june, ann):
    server.gateway.send_raw(json.dumps({"op": 0, "t": "MESSAGE_CREATE", "s": 99, "d": {"content": "odd"}}))
    await server.until(lambda: server.gateway.identifies == 2)
    await ann.says("after")
    await june.hears()
    assert june.texts == ["after"]


async def test_a_payload_that_is_no_json_costs_a_client_and_no_message(server, june, ann):
    server.gateway.send_raw('{"t": "MESSAGE_CREATE"')
    await server.until(lambda: server.gateway.identifies == 2)
    await ann.says("after")
    await june.hears()
    assert june.texts == ["after"]


async def test_an_outage_at_the_start_is_waited_for(server, ann):
    june = June(server)
    server.faults.next(Broken(503), Reset(), method="GET", path="/users/@me")
    server.faults.next(TooMany(0.01), method="GET", path="/oauth2/*")
    server.faults.next(Broken(503), Reset(), method="GET", path="/gw*")
    async with listening(june):
        await ann.says("hi")
        await june.hears()
    assert june.troubles["client restarted"] >= 2


async def test_a_client_that_stays_away_for_too_long_is_replaced(server, june, ann, monkeypatch):
    monkeypatch.setattr(gateway, "LONGEST_ABSENCE_S", 0.05)
    await ann.says("before")
    await june.hears()
    with server.gateway.away():
        await server.gateway.drop()
        await ann.says("in the gap")
        await june.until(lambda: june.troubles.get("client restarted", 0) > 0)
    await june.hears(2)
    assert june.texts == ["before", "in the gap"]


async def test_a_client_that_hears_no_hello_leaves_no_socket_behind(server, june, monkeypatch):
    sockets, connect = [], aiohttp.ClientSession._ws_connect

    async def remember(*args, **options):
        sockets.append(await connect(*args, **options))
        return sockets[-1]

    monkeypatch.setattr(aiohttp.ClientSession, "_ws_connect", remember)
    monkeypatch.setattr(gateway, "LONGEST_ABSENCE_S", 0.2)
    with server.gateway.away():
        await server.gateway.drop()
        await june.until(lambda: june.troubles.get("client restarted", 0) > 0)
        assert sockets
        assert [one._response.connection for one in sockets] == [None] * len(sockets)


async def test_events_in_the_wrong_order_are_all_heard(server, june, ann):
    with server.gateway.reordered():
        await ann.says("one")
        await ann.says("two")
    await june.hears(2)
    assert sorted(june.texts) == ["one", "two"]


async def test_idle_channels_leave_nothing_behind(server, june):
    for number in range(20):
        await server.user(f"Ann {number}").says("hi")
    await june.hears(20)
    await asyncio.sleep(0)
    assert len([task for task in asyncio.all_tasks() if "_run" in repr(task.get_coro())]) <= 1


async def test_the_end_of_listening_ends_all_that_it_began(server, ann):
    before = asyncio.all_tasks()
    june = June(server)
    june.failures += [Unreachable("the store is away")] * 1000
    async with listening(june):
        await ann.says("hi")
        await june.until(lambda: june.tries > 0)
    await server.until(lambda: not server.gateway.connected)
    left = [task for task in asyncio.all_tasks() - before if "discord" in repr(task) and "fakes" not in repr(task)]
    assert left == []
    assert not june.channel.state.connected


async def test_the_token_is_in_no_log_and_no_error(monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    token = "MTIzNDU2Nzg5MDEyMzQ1Njc4OQ.GabcdE.secret-secret-secret-secret-secret"
    async with fake_discord(monkeypatch, token=token) as server:
        june, ann = June(server), server.user("Ann")
        server.faults.next(Reset(), method="GET", path="/users/@me")
        async with listening(june):
            await ann.says("a word in confidence")
            await june.hears()
            await server.gateway.drop()
            with pytest.raises(Exception, match="Discord") as caught:
                with server.faults.during(Broken(503)):
                    await june.channel.direct(ann.user_id)
        told = caplog.text + repr(june.channel) + repr(vars(june.channel)["_settings"]) + repr(caught.value)
        assert token not in told
        assert "in confidence" not in told


async def test_a_lost_connection_fills_the_log_with_no_tracebacks(server, june, caplog):
    with server.faults.during(Broken(503), path="/gw*"):
        await server.gateway.drop()
        await server.until(lambda: sum(call.path.startswith("/gw") and call.status == 503 for call in server.calls) > 1)
    await june.until(lambda: june.channel.state.connected)
    assert [record for record in caplog.records if record.exc_info] == []
