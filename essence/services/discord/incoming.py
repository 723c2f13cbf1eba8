"""What people write, press and attach, from Discord's JSON to June's messages."""

from __future__ import annotations

import mimetypes
import re
from collections import Counter
from dataclasses import replace
from datetime import datetime
from typing import Protocol

import discord

from essence.dialogue import Message, Person, Sound
from essence.services.discord.directory import Place
from essence.services.discord.rest import Json

DEFAULT, REPLY = 0, 19
"""Types of messages that people write; Discord's documentation, "Message Types". All others tell of something."""
VOICE = 1 << 13
"""Flag of a voice message; Discord's documentation, "Message Flags"."""
_FORWARD = 1  # "Message Reference Types"
_PERSON = re.compile(r"<@!?([0-9]{1,20})>")
_ROLE = re.compile(r"<@&([0-9]{1,20})>")
_CHANNEL = re.compile(r"<#([0-9]{1,20})>")
_COMMAND = re.compile(r"</([^:>]{1,100}):[0-9]{1,20}>")
_EMOJI = re.compile(r"<a?(:\w{1,32}:)[0-9]{1,20}>")


class Names(Protocol):
    """Whom and what mentions mean."""

    @property
    def june_id(self) -> str: ...

    def is_hers(self, role_id: str) -> bool:
        """Whether a role is June's own."""
        ...

    def channel_name(self, channel_id: str) -> str | None:
        """How people call a channel."""
        ...

    def role_name(self, role_id: str) -> str | None:
        """How people call a role."""
        ...


def is_a_persons(raw: Json) -> bool:
    """Whether a person wrote it: no bot, no webhook, not Discord itself."""
    author = raw.get("author") or {}
    return (
        bool(author)
        and not (author.get("bot") or author.get("system") or raw.get("webhook_id"))
        and (raw.get("type") in (DEFAULT, REPLY))
    )


def messages(raw: Json, place: Place, names: Names) -> list[Message]:
    """What a person's message means: one message, and one more for each further sound."""
    content = _content(raw)
    sounds = [_sound(one) for one in content.get("attachments", ()) if _is_sound(one)]
    first = _first(raw, content, place, names, sounds[0] if sounds else None)
    return [first, *(_further(first, number, sound) for number, sound in enumerate(sounds[1:], start=2))]


def edited(raw: Json, place: Place, names: Names) -> Message:
    """A message whose text was changed; its `version` is the time of the change."""
    return replace(messages(raw, place, names)[0], version=str(raw["edited_timestamp"]))


def _first(raw: Json, content: Json, place: Place, names: Names, sound: Sound | None) -> Message:
    reference = raw.get("message_reference") or {}
    answers = reference.get("message_id") if not _is_forward(raw) else None
    return Message(
        address=place.address,
        message_id=str(raw["id"]),
        sender=_person(raw["author"], raw.get("member")),
        sent_at=datetime.fromisoformat(raw["timestamp"]),
        text=readable(content.get("content") or "", content.get("mentions") or [], names),
        sound=sound,
        reply_to_id=str(answers) if answers else None,
        forwarded=_is_forward(raw),
        quoted=_quoted(raw, names),
        private=place.private,
        addressed=place.private or _is_addressed(raw, names),
        unreadable=_unreadable(raw, content),
    )


def _further(first: Message, number: int, sound: Sound) -> Message:
    return Message(
        address=first.address,
        message_id=f"{first.message_id}.{number}",
        sender=first.sender,
        sent_at=first.sent_at,
        sound=sound,
        reply_to_id=first.reply_to_id,
        forwarded=first.forwarded,
        private=first.private,
        addressed=first.addressed,
    )


def _is_forward(raw: Json) -> bool:
    reference: Json = raw.get("message_reference") or {}
    return bool(reference.get("type") == _FORWARD)


def _content(raw: Json) -> Json:
    """What there is to read and hear: the message's own, or what it passes on."""
    snapshots = raw.get("message_snapshots") or ()
    if _is_forward(raw) and snapshots:
        snapshot: Json = snapshots[0]["message"]
        return snapshot
    return raw


def _person(user: Json, member: Json | None) -> Person:
    return Person(str(user["id"]), _name(user, member), str(user.get("username") or ""))


def _name(user: Json, member: Json | None = None) -> str:
    nick = (member or user.get("member") or {}).get("nick")
    return str(nick or user.get("global_name") or user.get("username") or user["id"])


def _is_addressed(raw: Json, names: Names) -> bool:
    if any(str(one["id"]) == names.june_id for one in raw.get("mentions") or ()):
        return True
    if any(names.is_hers(str(role_id)) for role_id in raw.get("mention_roles") or ()):
        return True
    answered = raw.get("referenced_message")
    return answered is not None and _is_junes(answered, names)


def _is_junes(raw: Json, names: Names) -> bool:
    return str(raw["author"]["id"]) == names.june_id


def _quoted(raw: Json, names: Names) -> str:
    answered = raw.get("referenced_message")
    if answered is None or _is_forward(raw) or _is_junes(answered, names):
        return ""
    content = _content(answered)
    return readable(content.get("content") or "", content.get("mentions") or [], names)


# --- text


def readable(text: str, mentioned: list[Json], names: Names) -> str:
    """A text with names in the place of ids, and without the mention that only says whom it is for."""
    people = {str(one["id"]): _name(one) for one in mentioned}
    text = re.sub(rf" ?<@!?{names.june_id or 'nobody'}>", "", text)
    text = _PERSON.sub(lambda found: f"@{people.get(found[1], 'somebody')}", text)
    text = re.sub(r" ?<@&([0-9]{1,20})>", lambda found: "" if names.is_hers(found[1]) else found[0], text)
    text = _ROLE.sub(lambda found: f"@{names.role_name(found[1]) or 'some role'}", text)
    text = _CHANNEL.sub(lambda found: f"#{names.channel_name(found[1]) or 'some channel'}", text)
    return _EMOJI.sub(r"\1", _COMMAND.sub(r"/\1", text)).strip()


# --- what is attached


def _media_type(attachment: Json) -> str:
    told = attachment.get("content_type") or mimetypes.guess_type(attachment.get("filename") or "")[0]
    return str(told or "application/octet-stream").lower()


def _is_sound(attachment: Json) -> bool:
    # Only voice messages have a length; some clients call an Ogg file application/ogg.
    media_type = _media_type(attachment)
    return media_type.startswith("audio/") or media_type == "application/ogg" or bool(attachment.get("waveform"))


def _sound(attachment: Json) -> Sound:
    duration_s, size = attachment.get("duration_secs"), attachment.get("size")
    return Sound(
        str(attachment["url"]),
        _media_type(attachment),
        None if duration_s is None else float(duration_s),
        None if size is None else int(size),
    )


def _unreadable(raw: Json, content: Json) -> str:
    things = Counter(_called(one) for one in content.get("attachments", ()) if not _is_sound(one))
    told = [name if count == 1 else f"{count} {name.split()[1]}s" for name, count in things.items()]
    told += [f"a sticker ({one['name']})" for one in content.get("sticker_items") or ()]
    if raw.get("poll") or content.get("poll"):
        told.append("a poll")
    if not told and not content.get("content") and not content.get("attachments"):
        told.append("something that has no words")
    return " and ".join([", ".join(told[:-1]), told[-1]] if len(told) > 1 else told)


def _called(attachment: Json) -> str:
    kind = _media_type(attachment).partition("/")[0]
    return {"image": "a picture", "video": "a video"}.get(kind, "a file")


# --- slash commands and buttons


def command(raw: Json, place: Place) -> Message:
    """A slash command as if it had been typed."""
    data = raw["data"]
    words = [str(one["value"]) for one in data.get("options") or () if "value" in one]
    text = " ".join([f"/{data['name']}", *words])
    return _used(raw, place, f"slash-{raw['id']}", text=text)


def press(raw: Json, place: Place) -> Message:
    """A tapped button."""
    message_id = f"press-{raw['id']}"
    return _used(raw, place, message_id, pressed=raw["data"]["custom_id"], reply_to_id=str(raw["message"]["id"]))


def _used(
    raw: Json, place: Place, message_id: str, *, text: str = "", pressed: str = "", reply_to_id: str | None = None
) -> Message:
    member: Json = raw.get("member") or {}
    user = raw.get("user") or member["user"]
    language = str(raw.get("locale") or "").partition("-")[0].lower()
    return Message(
        address=place.address,
        message_id=message_id,
        sender=Person(str(user["id"]), _name(user, member), str(user.get("username") or ""), language),
        sent_at=discord.utils.snowflake_time(int(raw["id"])),
        text=text,
        reply_to_id=reply_to_id,
        private=place.private,
        pressed=pressed,
    )
