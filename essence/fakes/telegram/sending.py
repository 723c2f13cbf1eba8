"""The methods by which a bot says something."""

# ruff: noqa: D103 - what each function does is told at https://core.telegram.org/bots/api under its method's name

from __future__ import annotations

from essence.fakes.telegram import entities, markup, media
from essence.fakes.telegram.platform import Platform
from essence.fakes.telegram.wire import Call, Json, Upload, bad_request
from essence.fakes.telegram.world import Action, Chat, Draft, Message, StoredFile

MAX_TEXT_UNITS = 4096
MAX_CAPTION_UNITS = 1024
MAX_CALLBACK_BYTES = 64
_ACTIONS_NAMES = (
    "typing upload_photo record_video upload_video record_voice upload_voice upload_document choose_sticker "
    "find_location record_video_note upload_video_note"
)
ACTIONS = frozenset(_ACTIONS_NAMES.split())


def send_message(platform: Platform, call: Call) -> Json:
    chat = _writable(platform, call)
    return _post(platform, call, chat, text_of(call, "text", "entities")).json()


def send_draft(platform: Platform, call: Call) -> bool:
    chat = _writable(platform, call)
    if chat.kind != "private":
        raise bad_request("message drafts can be sent only to private chats")
    if not call.parameters["draft_id"]:
        raise bad_request("draft_id must be non-zero")
    text, _ = formatted(call, "text", "entities")
    if entities.units(text) > MAX_TEXT_UNITS:
        raise bad_request("message is too long")
    thread_id = call.parameters.get("message_thread_id")
    chat.drafts.append(Draft(call.at, call.parameters["draft_id"], text, thread_id))
    platform.changes.tell()
    return True


def send_voice(platform: Platform, call: Call) -> Json:
    chat, file = _writable(platform, call), _file(platform, call, "voice", "audio/ogg")
    if not media.is_voice(file.data):
        return _post(platform, call, chat, _document(call, file), file).json()
    duration = call.parameters.get("duration") or media.ogg_duration_s(file.data)
    voice = file.json() | {"duration": duration, "mime_type": file.mime_type}
    return _post(platform, call, chat, caption_of(call) | {"voice": voice}, file).json()


def send_audio(platform: Platform, call: Call) -> Json:
    chat, file = _writable(platform, call), _file(platform, call, "audio", "audio/mpeg")
    audio = file.json() | {"duration": call.parameters.get("duration", 0), "mime_type": file.mime_type}
    audio |= {"file_name": file.name}
    audio |= {name: call.parameters[name] for name in ("performer", "title") if name in call.parameters}
    return _post(platform, call, chat, caption_of(call) | {"audio": audio}, file).json()


def send_document(platform: Platform, call: Call) -> Json:
    chat, file = _writable(platform, call), _file(platform, call, "document", "application/octet-stream")
    return _post(platform, call, chat, _document(call, file), file).json()


def send_chat_action(platform: Platform, call: Call) -> bool:
    if call.parameters["action"] not in ACTIONS:
        raise bad_request("wrong parameter action in request")
    chat = _writable(platform, call)
    chat.actions.append(Action(call.at, call.parameters["action"], call.parameters.get("message_thread_id")))
    platform.changes.tell()
    return True


def formatted(call: Call, text_name: str, entities_name: str) -> tuple[str, list[Json]]:
    """Text and entities as Telegram stores them: markup read, entities checked, white space around it gone."""
    text, mode = call.parameters.get(text_name, ""), call.parameters.get("parse_mode", "")
    if mode:
        plain, found = markup.parse(text, mode)
    else:
        plain, found = text, entities.check(text, call.parameters.get(entities_name, ()))
    return entities.trim(plain, found)


def text_of(call: Call, text_name: str, entities_name: str) -> Json:
    """The content of a text message."""
    text, found = formatted(call, text_name, entities_name)
    if not text:
        raise bad_request("message text is empty")
    if entities.units(text) > MAX_TEXT_UNITS:
        raise bad_request("message is too long")
    return {"text": text} | ({"entities": found} if found else {})


def caption_of(call: Call) -> Json:
    """The caption's part of a message's content."""
    text, found = formatted(call, "caption", "caption_entities")
    if entities.units(text) > MAX_CAPTION_UNITS:
        raise bad_request("message caption is too long")
    return ({"caption": text} if text else {}) | ({"caption_entities": found} if found else {})


def keyboard_of(call: Call) -> Json:
    """The inline keyboard's part of a message's content; other keyboards are not part of the message."""
    rows = (call.parameters.get("reply_markup") or {}).get("inline_keyboard")
    if rows is None:
        return {}
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad_request("can't parse inline keyboard: expected an Array of Array")
    for button in (button for row in rows for button in row):
        _check_button(button)
    return {"reply_markup": {"inline_keyboard": [row for row in rows if row]}} if any(rows) else {}


def _check_button(button: object) -> None:
    if not isinstance(button, dict) or not button.get("text"):
        raise bad_request("can't parse inline keyboard button: Can't find field \"text\"")
    data = button.get("callback_data")
    if data is not None and not 1 <= len(str(data).encode()) <= MAX_CALLBACK_BYTES:
        raise bad_request("BUTTON_DATA_INVALID")
    if len(button) == 1:
        raise bad_request("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")


def _writable(platform: Platform, call: Call) -> Chat:
    chat, thread_id = platform.chat(call.parameters["chat_id"]), call.parameters.get("message_thread_id")
    if thread_id and not chat.is_thread(thread_id):
        raise bad_request("message thread not found")
    return chat


def _post(platform: Platform, call: Call, chat: Chat, content: Json, file: StoredFile | None = None) -> Message:
    content = content | keyboard_of(call)
    reply_to = _replied(chat, call.parameters.get("reply_parameters") or {})
    platform.admit(chat, call)
    thread_id = call.parameters.get("message_thread_id")
    return platform.post(chat, platform.bot, content, reply_to=reply_to, thread_id=thread_id, file=file)


def _replied(chat: Chat, reply: Json) -> Message | None:
    if not reply:
        return None
    message = chat.messages.get(reply.get("message_id", 0))
    if message is not None and not message.deleted:
        return message
    if reply.get("allow_sending_without_reply"):
        return None
    raise bad_request("message to be replied not found")


def _file(platform: Platform, call: Call, kind: str, mime_type: str) -> StoredFile:
    """The upload, or the file that a `file_id` names."""
    given = call.parameters[kind]
    if isinstance(given, Upload):
        if not given.data:
            raise bad_request("file must be non-empty")
        told = given.content_type if given.content_type != "application/octet-stream" else mime_type
        return platform.files.keep(given.data, kind, given.name, told)
    file = platform.files.find(given)
    if file is None:
        raise bad_request("wrong file identifier/HTTP URL specified")
    return file


def _document(call: Call, file: StoredFile) -> Json:
    document = file.json() | {"file_name": file.name, "mime_type": file.mime_type}
    return caption_of(call) | {"document": document}
