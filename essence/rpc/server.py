"""The gRPC server that a service process runs: one role, its health, and reflection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection

from essence.errors import ConfigError
from essence.ports import LanguageModel, Messenger, Synthesizer, Transcriber
from essence.rpc import servicers
from essence.rpc.servicers import Desk
from essence.rpc.v1 import (
    chat_pb2,
    chat_pb2_grpc,
    language_model_pb2,
    language_model_pb2_grpc,
    speech_to_text_pb2,
    speech_to_text_pb2_grpc,
    text_to_speech_pb2,
    text_to_speech_pb2_grpc,
)

P = TypeVar("P")

LAST_WORDS_S = 0.2
"""What a watcher of the server's health gets to hear that it stops."""


@dataclass(frozen=True, slots=True)
class RpcService(Generic[P]):
    """A role as gRPC serves it."""

    name: str
    """Full name of the gRPC service, under which `grpc.health.v1` knows it too."""
    register: Callable[[Desk[P], grpc.aio.Server], None]


SPEECH_TO_TEXT: RpcService[Transcriber] = RpcService(
    speech_to_text_pb2.DESCRIPTOR.services_by_name["SpeechToText"].full_name,
    lambda desk, server: speech_to_text_pb2_grpc.add_SpeechToTextServicer_to_server(
        servicers.SpeechToText(desk), server
    ),
)
TEXT_TO_SPEECH: RpcService[Synthesizer] = RpcService(
    text_to_speech_pb2.DESCRIPTOR.services_by_name["TextToSpeech"].full_name,
    lambda desk, server: text_to_speech_pb2_grpc.add_TextToSpeechServicer_to_server(
        servicers.TextToSpeech(desk), server
    ),
)
LANGUAGE_MODEL: RpcService[LanguageModel] = RpcService(
    language_model_pb2.DESCRIPTOR.services_by_name["LanguageModel"].full_name,
    lambda desk, server: language_model_pb2_grpc.add_LanguageModelServicer_to_server(
        servicers.LanguageModelServicer(desk), server
    ),
)

CHANNEL: RpcService[Messenger] = RpcService(
    chat_pb2.DESCRIPTOR.services_by_name["Channel"].full_name,
    lambda desk, server: chat_pb2_grpc.add_ChannelServicer_to_server(servicers.Channel(desk), server),
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server takes."""

    message_bytes: int = 16 * 2**20
    """Largest message, in and out."""
    calls: int = 256
    """Calls at once, health checks among them; one more is told EngineBusy."""
    call_s: float = 3600.0
    """Longest call, whatever deadline its client set."""


class RpcServer(Generic[P]):
    """Answers calls of one role as soon as its player is there; until then they are told Unreachable."""

    def __init__(self, service: RpcService[P], limits: Limits) -> None:
        self._desk: Desk[P] = Desk(service.name, call_max_s=limits.call_s)
        self._server = grpc.aio.server(options=_options(limits), maximum_concurrent_rpcs=limits.calls)
        self._health = _Health()
        self._stopping: asyncio.Task[None] | None = None
        service.register(self._desk, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (service.name, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)

    async def start(self, host: str, port: int) -> int:
        """Take calls; returns the port, which is a free one where `port` is 0.

        Raises:
            ConfigError: The address can't be bound, mostly since another process has it.
        """
        bare = f"[{host}]" if ":" in host else host
        try:
            bound = self._server.add_insecure_port(f"{bare}:{port}")
        except RuntimeError as error:
            raise ConfigError(f"{bare}:{port} can't be bound; another process may have it.") from error
        await self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
        await self._server.start()
        return bound

    async def serve(self, player: P) -> None:
        """Answer calls with this player from now on."""
        self._desk.player = player
        await self._set_health(health_pb2.HealthCheckResponse.SERVING)

    async def stop(self, grace_s: float) -> None:
        """Take no more calls, let those in flight finish for `grace_s`, then end those that are left."""
        await self._health.end()
        # Once and not twice: grpc.aio crashes where one stop() frees what another, still waiting, goes back to.
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._server.stop(grace_s))
        await asyncio.shield(self._stopping)

    async def _set_health(self, status: int) -> None:
        for name in ("", self._desk.service):  # "" is the whole server, as grpc.health.v1 has it
            await self._health.set(name, status)


class _Health(HealthServicer):
    """Health whose watchers are let go when the server stops: they would hold it up until its grace is over."""

    def __init__(self) -> None:
        super().__init__()
        self._over = asyncio.Event()

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Any) -> None:  # noqa: N802
        watching = asyncio.create_task(super().Watch(request, context))
        ending = asyncio.create_task(self._over.wait())
        try:
            await asyncio.wait((watching, ending), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((watching,), timeout=LAST_WORDS_S)
        finally:
            watching.cancel()
            ending.cancel()

    async def end(self) -> None:
        """NOT_SERVING from now on."""
        await self.enter_graceful_shutdown()
        self._over.set()


def _options(limits: Limits) -> list[tuple[str, Any]]:
    # https://github.com/grpc/grpc/blob/master/doc/keepalive.md
    return [
        ("grpc.so_reuseport", 0),  # else a second process takes half of the calls, and nobody is told
        ("grpc.max_receive_message_length", limits.message_bytes),
        ("grpc.max_send_message_length", limits.message_bytes),
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ]


@asynccontextmanager
async def serving(
    service: RpcService[P], player: P, *, limits: Limits = Limits(), grace_s: float = 0.0
) -> AsyncIterator[str]:
    """Serve a player on a free port of the loopback address while the context is open; gives its URL."""
    server = RpcServer(service, limits)
    port = await server.start("127.0.0.1", 0)
    await server.serve(player)
    try:
        yield f"grpc://127.0.0.1:{port}"
    finally:
        await server.stop(grace_s)
