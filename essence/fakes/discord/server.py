"""The fake Discord as a whole: one port for REST, gateway and files."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self, TypeVar

from aiohttp import web

from essence.fakes.discord.commands import Commands
from essence.fakes.discord.endpoints import Endpoints
from essence.fakes.discord.faults import Faults
from essence.fakes.discord.gateway import Gateway
from essence.fakes.discord.interactions import Interactions
from essence.fakes.discord.people import PATIENCE_S, Guild, Person
from essence.fakes.discord.rest import PREFIX, Call, Pace, Rest
from essence.fakes.discord.sessions import PRIVILEGED
from essence.fakes.discord.world import Deed, World

T = TypeVar("T")
_MAX_BODY_BYTES = 128 * 2**20
"""Above all that Discord takes, so that what is too large gets Discord's own answer."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class DiscordServer:
    """An async context manager that listens on a loopback port.

    async with DiscordServer() as discord:
        with point_discord_py(discord):
            ...  # start a bot with discord.token
            ann = discord.user("Ann")
            await ann.says("hi")
            print((await ann.receives()).text)
    """

    def __init__(
        self,
        port: int = 0,
        *,
        token: str = "fake-discord-token",  # noqa: S107 - opens nothing but this fake
        privileged_intents: int = PRIVILEGED,
        pace: Pace | None = None,
        keep: int | None = None,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        """Nothing is served until the context is entered.

        Args:
            port: 0 takes a free one.
            token: what the bot must present.
            privileged_intents: those switched on in the developer portal.
            pace: rate limit of each bucket; None: no limit.
            keep: how many requests and deeds are remembered, and messages of each channel; None: all.
            now: the platform's clock, aware UTC. Message ids follow it.
        """
        self.token = token
        self.world = World(now, keep)
        self.faults = Faults()
        self.gateway = Gateway(self.world, token, privileged_intents)
        self.commands = Commands(self.world)
        self.interactions = Interactions(self.world, self.commands)
        self._rest = Rest(self.world, token, self.faults, pace, keep)
        self._endpoints = Endpoints(self.world, privileged_intents)
        self._socket = socket.create_server(("127.0.0.1", port))
        self._runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=1.0)
        self._endpoints.gateway_url = self.gateway.url = self.gateway_url
        self.world.files_url = self.cdn_url

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        endpoints = [*self._endpoints.all(), *self.commands.all(), *self.interactions.all()]
        self._rest.add_to(app, endpoints)
        app.router.add_get("/gw", self._connect)
        app.router.add_get("/gw/", self._connect)
        app.router.add_get("/gw/resume", self._connect)
        app.router.add_get("/cdn/{path:.*}", self._rest.download)
        return app

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        call, instead = await self._rest.meet_fault(request)
        if instead is not None:
            return instead
        call.status = 101
        return await self.gateway.handle(request)

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._socket.getsockname()[1]
        return port

    @property
    def api_url(self) -> str:
        """What stands for https://discord.com/api/v10."""
        return f"http://127.0.0.1:{self.port}{PREFIX}"

    @property
    def gateway_url(self) -> str:
        """What stands for wss://gateway.discord.gg."""
        return f"ws://127.0.0.1:{self.port}/gw"

    @property
    def cdn_url(self) -> str:
        """What stands for https://cdn.discordapp.com."""
        return f"http://127.0.0.1:{self.port}/cdn"

    @property
    def calls(self) -> deque[Call]:
        """Every request, in order: to the API, for files, for a connection to the gateway."""
        return self._rest.calls

    @property
    def deeds(self) -> deque[Deed]:
        """Everything that the bot did and people could see, in order."""
        return self.world.deeds

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.SockSite(self._runner, self._socket).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._rest.closing.set()
        self.gateway.shut()
        await self._runner.cleanup()
        self.close()

    def close(self) -> None:
        """Free the port of a server whose context was never entered."""
        self._socket.close()

    @property
    def mention(self) -> str:
        """How people name the bot within a text."""
        return f"<@{self.world.bot['id']}>"

    def resets_token(self) -> None:
        """As the developer portal's button does: the bot's old token is refused from now on."""
        self.token = self._rest.token = self.gateway.token = f"{self.token}-again"

    def user(self, name: str) -> Person:
        """Somebody new."""
        return Person(self.world, self.interactions, self.world.add_user(name))

    def guild(self, name: str, owner: Person) -> Guild:
        """A new server with the bot in it."""
        return Guild(self.world, self.world.add_guild(name, self.world.users[owner.user_id])["id"])

    def watch(self, watcher: Callable[[Deed], None]) -> None:
        """Call `watcher` with everything that the bot does from now on."""
        self.world.watchers.append(watcher)

    async def until(self, found: Callable[[], T | None], what: str = "it", timeout_s: float = PATIENCE_S) -> T:
        """Wait for something about this server to become true; asked again after each change.

        Raises:
            TooSlow: it did not; the message says `what`.
        """
        return await self.world.bell.until(found, what, timeout_s)

    async def connected(self, timeout_s: float = PATIENCE_S) -> None:
        """Return when a bot is connected and identified."""
        await self.until(lambda: self.gateway.connected, "a bot on the gateway", timeout_s)
