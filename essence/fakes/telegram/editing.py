"""The methods by which a bot changes what was said, and answers to taps and messages without words."""

# ruff: noqa: D103 - what each function does is told at https://core.telegram.org/bots/api under its method's name

from __future__ import annotations

import time

from essence.fakes.telegram import entities
from essence.fakes.telegram.platform import Platform
from essence.fakes.telegram.sending import caption_of, keyboard_of, text_of
from essence.fakes.telegram.wire import Call, Json, bad_request
from essence.fakes.telegram.world import Message, Version

NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current content "
    "and reply markup of the message"
)
EXPIRED = "query is too old and response timeout expired or query ID is invalid"
MAX_ANSWER_CHARS = 200
_EMOJI = (
    "❤ 👍 👎 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤‍🔥 "
    "🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨‍💻 👀 🎃 🙈 😇 😨 "
    "🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷‍♂ 🤷 🤷‍♀ 😡"
)
REACTIONS = frozenset(_EMOJI.split())
"""What a message may be reacted with (Bot API, ReactionTypeEmoji)."""


def edit_text(platform: Platform, call: Call) -> Json:
    message = _editable(platform, call)
    if "text" not in message.content:
        raise bad_request("there is no text in the message to edit")
    return _replace(platform, call, message, ("text", "entities"), text_of(call, "text", "entities"))


def edit_caption(platform: Platform, call: Call) -> Json:
    message = _editable(platform, call)
    if message.file is None:
        raise bad_request("there is no caption in the message to edit")
    return _replace(platform, call, message, ("caption", "caption_entities"), caption_of(call))


def edit_reply_markup(platform: Platform, call: Call) -> Json:
    return _replace(platform, call, _editable(platform, call), (), {})


def delete_message(platform: Platform, call: Call) -> bool:
    chat = platform.chat(call.parameters["chat_id"])
    message = chat.find(call.parameters["message_id"], "message to delete not found")
    if message.sender != platform.bot and chat.kind != "private":
        raise bad_request("message can't be deleted")
    message.deleted = True
    platform.changes.tell()
    return True


def delete_messages(platform: Platform, call: Call) -> bool:
    """Those that can't be found are skipped."""
    chat = platform.chat(call.parameters["chat_id"])
    for message_id in call.parameters["message_ids"]:
        if message := chat.messages.get(message_id):
            message.deleted = True
    platform.changes.tell()
    return True


def set_reaction(platform: Platform, call: Call) -> bool:
    chat = platform.chat(call.parameters["chat_id"])
    message = chat.find(call.parameters["message_id"], "message to react not found")
    reactions = call.parameters.get("reaction", [])
    if len(reactions) > 1:  # a bot, as anyone without Premium, may give one
        raise bad_request("REACTIONS_TOO_MANY")
    for reaction in reactions:
        if reaction.get("type") != "emoji" or reaction.get("emoji") not in REACTIONS:
            raise bad_request("REACTION_INVALID")
    message.reactions[platform.bot.user_id] = reactions
    platform.changes.tell()
    return True


def answer_callback_query(platform: Platform, call: Call) -> bool:
    press = platform.presses.get(call.parameters["callback_query_id"])
    if press is None:
        raise bad_request(EXPIRED)
    if len(call.parameters.get("text", "")) > MAX_ANSWER_CHARS:
        raise bad_request("MESSAGE_TOO_LONG")
    press.answer = call.parameters
    platform.changes.tell()
    return True


def _editable(platform: Platform, call: Call) -> Message:
    if not call.parameters.get("chat_id"):
        raise bad_request("chat_id is empty")
    if not call.parameters.get("message_id"):
        raise bad_request("message identifier is not specified")
    chat = platform.chat(call.parameters["chat_id"])
    message = chat.find(call.parameters["message_id"], "message to edit not found")
    if message.sender != platform.bot:
        raise bad_request("message can't be edited")
    return message


def _replace(platform: Platform, call: Call, message: Message, names: tuple[str, ...], new: Json) -> Json:
    """Put the new content in the place of what `names` hold and of the keyboard, which goes if none is given."""
    kept = {name: value for name, value in message.content.items() if name not in (*names, "reply_markup")}
    content = entities.mark(kept | new | keyboard_of(call))
    if content == message.content:
        raise bad_request(NOT_MODIFIED)
    platform.admit(message.chat, call)
    message.content, message.edit_date = content, int(time.time())
    message.versions.append(Version(call.at, message.text))
    platform.changes.tell()
    return message.json()
