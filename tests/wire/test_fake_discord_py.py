"""discord.py's real client against the fake Discord: what a bot of flesh and blood meets."""

import asyncio
import base64
import io
import json
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from essence.fakes.discord import Broken, DiscordServer, LostAnswer, TooMany, point_discord_py
from tests import discord_spec

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # discord.py imports audioop, which goes with Python 3.13
    import discord
    from discord import app_commands
    from discord.gateway import DiscordWebSocket
    from discord.http import Route

OGG = b"OggS of a kind"
WAVEFORM = bytes(range(0, 256, 2))


class Bot(discord.Client):
    """Notes what it hears, and echoes what is said to it."""

    def __init__(self, *, echoes: bool = False) -> None:
        intents = discord.Intents.default()
        intents.message_content = True
        super().__init__(intents=intents, guild_ready_timeout=0.05)
        self.echoes, self.heard, self.resumed = echoes, list[discord.Message](), 0
        self.others = list[str]()
        self.tree = app_commands.CommandTree(self)

    async def on_message(self, message: discord.Message) -> None:
        if message.author == self.user:
            return
        self.heard.append(message)
        if self.echoes:
            await message.reply(message.content)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Nothing, where discord.py would wait 5 s before it identifies again."""

    async def on_resumed(self) -> None:
        self.resumed += 1

    async def on_message_edit(self, _: discord.Message, after: discord.Message) -> None:
        self.others.append(f"edit {after.content}")

    async def on_message_delete(self, message: discord.Message) -> None:
        self.others.append(f"delete {message.content}")

    async def on_raw_reaction_add(self, reaction: discord.RawReactionActionEvent) -> None:
        self.others.append(f"react {reaction.emoji}")

    async def on_thread_create(self, thread: discord.Thread) -> None:
        self.others.append(f"thread {thread.name}")

    @property
    def texts(self) -> list[str]:
        return [message.content for message in self.heard]


@pytest.fixture
async def server() -> AsyncIterator[DiscordServer]:
    async with DiscordServer() as fake:
        with point_discord_py(fake):
            yield fake
        if discord_spec.FILE.exists():
            assert discord_spec.wrong_calls(fake.calls) == []


@asynccontextmanager
async def running(client: Bot, server: DiscordServer) -> AsyncIterator[Bot]:
    task = asyncio.create_task(client.start(server.token))
    try:
        await server.connected()
        await client.wait_until_ready()
        yield client
    finally:
        await client.close()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what a client has heard rings no bell
            await asyncio.sleep(0.01)


def test_the_addresses_are_put_back():
    before = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY, discord.Asset.BASE
    fake = DiscordServer()
    with point_discord_py(fake):
        assert fake.api_url == Route.BASE
    fake.close()
    assert before == (Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY, discord.Asset.BASE)


async def test_a_message_in_private_is_echoed(server):
    ann = server.user("Ann")
    async with running(Bot(echoes=True), server):
        asked = await ann.says("hi")
        answer = await ann.receives()
    assert answer.text == "hi"
    assert answer.json["message_reference"]["message_id"] == asked.message_id


async def test_a_mention_in_a_guild_reaches_the_bot_with_its_place(server):
    ann = server.user("Ann")
    channel = server.guild("Home", ann).channel("general")
    async with running(Bot(), server) as bot:
        await ann.says(f"{server.mention} hi", channel)
        await until(lambda: bot.heard)
        message = bot.heard[0]
        assert message.guild.name == "Home"
        assert message.channel.name == "general"
        assert bot.user.mentioned_in(message)
        assert message.channel.permissions_for(message.guild.me).send_messages


async def test_a_guild_that_is_made_later_is_known_too(server):
    async with running(Bot(), server) as bot:
        ann = server.user("Ann")
        bob = server.user("Bob")
        channel = server.guild("Later", ann).channel("general")
        await bob.says("hello", channel)
        await until(lambda: bot.heard)
        assert bot.heard[0].guild.name == "Later"
        assert bot.heard[0].author.display_name == "Bob"


async def test_a_voice_message_goes_up_and_comes_down(server):
    ann = server.user("Ann")
    async with running(Bot(), server) as bot:
        await ann.sends_voice(OGG, 2.5, WAVEFORM)
        await until(lambda: bot.heard)
        sound = bot.heard[0].attachments[0]
        assert bot.heard[0].flags.voice
        assert sound.is_voice_message()
        assert (sound.duration, sound.waveform, sound.content_type) == (2.5, WAVEFORM, "audio/ogg")
        assert await sound.read() == OGG
        await send_voice(bot, bot.heard[0].channel.id)
    note = await ann.receives()
    assert note.is_voice
    assert (note.attachments[0].data, note.attachments[0].waveform) == (OGG, WAVEFORM)


async def send_voice(bot: Bot, channel_id: int) -> None:
    """As discord.py has to be brought to it: it knows no voice messages of its own."""
    file = discord.File(io.BytesIO(OGG), "voice-message.ogg")
    about = {"id": 0, "filename": file.filename, "duration_secs": 2.5, "waveform": base64.b64encode(WAVEFORM).decode()}
    form = [
        {"name": "payload_json", "value": json.dumps({"flags": 8192, "attachments": [about]})},
        {"name": "files[0]", "value": file.fp, "filename": file.filename, "content_type": "audio/ogg"},
    ]
    route = Route("POST", "/channels/{channel_id}/messages", channel_id=channel_id)
    await bot.http.request(route, form=form, files=[file])


async def test_a_voice_message_is_sent_whole_after_a_429(server):
    ann = server.user("Ann")
    async with running(Bot(), server) as bot:
        server.faults.next(TooMany(0.01), method="POST", path="/channels/*/messages")
        await send_voice(bot, int(ann.dm.channel_id))
    assert (await ann.receives()).attachments[0].data == OGG


async def test_what_people_do_besides_talking_is_heard(server):
    ann = server.user("Ann")
    channel = server.guild("Home", ann).channel("general")
    async with running(Bot(), server) as bot:
        said = await ann.says("helo", channel)
        await ann.says("yes", channel, reply_to=said)
        await ann.forwards(said)
        await ann.sends_sticker("Wave", channel)
        await until(lambda: len(bot.heard) == 4)
        assert bot.heard[1].reference.resolved.content == "helo"
        assert bot.heard[2].message_snapshots[0].content == "helo"
        assert bot.heard[3].stickers[0].name == "Wave"
        thread = await ann.opens_thread("Plans", channel, said)
        await ann.says("in it", thread)
        await ann.edits(said, "hello")
        await ann.reacts(said, "👍")
        await ann.deletes(said)
        await until(lambda: len(bot.others) == 4)
        assert sorted(bot.others) == ["delete hello", "edit hello", "react 👍", "thread Plans"]
        assert bot.heard[-1].channel.parent.name == "general"


async def test_a_bot_types_reacts_edits_and_deletes(server):
    ann = server.user("Ann")
    async with running(Bot(), server) as bot:
        await ann.says("hi")
        await until(lambda: bot.heard)
        async with bot.heard[0].channel.typing():
            await bot.heard[0].add_reaction("👂")
        sent = await bot.heard[0].channel.send("hel")
        post = await ann.receives()
        await sent.edit(content="hello")
        assert (await ann.sees(post, "hello")).text == "hello"
        await sent.delete()
    kinds = [deed.kind for deed in server.deeds]
    assert kinds[:2] == ["typing", "react"]
    assert kinds[-3:] == ["post", "edit", "delete"]


async def test_a_slash_command_is_registered_used_and_answered(server):
    ann = server.user("Ann")
    channel = server.guild("Home", ann).channel("general")
    bot = Bot()

    @bot.tree.command(description="Choose a language")
    async def language(interaction: discord.Interaction, code: str) -> None:
        await interaction.response.defer(thinking=True)
        await interaction.followup.send(f"{interaction.user.display_name} speaks {code}")

    async with running(bot, server):
        await bot.tree.sync()
        for where in (None, channel):
            await ann.uses("language", {"code": "de"}, where)
            assert (await ann.receives(where)).text == "Ann speaks de"


async def test_a_slash_command_may_be_answered_at_once_and_for_one_person_alone(server):
    ann, bot = server.user("Ann"), Bot()

    @bot.tree.command(description="Who am I")
    async def whoami(interaction: discord.Interaction) -> None:
        await interaction.response.send_message(str(interaction.user.id), ephemeral=True)
        original = await interaction.original_response()
        await original.edit(content=original.content + "!")

    async with running(bot, server):
        await bot.tree.sync()
        await ann.uses("whoami")
        answer = await ann.receives()
        await server.until(lambda: [deed.kind for deed in server.deeds][-1] == "edit")
    assert answer.text == ann.user_id
    assert ann.dm.posts() == []
    assert server.deeds[-1].detail["content"] == ann.user_id + "!"


class Approval(discord.ui.View):
    @discord.ui.button(label="Yes", custom_id="approve")
    async def approve(self, interaction: discord.Interaction, _: discord.ui.Button) -> None:
        await interaction.response.edit_message(content="approved", view=None)


async def test_a_button_is_shown_pressed_and_taken_away(server):
    ann = server.user("Ann")
    async with running(Bot(), server) as bot:
        await ann.says("may I?")
        await until(lambda: bot.heard)
        await bot.heard[0].channel.send("Bob wants in", view=Approval())
        shown = await ann.receives()
        await ann.presses(shown, "approve")
        assert (await ann.sees(shown, "approved")).json["components"] == []


RESUMABLE = {
    "the connection breaks": lambda gateway: gateway.drop(),
    "close 4000": lambda gateway: gateway.close(4000),
    "op 7": lambda gateway: gateway.reconnect(),
    "op 9, resumable": lambda gateway: gateway.invalidate(resumable=True),
}


@pytest.mark.parametrize("how", RESUMABLE)
async def test_what_was_missed_in_a_gap_is_heard_after_a_resume(server, how):
    ann = server.user("Ann")
    async with running(Bot(), server) as bot:
        await ann.says("before")
        await until(lambda: bot.texts == ["before"])
        with server.gateway.away():
            await RESUMABLE[how](server.gateway)
            await ann.says("in the gap")
        await until(lambda: bot.resumed == 1)
        await ann.says("after")
        await until(lambda: len(bot.texts) == 3)
        assert bot.texts == ["before", "in the gap", "after"]
        assert server.gateway.identifies == 1


LOST = {
    "op 9": lambda gateway: gateway.invalidate(resumable=False),
    "close 4009": lambda gateway: gateway.close(4009),
}


@pytest.mark.parametrize("how", LOST)
async def test_what_was_missed_without_a_resume_is_in_the_history(server, how):
    ann = server.user("Ann")
    async with running(Bot(), server) as bot:
        await ann.says("before")
        await until(lambda: bot.texts == ["before"])
        with server.gateway.away():
            await LOST[how](server.gateway)
            await ann.says("in the gap")
        await server.until(lambda: server.gateway.identifies == 2)
        await ann.says("after")
        await until(lambda: len(bot.texts) == 2)
        assert bot.texts == ["before", "after"]
        channel = await bot.fetch_channel(bot.heard[0].channel.id)
        missed = [one.content async for one in channel.history(after=bot.heard[0], before=bot.heard[1])]
        assert missed == ["in the gap"]


async def test_events_may_come_twice(server):
    ann = server.user("Ann")
    async with running(Bot(), server) as bot:
        server.gateway.duplicate_next()
        await ann.says("once")
        await until(lambda: len(bot.heard) == 2)
        assert bot.heard[0].id == bot.heard[1].id


async def test_a_server_error_is_tried_again(server):
    ann = server.user("Ann")
    async with running(Bot(echoes=True), server):
        server.faults.next(Broken(502), method="POST", path="/channels/*/messages")
        await ann.says("hi")
        assert (await ann.receives()).text == "hi"
    assert [call.status for call in server.calls if call.method == "POST"] == [502, 200]


async def test_a_wrong_token_is_a_failed_login(server):
    with pytest.raises(discord.LoginFailure):
        async with Bot() as bot:
            await bot.login("wrong")


async def test_intents_that_are_switched_off_end_the_client():
    async with DiscordServer(privileged_intents=0) as server:
        with point_discord_py(server):
            async with Bot() as bot:
                with pytest.raises(discord.PrivilegedIntentsRequired):
                    await bot.start(server.token)


async def test_a_token_that_is_revoked_while_running_ends_the_client(server):
    async with Bot() as bot:
        task = asyncio.create_task(bot.start(server.token))
        await server.connected()
        await server.gateway.close(4004)
        with pytest.raises(discord.ConnectionClosed):
            await task


async def test_an_error_carries_discord_s_own_code(server):
    ann = server.user("Ann")
    ann.refuses_dms()
    async with running(Bot(), server) as bot:
        person = await bot.fetch_user(int(ann.user_id))
        with pytest.raises(discord.Forbidden) as caught:
            await person.send("hi")
    assert caught.value.code == 50007


async def test_a_message_that_was_sent_with_its_answer_lost_is_sent_once_with_a_nonce(server):
    ann = server.user("Ann")
    async with running(Bot(), server) as bot:
        channel = await bot.create_dm(discord.Object(int(ann.user_id)))
        server.faults.next(LostAnswer(), method="POST", path="/channels/*/messages")
        with pytest.raises(aiohttp.ClientError):
            await channel.send("once", nonce="key-1")
        await channel.send("once", nonce="key-1")
    assert [post.text for post in ann.dm.posts()] == ["once"]


async def test_a_client_comes_back_after_the_platform_was_down(server, monkeypatch):
    monkeypatch.setattr("discord.client.ExponentialBackoff.delay", lambda _: 0.01)  # by itself, seconds by chance
    ann = server.user("Ann")
    async with running(Bot(), server) as bot:
        with server.faults.during(Broken(503)):
            await server.gateway.drop()
            await ann.says("in the gap")
            await server.until(lambda: server.calls[-1].status == 503)
        await until(lambda: bot.resumed == 1 and bot.heard)
        assert bot.texts == ["in the gap"]
