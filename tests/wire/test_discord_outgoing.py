"""What June sends, edits and shows on Discord, and what she makes of Discord's answers."""

from dataclasses import replace

import pytest

from essence.dialogue import Address, Button, Message, Person, Reply, Sound
from essence.errors import (
    InvalidAudio,
    InvalidInput,
    NotAllowed,
    NotFound,
    RateLimited,
    TooSlow,
    Uncertain,
    Unreachable,
)
from essence.fakes.discord import Broken, Hang, LostAnswer, Pace, Reset, TooMany
from essence.services.discord import files, outgoing
from essence.services.discord.outgoing import nonce
from tests.discord_june import NOTE, OGG, June, fake_discord

POSTS = {"method": "POST", "path": "/channels/*/messages"}


@pytest.fixture
async def server(monkeypatch):
    async with fake_discord(monkeypatch) as fake:
        yield fake


@pytest.fixture
async def channel(server):
    """Without a connection to the gateway: sending needs none."""
    async with June(server).channel as channel:
        yield channel


@pytest.fixture
def ann(server):
    return server.user("Ann")


@pytest.fixture
def dm(ann):
    return Address("discord", ann.dm.channel_id)


@pytest.fixture
def general(server, ann):
    return server.guild("Home", ann).channel("general")


def posts(server):
    return [call for call in server.calls if call.method == "POST" and call.path.endswith("/messages")]


async def test_a_text_arrives_and_its_receipt_names_it(channel, ann, dm):
    receipt = await channel.send(dm, Reply("**hi**"), key="a")
    post = await ann.receives()
    assert (post.text, post.message_id, post.sent_at) == ("**hi**", receipt.message_id, receipt.sent_at)
    assert not receipt.assumed


async def test_an_answer_refers_to_what_it_answers(channel, ann, dm):
    asked = await ann.says("hi?")
    await channel.send(dm, Reply("hi", reply_to_id=asked.message_id), key="a")
    assert (await ann.receives()).json["message_reference"]["message_id"] == asked.message_id


async def test_an_answer_to_the_second_sound_of_a_message_refers_to_the_message(channel, ann, dm):
    asked = await ann.says("hi?")
    await channel.send(dm, Reply("hi", reply_to_id=f"{asked.message_id}.2"), key="a")
    assert (await ann.receives()).json["message_reference"]["message_id"] == asked.message_id


async def test_an_answer_to_what_was_deleted_arrives_all_the_same(channel, ann, dm):
    asked = await ann.says("hi?")
    await ann.deletes(asked)
    await channel.send(dm, Reply("hi", reply_to_id=asked.message_id), key="a")
    assert (await ann.receives()).text == "hi"


@pytest.mark.parametrize("reply", [Reply("hi"), Reply(voice=NOTE)], ids=["text", "voice"])
async def test_where_june_may_not_read_the_history_she_answers_without_referring_to_it(
    server, channel, ann, general, monkeypatch, reply
):
    asked, home = await ann.says("hi?", general), Address("discord", general.channel_id)
    answer = replace(reply, reply_to_id=asked.message_id)
    general.hides_history()
    await channel.send(home, answer, key="a")
    assert (await ann.receives(general)).json.get("message_reference") is None
    await channel.send(home, answer, key="b")
    assert [call.status for call in posts(server)] == [400, 200, 200]  # no part more costs a refusal
    monkeypatch.setattr(outgoing, "REFUSAL_S", 0.0)
    channel._parts.outgoing._no_replies.clear()
    await channel.send(home, answer, key="c")
    await channel.send(home, answer, key="d")
    assert [call.status for call in posts(server)][3:] == [400, 200] * 2  # the permission may have been given


async def test_nobody_is_pinged_and_no_link_unfolds(server, channel, ann, general):
    bob = server.user("Bob")
    asked = await ann.says("whom?", general)
    reply = Reply(f"{bob.mention} @everyone", reply_to_id=asked.message_id)
    await channel.send(Address("discord", general.channel_id), reply, key="a")
    post = await ann.receives(general)
    assert (post.json["mentions"], post.json["mention_everyone"]) == ([], False)
    assert post.json["flags"] & 1 << 2


async def test_a_thread_is_written_to_as_a_thread(channel, ann, general):
    thread = await ann.opens_thread("Plans", general)
    await channel.send(Address("discord", general.channel_id, thread.channel_id), Reply("in it"), key="a")
    assert (await ann.receives(thread)).text == "in it"


async def test_a_voice_message_is_one(channel, ann, dm):
    asked = await ann.sends_voice(OGG, 1.0)
    receipt = await channel.send(dm, Reply(voice=NOTE, reply_to_id=asked.message_id), key="a")
    post = await ann.receives()
    assert post.is_voice
    assert post.message_id == receipt.message_id
    sound = post.attachments[0]
    assert (sound.data, sound.duration_s, sound.waveform, sound.media_type) == (OGG, 2.5, NOTE.waveform, "audio/ogg")


async def test_where_voice_messages_are_not_allowed_the_sound_goes_as_a_file(channel, ann, general):
    general.forbids_voice()
    await channel.send(Address("discord", general.channel_id), Reply(voice=NOTE), key="a")
    post = await ann.receives(general)
    assert not post.is_voice
    assert (post.attachments[0].data, post.attachments[0].filename) == (OGG, "voice-message.ogg")


IMPOSSIBLE = {
    "voice with a text": Reply("hi", voice=NOTE),
    "voice with buttons": Reply(voice=NOTE, buttons=(Button("Yes", "y"),)),
    "nothing": Reply(""),
    "spaces": Reply(" \n"),
    "26 buttons": Reply("hi", buttons=tuple(Button(str(n), str(n)) for n in range(26))),
    "too long": Reply("x" * 2001),
}


@pytest.mark.parametrize("what", IMPOSSIBLE)
async def test_what_discord_does_not_take_is_invalid(channel, dm, what):
    with pytest.raises(InvalidInput):
        await channel.send(dm, IMPOSSIBLE[what], key="a")


async def test_buttons_stand_in_rows_and_an_edit_takes_them_away(channel, ann, dm):
    buttons = tuple(Button(f"number {n}", f"data:{n}") for n in range(7))
    receipt = await channel.send(dm, Reply("which?", buttons=buttons), key="a")
    post = await ann.receives()
    rows = [[one["custom_id"] for one in row["components"]] for row in post.json["components"]]
    assert rows == [[f"data:{n}" for n in range(5)], ["data:5", "data:6"]]
    await channel.edit(dm, receipt.message_id, Reply("this one", buttons=buttons[:1]))
    assert len((await ann.sees(post, "this one")).json["components"]) == 1
    await channel.edit(dm, receipt.message_id, Reply("done"))
    assert (await ann.sees(post, "done")).json["components"] == []


async def test_an_edit_of_what_is_gone_is_not_found(channel, ann, dm):
    with pytest.raises(NotFound, match="gone"):
        await channel.edit(dm, "123", Reply("hi"))


async def test_an_edit_of_a_voice_message_is_invalid(channel, dm):
    receipt = await channel.send(dm, Reply(voice=NOTE), key="a")
    with pytest.raises(InvalidInput):
        await channel.edit(dm, receipt.message_id, Reply("hi"))
    with pytest.raises(InvalidInput):
        await channel.edit(dm, receipt.message_id, Reply(voice=NOTE))


# --- failures


async def test_who_takes_no_messages_is_not_written_to(channel, ann, dm):
    ann.refuses_dms()
    with pytest.raises(NotAllowed, match="privacy settings"):
        await channel.send(dm, Reply("hi"), key="a")


async def test_a_channel_that_june_cannot_see_is_not_written_to(channel, general):
    general.hides()
    with pytest.raises(NotAllowed, match="View Channel"):
        await channel.send(Address("discord", general.channel_id), Reply("hi"), key="a")


async def test_a_channel_that_is_gone_is_not_found(channel):
    with pytest.raises(NotFound, match="no such channel"):
        await channel.send(Address("discord", "5"), Reply("hi"), key="a")


STRANGE = ["../users/@me", "5/../../users", "", "five", "٥", "1" * 30, "5?x=1"]


@pytest.mark.parametrize("chat_id", STRANGE)
async def test_an_id_that_is_none_of_discords_never_becomes_part_of_a_request(server, channel, dm, chat_id):
    with pytest.raises(NotFound):
        await channel.send(Address("discord", chat_id), Reply("hi"), key="a")
    with pytest.raises(NotFound):
        await channel.edit(dm, chat_id, Reply("hi"))
    with pytest.raises(NotFound):
        await channel.direct(chat_id)
    with pytest.raises(NotFound):
        await channel.send(Address("telegram", "5"), Reply("hi"), key="a")
    assert not server.calls


async def test_a_revoked_token_is_told(server, channel, dm):
    server.resets_token()
    with pytest.raises(NotAllowed, match="DISCORD_TOKEN"):
        await channel.send(dm, Reply("hi"), key="a")


async def test_a_short_wait_for_the_pace_is_waited_and_a_long_one_is_told(server, channel, dm):
    server.faults.next(TooMany(30), **POSTS)
    with pytest.raises(RateLimited) as caught:
        await channel.send(dm, Reply("hi"), key="a")
    assert caught.value.retry_after_s == 30
    with pytest.raises(RateLimited) as caught:
        await channel.send(dm, Reply("hi"), key="a")
    assert 0 < caught.value.retry_after_s <= 30
    assert len(posts(server)) == 1


async def test_one_channels_pace_does_not_hold_up_another_unless_discord_says_so(server, channel, dm):
    other = Address("discord", server.user("Bob").dm.channel_id)
    server.faults.next(TooMany(30), **POSTS)
    with pytest.raises(RateLimited):
        await channel.send(dm, Reply("hi"), key="a")
    await channel.send(other, Reply("hi"), key="b")
    server.faults.next(TooMany(30, everywhere=True), **POSTS)
    with pytest.raises(RateLimited):
        await channel.send(other, Reply("hi"), key="c")
    with pytest.raises(RateLimited):
        await channel.direct("5")


async def test_a_proxy_that_has_enough_is_obeyed(server, channel, dm):
    server.faults.next(TooMany(30, from_discord=False), **POSTS)
    with pytest.raises(RateLimited) as caught:
        await channel.send(dm, Reply("hi"), key="a")
    assert caught.value.retry_after_s == 30
    with pytest.raises(RateLimited):
        await channel.direct("5")


async def test_the_pace_that_discord_tells_is_kept(monkeypatch):
    async with fake_discord(monkeypatch, pace=Pace(2, 0.2)) as server:
        ann = server.user("Ann")
        async with June(server).channel as channel:
            for number in range(6):
                await channel.send(Address("discord", ann.dm.channel_id), Reply(str(number)), key=str(number))
        assert [post.text for post in ann.dm.posts()] == [str(number) for number in range(6)]
        assert [call.status for call in server.calls] == [200] * 6


SENT_FOR_SURE_NOT = {"503": (Broken(503), Unreachable), "429": (TooMany(5), RateLimited)}


@pytest.mark.parametrize("what", SENT_FOR_SURE_NOT)
async def test_what_was_certainly_not_sent_is_told_so(server, channel, dm, what):
    fault, error = SENT_FOR_SURE_NOT[what]
    server.faults.next(fault, **POSTS)
    with pytest.raises(error):
        await channel.send(dm, Reply("hi"), key="a")


async def test_where_nobody_listens_nothing_was_sent(server, channel, dm):
    channel._parts.rest._url = "http://127.0.0.1:1/api/v10"
    with pytest.raises(Unreachable):
        await channel.send(dm, Reply("hi"), key="a")


MAYBE_SENT = {
    "the connection breaks before": Reset(),
    "the connection breaks after": LostAnswer(),
    "502": Broken(502),
    "no answer": Hang(),
    "no answer, though it is done": Hang(after_effect=True),
}


@pytest.mark.parametrize("reply", [Reply("hi"), Reply(voice=NOTE)], ids=["text", "voice"])
@pytest.mark.parametrize("what", MAYBE_SENT)
async def test_a_lost_answer_is_uncertain_and_the_repeat_brings_no_second_message(
    server, channel, ann, dm, monkeypatch, what, reply
):
    monkeypatch.setattr(outgoing, "DEADLINE_S", 0.3)
    monkeypatch.setattr(outgoing, "UPLOAD_DEADLINE_S", 0.3)
    server.faults.next(MAYBE_SENT[what], **POSTS)
    with pytest.raises(Uncertain):
        await channel.send(dm, reply, key="a")
    monkeypatch.undo()
    receipt = await channel.send(dm, reply, key="a", again=True)
    assert [post.message_id for post in ann.dm.posts()] == [receipt.message_id]


async def test_a_repeat_after_the_nonce_was_forgotten_finds_the_message(server, channel, ann, dm):
    asked = await ann.says("hi?")
    reply = Reply("hi", reply_to_id=asked.message_id)
    sent = await channel.send(dm, reply, key="a")
    server._endpoints._nonces._made.clear()
    async with June(server).channel as restarted:
        assert await restarted.send(dm, reply, key="a", again=True) == sent
    assert len(posts(server)) == 1


async def test_a_repeat_is_not_taken_for_an_earlier_message_of_the_same_words(server, channel, ann, dm):
    await channel.send(dm, Reply("yes"), key="a")
    asked = await ann.says("sure?")
    await channel.send(dm, Reply("yes", reply_to_id=asked.message_id), key="b", again=True)
    await channel.send(dm, Reply("yes"), key="c", again=True)
    assert [post.text for post in ann.dm.posts()] == ["yes", "sure?", "yes", "yes"]


async def test_where_june_may_not_read_a_repeat_relies_on_the_nonce(server, channel, ann, dm):
    server.faults.next(Broken(403), method="GET", path="/channels/*/messages*")
    sent = await channel.send(dm, Reply("hi"), key="a")
    assert await channel.send(dm, Reply("hi"), key="a", again=True) == sent


async def test_every_request_has_a_deadline(server, channel):
    with server.faults.during(Hang()), pytest.raises(TooSlow):
        await channel._parts.rest.request("GET", "/users/@me", deadline_s=0.1)
    with server.faults.during(Hang()), pytest.raises(Uncertain):
        await channel._parts.rest.request("POST", "/users/@me/channels", {}, creates=True, deadline_s=0.1)


async def test_a_yes_that_is_not_discords_is_no_yes(server, channel, ann, dm):
    server.faults.next(Broken(200), **POSTS)
    with pytest.raises(Uncertain):
        await channel.send(dm, Reply("hi"), key="a")
    server.faults.next(Broken(302), path="/users/*")
    with pytest.raises(Unreachable):
        await channel.direct(ann.user_id)
    server.calls.clear()  # such answers are in no specification


def test_nonces_differ_by_key_and_fit_discords_limit():
    assert nonce("discord:1:2:0") != nonce("discord:1:2:1")
    assert len(nonce("x" * 1000)) == 25


# --- signs


def message(ann, message_id):
    return Message(
        Address("discord", ann.dm.channel_id), message_id, Person(ann.user_id, "Ann"), ann.dm.posts()[0].sent_at
    )


async def test_signs_are_a_reaction_and_typing(server, channel, ann):
    said = await ann.says("hi")
    for sign in ("heard", "writing", "speaking"):
        await channel.sign(message(ann, said.message_id), sign)
    assert [(deed.kind, deed.detail.get("emoji")) for deed in server.deeds] == [
        ("react", "👀"),
        ("typing", None),
        ("typing", None),
    ]


async def test_an_interaction_gets_no_reaction(server, channel, ann):
    await ann.says("hi")
    await channel.sign(message(ann, "slash-5"), "heard")
    await channel.sign(message(ann, "press-5"), "heard")
    assert not server.calls


async def test_the_second_sound_of_a_message_gets_its_reaction_on_the_message(server, channel, ann):
    said = await ann.says("hi")
    await channel.sign(message(ann, f"{said.message_id}.2"), "heard")
    assert server.deeds[0].message_id == said.message_id


async def test_a_sign_that_fails_goes_no_further_and_is_counted(server, channel, ann):
    await ann.says("hi")
    with server.faults.during(Broken(500)):
        await channel.sign(message(ann, "5"), "heard")
        await channel.sign(message(ann, "5"), "writing")
    assert dict(channel.state.troubles)["5xx"] == 2


# --- people and files


async def test_the_private_conversation_with_a_person_is_opened(channel, ann):
    assert await channel.direct(ann.user_id) == Address("discord", ann.dm.channel_id)


async def test_nobody_has_no_private_conversation(channel):
    with pytest.raises(NotFound, match="no such person"):
        await channel.direct("5")


@pytest.fixture
async def sound(ann):
    note = await ann.sends_voice(OGG, 2.5)
    return Sound(note.attachments[0].url, "audio/ogg", 2.5, len(OGG))


async def test_a_file_larger_than_allowed_is_refused_by_what_comes_not_by_what_was_said(channel, sound):
    with pytest.raises(InvalidAudio, match="MiB"):
        await channel.fetch(sound, max_bytes=len(OGG) - 1)
    with pytest.raises(InvalidAudio, match="MiB"):
        await channel.fetch(Sound(sound.reference, "audio/ogg", size_bytes=1), max_bytes=len(OGG) - 1)
    assert await channel.fetch(sound, max_bytes=len(OGG)) == OGG


async def test_a_file_that_is_gone_is_not_found(channel, sound):
    with pytest.raises(NotFound, match="send it again"):
        await channel.fetch(Sound(sound.reference + "x", "audio/ogg"), max_bytes=1000)


async def test_a_link_that_has_expired_is_told(server, channel, sound):
    server.faults.next(Broken(403), path="/cdn/*")
    with pytest.raises(NotFound, match="expired; send it again"):
        await channel.fetch(sound, max_bytes=1000)


@pytest.mark.parametrize(
    ("fault", "error"),
    [(Broken(502), Unreachable), (Reset(), Unreachable), (TooMany(1), RateLimited), (Hang(), TooSlow)],
    ids=["502", "reset", "429", "hang"],
)
async def test_a_file_that_does_not_come_may_be_tried_again(server, channel, sound, monkeypatch, fault, error):
    monkeypatch.setattr(files, "DEADLINE_S", 0.2)
    with server.faults.during(fault, path="/cdn/*"), pytest.raises(error) as caught:
        await channel.fetch(sound, max_bytes=1000)
    assert caught.value.retryable


FOREIGN = [
    "http://169.254.169.254/latest/meta-data",
    "https://cdn.discordapp.com.evil.example/x.ogg",
    "http://cdn.discordapp.com/x.ogg",
    "https://user:pass@cdn.discordapp.com/x.ogg",
    "https://cdn.discordapp.com:8443/x.ogg",
    "file:///etc/passwd",
    "//cdn.discordapp.com/x.ogg",
    "x.ogg",
    "http://[",
    "",
]


@pytest.mark.parametrize("url", FOREIGN)
async def test_only_discords_own_files_are_fetched(channel, url):
    with pytest.raises(NotFound, match="no others"):
        await channel.fetch(Sound(url, "audio/ogg"), max_bytes=1000)


async def test_the_token_is_not_shown_to_file_hosts(server, channel, sound, monkeypatch):
    seen, meet = [], server._rest.meet_fault

    async def note(request):
        seen.append(str(request.headers))
        return await meet(request)

    monkeypatch.setattr(server._rest, "meet_fault", note)
    await channel.fetch(sound, max_bytes=1000)
    assert len(seen) == 1
    assert server.token not in seen[0]
