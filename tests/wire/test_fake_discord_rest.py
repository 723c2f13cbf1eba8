"""The REST half of the fake Discord, over a real socket, held to Discord's specification."""

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from essence.errors import TooSlow
from essence.fakes.discord import Broken, DiscordServer, Hang, LostAnswer, Pace, Refused, Reset, Slow, TooMany
from essence.fakes.discord.messages import history
from essence.fakes.discord.world import World
from tests import discord_spec

NO_TIME = aiohttp.ClientTimeout(total=0.3)
OGG = b"OggS of a kind"
WAVEFORM = base64.b64encode(bytes(range(0, 256, 4))).decode()


@dataclass
class Bot:
    """Speaks HTTP to the fake as a bot would."""

    discord: DiscordServer
    session: aiohttp.ClientSession
    headers: dict[str, str] = field(default_factory=dict)

    async def __call__(self, method: str, path: str, body: object = None, *, token: str | None = None):
        headers = {"Authorization": f"Bot {token or self.discord.token}"}
        async with self.session.request(method, self.discord.api_url + path, json=body, headers=headers) as answer:
            self.headers = dict(answer.headers)
            return answer.status, json.loads(await answer.read() or "null")

    async def upload(self, path: str, payload: object, *files: tuple[str, str, bytes]):
        form = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
        form.add_field("payload_json", json.dumps(payload))
        for number, (filename, media_type, data) in enumerate(files):
            form.add_field(f"files[{number}]", io.BytesIO(data), filename=filename, content_type=media_type)
        headers = {"Authorization": f"Bot {self.discord.token}"}
        async with self.session.post(self.discord.api_url + path, data=form, headers=headers) as answer:
            return answer.status, json.loads(await answer.read())


@pytest.fixture
async def discord() -> AsyncIterator[DiscordServer]:
    async with DiscordServer() as server:
        yield server
        if discord_spec.FILE.exists():
            assert discord_spec.wrong_calls(server.calls) == []


@pytest.fixture
async def bot(discord) -> AsyncIterator[Bot]:
    async with aiohttp.ClientSession() as session:
        yield Bot(discord, session)


@pytest.fixture
def ann(discord):
    return discord.user("Ann")


@pytest.fixture
def messages(ann) -> str:
    return f"/channels/{ann.dm.channel_id}/messages"


def voice(**changes) -> dict[str, object]:
    about = {"id": 0, "filename": "voice-message.ogg", "duration_secs": 1.5, "waveform": WAVEFORM}
    return {"flags": 8192, "attachments": [about]} | changes


# Who is there


@discord_spec.needed
async def test_what_a_login_asks_for_is_as_the_specification_has_it(bot, ann, discord):
    guild = discord.guild("Home", ann)
    channel = guild.channel("general")
    thread = await ann.opens_thread("Plans", channel)
    for path in (
        "/users/@me",
        f"/users/{ann.user_id}",
        "/oauth2/applications/@me",
        "/gateway",
        "/gateway/bot",
        f"/guilds/{guild.guild_id}",
        f"/guilds/{guild.guild_id}/channels",
        f"/guilds/{guild.guild_id}/members/{ann.user_id}",
        f"/guilds/{guild.guild_id}/threads/active",
        f"/channels/{channel.channel_id}",
        f"/channels/{thread.channel_id}",
        f"/channels/{ann.dm.channel_id}",
    ):
        status, _ = await bot("GET", path)
        assert status == 200, path
    assert len(discord.calls) == 12  # whose answers the fixture holds to the specification


async def test_a_wrong_token_is_refused(bot):
    assert (await bot("GET", "/users/@me", token="wrong"))[0] == 401


async def test_json_is_declared_without_a_charset(bot):
    await bot("GET", "/users/@me")
    assert bot.headers["Content-Type"] == "application/json"


async def test_a_dm_is_opened_once_and_found_again(bot, ann):
    first = await bot("POST", "/users/@me/channels", {"recipient_id": ann.user_id})
    assert first[0] == 200
    assert await bot("POST", "/users/@me/channels", {"recipient_id": ann.user_id}) == first


# Messages


async def test_a_message_is_received_by_the_person_it_was_sent_to(bot, ann, messages):
    status, sent = await bot("POST", messages, {"content": "hello"})
    assert status == 200
    got = await ann.receives()
    assert (got.message_id, got.text) == (sent["id"], "hello")


async def test_a_person_who_gets_nothing_says_what_they_waited_for(ann):
    with pytest.raises(TooSlow, match="a message of the bot"):
        await ann.receives(timeout_s=0.01)


@pytest.mark.parametrize(("chars", "status"), [(2000, 200), (2001, 400)])
async def test_a_message_has_at_most_2000_characters(bot, messages, chars, status):
    answered, body = await bot("POST", messages, {"content": "ä" * chars})
    assert answered == status
    if status == 400:
        assert body["code"] == 50035
        assert body["errors"]["content"]["_errors"][0]["code"] == "BASE_TYPE_MAX_LENGTH"


async def test_an_edit_has_at_most_2000_characters_too(bot, messages):
    _, sent = await bot("POST", messages, {"content": "hello"})
    assert (await bot("PATCH", f"{messages}/{sent['id']}", {"content": "x" * 2001}))[1]["code"] == 50035


@pytest.mark.parametrize("body", [{}, {"content": ""}, {"content": " \n"}])
async def test_an_empty_message_is_refused(bot, messages, body):
    status, answer = await bot("POST", messages, body)
    assert (status, answer["code"]) == (400, 50006)


async def test_what_does_not_exist_has_its_own_code(bot, messages):
    assert (await bot("POST", "/channels/1/messages", {"content": "x"}))[1]["code"] == 10003
    assert (await bot("GET", f"{messages}/1"))[1]["code"] == 10008
    assert (await bot("PATCH", f"{messages}/1", {"content": "x"}))[1]["code"] == 10008
    assert (await bot("POST", "/users/@me/channels", {"recipient_id": "1"}))[1]["code"] == 10013


async def test_a_hidden_channel_and_a_closed_door_are_told_apart(bot, discord, ann):
    channel = discord.guild("Home", ann).channel("secret")
    channel.hides()
    status, answer = await bot("POST", f"/channels/{channel.channel_id}/messages", {"content": "x"})
    assert (status, answer["code"]) == (403, 50001)
    ann.refuses_dms()
    status, answer = await bot("POST", f"/channels/{ann.dm.channel_id}/messages", {"content": "x"})
    assert (status, answer["code"]) == (403, 50007)


async def test_only_what_the_bot_wrote_can_be_edited_or_deleted(bot, ann, messages):
    hers = await ann.says("mine")
    assert (await bot("PATCH", f"{messages}/{hers.message_id}", {"content": "x"}))[1]["code"] == 50005
    assert (await bot("DELETE", f"{messages}/{hers.message_id}"))[1]["code"] == 50003
    _, sent = await bot("POST", messages, {"content": "x"})
    assert (await bot("PATCH", f"{messages}/{sent['id']}", {"content": "y"}))[1]["content"] == "y"
    assert (await bot("DELETE", f"{messages}/{sent['id']}"))[0] == 204
    assert (await bot("GET", f"{messages}/{sent['id']}"))[1]["code"] == 10008


async def test_an_enforced_nonce_makes_one_message(bot, ann, messages):
    body = {"content": "once", "nonce": "key-1", "enforce_nonce": True}
    first, again = await bot("POST", messages, body), await bot("POST", messages, body)
    assert first[1]["id"] == again[1]["id"]
    assert first[1]["nonce"] == "key-1"
    assert len(ann.dm.posts()) == 1


async def test_a_nonce_that_is_not_enforced_makes_as_many_as_were_sent(bot, ann, messages):
    for _ in range(2):
        await bot("POST", messages, {"content": "twice", "nonce": "key-1"})
    assert len(ann.dm.posts()) == 2


async def test_a_nonce_is_forgotten_after_minutes():
    clock = [datetime(2026, 1, 1, tzinfo=UTC)]
    async with DiscordServer(now=lambda: clock[0]) as discord, aiohttp.ClientSession() as session:
        bot, ann = Bot(discord, session), discord.user("Ann")
        messages = f"/channels/{ann.dm.channel_id}/messages"
        body = {"content": "once", "nonce": 5, "enforce_nonce": True}
        await bot("POST", messages, body)
        clock[0] += timedelta(minutes=10)
        await bot("POST", messages, body)
        assert len(ann.dm.posts()) == 2


async def test_a_long_nonce_is_refused(bot, messages):
    assert (await bot("POST", messages, {"content": "x", "nonce": "x" * 26}))[1]["code"] == 50035


async def test_a_reply_shows_what_it_answers_and_fails_if_that_is_gone(bot, ann, messages):
    asked = await ann.says("why?")
    reference = {"message_id": asked.message_id}
    _, sent = await bot("POST", messages, {"content": "so", "message_reference": reference})
    assert sent["referenced_message"]["content"] == "why?"
    await ann.deletes(asked)
    assert (await bot("POST", messages, {"content": "so", "message_reference": reference}))[1]["code"] == 50035
    loose = reference | {"fail_if_not_exists": False}
    assert (await bot("POST", messages, {"content": "so", "message_reference": loose}))[0] == 200


@given(
    count=st.integers(0, 12),
    limit=st.integers(1, 100),
    edge=st.integers(0, 12),
    way=st.sampled_from(["after", "before", "around", ""]),
)
def test_history_is_a_window_on_all_messages_newest_first(count, limit, edge, way):
    world = World(lambda: datetime.now(UTC), None)
    ids = [world.new_id() for _ in range(count)]
    world.messages["c"] = {one: {"id": one} for one in ids}
    at = ids[edge] if edge < count else world.new_id()
    got = [one["id"] for one in history(world, "c", {"limit": str(limit)} | ({way: at} if way else {}))]
    newest_first = ids[::-1]
    assert len(got) <= limit
    assert got == [one for one in newest_first if one in got]
    if way == "after":
        assert got == [one for one in newest_first if int(one) > int(at)][-limit:]
    elif way == "before":
        assert got == [one for one in newest_first if int(one) < int(at)][:limit]
    elif way == "":
        assert got == newest_first[:limit]
    else:
        assert at in got or at not in ids


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "after=x"])
async def test_history_refuses_what_is_no_window(bot, messages, query):
    assert (await bot("GET", f"{messages}?{query}"))[1]["code"] == 50035


async def test_history_holds_what_was_said_while_nobody_listened(bot, ann, messages):
    first = await ann.says("one")
    await ann.says("two")
    _, got = await bot("GET", f"{messages}?after={first.message_id}")
    assert [one["content"] for one in got] == ["two"]


async def test_typing_and_reactions_are_noted_with_their_time(bot, discord, ann, messages):
    hers = await ann.says("hi")
    assert (await bot("POST", f"/channels/{ann.dm.channel_id}/typing"))[0] == 204
    assert (await bot("PUT", f"{messages}/{hers.message_id}/reactions/%F0%9F%91%82/@me"))[0] == 204
    assert [(deed.kind, deed.message_id) for deed in discord.deeds] == [("typing", ""), ("react", hers.message_id)]
    assert discord.deeds[0].at <= discord.deeds[1].at
    _, seen = await bot("GET", f"{messages}/{hers.message_id}")
    assert [(one["emoji"]["name"], one["count"], one["me"]) for one in seen["reactions"]] == [("👂", 1, True)]
    await bot("DELETE", f"{messages}/{hers.message_id}/reactions/%F0%9F%91%82/@me")
    assert "reactions" not in (await bot("GET", f"{messages}/{hers.message_id}"))[1]


async def test_a_word_is_no_emoji(bot, ann, messages):
    hers = await ann.says("hi")
    assert (await bot("PUT", f"{messages}/{hers.message_id}/reactions/ear/@me"))[1]["code"] == 10014


async def test_a_thread_hangs_on_one_message_once(bot, discord, ann):
    channel = discord.guild("Home", ann).channel("general")
    asked = await ann.says("long story", channel)
    path = f"/channels/{channel.channel_id}/messages/{asked.message_id}/threads"
    status, thread = await bot("POST", path, {"name": "Story"})
    assert (status, thread["id"]) == (201, asked.message_id)
    assert (await bot("POST", path, {"name": "Story"}))[1]["code"] == 160004


# Files and voice


async def test_an_uploaded_file_can_be_downloaded(bot, ann, messages):
    _, sent = await bot.upload(messages, {"content": "here"}, ("a.txt", "text/plain", b"abc"))
    async with bot.session.get(sent["attachments"][0]["url"]) as answer:
        assert (answer.status, await answer.read()) == (200, b"abc")
    assert (await ann.receives()).attachments[0].data == b"abc"


async def test_a_file_of_no_declared_kind_is_known_by_its_name(bot, messages):
    _, sent = await bot.upload(messages, {}, ("answer.ogg", "application/octet-stream", OGG))
    assert sent["attachments"][0]["content_type"] == "audio/ogg"


async def test_a_file_that_is_gone_is_a_404(bot, discord):
    async with bot.session.get(discord.cdn_url + "/attachments/1/2/gone.ogg") as answer:
        assert answer.status == 404


async def test_a_file_over_10_mib_is_refused(bot, messages):
    status, answer = await bot.upload(messages, {}, ("big.bin", "application/octet-stream", bytes(10 * 2**20 + 1)))
    assert (status, answer["code"]) == (413, 40005)


async def test_a_voice_message_arrives_with_its_length_and_picture(bot, ann, messages):
    status, sent = await bot.upload(messages, voice(), ("voice-message.ogg", "audio/ogg", OGG))
    assert (status, sent["flags"]) == (200, 8192)
    note = await ann.receives()
    assert note.is_voice
    assert (note.attachments[0].data, note.attachments[0].duration_s) == (OGG, 1.5)
    assert note.attachments[0].waveform == base64.b64decode(WAVEFORM)


@pytest.mark.parametrize(
    ("payload", "files", "code"),
    [
        (voice(content="listen"), 1, 50159),
        (voice(embeds=[{"title": "listen"}]), 1, 50159),
        (voice(), 0, 50160),
        (voice(), 2, 50160),
        (voice(attachments=[{"id": 0, "filename": "voice-message.ogg"}]), 1, 50161),
        (voice(attachments=[{"id": 0, "duration_secs": 1.0}]), 1, 50161),
        (voice(attachments=[{"id": 0, "duration_secs": 1.0, "waveform": "A" * 404}]), 1, 50035),
        (voice(attachments=[{"id": 0, "duration_secs": 1.0, "waveform": "no base64"}]), 1, 50035),
    ],
)
async def test_a_voice_message_that_breaks_a_rule_is_refused_by_its_code(bot, messages, payload, files, code):
    status, answer = await bot.upload(messages, payload, *[("voice-message.ogg", "audio/ogg", OGG)] * files)
    assert (status, answer["code"]) == (400, code)


async def test_a_voice_message_must_be_declared_as_audio(bot, messages):
    _, answer = await bot.upload(messages, voice(), ("voice-message.ogg", "application/octet-stream", OGG))
    assert answer["code"] == 50160


async def test_a_voice_message_is_not_edited(bot, messages):
    _, sent = await bot.upload(messages, voice(), ("voice-message.ogg", "audio/ogg", OGG))
    assert (await bot("PATCH", f"{messages}/{sent['id']}", {"content": "x"}))[1]["code"] == 50162


async def test_a_channel_may_forbid_voice_messages_and_take_a_file(bot, discord, ann):
    channel = discord.guild("Home", ann).channel("quiet")
    channel.forbids_voice()
    path = f"/channels/{channel.channel_id}/messages"
    _, answer = await bot.upload(path, voice(), ("voice-message.ogg", "audio/ogg", OGG))
    assert answer["code"] == 50173
    assert (await bot.upload(path, {}, ("answer.ogg", "audio/ogg", OGG)))[0] == 200


async def test_where_the_history_is_hidden_nothing_is_read_or_replied_to(bot, discord, ann):
    channel = discord.guild("Home", ann).channel("secret")
    said, path = await ann.says("hi", channel), f"/channels/{channel.channel_id}/messages"
    channel.hides_history()
    assert await bot("GET", path) == (200, [])
    reply = {"content": "hi", "message_reference": {"message_id": said.message_id}}
    status, answer = await bot("POST", path, reply)
    assert (status, answer["code"]) == (400, 160002)
    assert (await bot("POST", path, {"content": "hi"}))[0] == 200
    assert (await bot("PUT", f"{path}/{said.message_id}/reactions/%F0%9F%91%80/@me"))[0] == 403


# Commands

COMMANDS = [
    {"name": "status", "description": "How June is", "type": 1},
    {"name": "language", "description": "Choose", "options": [{"name": "code", "description": "Which", "type": 3}]},
]


async def test_a_bulk_overwrite_replaces_all_commands_and_keeps_ids(bot, discord):
    path = f"/applications/{discord.world.application_id}/commands"
    _, first = await bot("PUT", path, COMMANDS)
    _, second = await bot("PUT", path, COMMANDS[:1])
    assert [one["name"] for one in first] == ["status", "language"]
    assert [one["id"] for one in second] == [first[0]["id"]]
    assert (await bot("GET", path))[1] == second


@pytest.mark.parametrize(
    "command",
    [
        {"name": "Status", "description": "x"},
        {"name": "two words", "description": "x"},
        {"name": "", "description": "x"},
        {"name": "x" * 33, "description": "x"},
        {"name": "status", "description": ""},
        {"name": "status", "description": "x" * 101},
    ],
)
async def test_a_command_with_a_bad_name_or_description_is_refused(bot, discord, command):
    assert (await bot("PUT", f"/applications/{discord.world.application_id}/commands", [command]))[1]["code"] == 50035


async def test_a_guild_has_commands_of_its_own(bot, discord, ann):
    guild = discord.guild("Home", ann)
    path = f"/applications/{discord.world.application_id}/guilds/{guild.guild_id}/commands"
    assert (await bot("PUT", path, COMMANDS[:1]))[0] == 200
    await ann.uses("status", where=guild.channel("general"))
    with pytest.raises(Refused):
        await ann.uses("status")


async def test_an_interaction_is_answered_once_and_followed_up(bot, discord, ann):
    await bot("PUT", f"/applications/{discord.world.application_id}/commands", COMMANDS)
    used = await ann.uses("status")
    callback = f"/interactions/{used.interaction_id}/{used.token}/callback"
    webhook = f"/webhooks/{discord.world.application_id}/{used.token}"
    assert (await bot("POST", webhook, {"content": "early"}))[1]["code"] == 10015
    assert (await bot("POST", callback + "?with_response=true", {"type": 5}))[0] == 200
    assert (await bot("POST", callback, {"type": 4, "data": {"content": "x"}}))[1]["code"] == 40060
    assert (await bot("PATCH", webhook + "/messages/@original", {"content": "fine"}))[1]["content"] == "fine"
    assert (await ann.receives()).text == "fine"
    assert (await bot("POST", webhook, {"content": "and you?", "flags": 64}))[0] == 200
    assert (await ann.receives()).text == "and you?"
    assert [post.text for post in ann.dm.posts()] == ["fine"]  # the other was for her eyes alone


async def test_an_interaction_that_is_answered_late_is_unknown():
    clock = [datetime(2026, 1, 1, tzinfo=UTC)]
    async with DiscordServer(now=lambda: clock[0]) as discord, aiohttp.ClientSession() as session:
        bot, ann = Bot(discord, session), discord.user("Ann")
        await bot("PUT", f"/applications/{discord.world.application_id}/commands", COMMANDS)
        used = await ann.uses("status")
        clock[0] += timedelta(seconds=3.1)
        path = f"/interactions/{used.interaction_id}/{used.token}/callback"
        assert (await bot("POST", path, {"type": 5}))[1]["code"] == 10062


# Faults


async def test_too_many_requests_say_when_to_come_back_and_that_discord_says_so(bot, discord, ann, messages):
    discord.faults.next(TooMany(2.5), method="POST", path="/channels/*/messages")
    status, answer = await bot("POST", messages, {"content": "x"})
    assert (status, answer["retry_after"], answer["global"]) == (429, 2.5, False)
    assert bot.headers["Retry-After"] == "3"
    assert bot.headers["Via"]
    assert ann.dm.posts() == []
    assert (await bot("POST", messages, {"content": "x"}))[0] == 200


async def test_the_pace_of_a_bucket_is_told_and_kept(ann):
    async with DiscordServer(pace=Pace(2, 60.0)) as discord, aiohttp.ClientSession() as session:
        bot, ann, bob = Bot(discord, session), discord.user("Ann"), discord.user("Bob")
        path = f"/channels/{ann.dm.channel_id}/messages"
        left = []
        for expected in (200, 200, 429):
            assert (await bot("POST", path, {"content": "x"}))[0] == expected
            left.append(bot.headers["X-RateLimit-Remaining"])
        assert left == ["1", "0", "0"]
        assert 0 < float(bot.headers["X-RateLimit-Reset-After"]) <= 60
        assert (await bot("POST", f"/channels/{bob.dm.channel_id}/messages", {"content": "x"}))[0] == 200


@pytest.mark.parametrize(("fault", "happened"), [(LostAnswer(), 1), (Reset(), 0)])
async def test_a_broken_connection_leaves_it_open_whether_it_happened(bot, discord, ann, messages, fault, happened):
    discord.faults.next(fault)
    with pytest.raises(aiohttp.ClientConnectionError):
        await bot("POST", messages, {"content": "x"})
    assert len(ann.dm.posts()) == happened
    assert discord.calls[-1].status is None


async def test_who_asks_again_with_the_same_nonce_after_a_lost_answer_gets_the_first_message(
    bot, discord, ann, messages
):
    body = {"content": "once", "nonce": "key-1", "enforce_nonce": True}
    discord.faults.next(LostAnswer())
    with pytest.raises(aiohttp.ClientConnectionError):
        await bot("POST", messages, body)
    _, sent = await bot("POST", messages, body)
    assert [post.message_id for post in ann.dm.posts()] == [sent["id"]]


@pytest.mark.parametrize(("fault", "happened"), [(Hang(after_effect=True), 1), (Hang(), 0)])
async def test_a_request_may_hang(bot, discord, ann, messages, fault, happened):
    discord.faults.next(fault)
    with pytest.raises(asyncio.TimeoutError):
        async with bot.session.post(
            discord.api_url + messages,
            json={"content": "x"},
            headers={"Authorization": f"Bot {discord.token}"},
            timeout=NO_TIME,
        ):
            pass
    assert len(ann.dm.posts()) == happened


async def test_a_slow_answer_is_an_answer(bot, discord, ann, messages):
    discord.faults.next(Slow(0.01))
    assert (await bot("POST", messages, {"content": "x"}))[0] == 200
    assert len(ann.dm.posts()) == 1


async def test_faults_go_where_they_were_sent_and_in_order(bot, discord, ann, messages):
    discord.faults.next(Broken(503), Broken(504), method="POST")
    with discord.faults.during(Broken(500), path="/users/*"):
        statuses = []
        async with bot.session.get(discord.api_url + "/users/@me") as answer:
            statuses.append(answer.status)
        for _ in range(3):
            headers = {"Authorization": f"Bot {discord.token}"}
            async with bot.session.post(discord.api_url + messages, json={"content": "x"}, headers=headers) as answer:
                statuses.append(answer.status)
    assert statuses == [500, 503, 504, 200]
    assert discord.faults.pending == 0
    assert (await bot("GET", "/users/@me"))[0] == 200


async def test_a_download_may_fail_too(bot, discord, ann):
    note = await ann.sends_voice(OGG, 1.0)
    discord.faults.next(Broken(503), path="/cdn/*")
    statuses = []
    for _ in range(2):
        async with bot.session.get(note.attachments[0].url) as answer:
            statuses.append(answer.status)
    assert statuses == [503, 200]


async def test_a_body_that_is_no_json_is_refused(bot, discord, messages):
    headers = {"Authorization": f"Bot {discord.token}", "Content-Type": "application/json"}
    async with bot.session.post(discord.api_url + messages, data=b"{", headers=headers) as answer:
        assert (answer.status, (await answer.json())["code"]) == (400, 50109)


async def test_a_path_that_discord_has_not_is_a_404(bot):
    async with bot.session.get(bot.discord.api_url + "/nothing") as answer:
        assert (answer.status, (await answer.json())["message"]) == (404, "404: Not Found")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/users/@me/channels", {}),
        ("POST", "{messages}", "text"),
        ("POST", "{messages}", {"content": 5}),
        ("POST", "{messages}", {"content": "x", "message_reference": {}}),
        ("PUT", "/applications/{application}/commands", {"name": "status"}),
        ("POST", "/applications/{application}/commands", {}),
        ("POST", "/interactions/{interaction}/callback", {}),
        ("POST", "{channel}/threads", {}),
    ],
)
async def test_a_form_that_is_wrong_is_the_bot_s_fault(bot, discord, ann, method, path, body):
    await bot("PUT", f"/applications/{discord.world.application_id}/commands", COMMANDS)
    used = await ann.uses("status")
    channel = discord.guild("Home", ann).channel("general").channel_id
    path = path.format(
        messages=f"/channels/{channel}/messages",
        channel=f"/channels/{channel}",
        application=discord.world.application_id,
        interaction=f"{used.interaction_id}/{used.token}",
    )
    assert 400 <= (await bot(method, path, body))[0] < 500


@discord_spec.needed
async def test_the_specification_finds_what_is_wrong(bot, ann, messages):
    _, sent = await bot("POST", messages, {"content": "x"})
    assert discord_spec.wrong("MessageResponse", sent) == []
    for left_out in ("author", "timestamp", "mentions", "flags"):
        assert discord_spec.wrong("MessageResponse", {name: one for name, one in sent.items() if name != left_out})
    assert discord_spec.wrong("MessageResponse", sent | {"author": sent["author"] | {"id": 5}})
    assert discord_spec.wrong_request("POST", "/channels/{channel_id}/messages", {"content": "x" * 5000})
    assert discord_spec.wrong_answer("DELETE", "/channels/{channel_id}/messages/{message_id}", 200, {})
