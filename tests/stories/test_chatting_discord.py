"""What people on Discord live through with June: all of her on the fake Discord, with scripted engines."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from functools import partial

import pytest

from essence.audio import Pcm, decode, encode_voice
from essence.chat.assistant import COMMANDS, Assistant, Crowd, running
from essence.chat.pipeline import Pipeline
from essence.config import DiscordService
from essence.dialogue import Address, ModelEvent, ToolSpec, Turn
from essence.errors import NotAllowed
from essence.fakes import ScriptedModel, ScriptedTranscriber, ToneSynthesizer
from essence.fakes.discord import Broken, DiscordServer, LostAnswer, Person, Post, Reset, TooMany
from essence.services.discord.bookmark import Bookmark
from essence.services.discord.channel import DiscordChannel
from essence.services.discord.doors import allowed
from essence.store import open_store
from tests import discord_june

NOTE = encode_voice([Pcm(bytes(48_000 * 2 * 2), 48_000)]).data
LONG = (
    "The first sentence is here now. The second one comes after it. A third is on its way. The fourth ends it all. " * 4
)


@pytest.fixture
async def discord(monkeypatch) -> AsyncIterator[DiscordServer]:
    async with discord_june.fake_discord(monkeypatch) as server:
        yield server


@pytest.fixture
def ann(discord: DiscordServer) -> Person:
    return discord.user("Ann")


@pytest.fixture
def general(discord, ann):
    return discord.guild("Home", ann).channel("general")


@pytest.fixture
def url(tmp_path) -> str:
    return f"sqlite:///{tmp_path}/june.db"


@asynccontextmanager
async def june(
    discord: DiscordServer,
    url: str,
    owner: Person,
    *,
    model: ScriptedModel | None = None,
    hears: str = "what is up",
    fresh_s: float = 900.0,
) -> AsyncIterator[Assistant]:
    """Listening; when it ends, every message has had its end."""
    settings = DiscordService(
        _env_file=None,
        discord_token=discord.token,
        discord_api_url=discord.api_url,
        discord_gateway_url=discord.gateway_url,
        discord_owner_users=owner.user_id,
        chat_fresh_s=fresh_s,
        store_poll_s=0.05,
    )
    pipeline = Pipeline(ScriptedTranscriber(hears), model or ScriptedModel("All is well."), ToneSynthesizer())

    async def loaded() -> Pipeline:
        return pipeline

    async with (
        open_store(url, settings) as store,
        DiscordChannel(
            settings,
            COMMANDS,
            partial(store.inbox.newest, "discord"),
            partial(allowed, settings, store.people),
            Bookmark(store.journal),
        ) as channel,
        running(
            channel,
            store,
            loaded,
            settings,
            Crowd(frozenset({owner.user_id}), frozenset()),
            system_prompt="You are June.",
        ) as assistant,
    ):
        await discord.connected()
        yield assistant
        async with asyncio.timeout(10):
            while await store.inbox.backlog():  # noqa: ASYNC110 - the store tells nobody when it is empty
                await asyncio.sleep(0.02)


def junes(discord: DiscordServer, place) -> list[Post]:
    return [post for post in place.posts() if post.author_id == discord.world.bot["id"]]


async def offered(discord: DiscordServer) -> None:
    await discord.until(lambda: len(discord.commands.offered(None)) == len(COMMANDS), "slash commands")


class Halting(ScriptedModel):
    """Stops before a word of its script until it may go on."""

    def __init__(self, script: str, *, before: int) -> None:
        super().__init__(script)
        self._before = before
        self.may = asyncio.Event()

    async def reply(self, history: Sequence[Turn], *, tools: Sequence[ToolSpec] = ()) -> AsyncGenerator[ModelEvent]:
        number = 0
        async for event in super().reply(history, tools=tools):
            if number == self._before:
                await self.may.wait()
            number += 1
            yield event


# --- texts and notes


async def test_a_text_is_answered_with_text(discord, ann, url):
    async with june(discord, url, ann):
        await ann.says("hello")
        assert (await ann.receives()).text == "All is well."
    assert [(post.text, post.is_voice) for post in junes(discord, ann.dm)] == [("All is well.", False)]


async def test_a_note_is_answered_by_voice_messages_and_by_a_text_that_grows_while_the_model_writes(discord, ann, url):
    model = Halting(LONG, before=60)
    async with june(discord, url, ann, model=model):
        await ann.sends_voice(NOTE, 2.0)
        await discord.until(lambda: any(post.is_voice for post in junes(discord, ann.dm)), "a voice message")
        await discord.until(lambda: any(post.text for post in junes(discord, ann.dm)), "a text")
        model.may.set()
    shown = [deed.detail["content"] for deed in discord.deeds if deed.kind in ("post", "edit")]
    texts = [text for text in shown if text]
    assert len(texts) >= 2
    assert all(LONG.startswith(text.rstrip("… ")) for text in texts)
    [written] = [post.text for post in junes(discord, ann.dm) if not post.is_voice]
    assert written == LONG.strip()
    voices = [post.attachments[0] for post in junes(discord, ann.dm) if post.is_voice]
    seconds = sum(pcm.duration_s for voice in voices for pcm in decode(voice.data))
    assert seconds > len(LONG) * ToneSynthesizer.character_s * 0.9
    assert seconds == pytest.approx(sum(voice.duration_s for voice in voices), rel=0.05)


async def test_silence_is_told_and_no_model_is_asked(discord, ann, url):
    model = ScriptedModel("Thank you for watching.")
    async with june(discord, url, ann, model=model, hears=""):
        await ann.sends_voice(NOTE, 2.0)
        assert "no speech" in (await ann.receives()).text
    assert model.seen == []


async def test_a_long_answer_comes_in_several_messages_without_a_loss(discord, ann, url):
    words = " ".join(f"word{number}" for number in range(700))
    async with june(discord, url, ann, model=ScriptedModel(words)):
        await ann.says("tell me all")
        await discord.until(lambda: "word699" in str(junes(discord, ann.dm)), "the end")
    posts = junes(discord, ann.dm)
    assert len(posts) == 3
    assert all(len(post.text) <= 2000 for post in posts)
    assert " ".join(post.text for post in posts).split() == words.split()


async def test_where_voice_messages_are_not_allowed_the_voice_comes_as_a_file(discord, ann, general, url):
    general.forbids_voice()
    async with june(discord, url, ann):
        question = await ann.says(f"{discord.mention} hello", general)
        first = await ann.receives(general)
        await ann.sends_voice(NOTE, 2.0, where=general, reply_to=first)
        posts = [await ann.receives(general) for _ in range(2)]
    [file] = [post.attachments[0] for post in posts if post.attachments]
    assert (file.filename, file.media_type) == ("voice-message.ogg", "audio/ogg")
    assert first.json["message_reference"]["message_id"] == question.message_id


# --- slash commands


@pytest.mark.parametrize("name", [name for name, _ in COMMANDS])
async def test_every_slash_command_is_offered_and_answered_in_its_place(discord, ann, url, name):
    async with june(discord, url, ann):
        await offered(discord)
        used = await ann.uses(name)
        answer = await ann.receives()
    assert answer.text
    assert answer.json["interaction_metadata"]["id"] == used.interaction_id
    assert used.callback == {"type": 5}
    assert [post.message_id for post in junes(discord, ann.dm)] == [answer.message_id]


async def test_what_a_slash_command_chooses_is_kept_to(discord, ann, url):
    async with june(discord, url, ann):
        await offered(discord)
        await ann.uses("voice", {"text": "only"})
        await ann.receives()
        await ann.says("hello")
        assert (await ann.receives()).is_voice


async def test_stop_breaks_an_answer_off_and_what_was_said_stays(discord, ann, url):
    async with june(discord, url, ann, model=Halting(LONG, before=60)):
        await offered(discord)
        await ann.says("tell me")
        answer = await ann.receives()
        await ann.uses("stop")
        assert (await ann.receives()).text == "Stopped."
        await discord.until(lambda: ann.dm.posts()[1].text.endswith("…"), "its end")
    assert ann.dm.posts()[1].message_id == answer.message_id
    assert len(ann.dm.posts()[1].text) < len(LONG.strip())


# --- servers and threads


async def test_in_a_server_june_is_silent_unless_she_is_meant(discord, ann, general, url):
    model = ScriptedModel("All is well.")
    async with june(discord, url, ann, model=model) as assistant:
        await offered(discord)
        await ann.says("not for her", general)
        mention = await ann.says(f"{discord.mention} for her", general)
        answer = await ann.receives(general)
        reply = await ann.says("a reply to her", general, reply_to=answer)
        second = await ann.receives(general)
        await ann.says("again not for her", general)
        await ann.uses("whoami", where=general)
        third = await ann.receives(general)
        kept = await assistant.store.conversations.read(Address("discord", general.channel_id), turns=10, chars=1000)
    assert answer.json["message_reference"]["message_id"] == mention.message_id
    assert second.json["message_reference"]["message_id"] == reply.message_id
    assert ann.user_id in third.text
    assert len(junes(discord, general)) == 3
    assert [turn.text for turn in kept if turn.role == "user"] == ["for her", "a reply to her"]
    assert "not for her" not in str(model.seen)


async def test_in_a_server_a_voice_message_that_answers_june_is_answered_by_voice(discord, ann, general, url):
    async with june(discord, url, ann):
        await ann.says(f"{discord.mention} hello", general)
        first = await ann.receives(general)
        await ann.sends_voice(NOTE, 2.0, where=general)
        note = await ann.sends_voice(NOTE, 2.0, where=general, reply_to=first)
        answers = [await ann.receives(general) for _ in range(2)]
    assert sorted(post.is_voice for post in answers) == [False, True]
    assert {post.json["message_reference"]["message_id"] for post in answers} == {note.message_id}
    assert len(junes(discord, general)) == 3


async def test_her_name_below_somebodys_words_asks_about_them(discord, ann, general, url):
    model = ScriptedModel("No.")
    async with june(discord, url, ann, model=model):
        said = await discord.user("Bob").says("Is Lyon north of Paris?", general)
        await ann.says(discord.mention, general, reply_to=said)
        assert (await ann.receives(general)).text == "No."
        await ann.says(discord.mention, general)
        assert (await ann.receives(general)).text.startswith("Yes?")
    assert ["> Is Lyon north of Paris?" in seen[-1].text for seen in model.seen] == [True]


async def test_what_an_edit_addresses_to_june_is_answered_once(discord, ann, general, url):
    async with june(discord, url, ann):
        said = await ann.says("is Lyon north?", general)
        for words in ("is Lyon north?", "is Lyon north of Paris?"):
            await ann.edits(said, f"{discord.mention} {words}")
        await ann.receives(general)
        await ann.says(f"{discord.mention} thanks", general)
        await ann.receives(general)
    assert len(junes(discord, general)) == 2


async def test_a_thread_is_a_conversation_of_its_own(discord, ann, general, url):
    model = ScriptedModel("All is well.")
    async with june(discord, url, ann, model=model):
        await ann.says(f"{discord.mention} in the channel", general)
        await ann.receives(general)
        thread = await ann.opens_thread("Plans", general)
        for text in ("in the thread", "in it again"):
            await ann.says(f"{discord.mention} {text}", thread)
            await ann.receives(thread)
    assert [turn.text for turn in model.seen[-1]] == ["You are June.", "in the thread", "All is well.", "in it again"]
    assert len(junes(discord, general)) == 1


# --- who may talk to her


async def pair(url: str, code: str) -> str:
    """What the command says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "essence", "pair", code),
        env=os.environ | {"STORE_URL": url},
        stdout=asyncio.subprocess.PIPE,
    )
    return (await process.communicate())[0].decode()


async def test_a_stranger_gets_a_code_and_is_let_in_by_the_pair_command(discord, ann, url):
    bob, model = discord.user("Bob"), ScriptedModel("Welcome.")
    async with june(discord, url, ann, model=model) as assistant:
        await bob.says("let me in")
        refusal = await bob.receives()
        code = (await assistant.store.people.pairings())[0].code
        assert code in refusal.text
        assert model.seen == []
        assert "Bob" in await pair(url, code)
        await bob.says("and now?")
        assert (await bob.receives()).text == "Welcome."


async def test_an_owner_lets_somebody_in_by_a_button_and_nobody_else_can(discord, ann, url):
    bob, general = discord.user("Bob"), discord.guild("Home", ann).channel("general")
    async with june(discord, url, ann):
        await bob.says("let me in")
        await bob.receives()
        question = await ann.receives()
        [yes, _] = [one["custom_id"] for row in question.json["components"] for one in row["components"]]
        await bob.presses(question, yes)
        await discord.until(lambda: "not for you" in str(discord.world.ephemeral.values()), "a refusal")
        await ann.presses(question, yes)
        await discord.until(lambda: "Bob may talk" in str(discord.world.ephemeral.values()), "a yes")
        await bob.says(f"{discord.mention} and now?", general)
        assert (await bob.receives(general)).text == "All is well."


async def test_a_button_for_a_request_that_was_removed_blocks_nobody(discord, ann, url):
    bob = discord.user("Bob")
    async with june(discord, url, ann) as assistant:
        await bob.says("let me in")
        await bob.receives()
        question = await ann.receives()
        await assistant.store.people.remove("discord", bob.user_id)
        [yes, _] = [one["custom_id"] for row in question.json["components"] for one in row["components"]]
        await ann.presses(question, yes)
        await discord.until(lambda: "Nobody has the code" in str(discord.world.ephemeral.values()), "a reason")
        await ann.says("hello")
        await discord.until(lambda: "All is well." in [post.text for post in junes(discord, ann.dm)], "an answer")


async def test_a_strangers_name_puts_nothing_into_junes_mouth(discord, ann, url):
    bob = discord.user("[June needs you](https://evil.example) _now_")
    async with june(discord, url, ann):
        await bob.says("let me in")
        question = await ann.receives()
        [yes, _] = [one["custom_id"] for row in question.json["components"] for one in row["components"]]
        await ann.presses(question, yes)
        await discord.until(lambda: "may talk" in str(discord.world.ephemeral.values()), "a yes")
    [whispered] = [post["content"] for post in discord.world.ephemeral.values()]
    for text in (question.text, whispered):
        assert text.startswith("\\[June needs you\\](<https://evil.example>) \\_now\\_ ")


async def test_a_sticker_s_name_puts_nothing_into_junes_mouth(discord, ann, url):
    async with june(discord, url, ann):
        await ann.sends_sticker("[Log in](https://evil.example)")
        assert "](https" not in (await ann.receives()).text


async def test_strangers_in_a_server_get_no_answer(discord, ann, general, url):
    bob, model = discord.user("Bob"), ScriptedModel("All is well.")
    async with june(discord, url, ann, model=model):
        await bob.says(f"{discord.mention} tell me all", general)
        await ann.says(f"{discord.mention} hello", general)
        await ann.receives(general)
    assert len(junes(discord, general)) == 1
    assert "tell me all" not in str(model.seen)


async def test_a_strangers_slash_command_in_a_server_is_refused_for_their_eyes_alone(discord, ann, general, url):
    eve = discord.user("Eve")
    async with june(discord, url, ann):
        await offered(discord)
        used = await eve.uses("help", where=general)
        await discord.until(lambda: used.callback is not None, "an answer")
    assert [post["content"] for post in discord.world.ephemeral.values()] == ["This is not for you."]
    assert junes(discord, general) == []


async def test_who_takes_no_messages_from_june_can_not_be_spoken_to(discord, ann, url):
    async with june(discord, url, ann) as assistant:
        ann.refuses_dms()
        with pytest.raises(NotAllowed):
            await assistant.messenger.send(Address("discord", ann.dm.channel_id), "Your tea is ready.", key="tea")


# --- trouble


async def test_an_event_that_comes_twice_is_answered_once(discord, ann, url):
    model = ScriptedModel("All is well.")
    async with june(discord, url, ann, model=model):
        await offered(discord)
        discord.gateway.duplicate_next()
        await ann.says("hello")
        await ann.receives()
        discord.gateway.duplicate_next()
        await ann.uses("whoami")
        await ann.receives()
        await ann.says("and?")
        await ann.receives()
    assert len(junes(discord, ann.dm)) == 3
    assert len(model.seen) == 2


async def test_what_was_said_while_the_gateway_could_not_resume_is_answered(discord, ann, general, url):
    async with june(discord, url, ann):
        await ann.says("before")
        await ann.receives()
        await ann.says(f"{discord.mention} before", general)
        await ann.receives(general)
        with discord.gateway.away():
            await discord.gateway.invalidate(resumable=False)
            asked = [await ann.says("in the gap"), await ann.says(f"{discord.mention} in the gap", general)]
        assert (await ann.receives()).text == "All is well."
        answer = await ann.receives(general)
        await ann.says("after")
        await ann.receives()
    assert answer.json["message_reference"]["message_id"] == asked[1].message_id
    assert (len(junes(discord, ann.dm)), len(junes(discord, general))) == (3, 2)


async def test_a_first_private_message_while_june_was_away_is_answered(discord, ann, url):
    await ann.says("are you there?")
    async with june(discord, url, ann):
        assert (await ann.receives()).text == "All is well."


async def test_what_came_long_before_june_came_back_is_announced_and_answered_if_wanted(discord, ann, url):
    for number in range(3):
        await ann.says(f"old {number}")
    async with june(discord, url, ann, fresh_s=0.001):
        question = await ann.receives()
        assert "3 messages" in question.text
        await ann.presses(question, question.json["components"][0]["components"][0]["custom_id"])
        await discord.until(
            lambda: [post.text for post in junes(discord, ann.dm)].count("All is well.") == 3, "three answers"
        )


STORMS = {
    "502": [Broken(502)] * 4,
    "503": [Broken(503)] * 4,
    "429": [TooMany(0.05)] * 4,
    "429 of the whole bot": [TooMany(0.05, everywhere=True)] * 3,
    "429 of the proxy": [TooMany(1.0, from_discord=False)],
    "resets": [Reset()] * 3,
    "lost answers": [LostAnswer()] * 2,
    "all": [Broken(500), TooMany(0.05), LostAnswer(), Reset(), Broken(503)],
}


@pytest.mark.parametrize("storm", STORMS)
async def test_through_a_storm_of_failures_an_answer_comes_and_comes_once(discord, ann, url, storm):
    async with june(discord, url, ann):
        discord.faults.next(*STORMS[storm], method="POST", path="/channels/*/messages")
        for text in ("hello", "and now?"):
            await ann.says(text)
            await ann.receives(timeout_s=30.0)
    assert [post.text for post in junes(discord, ann.dm)] == ["All is well."] * 2
    assert discord.faults.pending == 0


async def test_while_all_of_discord_is_broken_nothing_is_lost(discord, ann, url):
    async with june(discord, url, ann):
        await ann.says("before")
        await ann.receives()
        with ExitStack() as storm:
            storm.enter_context(discord.faults.during(Broken(500)))
            await ann.says("in the storm")
            await discord.gateway.drop()
            await ann.says("deep in the storm")
            await discord.until(lambda: sum(call.status == 500 for call in discord.calls) > 3, "a storm")
        for _ in range(2):
            await ann.receives(timeout_s=30.0)
    assert len(junes(discord, ann.dm)) == 3


async def test_a_message_that_is_edited_before_it_is_answered_is_answered_as_it_is_now(discord, ann, url):
    model = Halting("Yes, yes.", before=0)
    async with june(discord, url, ann, model=model) as assistant:
        await ann.says("first")
        await discord.until(lambda: len(model.seen) == 1, "a question")
        said = await ann.says("as it was")
        await ann.edits(said, "as it is")
        async with asyncio.timeout(10):
            address = Address("discord", ann.dm.channel_id)
            while [one.text for one in await assistant.store.inbox.waiting(address)] != ["first", "as it is"]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        model.may.set()
        for _ in range(2):
            await ann.receives()
    assert [seen[-1].text for seen in model.seen] == ["first", "as it is"]
    assert len(junes(discord, ann.dm)) == 2


async def test_a_message_that_is_edited_after_its_answer_is_not_answered_again(discord, ann, url):
    async with june(discord, url, ann):
        said = await ann.says("as it was")
        await ann.receives()
        await ann.edits(said, "as it is")
        await ann.says("next")
        await ann.receives()
    assert len(junes(discord, ann.dm)) == 2


# --- as a newcomer starts her

MODELLESS = {
    "STT_URL": "fake:what is up",
    "TTS_URL": "fake:en",
    "LLM_URL": "fake:All is well.",
    "DISCORD_HTTP_PORT": "0",
    "DISCORD_GRPC_PORT": "0",
}


async def line_with(output: asyncio.StreamReader, words: str) -> str:
    async with asyncio.timeout(60):
        while words not in (line := (await output.readline()).decode()):
            assert line, f"ended before it printed {words!r}"
    return line.strip()


async def test_what_fake_discord_prints_starts_june_and_a_person_can_type_to_her(url):
    pipe = asyncio.subprocess.PIPE
    platform = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "essence", "fake-discord", "--port", "0"), stdin=pipe, stdout=pipe
    )
    lines = [await line_with(platform.stdout, "export") for _ in range(5)]
    pasted = dict(line.removeprefix("export ").split("=", 1) for line in lines)
    june = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "essence", "discord"),
        env=os.environ | MODELLESS | pasted | {"STORE_URL": url},
        stderr=pipe,
    )
    platform.stdin.write(b"hello\n")
    assert await line_with(platform.stdout, "June: ") == "June: All is well."
    june.terminate()
    _, log = await june.communicate()
    platform.stdin.write(b":quit\n")
    await platform.communicate()
    assert (june.returncode, platform.returncode) == (0, 0), log.decode()


async def test_a_wrong_token_is_told_in_a_sentence(discord, url):
    settings = {"DISCORD_TOKEN": "wrong", "DISCORD_API_URL": discord.api_url, "STORE_URL": url}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "essence", "discord"),
        env=os.environ | MODELLESS | settings,
        stderr=asyncio.subprocess.PIPE,
    )
    _, told = await process.communicate()
    assert process.returncode == 1
    assert "Discord refuses June's token." in told.decode().splitlines()[-1]
