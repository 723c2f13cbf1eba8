"""What Telegram knows: people, chats, messages, files."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from essence.fakes.telegram.wire import Json, bad_request

T = TypeVar("T")
MAX_DOWNLOAD_BYTES = 20 << 20
"""What a bot may download (Bot API, getFile)."""


class Changes:
    """Wakes those who wait for the world to change."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def tell(self) -> None:
        """Something has changed."""
        self._event.set()
        self._event = asyncio.Event()

    async def until(self, seen: Callable[[], T | None], timeout_s: float) -> T:
        """What `seen` finds, as soon as that is true.

        Raises:
            TimeoutError: It found nothing in time.
        """
        async with asyncio.timeout(timeout_s):
            while not (value := seen()):
                await self._event.wait()
        return value


@dataclass(frozen=True, slots=True)
class Person:
    """A user of Telegram, or the bot."""

    user_id: int
    first_name: str
    username: str = ""
    language_code: str = ""
    is_bot: bool = False

    def json(self) -> Json:
        """The User of the Bot API."""
        user: Json = {"id": self.user_id, "is_bot": self.is_bot, "first_name": self.first_name}
        return user | {name: getattr(self, name) for name in ("username", "language_code") if getattr(self, name)}


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file on Telegram's servers."""

    file_id: str
    unique_id: str
    path: str
    name: str
    mime_type: str
    data: bytes = field(repr=False)

    def json(self) -> Json:
        """What every kind of file has in common in the Bot API."""
        return {"file_id": self.file_id, "file_unique_id": self.unique_id, "file_size": len(self.data)}


class Files:
    """All files, by the id that bots know them by."""

    def __init__(self) -> None:
        self._by_id: dict[str, StoredFile] = {}
        self._by_path: dict[str, StoredFile] = {}
        self._number = itertools.count()

    def keep(self, data: bytes, kind: str, name: str, mime_type: str) -> StoredFile:
        """Store a file; `kind` names its folder, as in Telegram's own paths."""
        number, unique = next(self._number), secrets.token_urlsafe(8)
        path = f"{kind}/file_{number}.{name.rpartition('.')[2]}" if "." in name else f"{kind}/file_{number}"
        file = StoredFile(f"AwACAgIAAxk{unique}{number:04}", unique, path, name, mime_type, data)
        self._by_id[file.file_id] = self._by_path[path] = file
        return file

    def find(self, file_id: str) -> StoredFile | None:
        """The file with this id."""
        return self._by_id.get(file_id)

    def at(self, path: str) -> StoredFile | None:
        """The file at this path of the download address."""
        return self._by_path.get(path)


@dataclass(frozen=True, slots=True)
class Version:
    """A message's text (or caption) as it was from a moment on."""

    at: float
    text: str


@dataclass(slots=True, eq=False)
class Message:
    """One message of a chat."""

    chat: Chat
    message_id: int
    sender: Person
    at: float
    """When it was stored [s], on the clock of `time.monotonic`."""
    date: int
    content: Json
    """Fields that hold its content, named as in the Bot API: text, entities, voice, caption, reply_markup …"""
    thread_id: int | None = None
    in_topic: bool = False
    reply_to: Message | None = None
    file: StoredFile | None = None
    edit_date: int = 0
    deleted: bool = False
    versions: list[Version] = field(default_factory=list)
    """From the first to the one that stands."""
    reactions: dict[int, list[Json]] = field(default_factory=dict)
    """By the id of who reacted."""

    @property
    def text(self) -> str:
        """Text, or the caption of what has one."""
        return str(self.content.get("text", self.content.get("caption", "")))

    @property
    def entities(self) -> list[Json]:
        """Formatting of the text or caption."""
        found: list[Json] = self.content.get("entities") or self.content.get("caption_entities") or []
        return found

    @property
    def voice(self) -> bytes | None:
        """The Ogg/Opus of a voice message."""
        return self.file.data if self.file is not None and "voice" in self.content else None

    @property
    def data(self) -> bytes | None:
        """The file that it brings, of whatever kind."""
        return None if self.file is None else self.file.data

    @property
    def buttons(self) -> list[Json]:
        """Inline buttons, row by row."""
        keyboard = self.content.get("reply_markup", {}).get("inline_keyboard", [])
        return [button for row in keyboard for button in row]

    @property
    def emojis(self) -> list[str]:
        """All reactions, as emoji."""
        return [reaction.get("emoji", "") for given in self.reactions.values() for reaction in given]

    def json(self, *, with_reply: bool = True) -> Json:
        """The Message of the Bot API; a message that is replied to is shown without the one that it replies to."""
        body: Json = {
            "message_id": self.message_id,
            "from": self.sender.json(),
            "chat": self.chat.json(),
            "date": self.date,
        }
        if self.thread_id is not None:
            body["message_thread_id"] = self.thread_id
        if self.in_topic:
            body["is_topic_message"] = True
        if self.edit_date:
            body["edit_date"] = self.edit_date
        if with_reply and self.reply_to is not None:
            body["reply_to_message"] = self.reply_to.json(with_reply=False)
        return body | self.content


@dataclass(frozen=True, slots=True)
class Draft:
    """What `sendMessageDraft` showed."""

    at: float
    draft_id: int
    text: str
    thread_id: int | None


@dataclass(frozen=True, slots=True)
class Action:
    """What `sendChatAction` showed, for five seconds or until the next message."""

    at: float
    action: str
    thread_id: int | None


@dataclass(slots=True, eq=False)
class Chat:
    """A private chat (its id is the user's) or a supergroup."""

    chat_id: int
    kind: str
    title: str
    username: str = ""
    is_forum: bool = False
    people: dict[int, Person] = field(default_factory=dict)
    creator_id: int = 0
    barred: str = ""
    """Why the bot may not write here."""
    messages: dict[int, Message] = field(default_factory=dict)
    """All that were ever stored, deleted ones too."""
    topics: dict[int, Message] = field(default_factory=dict)
    """The messages that opened a forum's topics, by thread id."""
    drafts: list[Draft] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)

    def json(self) -> Json:
        """The Chat of the Bot API."""
        name = "first_name" if self.kind == "private" else "title"
        chat: Json = {"id": self.chat_id, "type": self.kind, name: self.title}
        if self.username:
            chat["username"] = self.username
        return chat | {"is_forum": True} if self.is_forum else chat

    def find(self, message_id: int | None, why: str) -> Message:
        """The message with this id that is still there; refused with `why` otherwise."""
        message = self.messages.get(message_id or 0)
        if message is None or message.deleted:
            raise bad_request(why)
        return message

    def store(
        self, sender: Person, content: Json, reply_to: Message | None, thread_id: int | None, file: StoredFile | None
    ) -> Message:
        """Add a message, in its topic or thread."""
        if self.is_forum:
            in_topic = thread_id is not None
            reply_to = reply_to or self.topics.get(thread_id or 0)
        else:
            # A supergroup without topics counts each chain of replies as a thread.
            in_topic = False
            if reply_to is not None and self.kind == "supergroup":
                thread_id = thread_id or reply_to.thread_id or reply_to.message_id
        message = Message(
            self, len(self.messages) + 1, sender, time.monotonic(), int(time.time()), content,
            thread_id=thread_id, in_topic=in_topic, reply_to=reply_to, file=file,
        )  # fmt: skip
        message.versions.append(Version(message.at, message.text))
        self.messages[message.message_id] = message
        return message

    def is_thread(self, thread_id: int) -> bool:
        """The bot may write there."""
        if self.is_forum:
            return thread_id in self.topics
        return self.kind == "supergroup" and thread_id in self.messages
