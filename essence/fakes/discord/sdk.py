"""Points discord.py at a fake. The one place here that knows the SDK, and it loads it only when it is called."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from essence.fakes.discord.server import DiscordServer


@contextmanager
def point_discord_py(server: DiscordServer) -> Iterator[None]:
    """Clients of discord.py in this process talk to `server` within the block.

    discord.py has no setting for it: these three class attributes are where it keeps the addresses.
    """
    import discord
    import yarl
    from discord.gateway import DiscordWebSocket
    from discord.http import Route

    before = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY, discord.Asset.BASE
    Route.BASE = server.api_url
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(server.gateway_url)
    discord.Asset.BASE = server.cdn_url
    try:
        yield
    finally:
        Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY, discord.Asset.BASE = before
