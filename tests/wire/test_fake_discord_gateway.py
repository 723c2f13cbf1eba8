"""The gateway of the fake Discord, spoken to without any library."""

import asyncio
import json
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from essence.fakes.discord import Broken, DiscordServer, Reset, Upload
from tests import discord_spec

GUILDS, GUILD_MESSAGES, GUILD_REACTIONS, DIRECT_MESSAGES, CONTENT = 1 << 0, 1 << 9, 1 << 10, 1 << 12, 1 << 15
ALL = GUILDS | GUILD_MESSAGES | GUILD_REACTIONS | DIRECT_MESSAGES | CONTENT


class Link:
    """A websocket to the gateway, with zlib-stream or without."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, *, inflates: bool) -> None:
        self.socket = socket
        self._inflate = zlib.decompressobj() if inflates else None

    async def take(self) -> dict:
        """The next payload; heartbeat answers too."""
        message = await self.socket.receive(timeout=5)
        if message.type is aiohttp.WSMsgType.CLOSE:
            return {"closed": message.data}
        if message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR):
            return {"closed": None}
        if self._inflate is None:
            return json.loads(message.data)
        assert message.data.endswith(b"\x00\x00\xff\xff")
        return json.loads(self._inflate.decompress(message.data))

    async def events(self, count: int) -> list[dict]:
        return [await self.take() for _ in range(count)]

    async def send(self, opcode: int, data: object) -> None:
        await self.socket.send_json({"op": opcode, "d": data})

    async def identify(self, token: str, intents: int = ALL) -> dict:
        assert (await self.take())["op"] == 10
        await self.send(2, {"token": token, "intents": intents, "properties": {}})
        return await self.take()

    async def resume(self, token: str, ready: dict, sequence: int) -> None:
        assert (await self.take())["op"] == 10
        await self.send(6, {"token": token, "session_id": ready["d"]["session_id"], "seq": sequence})


@pytest.fixture
async def discord() -> AsyncIterator[DiscordServer]:
    async with DiscordServer() as server:
        yield server


@asynccontextmanager
async def connection(url: str, compress: str = "") -> AsyncIterator[Link]:
    async with aiohttp.ClientSession() as session:
        query = "?v=10&encoding=json" + (f"&compress={compress}" if compress else "")
        async with session.ws_connect(url + query) as socket:
            yield Link(socket, inflates=compress == "zlib-stream")


@pytest.mark.parametrize("compress", ["", "zlib-stream"])
async def test_a_bot_is_greeted_and_told_who_it_is_and_where_it_is(discord, compress):
    discord.guild("Home", discord.user("Ann")).channel("general")
    async with connection(discord.gateway_url, compress) as link:
        ready = await link.identify(discord.token)
        home = await link.take()
    assert (ready["t"], ready["s"], ready["d"]["user"]["username"]) == ("READY", 1, "june")
    assert ready["d"]["resume_gateway_url"].startswith("ws://")
    assert ready["d"]["guilds"][0]["unavailable"]
    assert (home["t"], home["s"], home["d"]["channels"][0]["name"]) == ("GUILD_CREATE", 2, "general")


async def test_heartbeats_are_acknowledged_unless_told_otherwise(discord):
    async with connection(discord.gateway_url) as link:
        assert (await link.take())["d"]["heartbeat_interval"] == 41_250
        await link.send(1, None)
        assert (await link.take())["op"] == 11
        discord.gateway.acknowledges_heartbeats = False
        await link.send(1, None)
        await discord.until(lambda: discord.gateway.heartbeats == 2)
        await link.send(2, {"token": discord.token, "intents": ALL})
        assert (await link.take())["t"] == "READY"  # and no acknowledgement before it


@discord_spec.needed
async def test_what_events_carry_is_as_the_specification_has_it(discord):
    ann = discord.user("Ann")
    channel = discord.guild("Home", ann).channel("general")
    async with connection(discord.gateway_url) as link:
        ready = await link.identify(discord.token)
        home = await link.take()
        asked = await ann.says(f"{discord.mention} hello", channel)
        await ann.sends_voice(b"OggS", 1.0, bytes(10), channel, reply_to=asked)
        await ann.sends_sticker("Wave")
        await ann.edits(asked, "hello")
        await ann.reacts(asked, "👍")
        await ann.opens_thread("Plans", channel, asked)
        told = await link.events(6)
    assert [one["t"] for one in told] == [
        *["MESSAGE_CREATE"] * 3,
        "MESSAGE_UPDATE",
        "MESSAGE_REACTION_ADD",
        "THREAD_CREATE",
    ]
    for one in told[:4]:
        assert discord_spec.wrong("MessageResponse", one["d"]) == []
    assert discord_spec.wrong("UserResponse", ready["d"]["user"]) == []
    assert discord_spec.wrong("GuildResponse", home["d"]) == []
    assert [discord_spec.wrong("GuildChannelResponse", one) for one in home["d"]["channels"]] == [[]]
    assert [discord_spec.wrong("GuildMemberResponse", one) for one in home["d"]["members"]] == [[], []]
    assert discord_spec.wrong("GuildMemberResponse", told[4]["d"]["member"]) == []
    assert discord_spec.wrong("ThreadResponse", told[5]["d"]) == []


async def test_a_forward_carries_a_copy_of_what_was_forwarded(discord):
    ann = discord.user("Ann")
    note = await ann.sends_voice(b"OggS", 1.0, where=discord.guild("Home", ann).channel("general"))
    async with connection(discord.gateway_url) as link:
        await link.identify(discord.token)
        await link.take()
        await ann.forwards(note)
        told = (await link.take())["d"]
    copy = told["message_snapshots"][0]["message"]
    assert told["message_reference"]["type"] == 1
    assert (told["content"], told["attachments"]) == ("", [])
    assert copy["attachments"][0]["url"] == note.attachments[0].url
    if discord_spec.FILE.exists():
        assert discord_spec.wrong("MessageSnapshotResponse", {"message": copy}) == []


async def test_a_bot_hears_only_what_its_intents_cover(discord):
    ann = discord.user("Ann")
    channel = discord.guild("Home", ann).channel("general")
    async with connection(discord.gateway_url) as link:
        await link.identify(discord.token, DIRECT_MESSAGES)
        await ann.says("in the guild", channel)
        await ann.says("in private")
        assert (await link.take())["d"]["content"] == "in private"


async def test_without_the_content_intent_only_what_is_said_to_the_bot_is_readable(discord):
    ann = discord.user("Ann")
    channel = discord.guild("Home", ann).channel("general")
    async with connection(discord.gateway_url) as link:
        await link.identify(discord.token, GUILD_MESSAGES | DIRECT_MESSAGES)
        await ann.says("to nobody", channel)
        await ann.says(f"{discord.mention} to June", channel)
        await ann.says("in private")
        texts = [one["d"]["content"] for one in await link.events(3)]
    assert texts == ["", f"{discord.mention} to June", "in private"]


async def test_who_resumes_hears_what_was_missed_once_and_in_order(discord):
    ann = discord.user("Ann")
    async with connection(discord.gateway_url) as link:
        ready = await link.identify(discord.token)
        await ann.says("heard")
        heard = await link.take()
        await discord.gateway.drop()
        assert (await link.take())["closed"] in (None, 1006)
    for text in ("missed 1", "missed 2"):
        await ann.says(text)
    async with connection(ready["d"]["resume_gateway_url"], "zlib-stream") as link:
        await link.resume(discord.token, ready, heard["s"])
        told = await link.events(3)
        await ann.says("live")
        told.append(await link.take())
    assert [one["d"].get("content") for one in told] == ["missed 1", "missed 2", None, "live"]
    assert told[2]["t"] == "RESUMED"
    assert [one["s"] for one in told] == [heard["s"] + n for n in (1, 2, 3, 4)]


@pytest.mark.parametrize("forget", ["op 9", "4009", "by itself", "goodbye"])
async def test_a_session_that_is_gone_can_not_be_resumed(discord, forget):
    async with connection(discord.gateway_url) as link:
        ready = await link.identify(discord.token)
        if forget == "goodbye":
            await link.socket.close(code=1000)
        elif forget == "by itself":
            discord.gateway.forget_sessions()
    await discord.until(lambda: not discord.gateway.connected)
    if forget == "op 9":
        await discord.gateway.invalidate(resumable=False)
    elif forget == "4009":
        await discord.gateway.close(4009)
    async with connection(ready["d"]["resume_gateway_url"]) as link:
        await link.resume(discord.token, ready, 1)
        assert (await link.take()) == {"op": 9, "d": False, "s": None, "t": None}


async def test_a_sequence_that_was_never_sent_can_not_be_resumed(discord):
    async with connection(discord.gateway_url) as link:
        ready = await link.identify(discord.token)
        await discord.gateway.drop()
    async with connection(discord.gateway_url) as link:
        await link.resume(discord.token, ready, 99)
        assert (await link.take())["op"] == 9


@pytest.mark.parametrize(
    ("opcode", "data", "code"),
    [
        (2, {"token": "wrong", "intents": 0}, 4004),
        (2, {"token": "fake-discord-token", "intents": CONTENT}, 4014),
        (2, {"token": "fake-discord-token"}, 4002),
        (2, None, 4002),
        (6, {"token": "wrong", "session_id": "x", "seq": 1}, 4004),
        (3, {}, 4003),
        (99, {}, 4001),
    ],
)
async def test_a_wrong_payload_ends_the_connection_with_its_code(opcode, data, code):
    async with DiscordServer(privileged_intents=0) as discord, connection(discord.gateway_url) as link:
        await link.take()
        await link.send(opcode, data)
        assert await link.take() == {"closed": code}


async def test_what_is_no_json_ends_the_connection(discord):
    async with connection(discord.gateway_url) as link:
        await link.take()
        await link.socket.send_str("{")
        assert await link.take() == {"closed": 4002}


async def test_who_identifies_twice_is_sent_away(discord):
    async with connection(discord.gateway_url) as link:
        await link.identify(discord.token)
        await link.send(2, {"token": discord.token, "intents": 0})
        assert await link.take() == {"closed": 4005}


async def test_events_can_come_twice(discord):
    ann = discord.user("Ann")
    async with connection(discord.gateway_url) as link:
        await link.identify(discord.token)
        discord.gateway.duplicate_next()
        for text in ("a", "b"):
            await ann.says(text)
        told = await link.events(3)
    assert [one["d"]["content"] for one in told] == ["a", "a", "b"]
    assert told[0]["d"]["id"] == told[1]["d"]["id"]


async def test_events_can_come_in_another_order(discord):
    ann = discord.user("Ann")
    async with connection(discord.gateway_url) as link:
        await link.identify(discord.token)
        with discord.gateway.reordered():
            for text in ("a", "b", "c"):
                await ann.says(text)
        assert [one["d"]["content"] for one in await link.events(3)] == ["c", "b", "a"]


async def test_the_gateway_may_ask_to_come_back(discord):
    async with connection(discord.gateway_url) as link:
        await link.identify(discord.token)
        task = asyncio.create_task(discord.gateway.reconnect())
        assert (await link.take())["op"] == 7
        await link.socket.close(code=4000)
        await task
    assert not discord.gateway.connected


async def test_the_gateway_may_be_away_for_a_while(discord):
    with discord.gateway.away():
        async with aiohttp.ClientSession() as session, session.ws_connect(discord.gateway_url) as socket:
            link = Link(socket, inflates=False)
            with pytest.raises(TimeoutError):
                await socket.receive(timeout=0.05)
    async with connection(discord.gateway_url) as link:
        assert (await link.take())["op"] == 10


@pytest.mark.parametrize("faults", [[Broken(503)], [Reset(), Reset()]])  # aiohttp repeats a GET that broke, once
async def test_the_gateway_may_refuse_a_connection(discord, faults):
    discord.faults.next(*faults, path="/gw")
    with pytest.raises(aiohttp.ClientError):
        async with connection(discord.gateway_url):
            pass
    async with connection(discord.gateway_url) as link:
        assert (await link.take())["op"] == 10


async def test_a_connection_can_be_cut_before_it_is_greeted(discord):
    with discord.gateway.away():
        async with connection(discord.gateway_url) as link:
            await discord.gateway.drop()
            assert (await link.take())["closed"] in (None, 1006)


async def test_the_gateway_may_send_what_is_no_event(discord):
    async with connection(discord.gateway_url) as link:
        await link.identify(discord.token)
        discord.gateway.send_raw('{"op": 0, "t": "MESSAGE_CREATE", "s": 2, "d": {}}')
        assert (await link.take())["d"] == {}


async def test_an_album_is_one_message(discord):
    ann = discord.user("Ann")
    async with connection(discord.gateway_url) as link:
        await link.identify(discord.token)
        await ann.sends_files(Upload("a.png", "image/png", b"a"), Upload("b.png", "image/png", b"b"), text="look")
        told = (await link.take())["d"]
    assert [one["filename"] for one in told["attachments"]] == ["a.png", "b.png"]
    assert told["content"] == "look"


async def test_who_starts_anew_leaves_the_old_session_behind(discord):
    async with connection(discord.gateway_url) as link:
        old = await link.identify(discord.token)
        await discord.gateway.drop()
    async with connection(discord.gateway_url) as link:
        await link.identify(discord.token)
        await discord.gateway.drop()
    async with connection(discord.gateway_url) as link:
        await link.resume(discord.token, old, 1)
        assert (await link.take())["op"] == 9


async def test_a_server_that_keeps_little_forgets_the_oldest_messages_with_their_files():
    async with DiscordServer(keep=3) as discord:
        ann = discord.user("Ann")
        first = await ann.sends_voice(b"OggS", 1.0)
        for number in range(3):
            await ann.says(str(number))
        assert [post.text for post in ann.dm.posts()] == ["0", "1", "2"]
        async with aiohttp.ClientSession() as session, session.get(first.attachments[0].url) as answer:
            assert answer.status == 404
