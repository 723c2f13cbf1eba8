"""Ends the work at a request whose asker has gone: a dead agent that waits for work is given none."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send


async def until_hung_up(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Have an app answer a request, and cancel it if the connection ends before the answer is out."""
    line = _Line(receive, send)
    working = asyncio.ensure_future(app(scope, line.receive, line.send))
    watching = asyncio.create_task(line.watch())
    try:
        await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
        if line.is_cut:
            working.cancel()
        await asyncio.wait((working,))
    finally:
        watching.cancel()
        working.cancel()
    if not working.cancelled():
        working.result()


class _Line:
    """What a request brings and its answer takes."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._read, self._gone = asyncio.Event(), asyncio.Event()
        self._answered = False

    @property
    def is_cut(self) -> bool:
        """Whether nobody hears the answer any more."""
        return self._gone.is_set() and not self._answered

    async def receive(self) -> Message:
        if self._read.is_set():
            await self._gone.wait()
            return {"type": "http.disconnect"}
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._gone.set()
        if not message.get("more_body", False):
            self._read.set()
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._answered = True
        await self._send(message)

    async def watch(self) -> None:
        """Return when the connection has ended."""
        await self._read.wait()
        while not self._gone.is_set():
            if (await self._receive())["type"] == "http.disconnect":
                self._gone.set()
