"""A `Reply` as calls of the Bot API, and what else can be tried where Telegram refuses it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import telegram
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, LinkPreviewOptions, MessageEntity, ReplyParameters

from essence.dialogue import Address, Button, Entity, Reply
from essence.errors import NotFound
from essence.services.telegram.api import CALL_S, CONNECT_S, UPLOAD_S, Api
from essence.services.telegram.refusals import Refusal

TEXT_UNITS = 4096  # Bot API, sendMessage: text
CAPTION_UNITS = 1024  # Bot API, sendVoice: caption
AGAIN = "🔁 (You may have this already.)\n\n"
AGAIN_BRIEFLY = "🔁 "
_ROW_BUTTONS = 3
"""So many buttons stand side by side; more would leave their labels no room on a telephone."""
_FILE = "voice.ogg"


@dataclass(frozen=True, slots=True)
class Letter:
    """One message on its way to a chat, in the form in which it is tried next."""

    chat_id: int | str
    thread_id: int | None
    reply: Reply
    as_file: bool = False
    """The voice message goes as a document."""

    def after(self, refusal: Refusal) -> Letter | None:
        """What to try next; None if that was the last form. No form comes twice."""
        if refusal.moved_to and refusal.moved_to != str(self.chat_id):
            return replace(self, chat_id=int(refusal.moved_to))
        if refusal.of_entities and self.reply.entities:
            return replace(self, reply=replace(self.reply, entities=()))
        if refusal.of_voice and self.reply.voice is not None and not self.as_file:
            return replace(self, as_file=True)
        return None


def letter(to: Address, reply: Reply, *, again: bool = False) -> Letter:
    """The first form.

    Raises:
        NotFound: The address is none of Telegram's.
    """
    thread_id = None if to.thread_id is None else number(to.thread_id, "thread")
    return Letter(_chat_id(to), thread_id, marked(reply) if again else reply)


def number(name: str, what: str) -> int:
    """An id of Telegram's.

    Raises:
        NotFound: It is something else.
    """
    if not name.removeprefix("-").isdecimal():
        raise NotFound(f"Telegram has no {what} {name!r}: its ids are numbers. Look up the right one.")
    return int(name)


def _chat_id(to: Address) -> int | str:
    return to.chat_id if to.chat_id.startswith("@") else number(to.chat_id, "chat")


def marked(reply: Reply) -> Reply:
    """The reply with a sign in front that it may have come before; a text that leaves no room bears none."""
    room = (CAPTION_UNITS if reply.voice else TEXT_UNITS) - _units(reply.text)
    mark = next((mark for mark in (AGAIN, AGAIN_BRIEFLY) if _units(mark) <= room), "")
    moved = tuple(replace(entity, offset=entity.offset + _units(mark)) for entity in reply.entities)
    return replace(reply, text=(mark + reply.text).rstrip(), entities=moved)


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


async def send(api: Api, to_send: Letter) -> telegram.Message:
    """Send it, in another form where Telegram refuses the first.

    Raises:
        Refusal: Telegram refuses the last form too.
        Lost: As `Api.ask`.
    """
    call = _send_text if to_send.reply.voice is None else _send_document if to_send.as_file else _send_voice
    try:
        return await call(api, to_send)
    except Refusal as refusal:
        if (other := to_send.after(refusal)) is None:
            raise
    return await send(api, other)


async def _send_text(api: Api, to_send: Letter) -> telegram.Message:
    reply = to_send.reply
    call = api.bot.send_message(
        to_send.chat_id,
        reply.text,
        entities=_entities(reply.entities),
        link_preview_options=LinkPreviewOptions(is_disabled=True),
        message_thread_id=to_send.thread_id,
        reply_parameters=_reply_parameters(reply),
        reply_markup=_keyboard(reply.buttons),
    )
    return await api.ask(call, within_s=CALL_S)


async def _send_voice(api: Api, to_send: Letter) -> telegram.Message:
    reply = to_send.reply
    assert reply.voice is not None
    call = api.bot.send_voice(
        to_send.chat_id,
        reply.voice.data,
        duration=max(1, round(reply.voice.duration_s)),
        filename=_FILE,
        caption=reply.text or None,
        caption_entities=_entities(reply.entities),
        message_thread_id=to_send.thread_id,
        reply_parameters=_reply_parameters(reply),
        reply_markup=_keyboard(reply.buttons),
    )
    return await api.ask(call, within_s=CONNECT_S + UPLOAD_S)


async def _send_document(api: Api, to_send: Letter) -> telegram.Message:
    # Not sendAudio, which takes no Ogg (Bot API, sendAudio); applications play a document of audio as well.
    reply = to_send.reply
    assert reply.voice is not None
    call = api.bot.send_document(
        to_send.chat_id,
        reply.voice.data,
        filename=_FILE,
        caption=reply.text or None,
        caption_entities=_entities(reply.entities),
        message_thread_id=to_send.thread_id,
        reply_parameters=_reply_parameters(reply),
        reply_markup=_keyboard(reply.buttons),
    )
    return await api.ask(call, within_s=CONNECT_S + UPLOAD_S)


async def edit(api: Api, to_edit: Letter, message_id: int, *, caption: bool) -> None:
    """Put the letter's text in the place of a message's text or caption, without styles where they are refused.

    Raises:
        Refusal, Lost: As `send`.
    """
    try:
        await _edit(api, to_edit, message_id, caption=caption)
    except Refusal as refusal:
        if refusal.of_sameness:
            return
        if refusal.of_missing_text and not caption:
            await edit(api, to_edit, message_id, caption=True)
        elif (other := to_edit.after(refusal)) is not None:
            await edit(api, other, message_id, caption=caption)
        else:
            raise


async def _edit(api: Api, to_edit: Letter, message_id: int, *, caption: bool) -> None:
    chat_id, reply, keyboard = to_edit.chat_id, to_edit.reply, _keyboard(to_edit.reply.buttons)
    styles = _entities(reply.entities)
    if caption:
        call = api.bot.edit_message_caption(
            chat_id, message_id, caption=reply.text, caption_entities=styles, reply_markup=keyboard
        )
    else:
        call = api.bot.edit_message_text(
            reply.text,
            chat_id,
            message_id,
            entities=styles,
            link_preview_options=LinkPreviewOptions(is_disabled=True),
            reply_markup=keyboard,
        )
    await api.ask(call)


def _entities(entities: Sequence[Entity]) -> list[MessageEntity] | None:
    return [MessageEntity(e.kind, e.offset, e.length, url=e.url, language=e.language) for e in entities] or None


def _reply_parameters(reply: Reply) -> ReplyParameters | None:
    # Albums and tapped buttons have names of June's own, which no message can answer.
    if reply.reply_to_id is None or not reply.reply_to_id.isdecimal():
        return None
    return ReplyParameters(int(reply.reply_to_id), allow_sending_without_reply=True)


def _keyboard(buttons: Sequence[Button]) -> InlineKeyboardMarkup | None:
    if not buttons:
        return None
    shown = [InlineKeyboardButton(button.label, callback_data=button.data) for button in buttons]
    return InlineKeyboardMarkup([shown] if len(shown) <= _ROW_BUTTONS else [[button] for button in shown])
