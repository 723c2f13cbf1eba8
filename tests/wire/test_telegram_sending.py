"""What June sends to Telegram: replies, edits, signs, and what becomes of each where Telegram fails."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from essence.audio import Pcm, encode_voice
from essence.config import TelegramService
from essence.dialogue import Address, Button, Entity, Message, Person, Reply, Sound
from essence.errors import (
    ConfigError,
    InvalidAudio,
    InvalidInput,
    NotAllowed,
    NotFound,
    RateLimited,
    Uncertain,
    Unreachable,
)
from essence.fakes.telegram import (
    Hang,
    LostAnswer,
    Pace,
    Refusal,
    Reset,
    ServerError,
    TelegramServer,
    TooManyRequests,
    User,
)
from essence.fakes.telegram import entities as formats
from essence.services.telegram import channel as signs
from essence.services.telegram.channel import TelegramChannel
from tests.telegram_june import held_to_the_specification, settings_of

NOTE = encode_voice([Pcm(bytes(48_000 * 2), 48_000)])
BOLD = (Entity("bold", 0, 2),)


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server
    held_to_the_specification(server)


@pytest.fixture
def ann(telegram: TelegramServer) -> User:
    return telegram.user("Ann")


@pytest.fixture
async def june(telegram: TelegramServer) -> AsyncIterator[TelegramChannel]:
    async with TelegramChannel(settings_of(telegram), [("help", "What June can do")]) as channel:
        yield channel


def to(user: User) -> Address:
    return Address("telegram", str(user.person.user_id))


def heard_from(user: User, message_id: int | str = 1) -> Message:
    return Message(to(user), str(message_id), Person(str(user.person.user_id), "Ann"), datetime.now(UTC))


async def test_a_text_arrives_with_its_styles_and_without_a_preview(telegram, june, ann):
    receipt = await june.send(to(ann), Reply("hi 😀 you", entities=(*BOLD, Entity("italic", 6, 3))), key="k")
    (answer,) = ann.chat.answers
    assert (answer.text, str(answer.message_id)) == ("hi 😀 you", receipt.message_id)
    assert answer.entities == [
        {"type": "bold", "offset": 0, "length": 2},
        {"type": "italic", "offset": 6, "length": 3},
    ]
    (call,) = telegram.calls
    assert call.parameters["link_preview_options"] == {"is_disabled": True}
    assert "parse_mode" not in call.parameters
    assert receipt.sent_at.timestamp() == answer.date


async def test_a_voice_message_arrives_with_length_caption_and_styles(telegram, june, ann):
    await june.send(to(ann), Reply("hi", voice=NOTE, entities=BOLD), key="k")
    (answer,) = ann.chat.answers
    assert (answer.voice, answer.text, answer.entities[0]["type"]) == (NOTE.data, "hi", "bold")
    assert telegram.calls[0].parameters["duration"] == 1


async def test_an_answer_is_tied_to_its_question_and_goes_out_where_that_is_gone(telegram, june, ann):
    question = await ann.says("?")
    await june.send(to(ann), Reply("a", reply_to_id=str(question.message_id)), key="a")
    question.deleted = True
    await june.send(to(ann), Reply("b", reply_to_id=str(question.message_id)), key="b")
    assert [answer.reply_to for answer in ann.chat.answers] == [question, None]


@pytest.mark.parametrize("name", ["press-1", "album-1"])
async def test_what_has_a_name_of_junes_own_is_answered_without_a_tie(june, ann, name):
    await june.send(to(ann), Reply("a", reply_to_id=name), key="a")
    assert ann.chat.answers[0].reply_to is None


async def test_three_buttons_stand_side_by_side_and_four_below_each_other(june, ann):
    buttons = tuple(Button(label, label) for label in "abcd")
    await june.send(to(ann), Reply("a", buttons=buttons[:3]), key="a")
    await june.send(to(ann), Reply("b", buttons=buttons), key="b")
    rows = [answer.content["reply_markup"]["inline_keyboard"] for answer in ann.chat.answers]
    assert [len(keyboard) for keyboard in rows] == [1, 4]
    assert rows[0][0][0] == {"text": "a", "callback_data": "a"}


async def test_an_answer_goes_to_its_topic(telegram, june, ann):
    topic = telegram.group("Club", ann, forum=True).topic("News", ann)
    await june.send(Address("telegram", str(topic.chat.chat_id), str(topic.thread_id)), Reply("hi"), key="k")
    assert [answer.text for answer in topic.answers] == ["hi"]


async def test_refused_styles_leave_the_plain_text(telegram, june, ann):
    await june.send(to(ann), Reply("hi", entities=(Entity("bold", 0, 99),)), key="k")
    (answer,) = ann.chat.answers
    assert (answer.text, answer.entities) == ("hi", [])


@pytest.mark.parametrize(
    "why",
    ["VOICE_MESSAGES_FORBIDDEN", "not enough rights to send voice notes to the chat", "CHAT_SEND_VOICES_FORBIDDEN"],
)
async def test_where_voice_messages_are_not_wanted_the_sound_goes_as_a_file(telegram, june, ann, why):
    telegram.fails("sendVoice", Refusal(400, f"Bad Request: {why}"))
    await june.send(to(ann), Reply("hi", voice=NOTE, entities=BOLD), key="k")
    (answer,) = ann.chat.answers
    assert (answer.data, answer.voice, answer.text) == (NOTE.data, None, "hi")
    assert answer.content["document"]["file_name"] == "voice.ogg"


async def test_a_group_that_became_a_supergroup_is_written_to_there(telegram, june, ann):
    group = telegram.group("Club", ann)
    old = group.moves(ann)
    await june.send(Address("telegram", str(old)), Reply("hi"), key="k")
    assert [answer.text for answer in group.answers] == ["hi"]


async def test_a_repeat_bears_a_mark_and_its_styles_stay_in_place(june, ann):
    await june.send(to(ann), Reply("hi", entities=BOLD), key="k", again=True)
    (answer,) = ann.chat.answers
    assert answer.text == "🔁 (You may have this already.)\n\nhi"
    assert [formats.covered(answer.text, entity) for entity in answer.entities] == ["hi"]


async def test_a_repeated_voice_message_bears_the_mark_in_its_caption(june, ann):
    await june.send(to(ann), Reply(voice=NOTE), key="k", again=True)
    assert ann.chat.answers[0].text == "🔁 (You may have this already.)"


@pytest.mark.parametrize(("length", "sent"), [(4_090, "🔁 " + "x" * 4_090), (4_096, "x" * 4_096)])
async def test_a_repeat_that_leaves_little_room_bears_a_sign_and_loses_nothing(june, ann, length, sent):
    await june.send(to(ann), Reply("x" * length), key="k", again=True)
    assert ann.chat.answers[0].text == sent


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (LostAnswer(), Uncertain),
        (Reset(), Uncertain),
        (ServerError(), Unreachable),
        (ServerError(503, html=True), Unreachable),
        (TooManyRequests(7), RateLimited),
        (Refusal(403, "Forbidden: bot was blocked by the user"), NotAllowed),
        (Refusal(400, "Bad Request: CHAT_WRITE_FORBIDDEN"), NotAllowed),
        (Refusal(400, "Bad Request: chat not found"), NotFound),
        (Refusal(400, "Bad Request: message is too long"), InvalidInput),
        (Refusal(401, "Unauthorized"), NotAllowed),
    ],
)
async def test_each_failure_of_a_message_has_its_name(telegram, june, ann, fault, error):
    telegram.fails("sendMessage", fault)
    with pytest.raises(error) as raised:
        await june.send(to(ann), Reply("hi"), key="k")
    assert type(raised.value) is error
    assert telegram.token not in "".join(map(repr, (raised.value, raised.value.__cause__)))


async def test_a_chat_that_telegram_does_not_know_is_told_with_what_to_do(june):
    with pytest.raises(NotFound, match="this person has never opened a chat with the bot"):
        await june.send(Address("telegram", "4711"), Reply("hi"), key="k")


async def test_a_message_that_is_gone_is_told_as_deleted(june, ann):
    with pytest.raises(NotFound, match="It may have been deleted"):
        await june.edit(to(ann), "4711", Reply("b"))


async def test_a_rate_limit_says_how_long_to_wait(telegram, june, ann):
    telegram.fails("sendMessage", TooManyRequests(7))
    with pytest.raises(RateLimited) as raised:
        await june.send(to(ann), Reply("hi"), key="k")
    assert raised.value.retry_after_s == 7
    assert dict(june.state.troubles) == {"429": 1}


async def test_an_answer_that_never_comes_leaves_it_open_whether_it_was_sent(telegram, june, ann, monkeypatch):
    monkeypatch.setattr("essence.services.telegram.outgoing.CALL_S", 0.3)
    telegram.fails("sendMessage", Hang(after_effect=True))
    with pytest.raises(Uncertain):
        await june.send(to(ann), Reply("hi"), key="k")


async def test_without_a_connection_nothing_was_sent():
    async with TelegramServer() as gone:
        settings = settings_of(gone)
    async with TelegramChannel(settings, []) as june:
        with pytest.raises(Unreachable):
            await june.send(Address("telegram", "1"), Reply("hi"), key="k")
        assert dict(june.state.troubles) == {"unreachable": 1}


@pytest.mark.parametrize(("chat", "thread"), [("home", None), ("1", "x")])
async def test_an_address_that_is_none_of_telegrams_is_not_found(june, chat, thread):
    with pytest.raises(NotFound):
        await june.send(Address("telegram", chat, thread), Reply("hi"), key="k")


async def test_messages_keep_to_the_pace_and_wait_rather_than_fail():
    async with TelegramServer(pace=Pace()) as strict:
        people = [strict.user(f"P{number}") for number in range(40)]
        async with TelegramChannel(settings_of(strict, telegram_messages_per_s=25.0), []) as june:
            await asyncio.gather(*(june.send(to(person), Reply("hi"), key="k") for person in people))
            assert june.state.troubles == ()
        assert all(len(person.chat.answers) == 1 for person in people)


async def test_an_edit_puts_text_styles_and_buttons_in_the_place_of_the_old(june, ann):
    sent = await june.send(to(ann), Reply("a", buttons=(Button("x", "x"),)), key="k")
    await june.edit(to(ann), sent.message_id, Reply("be", entities=BOLD, buttons=(Button("y", "y"),)))
    (answer,) = ann.chat.answers
    assert (answer.text, answer.entities[0]["type"], answer.buttons[0]["text"]) == ("be", "bold", "y")
    await june.edit(to(ann), sent.message_id, Reply("c"))
    assert (answer.text, answer.entities, answer.buttons) == ("c", [], [])


@pytest.mark.parametrize("reply", [Reply("new"), Reply("new", voice=NOTE)])
async def test_an_edit_of_a_voice_message_changes_its_caption(june, ann, reply):
    sent = await june.send(to(ann), Reply("old", voice=NOTE), key="k")
    await june.edit(to(ann), sent.message_id, reply)
    assert (ann.chat.answers[0].text, ann.chat.answers[0].voice) == ("new", NOTE.data)


async def test_an_edit_may_be_repeated(june, ann):
    sent = await june.send(to(ann), Reply("a"), key="k")
    for _ in range(2):
        await june.edit(to(ann), sent.message_id, Reply("b"))
    assert ann.chat.answers[0].text == "b"
    assert june.state.troubles == ()


async def test_an_edit_with_refused_styles_leaves_the_plain_text(june, ann):
    sent = await june.send(to(ann), Reply("a"), key="k")
    await june.edit(to(ann), sent.message_id, Reply("b", entities=(Entity("bold", 0, 99),)))
    assert ann.chat.answers[0].text == "b"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (LostAnswer(), Unreachable),
        (Reset(), Unreachable),
        (ServerError(), Unreachable),
        (TooManyRequests(2), RateLimited),
        (Refusal(400, "Bad Request: message can't be edited"), NotFound),
    ],
)
async def test_each_failure_of_an_edit_has_its_name(telegram, june, ann, fault, error):
    sent = await june.send(to(ann), Reply("a"), key="k")
    telegram.fails("editMessageText", fault)
    with pytest.raises(error):
        await june.edit(to(ann), sent.message_id, Reply("b"))


async def test_what_is_gone_can_not_be_edited(june, ann):
    with pytest.raises(NotFound):
        await june.edit(to(ann), "4711", Reply("b"))
    with pytest.raises(NotFound):
        await june.edit(to(ann), "album-1", Reply("b"))


async def test_signs_are_shown_where_the_message_stands(telegram, june, ann):
    topic = telegram.group("Club", ann, forum=True).topic("News", ann)
    said = await ann.says("hi", to=topic)
    message = Message(
        Address("telegram", str(topic.chat.chat_id), str(topic.thread_id)), str(said.message_id),
        Person("1", "Ann"), heard_from(ann).sent_at,
    )  # fmt: skip
    for sign in ("heard", "writing", "speaking"):
        await june.sign(message, sign)
    assert said.emojis == ["👀"]
    assert [action.action for action in topic.actions] == ["typing", "record_voice"]


async def test_a_sign_that_fails_is_counted_and_goes_no_further(telegram, june, ann, monkeypatch):
    monkeypatch.setattr(signs, "SIGN_S", 0.2)
    telegram.fails("sendChatAction", Reset())
    telegram.fails("sendChatAction", Hang())
    telegram.fails("sendChatAction", ServerError())
    for _ in range(3):
        await june.sign(heard_from(ann), "writing")
    assert dict(june.state.troubles) == {"unreachable": 1, "too_slow": 1, "502": 1}


async def test_where_reactions_are_not_allowed_june_reacts_no_more(telegram, june, ann):
    said = await ann.says("hi")
    telegram.fails("setMessageReaction", Refusal(400, "Bad Request: REACTION_INVALID"))
    for _ in range(3):
        await june.sign(heard_from(ann, said.message_id), "heard")
    assert len(telegram.calls_of("setMessageReaction")) == 1


async def test_presses_and_albums_get_no_reaction(telegram, june, ann):
    for name in ("press-1", "album-1"):
        await june.sign(heard_from(ann, name), "heard")
    assert telegram.calls == []


async def test_a_tap_is_answered_in_a_few_words(telegram, june, ann):
    sent = await june.send(to(ann), Reply("?", buttons=(Button("x", "x"),)), key="k")
    press = await ann.presses(ann.chat.answers[0])
    await june.acknowledge(heard_from(ann, f"press-{press.press_id}"), "y" * 300)
    assert press.answer["text"] == "y" * 200
    assert sent.message_id == "1"


async def test_an_answer_to_a_tap_that_fails_is_counted_and_goes_no_further(telegram, june, ann):
    await june.acknowledge(heard_from(ann, "press-1"), "late")
    await june.acknowledge(heard_from(ann, "1"), "no tap")
    assert dict(june.state.troubles) == {"400": 1}
    assert len(telegram.calls) == 1


async def test_a_file_is_fetched(june, ann):
    said = await ann.sends_voice(NOTE.data)
    assert await june.fetch(sound_of(said), max_bytes=1 << 20) == NOTE.data


def sound_of(said, size=None):
    return Sound(said.file.file_id, "audio/ogg", 1.0, size)


async def test_a_file_that_is_known_to_be_too_large_is_not_asked_for(telegram, june, ann):
    said = await ann.sends_voice(NOTE.data)
    with pytest.raises(InvalidAudio, match="20 MB"):
        await june.fetch(sound_of(said, 21 << 20), max_bytes=1 << 30)
    assert telegram.calls == []


async def test_a_file_beyond_what_bots_may_have_is_refused_in_words(telegram, june, ann):
    said = await ann.sends_document(bytes((20 << 20) + 1), name="a.ogg", mime_type="audio/ogg")
    with pytest.raises(InvalidAudio, match="up to 20 MB"):
        await june.fetch(sound_of(said), max_bytes=1 << 30)


async def test_a_file_beyond_junes_own_limit_is_not_downloaded(telegram, june, ann):
    said = await ann.sends_voice(NOTE.data)
    with pytest.raises(InvalidAudio):
        await june.fetch(sound_of(said), max_bytes=len(NOTE.data) - 1)
    assert telegram.calls_of("download") == []


async def test_a_file_that_is_larger_than_told_is_read_no_further_than_the_limit(telegram, june, ann, monkeypatch):
    said = await ann.sends_voice(NOTE.data)
    json = type(said.file).json
    monkeypatch.setattr(type(said.file), "json", lambda self: json(self) | {"file_size": 1})
    with pytest.raises(InvalidAudio):
        await june.fetch(sound_of(said), max_bytes=10)


@pytest.mark.parametrize(
    ("method", "fault", "error"),
    [
        ("getFile", ServerError(), Unreachable),
        ("getFile", LostAnswer(), Unreachable),
        ("download", Reset(), Unreachable),
        ("download", ServerError(503, html=True), Unreachable),
        ("download", Refusal(404, "Not Found"), NotFound),
        ("getFile", Refusal(400, "Bad Request: wrong file_id or the file is temporarily unavailable"), NotFound),
    ],
)
async def test_each_failure_of_a_download_has_its_name(telegram, june, ann, method, fault, error):
    said = await ann.sends_voice(NOTE.data)
    telegram.fails(method, fault, times=2)  # a GET on a connection that was kept is asked once more
    with pytest.raises(error) as raised:
        await june.fetch(sound_of(said), max_bytes=1 << 20)
    assert telegram.token not in repr(raised.value) + repr(raised.value.__cause__)


async def test_a_persons_private_chat_is_known_by_their_id(june):
    assert await june.direct("42") == Address("telegram", "42")
    with pytest.raises(NotFound):
        await june.direct("ann")


async def test_entering_and_leaving_make_no_request(telegram):
    async with TelegramChannel(settings_of(telegram), []) as june:
        assert june.state.connected is False
        assert june.profile.text_units == 4093  # room for the sign of a repeat
    assert telegram.calls == []


def test_without_a_token_the_error_says_how_to_get_one():
    with pytest.raises(ConfigError, match=r"@BotFather.*/newbot.*TELEGRAM_TOKEN"):
        TelegramChannel(TelegramService(_env_file=None, telegram_token=" "), [])


def test_a_server_that_is_no_address_is_a_matter_of_settings():
    with pytest.raises(ConfigError, match="TELEGRAM_API_URL"):
        TelegramChannel(TelegramService(_env_file=None, telegram_token="1:a", telegram_api_url="telegram"), [])
