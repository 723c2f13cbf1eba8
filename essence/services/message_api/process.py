"""From settings to exit code: the store, one handover for each platform, and the API in front of them."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from starlette.types import ASGIApp

from essence import config, observe
from essence.dialogue import Platform
from essence.errors import JuneError
from essence.ports import Store
from essence.rpc.client import open_messenger
from essence.services import lifecycle
from essence.services.http import HttpServer
from essence.services.message_api import access
from essence.services.message_api.api import message_api
from essence.services.message_api.handover import Handover
from essence.services.upkeep import prune_daily
from essence.store import open_store


def run() -> int:
    """Serve until told to stop; the exit code is 0, or 1 (it can't serve; one sentence says why)."""
    try:
        settings = config.read(config.MessageApiService)
        lifecycle.observe_process("message-api", settings)
        asyncio.run(_serve(settings))
    except JuneError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


async def _serve(settings: config.MessageApiService) -> None:
    signals = lifecycle.Signals()
    async with AsyncExitStack() as stack:
        http = HttpServer("message-api", has_api=True)
        await lifecycle.start(http, "message_api_http_port", settings)
        stack.push_async_callback(http.stop)
        http.serve(await stack.enter_async_context(running(settings)))
        observe.logger().info("ready")
        await signals.stopping.wait()
        observe.logger().info("stopping", grace_s=settings.grace_s)
        await http.drain(settings.grace_s)
    observe.logger().info("stopped")


@asynccontextmanager
async def running(settings: config.MessageApiService) -> AsyncIterator[ASGIApp]:
    """Hand messages over while the context is open; gives the API that takes them.

    Raises:
        ConfigError: A setting can't be used, or there is no key and others than this machine could reach the API.
        StoreError, Unreachable, TooSlow: The store can't be opened.
    """
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(settings.store_url, settings))
        callers = await access.open_callers(store, settings)
        urls = _urls(settings)
        handovers = [await _handover(stack, store, settings, *one) for one in urls.items()]
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        work = [tasks.create_task(one) for one in (prune_daily(store), *(handover.run() for handover in handovers))]
        try:
            yield message_api(store, callers, frozenset(urls))
        finally:
            for task in work:
                task.cancel()


def _urls(settings: config.MessageApiService) -> dict[Platform, str]:
    """The service of each platform that has one."""
    urls: dict[Platform, str] = {"telegram": settings.telegram_url, "discord": settings.discord_url}
    return {platform: url for platform, url in urls.items() if url != "none"}


async def _handover(
    stack: AsyncExitStack, store: Store, settings: config.MessageApiService, platform: Platform, url: str
) -> Handover:
    messenger = await stack.enter_async_context(open_messenger(url))
    worker_id = settings.message_api_worker_id or f"message-api@{socket.gethostname()}"
    return Handover(store.messages, messenger, platform, worker_id=f"{worker_id}/{platform}")
