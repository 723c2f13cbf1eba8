"""Refuses bodies that are longer than any message."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from essence.errors import InvalidInput
from essence.services.message_api import problems

BODY_MAX_BYTES = 256 * 2**10
"""The longest text has 32 000 characters, of which each may be an escape of up to six bytes."""


class BodyLimit:
    """Reads a request's body up to the limit, then hands it on as a whole."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        body = bytearray()
        more = True
        while more and len(body) <= BODY_MAX_BYTES:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if len(body) > BODY_MAX_BYTES:
            detail = f"The body is longer than {BODY_MAX_BYTES} bytes. Send a shorter message."
            refusal = problems.answer(413, InvalidInput.code, detail, headers={"Connection": "close"})
            return await refusal(scope, receive, send)
        return await self._app(scope, _first(bytes(body), receive), send)


def _first(body: bytes, receive: Receive) -> Receive:
    """What was read already, then whatever comes."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def read() -> Message:
        return waiting.pop() if waiting else await receive()

    return read
