"""What the chat services have in common: from settings to exit code, whatever the platform.

Messages are taken from the first moment on, while the engines still load: they wait in the store until these are ready.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from starlette.types import ASGIApp

from essence import config, observe
from essence.chat.assistant import Crowd, running
from essence.errors import JuneError
from essence.ports import Channel, Messenger, Store, TaskBoard
from essence.services import lifecycle, loop
from essence.services.http import HttpServer
from essence.services.upkeep import prune_daily
from essence.services.vitals import Vitals
from essence.store import open_store
from essence.tasks.opening import open_board

if TYPE_CHECKING:
    from essence.chat.pipeline import Pipeline
    from essence.rpc.server import RpcServer

S = TypeVar("S", config.TelegramService, config.DiscordService)
C = TypeVar("C", bound=Channel)


@dataclass(frozen=True, slots=True)
class Chatting(Generic[S, C]):
    """What tells one chat service from another."""

    name: str
    """As in `python -m essence NAME`."""
    settings: type[S]
    open_channel: Callable[[S, Store], AbstractAsyncContextManager[C]]
    crowd: Callable[[S], Crowd]
    http_api: Callable[[C], ASGIApp | None]
    """The platform's way in by HTTP, where it has one."""


class Engines:
    """The engines, loaded beside everything else."""

    def __init__(self, settings: config.Assistant) -> None:
        self._settings = settings
        self._pipeline: asyncio.Future[Pipeline] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Load them and hold them until cancelled.

        Raises:
            ConfigError, EngineMissing: They can't be loaded.
        """
        pipeline = await asyncio.to_thread(importlib.import_module, "essence.chat.pipeline")
        table = await asyncio.to_thread(importlib.import_module, "essence.engines.table")
        async with table.open_players(self._settings) as players:
            self._pipeline.set_result(pipeline.Pipeline(players.transcriber, players.model, players.synthesizer))
            observe.logger().info("engines_loaded")
            await asyncio.Event().wait()

    async def pipeline(self) -> Pipeline:
        """Wait until they are loaded."""
        return await asyncio.shield(self._pipeline)

    def loaded(self) -> bool:
        """Whether they are."""
        return self._pipeline.done()

    def state(self) -> str:
        """In a few words."""
        return "ready" if self.loaded() else "loading"


def _board(settings: config.ChatSettings) -> Callable[[], AbstractAsyncContextManager[TaskBoard]] | None:
    if settings.owner_route == "chat":
        return None
    if settings.store_url.startswith("memory:"):  # which no agent can look into
        observe.logger().warning("no_task_board", because="STORE_URL is memory://, which no agent can share")
        return None
    return partial(open_board, settings.tasks_url, config.read(config.TaskBoards))


def run(service: Chatting[S, C]) -> int:
    """Talk to people until told to stop; the exit code is 0, or 1 (it can't; one sentence says why)."""
    try:
        settings = config.read(service.settings)
        lifecycle.observe_process(service.name, settings)
        loop.run(_serve(service, settings))
    except JuneError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except BaseExceptionGroup as failed:
        if (cause := _june_error(failed)) is None:
            raise
        sys.stderr.write(f"{cause}\n")
        return 1
    return 0


def _june_error(failed: BaseExceptionGroup[BaseException]) -> JuneError | None:
    """The first of June's own errors in a group, however deep."""
    for error in failed.exceptions:
        if isinstance(error, JuneError):
            return error
        if isinstance(error, BaseExceptionGroup) and (inner := _june_error(error)) is not None:
            return inner
    return None


@asynccontextmanager
async def _rpc(name: str, settings: S) -> AsyncIterator[RpcServer[Messenger]]:
    server = await asyncio.to_thread(importlib.import_module, "essence.rpc.server")
    rpc: RpcServer[Messenger] = server.RpcServer(server.CHANNEL, lifecycle.limits_of(settings))
    await lifecycle.start(rpc, f"{name}_grpc_port", settings)
    try:
        yield rpc
    finally:
        await rpc.stop(0.0)


async def _serve(service: Chatting[S, C], settings: S) -> None:
    signals = lifecycle.Signals()
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(settings.store_url, settings))
        channel = await stack.enter_async_context(service.open_channel(settings, store))
        api = service.http_api(channel)
        http = HttpServer(service.name, has_api=api is not None)
        await lifecycle.start(http, f"{service.name}_http_port", settings)
        stack.push_async_callback(http.stop)
        engines = Engines(settings)
        async with asyncio.TaskGroup() as tasks:
            vitals = Vitals(channel, store, engines_loaded=engines.loaded)
            chores = [tasks.create_task(one) for one in (engines.run(), vitals.watch(), prune_daily(store))]
            async with running(
                channel,
                store,
                engines.pipeline,
                settings,
                service.crowd(settings),
                system_prompt=settings.june_system_prompt,
                engines=engines.state,
                open_board=_board(settings),
            ) as assistant:
                rpc = await stack.enter_async_context(_rpc(service.name, settings))
                await rpc.serve(assistant.messenger)
                http.serve(api, reasons=vitals.reasons)
                await signals.stopping.wait()
                observe.logger().info("stopping", grace_s=settings.grace_s)
                await asyncio.gather(rpc.stop(settings.grace_s), http.drain(settings.grace_s))
            for chore in chores:
                chore.cancel()
    observe.logger().info("stopped")
