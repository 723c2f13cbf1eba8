"""What people send on Telegram, as June's messages."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from essence.audio import Pcm, encode_voice
from essence.dialogue import Address, Button, Message, Person, Reply
from essence.fakes.telegram import Group, TelegramServer, User
from essence.fakes.telegram.world import Person as Sender
from essence.services.telegram.channel import TelegramChannel
from tests.telegram_june import held_to_the_specification, settings_of

OGG = encode_voice([Pcm(bytes(48_000 * 4), 48_000)]).data
POST = {"message_id": 1, "date": 1, "chat": {"id": -100, "type": "channel", "title": "News"}, "text": "news"}
JUNE = "@june_fake_bot"


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server
    held_to_the_specification(server)


@pytest.fixture
def ann(telegram: TelegramServer) -> User:
    return telegram.user("Ann", username="ann", language_code="pt-br")


@pytest.fixture
def club(telegram: TelegramServer, ann: User) -> Group:
    return telegram.group("Club", ann)


Next = Callable[[], Awaitable[Message]]


@pytest.fixture
async def heard(telegram: TelegramServer) -> AsyncIterator[Next]:
    """Gives the next message that June receives."""
    async with listening(telegram) as queue:
        yield lambda: asyncio.wait_for(queue.get(), 10)


@asynccontextmanager
async def listening(telegram: TelegramServer) -> AsyncIterator[asyncio.Queue[Message]]:
    queue: asyncio.Queue[Message] = asyncio.Queue()
    async with TelegramChannel(settings_of(telegram), []) as june:
        task = asyncio.create_task(june.listen(queue.put))
        yield queue
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert june.state.troubles == ()


async def test_a_text_says_who_wrote_what_where_and_when(ann, heard):
    said = await ann.says("hello 😀")
    assert await heard() == Message(
        address=Address("telegram", str(ann.person.user_id)),
        message_id=str(said.message_id),
        sender=Person(str(ann.person.user_id), "Ann", "ann", "pt"),
        sent_at=datetime.fromtimestamp(said.date, UTC),
        text="hello 😀",
    )


async def test_a_voice_message_has_length_size_and_caption(ann, heard):
    said = await ann.sends_voice(OGG, caption="listen")
    message = await heard()
    assert (message.text, message.unreadable) == ("listen", "")
    assert message.sound.reference == said.file.file_id
    assert (message.sound.media_type, message.sound.duration_s, message.sound.size_bytes) == (
        "audio/ogg",
        2.0,
        len(OGG),
    )


@pytest.mark.parametrize(
    ("send", "media_type"),
    [
        (lambda ann: ann.sends_audio(b"ID3", duration_s=3), "audio/mpeg"),
        (lambda ann: ann.sends_video_note(b"mp4"), "video/mp4"),
        (lambda ann: ann.sends_document(b"RIFF", name="a.wav", mime_type="audio/wav"), "audio/wav"),
        (lambda ann: ann.sends_document(b"OggS", name="a.ogg", mime_type="application/ogg"), "application/ogg"),
        (lambda ann: ann.sends_video(b"mp4", duration_s=3), "video/mp4"),
    ],
)
async def test_whatever_has_sound_is_sound(ann, heard, send, media_type):
    said = await send(ann)
    message = await heard()
    assert (message.sound.reference, message.sound.media_type) == (said.file.file_id, media_type)
    assert message.unreadable == ""


@pytest.mark.parametrize(
    ("send", "name"),
    [
        (lambda ann: ann.sends_photo(b"jpeg"), "a photo"),
        (lambda ann: ann.sends_sticker("👍"), "a sticker (👍)"),
        (lambda ann: ann.sends_contact("Bob", "+1"), "a contact"),
        (lambda ann: ann.sends_location(1.0, 2.0), "a location"),
        (lambda ann: ann.sends_document(b"%PDF", name="a.pdf", mime_type="application/pdf"), "a file"),
    ],
)
async def test_what_june_can_not_read_has_a_name(ann, heard, send, name):
    await send(ann)
    message = await heard()
    assert (message.unreadable, message.text, message.sound) == (name, "", None)


async def test_a_photo_keeps_its_caption(ann, heard):
    await ann.sends_photo(b"jpeg", caption="what is this?")
    message = await heard()
    assert (message.text, message.unreadable) == ("what is this?", "a photo")


async def test_parts_of_an_album_without_words_are_one_message(ann, heard):
    said = await ann.sends_album(b"a", b"b", b"c", caption="look")
    messages = [await heard() for _ in said]
    album = said[0].content["media_group_id"]
    assert [message.message_id for message in messages] == ["1", f"album-{album}", f"album-{album}"]
    assert len({message.key for message in messages}) == 2


async def test_an_album_of_sounds_is_several_messages(ann, heard):
    for number in range(2):
        said = await ann.sends_audio(b"ID3")
        said.content["media_group_id"] = "7"
        assert (await heard()).message_id == str(number + 1)


async def test_an_edit_is_the_same_message_in_another_version(ann, heard):
    said = await ann.says("helo")
    first = await heard()
    await ann.edits(said, "hello")
    second = await heard()
    assert (second.message_id, second.text, second.version) == (first.message_id, "hello", str(said.edit_date))
    assert first.version == ""
    assert first.key != second.key


async def test_what_was_edited_before_june_heard_of_it_is_no_edit_to_her(ann, heard):
    said = await ann.says("helo")
    await heard()
    early = said.json() | {"message_id": 77, "text": "hello", "edit_date": said.date}
    ann.platform.updates.add("message", early, ann.chat.chat.chat_id)
    message = await heard()
    assert (message.message_id, message.text, message.version) == ("77", "hello", "")


@pytest.mark.parametrize("hidden", [False, True])
async def test_a_forward_is_somebody_elses_words(telegram, ann, heard, hidden):
    bob = telegram.user("Bob")
    said = await bob.says("pay me")
    assert (await heard()).forwarded is False
    await ann.forwards(said, hidden=hidden)
    message = await heard()
    assert (message.forwarded, message.text, message.sender.name) == (True, "pay me", "Ann")


async def test_an_answer_tells_what_it_answers(telegram, ann, club, heard):
    bob = telegram.user("Bob")
    said = await bob.says("at nine", to=club)
    await heard()
    await ann.says("when?", to=club, reply_to=said)
    message = await heard()
    assert (message.reply_to_id, message.quoted) == (str(said.message_id), "at nine")


async def test_an_answer_to_a_voice_message_says_so(ann, club, heard):
    said = await ann.sends_voice(OGG, to=club)
    await heard()
    await ann.says("what?", to=club, reply_to=said)
    assert (await heard()).quoted == "a voice message"


async def test_what_june_said_is_not_quoted(telegram, ann, heard):
    async with TelegramChannel(settings_of(telegram), []) as june:
        await june.send(await june.direct(str(ann.person.user_id)), Reply("my words"), key="k")
    await ann.says("why?", reply_to=ann.chat.answers[0])
    message = await heard()
    assert (message.reply_to_id, message.quoted) == ("1", "")


async def test_of_a_part_that_is_quoted_that_part_is_told(ann, club, heard):
    said = await ann.says("one two three", to=club)
    await heard()
    ann.platform.post(club.chat, ann.person, {"text": "which?", "quote": {"text": "two", "position": 4}}, reply_to=said)
    assert (await heard()).quoted == "two"


async def test_a_private_chat_is_private_and_meant_for_june(ann, club, heard):
    await ann.says("/stop@other_bot")
    message = await heard()
    assert (message.private, message.addressed) == (True, True)
    await ann.says("hi all", to=club)
    message = await heard()
    assert (message.private, message.addressed) == (False, False)


@pytest.mark.parametrize(
    ("text", "addressed", "left"),
    [
        ("hi all", False, "hi all"),
        (f"{JUNE}, hello", True, "hello"),
        (f"hey {JUNE.upper()} what's up", True, "hey what's up"),
        (f"hello {JUNE}", True, "hello"),
        (f"😀 {JUNE} 😀", True, "😀 😀"),
        (f"two:\n{JUNE} lines\n    stay", True, "two:\nlines\n    stay"),
        (JUNE, True, ""),
        (f"{JUNE}_fan hello", False, f"{JUNE}_fan hello"),
        ("@other_bot hello", False, "@other_bot hello"),
        ("/help", True, "/help"),
        (f"/help{JUNE} me", True, "/help me"),
        ("/help@other_bot", False, "/help@other_bot"),
        (f"/help@other_bot {JUNE}", False, "/help@other_bot"),
        ("see /help", False, "see /help"),
    ],
)
async def test_in_a_group_a_message_is_for_june_if_it_names_her(ann, club, heard, text, addressed, left):
    await ann.says(text, to=club)
    message = await heard()
    assert (message.addressed, message.text) == (addressed, left)


@pytest.mark.parametrize("kind", ["text_mention", "text_link"])
async def test_a_name_that_was_tapped_names_june_too(telegram, ann, club, heard, kind):
    user = telegram.bot.json()
    more = {"user": user} if kind == "text_mention" else {"url": f"tg://user?id={user['id']}"}
    await ann.says("June hello", to=club, entities=[{"type": kind, "offset": 0, "length": 4} | more])
    message = await heard()
    assert (message.addressed, message.text) == (True, "June hello")


async def test_a_caption_can_name_june(ann, club, heard):
    await ann.sends_voice(OGG, to=club, caption=f"{JUNE} listen")
    message = await heard()
    assert (message.addressed, message.text) == (True, "listen")


async def test_an_answer_to_june_is_for_her_be_it_spoken(telegram, ann, club, heard):
    async with TelegramChannel(settings_of(telegram), []) as june:
        await june.send(Address("telegram", str(club.chat.chat_id)), Reply("hi"), key="k")
    await ann.sends_voice(OGG, to=club, reply_to=club.answers[0])
    message = await heard()
    assert (message.addressed, message.address.thread_id) == (True, None)


async def test_a_topic_is_a_thread_and_its_opening_is_no_message(telegram, ann, heard):
    forum = telegram.group("Forum", ann, forum=True)
    topic = forum.topic("News", ann)
    await ann.says("in the topic", to=topic)
    message = await heard()
    assert (message.text, message.address.thread_id) == ("in the topic", str(topic.thread_id))
    assert (message.reply_to_id, message.quoted, message.addressed) == (None, "", False)
    await ann.says("in general", to=forum)
    assert (await heard()).address.thread_id is None


async def test_a_tap_is_a_message_of_its_own(telegram, ann, heard):
    async with TelegramChannel(settings_of(telegram), []) as june:
        sent = await june.send(
            await june.direct(str(ann.person.user_id)), Reply("?", buttons=(Button("Yes", "y"),)), key="k"
        )
        press = await ann.presses(ann.chat.answers[0])
        message = await heard()
        assert (message.pressed, message.message_id) == ("y", f"press-{press.press_id}")
        assert (message.reply_to_id, message.text, message.private) == (sent.message_id, "", True)
        await june.acknowledge(message, "Good")
    assert press.answer["text"] == "Good"


async def test_what_happens_in_a_group_is_no_message(telegram, ann, club, heard):
    bob, post = telegram.user("Bob").person.json(), ann.platform.post
    for content in (
        {"new_chat_members": [bob]},
        {"left_chat_member": bob},
        {"new_chat_title": "Pub"},
        {"migrate_to_chat_id": -5},
        {"group_chat_created": True},
        {"message_auto_delete_timer_changed": {"message_auto_delete_time": 5}},
    ):
        post(club.chat, ann.person, content)
    club.removes_bot(ann)
    await ann.says("after all that")
    assert (await heard()).text == "after all that"


async def test_words_of_bots_and_posts_of_channels_are_no_messages(telegram, ann, club, heard):
    say = ann.platform.post
    say(club.chat, Sender(5, "Robot", is_bot=True), {"text": "beep"})
    say(club.chat, Sender(777_000, "Telegram"), {"text": "a post", "is_automatic_forward": True})
    ann.platform.updates.add("message", POST | {"from": ann.person.json()}, 1)
    await ann.says("after all that")
    assert (await heard()).text == "after all that"


async def test_what_is_of_a_kind_that_nobody_knew_is_not_passed_over(ann, heard):
    ann.platform.post(ann.chat.chat, ann.person, {"hologram": {"file_id": "x"}})
    assert (await heard()).unreadable == "a message of a new kind"
