"""The HTTP below both ways to a board: what is no answer is raised as June's error, and rate limits are kept to.

Of what answers nothing is taken on trust: how long it wants to be left alone, how much it sends, and how it is packed.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator

import httpx2

from essence.errors import (
    ConfigError,
    InvalidInput,
    JuneError,
    NotAllowed,
    RateLimited,
    StoreError,
    TooSlow,
    Unreachable,
)

CONNECT_S = 5.0
LONGEST_WAIT_S = 25.0
"""Of one long poll; proxies on the way commonly break off what is silent for 30 s or more."""
_NOTIFICATION_S = 2.0
"""The SDK sends notifications one by one and everything else behind them."""
_RESET_MAX_S = 60.0
"""A window of todorama's limit. What a clock that differs makes of a reset time must not be waited for, nor what a
Retry-After says that is longer: the board is asked again, and may say it again."""
ANSWER_MAX_BYTES = 64 * 2**20
"""10,000 tasks, the most that are asked for at once (`seeking.LIMITS`), of 6 KB each."""
_SHARE_KEPT = 0.2
"""Of the limit, which all clients share: idle polls leave it to those who have something to do."""
_MEND = "Check TASKS_URL and that it runs. `python -m essence todorama` starts June's own."
FAILED = -32000
"""JSON-RPC error code that servers may give a meaning of their own (https://www.jsonrpc.org/specification#error_object);
here: HTTP failed, and `data` says how."""


class Room:
    """What the board's rate limit leaves, as its answers tell (todorama: 100 requests a minute, for all clients)."""

    def __init__(self) -> None:
        self._closed_until_s = self._spare_from_s = float("-inf")

    def check(self) -> None:
        """Ask nothing of a board that wants to be left alone.

        Raises:
            RateLimited: It does, for as long as the error says.
        """
        left_s = self._closed_until_s - _now_s()
        if left_s > 0:
            raise _limited(left_s)

    def close(self, seconds: float) -> RateLimited:
        """Keep to a 429."""
        self._closed_until_s = _now_s() + seconds
        return _limited(seconds)

    def note(self, headers: httpx2.Headers) -> None:
        """Read what the board says of its limit; many boards say nothing."""
        try:
            limit, left = float(headers["X-RateLimit-Limit"]), float(headers["X-RateLimit-Remaining"])
            reset_s = float(headers["X-RateLimit-Reset"]) + 1.0 - time.time()  # told in whole seconds
        except (KeyError, ValueError):
            return
        if not math.isfinite(reset_s):
            return
        hold_s = min(max(reset_s, 0.0), _RESET_MAX_S) if left < limit * _SHARE_KEPT else 0.0
        self._spare_from_s = _now_s() + hold_s

    def pause_s(self) -> float:
        """How long whoever only looks for work had better wait."""
        return max(self._spare_from_s, self._closed_until_s) - _now_s()


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _limited(seconds: float) -> RateLimited:
    return RateLimited(f"The task board takes no requests for {seconds:.0f} s. Try again then.", retry_after_s=seconds)


def patience_s(told: object) -> float:
    """How long a board is left alone that asks for it in seconds; a second where it asks for no time that there is."""
    try:
        seconds = float(str(told))
    except ValueError:
        return 1.0
    return min(max(seconds, 0.0), _RESET_MAX_S) if math.isfinite(seconds) else 1.0


class Checked(httpx2.AsyncBaseTransport):
    """Hands on what a board answers, and raises June's errors for all else; a body that is no stream is read whole."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, room: Room) -> None:
        self._inner, self._room = inner, room

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self._room.check()
        where = f"The task board ({request.url.copy_with(userinfo=b'', query=None)})"
        try:
            response = await self._inner.handle_async_request(request)
            response.request = request
            await self._take(response, where)
        except httpx2.ConnectTimeout as error:
            raise Unreachable(f"{where} can't be reached. {_MEND}") from error
        except httpx2.TimeoutException as error:
            raise TooSlow(f"{where} took too long. Try again.") from error
        except httpx2.HTTPError as error:
            what = str(error) or type(error).__name__
            raise Unreachable(f"{where} can't be reached ({what}). {_MEND}") from error
        self._room.note(response.headers)
        if response.status_code >= 400:
            raise self._refusal(response, where)
        return response

    async def _take(self, response: httpx2.Response, where: str) -> None:
        """Read what is no stream, as it came: httpx would unpack it, and decode it by whatever codec Python has."""
        packed = response.headers.pop("content-encoding", "identity").strip().lower() != "identity"
        kind = response.headers.get("content-type", "").partition(";")[0]
        response.headers["content-type"] = kind
        failed = response.status_code >= 400
        if packed and not failed:
            await response.aclose()
            raise StoreError(
                f"{where} packs its answers, though asked not to. Turn it off there, or in the proxy before it."
            )
        response.stream = _Measured(response, where)
        if failed or not kind.startswith("text/event-stream"):
            try:
                await response.aread()
            finally:
                await response.aclose()

    def _refusal(self, response: httpx2.Response, where: str) -> JuneError:
        status = response.status_code
        if status == 429:
            return self._room.close(patience_s(response.headers.get("Retry-After")))  # todorama tells seconds, no date
        if status in (401, 403):
            return NotAllowed(f"{where} refuses the key of this agent. Check TASKS_KEY.")
        if status in (404, 405, 410):
            return ConfigError(f"{where} does not know this address ({status}). Check TASKS_URL; it ends with /mcp.")
        if status < 500:
            return InvalidInput(f"{where} refuses what was asked ({status}): {_detail(response)}")
        return Unreachable(f"{where} failed ({status}). Try again; if it goes on, look at its log.")

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Measured(httpx2.AsyncByteStream):
    """The body of a response, up to a limit."""

    def __init__(self, response: httpx2.Response, where: str) -> None:
        if not isinstance(response.stream, httpx2.AsyncByteStream):
            raise TypeError("An asynchronous transport answers with asynchronous streams.")
        self._inner, self._where = response.stream, where

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = ANSWER_MAX_BYTES
        async for chunk in self._inner:
            left -= len(chunk)
            if left < 0:
                raise StoreError(f"{self._where} answers with more than {ANSWER_MAX_BYTES} bytes. Look at its log.")
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()


def _detail(response: httpx2.Response) -> str:
    """Which fields of a 422 were wrong; the first words of anything else."""
    try:
        body = response.json()
        return "; ".join(map(str, body.get("errors") or [body.get("detail") or body.get("error") or body]))[:300]
    except (ValueError, AttributeError, TypeError, RecursionError):
        return response.text[:100]


class Spoken(httpx2.AsyncBaseTransport):
    """Tells June's errors to the MCP SDK as JSON-RPC errors.

    They are all that it hands on whole: of an HTTP status it keeps neither number nor headers, and a connection that
    breaks ends its session.
    """

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request_id = _request_id(request)
        try:
            if request_id is not None or request.method != "POST":
                return await self._inner.handle_async_request(request)
            async with asyncio.timeout(_NOTIFICATION_S):
                await self._inner.handle_async_request(request)
        except TimeoutError:
            pass  # a notification: nobody waits for an answer
        except JuneError as error:
            if request_id is not None:
                return httpx2.Response(200, json=_told(request_id, error))
        return httpx2.Response(202)

    async def aclose(self) -> None:
        await self._inner.aclose()


def _request_id(request: httpx2.Request) -> object:
    try:
        body = json.loads(request.content)
    except (ValueError, httpx2.RequestNotRead):
        return None
    return body.get("id") if isinstance(body, dict) else None


def _told(request_id: object, error: JuneError) -> dict[str, object]:
    data = {"code": error.code, "retry_after_s": getattr(error, "retry_after_s", None)}
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": FAILED, "message": str(error), "data": data}}
