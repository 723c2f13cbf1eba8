"""What exists on the fake Discord: people, guilds, channels, messages, files; and who hears of a change."""

from __future__ import annotations

import asyncio
import mimetypes
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeVar

from essence.errors import TooSlow
from essence.fakes.discord import payloads, refusals
from essence.fakes.discord.refusals import Json, Refused

_DISCORD_EPOCH_MS = 1_420_070_400_000  # first second of 2015; Discord's documentation, "Snowflakes"
_ID_TIME_SHIFT = 22
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file on its way in."""

    filename: str
    media_type: str
    data: bytes
    duration_s: float | None = None
    """Voice messages only."""
    waveform: str | None = None
    """Voice messages only: base64 of one byte a point."""
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One dispatch of the gateway, before it is numbered for a session."""

    name: str
    data: Json
    guild_id: str | None = None


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that the bot did and people could see."""

    kind: Literal["post", "edit", "delete", "typing", "react", "unreact", "thread", "respond"]
    channel_id: str
    message_id: str
    """Of the message posted, edited, reacted to; the interaction's for `respond`; empty for typing."""
    detail: Json
    """The message as it stands afterwards; for a reaction its emoji; for `respond` the callback."""
    at: datetime


class Bell:
    """Wakes whoever waits for something to become true."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Event] = set()

    def ring(self) -> None:
        """Something changed."""
        for event in self._waiting:
            event.set()

    async def until(self, found: Callable[[], T | None], what: str, timeout_s: float) -> T:
        """The first value that is neither None nor False.

        Raises:
            TooSlow: it did not come in time; the message says `what`.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while (value := found()) is None or value is False:
                    await self._rung()
        except TimeoutError as error:
            raise TooSlow(f"Waited {timeout_s} s in vain for {what}.") from error
        return value

    async def _rung(self) -> None:
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            await event.wait()
        finally:
            self._waiting.discard(event)


class World:
    """Holds everything by id, in the form in which Discord writes it. Nothing here knows of sockets."""

    def __init__(self, now: Callable[[], datetime], keep: int | None) -> None:
        """`now`: the platform's clock, aware UTC. `keep`: how many deeds, and messages a channel; None for all."""
        self.now, self.bell, self.keep = now, Bell(), keep
        self._last_id = 0
        self.listeners: list[Callable[[Event], None]] = []
        """Called with each event."""
        self.watchers: list[Callable[[Deed], None]] = []
        """Called with each deed."""
        self.users: dict[str, Json] = {}
        self.channels: dict[str, Json] = {}
        self._dms: dict[str, str] = {}
        self.guilds: dict[str, Json] = {}
        self.members: dict[str, dict[str, Json]] = {}
        """Guild id → user id → member."""
        self.messages: dict[str, dict[str, Json]] = {}
        """Channel id → message id → message, oldest first."""
        self.ephemeral: dict[str, Json] = {}
        """Messages that one person alone sees: in no history and in no event."""
        self.reactions: dict[str, list[tuple[str, str]]] = {}
        """Message id → (emoji, user id), in the order in which they were put."""
        self.files: dict[str, Upload] = {}
        """Path below the CDN's root → file."""
        self.deeds: deque[Deed] = deque(maxlen=keep)
        self.unread: defaultdict[str, deque[Json]] = defaultdict(lambda: deque(maxlen=keep))
        """Channel id → what the bot posted there and no person has received so far."""
        self.no_voice: set[str] = set()
        """Channels where voice messages are not allowed."""
        self.no_access: set[str] = set()
        """Channels that the bot can't see."""
        self.no_history: set[str] = set()
        """Channels where the bot lacks Read Message History."""
        self.closed_dms: set[str] = set()
        """People who take no messages from the bot."""
        self.files_url = ""
        """Where files are served; set once the port is known."""
        self.bot = self.add_user("June", bot=True)
        self.application_id: str = self.bot["id"]

    def new_id(self) -> str:
        """A snowflake of this moment, greater than all before it."""
        of_now = (int(self.now().timestamp() * 1000) - _DISCORD_EPOCH_MS) << _ID_TIME_SHIFT
        self._last_id = max(self._last_id + 1, of_now)
        return str(self._last_id)

    def emit(self, name: str, data: Json, guild_id: str | None = None) -> None:
        """Tell the gateway."""
        for listener in self.listeners:
            listener(Event(name, data, guild_id))
        self.bell.ring()

    def did(
        self,
        kind: Literal["post", "edit", "delete", "typing", "react", "unreact", "thread", "respond"],
        channel_id: str,
        message_id: str,
        detail: Json,
    ) -> None:
        """Note down what the bot did."""
        deed = Deed(kind, channel_id, message_id, detail, self.now().astimezone(UTC))
        self.deeds.append(deed)
        for watcher in self.watchers:
            watcher(deed)
        if kind == "post":
            self.unread[channel_id].append(detail)
        self.bell.ring()

    def add_user(self, name: str, *, bot: bool = False) -> Json:
        """Somebody new."""
        about = payloads.user(self.new_id(), name, bot=bot)
        self.users[about["id"]] = about
        return about

    def add_guild(self, name: str, owner: Json) -> Json:
        """A guild that the bot and its owner are in."""
        about = payloads.guild(self.new_id(), name, owner["id"])
        self.guilds[about["id"]] = about
        self.members[about["id"]] = {one["id"]: payloads.member(one, self.now()) for one in (self.bot, owner)}
        self.emit("GUILD_CREATE", self.guild_create(about["id"]), about["id"])
        return about

    def guild_create(self, guild_id: str) -> Json:
        """The guild with all that is in it."""
        inside = [one for one in self.channels.values() if one.get("guild_id") == guild_id]
        return payloads.guild_create(
            self.guilds[guild_id],
            [one for one in inside if one["type"] != payloads.PUBLIC_THREAD],
            [one for one in inside if one["type"] == payloads.PUBLIC_THREAD],
            list(self.members[guild_id].values()),
        )

    def join(self, guild_id: str, about: Json) -> None:
        """Let somebody into a guild; nothing happens if they are in it."""
        if about["id"] not in self.members[guild_id]:
            one = self.members[guild_id][about["id"]] = payloads.member(about, self.now())
            self.emit("GUILD_MEMBER_ADD", one | {"guild_id": guild_id}, guild_id)

    def add_channel(self, guild_id: str, name: str) -> Json:
        """A text channel."""
        position = sum(one.get("guild_id") == guild_id for one in self.channels.values())
        about = payloads.text_channel(self.new_id(), guild_id, name, position)
        self._open(about)
        self.emit("CHANNEL_CREATE", about, guild_id)
        return about

    def add_thread(self, parent: Json, name: str, owner_id: str, thread_id: str = "") -> Json:
        """A public thread. One that hangs on a message has the message's id."""
        about = payloads.thread(thread_id or self.new_id(), parent, name, owner_id, self.now())
        self._open(about)
        self.emit("THREAD_CREATE", about | {"newly_created": True}, parent["guild_id"])
        return about

    def dm_with(self, user_id: str) -> Json:
        """The bot's conversation with a person; the same one each time.

        Raises:
            Refused: there is no such person.
        """
        if user_id in self._dms:
            return self.channels[self._dms[user_id]]
        if user_id not in self.users or user_id == self.bot["id"]:
            raise Refused(refusals.UNKNOWN_USER)
        about = payloads.dm(self.new_id(), self.users[user_id])
        self._dms[user_id] = about["id"]
        self._open(about)
        return about

    def _open(self, channel: Json) -> None:
        self.channels[channel["id"]] = channel
        self.messages[channel["id"]] = {}

    def channel(self, channel_id: str) -> Json:
        """The channel, if the bot may see it.

        Raises:
            Refused: it may not, or there is none.
        """
        if channel_id not in self.channels:
            raise Refused(refusals.UNKNOWN_CHANNEL)
        if channel_id in self.no_access:
            raise Refused(refusals.MISSING_ACCESS)
        return self.channels[channel_id]

    def message(self, channel_id: str, message_id: str) -> Json:
        """A message as it stands.

        Raises:
            Refused: there is none.
        """
        self.channel(channel_id)
        if message_id not in self.messages[channel_id]:
            raise Refused(refusals.UNKNOWN_MESSAGE)
        return self.messages[channel_id][message_id]

    def add_message(self, message: Json) -> None:
        """Append to its channel, and forget the oldest beyond `keep` with its files."""
        inside = self.messages[message["channel_id"]]
        inside[message["id"]] = message
        if self.keep is not None and len(inside) > self.keep:
            oldest = inside.pop(next(iter(inside)))
            self.reactions.pop(oldest["id"], None)
            for attachment in oldest["attachments"]:
                self.files.pop(self.file_path(attachment["url"]), None)

    def file_path(self, url: str) -> str:
        """Path of a file below the CDN's root."""
        return url.removeprefix(f"{self.files_url}/")

    def store_file(self, channel_id: str, upload: Upload) -> Json:
        """Keep a file and return the attachment that points to it."""
        attachment_id = self.new_id()
        path = f"attachments/{channel_id}/{attachment_id}/{upload.filename}"
        self.files[path] = upload
        url = f"{self.files_url}/{path}"
        optional = {
            "duration_secs": upload.duration_s,
            "waveform": upload.waveform,
            "description": upload.description,
            "content_type": _media_type(upload),
        }
        return {
            "id": attachment_id,
            "filename": upload.filename,
            "size": len(upload.data),
            "url": url,
            "proxy_url": url,
        } | {name: value for name, value in optional.items() if value is not None}


def _media_type(upload: Upload) -> str | None:
    """Where a bot declares nothing, Discord goes by the name."""
    if upload.media_type not in ("", "application/octet-stream"):
        return upload.media_type
    return mimetypes.guess_type(upload.filename)[0]
