"""The people on the fake Discord, their rooms, and what they do there."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from essence.errors import NotFound
from essence.fakes.discord import messages
from essence.fakes.discord.interactions import Interaction, Interactions
from essence.fakes.discord.messages import VOICE, Content
from essence.fakes.discord.refusals import Json
from essence.fakes.discord.world import Upload, World

PATIENCE_S = 10.0
"""How long a person waits for the bot, if nothing else is said."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of a message, downloaded."""

    filename: str
    media_type: str
    data: bytes
    url: str
    duration_s: float | None
    waveform: bytes | None
    """One byte a point."""


@dataclass(frozen=True, slots=True)
class Post:
    """A message as a person saw it at one moment."""

    message_id: str
    channel_id: str
    author_id: str
    text: str
    sent_at: datetime
    attachments: tuple[Attachment, ...]
    json: Json
    """The message as Discord writes it."""

    @property
    def is_voice(self) -> bool:
        """Whether clients show it as a voice message."""
        return bool(self.json["flags"] & VOICE)


def seen(world: World, message: Json) -> Post:
    """What a person sees of a message."""
    return Post(
        message["id"],
        message["channel_id"],
        message["author"]["id"],
        message["content"],
        datetime.fromisoformat(message["timestamp"]),
        tuple(_downloaded(world, one) for one in message["attachments"]),
        message,
    )


def _downloaded(world: World, attachment: Json) -> Attachment:
    upload = world.files.get(world.file_path(attachment["url"]))
    if upload is None:
        raise NotFound(f"{attachment['filename']} is forgotten by now. Start the server with a larger `keep`.")
    waveform = attachment.get("waveform")
    return Attachment(
        attachment["filename"],
        attachment.get("content_type", ""),
        upload.data,
        attachment["url"],
        attachment.get("duration_secs"),
        None if waveform is None else base64.b64decode(waveform),
    )


@dataclass(frozen=True, slots=True)
class Channel:
    """A text channel or a thread."""

    world: World
    channel_id: str

    @property
    def mention(self) -> str:
        """How it is named within a text."""
        return f"<#{self.channel_id}>"

    def forbids_voice(self) -> None:
        """The bot may not send voice messages here (50173)."""
        self.world.no_voice.add(self.channel_id)

    def hides(self) -> None:
        """The bot may not see this channel any more (50001)."""
        self.world.no_access.add(self.channel_id)

    def hides_history(self) -> None:
        """The bot lacks Read Message History here: it reads nothing that was said before, and can't reply (160002)."""
        self.world.no_history.add(self.channel_id)

    def posts(self) -> list[Post]:
        """All messages, oldest first, as they stand now."""
        return [
            seen(self.world, messages.view(self.world, one)) for one in self.world.messages[self.channel_id].values()
        ]


@dataclass(frozen=True, slots=True)
class Guild:
    """A server that the bot is in."""

    world: World
    guild_id: str

    def channel(self, name: str) -> Channel:
        """A new text channel."""
        return Channel(self.world, self.world.add_channel(self.guild_id, name)["id"])


class Person:
    """Somebody who talks to the bot: without a place in their DM; in a guild, which they join at their first word."""

    def __init__(self, world: World, interactions: Interactions, about: Json) -> None:
        self._world, self._interactions, self._about = world, interactions, about
        self.user_id: str = about["id"]
        self.mention = f"<@{self.user_id}>"

    @property
    def dm(self) -> Channel:
        """The conversation of the two."""
        return Channel(self._world, self._world.dm_with(self.user_id)["id"])

    def refuses_dms(self) -> None:
        """The bot can't write to this person any more (50007)."""
        self._world.closed_dms.add(self.user_id)

    async def says(self, text: str, where: Channel | None = None, *, reply_to: Post | None = None) -> Post:
        """Write something."""
        return self._post(Content(text, reply_to=reply_to.json if reply_to else None), where)

    async def sends_voice(
        self,
        ogg: bytes,
        duration_s: float,
        waveform: bytes = bytes(64),
        where: Channel | None = None,
        *,
        reply_to: Post | None = None,
    ) -> Post:
        """Send a voice message, as a phone does. `waveform`: one byte a point, at most 256."""
        picture = base64.b64encode(waveform).decode()
        upload = Upload("voice-message.ogg", "audio/ogg", ogg, duration_s, picture)
        return self._post(Content(files=(upload,), flags=VOICE, reply_to=reply_to.json if reply_to else None), where)

    async def sends_file(
        self, data: bytes, filename: str, media_type: str, text: str = "", where: Channel | None = None
    ) -> Post:
        """Send any file; `audio/…` is a sound that was not recorded in Discord."""
        return self._post(Content(text, files=(Upload(filename, media_type, data),)), where)

    async def sends_files(self, *files: Upload, text: str = "", where: Channel | None = None) -> Post:
        """Send several files at once, as an album."""
        return self._post(Content(text, files=files), where)

    async def sends_sticker(self, name: str, where: Channel | None = None) -> Post:
        """Send a sticker and nothing else."""
        return self._post(Content(stickers=(name,)), where)

    async def forwards(self, post: Post, where: Channel | None = None) -> Post:
        """Pass on a message that somebody wrote elsewhere."""
        return self._post(Content(forwarded=post.json), where)

    def _post(self, content: Content, where: Channel | None) -> Post:
        channel_id = self._in(where).channel_id
        return seen(self._world, messages.post(self._world, channel_id, self._about, content))

    def _in(self, where: Channel | None) -> Channel:
        where = where or self.dm
        guild_id = self._world.channels[where.channel_id].get("guild_id")
        if guild_id:
            self._world.join(guild_id, self._about)
        return where

    async def edits(self, post: Post, text: str) -> Post:
        """Change what one wrote."""
        return seen(self._world, messages.edit(self._world, self._now(post), {"content": text}))

    async def deletes(self, post: Post) -> None:
        """Take back what one wrote."""
        messages.delete(self._world, self._now(post))

    async def reacts(self, post: Post, emoji: str) -> None:
        """Put a reaction."""
        self._in(Channel(self._world, post.channel_id))
        messages.react(self._world, self._now(post), self._about, emoji, adds=True)

    def _now(self, post: Post) -> Json:
        return self._world.messages[post.channel_id][post.message_id]

    async def opens_thread(self, name: str, where: Channel, on: Post | None = None) -> Channel:
        """Start a thread in a channel, or on a message of it."""
        parent = self._world.channels[self._in(where).channel_id]
        thread = self._world.add_thread(parent, name, self.user_id, on.message_id if on else "")
        return Channel(self._world, thread["id"])

    async def uses(
        self, command: str, options: Mapping[str, str | int | float | bool] | None = None, where: Channel | None = None
    ) -> Interaction:
        """Use a slash command. Raises Refused if the bot has not registered it."""
        return self._interactions.use(self._about, self._in(where).channel_id, command, options or {})

    async def presses(self, post: Post, custom_id: str) -> Interaction:
        """Press a button. Raises Refused if the message has no such button."""
        self._in(Channel(self._world, post.channel_id))
        source = self._world.ephemeral.get(post.message_id) or self._now(post)
        return self._interactions.press(self._about, source, custom_id)

    async def receives(self, where: Channel | None = None, timeout_s: float = PATIENCE_S) -> Post:
        """The next message of the bot there that nobody has received so far.

        Raises:
            TooSlow: none came.
        """
        unread = self._world.unread[(where or self.dm).channel_id]
        await self._world.bell.until(lambda: len(unread) > 0, "a message of the bot", timeout_s)
        return seen(self._world, unread.popleft())

    async def sees(self, post: Post, text: str, timeout_s: float = PATIENCE_S) -> Post:
        """A message as soon as it reads so, after as many edits as it takes.

        Raises:
            TooSlow: it never did.
        """
        await self._world.bell.until(lambda: self._now(post)["content"] == text, f"the text {text!r}", timeout_s)
        return seen(self._world, self._now(post))
