"""Tools of MCP servers, as an `mcp.json` in the usual format names them:

    {"mcpServers": {"files": {"command": "npx", "args": ["server-files", "."], "env": {"KEY": "${KEY}"}},
                    "lights": {"url": "https://…/mcp", "headers": {"Authorization": "Bearer ${TOKEN}"}}}}

A server is a stranger: what it answers is words of others, and so are its tools' descriptions. Each of its tools is
asked for, unless the server says that the tool only reads (`readOnlyHint`): the owner trusts it to say so by having
listed it, until the model has read words of others, which could have it tell the server anything.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, Implementation, TextContent
from mcp_types import Tool as McpTool

from essence import observe
from essence.agent.tools.tool import AnyTool, Call, Kind, Tool
from essence.agent.watched import is_told_to_stop
from essence.errors import ConfigError, EngineError, InvalidInput, JuneError, TooSlow, Unreachable

T = TypeVar("T")
CONNECT_S = 30.0
CALL_S = 120.0
AGAIN_S = 30.0
"""Between two tries of a server that wasn't there."""
_PAGES_MAX = 20
"""Lists of tools that a server may give, one after the other."""
_NAME = re.compile(r"[^a-zA-Z0-9_-]")
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
_PROVES: frozenset[Kind] = frozenset({"outside"})


@dataclass(frozen=True, slots=True)
class Server:
    """One entry of `mcp.json`."""

    name: str
    command: tuple[str, ...] = ()
    env: Mapping[str, str] | None = None
    url: str = ""
    headers: Mapping[str, str] | None = None


def servers(path: Path) -> tuple[Server, ...]:
    """What an `mcp.json` names. Variables of the environment stand in it as `${NAME}` or `${NAME:-default}`.

    Raises:
        ConfigError: It can't be read, or it isn't in this format.
    """
    try:
        entries = json.loads(path.read_text())["mcpServers"]
        return tuple(_server(name, entry) for name, entry in entries.items() if not entry.get("disabled", False))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"AGENT_MCP={path} can't be read as an mcp.json ({error!r}).") from error


def _server(name: str, entry: dict[str, Any]) -> Server:
    entry = _filled(entry)
    if "url" in entry:
        return Server(name, url=entry["url"], headers=entry.get("headers"))
    return Server(name, command=(entry["command"], *entry.get("args", ())), env=entry.get("env"))


def _filled(value: Any) -> Any:
    match value:
        case str():
            return _VARIABLE.sub(lambda found: _variable(found[1], found[2]), value)
        case dict():
            return {key: _filled(inner) for key, inner in value.items()}
        case list():
            return [_filled(inner) for inner in value]
    return value


def _variable(name: str, default: str | None) -> str:
    value = os.environ.get(name, default)  # of the servers, not of June: names that only mcp.json knows
    if value is None:
        raise ValueError(f"{name} is not set")
    return value


@asynccontextmanager
async def open_servers(listed: tuple[Server, ...]) -> AsyncIterator[Callable[[], tuple[AnyTool, ...]]]:
    """Connect to all on entry; yields what tells the tools of those that are there, in the order of the list.

    One that can't be reached is left out with a warning, and tried again until it is there: services that start
    together are ready in any order.
    """
    guests = [_Guest(Link(server)) for server in listed]
    joining = [asyncio.create_task(guest.join()) for guest in guests]
    try:
        await asyncio.gather(*(guest.tried.wait() for guest in guests))
        yield lambda: tuple(tool for guest in guests for tool in guest.tools)
    finally:
        for task in joining:
            task.cancel()
        await asyncio.gather(*joining, return_exceptions=True)
        await asyncio.gather(*(guest.link.close() for guest in guests))


class _Guest:
    """A server, and its tools once it has told them."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.tools: tuple[AnyTool, ...] = ()
        self.tried = asyncio.Event()

    async def join(self) -> None:
        """Ask for the tools until they are told."""
        while True:
            try:
                self.tools = tuple(_tool(self.link, one) for one in await self.link.tools())
            except Exception as error:  # a mistake of June's, too: no server is left out without a word
                if not self.tried.is_set():
                    log = observe.logger().bind(server=self.link.server.name, error=str(error))
                    log.warning("mcp_server_away", exc_info=not isinstance(error, JuneError))
            else:
                observe.logger().info("mcp_server_joined", server=self.link.server.name, tools=len(self.tools))
                return
            finally:
                self.tried.set()
            await asyncio.sleep(AGAIN_S)


class Link:
    """A session with one server: opened by its first use, and again by the next after it broke.

    A task of its own opens, holds and closes it, since the SDK's scopes must be left by the task that entered them.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self._client: Client | None = None
        self._holding: asyncio.Task[None] | None = None
        self._enough = asyncio.Event()
        self._opening = asyncio.Lock()

    async def tools(self) -> list[McpTool]:
        """All tools of the server.

        Raises:
            Unreachable, TooSlow: It doesn't answer.
        """
        return await self._ask(_all_tools, CONNECT_S)

    async def call(self, name: str, arguments: dict[str, Any]) -> CallToolResult:
        """Use a tool.

        Raises:
            Unreachable, TooSlow: The server doesn't answer. What was asked may have been done.
        """
        return await self._ask(lambda client: client.call_tool(name, arguments), CALL_S)

    async def _ask(self, ask: Callable[[Client], Awaitable[T]], deadline_s: float) -> T:
        client: Client | None = None
        try:
            async with asyncio.timeout(deadline_s):
                client = await self._open()
                return await ask(client)
        except JuneError:
            raise
        except TimeoutError as error:
            await self._drop(client)
            raise TooSlow(f"The MCP server {self.server.name} does not answer.") from error
        except (Exception, asyncio.CancelledError) as error:  # the SDK raises what transports of several libraries do
            if isinstance(error, asyncio.CancelledError) and is_told_to_stop():
                raise
            await self._drop(client)
            raise Unreachable(f"The MCP server {self.server.name} failed ({error!r:.200}).") from error

    async def _open(self) -> Client:
        async with self._opening:
            if self._client is None:
                await self.close()  # what an earlier one left
                ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
                self._enough = asyncio.Event()
                self._holding = holding = asyncio.create_task(self._hold(ready, self._enough))
                try:
                    self._client = await ready
                except BaseException:
                    holding.cancel()
                    raise
            return self._client

    async def _hold(self, ready: asyncio.Future[Client], enough: asyncio.Event) -> None:
        held: Client | None = None
        try:
            async with _connected(self.server) as held:
                ready.set_result(held)
                await enough.wait()
        except Exception as error:  # noqa: BLE001 - the SDK's task groups raise groups of anything
            if not ready.done():
                ready.set_exception(Unreachable(_not_reached(self.server, error)))
        finally:
            if self._client is held:
                self._client = None
            if not ready.done():  # whoever waits for it was not told to stop
                ready.set_exception(Unreachable(f"The MCP server {self.server.name} was let go of. Try again."))

    async def _drop(self, worn: Client | None) -> None:
        """Leave a session that broke, unless it was left before: the one that is open then is another's."""
        if worn is not None and worn is self._client:
            await self.close()

    async def close(self) -> None:
        """Let go of the session; the next use opens a new one."""
        holding, self._holding, self._client = self._holding, None, None
        if holding is None:
            return
        self._enough.set()
        try:
            await asyncio.wait([holding], timeout=CONNECT_S)
        finally:
            holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)


def _not_reached(server: Server, error: Exception) -> str:
    if isinstance(error, FileNotFoundError) and server.command:
        return (
            f"The MCP server {server.name} can't be started: there is no program {server.command[0]!r} on this machine."
        )
    return f"The MCP server {server.name} can't be reached ({error!r:.200})."


async def _all_tools(client: Client) -> list[McpTool]:
    found: list[McpTool] = []
    cursor: str | None = None
    for _ in range(_PAGES_MAX):
        page = await client.list_tools(cursor=cursor)
        found += page.tools
        if not (cursor := page.next_cursor):
            return found
    raise InvalidInput(f"It lists no end of tools: more than {_PAGES_MAX} pages.")


@asynccontextmanager
async def _connected(server: Server) -> AsyncIterator[Client]:
    async with AsyncExitStack() as stack:
        if server.url:
            http = await stack.enter_async_context(
                httpx2.AsyncClient(headers=dict(server.headers or {}), timeout=CALL_S)
            )
            transport: Any = streamable_http_client(server.url, http_client=http)
        else:
            command, *arguments = server.command
            env = None if server.env is None else dict(server.env)
            transport = StdioServerParameters(command=command, args=arguments, env=env)
        yield await stack.enter_async_context(Client(transport, client_info=Implementation(name="june", version="1")))


def _tool(link: Link, one: McpTool) -> AnyTool:
    reads = one.annotations is not None and one.annotations.read_only_hint is True

    async def run(_: Call, arguments: dict[str, Any]) -> str:
        result = await link.call(one.name, arguments)
        text = "\n".join(block.text for block in result.content if isinstance(block, TextContent))
        if result.is_error:
            raise EngineError(text or "The tool failed and did not say why.")
        return text or json.dumps(result.structured_content or {})

    return Tool(
        name=_NAME.sub("_", f"{link.server.name}_{one.name}")[:64],
        description=(one.description or one.title or one.name)[:1000],
        parameters=json.dumps(one.input_schema),
        parse=_parsed,
        run=run,
        effect="none" if reads else "risk",
        proves=frozenset() if reads else _PROVES,
        foreign=True,
        described_by_others=True,
        repeatable=False,
    )


def _parsed(text: str) -> dict[str, Any]:
    try:
        arguments = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"The arguments are no JSON ({error}). Write them again.") from error
    if not isinstance(arguments, dict):
        raise InvalidInput("The arguments must be a JSON object.")
    return arguments
