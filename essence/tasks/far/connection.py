"""An MCP session with a board, kept open."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

import httpx2
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import Implementation, PaginatedRequestParams

from essence import __version__
from essence.errors import ConfigError, JuneError, TooSlow, Unreachable
from essence.tasks.far.refusals import from_mcp


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that has been greeted."""

    session: ClientSession
    tools: frozenset[str]
    """What the board says it has; on a todorama most of it can't be called over JSON-RPC."""


class Connection:
    """Opens a session when it is first needed, and again after it broke.

    A task of its own opens, holds and closes it, since the SDK's scopes must be left by the task that entered them.
    """

    def __init__(self, url: str, client: httpx2.AsyncClient, *, deadline_s: float) -> None:
        """`client`: its owner's to close, after this. `deadline_s`: to open a session."""
        self._url, self._client, self._deadline_s = url, client, deadline_s
        self._opening = asyncio.Lock()
        self._opened: Opened | None = None
        self._task: asyncio.Task[None] | None = None
        self._enough = asyncio.Event()

    async def open(self) -> Opened:
        """The session that is open, or a new one.

        Raises:
            JuneError: As the board or the way to it failed.
        """
        async with self._opening:
            if self._opened is None:
                self._opened = await self._fresh()
            return self._opened

    async def close(self, worn: Opened | None = None) -> None:
        """Leave a session that no longer works, or whichever is open."""
        async with self._opening:
            if worn is not None and worn is not self._opened:
                return  # somebody has made a new one
            self._opened = None
            await self._leave()

    async def _fresh(self) -> Opened:
        await self._leave()
        ready: asyncio.Future[Opened] = asyncio.get_running_loop().create_future()
        self._enough = asyncio.Event()
        self._task = asyncio.create_task(self._hold(ready, self._enough))
        try:
            async with asyncio.timeout(self._deadline_s):
                return await ready
        except TimeoutError as error:
            await self._leave()
            raise TooSlow(f"The task board ({self._url}) does not greet. Try again, or look at its log.") from error
        except BaseException:
            await self._leave()
            raise

    async def _leave(self) -> None:
        task, self._task = self._task, None
        if task is None:
            return
        self._enough.set()
        _, late = await asyncio.wait([task], timeout=self._deadline_s)
        if late:
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def _hold(self, ready: asyncio.Future[Opened], enough: asyncio.Event) -> None:
        try:
            async with (
                streamable_http_client(self._url, http_client=self._client) as (read, write),
                ClientSession(read, write, client_info=Implementation(name="june", version=__version__)) as session,
            ):
                if await _greet(session, ready):
                    await enough.wait()
        except Exception as error:  # noqa: BLE001 - the SDK's task groups raise groups of anything
            self._broke(ready, error)
        finally:
            with contextlib.suppress(asyncio.InvalidStateError):
                ready.set_exception(Unreachable("The session with the task board ended. Try again."))
                ready.exception()

    def _broke(self, ready: asyncio.Future[Opened], error: Exception) -> None:
        self._opened = None
        if not ready.done():
            broken = Unreachable(f"The session with the task board broke ({error!r:.200}). Try again.")
            broken.__cause__ = error
            ready.set_exception(broken)


async def _greet(session: ClientSession, ready: asyncio.Future[Opened]) -> bool:
    """Hand over the session, or why there is none; False if nobody waits for it any more or it failed."""
    try:
        await session.initialize()
        opened = Opened(session, await _tools(session))
    except MCPError as error:
        failure: JuneError = from_mcp(error)
    except (ValueError, RuntimeError) as error:  # an answer that is no MCP
        failure = ConfigError(f"TASKS_URL: what answers there speaks no MCP ({error!s:.200}). Check the address.")
    else:
        if not ready.done():
            ready.set_result(opened)
        return True
    if not ready.done():
        ready.set_exception(failure)
    return False


async def _tools(session: ClientSession) -> frozenset[str]:
    names: set[str] = set()
    cursor: str | None = None
    while True:
        page = await session.list_tools(params=PaginatedRequestParams(cursor=cursor) if cursor else None)
        names.update(tool.name for tool in page.tools)
        cursor = page.next_cursor
        if not cursor:
            return frozenset(names)
