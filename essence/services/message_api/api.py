"""The Message API: messages from other services to people, over HTTP."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Header, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

from essence import __version__, observe
from essence.dialogue import Platform
from essence.errors import NotAllowed, NotFound
from essence.outgoing import ApiKey, Filter, Posted, Scope
from essence.ports import Store
from essence.services.message_api import problems
from essence.services.message_api.access import Callers, is_junes
from essence.services.message_api.bodies import (
    MARK_OF_JUNES,
    Addition,
    Delivery,
    Message,
    NewMessage,
    Page,
    Replacement,
    Wanted,
    cursor_of,
    position_of,
)
from essence.services.message_api.limits import BodyLimit
from essence.services.message_api.recipients import Recipients

WAIT_MAX_S = 60.0
ID_FORM = "[0-9a-f]{32}"
MessageId = Annotated[str, Path(json_schema_extra={"pattern": f"^{ID_FORM}$"})]
"""The form is told, and not enforced: whatever is no id names no message, as an id that nobody has."""

_bearer = HTTPBearer(auto_error=False, description="A key of the Message API.")


def message_api(store: Store, callers: Callers, platforms: frozenset[Platform]) -> BodyLimit:
    """The API as an ASGI app, for the platforms that have a service. Its OpenAPI document is at /openapi.json."""
    app = FastAPI(
        title="June's Message API",
        version=__version__,
        summary="Messages from other services to people on Telegram and Discord: kept, delivered once, with receipts.",
        docs_url=None,  # a page that would load its scripts from somebody else's server
        redoc_url=None,
        responses=problems.RESPONSES,
    )
    app.state.desk = Desk(store, callers, Recipients(store.identities, platforms))
    problems.answered_by(app)
    app.include_router(_router)
    return BodyLimit(app)


class Desk:
    """What the routes share."""

    def __init__(self, store: Store, callers: Callers, recipients: Recipients) -> None:
        self.messages, self.callers, self.recipients = store.messages, callers, recipients

    async def post(self, key: ApiKey, asked: NewMessage, idempotency_key: str | None) -> Posted:
        """Keep a message, or find the one of an earlier request with the same key."""
        fingerprint = _fingerprint(asked)
        if idempotency_key is not None:
            known = await self.messages.repeated(author=key.name, fingerprint=fingerprint, key=idempotency_key)
            if known is not None:
                await self.recipients.check(key, known.draft.to)
                return known
        recipient = await self.recipients.find(asked)
        await self.recipients.check(key, recipient.to)
        _check_buttons(key, asked)
        draft = asked.draft(recipient.to, recipient.person_id)
        return await self.messages.post(draft, author=key.name, fingerprint=fingerprint, key=idempotency_key)

    async def visible(self, key: ApiKey, message_id: str) -> Posted:
        """One message, if this key may see it: one that is bound sees what it posted itself, to those it is bound to.

        Raises:
            NotFound: There is none, or none that this key may see.
        """
        if not re.fullmatch(ID_FORM, message_id):
            raise _unknown(message_id)
        posted = await self.messages.read(message_id)
        if key.recipients and not (posted.author == key.name and await self.recipients.includes(key, posted.draft.to)):
            raise _unknown(message_id)
        return posted

    async def list(self, key: ApiKey, which: Filter, *, limit: int, before: int | None) -> tuple[Posted, ...]:
        """What this key may see, the newest first.

        An idempotency key is its author's own: the same one of somebody else is of another message.
        """
        if which.idempotency_key is not None:
            which = replace(which, author=key.name)
        if not key.recipients:
            return await self.messages.list(which, limit=limit, before=before)
        found: list[Posted] = []
        for chat in await self.recipients.chats(key):
            if which.platform in (None, chat.platform) and which.chat_id in (None, chat.person_id):
                there = replace(which, author=key.name, platform=chat.platform, chat_id=chat.person_id)
                found += await self.messages.list(there, limit=limit, before=before)
        return tuple(sorted(found, key=lambda posted: posted.position, reverse=True)[:limit])


def _check_buttons(key: ApiKey, asked: NewMessage) -> None:
    """Make sure that no service words its button as the answer to a question of June's own.

    Raises:
        NotAllowed: One has data as June's own buttons have, and the key is not hers.
    """
    if not is_junes(key) and any(MARK_OF_JUNES in button.data for button in asked.buttons):
        raise NotAllowed(
            f"Button data with a colon answers June's own questions, and the key {key.name} may not ask them. Leave "
            "the colon out. June's agent shows this machine's key, or MESSAGE_API_KEY of the Message API's settings."
        )


def _unknown(message_id: str) -> NotFound:
    return NotFound(f"There is no message {message_id}.")


def _fingerprint(body: BaseModel) -> str:
    return hashlib.sha256(body.model_dump_json().encode()).hexdigest()


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


AtDesk = Annotated[Desk, Depends(_desk)]


def _caller(scope: Scope) -> Callable[..., Awaitable[ApiKey]]:
    """Who calls, if they may do what `scope` names."""

    async def caller(desk: AtDesk, shown: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> ApiKey:
        key = await desk.callers.of(None if shown is None else shown.credentials)
        if scope not in key.scopes:
            raise NotAllowed(f"The key {key.name} has no scope {scope}.")
        return key

    return caller


Sender = Annotated[ApiKey, Depends(_caller("send"))]
Reader = Annotated[ApiKey, Depends(_caller("read"))]
Editor = Annotated[ApiKey, Depends(_caller("edit"))]


def _idempotency_key(
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=255,
            pattern=r"^[!-~]+$",
            description="draft-ietf-httpapi-idempotency-key-header: a repeat with the same key does nothing more.",
        ),
    ] = None,
) -> str | None:
    """With or without the quotes that a string of RFC 9651 has."""
    if idempotency_key is None:
        return None
    quoted = re.fullmatch(r'"(.+)"', idempotency_key)
    return quoted[1] if quoted else idempotency_key


IdempotencyKey = Annotated[str | None, Depends(_idempotency_key)]


async def _counted(request: Request) -> AsyncIterator[None]:
    with observe.call("message-api", request.scope["route"].name, dict(request.headers)):
        try:
            yield
        except RequestValidationError as error:
            raise problems.invalid(error) from error


_router = APIRouter(dependencies=[Depends(_counted)])


@_router.post("/messages", status_code=202)
async def post_message(
    desk: AtDesk, key: Sender, asked: NewMessage, response: Response, idempotency_key: IdempotencyKey
) -> Message:
    """Keep a message for a person; it is delivered as soon as their platform takes it."""
    posted = await desk.post(key, asked, idempotency_key)
    response.headers["Location"] = f"/messages/{posted.message_id}"
    return Message.of(posted)


@_router.get("/messages")
async def list_messages(desk: AtDesk, key: Reader, wanted: Annotated[Wanted, Query()]) -> Page:
    """Messages, the newest first; to a key that is bound to recipients, those that it posted to them."""
    before = None if wanted.cursor is None else position_of(wanted.cursor)
    found = await desk.list(key, wanted.filter(), limit=wanted.limit + 1, before=before)
    shown = found[: wanted.limit]
    more = cursor_of(shown[-1].position) if len(found) > len(shown) else None
    return Page(messages=[Message.of(posted) for posted in shown], next_cursor=more)


@_router.get("/messages/{message_id}")
async def read_message(desk: AtDesk, key: Reader, message_id: MessageId) -> Message:
    """One message, and how far it got."""
    return Message.of(await desk.visible(key, message_id))


@_router.get("/messages/{message_id}/receipt")
async def read_receipt(
    desk: AtDesk,
    key: Reader,
    message_id: MessageId,
    wait_s: Annotated[float, Query(ge=0, le=WAIT_MAX_S, description="Longest wait for the delivery. [s]")] = 0.0,
) -> Delivery:
    """How far a message got; with `wait_s`, as soon as it is no longer queued."""
    await desk.visible(key, message_id)
    return Delivery.of(await desk.messages.outcome(message_id, wait_s=wait_s))


@_router.put("/messages/{message_id}", status_code=202)
async def replace_message(desk: AtDesk, key: Editor, message_id: MessageId, asked: Replacement) -> Message:
    """Put another text in the place of a message's, on the platform too if it is there. Its buttons go."""
    await desk.visible(key, message_id)
    return Message.of(await desk.messages.revise(message_id, asked.message))


@_router.patch("/messages/{message_id}", status_code=202)
async def append_to_message(
    desk: AtDesk, key: Editor, message_id: MessageId, asked: Addition, idempotency_key: IdempotencyKey
) -> Message:
    """Add text to a message's end, on the platform too if it is there. Its buttons go."""
    await desk.visible(key, message_id)
    revised = await desk.messages.revise(
        message_id, asked.append, append=True, fingerprint=_fingerprint(asked), key=idempotency_key
    )
    return Message.of(revised)
