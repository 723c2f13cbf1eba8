"""Messages come to be, change and go; each change is told to the gateway."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from essence.fakes.discord import payloads, refusals
from essence.fakes.discord.refusals import Json
from essence.fakes.discord.world import Upload, World

DEFAULT, REPLY, COMMAND = 0, 19, 20
"""Message types."""
EPHEMERAL, SUPPRESS_NOTIFICATIONS, VOICE, SNAPSHOT = 1 << 6, 1 << 12, 1 << 13, 1 << 14
"""Message flags."""
_MENTION = re.compile(r"<@!?(\d+)>")


@dataclass(frozen=True, slots=True)
class Content:
    """What a message is made from."""

    text: str = ""
    files: tuple[Upload, ...] = ()
    reply_to: Json | None = None
    pings_author: bool = True
    """Of the message replied to."""
    forwarded: Json | None = None
    stickers: tuple[str, ...] = ()
    """Names."""
    flags: int = 0
    embeds: tuple[Json, ...] = ()
    components: tuple[Json, ...] = ()
    pings: tuple[str, ...] | None = None
    """Ids of the people whom a mention in the text may ping; None: all."""
    nonce: str | int | None = None
    interaction: Json | None = None
    """Metadata of the interaction that this answers."""


def post(world: World, channel_id: str, author: Json, content: Content) -> Json:
    """A new message, stored and told."""
    channel = world.channels[channel_id]
    message = _bare(world, channel_id, author, content)
    _refer(channel, message, content)
    if content.interaction:
        message |= {"interaction_metadata": content.interaction, "application_id": world.application_id}
        message["webhook_id"] = world.application_id
        message["type"] = COMMAND if content.interaction["type"] == 2 else message["type"]
    told = message if content.nonce is None else message | {"nonce": content.nonce}
    if content.flags & EPHEMERAL:
        world.ephemeral[message["id"]] = message
        return told
    world.add_message(message)
    channel["last_message_id"] = message["id"]
    if channel["type"] == payloads.PUBLIC_THREAD:
        channel["message_count"] += 1
        channel["total_message_sent"] += 1
    tell(world, "MESSAGE_CREATE", told)
    return told


def _bare(world: World, channel_id: str, author: Json, content: Content) -> Json:
    message = {
        "id": world.new_id(),
        "channel_id": channel_id,
        "type": DEFAULT,
        "author": author,
        "content": content.text,
        "timestamp": world.now().isoformat(),
        "edited_timestamp": None,
        "tts": False,
        "pinned": False,
        "mention_everyone": "@everyone" in content.text and content.pings is None,
        "mentions": _mentioned(world, content),
        "mention_roles": [],
        "attachments": [world.store_file(channel_id, upload) for upload in content.files],
        "embeds": [embed | {"type": "rich"} for embed in content.embeds],
        "components": numbered(content.components),
        "flags": content.flags,
    }
    if content.stickers:
        message["sticker_items"] = [{"id": world.new_id(), "name": name, "format_type": 1} for name in content.stickers]
    return message


def _refer(channel: Json, message: Json, content: Content) -> None:
    target = content.reply_to or content.forwarded
    if target is None:
        return
    guild = {"guild_id": channel["guild_id"]} if "guild_id" in channel else {}
    reference = {"message_id": target["id"], "channel_id": target["channel_id"]} | guild
    if content.reply_to:
        # Discord nests one level only.
        shown = {name: value for name, value in target.items() if name != "referenced_message"}
        message |= {"type": REPLY, "message_reference": reference | {"type": 0}, "referenced_message": shown}
        return
    message |= {
        "message_reference": reference | {"type": 1},
        "flags": message["flags"] | SNAPSHOT,
        "message_snapshots": [{"message": _snapshot(target)}],
    }


def _snapshot(message: Json) -> Json:
    kept = (
        *("type", "content", "mentions", "mention_roles", "attachments", "embeds", "timestamp"),
        *("edited_timestamp", "flags", "components", "sticker_items"),
    )
    return {name: message[name] for name in kept if name in message}


def _mentioned(world: World, content: Content) -> list[Json]:
    ids = [found for found in _MENTION.findall(content.text) if content.pings is None or found in content.pings]
    if content.reply_to and content.pings_author:
        ids.append(content.reply_to["author"]["id"])
    return [world.users[one] for one in dict.fromkeys(ids) if one in world.users]


def numbered(components: Sequence[Json]) -> list[Json]:
    """Components as Discord returns them: each has a number, unique in the message, from 1 on."""
    count = 0

    def number(one: Any) -> Json:
        nonlocal count
        count += 1
        numbered_one: Json = {"id": count} | one
        if "components" in one:
            numbered_one["components"] = [number(child) for child in one["components"]]
        return numbered_one

    return [number(one) for one in components]


def edit(world: World, message: Json, changes: Json) -> Json:
    """Apply changed fields and tell."""
    message |= changes | {"edited_timestamp": world.now().isoformat()}
    if "content" in changes:
        message["mentions"] = _mentioned(world, Content(changes["content"], reply_to=message.get("referenced_message")))
    seen = view(world, message)
    if message["id"] in world.ephemeral:
        return seen
    tell(world, "MESSAGE_UPDATE", seen)
    return seen


def delete(world: World, message: Json) -> None:
    """Remove it and tell."""
    channel_id = message["channel_id"]
    if world.ephemeral.pop(message["id"], None):
        return
    del world.messages[channel_id][message["id"]]
    world.reactions.pop(message["id"], None)
    guild_id = world.channels[channel_id].get("guild_id")
    gone = {"id": message["id"], "channel_id": channel_id} | ({"guild_id": guild_id} if guild_id else {})
    world.emit("MESSAGE_DELETE", gone, guild_id)


def tell(world: World, event: str, message: Json) -> None:
    """Dispatch a message event with what the gateway adds to a message in a guild."""
    channel = world.channels[message["channel_id"]]
    guild_id = channel.get("guild_id")
    extra: Json = {"channel_type": channel["type"]}
    if guild_id:
        extra["guild_id"] = guild_id
        if (one := world.members[guild_id].get(message["author"]["id"])) is not None:
            extra["member"] = {name: value for name, value in one.items() if name != "user"}
    world.emit(event, message | extra, guild_id)


def react(world: World, message: Json, about: Json, emoji: str, *, adds: bool) -> None:
    """Put or take back a reaction; nothing is told if it was so already."""
    given = world.reactions.setdefault(message["id"], [])
    if ((emoji, about["id"]) in given) == adds:
        return
    (given.append if adds else given.remove)((emoji, about["id"]))
    guild_id = world.channels[message["channel_id"]].get("guild_id")
    data = {
        "user_id": about["id"],
        "channel_id": message["channel_id"],
        "message_id": message["id"],
        "emoji": {"id": None, "name": emoji},
        "burst": False,
        "type": 0,
    }
    if guild_id:
        data["guild_id"] = guild_id
    if adds:
        data |= {"message_author_id": message["author"]["id"], "burst_colors": []}
        if guild_id:
            data["member"] = world.members[guild_id][about["id"]]
    world.emit("MESSAGE_REACTION_ADD" if adds else "MESSAGE_REACTION_REMOVE", data, guild_id)


def view(world: World, message: Json) -> Json:
    """The message as REST returns it, with its reactions counted."""
    given = world.reactions.get(message["id"], [])
    counts = Counter(emoji for emoji, _ in given)
    if not counts:
        return message
    return message | {
        "reactions": [
            {
                "emoji": {"id": None, "name": emoji},
                "count": count,
                "count_details": {"burst": 0, "normal": count},
                "burst_colors": [],
                "me_burst": False,
                "me": (emoji, world.bot["id"]) in given,
            }
            for emoji, count in counts.items()
        ]
    }


def history(world: World, channel_id: str, query: dict[str, str]) -> list[Json]:
    """Newest first, as `GET /channels/{id}/messages` returns it for `after`, `before` or `around`, and `limit`.

    Raises:
        Refused: the limit is not 1 to 100, or an id is no id.
    """
    limit = _number(query, "limit", 50)
    if not 1 <= limit <= 100:
        raise refusals.bad_form("limit", "NUMBER_TYPE_MAX", "int value should be less than or equal to 100.")
    newest_first = list(reversed(world.messages[channel_id].values()))
    if "around" in query:
        return _around(newest_first, _number(query, "around", 0), limit)
    if "after" in query:
        edge = _number(query, "after", 0)
        return [one for one in newest_first if int(one["id"]) > edge][-limit:]
    edge = _number(query, "before", 1 << 63)
    return [one for one in newest_first if int(one["id"]) < edge][:limit]


def _around(newest_first: list[Json], edge: int, limit: int) -> list[Json]:
    newer = [one for one in newest_first if int(one["id"]) > edge]
    others = [one for one in newest_first if int(one["id"]) <= edge]
    newer = newer[len(newer) - min(len(newer), limit // 2) :]
    return newer + others[: limit - len(newer)]


def _number(query: dict[str, str], name: str, default: int) -> int:
    try:
        return int(query.get(name, default))
    except ValueError as error:
        wrong = f'Value "{query[name]}" is not a number.'
        raise refusals.bad_form(name, "NUMBER_TYPE_COERCE", wrong) from error
