"""The machinery of the REST API: requests are read, meet faults and the pace, and are answered as Discord does."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any

from aiohttp import BodyPartReader, web

from essence.fakes.discord import refusals
from essence.fakes.discord.faults import Broken, Fault, Faults, Hang, LostAnswer, Refusal, Reset, Slow, TooMany
from essence.fakes.discord.refusals import Json, Refused
from essence.fakes.discord.world import Upload, World

PREFIX = "/api/v10"
_FILE_FIELD = re.compile(r"files\[(\d+)\]")
_SENDS_JSON = ("POST", "PUT", "PATCH")


@dataclass(slots=True)
class Call:
    """One request as the server saw it."""

    method: str
    path: str
    """Below /api/v10."""
    at: datetime
    ids: dict[str, str]
    """The variable parts of the path, by name."""
    query: dict[str, str]
    body: Any = None
    """JSON, of a form its `payload_json`; None where there was none."""
    uploads: tuple[Upload, ...] = ()
    status: int | None = None
    """Of the answer; None while there is none, and for good if the bot never got one."""
    route: str = ""
    """The path with names for its variable parts, as Discord's documentation writes it."""
    answer: Json | list[Json] | None = None
    """What was sent back, or would have been if the answer had not been lost."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler returns: a body for 200 and 201, none for 204."""

    body: Json | list[Json] | None = None
    status: int = 200


NOTHING = Answer(None, 204)
Handler = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One route."""

    method: str
    path: str
    """Below /api/v10."""
    handler: Handler
    needs_token: bool = True


@dataclass(frozen=True, slots=True)
class Pace:
    """How many requests a bucket takes in a window. Discord documents neither; it tells them in headers."""

    requests: int
    window_s: float


class Buckets:
    """Counts requests per route and channel, webhook or guild. A bucket's name is that of the route alone."""

    def __init__(self, pace: Pace | None) -> None:
        self.pace = pace
        self._taken: dict[tuple[str, str], deque[float]] = {}

    def take(self, route: str, major: str) -> tuple[dict[str, str], float]:
        """Count a request: the headers that tell of it, and how long it is too early (0: it is not)."""
        if self.pace is None:
            return _headers(route, 10_000, 9_999, 0.001), 0.0
        now, taken = time.monotonic(), self._taken.setdefault((route, major), deque())
        while taken and now - taken[0] >= self.pace.window_s:
            taken.popleft()
        early_s = 0.0
        if len(taken) >= self.pace.requests:
            early_s = self.pace.window_s - (now - taken[0])
        else:
            taken.append(now)
        reset_s = self.pace.window_s - (now - taken[0])
        return _headers(route, self.pace.requests, self.pace.requests - len(taken), reset_s), early_s


def _headers(route: str, limit: int, remaining: int, reset_s: float) -> dict[str, str]:
    return {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset": f"{time.time() + reset_s:.3f}",
        "X-RateLimit-Reset-After": f"{reset_s:.3f}",
        "X-RateLimit-Bucket": f"{hash(route) & 0xFFFFFFFFFFFFFFFF:016x}",
    }


class Rest:
    """Serves endpoints."""

    def __init__(self, world: World, token: str, faults: Faults, pace: Pace | None, keep: int | None) -> None:
        self.calls: deque[Call] = deque(maxlen=keep)
        self.buckets = Buckets(pace)
        self.closing = asyncio.Event()
        """Lets go of what hangs."""
        self.token = token
        """What the bot must present."""
        self._world, self._faults = world, faults

    def add_to(self, app: web.Application, endpoints: Sequence[Endpoint]) -> None:
        """Mount them, and a 404 for all other paths."""
        for endpoint in endpoints:
            app.router.add_route(endpoint.method, PREFIX + endpoint.path, self._serve(endpoint))
        app.router.add_route("*", "/api/{rest:.*}", self._serve(Endpoint("*", "", _nowhere, needs_token=False)))

    def _serve(self, endpoint: Endpoint) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            call = self._note(request, endpoint)
            try:
                await _read_body(request, call)
            except Refused as refused:
                return self._refuse(call, refused, {})
            fault = self._faults.take(call.method, call.path)
            if (instead := await self._before(fault, request, call)) is not None:
                return instead
            response = self._handle(endpoint, request, call)
            if isinstance(fault, LostAnswer) or fault == Hang(after_effect=True):
                call.status = None
                await self._go_silent(fault, request)
            return response

        return serve

    def _note(self, request: web.Request, endpoint: Endpoint) -> Call:
        call = Call(
            request.method,
            request.path.removeprefix(PREFIX),
            self._world.now(),
            dict(request.match_info),
            dict(request.query),
            route=endpoint.path,
        )
        self.calls.append(call)
        self._world.bell.ring()
        return call

    async def _before(self, fault: Fault | None, request: web.Request, call: Call) -> web.StreamResponse | None:
        """What is answered in place of doing what was asked; None: nothing stands in the way."""
        instead = await self._strike(fault, request, call)
        self._world.bell.ring()
        return instead

    async def _strike(self, fault: Fault | None, request: web.Request, call: Call) -> web.StreamResponse | None:
        match fault:
            case TooMany():
                call.status = 429
                return _too_many(fault)
            case Broken(status):
                call.status = status
                return web.Response(status=status, text="upstream connect error", headers={"Via": "1.1 google"})
            case Refusal(reason):
                return self._refuse(call, Refused(reason), {})
            case Reset() | Hang(after_effect=False):
                await self._go_silent(fault, request)
                return web.Response(status=500)  # nobody is there to read it
            case Slow(seconds):
                await asyncio.sleep(seconds)
        return None

    async def _go_silent(self, fault: Fault | None, request: web.Request) -> None:
        if isinstance(fault, Hang):
            await self.closing.wait()
        if isinstance(request.transport, asyncio.Transport):
            request.transport.abort()

    def _handle(self, endpoint: Endpoint, request: web.Request, call: Call) -> web.Response:
        major = next((call.ids[name] for name in ("channel_id", "guild_id", "token") if name in call.ids), "")
        headers, early_s = self.buckets.take(f"{call.method} {endpoint.path}", major)
        if early_s:
            call.status = 429
            return _too_many(TooMany(early_s), headers)
        try:
            self._check_token(endpoint, request)
            answer = endpoint.handler(call)
        except Refused as refused:
            return self._refuse(call, refused, headers)
        call.status, call.answer = answer.status, answer.body
        self._world.bell.ring()
        return _json(answer.status, answer.body, headers)

    def _check_token(self, endpoint: Endpoint, request: web.Request) -> None:
        if endpoint.needs_token and request.headers.get("Authorization") != f"Bot {self.token}":
            raise Refused(refusals.UNAUTHORIZED)

    async def meet_fault(self, request: web.Request) -> tuple[Call, web.StreamResponse | None]:
        """Note a request outside the API, and what it gets in place of an answer, if a fault is due.

        Faults know it by its own path: /cdn/…, /gw, /gw/resume.
        """
        call = Call("GET", request.path, self._world.now(), dict(request.match_info), dict(request.query))
        self.calls.append(call)
        return call, await self._before(self._faults.take("GET", call.path), request, call)

    async def download(self, request: web.Request) -> web.StreamResponse:
        """A file of the CDN."""
        call, instead = await self.meet_fault(request)
        if instead is not None:
            return instead
        upload = self._world.files.get(call.ids["path"])
        call.status = 404 if upload is None else 200
        if upload is None:
            return web.Response(status=404, text="This content is no longer available.")
        return web.Response(body=upload.data, content_type=upload.media_type.partition(";")[0])

    def _refuse(self, call: Call, refused: Refused, headers: dict[str, str]) -> web.Response:
        call.status, call.answer = refused.reason.status, refused.body
        return _json(refused.reason.status, refused.body, headers)


def _nowhere(_: Call) -> Answer:
    raise Refused(refusals.NO_SUCH_ROUTE)


def _json(status: int, body: Json | list[Json] | None, headers: dict[str, str]) -> web.Response:
    headers = {"Via": "1.1 google"} | headers
    if body is None:
        return web.Response(status=status, headers=headers)
    # Bytes, not text: aiohttp would add a charset, and discord.py reads JSON only where it says exactly this.
    headers["Content-Type"] = "application/json"
    return web.Response(status=status, body=json.dumps(body, separators=(",", ":")).encode(), headers=headers)


def _too_many(fault: TooMany, bucket: dict[str, str] | None = None) -> web.Response:
    whole_s = {"Retry-After": str(ceil(fault.retry_after_s))}
    if not fault.from_discord:
        return web.Response(status=429, text="<h1>error code: 1015</h1>", content_type="text/html", headers=whole_s)
    body = {
        "message": "You are being rate limited.",
        "code": 0,
        "retry_after": fault.retry_after_s,
        "global": fault.everywhere,
    }
    scope = {"X-RateLimit-Scope": "global" if fault.everywhere else "user"}
    everywhere = {"X-RateLimit-Global": "true"} if fault.everywhere else {}
    return _json(429, body, whole_s | scope | everywhere | (bucket or {}))


async def _read_body(request: web.Request, call: Call) -> None:
    if request.method not in _SENDS_JSON or not request.can_read_body:
        return
    if request.content_type == "multipart/form-data":
        await _read_form(request, call)
    else:
        call.body = _parsed(await request.read())


async def _read_form(request: web.Request, call: Call) -> None:
    files: dict[int, Upload] = {}
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            continue
        data = bytes(await part.read(decode=False))
        if part.name == "payload_json":
            call.body = _parsed(data)
        elif found := _FILE_FIELD.fullmatch(part.name or ""):
            media_type = part.headers.get("Content-Type", "application/octet-stream")
            files[int(found[1])] = Upload(part.filename or "unknown", media_type, data)
    call.uploads = tuple(files[number] for number in sorted(files))


def _parsed(data: bytes) -> Any:
    try:
        body = json.loads(data) if data else None
    except ValueError as error:
        raise Refused(refusals.NOT_JSON) from error
    if not isinstance(body, dict | list | None):
        raise Refused(refusals.NOT_JSON)
    return body
