"""The Message API for tests: over real HTTP, in front of the telegram service's real gRPC and the fake Telegram."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from essence.config import MessageApiClient, MessageApiService
from essence.fakes.telegram import TelegramServer, User
from essence.message_client import MessageApi, open_message_api
from essence.rpc.server import CHANNEL, Limits, RpcServer
from essence.services.http import HttpServer
from essence.services.message_api import process
from tests.chat_june import june

KEY = "a key of the tests"
NOWHERE = "grpc://127.0.0.1:1"
"""The address of a service that is down."""


@asynccontextmanager
async def telegram_service(telegram: TelegramServer, owner: User, store_url: str, port: int) -> AsyncIterator[None]:
    """The telegram service, but for its process and its engines."""
    rpc = RpcServer(CHANNEL, Limits())
    async with june(telegram, store_url, owner) as assistant:
        await rpc.start("127.0.0.1", port)
        try:
            await rpc.serve(assistant.messenger)
            yield
        finally:
            await rpc.stop(0.0)


@asynccontextmanager
async def message_api(store_url: str, folder: Path, *, telegram_port: int = 1, **more: object) -> AsyncIterator[str]:
    """The message-api service, but for its process; gives its URL."""
    telegram_url = f"grpc://127.0.0.1:{telegram_port}"
    chosen = {"message_api_key": KEY, "telegram_url": telegram_url, "discord_url": NOWHERE, **more}
    settings = MessageApiService(
        _env_file=None,
        store_url=store_url,
        store_poll_s=0.05,
        message_api_key_file=folder / "message-api.key",
        **chosen,
    )
    http = HttpServer("message-api", has_api=True)
    async with process.running(settings) as api:
        port = await http.start("127.0.0.1", 0)
        http.serve(api)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            await http.stop()


@asynccontextmanager
async def client(url: str, key: str = KEY) -> AsyncIterator[MessageApi]:
    settings = MessageApiClient(_env_file=None, message_api_url=url, message_api_key=key)
    async with open_message_api(settings) as api:
        yield api


@asynccontextmanager
async def http(url: str, key: str | None = KEY) -> AsyncIterator[httpx.AsyncClient]:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as opened:
        yield opened
