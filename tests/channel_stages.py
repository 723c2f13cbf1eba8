"""Platforms for the contract test of `Channel`: June on a fake, a person called Ann, and trouble on command.

A new player is a class like `MemoryStage` and one line in the test's PLAYERS.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import pytest

from essence.dialogue import Address
from essence.errors import JuneError, NotAllowed, NotFound, RateLimited, Uncertain, Unreachable
from essence.fakes import discord as fake_discord
from essence.fakes import telegram as fake_telegram
from essence.fakes.channel import MemoryChannel, Sent, Talker
from essence.fakes.discord import refusals
from essence.ports import Channel
from essence.services.telegram.channel import TelegramChannel
from tests import discord_june
from tests.telegram_june import settings_of

Deed = Literal["send", "edit", "sign", "fetch"]
Trouble = Literal["lost answer", "broken", "rate limit", "forbidden", "gone", "bad token"]
RETRY_AFTER_S = 1


@dataclass(frozen=True, slots=True)
class Shown:
    """A message of June's as Ann sees it now."""

    message_id: str
    text: str
    voice: bytes | None
    buttons: tuple[str, ...]
    reply_to_id: str | None


class Stage(Protocol):
    """One platform, set up."""

    @property
    def channel(self) -> Channel: ...

    @property
    def home(self) -> Address:
        """Ann's private conversation with June."""
        ...

    @property
    def thread(self) -> Address:
        """A thread or topic of a group that Ann and June are in."""
        ...

    async def says(self, text: str, *, in_thread: bool = False) -> None: ...

    async def sends_sound(self, data: bytes) -> None: ...

    async def presses(self, label: str) -> None:
        """Ann taps a button of June's last message in private."""
        ...

    def shown(self, at: Address) -> Sequence[Shown]:
        """June's messages there, the oldest first."""
        ...

    def signs(self) -> Sequence[str]:
        """What June has shown of what she does, of heard and writing."""
        ...

    def notices(self) -> Sequence[str]:
        """What those who tapped were told."""
        ...

    def fails(self, deed: Deed, trouble: Trouble) -> None:
        """Let the next such deed fail."""
        ...

    def refuses_token(self) -> None:
        """From now on."""
        ...


# --- Telegram

_TELEGRAM_METHODS: dict[Deed, str] = {
    "send": "sendMessage",
    "edit": "editMessageText",
    "sign": "sendChatAction",
    "fetch": "getFile",
}
_TELEGRAM_FAULTS: dict[Trouble, fake_telegram.Fault] = {
    "lost answer": fake_telegram.LostAnswer(),
    "broken": fake_telegram.ServerError(),
    "rate limit": fake_telegram.TooManyRequests(RETRY_AFTER_S),
    "forbidden": fake_telegram.Refusal(403, "Forbidden: bot was blocked by the user"),
    "gone": fake_telegram.Refusal(400, "Bad Request: chat not found"),
    "bad token": fake_telegram.Refusal(401, "Unauthorized"),
}


class TelegramStage:
    """The fake Telegram, with a forum for threads."""

    def __init__(self, server: fake_telegram.TelegramServer, channel: TelegramChannel) -> None:
        self._server, self.channel = server, channel
        self._ann = server.user("Ann")
        self._topic = server.group("Forum", self._ann, forum=True).topic("News", self._ann)
        self._presses: list[fake_telegram.Press] = []

    @property
    def home(self) -> Address:
        return Address("telegram", str(self._ann.person.user_id))

    @property
    def thread(self) -> Address:
        return Address("telegram", str(self._topic.chat.chat_id), str(self._topic.thread_id))

    async def says(self, text: str, *, in_thread: bool = False) -> None:
        await self._ann.says(text, to=self._topic if in_thread else None)

    async def sends_sound(self, data: bytes) -> None:
        await self._ann.sends_voice(data)

    async def presses(self, label: str) -> None:
        self._presses.append(await self._ann.presses(self._ann.chat.answers[-1], label))

    def shown(self, at: Address) -> Sequence[Shown]:
        place = self._topic if at == self.thread else self._ann.chat
        return [_telegrams(answer) for answer in place.answers]

    def signs(self) -> Sequence[str]:
        heard = ["heard" for said in self._ann.chat.messages if "👀" in said.emojis]
        return heard + ["writing" for action in self._ann.chat.actions if action.action == "typing"]

    def notices(self) -> Sequence[str]:
        return [str(press.answer["text"]) for press in self._presses if press.answer]

    def fails(self, deed: Deed, trouble: Trouble) -> None:
        self._server.fails(_TELEGRAM_METHODS[deed], _TELEGRAM_FAULTS[trouble])

    def refuses_token(self) -> None:
        self._server.fails("*", _TELEGRAM_FAULTS["bad token"], times=None)


def _telegrams(answer: fake_telegram.Message) -> Shown:
    return Shown(
        str(answer.message_id),
        answer.text,
        answer.voice,
        tuple(str(button["text"]) for button in answer.buttons),
        str(answer.reply_to.message_id) if answer.reply_to else None,
    )


@asynccontextmanager
async def telegram() -> AsyncIterator[Stage]:
    async with fake_telegram.TelegramServer() as server, TelegramChannel(settings_of(server), []) as channel:
        yield TelegramStage(server, channel)


# --- Discord

_DISCORD_REQUESTS: dict[Deed, tuple[str, str]] = {
    "send": ("POST", "/channels/*/messages"),
    "edit": ("PATCH", "/channels/*/messages/*"),
    "sign": ("POST", "/channels/*/typing"),
    "fetch": ("GET", "/cdn/*"),
}
_DISCORD_FAULTS: dict[Trouble, fake_discord.Fault] = {
    "lost answer": fake_discord.LostAnswer(),
    "broken": fake_discord.Broken(503),
    "rate limit": fake_discord.TooMany(RETRY_AFTER_S),
    "forbidden": fake_discord.Refusal(refusals.PERSON_REFUSES),
    "gone": fake_discord.Refusal(refusals.UNKNOWN_CHANNEL),
    "bad token": fake_discord.Refusal(refusals.UNAUTHORIZED),
}


class DiscordStage:
    """The fake Discord, with a server for threads."""

    def __init__(self, server: fake_discord.DiscordServer, ann: fake_discord.Person, channel: Channel) -> None:
        self._server, self._ann, self.channel = server, ann, channel
        guild = server.world.add_guild("Home", server.world.users[ann.user_id])
        parent = server.world.add_channel(guild["id"], "general")
        self.thread = Address("discord", parent["id"], server.world.add_thread(parent, "News", ann.user_id)["id"])

    @property
    def home(self) -> Address:
        return Address("discord", self._ann.dm.channel_id)

    def _room(self, at: Address) -> fake_discord.Channel:
        return fake_discord.Channel(self._server.world, at.thread_id or at.chat_id)

    async def says(self, text: str, *, in_thread: bool = False) -> None:
        await self._ann.says(text, self._room(self.thread) if in_thread else None)

    async def sends_sound(self, data: bytes) -> None:
        await self._ann.sends_voice(data, 1.0)

    async def presses(self, label: str) -> None:
        post = self._junes(self._ann.dm)[-1]
        [custom_id] = [one["custom_id"] for one in _buttons(post) if one["label"] == label]
        await self._ann.presses(post, custom_id)

    def shown(self, at: Address) -> Sequence[Shown]:
        return [_discords(post) for post in self._junes(self._room(at))]

    def _junes(self, place: fake_discord.Channel) -> list[fake_discord.Post]:
        return [post for post in place.posts() if post.author_id == self._server.world.bot["id"]]

    def signs(self) -> Sequence[str]:
        deeds = self._server.deeds
        heard = ["heard" for deed in deeds if deed.kind == "react" and deed.detail["emoji"] == "👀"]
        return heard + ["writing" for deed in deeds if deed.kind == "typing"]

    def notices(self) -> Sequence[str]:
        return [str(message["content"]) for message in self._server.world.ephemeral.values()]

    def fails(self, deed: Deed, trouble: Trouble) -> None:
        method, path = _DISCORD_REQUESTS[deed]
        self._server.faults.next(_DISCORD_FAULTS[trouble], method=method, path=path)

    def refuses_token(self) -> None:
        self._server.resets_token()


def _buttons(post: fake_discord.Post) -> list[dict[str, Any]]:
    return [one for row in post.json["components"] for one in row["components"]]


def _discords(post: fake_discord.Post) -> Shown:
    return Shown(
        post.message_id,
        post.text,
        post.attachments[0].data if post.is_voice else None,
        tuple(str(one["label"]) for one in _buttons(post)),
        (post.json.get("message_reference") or {}).get("message_id"),
    )


@asynccontextmanager
async def discord() -> AsyncIterator[Stage]:
    with pytest.MonkeyPatch.context() as patch:
        async with discord_june.fake_discord(patch) as server:
            june, ann = discord_june.June(server), server.user("Ann")
            june.allowed = (ann.user_id,)
            async with june.channel as channel:
                yield DiscordStage(server, ann, channel)


# --- in memory

_ERRORS: dict[Trouble, JuneError] = {
    "lost answer": Uncertain("The answer was lost."),
    "broken": Unreachable("Nobody answers."),
    "rate limit": RateLimited("Too much at once.", retry_after_s=RETRY_AFTER_S),
    "forbidden": NotAllowed("She blocked June."),
    "gone": NotFound("There is no such chat."),
    "bad token": NotAllowed("The token is refused."),
}


class MemoryStage:
    """The platform that is June's own channel too."""

    def __init__(self, channel: MemoryChannel) -> None:
        self.channel = channel
        self._ann: Talker = channel.person("Ann")
        self.home, self.thread = self._ann.home, channel.thread(channel.group())

    async def says(self, text: str, *, in_thread: bool = False) -> None:
        await self._ann.says(text, self.thread if in_thread else None)

    async def sends_sound(self, data: bytes) -> None:
        await self._ann.sends_voice(data, 1.0)

    async def presses(self, label: str) -> None:
        await self._ann.presses(self.channel.shown(self.home)[-1], label)

    def shown(self, at: Address) -> Sequence[Shown]:
        return [_remembered(sent) for sent in self.channel.shown(at)]

    def signs(self) -> Sequence[str]:
        return [sign for _, sign in self.channel.signs]

    def notices(self) -> Sequence[str]:
        return [text for _, text in self.channel.notices]

    def fails(self, deed: Deed, trouble: Trouble) -> None:
        done = trouble == "lost answer"
        error = Unreachable("The answer was lost.") if done and deed != "send" else _ERRORS[trouble]
        self.channel.fails(deed, error, done=done)

    def refuses_token(self) -> None:
        self.channel.refuses_token()


def _remembered(sent: Sent) -> Shown:
    voice = sent.reply.voice
    labels = tuple(button.label for button in sent.reply.buttons)
    return Shown(sent.message_id, sent.text, voice.data if voice else None, labels, sent.reply.reply_to_id)


@asynccontextmanager
async def memory() -> AsyncIterator[Stage]:
    yield MemoryStage(MemoryChannel())
