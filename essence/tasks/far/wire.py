"""Calls to a board's tools, over the MCP SDK or, where a tool isn't callable that way, as `POST /mcp/<tool>`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx2
from mcp.shared.exceptions import MCPError
from mcp_types import METHOD_NOT_FOUND, CallToolResult, TextContent

from essence import __version__
from essence.config import TasksClient
from essence.errors import ConfigError, EngineMissing, StoreError, TooSlow
from essence.tasks.far.connection import Connection, Opened
from essence.tasks.far.http import CONNECT_S, LONGEST_WAIT_S, Checked, Room, Spoken
from essence.tasks.far.refusals import from_mcp, refusal

Answer = dict[str, Any]
"""JSON in todorama's fields, `success` not false."""


@asynccontextmanager
async def open_wire(settings: TasksClient) -> AsyncIterator[Wire]:
    """The way to the board at `TASKS_URL`, connected by its first call.

    Raises:
        ConfigError: The URL can't be used.
    """
    url = _checked(settings.tasks_url)
    headers = {"User-Agent": f"june/{__version__}", "Accept-Encoding": "identity"}
    if settings.tasks_key:
        headers["X-API-Key"] = settings.tasks_key
    timeout = httpx2.Timeout(settings.tasks_deadline_s + LONGEST_WAIT_S, connect=CONNECT_S)
    room = Room()
    checked = Checked(httpx2.AsyncHTTPTransport(), room)
    async with (
        httpx2.AsyncClient(transport=Spoken(checked), headers=headers, timeout=timeout) as sdk_client,
        httpx2.AsyncClient(transport=checked, headers=headers, timeout=timeout) as client,
    ):
        connection = Connection(url, sdk_client, deadline_s=settings.tasks_deadline_s)
        try:
            yield Wire(url, connection, client, room, deadline_s=settings.tasks_deadline_s)
        finally:
            await connection.close()


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        complete = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number, half an IPv6 address
        complete = False
    if not complete:
        raise ConfigError(f"TASKS_URL={url}: write it as http://HOST:PORT/mcp, such as http://127.0.0.1:8004/mcp.")
    return url.rstrip("/")


class Wire:
    """Asks a board's tools. Whatever fails is one of June's errors; a call is sent once."""

    def __init__(
        self, url: str, connection: Connection, client: httpx2.AsyncClient, room: Room, *, deadline_s: float
    ) -> None:
        """`deadline_s`: of a call, beyond the time that it waits for work at the board."""
        self.room = room
        self._url, self._connection, self._client, self._deadline_s = url, connection, client, deadline_s
        self._posted: set[str] = set()

    async def tools(self) -> frozenset[str]:
        """Names of the tools that the board lists."""
        return (await self._connection.open()).tools

    async def call(self, tool: str, arguments: Mapping[str, object], *, wait_s: float = 0.0) -> Answer:
        """What a tool answers. Arguments that are None are left out. `wait_s`: how long the board may wait for work.

        Raises:
            Conflict, InvalidInput, NotAllowed, NotFound: The board refuses.
            RateLimited, StoreError, TooSlow, Unreachable: It fails, or the way to it; the call may have had its effect.
            ConfigError, EngineMissing: What answers at TASKS_URL is no such board.
        """
        given = {name: value for name, value in arguments.items() if value is not None}
        try:
            async with asyncio.timeout(self._deadline_s + wait_s):
                return _answer(await (self._post if tool in self._posted else self._speak)(tool, given))
        except TimeoutError as error:
            raise TooSlow(f"The task board ({self._url}) took too long over {tool}. Try again.") from error

    async def _speak(self, tool: str, arguments: dict[str, object]) -> str:
        opened = await self._connection.open()
        try:
            return _text(await _called(opened, tool, arguments))
        except ConfigError:  # 404: the board was restarted and has forgotten the session; nothing was done
            await self._connection.close(opened)
            return _text(await _called(await self._connection.open(), tool, arguments))
        except _NotCallable:
            self._posted.add(tool)
            return await self._post(tool, arguments)

    async def _post(self, tool: str, arguments: dict[str, object]) -> str:
        try:
            return (await self._client.post(f"{self._url}/{tool}", json=arguments)).text
        except ConfigError as error:
            raise EngineMissing(f"The task board ({self._url}) has no tool {tool}. Check TASKS_URL.") from error


class _NotCallable(Exception):
    """The board lists a tool that its JSON-RPC doesn't know."""


async def _called(opened: Opened, tool: str, arguments: dict[str, object]) -> CallToolResult:
    try:
        return await opened.session.call_tool(tool, arguments)
    except MCPError as error:
        if error.code == METHOD_NOT_FOUND:
            raise _NotCallable from error
        raise from_mcp(error) from error
    except (ValueError, RuntimeError) as error:
        raise StoreError(f"The task board's answer to {tool} can't be read: {error!s:.200}") from error


def _text(result: CallToolResult) -> str:
    return "".join(part.text for part in result.content if isinstance(part, TextContent))


def _answer(text: str) -> Answer:
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise StoreError(f"The task board's answer can't be read: {text:.200}") from error
    if isinstance(answer, list):
        return {"result": answer}
    if not isinstance(answer, dict):
        raise StoreError(f"The task board's answer can't be read: {text:.200}")
    if answer.get("success") is False:
        raise refusal(answer)
    return answer
