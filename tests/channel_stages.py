"""Platforms for the contract test of `Channel`: June on a fake, a person called Ann, and trouble on command.

A new player is a class like `TelegramStage` and one line in the test's PLAYERS.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

from essence.dialogue import Address
from essence.fakes import telegram as fake
from essence.ports import Channel
from essence.services.telegram.channel import TelegramChannel
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


_METHODS: dict[Deed, str] = {
    "send": "sendMessage",
    "edit": "editMessageText",
    "sign": "sendChatAction",
    "fetch": "getFile",
}
_FAULTS: dict[Trouble, fake.Fault] = {
    "lost answer": fake.LostAnswer(),
    "broken": fake.ServerError(),
    "rate limit": fake.TooManyRequests(RETRY_AFTER_S),
    "forbidden": fake.Refusal(403, "Forbidden: bot was blocked by the user"),
    "gone": fake.Refusal(400, "Bad Request: chat not found"),
    "bad token": fake.Refusal(401, "Unauthorized"),
}


class TelegramStage:
    """The fake Telegram, with a forum for threads."""

    def __init__(self, server: fake.TelegramServer, channel: TelegramChannel) -> None:
        self._server, self.channel = server, channel
        self._ann = server.user("Ann")
        self._topic = server.group("Forum", self._ann, forum=True).topic("News", self._ann)
        self._presses: list[fake.Press] = []

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
        return [_shown(answer) for answer in place.answers]

    def signs(self) -> Sequence[str]:
        heard = ["heard" for said in self._ann.chat.messages if "👀" in said.emojis]
        return heard + ["writing" for action in self._ann.chat.actions if action.action == "typing"]

    def notices(self) -> Sequence[str]:
        return [str(press.answer["text"]) for press in self._presses if press.answer]

    def fails(self, deed: Deed, trouble: Trouble) -> None:
        self._server.fails(_METHODS[deed], _FAULTS[trouble])

    def refuses_token(self) -> None:
        self._server.fails("*", _FAULTS["bad token"], times=None)


def _shown(answer: fake.Message) -> Shown:
    return Shown(
        str(answer.message_id),
        answer.text,
        answer.voice,
        tuple(str(button["text"]) for button in answer.buttons),
        str(answer.reply_to.message_id) if answer.reply_to else None,
    )


@asynccontextmanager
async def telegram() -> AsyncIterator[Stage]:
    async with fake.TelegramServer() as server, TelegramChannel(settings_of(server), []) as channel:
        yield TelegramStage(server, channel)
