"""A service while its engine loads, drains, or fails to load: in this process, so that loading can be held still."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI

from essence.config import InferenceApiService
from essence.fakes import ScriptedModel
from essence.rpc.server import LANGUAGE_MODEL
from essence.services import lifecycle
from essence.services.lifecycle import Service


class SlowEngine:
    """Loads when it is told to, and remembers whether it was closed."""

    def __init__(self) -> None:
        self.asked, self.load, self.closed = asyncio.Event(), asyncio.Event(), False

    @asynccontextmanager
    async def open(self, url: str, settings: InferenceApiService) -> AsyncIterator[ScriptedModel]:
        self.asked.set()
        await self.load.wait()
        try:
            yield ScriptedModel("hi")
        finally:
            self.closed = True


def hello_api(model: ScriptedModel, settings: InferenceApiService) -> FastAPI:
    app = FastAPI()

    @app.get("/v1/hello")
    async def hello() -> dict[str, str]:
        return {"hello": type(model).__name__}

    return app


def slow_service(engine: SlowEngine) -> Service[InferenceApiService, ScriptedModel]:
    return Service("inference-api", "llm", InferenceApiService, LANGUAGE_MODEL, engine.open, hello_api)


async def status(http: httpx.AsyncClient, path: str) -> int:
    return (await http.get(path)).status_code


async def until(http: httpx.AsyncClient, path: str) -> None:
    async with asyncio.timeout(30):
        while not await answers(http, path):  # noqa: ASYNC110  # the state is behind HTTP
            await asyncio.sleep(0.01)


async def answers(http: httpx.AsyncClient, path: str) -> bool:
    try:
        return await status(http, path) == 200
    except httpx.ConnectError:
        return False


@pytest.fixture
def settings() -> InferenceApiService:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return InferenceApiService(llm_grpc_port=0, llm_http_port=port, grace_s=5)


def web(settings: InferenceApiService) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{settings.llm_http_port}", trust_env=False)


async def test_health_tells_loading_from_ready_and_the_api_opens_with_the_engine(
    settings: InferenceApiService,
) -> None:
    engine = SlowEngine()
    serving = asyncio.create_task(lifecycle._serve(slow_service(engine), settings))
    async with web(settings) as http:
        await until(http, "/health/live")
        assert await status(http, "/health/ready") == 503
        assert (await http.get("/health")).json()["state"] == "loading"
        assert await status(http, "/v1/hello") == 503
        engine.load.set()
        await until(http, "/health/ready")
        assert (await http.get("/v1/hello")).json() == {"hello": "ScriptedModel"}
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(20):
        await serving
    assert engine.closed


async def test_sigterm_while_the_engine_loads_ends_the_service(settings: InferenceApiService) -> None:
    engine = SlowEngine()
    serving = asyncio.create_task(lifecycle._serve(slow_service(engine), settings))
    async with web(settings) as http:
        await until(http, "/health/live")
    await asyncio.wait_for(engine.asked.wait(), 20)
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(20):
        await serving
    assert not engine.closed
