"""A bot's session with the gateway: what it may hear, what it was sent, and the connection it has just now."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections import deque
from typing import Any

from aiohttp import web

from essence.fakes.discord.refusals import Json
from essence.fakes.discord.world import Event

DISPATCH, HEARTBEAT, IDENTIFY, RESUME, RECONNECT, INVALID_SESSION, HELLO, HEARTBEAT_ACK = 0, 1, 2, 6, 7, 9, 10, 11
"""Opcodes; Discord's documentation, "Gateway Opcodes"."""

GUILD_MEMBERS, PRESENCES, MESSAGE_CONTENT = 1 << 1, 1 << 8, 1 << 15
"""The privileged intents."""
PRIVILEGED = GUILD_MEMBERS | PRESENCES | MESSAGE_CONTENT
_KEPT_EVENTS = 10_000
# Event → (bit of the intent in a guild, bit in a DM). What is not named here needs none.
_INTENTS = {
    "GUILD_CREATE": (0, 0),
    "CHANNEL_CREATE": (0, 0),
    "THREAD_CREATE": (0, 0),
    "GUILD_MEMBER_ADD": (1, 1),
    "MESSAGE_CREATE": (9, 12),
    "MESSAGE_UPDATE": (9, 12),
    "MESSAGE_DELETE": (9, 12),
    "MESSAGE_REACTION_ADD": (10, 13),
    "MESSAGE_REACTION_REMOVE": (10, 13),
}


class Link:
    """One websocket; what is sent leaves in order, compressed as the bot asked."""

    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.Transport, compress: str) -> None:
        """`compress`: "zlib-stream" or empty."""
        self.socket, self._transport = socket, transport
        self._deflate = zlib.compressobj() if compress == "zlib-stream" else None
        self.sent_away = False
        """The gateway closed it, not the bot."""
        self._waiting: asyncio.Queue[tuple[str, float]] = asyncio.Queue()

    def send(self, payload: str, delay_s: float = 0.0) -> None:
        """Queue a payload, to be sent so long after the one before it."""
        self._waiting.put_nowait((payload, delay_s))

    async def write(self) -> None:
        """Send what is queued, until cancelled or the connection is gone."""
        while True:
            payload, delay_s = await self._waiting.get()
            await asyncio.sleep(delay_s)
            try:
                await self._send_now(payload)
            except ConnectionError:
                return

    async def _send_now(self, payload: str) -> None:
        if self._deflate is None:
            await self.socket.send_str(payload)
            return
        await self.socket.send_bytes(self._deflate.compress(payload.encode()) + self._deflate.flush(zlib.Z_SYNC_FLUSH))

    async def close(self, code: int, reason: str) -> None:
        """Close with a code, as the gateway's own decision."""
        self.sent_away = True
        await self.socket.close(code=code, message=reason.encode())

    def drop(self) -> None:
        """Reset the TCP connection, without a close frame; what is queued is lost."""
        self._transport.abort()


class Session:
    """Numbers events and keeps them, so that a bot that comes back hears what it missed."""

    def __init__(self, session_id: str, intents: int, bot_id: str) -> None:
        self.session_id, self.intents = session_id, intents
        self.sequence = 0
        self.link: Link | None = None
        self._bot_id = bot_id
        self._kept: deque[tuple[int, str]] = deque(maxlen=_KEPT_EVENTS)

    def hears(self, event: Event) -> bool:
        """Whether the intents cover the event."""
        bits = _INTENTS.get(event.name)
        return bits is None or bool(self.intents >> bits[event.guild_id is None] & 1)

    def dispatch(self, event: Event, delay_s: float = 0.0) -> None:
        """Number the event, keep it, and send it if there is a connection."""
        self.sequence += 1
        payload = packet(DISPATCH, self._visible(event), self.sequence, event.name)
        self._kept.append((self.sequence, payload))
        if self.link is not None:
            self.link.send(payload, delay_s)

    def _visible(self, event: Event) -> Json:
        """Without the intent MESSAGE_CONTENT a bot reads only what was said to it."""
        if not event.name.startswith("MESSAGE_") or "author" not in event.data:
            return event.data
        to_bot = event.guild_id is None or any(one["id"] == self._bot_id for one in event.data["mentions"])
        if self.intents & MESSAGE_CONTENT or to_bot or event.data["author"]["id"] == self._bot_id:
            return event.data
        return event.data | {"content": "", "attachments": [], "embeds": [], "components": []}

    def has(self, sequence: int) -> bool:
        """Whether everything after `sequence` is still kept."""
        oldest = self._kept[0][0] if self._kept else self.sequence + 1
        return oldest - 1 <= sequence <= self.sequence

    def replay(self, link: Link, after: int) -> None:
        """Go on over a new connection: what was missed, then RESUMED."""
        self.link = link
        for number, payload in self._kept:
            if number > after:
                link.send(payload)
        self.dispatch(Event("RESUMED", {}))


def packet(opcode: int, data: Any, sequence: int | None = None, name: str | None = None) -> str:
    """A gateway payload as JSON text."""
    return json.dumps({"op": opcode, "d": data, "s": sequence, "t": name}, separators=(",", ":"))


def portal_flags(privileged_intents: int) -> int:
    """Flags of an application that has these intents switched on, as a bot in fewer than 100 servers has them."""
    # Discord's documentation, "Application Flags": the _LIMITED ones.
    flags = {PRESENCES: 1 << 13, GUILD_MEMBERS: 1 << 15, MESSAGE_CONTENT: 1 << 19}
    return sum(flag for intent, flag in flags.items() if privileged_intents & intent)
