"""The tools over MCP: streamable HTTP at `/mcp`, by the official SDK. Each request stands alone: no session is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import pydantic_core
from mcp import types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.types import ASGIApp, Receive, Scope, Send

from essence import __version__
from essence.tasks.front import Caller, Front, code_of, failure
from essence.tasks.hanging_up import until_hung_up
from essence.tasks.post_face import refuse
from essence.tasks.registry import TOOLS

_CALLER = "june.caller"
"""Where the ASGI scope keeps who asks."""
_INSTRUCTIONS = (
    "A task board. Claim work with claim_next and keep its lease_token; tell how it gets on with add_task_update; end "
    "it with complete_task, or fail_task if it failed. list_available_tasks and reserve_task work as in todorama."
)
_NO_PAGE = "Here the board speaks MCP with agents. GET /health tells whether it runs."


@asynccontextmanager
async def open_mcp_face(front: Front, body_max_bytes: int) -> AsyncIterator[ASGIApp]:
    """An ASGI app for `/mcp`, while the context is open."""
    manager = StreamableHTTPSessionManager(
        _server(front), json_response=True, stateless=True, max_request_body_size=body_max_bytes
    )

    async def face(scope: Scope, receive: Receive, send: Send) -> None:
        caller = front.admit(dict(scope["headers"]))
        if not isinstance(caller, Caller):
            return await refuse(send, caller)
        if scope["method"] == "GET":  # MCP 2025-06-18, "Listening for Messages from the Server": 405 where none come
            return await refuse(send, failure("invalid_input", _NO_PAGE), status=405)
        scope[_CALLER] = caller
        return await until_hung_up(manager.handle_request, scope, receive, send)

    async with manager.run():
        yield face


def _server(front: Front) -> Server[dict[str, Any]]:
    async def list_tools(
        _context: ServerRequestContext[dict[str, Any]], _asked: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=_tools())

    async def call_tool(
        context: ServerRequestContext[dict[str, Any]], asked: types.CallToolRequestParams
    ) -> types.CallToolResult:
        assert context.request is not None  # over HTTP there is one
        caller = context.request.scope[_CALLER]
        answer = await front.answer(asked.name, pydantic_core.to_json(asked.arguments or {}), caller)
        text = types.TextContent(type="text", text=pydantic_core.to_json(answer).decode())
        return types.CallToolResult(content=[text], structured_content=answer, is_error=code_of(answer) is not None)

    return Server(
        "june-todorama",
        version=__version__,
        instructions=_INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


@cache
def _tools() -> list[types.Tool]:
    return [
        types.Tool(
            name=tool.name,
            description=tool.description,
            input_schema=tool.arguments.model_json_schema(),
            annotations=types.ToolAnnotations(read_only_hint=not tool.changes),
        )
        for tool in TOOLS.values()
    ]
