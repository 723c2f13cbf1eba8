"""From settings to exit code: what every service process does, whatever it serves.

HTTP answers at once (live, not ready); then the engine loads; then gRPC and HTTP take work. SIGTERM or SIGINT: health
says NOT_SERVING, calls in flight finish within GRACE_S, the engine closes, exit 0. A second signal exits at once.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from starlette.types import ASGIApp

from essence import config, observe
from essence.errors import ConfigError, JuneError
from essence.services.http import HttpServer

if TYPE_CHECKING:  # gRPC is not loaded before it is served, which a chat service does after it takes messages
    from essence.rpc.server import Limits, RpcServer, RpcService

S = TypeVar("S", bound=config.RpcProcess)
P = TypeVar("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Service(Generic[S, P]):
    """What tells one service from another."""

    name: str
    """As in `python -m essence NAME`."""
    role: Literal["stt", "tts", "llm"]
    """First part of its settings' names: stt_url, stt_grpc_port, stt_http_port."""
    settings: type[S]
    rpc: RpcService[P]
    open_engine: Callable[[str, S], AbstractAsyncContextManager[P]]
    """Called with the engine's URL."""
    http_api: Callable[[P, S], ASGIApp] | None = None
    """The service's own HTTP API, mounted at / once the engine is loaded. Its lifespan events are not run."""


def run(service: Service[S, P]) -> int:
    """Serve until told to stop; the exit code is 0, or 1 (it can't serve; one sentence says why)."""
    try:
        settings = config.read(service.settings)
        observe_process(service.name, settings)
        asyncio.run(_serve(service, settings))
    except JuneError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def observe_process(name: str, settings: config.Observability) -> None:
    """Logs and traces as the settings say; and the end of loading modules, none of which is garbage ever again."""
    gc.freeze()
    gc.enable()
    observe.set_up(
        name,
        level=settings.log_level,
        log_format=settings.log_format,
        otlp_endpoint=settings.otel_exporter_otlp_endpoint,
    )


async def _serve(service: Service[S, P], settings: S) -> None:
    from essence.rpc.server import RpcServer

    signals = Signals()
    async with AsyncExitStack() as stack:
        http = HttpServer(service.name, has_api=service.http_api is not None)
        rpc = RpcServer(service.rpc, limits_of(settings))
        await start(http, f"{service.role}_http_port", settings)
        stack.push_async_callback(http.stop)
        await start(rpc, f"{service.role}_grpc_port", settings)
        stack.push_async_callback(rpc.stop, 0.0)
        engine = await signals.unless_stopped(_load(stack, service, settings))
        if engine is not None:
            await rpc.serve(engine)
            http.serve(None if service.http_api is None else service.http_api(engine, settings))
            observe.logger().info("ready")
            await signals.stopping.wait()
        observe.logger().info("stopping", grace_s=settings.grace_s)
        await asyncio.gather(rpc.stop(settings.grace_s), http.drain(settings.grace_s))
    observe.logger().info("stopped")


def limits_of(settings: config.RpcProcess) -> Limits:
    """What its gRPC server takes."""
    from essence.rpc.server import Limits

    return Limits(settings.grpc_max_message_bytes, settings.grpc_max_calls, settings.grpc_max_call_s)


async def start(server: HttpServer | RpcServer[P], port_setting: str, settings: config.Process) -> None:
    """Bind a server to the port that a setting names.

    Raises:
        ConfigError: It can't be bound; the sentence names the setting.
    """
    wanted: int = getattr(settings, port_setting)
    try:
        bound = await server.start(settings.bind_host, wanted)
    except ConfigError as error:
        raise ConfigError(f"{port_setting.upper()}={wanted}: {error} Set it, or BIND_HOST, to a free one.") from error
    observe.logger().info("listening", setting=port_setting, host=settings.bind_host, port=bound)


async def _load(stack: AsyncExitStack, service: Service[S, P], settings: S) -> P:
    url: str = getattr(settings, f"{service.role}_url")
    observe.logger().info("engine_loading", url=url)
    with observe.stage("load") as timer:
        engine = await stack.enter_async_context(service.open_engine(url, settings))
    observe.logger().info("engine_loaded", url=url, seconds=round(timer.seconds, 3))
    return engine


class Signals:
    """SIGTERM and SIGINT of this process: the first asks it to stop, a second ends it at once."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        self._loading: asyncio.Task[object] | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._received, number)

    async def unless_stopped(self, work: Awaitable[T]) -> T | None:
        """Await `work`; None: it was asked to stop and has been cancelled."""
        self._loading = asyncio.current_task()
        try:
            return await work
        except asyncio.CancelledError:
            if self._loading is None or not self.stopping.is_set():
                raise
            self._loading.uncancel()
            return None
        finally:
            self._loading = None

    def _received(self, number: int) -> None:
        if self.stopping.is_set():
            os._exit(128 + number)
        self.stopping.set()
        if self._loading is not None:
            self._loading.cancel()
