"""Telegram with one bot in it: the state behind the server, and what happens in it."""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass, field
from math import ceil

from essence.fakes.telegram import entities
from essence.fakes.telegram.updates import Updates
from essence.fakes.telegram.webhook import Webhook
from essence.fakes.telegram.wire import Call, Json, Refused, bad_request, too_many_requests
from essence.fakes.telegram.world import Changes, Chat, Files, Message, Person, StoredFile


@dataclass(frozen=True, slots=True)
class Window:
    """At most so many messages in so many seconds."""

    messages: int
    seconds: float


@dataclass(slots=True)
class Pace:
    """How fast a bot may write before it gets 429 (https://core.telegram.org/bots/faq#my-bot-is-hitting-limits)."""

    per_chat: Window = Window(1, 1.0)
    per_group: Window = Window(20, 60.0)
    overall: Window = Window(30, 1.0)
    _sent: dict[tuple[str, int], deque[float]] = field(default_factory=dict)

    def admit(self, chat: Chat, at: float) -> None:
        """Count a message, or refuse it with the whole seconds to wait."""
        rules = [(("chat", chat.chat_id), self.per_chat), (("all", 0), self.overall)]
        if chat.kind != "private":
            rules.append((("group", chat.chat_id), self.per_group))
        wait_s = max(self._wait_s(self._sent.setdefault(key, deque()), window, at) for key, window in rules)
        if wait_s > 0:
            raise too_many_requests(ceil(wait_s))
        for key, _ in rules:
            self._sent[key].append(at)

    def _wait_s(self, sent: deque[float], window: Window, at: float) -> float:
        while sent and sent[0] + window.seconds <= at:  # the same sum as below: floats differ in the last bit
            sent.popleft()
        return sent[0] + window.seconds - at if len(sent) >= window.messages else 0.0


@dataclass(slots=True, eq=False)
class Press:
    """A tap on an inline button, and the bot's answer to it."""

    press_id: str
    message: Message
    answer: Json | None = None


@dataclass(slots=True)
class Platform:
    """Chats and their messages, what waits for the bot, and how the bot is reached."""

    token: str
    bot: Person
    privacy: bool = False
    """The bot sees only those messages of groups that are meant for it (BotFather, /setprivacy)."""
    pace: Pace | None = None
    webhook_retry_s: float = 1.0
    chats: dict[int, Chat] = field(default_factory=dict)
    files: Files = field(default_factory=Files)
    updates: Updates = field(default_factory=Updates)
    changes: Changes = field(default_factory=Changes)
    webhook: Webhook | None = None
    moved: dict[int, int] = field(default_factory=dict)
    """Ids of groups that became supergroups, and the ids that they have now."""
    commands: dict[str, list[Json]] = field(default_factory=dict)
    """Of setMyCommands, by scope and language."""
    presses: dict[str, Press] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def number(self) -> int:
        """One that was not used before."""
        return next(self._numbers)

    def chat(self, chat_id: int | str) -> Chat:
        """A chat that the bot may write to; refused with 400 or 403 otherwise."""
        if isinstance(chat_id, str):
            found = next(
                (chat for chat in self.chats.values() if f"@{chat.username}" == chat_id and chat.username), None
            )
        else:
            found = self.chats.get(chat_id)
        if isinstance(chat_id, int) and (new_id := self.moved.get(chat_id)):
            why = "Bad Request: group chat was upgraded to a supergroup chat"
            raise Refused(400, why, moved_to=new_id)
        if found is None:
            raise bad_request("chat not found")
        if found.barred:
            raise Refused(403, f"Forbidden: {found.barred}")
        return found

    def post(
        self,
        chat: Chat,
        sender: Person,
        content: Json,
        *,
        reply_to: Message | None = None,
        thread_id: int | None = None,
        file: StoredFile | None = None,
    ) -> Message:
        """Store a message and tell those who should know: the bot of a person's, the person of the bot's."""
        message = chat.store(sender, entities.mark(content), reply_to, thread_id, file)
        if sender != self.bot and self._meant_for_bot(message):
            self.updates.add("message", message.json(), chat.chat_id)
        self.changes.tell()
        return message

    def tell_edit(self, message: Message) -> None:
        """A person's message was edited."""
        if self._meant_for_bot(message):
            self.updates.add("edited_message", message.json(), message.chat.chat_id)

    def _meant_for_bot(self, message: Message) -> bool:
        """https://core.telegram.org/bots/features#privacy-mode"""
        if message.chat.barred:
            return False
        if not self.privacy or message.chat.kind == "private":
            return True
        replied = message.reply_to is not None and message.reply_to.sender == self.bot
        return replied or any(self._names_bot(message.text, entity) for entity in message.entities)

    def _names_bot(self, text: str, entity: Json) -> bool:
        words = entities.covered(text, entity).lower()
        if entity["type"] == "bot_command":
            return "@" not in words or words.endswith(f"@{self.bot.username.lower()}")
        named = bool(entity.get("user", {}).get("id") == self.bot.user_id)
        return named or (entity["type"] == "mention" and words == f"@{self.bot.username.lower()}")

    def admit(self, chat: Chat, call: Call) -> None:
        """Refuse a message that comes too fast, where a pace is set."""
        if self.pace is not None:
            self.pace.admit(chat, call.at)
