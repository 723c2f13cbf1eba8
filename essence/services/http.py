"""The HTTP side of every service: health, metrics, and the service's own API where it has one."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from essence import __version__, observe
from essence.errors import ConfigError

_HEALTH_PATHS = ("/health", "/metrics")


class State(StrEnum):
    """What a service is doing; READY is the only one in which its work can be done."""

    LOADING = "loading"
    READY = "ready"
    IMPAIRED = "impaired"
    """It works, and something that it needs is missing; it becomes READY by itself."""
    DRAINING = "draining"


class Api:
    """A service's own ASGI app: answers 503 while there is none, and knows when no request of it is in flight."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None
        """None while the engine loads and again while the service drains."""
        self.idle = asyncio.Event()
        """Set while no request is in flight."""
        self.idle.set()
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (app := self.app) is None:
            closed = JSONResponse(
                {"error": {"message": "Not ready. Try again in a moment."}}, 503, {"Retry-After": "2"}
            )
            await closed(scope, receive, send)
            return
        self._in_flight += 1
        self.idle.clear()
        try:
            await app(scope, receive, send)
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self.idle.set()


class HttpServer:
    """Answers from the moment it starts, so that "still loading" can be told from "dead"."""

    def __init__(self, name: str, *, has_api: bool) -> None:
        """`has_api`: whether the service brings an API when it is ready; without, all other paths are 404."""
        self._state = State.LOADING
        self._reasons: Callable[[], Sequence[str]] = tuple
        self._api = Api()
        health = _health_app(name, self)
        self._app: ASGIApp = _OwnPaths(health, self._api) if has_api else health
        self._server: _Uvicorn | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> int:
        """Take requests; returns the port, which is a free one where `port` is 0.

        Raises:
            ConfigError: The address can't be bound, mostly since another process has it.
        """
        try:
            listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
            # Else head and body of an answer lie 40 ms apart: asyncio sets this only where it made the socket itself.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            raise ConfigError(f"{host}:{port} can't be bound ({error.strerror}).") from error
        settings = uvicorn.Config(
            self._app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1
        )
        self._server = _Uvicorn(settings)
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]))
        bound: int = listener.getsockname()[1]
        return bound

    @property
    def state(self) -> State:
        """What it is doing now."""
        return State.IMPAIRED if self._state is State.READY and self._reasons() else self._state

    def reasons(self) -> list[str]:
        """Why it is not ready, in sentences."""
        words = {State.LOADING: "The service is loading.", State.DRAINING: "The service is stopping."}
        return [words[self._state]] if self._state in words else list(self._reasons())

    def serve(self, api: ASGIApp | None, *, reasons: Callable[[], Sequence[str]] = tuple) -> None:
        """Hand requests to the service's own API, and say that it is ready, unless there are reasons.

        Args:
            api: The service's own.
            reasons: Why its work can't be done now, in sentences. Asked again each time.
        """
        self._state, self._api.app, self._reasons = State.READY, api, reasons

    async def drain(self, grace_s: float) -> None:
        """Take no more requests but for health and metrics, and let those in flight finish for `grace_s`."""
        self._state, self._api.app = State.DRAINING, None
        try:
            await asyncio.wait_for(self._api.idle.wait(), grace_s)
        except TimeoutError:
            observe.logger().warning("requests_cut", grace_s=grace_s)

    async def stop(self) -> None:
        """End, with what is left."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task


class _OwnPaths:
    """Hands everything but health and metrics to the service's own API, past a framework's routing."""

    def __init__(self, health: ASGIApp, api: ASGIApp) -> None:
        self._health, self._api = health, api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        own = scope["type"] != "http" or not scope["path"].startswith(_HEALTH_PATHS)
        await (self._api if own else self._health)(scope, receive, send)


class _Uvicorn(uvicorn.Server):
    """Leaves signals to the service."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _health_app(name: str, server: HttpServer) -> Starlette:
    async def live(_: Request) -> Response:
        return JSONResponse({"live": True})

    async def health(_: Request) -> Response:
        reasons = server.reasons()
        report = {
            "service": name,
            "version": __version__,
            "live": True,
            "ready": not reasons,
            "state": str(server.state),
            "reasons": reasons,
        }
        return JSONResponse(report, 503 if reasons else 200)

    async def metrics(_: Request) -> Response:
        text, media_type = observe.metrics()
        return Response(text, media_type=media_type)

    # Starlette rather than FastAPI, which takes a quarter of a second to load: these have no parameters to check.
    answers = {"/health/live": live, "/health/ready": health, "/health": health, "/metrics": metrics}
    return Starlette(routes=[Route(path, answer) for path, answer in answers.items()])
