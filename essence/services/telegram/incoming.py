"""What comes from Telegram, as June's words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import telegram
from telegram import Update, User
from telegram.constants import ChatType, MessageType

from essence.dialogue import Address, Message, Person, Sound
from essence.services.telegram.mentions import is_addressed, without_mentions

PRESS = "press-"
"""What the id of a tapped button's message begins with; the query's id follows."""
ALBUM = "album-"
"""What the id of a part of an album begins with, where there is nothing to read in the part; the album's follows."""
_AUDIO_TYPES = ("audio/", "application/ogg")
_NO_SERVICE = frozenset({
    MessageType.TEXT, MessageType.EFFECT_ID, MessageType.BUSINESS_CONNECTION_ID, MessageType.SENDER_BOOST_COUNT,
    MessageType.REPLY_TO_STORY, MessageType.SENDER_BUSINESS_BOT, MessageType.SUGGESTED_POST_INFO,
})  # fmt: skip
"""Names in `MessageType` that say nothing of what happened in a chat."""
UNREADABLE: dict[str, str] = {
    "photo": "a photo",
    "live_photo": "a photo",
    "animation": "an animation",
    "document": "a file",
    "venue": "a place",
    "location": "a location",
    "contact": "a contact",
    "poll": "a poll",
    "checklist": "a checklist",
    "dice": "a dice",
    "game": "a game",
    "story": "a story",
    "paid_media": "paid media",
    "invoice": "an invoice",
    "giveaway": "a giveaway",
    "giveaway_winners": "a giveaway",
    "gift": "a gift",
    "unique_gift": "a gift",
    "passport_data": "passport data",
}
"""Content that June can't read, as a person would call it. An animation is a document too, a venue a location."""


@dataclass(frozen=True, slots=True)
class Move:
    """A group has become a supergroup, which has an id of its own; its people go on as if nothing had happened."""

    old: Address
    new: Address


def move_of(update: Update) -> Move | None:
    """Where a group has gone. Both of them are told: the old one to where, the new one from where."""
    said = update.message
    if said is None or not (said.migrate_to_chat_id or said.migrate_from_chat_id):
        return None
    old, new = said.migrate_from_chat_id or said.chat.id, said.migrate_to_chat_id or said.chat.id
    return Move(Address("telegram", str(old)), Address("telegram", str(new)))


def album_with_words(update: Update) -> str | None:
    """What parts without words are named of the album to which this part with words belongs."""
    said = update.message or update.edited_message
    return f"{ALBUM}{said.media_group_id}" if said is not None and said.media_group_id and said.caption else None


def message_of(update: Update, me: User) -> Message | None:
    """What a person sent; None for what is no message to June, such as joins, channel posts and words of bots."""
    if (query := update.callback_query) is not None:
        return _pressed(query)
    said = update.message or update.edited_message
    if said is None or said.from_user is None or said.from_user.is_bot or said.is_automatic_forward:
        return None
    return _said(said, me, edited=update.message is None) if said.chat.type != ChatType.CHANNEL else None


def _said(said: telegram.Message, me: User, *, edited: bool) -> Message | None:
    text, sound = without_mentions(said, me), sound_of(said)
    unreadable = "" if sound else unreadable_of(said)
    if not (said.text or sound or unreadable):
        return None
    private = said.chat.type == ChatType.PRIVATE
    return Message(
        address=_address(said),
        message_id=_message_id(said, alone=not (unreadable and not said.caption)),
        sender=_person(said.from_user),
        sent_at=said.date,
        text=text,
        sound=sound,
        reply_to_id=_reply_to_id(said),
        forwarded=said.forward_origin is not None,
        quoted=_quoted(said, me),
        private=private,
        addressed=private or is_addressed(said, answered(said), me),
        unreadable=unreadable,
        # What was edited before the bot was first told of it has a date of that too.
        version=str(int(said.edit_date.timestamp())) if edited and said.edit_date else "",
    )


def _pressed(query: telegram.CallbackQuery) -> Message | None:
    if query.message is None or query.data is None:  # of an inline message, or a game's: June sends neither
        return None
    return Message(
        address=_address(query.message),
        message_id=f"{PRESS}{query.id}",
        sender=_person(query.from_user),
        sent_at=datetime.now(UTC),  # Telegram doesn't tell when
        reply_to_id=str(query.message.message_id),
        private=query.message.chat.type == ChatType.PRIVATE,
        pressed=query.data,
    )


def _address(said: telegram.MaybeInaccessibleMessage) -> Address:
    topic = said.message_thread_id if isinstance(said, telegram.Message) and said.is_topic_message else None
    return Address("telegram", str(said.chat.id), None if topic is None else str(topic))


def _message_id(said: telegram.Message, *, alone: bool) -> str:
    return str(said.message_id) if alone or not said.media_group_id else f"{ALBUM}{said.media_group_id}"


def _person(user: User | None) -> Person:
    assert user is not None
    language = (user.language_code or "").split("-")[0].lower()  # Telegram tells IETF tags, such as pt-br
    return Person(str(user.id), user.full_name, user.username or "", language)


def sound_of(said: telegram.Message) -> Sound | None:
    """Whatever has sound in it."""
    if said.voice:
        return _sound(said.voice, said.voice.mime_type or "audio/ogg")
    if said.audio:
        return _sound(said.audio, said.audio.mime_type or "audio/mpeg")
    if said.video_note:
        return _sound(said.video_note, "video/mp4")
    if said.video:
        return _sound(said.video, said.video.mime_type or "video/mp4")
    media_type = (said.document and said.document.mime_type) or ""
    if said.document and media_type.startswith(_AUDIO_TYPES):
        return Sound(said.document.file_id, media_type, None, said.document.file_size)
    return None


def _sound(file: telegram.Voice | telegram.Audio | telegram.VideoNote | telegram.Video, media_type: str) -> Sound:
    # `duration` asks the environment for the type that it shall have; `to_dict` does not.
    return Sound(file.file_id, media_type, float(file.to_dict()["duration"]), file.file_size)


def unreadable_of(said: telegram.Message) -> str:
    """What it brings that June can't read; empty for text and for what happened rather than was said."""
    if said.sticker:
        return f"a sticker ({said.sticker.emoji})" if said.sticker.emoji else "a sticker"
    if known := next((name for kind, name in UNREADABLE.items() if said[kind]), ""):
        return known
    return "" if said.text or any(said[kind] for kind in _SERVICE) else "a message of a new kind"


_SERVICE = frozenset(kind for kind in MessageType if kind not in UNREADABLE) - _NO_SERVICE - {
    MessageType.STICKER, MessageType.VOICE, MessageType.AUDIO, MessageType.VIDEO, MessageType.VIDEO_NOTE,
}  # fmt: skip


def answered(said: telegram.Message) -> telegram.Message | None:
    """The message that this one answers. Everything in a topic answers the message that opened it, which is none."""
    replied = said.reply_to_message
    if replied is None or replied.forum_topic_created is not None:
        return None
    opened = said.is_topic_message and replied.message_id == said.message_thread_id
    return None if opened else replied


def _reply_to_id(said: telegram.Message) -> str | None:
    replied = answered(said)
    return None if replied is None else str(replied.message_id)


def _quoted(said: telegram.Message, me: User) -> str:
    replied = answered(said)
    if replied is not None and replied.from_user is not None and replied.from_user.id == me.id:
        return ""
    if said.quote is not None:
        return said.quote.text
    return "" if replied is None else _told(replied)


def _told(said: telegram.Message) -> str:
    """The words of a message, or what it is instead."""
    sounds: list[tuple[Callable[[telegram.Message], object], str]] = [
        (lambda m: m.voice, "a voice message"),
        (lambda m: m.video_note or m.video, "a video"),
        (sound_of, "an audio file"),
    ]
    return said.text or said.caption or next((name for found, name in sounds if found(said)), unreadable_of(said))
