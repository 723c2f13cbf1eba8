"""What June writes, as requests to Discord; Discord's documentation, "Create Message"."""

from __future__ import annotations

import base64
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from essence.audio import VoiceNote
from essence.dialogue import Address, Button, Receipt, Reply
from essence.errors import InvalidInput, JuneError
from essence.services.discord.addresses import ordinary, room, snowflake
from essence.services.discord.directory import Directory
from essence.services.discord.interactions import Interactions, Open
from essence.services.discord.refusals import (
    EXPIRED_TOKEN,
    MISSING_PERMISSIONS,
    NO_HISTORY_HERE,
    NO_VOICE_HERE,
    UNKNOWN_WEBHOOK,
)
from essence.services.discord.rest import DEADLINE_S, UPLOAD_DEADLINE_S, Answer, File, Json, Rest

TEXT_UNITS = 2000
FILE_NAME = "voice-message.ogg"
_SUPPRESS_EMBEDS, _VOICE = 1 << 2, 1 << 13  # "Message Flags"
_ROW, _BUTTON, _SECONDARY = 1, 2, 2  # "Component Types", "Button Styles"
_BUTTONS_A_ROW, _MOST_BUTTONS, _MOST_LABEL_CHARS = 5, 25, 80
_NONCE_CHARS = 25
_LOOK_BACK = 50
_REMEMBERED = 1000
REFUSAL_S = 600.0
"""For so long June takes it that she may not reply in a channel: somebody may give her the permission meanwhile."""
T = TypeVar("T")


def nonce(key: str) -> str:
    """By which Discord recognises a repeat for a few minutes: at most 25 characters."""
    return hashlib.sha256(key.encode()).hexdigest()[:_NONCE_CHARS]


class Outgoing:
    """Sends and edits."""

    def __init__(
        self, rest: Rest, interactions: Interactions, directory: Directory, clock: Callable[[], float]
    ) -> None:
        """`clock`: of asyncio's loop [s]."""
        self._rest, self._interactions, self._directory, self._clock = rest, interactions, directory, clock
        self._sent: OrderedDict[str, str] = OrderedDict()
        """Message id → the key it was sent under: one message can't be the receipt of two keys."""
        self._no_replies: OrderedDict[str, float] = OrderedDict()
        """Channel id → until when messages there refer to none: without Read Message History they may not."""

    async def send(self, to: Address, reply: Reply, key: str, *, again: bool) -> Receipt:
        """As `Channel.send`."""
        _check(reply)
        channel_id = room(to)
        message = await self._sent_before(channel_id, reply, key) if again else None
        if message is None and reply.voice is None:
            message = await self._through_interaction(reply, key)
        if message is None:
            message = await self._send(channel_id, reply, key)
        return self._receipt(message, key)

    def _receipt(self, message: Json, key: str) -> Receipt:
        _remember(self._sent, str(message["id"]), key)
        return Receipt(str(message["id"]), datetime.fromisoformat(message["timestamp"]).astimezone(UTC))

    async def edit(self, to: Address, message_id: str, reply: Reply) -> None:
        """As `Channel.edit`."""
        if reply.voice is not None:
            raise InvalidInput("A voice message can't be put in the place of another on Discord. Send it anew.")
        path = f"/channels/{room(to)}/messages/{snowflake(message_id)}"
        (await self._rest.request("PATCH", path, _text(reply))).json()

    # Ordinary messages

    async def _send(self, channel_id: str, reply: Reply, key: str) -> Json:
        about = {"nonce": nonce(key), "enforce_nonce": True} | _reference(channel_id, reply)
        if reply.voice is None:
            return _message(await self._create(channel_id, _text(reply) | about))
        answer = await self._create(channel_id, _voice(reply.voice) | about, reply.voice)
        if answer.status >= 400 and answer.code in (NO_VOICE_HERE, MISSING_PERMISSIONS):
            attachment = {"id": 0, "filename": FILE_NAME}
            answer = await self._create(channel_id, {"attachments": [attachment]} | about, reply.voice)
        if (open_ := await self._interactions.answerable(reply.reply_to_id)) is not None and answer.status < 400:
            await self._end_thinking(open_)
        return _message(answer)

    async def _create(self, channel_id: str, body: Json, voice: VoiceNote | None = None) -> Answer:
        files = [] if voice is None else [File(FILE_NAME, "audio/ogg", voice.data)]
        deadline_s = UPLOAD_DEADLINE_S if files else DEADLINE_S
        path = f"/channels/{channel_id}/messages"
        body = body | {"allowed_mentions": {"parse": []}}
        if self._no_replies.get(channel_id, 0.0) > self._clock():
            body.pop("message_reference", None)
        answer = await self._rest.request("POST", path, body, files=files, creates=True, deadline_s=deadline_s)
        if answer.status >= 400 and answer.code == NO_HISTORY_HERE and "message_reference" in body:
            _remember(self._no_replies, channel_id, self._clock() + REFUSAL_S)
            del body["message_reference"]
            return await self._create(channel_id, body, voice)
        return answer

    # Answers to slash commands

    async def _through_interaction(self, reply: Reply, key: str) -> Json | None:
        """Answer a slash command where it was used; None where that can't be done (any more)."""
        message_id = reply.reply_to_id or ""
        found = await self._interactions.answerable(message_id) if message_id.startswith("slash-") else None
        if found is None:
            return None
        if found.first_key in (None, key):
            # Filling the place of "June is thinking …" twice with the same text changes nothing: no answer is doubted.
            found.first_key = key
            answer = await self._rest.request("PATCH", f"{found.path}/messages/@original", _text(reply))
        else:
            answer = await self._rest.request("POST", f"{found.path}?wait=true", _text(reply), creates=True)
        if answer.status in (401, 404) and answer.code in (UNKNOWN_WEBHOOK, EXPIRED_TOKEN, 10008):
            self._interactions.forget(message_id)
            return None
        return _message(answer)

    async def _end_thinking(self, found: Open) -> None:
        """Take away "June is thinking …", since a voice message can't stand in its place."""
        if found.first_key is not None:
            return
        found.first_key = ""
        try:
            await self._rest.request("DELETE", f"{found.path}/messages/@original")
        except JuneError:
            found.first_key = None  # the voice message is there; this line goes by itself after 15 minutes

    # What may have been sent before

    async def _sent_before(self, channel_id: str, reply: Reply, key: str) -> Json | None:
        """June's own message that must be this one: nonces are recognised for a few minutes alone."""
        path = f"/channels/{channel_id}/messages?limit={_LOOK_BACK}"
        answer = await self._rest.request("GET", path)
        if answer.status in (403, 404):
            return None  # June may write here and not read; the nonce is all there is
        for message in answer.json():
            sender = self._sent.get(str(message["id"]), key)
            is_junes = str(message["author"]["id"]) == await self._directory.me()
            if is_junes and sender == key and _is_made_of(message, reply):
                found: Json = message
                return found
        return None


def _remember(what: OrderedDict[str, T], name: str, value: T) -> None:
    what[name] = value
    what.move_to_end(name)
    while len(what) > _REMEMBERED:
        what.popitem(last=False)


def _check(reply: Reply) -> None:
    if reply.voice is None and not reply.text.strip():
        raise InvalidInput("There is nothing to send.")
    if reply.voice is not None and (reply.text or reply.buttons):
        raise InvalidInput(
            "On Discord a voice message has neither text nor buttons. Send them in a message of its own."
        )
    if len(reply.buttons) > _MOST_BUTTONS:
        raise InvalidInput(f"Discord takes {_MOST_BUTTONS} buttons a message. Send fewer.")


def _message(answer: Answer) -> Json:
    message: Json = answer.json()
    return message


def _text(reply: Reply) -> Json:
    return {
        "content": reply.text,
        "flags": _SUPPRESS_EMBEDS,
        "allowed_mentions": {"parse": []},
        "components": _rows(reply.buttons),
    }


def _rows(buttons: Sequence[Button]) -> list[Json]:
    made = [
        {"type": _BUTTON, "style": _SECONDARY, "label": one.label[:_MOST_LABEL_CHARS], "custom_id": one.data}
        for one in buttons
    ]
    return [
        {"type": _ROW, "components": made[start : start + _BUTTONS_A_ROW]}
        for start in range(0, len(made), _BUTTONS_A_ROW)
    ]


def _voice(voice: VoiceNote) -> Json:
    # "Voice Messages": length and waveform are required, and nothing may come with it.
    about = {
        "id": 0,
        "filename": FILE_NAME,
        "duration_secs": voice.duration_s,
        "waveform": base64.b64encode(voice.waveform).decode(),
    }
    return {"flags": _VOICE, "attachments": [about]}


def _reference(channel_id: str, reply: Reply) -> Json:
    message_id = ordinary(reply.reply_to_id)
    if message_id is None:
        return {}
    reference = {"message_id": message_id, "channel_id": channel_id, "fail_if_not_exists": False}
    return {"message_reference": reference}


def _is_made_of(message: Json, reply: Reply) -> bool:
    """Whether a message of June's is what this reply becomes."""
    wanted = ordinary(reply.reply_to_id)
    answered = (message.get("message_reference") or {}).get("message_id")
    if answered is not None and str(answered) != wanted:
        return False
    if wanted is not None and int(message["id"]) < int(wanted):
        return False
    if reply.voice is None:
        return bool(message["content"] == reply.text)
    found = [(one["filename"], one["size"]) for one in message["attachments"]]
    return found == [(FILE_NAME, len(reply.voice.data))]
