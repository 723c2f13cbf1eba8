"""Speaks to people through the Message API, with a few lines:

    async with open_message_api(config.read(MessageApiClient)) as messages:
        posted = await messages.post("Your tea is ready.", user_id="42", key="tea")
        delivery = await messages.delivery(posted.message_id, wait_s=30)

Or as a `essence.ports.Messenger`, where platform and chat are known: `send` returns when the platform has it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote

import httpx

from essence import observe
from essence.config import MessageApiClient
from essence.dialogue import Address, Button, Platform, Receipt
from essence.errors import ConfigError, InvalidInput, JuneError, NotFound, TooSlow, Unreachable, by_code
from essence.outgoing import MessageType, State

DEADLINE_S = 90.0
"""How long `send` and `edit` wait for the platform."""
POLL_S = 20.0
"""How long one request waits for it."""
ANSWER_S = 15.0
"""How long any other request may take."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How far a message got."""

    message_id: str
    state: State
    revision: int
    delivered_revision: int
    """What the person sees; 0: nothing yet."""
    receipts: tuple[Receipt, ...]
    error: JuneError | None
    """What went wrong last."""


@asynccontextmanager
async def open_message_api(settings: MessageApiClient) -> AsyncIterator[MessageApi]:
    """The Message API of the settings, connected by its first call.

    Raises:
        ConfigError: There is no key.
    """
    headers = {"Authorization": f"Bearer {_key(settings)}"}
    async with httpx.AsyncClient(base_url=settings.message_api_url, headers=headers, timeout=ANSWER_S) as http:
        yield MessageApi(http)


def _key(settings: MessageApiClient) -> str:
    if settings.message_api_key:
        return settings.message_api_key
    try:
        return settings.message_api_key_file.read_text().strip()
    except OSError as error:
        raise ConfigError(
            f"There is no key for the Message API: MESSAGE_API_KEY is empty, and {settings.message_api_key_file} can't "
            f"be read ({error.strerror}). Start `python -m essence message-api` once on this machine, or set "
            "MESSAGE_API_KEY to the same secret in its settings and in these."
        ) from error


class MessageApi:
    """A client. Every call may raise NotAllowed (the key), Unreachable or TooSlow; all may be repeated as they are."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        """`http`: with the API's base URL and a key in its headers."""
        self._http = http

    async def post(
        self,
        text: str,
        *,
        key: str,
        platform: Literal["telegram", "discord", "auto"] = "auto",
        user_id: str | None = None,
        chat_id: str | None = None,
        thread_id: str | None = None,
        message_type: MessageType = "text",
        voice: bool = False,
        language: str | None = None,
        reply_to: str | None = None,
        buttons: Sequence[Button] = (),
    ) -> Delivery:
        """Have a person told something. Returns when it is kept; it is delivered afterwards, see `delivery`.

        Args:
            text: Markdown.
            key: Idempotency key: a repeat with the same key sends nothing more.
            platform: `auto`: the private chat in which the person wrote last.
            user_id: The person, by their id on either platform. This or `chat_id` is needed.
            chat_id: The chat.
            thread_id: A forum topic or thread within the chat.
            message_type: What it is to the person.
            voice: As a voice message too.
            language: ISO 639-1 code of `text`, for the voice.
            reply_to: The platform's message that it answers.
            buttons: Below the message.

        Raises:
            InvalidInput: It can't be used, or `key` was used for something else.
            NotAllowed: The key may not write there.
        """
        body = {
            "message": text,
            "platform": platform,
            "user_id": user_id,
            "chat_id": chat_id,
            "thread_id": thread_id,
            "message_type": message_type,
            "voice": voice,
            "language": language,
            "reply_to": reply_to,
            "buttons": [asdict(button) for button in buttons],
        }
        return _delivery(await self._ask("POST", "/messages", body=body, key=key))

    async def delivery(self, message_id: str, *, wait_s: float = 0.0) -> Delivery:
        """How far a message got, as soon as it is no longer queued or after `wait_s`, 60 at most.

        Raises:
            NotFound: There is no such message.
        """
        path = f"/messages/{message_id}/receipt"
        return _delivery(await self._ask("GET", path, query={"wait_s": str(wait_s)}, timeout_s=ANSWER_S + wait_s))

    async def replace(self, message_id: str, text: str) -> Delivery:
        """Put another text in the place of a message's. Its buttons go.

        Raises:
            NotFound: There is no such message.
            Conflict: It failed before anybody saw it.
        """
        return _delivery(await self._ask("PUT", f"/messages/{message_id}", body={"message": text}))

    async def append(self, message_id: str, text: str, *, key: str) -> Delivery:
        """Add text to a message's end, once under each key. Its buttons go.

        Raises:
            NotFound: There is no such message.
            Conflict: It failed before anybody saw it.
            InvalidInput: It gets too long, or `key` was used for something else.
        """
        return _delivery(await self._ask("PATCH", f"/messages/{message_id}", body={"append": text}, key=key))

    async def send(
        self,
        to: Address,
        text: str,
        *,
        key: str,
        speak: bool = False,
        language: str | None = None,
        reply_to_id: str | None = None,
        buttons: Sequence[Button] = (),
    ) -> tuple[Receipt, ...]:
        """See `essence.ports.Messenger`."""
        posted = await self.post(
            text,
            key=key,
            platform=_chat_platform(to.platform),
            chat_id=to.chat_id,
            thread_id=to.thread_id,
            voice=speak,
            language=language,
            reply_to=reply_to_id,
            buttons=buttons,
        )
        return await self._arrival(posted.message_id)

    async def edit(self, key: str, text: str) -> tuple[Receipt, ...]:
        """See `essence.ports.Messenger`."""
        found = (await self._ask("GET", "/messages", query={"idempotency_key": _header(key)}))["messages"]
        if not found:
            raise NotFound(f"Nothing was sent under the key {key}.")
        await self.replace(found[0]["message_id"], text)
        return await self._arrival(found[0]["message_id"])

    async def _arrival(self, message_id: str) -> tuple[Receipt, ...]:
        """The receipts as soon as the platform has it; raises what it failed with."""
        ends = asyncio.get_running_loop().time() + DEADLINE_S
        delivery = await self.delivery(message_id, wait_s=POLL_S)
        while delivery.state == "queued":
            if asyncio.get_running_loop().time() > ends:
                raise TooSlow("It is kept, and not delivered yet. Ask again with the same key.")
            delivery = await self.delivery(message_id, wait_s=POLL_S)
        if delivery.state == "failed" and delivery.error is not None:
            raise delivery.error
        return delivery.receipts

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        query: dict[str, str] | None = None,
        key: str | None = None,
        timeout_s: float = ANSWER_S,
    ) -> dict[str, Any]:
        headers = observe.outgoing_context() | ({} if key is None else {"Idempotency-Key": _header(key)})
        try:
            answer = await self._http.request(method, path, json=body, params=query, headers=headers, timeout=timeout_s)
        except httpx.TimeoutException as error:
            raise TooSlow(f"The Message API at {self._http.base_url} did not answer in time. Try again.") from error
        except httpx.HTTPError as error:
            raise Unreachable(f"Nothing answers at {self._http.base_url} ({error}). Is message-api running?") from error
        if answer.is_success:
            found: dict[str, Any] = answer.json()
            return found
        raise _error(answer)


def _header(key: str) -> str:
    """Any key as a header can have it: visible ASCII, without quotes around it."""
    return quote(key, safe=_AS_THEY_ARE)


_AS_THEY_ARE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '%"')


def _chat_platform(platform: Platform) -> Literal["telegram", "discord"]:
    if platform == "grpc":
        raise InvalidInput("The Message API speaks to people on Telegram and on Discord.")
    return platform


def _error(answer: httpx.Response) -> JuneError:
    try:
        problem = answer.json()
        code, detail = problem["code"], problem["detail"]
    except (json.JSONDecodeError, KeyError, TypeError):  # it is starting or stopping, or a proxy answers
        return Unreachable(f"The Message API answered {answer.status_code}. Try again in a moment.")
    return _june_error(code, detail)


_KINDS = by_code()


def _june_error(code: str, detail: str) -> JuneError:
    return _KINDS.get(code, JuneError)(detail)


def _delivery(fields: dict[str, Any]) -> Delivery:
    error = fields["error"]
    return Delivery(
        message_id=fields["message_id"],
        state=fields["state"],
        revision=fields["revision"],
        delivered_revision=fields["delivered_revision"],
        receipts=tuple(_receipt(receipt) for receipt in fields["receipts"]),
        error=None if error is None else _june_error(error["code"], error["detail"]),
    )


def _receipt(fields: dict[str, Any]) -> Receipt:
    sent_at = datetime.fromisoformat(fields["sent_at"])
    return Receipt(fields["platform_message_id"] or "", sent_at, fields["assumed"])
