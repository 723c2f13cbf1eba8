"""Updates pushed to the bot: one at a time per chat, told again until it says 2xx."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import httpx

from essence.fakes.telegram.updates import Pending, Updates
from essence.fakes.telegram.wire import Json, bad_request
from essence.fakes.telegram.world import Changes

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - the name of it
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
DEADLINE_S = 60.0


@dataclass(slots=True)
class Webhook:
    """Where updates are pushed to, and how that goes."""

    url: str
    updates: Updates
    changes: Changes
    secret_token: str = ""
    max_connections: int = 40
    retry_s: float = 1.0
    """Between two attempts at the same update; Telegram's own pause grows."""
    last_error_date: int = 0
    last_error_message: str = ""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _busy: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        address = urlsplit(self.url)
        # Telegram itself takes https alone; the fake talks to this machine in the clear.
        if address.scheme != "https" and not (address.scheme == "http" and address.hostname in _LOOPBACK):
            raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
        if self.secret_token and not _SECRET.fullmatch(self.secret_token):
            raise bad_request("secret token contains unallowed characters")
        if not 1 <= self.max_connections <= 100:
            raise bad_request("max_connections must be between 1 and 100")

    def start(self) -> None:
        """Push what waits, and whatever comes, until it is closed."""
        self._spawn(self._run())

    async def close(self) -> None:
        """Push nothing more."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def info(self) -> Json:
        """The parts of WebhookInfo that tell of this webhook."""
        info: Json = {"url": self.url, "max_connections": self.max_connections}
        if self.last_error_date:
            info |= {"last_error_date": self.last_error_date, "last_error_message": self.last_error_message}
        return info

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self) -> None:
        async with httpx.AsyncClient(timeout=DEADLINE_S, trust_env=False) as client:
            while True:
                self.updates.changed.clear()
                for update in self.updates.waiting():
                    if len(self._busy) >= self.max_connections:
                        break
                    if update.lane not in self._busy:
                        self._busy.add(update.lane)
                        self._spawn(self._push(client, update))
                await self.updates.changed.wait()

    async def _push(self, client: httpx.AsyncClient, update: Pending) -> None:
        try:
            if why := await self._post(client, update):
                self.last_error_date, self.last_error_message = int(time.time()), why
                self.changes.tell()
                await asyncio.sleep(self.retry_s)
            else:
                self.updates.confirm([update])
                self.changes.tell()
        finally:
            self._busy.discard(update.lane)
            self.updates.changed.set()

    async def _post(self, client: httpx.AsyncClient, update: Pending) -> str:
        """Why it could not be told, or nothing."""
        headers = {SECRET_HEADER: self.secret_token} if self.secret_token else {}
        try:
            answer = await client.post(self.url, json=update.json(), headers=headers)
        except httpx.TimeoutException:
            return "Read timeout expired"
        except httpx.TransportError:
            return "Connection refused"
        if answer.is_success:
            return ""
        return f"Wrong response from the webhook: {answer.status_code} {HTTPStatus(answer.status_code).phrase}"
