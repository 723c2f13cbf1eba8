"""The fake Bot API over HTTP; each answer is held to the specification and to aiogram's models (telegram_client.py)."""

import time
from collections.abc import AsyncIterator

import aiogram.types
import httpx
import pytest

from essence.audio import Pcm, encode_voice
from essence.fakes.telegram import Pace, TelegramServer, User, Window
from essence.fakes.telegram.parameters import BOOLEANS, FILES, INTEGERS, LISTS, METHODS, OBJECTS
from tests.telegram_client import Api
from tests.telegram_spec import problems, spec

OGG = encode_voice([Pcm(bytes(2 * 48_000 * 2), 48_000)]).data
"""Two seconds."""
KEYBOARD = {"inline_keyboard": [[{"text": "Yes", "callback_data": "y"}, {"text": "No", "callback_data": "n"}]]}


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server


@pytest.fixture
async def api(telegram: TelegramServer) -> AsyncIterator[Api]:
    async with Api(telegram) as client:
        yield client


@pytest.fixture
def ann(telegram: TelegramServer) -> User:
    return telegram.user("Ann")


@pytest.mark.parametrize("method", METHODS)
def test_methods_have_the_parameters_that_the_specification_gives_them(method):
    given = {word.removesuffix("!"): word.endswith("!") for word in METHODS[method].split()}
    told = {field["name"]: field for field in spec()["methods"][method].get("fields", ())}
    assert given == {name: field["required"] for name, field in told.items()}
    for name in given:
        types = told[name]["types"]
        assert (name in INTEGERS) is (types == ["Integer"] and name != "chat_id")
        assert (name in BOOLEANS) is (types == ["Boolean"])
        assert (name in LISTS) is types[0].startswith("Array of")
        assert (name in FILES) is ("InputFile" in types)
        assert (name in OBJECTS) is (types[0] in spec()["types"] and types[0] != "InputFile")


async def test_every_method_of_the_table_can_be_called(telegram, api, ann):
    sent = await api.say(ann.person.user_id, "a", reply_markup=KEYBOARD)
    press = await ann.presses(ann.chat.answers[0], "Yes")
    here = {"chat_id": ann.person.user_id}
    this = here | {"message_id": sent["message_id"]}
    voice = await api("sendVoice", {"voice": ("v.ogg", OGG, "audio/ogg")}, **here)
    file_id = voice["voice"]["file_id"]
    calls = {
        "setWebhook": {"url": "http://127.0.0.1:9/hook", "secret_token": "s-1"},
        "sendMessageDraft": here | {"draft_id": 1, "text": "a"},
        "editMessageText": this | {"text": "b"},
        "editMessageCaption": here | {"message_id": voice["message_id"], "caption": "c"},
        "editMessageReplyMarkup": this | {"reply_markup": KEYBOARD},
        "sendVoice": here | {"voice": file_id, "caption": "again"},
        "sendAudio": here | {"audio": file_id, "title": "t"},
        "sendDocument": here | {"document": file_id},
        "getFile": {"file_id": file_id},
        "sendChatAction": here | {"action": "record_voice"},
        "setMessageReaction": this | {"reaction": [{"type": "emoji", "emoji": "👀"}]},
        "answerCallbackQuery": {"callback_query_id": press.press_id, "text": "Done"},
        "setMyCommands": {"commands": [{"command": "help", "description": "Helps"}]},
        "getChat": here,
        "getChatMember": here | {"user_id": ann.person.user_id},
        "sendMessage": here | {"text": "x"},
        "deleteMessages": here | {"message_ids": [sent["message_id"]]},
        "deleteMessage": here | {"message_id": voice["message_id"]},
    }
    order = [*[name for name in calls if not name.startswith("delete")], *METHODS]
    for method in dict.fromkeys(order):
        await api(method, **calls.get(method, {}))  # raises where it is refused or the answer has not its type
        if method == "setWebhook":
            await api("getWebhookInfo")
            await api("deleteWebhook")
    assert not any(call.unknown for call in telegram.calls)


async def test_a_wrong_token_is_refused_with_401_and_no_token_at_all_with_404(telegram):
    async with httpx.AsyncClient(trust_env=False) as client:
        wrong = await client.post(f"{telegram.base_url}123:wrong/getMe")
        malformed = await client.post(f"{telegram.base_url}wrong/getMe")
    assert (wrong.status_code, wrong.json()["description"]) == (401, "Unauthorized")
    assert malformed.status_code == 404


async def test_an_unknown_method_is_refused_with_404(telegram, api, ann):
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"{telegram.base_url}{telegram.token}/sendThoughts")
    assert answer.json() == {"ok": False, "error_code": 404, "description": "Not Found"}


@pytest.mark.parametrize("method", [name for name in METHODS if "!" in METHODS[name] and name != "setWebhook"])
async def test_a_missing_parameter_is_refused(api, method):
    refused = await api.refusal(method)
    assert refused.status == 400
    assert refused.why.startswith("Bad Request: ")


async def test_parameters_come_as_query_form_json_or_multipart(telegram, ann):
    url, text = (
        f"{telegram.base_url}{telegram.token}/sendMessage",
        {"chat_id": str(ann.person.user_id), "text": "a b&ü😀"},
    )
    async with httpx.AsyncClient(trust_env=False) as client:
        answers = [
            await client.get(url, params=text),
            await client.post(url, data=text),
            await client.post(url, json=text),
            await client.post(url, data=text, files={"unused": ("a.bin", b"\r\n--\r\n")}),
        ]
    assert [answer.json()["result"]["text"] for answer in answers] == [text["text"]] * 4


async def test_files_arrive_byte_for_byte(api, ann):
    data = b"OggS" + bytes(24) + b"OpusHead\r\n--x\r\n\n\r" + bytes(range(256)) * 9 + b"\r\n"
    sent = await api("sendVoice", {"voice": ("v.ogg", data, "audio/ogg")}, chat_id=ann.person.user_id, duration=3)
    assert ann.chat.answers[0].voice == data
    assert sent["voice"]["duration"] == 3
    file = await api("getFile", file_id=sent["voice"]["file_id"])
    assert (await api.download(file["file_path"])).content == data


async def test_a_file_may_be_attached_by_name(api, ann):
    await api("sendVoice", {"x1": ("v.ogg", OGG, "audio/ogg")}, chat_id=ann.person.user_id, voice="attach://x1")
    assert ann.chat.answers[0].voice == OGG


async def test_the_duration_of_a_voice_message_is_read_from_it(api, ann):
    sent = await api("sendVoice", {"voice": ("v.ogg", OGG, "audio/ogg")}, chat_id=ann.person.user_id)
    assert sent["voice"]["duration"] == 2


async def test_what_is_no_sound_becomes_a_document(api, ann):
    sent = await api("sendVoice", {"voice": ("v.ogg", b"RIFF....WAVE", "audio/wav")}, chat_id=ann.person.user_id)
    assert "voice" not in sent
    assert sent["document"]["file_name"] == "v.ogg"


async def test_more_than_50_mb_are_refused(api, ann):
    refused = await api.refusal("sendDocument", {"document": ("d", bytes((50 << 20) + 1))}, chat_id=ann.person.user_id)
    assert (refused.status, refused.why) == (413, "Request Entity Too Large")


async def test_more_than_20_mb_can_not_be_downloaded(api, ann):
    message = await ann.sends_voice(bytes((20 << 20) + 1), duration_s=3000)
    refused = await api.refusal("getFile", file_id=message.content["voice"]["file_id"])
    assert refused.why == "Bad Request: file is too big"


@pytest.mark.parametrize(
    ("text", "taken"), [("a" * 4096, True), ("a" * 4097, False), ("😀" * 2048, True), ("😀" * 2049, False)]
)
async def test_a_text_holds_4096_utf_16_units(api, ann, text, taken):
    if taken:
        assert (await api.say(ann.person.user_id, text))["text"] == text
    else:
        assert (
            await api.refusal("sendMessage", chat_id=ann.person.user_id, text=text)
        ).why == "Bad Request: message is too long"


async def test_markup_does_not_count_for_the_length(api, ann):
    sent = await api.say(ann.person.user_id, f"<b>{'a' * 4096}</b>", parse_mode="HTML")
    assert sent["entities"] == [{"type": "bold", "offset": 0, "length": 4096}]


async def test_a_caption_holds_1024_units(api, ann):
    where = {"chat_id": ann.person.user_id, "caption": "a" * 1025}
    refused = await api.refusal("sendVoice", {"voice": ("v.ogg", OGG)}, **where)
    assert refused.why == "Bad Request: message caption is too long"


async def test_a_text_of_white_space_is_empty(api, ann):
    assert (
        await api.refusal("sendMessage", chat_id=ann.person.user_id, text=" \n")
    ).why == "Bad Request: message text is empty"


async def test_broken_markup_and_entities_are_refused(api, ann):
    where = {"chat_id": ann.person.user_id, "text": "a.b"}
    assert "can't parse entities" in (await api.refusal("sendMessage", **where, parse_mode="MarkdownV2")).why
    outside = [{"type": "bold", "offset": 1, "length": 3}]
    assert "after the end of the text" in (await api.refusal("sendMessage", **where, entities=outside)).why
    assert ann.chat.answers == []


async def test_an_edit_that_changes_nothing_is_refused(api, ann):
    sent = await api.say(ann.person.user_id, "a", reply_markup=KEYBOARD)
    this = {"chat_id": ann.person.user_id, "message_id": sent["message_id"]}
    same = await api.refusal("editMessageText", **this, text="a ", reply_markup=KEYBOARD)
    assert same.why.startswith("Bad Request: message is not modified")
    edited = await api("editMessageText", **this, text="b")
    assert "reply_markup" not in edited
    assert [version.text for version in ann.chat.answers[0].versions] == ["a", "b"]


async def test_what_can_not_be_edited_is_refused(api, ann):
    own = await ann.says("mine")
    gone = {"chat_id": ann.person.user_id, "message_id": 999, "text": "b"}
    assert (await api.refusal("editMessageText", **gone)).why == "Bad Request: message to edit not found"
    theirs = gone | {"message_id": own.message_id}
    assert (await api.refusal("editMessageText", **theirs)).why == "Bad Request: message can't be edited"
    voice = await api("sendVoice", {"voice": ("v.ogg", OGG)}, chat_id=ann.person.user_id)
    spoken = gone | {"message_id": voice["message_id"]}
    assert (
        await api.refusal("editMessageText", **spoken)
    ).why == "Bad Request: there is no text in the message to edit"


async def test_a_deleted_message_is_gone(api, ann):
    sent = await api.say(ann.person.user_id, "a")
    this = {"chat_id": ann.person.user_id, "message_id": sent["message_id"]}
    await api("deleteMessage", **this)
    assert ann.chat.answers == []
    assert (await api.refusal("deleteMessage", **this)).why == "Bad Request: message to delete not found"


async def test_reactions_are_of_telegrams_set(api, ann):
    said = await ann.says("hi")
    this = {"chat_id": ann.person.user_id, "message_id": said.message_id}
    refused = await api.refusal("setMessageReaction", **this, reaction=[{"type": "emoji", "emoji": "🎧"}])
    assert refused.why == "Bad Request: REACTION_INVALID"
    await api("setMessageReaction", **this, reaction=[{"type": "emoji", "emoji": "👀"}])
    assert said.emojis == ["👀"]


async def test_strangers_and_those_who_blocked_the_bot_can_not_be_written_to(api, ann):
    assert (await api.refusal("sendMessage", chat_id=5, text="a")).why == "Bad Request: chat not found"
    ann.blocks_bot()
    refused = await api.refusal("sendMessage", chat_id=ann.person.user_id, text="a")
    assert (refused.status, refused.why) == (403, "Forbidden: bot was blocked by the user")


async def test_a_reply_needs_a_message_to_reply_to(api, ann):
    said = await ann.says("question")
    answer = await api.say(ann.person.user_id, "a", reply_parameters={"message_id": said.message_id})
    assert answer["reply_to_message"]["text"] == "question"
    refused = await api.refusal(
        "sendMessage", chat_id=ann.person.user_id, text="a", reply_parameters={"message_id": 99}
    )
    assert refused.why == "Bad Request: message to be replied not found"
    lenient = {"message_id": 99, "allow_sending_without_reply": True}
    assert "reply_to_message" not in await api.say(ann.person.user_id, "a", reply_parameters=lenient)


async def test_topics_are_threads_of_a_forum_alone(telegram, api, ann):
    forum = telegram.group("Club", ann, forum=True)
    news = forum.topic("News", by=ann)
    sent = await api.say(forum.chat.chat_id, "a", message_thread_id=news.thread_id)
    assert (sent["message_thread_id"], sent["is_topic_message"]) == (news.thread_id, True)
    assert [answer.text for answer in news.answers] == ["a"]
    assert forum.answers == []
    for chat_id, thread_id in ((forum.chat.chat_id, 1), (forum.chat.chat_id, 99), (ann.person.user_id, 1)):
        if thread_id != news.thread_id or chat_id != forum.chat.chat_id:
            refused = await api.refusal("sendMessage", chat_id=chat_id, text="a", message_thread_id=thread_id)
            assert refused.why == "Bad Request: message thread not found"


async def test_drafts_are_for_private_chats(telegram, api, ann):
    await api("sendMessageDraft", chat_id=ann.person.user_id, draft_id=7, text="Hel")
    assert [draft.text for draft in ann.chat.drafts] == ["Hel"]
    group = telegram.group("Club", ann)
    assert (await api.refusal("sendMessageDraft", chat_id=group.chat.chat_id, draft_id=7, text="a")).status == 400


async def test_buttons_are_checked_pressed_and_answered(telegram, api, ann):
    long = {"inline_keyboard": [[{"text": "x", "callback_data": "d" * 65}]]}
    refused = await api.refusal("sendMessage", chat_id=ann.person.user_id, text="a", reply_markup=long)
    assert refused.why == "Bad Request: BUTTON_DATA_INVALID"
    await api.say(ann.person.user_id, "Sure?", reply_markup=KEYBOARD)
    press = await ann.presses(await ann.receives(), "No")
    (update,) = await api.updates()
    assert update["callback_query"]["data"] == "n"
    await api("answerCallbackQuery", callback_query_id=update["callback_query"]["id"], text="Well")
    assert press.answer["text"] == "Well"
    assert (await api.refusal("answerCallbackQuery", callback_query_id="1")).why.startswith(
        "Bad Request: query is too old"
    )


async def test_commands_are_checked_and_kept_by_scope(telegram, api):
    bad = [{"command": "Help!", "description": "d"}]
    assert (await api.refusal("setMyCommands", commands=bad)).why == "Bad Request: BOT_COMMAND_INVALID"
    menu = [{"command": "help", "description": "d"}]
    await api("setMyCommands", commands=menu)
    assert telegram.commands == menu
    assert await api("getMyCommands", scope={"type": "all_group_chats"}) == []


async def test_a_chat_that_is_written_to_too_fast_is_refused_with_the_time_to_wait():
    async with TelegramServer(pace=Pace(per_chat=Window(2, 60.0))) as telegram, Api(telegram) as api:
        ann, bob = telegram.user("Ann"), telegram.user("Bob")
        for _ in range(2):
            await api.say(ann.person.user_id, "a")
        refused = await api.refusal("sendMessage", chat_id=ann.person.user_id, text="a")
        assert refused.status == 429
        wait_s = refused.body["parameters"]["retry_after"]
        assert 1 <= wait_s <= 60
        assert refused.why == f"Too Many Requests: retry after {wait_s}"
        await api.say(bob.person.user_id, "others may")


async def test_calls_are_recorded_with_their_time_and_what_they_did_not_know(telegram, api, ann):
    before = time.monotonic()
    await api.say(ann.person.user_id, "a", colour="blue")
    (call,) = telegram.calls_of("sendMessage")
    assert before <= call.at <= time.monotonic()
    assert (call.status, call.answered, call.unknown) == (200, True, ("colour",))


async def test_all_that_people_do_is_told_in_updates_of_telegrams_form(telegram, api, ann):
    bob = telegram.user("Bob")
    group = telegram.group("Club", ann, bob, forum=True)
    topic = group.topic("News", by=bob)
    said = await ann.says("/start @june_fake_bot https://a.example")
    voice = await ann.sends_voice(OGG, to=topic, caption="listen")
    await ann.sends_audio(b"ID3", caption="song")
    await ann.sends_video_note(b"mp4")
    await ann.sends_document(b"%PDF", name="a.pdf", mime_type="application/pdf")
    await ann.sends_album(b"1", b"2", caption="two")
    await ann.sends_sticker("😀")
    await ann.sends_contact("Bob", "+4930123")
    await ann.sends_location(52.5, 13.4)
    await ann.forwards(voice)
    await ann.forwards(said, hidden=True)
    await bob.says("yes", to=topic, reply_to=voice)
    await ann.edits(said, "/start again")
    ann.blocks_bot()
    ann.unblocks_bot()
    updates = await api.updates()
    assert len(updates) == 17
    assert [wrong for update in updates for wrong in problems(update, ["Update"])] == []
    for update in updates:
        aiogram.types.Update.model_validate(update)
    album = [update["message"] for update in updates if "media_group_id" in update.get("message", {})]
    assert [photo.get("caption") for photo in album] == ["two", None]
    assert album[0]["media_group_id"] == album[1]["media_group_id"]


@pytest.mark.parametrize(
    "wrong",
    [{}, {"update_id": "1"}, {"update_id": True}, {"update_id": 1, "colour": "red"}, {"update_id": 1, "message": {}}],
)
def test_the_oracle_finds_what_is_wrong(wrong):
    assert problems(wrong, ["Update"])


async def test_an_edited_text_is_marked_anew(telegram, api, ann):
    said = await ann.says("hello")
    await ann.edits(said, "/start @june_fake_bot")
    edited = (await api.updates())[1]["edited_message"]
    assert [entity["type"] for entity in edited["entities"]] == ["bot_command", "mention"]
    assert edited["message_id"] == said.message_id


async def test_a_bot_that_was_thrown_out_may_not_write(telegram, api, ann):
    group = telegram.group("Club", ann)
    group.removes_bot(by=ann)
    refused = await api.refusal("sendMessage", chat_id=group.chat.chat_id, text="a")
    assert (refused.status, refused.why) == (403, "Forbidden: bot was kicked from the supergroup chat")
    assert [list(update) for update in await api.updates()] == [["update_id", "my_chat_member"]]


async def test_replies_in_a_plain_supergroup_share_a_thread_that_is_no_topic(telegram, api, ann):
    group = telegram.group("Club", ann)
    first = await ann.says("a", to=group)
    second = await ann.says("b", to=group, reply_to=first)
    await ann.says("c", to=group, reply_to=second)
    told = [update["message"] for update in await api.updates()]
    assert [message.get("message_thread_id") for message in told] == [None, first.message_id, first.message_id]
    assert not any("is_topic_message" in message for message in told)


async def test_with_privacy_the_bot_sees_of_a_group_what_is_meant_for_it():
    async with TelegramServer(privacy=True) as telegram, Api(telegram) as api:
        ann = telegram.user("Ann")
        group = telegram.group("Club", ann)
        await ann.says("among us", to=group)
        await ann.says("/help", to=group)
        await ann.says("/help@other_bot", to=group)
        await ann.says("ask @June_fake_bot", to=group)
        await ann.sends_voice(OGG, to=group)
        await api.say(group.chat.chat_id, "I am here")
        await ann.sends_voice(OGG, to=group, reply_to=group.answers[0])
        told = [update["message"] for update in await api.updates()]
        assert [message.get("text", "voice") for message in told] == ["/help", "ask @June_fake_bot", "voice"]
