"""OpenAI's HTTP API in front of the model: a thin layer that passes requests on and answers back, byte for byte.

A caller who hangs up stops the work behind; a key is checked where one is set; an embedded model's queue is bounded.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial

import httpx
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from essence.config import InferenceApiService
from essence.engines.llm.endpoint import Endpoint
from essence.errors import ConfigError, EngineBusy, JuneError, NotAllowed, TooSlow, Unreachable

PATHS = ("/v1/models", "/v1/chat/completions", "/v1/completions")
"""What is passed on; llama.cpp's server has more, which is not for everybody."""

_CONNECT_S = 10.0
_HTTP_STATUS: dict[type[JuneError], int] = {NotAllowed: 401, EngineBusy: 429, Unreachable: 502, TooSlow: 504}


@dataclass(frozen=True, slots=True)
class Manners:
    """What the API asks of its callers and grants them."""

    key: str
    """Callers must show it; empty: none is asked for."""
    body_max_bytes: int
    requests_max: int | None
    """At once; one more is answered 429. None: the server behind decides."""
    silence_s: float
    """Longest wait for the next bytes of a streamed answer, the first ones included."""
    answer_s: float
    """Longest wait for an answer that is not streamed."""


def manners(settings: InferenceApiService) -> Manners:
    """The settings, checked.

    Raises:
        ConfigError: Others than this machine can reach the API, and no key is set.
    """
    if not settings.inference_api_key and not _is_loopback(settings.bind_host):
        raise ConfigError(
            f"BIND_HOST={settings.bind_host} opens the API to other machines, so it needs a key. Set INFERENCE_API_KEY."
        )
    embedded = settings.llm_url.startswith("llamacpp:")
    return Manners(
        key=settings.inference_api_key,
        body_max_bytes=settings.grpc_max_message_bytes,
        requests_max=settings.llm_slots + settings.llm_queue_max if embedded else None,
        silence_s=settings.llm_first_token_s,
        answer_s=settings.llm_answer_s,
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return host == "localhost"


@asynccontextmanager
async def open_api(endpoint: Endpoint, rules: Manners) -> AsyncIterator[ASGIApp]:
    """An ASGI app that passes requests on to `endpoint` while the context is open."""
    timeout = httpx.Timeout(None, connect=_CONNECT_S)
    # None is kept: its server may close it in the very moment when it is used again, which loses the request.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    embedded = rules.requests_max is not None
    async with httpx.AsyncClient(timeout=timeout, limits=limits, trust_env=not embedded) as client:
        relay = _Relay(endpoint, rules, client)
        yield Starlette(
            routes=[Route(path, relay.forward, methods=["GET" if path == "/v1/models" else "POST"]) for path in PATHS]
        )


def absent(url: str) -> ASGIApp:
    """What is served where the model has no OpenAI API to pass requests on to."""
    message = f"LLM_URL={url} has no OpenAI API. Use gRPC, or give LLM_URL one llamacpp: or http(s): address."
    return JSONResponse({"error": {"message": message, "code": "engine_missing"}}, 501)


class _Relay:
    def __init__(self, endpoint: Endpoint, rules: Manners, client: httpx.AsyncClient) -> None:
        self._endpoint, self._rules, self._client = endpoint, rules, client
        self._requests = 0

    async def forward(self, request: Request) -> Response:
        """Ask the server behind, and answer as it does."""
        try:
            self._check_key(request)
            if self._rules.requests_max is not None and self._requests >= self._rules.requests_max:
                raise EngineBusy("The language model has too many answers to write. Ask again in a moment.")
            body = await self._body(request)
        except JuneError as error:
            return _error(error)
        except ClientDisconnect:
            return Response(status_code=499)
        if body is None:
            return JSONResponse({"error": {"message": "The request is too long.", "code": "invalid_input"}}, 413)
        return await self._relay(request, body)

    def _check_key(self, request: Request) -> None:
        shown = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self._rules.key and not secrets.compare_digest(shown.encode(), self._rules.key.encode()):
            raise NotAllowed("The key was refused. Send INFERENCE_API_KEY as Authorization: Bearer KEY.")

    async def _body(self, request: Request) -> bytes | None:
        """None: longer than allowed."""
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > self._rules.body_max_bytes:
                return None
        return bytes(body)

    async def _relay(self, request: Request, body: bytes) -> Response:
        self._requests += 1
        handed_over = False
        try:
            answer = await self._ask(request, body)
            if answer is None:
                return Response(status_code=499)  # nobody is there to read it; the number is nginx's
            handed_over = True
            headers = {"Content-Type": answer.headers.get("content-type", "application/octet-stream")}
            return _Passed(self._pass_on(answer), answer.status_code, headers, at_end=partial(self._end, answer))
        except JuneError as error:
            return _error(error)
        finally:
            self._requests -= not handed_over

    async def _ask(self, request: Request, body: bytes) -> httpx.Response | None:
        """The answer up to its first byte; None: the caller hung up before it came, and the work was stopped."""
        asking = asyncio.create_task(self._send(request, body))
        leaving = asyncio.create_task(_hung_up(request))
        try:
            await asyncio.wait({asking, leaving}, return_when=asyncio.FIRST_COMPLETED)
            return await asking if asking.done() else None
        finally:
            leaving.cancel()
            asking.cancel()
            await asyncio.gather(asking, leaving, return_exceptions=True)

    async def _send(self, request: Request, body: bytes) -> httpx.Response:
        wait_s = self._rules.silence_s if _is_streamed(body) else self._rules.answer_s
        url = self._endpoint.url + request.url.path.removeprefix("/v1")
        headers = {"Authorization": f"Bearer {self._endpoint.api_key}"} if self._endpoint.api_key else {}
        if content_type := request.headers.get("content-type"):
            headers["Content-Type"] = content_type
        timeout = httpx.Timeout(wait_s, connect=_CONNECT_S)
        outgoing = self._client.build_request(request.method, url, content=body, headers=headers, timeout=timeout)
        with _converted(self._endpoint.url, wait_s):
            return await self._client.send(outgoing, stream=True)

    async def _pass_on(self, answer: httpx.Response) -> AsyncIterator[bytes]:
        try:
            with _converted(self._endpoint.url, self._rules.silence_s):
                async for chunk in answer.aiter_bytes():
                    yield chunk
        except JuneError as error:
            if "event-stream" not in answer.headers.get("content-type", ""):
                raise  # cut off, which is all that can still be said
            yield f"data: {json.dumps(_body_of(error))}\n\n".encode()

    async def _end(self, answer: httpx.Response) -> None:
        self._requests -= 1
        await answer.aclose()


class _Passed(StreamingResponse):
    """An answer on its way; `at_end` is awaited in any case, even where the caller left before the first byte."""

    def __init__(
        self,
        content: AsyncIterator[bytes],
        status: int,
        headers: dict[str, str],
        *,
        at_end: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(content, status, headers)
        self._at_end = at_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._at_end()


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _is_streamed(body: bytes) -> bool:
    try:
        asked = json.loads(body)
    except ValueError:  # the server behind says what is wrong with it
        return False
    return isinstance(asked, dict) and bool(asked.get("stream"))


@contextmanager
def _converted(server: str, wait_s: float) -> Iterator[None]:
    try:
        yield
    except httpx.ReadTimeout as error:
        raise TooSlow(f"The language model at {server} said nothing for {wait_s:g} s.") from error
    except httpx.HTTPError as error:
        raise Unreachable(f"The language model at {server} can't be reached ({error}). Is it running?") from error


def _error(error: JuneError) -> Response:
    return JSONResponse(_body_of(error), _HTTP_STATUS[type(error)])


def _body_of(error: JuneError) -> dict[str, object]:
    return {"error": {"message": str(error), "type": error.code, "code": error.code, "param": None}}
