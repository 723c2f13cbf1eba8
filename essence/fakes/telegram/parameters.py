"""Which methods the fake has, which parameters each of them takes, and of what kind they are.

From the tables of https://core.telegram.org/bots/api (Bot API 10.1). The tests compare this with its machine-readable
form.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from essence.fakes.telegram.wire import Json, Refused, Upload, bad_request

_WHERE = "business_connection_id message_thread_id direct_messages_topic_id"
_HOW = (
    "disable_notification protect_content allow_paid_broadcast message_effect_id suggested_post_parameters "
    "reply_parameters reply_markup"
)
_EDIT = "business_connection_id chat_id message_id inline_message_id"
_CAPTION = "caption parse_mode caption_entities"

METHODS = {
    "getMe": "",
    "logOut": "",
    "close": "",
    "getUpdates": "offset limit timeout allowed_updates",
    "setWebhook": ("url! certificate ip_address max_connections allowed_updates drop_pending_updates secret_token"),
    "deleteWebhook": "drop_pending_updates",
    "getWebhookInfo": "",
    "sendMessage": f"chat_id! text! {_WHERE} parse_mode entities link_preview_options {_HOW}",
    "sendMessageDraft": "chat_id! draft_id! message_thread_id text parse_mode entities",
    "editMessageText": f"{_EDIT} text parse_mode entities link_preview_options rich_message reply_markup",
    "editMessageCaption": f"{_EDIT} {_CAPTION} show_caption_above_media reply_markup",
    "editMessageReplyMarkup": f"{_EDIT} reply_markup",
    "deleteMessage": "chat_id! message_id!",
    "deleteMessages": "chat_id! message_ids!",
    "sendVoice": f"chat_id! voice! {_WHERE} {_CAPTION} duration {_HOW}",
    "sendAudio": f"chat_id! audio! {_WHERE} {_CAPTION} duration performer title thumbnail {_HOW}",
    "sendDocument": f"chat_id! document! {_WHERE} {_CAPTION} thumbnail disable_content_type_detection {_HOW}",
    "getFile": "file_id!",
    "sendChatAction": "chat_id! action! business_connection_id message_thread_id",
    "setMessageReaction": "chat_id! message_id! reaction is_big",
    "answerCallbackQuery": "callback_query_id! text show_alert url cache_time",
    "setMyCommands": "commands! scope language_code",
    "getMyCommands": "scope language_code",
    "deleteMyCommands": "scope language_code",
    "getChat": "chat_id!",
    "getChatMember": "chat_id! user_id!",
}
"""Parameters by method; `!` marks what it can't do without."""

_INTEGERS_NAMES = (
    "offset limit timeout max_connections message_id message_thread_id direct_messages_topic_id draft_id duration "
    "cache_time user_id"
)
INTEGERS = frozenset(_INTEGERS_NAMES.split())
_BOOLEANS_NAMES = (
    "drop_pending_updates disable_notification protect_content allow_paid_broadcast show_caption_above_media "
    "is_big disable_content_type_detection show_alert"
)
BOOLEANS = frozenset(_BOOLEANS_NAMES.split())
_LISTS_NAMES = "allowed_updates entities caption_entities message_ids reaction commands"
LISTS = frozenset(_LISTS_NAMES.split())
_OBJECTS_NAMES = "link_preview_options suggested_post_parameters reply_parameters reply_markup rich_message scope"
OBJECTS = frozenset(_OBJECTS_NAMES.split())
_FILES_NAMES = "certificate voice audio document thumbnail"
FILES = frozenset(_FILES_NAMES.split())

_MISSING = {
    "chat_id": "chat_id is empty",
    "text": "message text is empty",
    "message_id": "message identifier is not specified",
    "message_ids": "message identifiers are not specified",
    "voice": "there is no voice in the request",
    "audio": "there is no audio in the request",
    "document": "there is no document in the request",
    "action": "wrong parameter action in request",
    "callback_query_id": "query is too old and response timeout expired or query ID is invalid",
}
"""What Telegram says of a parameter that isn't there; of the others, that it is required."""


def typed(method: str, raw: Json, files: Mapping[str, Upload]) -> tuple[Json, tuple[str, ...]]:
    """The parameters with their types, and the names of those that the method doesn't have; 404 for no method."""
    if method not in METHODS:
        raise Refused(404, "Not Found")
    words = METHODS[method].split()
    known = {word.removesuffix("!") for word in words}
    values = {name: _typed(name, value) for name, value in raw.items() if name in known and value is not None}
    for name in FILES & known:
        if (upload := _upload(name, values.get(name), files)) is not None:
            values[name] = upload
    for word in words:
        name = word.removesuffix("!")
        if name != word and values.get(name, "") == "" and (method, name) != ("setWebhook", "url"):
            raise bad_request(_MISSING.get(name, f'parameter "{name}" is required'))
    return values, tuple(sorted(set(raw) - known))


def _upload(name: str, value: object, files: Mapping[str, Upload]) -> Upload | None:
    """A file's part bears the parameter's name, or the one that `attach://` tells."""
    if isinstance(value, str) and value.startswith("attach://"):
        return files.get(value.removeprefix("attach://"))
    return files.get(name)


def _typed(name: str, value: Any) -> object:
    if name in INTEGERS:
        return _integer(name, value)
    if name in BOOLEANS:
        return value if isinstance(value, bool) else str(value).lower() in ("true", "yes", "1")
    if name in LISTS:
        return _parsed(name, value, list)
    if name in OBJECTS:
        return _parsed(name, value, dict)
    if name == "chat_id":
        return value if isinstance(value, str) and value.startswith("@") else _integer(name, value)
    return str(value)


def _integer(name: str, value: object) -> int:
    try:
        return int(str(value))
    except ValueError as error:
        raise bad_request("chat not found" if name == "chat_id" else f"invalid {name} specified") from error


def _parsed(name: str, value: object, kind: type[list[Any]] | type[dict[str, Any]]) -> object:
    if isinstance(value, str):
        if not value:
            return kind()
        try:
            value = json.loads(value)
        except ValueError as error:
            raise bad_request(f"can't parse {name} JSON object") from error
    if not isinstance(value, kind):
        raise bad_request(f"{'object' if kind is dict else 'array'} expected as {name}")
    return value
