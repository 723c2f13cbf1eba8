"""The webhook: Telegram brings each update, and is told 200 only once the message is durable."""

from __future__ import annotations

import hashlib
import hmac
import json
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from essence import observe
from essence.config import TelegramService
from essence.errors import JuneError
from essence.services.telegram.intake import Intake, Json

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - the name of it (Bot API, setWebhook)
MAX_BYTES = 1 << 20
"""Far more than an update has: a message's text is at most 4,096 characters."""


class Webhook:
    """Takes updates at the path of TELEGRAM_WEBHOOK_URL while `intake` is set, and answers 503 before and after.

    Telegram brings an update again until it is answered with 2xx.
    """

    def __init__(self, settings: TelegramService) -> None:
        """Without a TELEGRAM_WEBHOOK_URL its `app` knows no path."""
        self.url = settings.telegram_webhook_url.strip()
        self.secret = hmac.new(settings.telegram_token.strip().encode(), b"webhook", hashlib.sha256).hexdigest()
        """What Telegram shows with each update; whoever doesn't have the token can't make it up."""
        self.intake: Intake | None = None
        routes = [Route(urlsplit(self.url).path or "/", self._take, methods=["POST"])] if self.url else []
        self.app = Starlette(routes=routes)

    async def _take(self, request: Request) -> Response:
        if not hmac.compare_digest(request.headers.get(SECRET_HEADER, "").encode(), self.secret.encode()):
            return PlainTextResponse("Only Telegram may speak here.", 403)
        body = await _body(request)
        if body is None:
            return PlainTextResponse("Too large.", 413)
        try:
            update = json.loads(body)
        except ValueError:
            return PlainTextResponse("Not JSON.", 400)
        return await self._hand_over(update) if isinstance(update, dict) else PlainTextResponse("No update.", 400)

    async def _hand_over(self, update: Json) -> Response:
        if self.intake is None:
            return PlainTextResponse("Not listening. Come again.", 503)
        try:
            if (item := self.intake.read(update)) is not None:
                await self.intake.hand_over(item)
        except JuneError as error:
            observe.logger().warning("message_not_kept", code=error.code, error=str(error))
            return PlainTextResponse("Not kept. Come again.", 503)
        return Response()


async def _body(request: Request) -> bytes | None:
    """The body; None if it is longer than it may be."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            return None
    return body
