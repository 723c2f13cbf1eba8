"""Telegram as a `Channel`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from types import TracebackType
from typing import Self, TypeVar

from aiolimiter import AsyncLimiter
from starlette.types import ASGIApp
from telegram.constants import ChatAction

from essence.config import TelegramService
from essence.dialogue import Address, ChannelProfile, ChannelState, Message, Receipt, Reply, Sign, Sound
from essence.errors import ConfigError
from essence.ports import Receive
from essence.services.telegram import files, outgoing
from essence.services.telegram.albums import Albums
from essence.services.telegram.api import ALLOWED_UPDATES, Api
from essence.services.telegram.incoming import ALBUM, PRESS
from essence.services.telegram.intake import Hearers, Intake, MoveOn, stay
from essence.services.telegram.polling import Pauses, Polling
from essence.services.telegram.refusals import Lost, Refusal, as_june
from essence.services.telegram.webhook import Webhook

T = TypeVar("T")

ROOM_UNITS = 3
"""For the sign of a repeat and a space, so that every message can bear it."""
PROFILE = ChannelProfile(
    platform="telegram",
    markup="telegram",
    text_units=outgoing.TEXT_UNITS - ROOM_UNITS,
    caption_units=outgoing.CAPTION_UNITS - ROOM_UNITS,
    edit_every_s=1.0,  # about one message a second in one chat: https://core.telegram.org/bots/faq
    group_edit_every_s=3.0,  # 20 messages a minute in one group: the same
    typing_s=4.5,  # Bot API, sendChatAction: "for 5 seconds or less"
)
HEARD = "👀"
SIGN_S = 5.0
"""A sign that comes later says nothing any more."""
ANSWER_CHARS = 200  # Bot API, answerCallbackQuery: text
_ACTIONS = {"writing": ChatAction.TYPING, "speaking": ChatAction.RECORD_VOICE}


class TelegramChannel:
    """One bot. An async context manager; entering it makes no request, leaving it breaks all connections."""

    def __init__(self, settings: TelegramService, commands: Sequence[tuple[str, str]], move_on: MoveOn = stay) -> None:
        """What it needs to know.

        Args:
            settings: Token, servers, and how fast it may write.
            commands: Names and descriptions for the menu that Telegram shows beside the text field.
            move_on: Takes along what is kept of a group that becomes a supergroup.

        Raises:
            ConfigError: There is no token, or TELEGRAM_API_URL is no address.
        """
        self._api = Api(settings)
        self._webhook = Webhook(settings)
        self._commands, self._move_on = tuple(commands), move_on
        self._albums = Albums()
        self._pace = _pace(settings.telegram_messages_per_s)
        self._account = ""
        self._no_reactions: set[str] = set()
        """Chats where reactions are not allowed."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._api.close()

    @property
    def profile(self) -> ChannelProfile:
        return PROFILE

    @property
    def state(self) -> ChannelState:
        return ChannelState(self._api.connected, self._account, tuple(self._api.troubles.most_common()))

    @property
    def webhook_app(self) -> ASGIApp:
        """What answers at the path of TELEGRAM_WEBHOOK_URL: an ASGI app."""
        return self._webhook.app

    async def listen(self, receive: Receive) -> None:
        """See `Channel.listen`.

        Raises:
            NotAllowed: The token is refused.
            ConfigError: TELEGRAM_WEBHOOK_URL is refused.
        """
        with as_june():
            try:
                await self._listen(receive)
            finally:
                self._api.connected, self._webhook.intake = False, None

    async def _listen(self, receive: Receive) -> None:
        me = await self._until_done(self._api.early_bot.get_me)
        self._account, self._api.connected = f"@{me.username}", True
        hearers = Hearers(receive, self._move_on, self._albums)
        intake = Intake(self._api.bot, me, hearers, self._api.troubles)
        await self._show_commands()
        if self._webhook.url:
            await self._take_updates(intake)
        else:
            await self._leave_webhook()
            await Polling(self._api, intake).run()

    async def _until_done(self, call: Callable[[], Awaitable[T]]) -> T:
        """Try again until Telegram can be reached; raises Refusal for what no other try will change."""
        pauses = Pauses()
        while True:
            try:
                return await self._api.ask(call())
            except (Refusal, Lost) as trouble:
                if isinstance(trouble, Refusal) and (trouble.of_token or trouble.status == HTTPStatus.BAD_REQUEST):
                    raise
                self._api.connected = False
                await pauses.after(trouble)

    async def _show_commands(self) -> None:
        with suppress(Refusal, Lost):  # a menu is a comfort, and the failure has been counted
            await self._api.ask(self._api.early_bot.set_my_commands(self._commands), within_s=SIGN_S)

    async def _leave_webhook(self) -> None:
        """One that is set keeps getUpdates from working."""
        info = await self._until_done(self._api.early_bot.get_webhook_info)
        if info.url:
            await self._until_done(self._api.early_bot.delete_webhook)

    async def _take_updates(self, intake: Intake) -> None:
        self._webhook.intake = intake
        try:
            await self._until_done(self._set_webhook)
        except Refusal as refusal:
            if refusal.of_token:
                raise
            raise ConfigError(f"Telegram refuses TELEGRAM_WEBHOOK_URL ({refusal.why}). Mend or unset it.") from refusal
        self._api.connected = True
        await asyncio.Event().wait()

    def _set_webhook(self) -> Awaitable[bool]:
        return self._api.early_bot.set_webhook(
            self._webhook.url, secret_token=self._webhook.secret, allowed_updates=ALLOWED_UPDATES
        )

    async def send(self, to: Address, reply: Reply, *, key: str, again: bool = False) -> Receipt:
        letter = outgoing.letter(to, reply, again=again)
        album = reply.reply_to_id or ""
        if album.startswith(ALBUM) and await self._albums.has_words(album):
            return Receipt("", datetime.now(UTC), assumed=True)  # these are answered, and this would deny it
        await self._turn()
        with as_june(repeatable=False):
            sent = await outgoing.send(self._api, letter)
        return Receipt(str(sent.message_id), sent.date)

    async def edit(self, to: Address, message_id: str, reply: Reply) -> None:
        letter, number = outgoing.letter(to, reply), outgoing.number(message_id, "message")
        await self._turn()
        with as_june():
            await outgoing.edit(self._api, letter, number, caption=reply.voice is not None)

    async def _turn(self) -> None:
        if self._pace is not None:
            await self._pace.acquire()

    async def sign(self, message: Message, sign: Sign) -> None:
        with suppress(Refusal, Lost):  # they have been counted
            if sign == "heard":
                await self._react(message)
            else:
                await self._act(message.address, _ACTIONS[sign])

    async def _react(self, message: Message) -> None:
        chat_id = message.address.chat_id
        if chat_id in self._no_reactions or not message.message_id.isdecimal():  # a press or an album
            return
        try:
            call = self._api.bot.set_message_reaction(chat_id, int(message.message_id), HEARD)
            await self._api.ask(call, within_s=SIGN_S)
        except Refusal as refusal:
            if refusal.of_reaction:
                self._no_reactions.add(chat_id)
            raise

    async def _act(self, to: Address, action: str) -> None:
        thread_id = None if to.thread_id is None else int(to.thread_id)
        call = self._api.bot.send_chat_action(to.chat_id, action, message_thread_id=thread_id)
        await self._api.ask(call, within_s=SIGN_S)

    async def acknowledge(self, message: Message, text: str) -> None:
        if message.message_id.startswith(PRESS):
            with suppress(Refusal, Lost):  # they have been counted
                query_id = message.message_id.removeprefix(PRESS)
                call = self._api.bot.answer_callback_query(query_id, text[:ANSWER_CHARS])
                await self._api.ask(call, within_s=SIGN_S)

    async def fetch(self, sound: Sound, *, max_bytes: int) -> bytes:
        files.check_size(sound.size_bytes, max_bytes)
        with as_june():
            return await files.fetch(self._api, sound.reference, max_bytes=max_bytes)

    async def direct(self, person_id: str) -> Address:
        return Address("telegram", str(outgoing.number(person_id, "person")))


def _pace(messages_per_s: float) -> AsyncLimiter | None:
    # One at a time rather than a burst and a pause: no second ever sees more than it may.
    return AsyncLimiter(1, 1 / messages_per_s) if messages_per_s else None
