"""The HTTP face: `POST /mcp/<tool>`, JSON-RPC at `/mcp`, the limit, and the fault that strikes."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial

import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from essence.fakes.todorama import faults
from essence.fakes.todorama.limit import Limit
from essence.fakes.todorama.refusals import Crashed, Json, Refused
from essence.fakes.todorama.tools import LISTED_ONLY, TOOLS, Surface
from essence.fakes.todorama.world import World

_LINGER_NOT = struct.pack("ii", 1, 0)
"""SO_LINGER that makes a close a reset."""
_GREETING = {
    "protocolVersion": "2024-11-05",
    "capabilities": {},
    "serverInfo": {"name": "todo-mcp-service", "version": "1.0.0"},
}
_CLOSE = {"Connection": "close"}


@dataclass(slots=True)
class Call:
    """One request as the server saw it."""

    tool: str
    """Of JSON-RPC's other methods, the method; of other paths, the path."""
    arguments: Json
    surface: Surface
    key: str = ""
    """X-API-Key."""
    status: int | None = None
    """None until it is answered, or where it never was."""


class _Silence(Response):
    """Says nothing until the client has gone."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass


class Front:
    """Listens on a loopback port from its construction on, and answers between `start` and `stop`."""

    def __init__(self, world: World, limit: Limit | None, port: int) -> None:
        self.calls: list[Call] = []
        self.faults = faults.Faults()
        self.interludes: list[tuple[str, Callable[[], None]]] = []
        """What somebody else does once, just before a call of a tool has its effect."""
        self.told: Callable[[], None] = lambda: None
        """Called when a request came, and when it was answered."""
        self._world, self._limit = world, limit
        routes = [
            Route("/health", self._health),
            Route("/mcp", self._rpc, methods=["POST"]),
            Route("/mcp/functions", self._functions),
            Route("/mcp/sse", self._sse, methods=["POST"]),
            Route("/mcp/{tool}", self._post, methods=["POST"]),
        ]
        self._config = uvicorn.Config(
            Starlette(routes=routes), ws="none", lifespan="off", log_config=None, log_level="critical",
            access_log=False, proxy_headers=False,
        )  # fmt: skip
        self._state = ServerState()
        self._socket = socket.create_server(("127.0.0.1", port))
        # Else head and body of an answer lie 40 ms apart: asyncio sets this only where it made the socket itself.
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
        tasks = list(self._state.tasks)
        for connection in list(self._state.connections):
            _reset(connection.transport)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _health(self, request: Request) -> Response:
        return await self._answered(request, Call("/health", {}, "post"), lambda: {"status": "healthy"})

    async def _functions(self, request: Request) -> Response:
        return await self._answered(request, Call("/mcp/functions", {}, "post"), lambda: {"functions": _listed()})

    async def _post(self, request: Request) -> Response:
        name = request.path_params["tool"]
        call = Call(name, {}, "post", request.headers.get("x-api-key", ""))
        if name not in TOOLS or "post" not in TOOLS[name].surfaces:
            return await self._answered(request, call, lambda: JSONResponse({"detail": "Not Found"}, 404))
        try:
            call.arguments = json.loads(await request.body())
            asked = TOOLS[name].asks.model_validate(call.arguments)
        except (ValueError, ValidationError) as error:
            invalid = _invalid(error, f"/mcp/{name}")
            return await self._answered(request, call, lambda: invalid)

        def work() -> Json:
            result = TOOLS[name].work(self._world, asked)
            return {"tasks": result} if isinstance(result, list) else result

        return await self._answered(request, call, work)

    async def _rpc(self, request: Request) -> Response:
        asked = await request.json()
        parameters = asked.get("params") or {}
        calls_tool = asked["method"] == "tools/call"
        name = parameters.get("name", "") if calls_tool else asked["method"]
        call = Call(name, parameters.get("arguments") or {}, "rpc", request.headers.get("x-api-key", ""))

        def work() -> Json:
            head = {"jsonrpc": "2.0", "id": asked.get("id")}
            return head | (self._called(call) if calls_tool else _method(asked["method"]))

        return await self._answered(request, call, work)

    async def _sse(self, request: Request) -> Response:
        """JSON-RPC as one event, a character at a time."""
        answer = await self._rpc(request)
        return StreamingResponse(_dripped(f"data: {bytes(answer.body).decode()}\n\n"), media_type="text/event-stream")

    def _called(self, call: Call) -> Json:
        tool = TOOLS.get(call.tool)
        if tool is None or "rpc" not in tool.surfaces:
            return {"error": {"code": -32601, "message": f"Method not found: {call.tool}"}}
        try:
            asked = tool.asks.model_validate(call.arguments)
        except ValidationError as error:
            data = f'Traceback (most recent call last):\n  File "mcp_api.py", line 1\n{error}'
            return {"error": {"code": -32603, "message": f"Internal error: {error}", "data": data}}
        try:
            result = tool.work(self._world, asked)
        except Refused as refusal:
            result = refusal.body
        text = json.dumps({"result": result} if isinstance(result, list) else result)
        return {"result": {"content": [{"type": "text", "text": text}]}}

    async def _answered(self, request: Request, call: Call, work: Callable[[], Json | Response]) -> Response:
        self.calls.append(call)
        self.told()
        if self._limit is not None and not self._limit.take():
            return self._sent(call, _too_many(self._limit, call, request))
        fault = self.faults.strike(call.tool)
        if (early := self._before(fault, call, request)) is not None:
            return self._sent(call, early)
        self._play_interludes(call.tool)
        answer = _done(work, request)
        match fault:
            case faults.LostAnswer():
                return self._cut(request)
            case faults.Hang():
                return _Silence()
            case faults.Slow(seconds):
                await asyncio.sleep(seconds)
        return self._sent(call, answer)

    def _play_interludes(self, tool: str) -> None:
        now = [play for play in self.interludes if play[0] == tool]
        self.interludes = [play for play in self.interludes if play[0] != tool]
        for _, act in now:
            act()

    def _before(self, fault: faults.Fault | None, call: Call, request: Request) -> Response | None:
        """What the fault does in place of the effect."""
        match fault:
            case faults.TooManyRequests(seconds):
                return _too_many(Limit(), call, request, retry_after_s=seconds)
            case faults.ServerError(status):
                return _crashed(request, status)
            case faults.Reset():
                return self._cut(request)
            case faults.Hang(after_effect=False):
                return _Silence()
        return None

    def _sent(self, call: Call, answer: Response) -> Response:
        if not isinstance(answer, _Silence):
            call.status = answer.status_code
        if self._limit is not None:
            answer.headers.update(self._limit.headers())
        answer.headers["X-Request-ID"] = f"{len(self.calls):08x}"
        self.told()
        return answer

    def _cut(self, request: Request) -> Response:
        """Reset the connection that the request came by."""
        for connection in list(self._state.connections):
            if connection.transport.get_extra_info("peername") == request.scope["client"]:
                _reset(connection.transport)
        return _Silence()


def _done(work: Callable[[], Json | Response], request: Request) -> Response:
    try:
        answer = work()
    except Refused as refusal:
        answer = refusal.body
    except Crashed:
        return _crashed(request, 500)
    return answer if isinstance(answer, Response) else JSONResponse(answer)


def _method(name: str) -> Json:
    if name == "initialize":
        return {"result": _GREETING}
    if name == "tools/list":
        return {"result": {"tools": _listed()}}
    return {"error": {"code": -32601, "message": f"Method not found: {name}"}}


def _listed() -> list[Json]:
    """All of them, those that can't be called among them; fields with defaults are said to be required."""
    callable_ = [{"name": name, "description": name, "inputSchema": _schema(name)} for name in TOOLS]
    return callable_ + [{"name": name, "description": name, "inputSchema": {"type": "object"}} for name in LISTED_ONLY]


def _schema(name: str) -> Json:
    schema = TOOLS[name].asks.model_json_schema()
    properties = {field: {**about, "optional": True} for field, about in schema.get("properties", {}).items()}
    return {"type": "object", "properties": properties, "required": [*schema.get("required", []), "limit"]}


def _invalid(error: Exception, path: str) -> Response:
    errors = ["body: JSON decode error"]
    if isinstance(error, ValidationError):
        errors = [f"body -> {' -> '.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
    body = {"error": "Validation error", "detail": "One or more fields failed validation", "errors": errors}
    return JSONResponse(body | {"path": path, "method": "POST", "request_id": "c3e977d2"}, 422)


def _crashed(request: Request, status: int) -> Response:
    body = {"error": "Internal server error", "detail": "An unexpected error occurred. Please try again later."}
    told = {"path": request.url.path, "method": request.method, "request_id": "-"}
    return JSONResponse(body | told, status, headers=_CLOSE)


def _too_many(limit: Limit, call: Call, request: Request, *, retry_after_s: int | None = None) -> Response:
    wait_s = max(int(limit.left_s), 1) if retry_after_s is None else retry_after_s
    body = {
        "error": "Rate limit exceeded",
        "detail": f"You have exceeded the rate limit of {limit.requests} requests.",
        "retry_after": wait_s,
        "limit": limit.requests,
        "remaining": 0,
        "reset_at": int(limit.headers()["X-RateLimit-Reset"]),
        "path": request.url.path,
        "method": request.method,
    }
    return JSONResponse(body, 429, headers={"Retry-After": str(wait_s)})


async def _dripped(text: str) -> AsyncIterator[str]:
    for character in text:
        yield character


def _reset(transport: asyncio.Transport) -> None:
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
    transport.abort()
