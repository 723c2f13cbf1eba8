"""`python -m essence todorama`: June's own task board, over MCP and over plain HTTP."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pydantic_core
from starlette.types import ASGIApp, Receive, Scope, Send

from essence import config, observe
from essence.config import TodoramaService
from essence.errors import ConfigError, JuneError
from essence.services import loop
from essence.services.http import HttpServer
from essence.services.lifecycle import Signals, observe_process
from essence.tasks import backup
from essence.tasks.board import Board, open_own
from essence.tasks.front import Front, failure
from essence.tasks.keys import read_keys
from essence.tasks.mcp_face import open_mcp_face
from essence.tasks.post_face import PREFIX, PostFace, openapi, refuse, respond


def main(_: list[str]) -> int:
    """Serve the board until told to stop; returns the exit code."""
    try:
        settings = config.read(TodoramaService)
        observe_process("todorama", settings)
        logging.getLogger("mcp").setLevel(logging.WARNING)  # it has a line for each request
        loop.run(_serve(settings))
    except JuneError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


async def _serve(settings: TodoramaService) -> None:
    signals = Signals()
    async with AsyncExitStack() as stack:
        http = HttpServer("todorama", has_api=True)
        await _start(http, settings)
        stack.push_async_callback(http.stop)
        app = await signals.unless_stopped(stack.enter_async_context(open_app(settings)))
        if app is not None:
            http.serve(app)
            observe.logger().info("ready")
            await signals.stopping.wait()
            app.stop_waiting()
        observe.logger().info("stopping", grace_s=settings.todorama_grace_s)
        await http.drain(settings.todorama_grace_s)
    observe.logger().info("stopped")


async def _start(http: HttpServer, settings: TodoramaService) -> None:
    try:
        bound = await http.start(settings.todorama_host, settings.todorama_port)
    except ConfigError as error:
        raise ConfigError(f"TODORAMA_PORT={settings.todorama_port}: {error} Set it to a free one.") from error
    observe.logger().info("listening", setting="todorama_port", host=settings.todorama_host, port=bound)


@asynccontextmanager
async def open_app(settings: TodoramaService) -> AsyncIterator[Faces]:
    """The board and both its faces, for as long as the context is open.

    Raises:
        ConfigError: A setting can't be used.
        EngineMissing, StoreError, Unreachable, TooSlow: The database can't be opened.
    """
    keys = read_keys(settings.todorama_keys, settings.todorama_host)  # first, as it costs nothing
    async with AsyncExitStack() as stack:
        board = await stack.enter_async_context(open_own(settings.todorama_url, settings))
        front = Front(board, keys, settings.todorama_rate_limit)
        mcp = await stack.enter_async_context(open_mcp_face(front, settings.todorama_max_body_bytes))
        await stack.enter_async_context(_upkeep(board, settings))
        yield Faces(board, mcp, PostFace(front, settings.todorama_max_body_bytes))


class Faces:
    """Which face a request is for."""

    def __init__(self, board: Board, mcp: ASGIApp, post: PostFace) -> None:
        self._mcp, self._post = mcp, post
        self.stop_waiting = board.stop_waiting

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path.startswith(PREFIX):
            return await self._post(scope, receive, send)
        if path == "/mcp":
            return await self._mcp(scope, receive, send)
        if path == "/openapi.json":
            return await respond(send, 200, pydantic_core.to_json(openapi()))
        return await refuse(send, failure("not_found", "There is nothing here. See /openapi.json."))


@asynccontextmanager
async def _upkeep(board: Board, settings: TodoramaService) -> AsyncIterator[None]:
    """What is done although nobody asks: lost leases, recurring tasks, backups."""
    tasks = [asyncio.create_task(_keep_up(board, settings)), asyncio.create_task(_back_up(settings))]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _keep_up(board: Board, settings: TodoramaService) -> None:
    while True:
        try:
            await board.keep_up()
        except JuneError as error:
            observe.logger().warning("upkeep_failed", code=error.code, error=str(error))
        await asyncio.sleep(max(settings.todorama_poll_s, 1.0))


async def _back_up(settings: TodoramaService) -> None:
    """Look each minute whether tonight's backup is there, so that a night that the machine slept is made up for."""
    path = backup.file_of(settings.todorama_url)
    if path is None or settings.todorama_backups == 0:
        return
    shelf = backup.Shelf(path, settings.todorama_backup_dir, settings.todorama_backups)
    while True:
        try:
            made = await asyncio.to_thread(shelf.keep_up)
            if made is not None:
                observe.logger().info("backed_up", file=str(made))
        except JuneError as error:
            observe.logger().error("backup_failed", error=str(error))
        await asyncio.sleep(60.0)
