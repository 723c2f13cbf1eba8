"""A bot's webhook on a real socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:  # pytest's own
        yield


class Listening:
    """An async context manager that gives the address at which `take` is called."""

    def __init__(self, take: Callable[[Request], Awaitable[Response]]) -> None:
        app = Starlette(routes=[Route("/hook", take, methods=["POST"])])
        self._server = _Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="none"))
        self._socket = socket.create_server(("127.0.0.1", 0))

    async def __aenter__(self) -> str:
        self._task = asyncio.create_task(self._server.serve([self._socket]))
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/hook"

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = self._server.force_exit = True
        await self._task
        self._socket.close()
