"""The Bot API as June calls it.

Every request has a deadline, is counted where it fails, and fails with `Refusal` or `Lost` alone.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Awaitable
from math import ceil
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import httpx
from telegram import Bot
from telegram.error import TelegramError
from telegram.request import HTTPXRequest

from essence.config import TelegramService
from essence.errors import ConfigError
from essence.services.telegram.calls import Calls
from essence.services.telegram.refusals import HOW_TO_START, Lost, Refusal, lost, refusal

T = TypeVar("T")
Json = dict[str, Any]
"""An object of the Bot API as it came."""

CONNECTIONS = 64
CONNECT_S = 10.0
READ_S = 20.0
UPLOAD_S = 60.0
POLL_GRACE_S = 10.0
"""How much later than asked for the answer to a poll may come."""
CALL_S = CONNECT_S + READ_S
IDLE_S = 30.0
"""How long an unused connection is kept; a new one costs three round trips (TCP, TLS) before a message leaves."""
ALLOWED_UPDATES = ("message", "edited_message", "callback_query", "my_chat_member")


class Api:
    """Opened by its construction, without a request; `close` ends it. Its `repr` and its errors hold no token."""

    def __init__(self, settings: TelegramService) -> None:
        """See `TelegramChannel`."""
        token, url = settings.telegram_token.strip(), settings.telegram_api_url.strip().rstrip("/")
        if not token:
            raise ConfigError(f"TELEGRAM_TOKEN is empty: {HOW_TO_START}")
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise ConfigError("TELEGRAM_API_URL must be an address such as https://api.telegram.org.")
        _silence()
        self.troubles: Counter[str] = Counter()
        """What went wrong, and how often."""
        self.connected = False
        """Telegram has answered last time."""
        self._poll_s = settings.telegram_poll_s
        self._polls = _polls()
        self.calls = Calls(url, CONNECTIONS, idle_s=IDLE_S, connect_s=CONNECT_S, read_s=READ_S)
        """Requests of `bot`; downloads use it directly, as they are read piece by piece."""
        self.bot, self.early_bot = (
            Bot(
                quote(token, safe=":"),
                base_url=f"{url}/bot",
                base_file_url=f"{url}/file/bot",
                request=requests,
                get_updates_request=self._polls,
            )
            for requests in (self.calls, self._polls)
        )
        """One for what is asked while people are talked to, the other for what comes before the first getUpdates."""

    async def close(self) -> None:
        """Break all connections."""
        await asyncio.gather(self._polls.shutdown(), self.calls.shutdown())

    async def ask(self, call: Awaitable[T], *, within_s: float = CALL_S) -> T:
        """What a method of `bot` returns.

        Raises:
            Refusal: Telegram said no.
            Lost: No answer came, or none in time.
        """
        try:
            async with asyncio.timeout(within_s):
                return await call
        except TimeoutError as error:
            raise self._counted(Lost(sent=True, slow=True)) from error
        except (Refusal, Lost) as trouble:
            self._counted(trouble)
            raise
        except TelegramError as error:
            raise self._counted(lost(error)) from error

    def _counted(self, trouble: Refusal | Lost) -> Refusal | Lost:
        if not (isinstance(trouble, Refusal) and trouble.of_sameness):
            self.troubles[trouble.name] += 1
        return trouble

    async def updates(self, offset: int, *, wait: bool) -> list[Json]:
        """Updates from an offset on, as they came, since one that is malformed must not hide the others.

        Args:
            offset: Updates with smaller ids are confirmed; 0 confirms none.
            wait: Whether to wait for the first.
        """
        timeout_s = ceil(self._poll_s) if wait else 0
        asked = {"offset": offset, "timeout": timeout_s, "allowed_updates": json.dumps(ALLOWED_UPDATES)}
        deadline_s = timeout_s + POLL_GRACE_S
        call = self._polls.post(f"{self.bot.base_url}/getUpdates?{urlencode(asked)}", read_timeout=deadline_s)
        found = await self.ask(call, within_s=deadline_s + CONNECT_S)
        return [update for update in found if isinstance(update, dict)] if isinstance(found, list) else []


def _polls() -> HTTPXRequest:
    return HTTPXRequest(
        read_timeout=READ_S,
        write_timeout=READ_S,
        connect_timeout=CONNECT_S,
        pool_timeout=CONNECT_S,
        httpx_kwargs={
            "limits": httpx.Limits(max_connections=2, keepalive_expiry=IDLE_S),
            "event_hooks": {"response": [_refuse]},
        },
    )


async def _refuse(response: httpx.Response) -> None:
    # Before python-telegram-bot reads the answer: it forgets the status, and its RetryAfter asks the environment.
    if not response.is_success:
        raise refusal(response.status_code, response.reason_phrase, await response.aread())


def _silence() -> None:
    """No line of these: they name addresses, which hold the token, and all that they tell is counted or raised."""
    for name in ("telegram", "httpx"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
