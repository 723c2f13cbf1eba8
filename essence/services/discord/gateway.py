"""The connection on which events come: discord.py's client, and a new one whenever it dies.

discord.py keeps a session alive and resumes it by itself. Its client ends where the first handshake fails, where an
event is malformed, and where Discord closes for good.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from http import HTTPStatus
from typing import Protocol

import aiohttp
import discord

from essence import observe
from essence.errors import NotAllowed
from essence.services.discord.refusals import INTENT_MISSING, KEY_REFUSED
from essence.services.discord.rest import Json

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 60.0
"""With what chance adds, fewer than 1000 clients a day, for so many IDENTIFY are allowed; Discord's documentation,
"Session Start Limit Object"."""
LONGEST_ABSENCE_S = 60.0
"""Longer than that discord.py's own pauses, which grow to 17 minutes, are not waited for: a new client is."""
IDENTIFY_PAUSE_S = 5.0
"""Discord's documentation, "Rate Limiting": one IDENTIFY in 5 s."""
GUILDS_S = 2.0
"""After READY, the servers are all there when none has come for so long."""
_CLOSING_S = 5.0
_SECOND_TRY_S = 1.0
_HEARD = ("MESSAGE_CREATE", "MESSAGE_UPDATE", "INTERACTION_CREATE", "READY", "RESUMED")
# Discord's documentation, "Gateway Close Event Codes": those after which one must not come back.
_FOR_GOOD = {
    4004: KEY_REFUSED,
    4010: "Discord refuses June's shard. Run one June, or update june-assistant.",
    4011: "June is in more servers than one connection serves. Remove her from some.",
    4012: "Discord has given up the gateway that June speaks. Update june-assistant.",
    4013: "Discord knows no such intents. Update june-assistant.",
    4014: INTENT_MISSING,
}


class Ears(Protocol):
    """Who is told what comes; none of it may raise or block."""

    def met(self, client: discord.Client, me: Json) -> None:
        """A new session began; what happened since the last one has to be read."""
        ...

    def resumed(self) -> None:
        """The session goes on, and nothing was missed."""
        ...

    def parted(self) -> None:
        """The connection is gone."""
        ...

    def all_there(self) -> None:
        """The client knows all servers."""
        ...

    def said(self, raw: Json) -> None:
        """MESSAGE_CREATE."""
        ...

    def changed(self, raw: Json) -> None:
        """MESSAGE_UPDATE."""
        ...

    def used(self, raw: Json) -> None:
        """INTERACTION_CREATE."""
        ...


def _intents() -> discord.Intents:
    intents = discord.Intents.default()
    intents.message_content = True
    return intents


class Client(discord.Client):
    """Hands over events as Discord writes them, so that live ones and those of a history are read by the same code."""

    def __init__(self, ears: Ears) -> None:
        self._upgraded: list[aiohttp.ClientResponse] = []
        super().__init__(
            intents=_intents(),
            max_messages=None,
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            guild_ready_timeout=GUILDS_S,
            enable_debug_events=True,  # on_socket_raw_receive
            http_trace=self._watch_for_sockets(),
        )
        self._ears = ears
        self.away = asyncio.Event()
        """Set as long as there is no session."""
        self.here = asyncio.Event()
        """Its opposite."""
        self.away.set()

    def _watch_for_sockets(self) -> aiohttp.TraceConfig:
        async def keep(_session: object, _context: object, ended: aiohttp.TraceRequestEndParams) -> None:
            if ended.response.status == HTTPStatus.SWITCHING_PROTOCOLS:
                self._upgraded = [one for one in self._upgraded if one.connection is not None]
                self._upgraded.append(ended.response)

        trace = aiohttp.TraceConfig()
        trace.on_request_end.append(keep)
        return trace

    def drop_sockets(self) -> None:
        """Close what discord.py forgets: a socket on which the gateway has not yet said HELLO."""
        for response in self._upgraded:
            response.close()

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        if not initial:
            await asyncio.sleep(IDENTIFY_PAUSE_S)

    async def on_socket_raw_receive(self, payload: str) -> None:
        """One payload of the gateway, before discord.py has read it. Without an await: events stay in order."""
        if any(name in payload for name in _HEARD):
            event: Json = json.loads(payload)
            self._hear(event.get("t"), event.get("d") or {})

    def _hear(self, name: str | None, data: Json) -> None:
        match name:
            case "MESSAGE_CREATE":
                self._ears.said(data)
            case "MESSAGE_UPDATE":
                self._ears.changed(data)
            case "INTERACTION_CREATE":
                self._ears.used(data)
            case "READY":
                self._is_here()
                self._ears.met(self, data["user"])
            case "RESUMED":
                self._is_here()
                self._ears.resumed()

    def _is_here(self) -> None:
        self.away.clear()
        self.here.set()

    async def on_disconnect(self) -> None:
        self.here.clear()
        self.away.set()
        self._ears.parted()

    async def on_ready(self) -> None:
        self._ears.all_there()


async def keep_connected(token: str, ears: Ears, troubles: Counter[str]) -> None:
    """Have a client connected, until cancelled.

    Raises:
        NotAllowed: Discord refuses the token or the intents.
    """
    clock, pause_s = asyncio.get_running_loop().time, FIRST_PAUSE_S
    while True:
        began = clock()
        error = await _life(Client(ears), token)
        ears.parted()
        pause_s = FIRST_PAUSE_S if clock() - began > LONGEST_PAUSE_S else pause_s
        troubles["client restarted"] += 1
        kind = type(error).__name__
        observe.logger().warning("discord_client_ended", kind=kind, error=str(error), pause_s=pause_s)
        await asyncio.sleep(pause_s * random.uniform(1, 2))  # noqa: S311 - spreads out those who come back
        pause_s = min(pause_s * 2, LONGEST_PAUSE_S)


async def _life(client: Client, token: str) -> Exception:
    """What a client died of."""
    try:
        await _live(client, token)
    except discord.LoginFailure as refusal:
        raise NotAllowed(KEY_REFUSED) from refusal
    except discord.PrivilegedIntentsRequired as refusal:
        raise NotAllowed(INTENT_MISSING) from refusal
    except discord.ConnectionClosed as closed:
        if closed.code in _FOR_GOOD:
            raise NotAllowed(_FOR_GOOD[closed.code]) from closed
        return closed
    except Exception as odd:  # noqa: BLE001 - whatever discord.py fails at, a new client may do better
        return odd
    return ConnectionError("The client ended.")


async def _live(client: Client, token: str) -> None:
    """Return when the client ends; raise when it fails, or is away for too long."""
    tasks: list[asyncio.Task[None]] = []
    try:
        tasks = [asyncio.create_task(client.start(token)), asyncio.create_task(_absence(client))]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await _end(tasks)
        await _close(client)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    pending = set(tasks)
    while pending:  # `asyncio.wait_for` of Python 3.11, in discord.py, can swallow one cancellation
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_SECOND_TRY_S)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # read, or asyncio tells of it


async def _absence(client: Client) -> None:
    """Raise TimeoutError when the client has had no session for too long."""
    while True:
        await client.away.wait()
        async with asyncio.timeout(LONGEST_ABSENCE_S):
            await client.here.wait()


async def _close(client: Client) -> None:
    ready = client._connection._ready_task  # noqa: SLF001 - discord.py leaves it behind, and it fails on what is closed
    if ready is not None:
        ready.cancel()
    try:
        async with asyncio.timeout(_CLOSING_S):
            await client.close()
    except TimeoutError:  # the other side does not say goodbye
        await client.http.close()
    finally:
        client.drop_sockets()
