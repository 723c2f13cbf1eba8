"""The HTTP face of the platform: who may call, which fault strikes, what is answered."""

from __future__ import annotations

import asyncio
import inspect
import re
import socket
import struct
import time
from functools import partial

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from essence.fakes.telegram import faults, methods, parameters, wire
from essence.fakes.telegram.platform import Platform
from essence.fakes.telegram.wire import Call, Refused, too_many_requests

CONFLICT_WEBHOOK = (
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)
SHUTTING_DOWN = "Gateway Timeout: the server is going away"
DOWNLOAD = "download"
"""What the fetching of a file is called among the calls; it is no method of the Bot API."""
_TOKEN = re.compile(r"\d+:[\w-]+")
_METHODS = {name.lower(): name for name in parameters.METHODS}
"""Telegram doesn't care about the case of a method's name."""
_KEEP_ALIVE_S = 75
_LINGER_NOT = struct.pack("ii", 1, 0)
"""SO_LINGER that makes a close a reset."""


class _Silence(Response):
    """Says nothing until the client has gone."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass


class Front:
    """Listens on a loopback port from its construction on, and answers between `start` and `stop`."""

    def __init__(self, platform: Platform, port: int) -> None:
        self.calls: list[Call] = []
        self.faults = faults.Faults()
        self._platform = platform
        routes = [
            Route("/bot{token}/{method}", self._method, methods=["GET", "POST"]),
            Route("/file/bot{token}/{path:path}", self._download),
        ]
        self._config = uvicorn.Config(
            Starlette(routes=routes), ws="none", lifespan="off", log_config=None, log_level="critical",
            access_log=False, proxy_headers=False, timeout_keep_alive=_KEEP_ALIVE_S,
        )  # fmt: skip
        self._state = ServerState()
        self._socket = socket.create_server(("127.0.0.1", port))
        # asyncio leaves it out for sockets that it didn't make; then an answer's body waits 40 ms for its head's ACK.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port: int = self._socket.getsockname()[1]

    async def start(self) -> None:
        """Answer from now on."""
        # uvicorn's protocol without its Server, which wants the process's signals and takes its time to end.
        self._config.load()
        protocol = partial(H11Protocol, config=self._config, server_state=self._state, app_state={})
        self._server = await asyncio.get_running_loop().create_server(protocol, sock=self._socket)

    async def stop(self) -> None:
        """Break all connections and listen no more."""
        self._server.close()
        self._platform.updates.interrupt(SHUTTING_DOWN)
        tasks = list(self._state.tasks)
        self.cut_all()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()

    def cut_all(self) -> None:
        """Reset every connection."""
        for connection in list(self._state.connections):
            _reset(connection.transport)

    async def called(self, method: str, *, times: int, done: bool, timeout_s: float) -> Call:
        """See `TelegramServer.called`."""

        def nth() -> Call | None:
            made = [call for call in self.calls if call.method == method and (not done or call.status is not None)]
            return made[times - 1] if len(made) >= times else None

        return await self._platform.changes.until(nth, timeout_s)

    async def _method(self, request: Request) -> Response:
        name = request.path_params["method"]
        call = Call(_METHODS.get(name.lower(), name), {}, time.monotonic())
        return await self._answered(call, request)

    async def _download(self, request: Request) -> Response:
        call = Call(DOWNLOAD, {"path": request.path_params["path"]}, time.monotonic())
        return await self._answered(call, request)

    async def _answered(self, call: Call, request: Request) -> Response:
        self.calls.append(call)
        self._platform.changes.tell()
        try:
            await self._prepare(call, request)
            fault = self.faults.strike(call)
            if early := await self._before(fault, call, request):
                return early
            answer = await self._effect(call)
            call.status = 200
            if late := await self._after(fault, request):
                return late
        except Refused as refusal:
            call.status, call.description = refusal.status, refusal.description
            answer = JSONResponse(refusal.body(), refusal.status)
        finally:
            self._platform.changes.tell()
        call.answered = True
        return answer

    async def _prepare(self, call: Call, request: Request) -> None:
        raw, call.files = await wire.read(request)
        token = request.path_params["token"]
        if token != self._platform.token:
            raise Refused(401, "Unauthorized") if _TOKEN.fullmatch(token) else Refused(404, "Not Found")
        if call.method != DOWNLOAD:
            call.parameters, call.unknown = parameters.typed(call.method, raw, call.files)

    async def _before(self, fault: faults.Fault | None, call: Call, request: Request) -> Response | None:
        """What the fault does in place of the effect."""
        match fault:
            case faults.TooManyRequests(retry_after_s):
                raise too_many_requests(retry_after_s)
            case faults.ServerError(status, html=False):
                raise Refused(status, {502: "Bad Gateway", 504: "Gateway Timeout"}.get(status, "Internal Server Error"))
            case faults.ServerError(status):
                call.status = status
                return HTMLResponse(f"<html><head><title>{status}</title></head></html>", status)
            case faults.Refusal(status, description):
                raise Refused(status, description)
            case faults.Reset():
                return self._cut(request)
            case faults.Hang(after_effect=False):
                return _Silence()
            case faults.Slow(seconds, after_effect=False):
                await asyncio.sleep(seconds)
        return None

    async def _after(self, fault: faults.Fault | None, request: Request) -> Response | None:
        """What the fault does in place of the answer."""
        match fault:
            case faults.LostAnswer():
                return self._cut(request)
            case faults.Hang(after_effect=True):
                return _Silence()
            case faults.Slow(seconds, after_effect=True):
                await asyncio.sleep(seconds)
        return None

    async def _effect(self, call: Call) -> Response:
        if call.method == DOWNLOAD:
            return self._file(call.parameters["path"])
        result = (
            self._updates(call) if call.method == "getUpdates" else methods.TABLE[call.method](self._platform, call)
        )
        return JSONResponse({"ok": True, "result": await result if inspect.isawaitable(result) else result})

    async def _updates(self, call: Call) -> list[wire.Json]:
        if self._platform.webhook is not None:
            raise Refused(409, CONFLICT_WEBHOOK)
        p = call.parameters
        self._platform.updates.allow(p.get("allowed_updates"))
        return await self._platform.updates.poll(p.get("offset", 0), p.get("timeout", 0), p.get("limit", 100))

    def _file(self, path: str) -> Response:
        file = self._platform.files.at(path)
        if file is None:
            raise Refused(404, "Not Found")
        return Response(file.data, media_type="application/octet-stream")

    def _cut(self, request: Request) -> Response:
        """Reset the connection that the request came by."""
        for connection in list(self._state.connections):
            if connection.transport.get_extra_info("peername") == request.scope["client"]:
                _reset(connection.transport)
        return _Silence()


def _reset(transport: asyncio.Transport) -> None:
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
    transport.abort()
