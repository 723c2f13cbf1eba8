"""`POST /mcp/<tool>`: the tools as plain HTTP, and what tells of them: `/openapi.json` and `/mcp/functions`.

A plain ASGI app: a request takes a fraction of a millisecond, of which routing by a framework would be the half.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pydantic_core
from pydantic.json_schema import models_json_schema
from starlette.types import Receive, Scope, Send

from essence import __version__
from essence.tasks.front import STATUS, Caller, Front, code_of, failure
from essence.tasks.hanging_up import until_hung_up
from essence.tasks.records import Answer
from essence.tasks.registry import TOOLS

PREFIX = "/mcp/"
_JSON = (b"content-type", b"application/json")


class PostFace:
    """Serves the paths below `/mcp/`."""

    def __init__(self, front: Front, body_max_bytes: int) -> None:
        self._front = front
        self._body_max_bytes = body_max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        tool = TOOLS.get(_name(scope))
        if tool is not None and tool.waits:
            await until_hung_up(self._answer, scope, receive, send)
        else:  # done before anybody could be seen to hang up
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = _name(scope)
        if scope["method"] == "GET" and name == "functions":
            return await respond(send, 200, pydantic_core.to_json(functions()))
        if scope["method"] != "POST":
            return await refuse(send, failure("invalid_input", "Send a POST with the arguments as JSON."), status=405)
        caller = self._front.admit(dict(scope["headers"]))
        if not isinstance(caller, Caller):
            return await refuse(send, caller)
        body = await self._body(receive)
        if body is None:
            too_large = f"The request is larger than {self._body_max_bytes} bytes."
            return await refuse(send, failure("too_large", too_large))
        return await refuse(send, await self._front.answer(name, body, caller))

    async def _body(self, receive: Receive) -> bytes | None:
        """None: longer than allowed."""
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > self._body_max_bytes:
                return None
            more = message.get("more_body", False)
        return body


def _name(scope: Scope) -> str:
    return str(scope["path"]).removeprefix(PREFIX)


async def refuse(send: Send, answer: Answer, status: int | None = None) -> None:
    """Send an answer, with the status that its code calls for if it is a failure."""
    code = code_of(answer)
    await respond(send, status or (200 if code is None else STATUS[code]), pydantic_core.to_json(answer))


async def respond(send: Send, status: int, body: bytes) -> None:
    """Send JSON."""
    headers = [_JSON, (b"content-length", str(len(body)).encode())]
    if status == 405:
        headers.append((b"allow", b"POST"))
    if status in (429, 503):
        headers.append((b"retry-after", b"2"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@cache
def functions() -> list[dict[str, Any]]:
    """All tools, as todorama lists them."""
    return [
        {"name": tool.name, "description": tool.description, "parameters": tool.arguments.model_json_schema()}
        for tool in TOOLS.values()
    ]


@cache
def openapi() -> dict[str, Any]:
    """The OpenAPI document of this face."""
    kinds = list({tool.arguments for tool in TOOLS.values()})
    names, schemas = models_json_schema(
        [(kind, "validation") for kind in kinds], ref_template="#/components/schemas/{model}"
    )
    paths = {
        f"{PREFIX}{tool.name}": {"post": _operation(tool.name, names[tool.arguments, "validation"])}
        for tool in TOOLS.values()
    }
    key = {"type": "apiKey", "in": "header", "name": "X-API-Key"}
    return {
        "openapi": "3.1.0",
        "info": {"title": "June's task board", "version": __version__},
        "paths": paths,
        "components": {"schemas": schemas["$defs"] | {"Failure": _FAILURE}, "securitySchemes": {"key": key}},
    }


_FAILURE = {
    "type": "object",
    "properties": {
        "success": {"const": False},
        "error": {
            "type": "object",
            "properties": {
                "code": {"enum": sorted(STATUS)},
                "message": {"type": "string"},
                "field": {"type": ["string", "null"]},
            },
            "required": ["code", "message", "field"],
        },
    },
    "required": ["success", "error"],
}


def _operation(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    success = {"schema": {"type": "object", "properties": {"success": {"const": True}}, "required": ["success"]}}
    failed = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}}}}
    return {
        "operationId": name,
        "summary": TOOLS[name].description,
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {
            "200": {"description": "Done.", "content": {"application/json": success}},
            "default": {"description": "Not done; the code says why.", **failed},
        },
        "security": [{}, {"key": []}],
    }
