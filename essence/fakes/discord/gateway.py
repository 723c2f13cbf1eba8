"""The gateway: HELLO, IDENTIFY, READY, heartbeats, RESUME, and every way in which a connection ends."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import WSMsgType, web

from essence.fakes.discord.refusals import Json
from essence.fakes.discord.sessions import (
    HEARTBEAT,
    HEARTBEAT_ACK,
    HELLO,
    IDENTIFY,
    INVALID_SESSION,
    PRIVILEGED,
    RECONNECT,
    RESUME,
    Link,
    Session,
    packet,
    portal_flags,
)
from essence.fakes.discord.world import Event, World

UNKNOWN_OPCODE, DECODE_ERROR, NOT_AUTHENTICATED, AUTHENTICATION_FAILED, ALREADY_AUTHENTICATED = (
    4001,
    4002,
    4003,
    4004,
    4005,
)
UNKNOWN_ERROR, SESSION_TIMED_OUT, DISALLOWED_INTENTS = 4000, 4009, 4014
"""Close codes; Discord's documentation, "Gateway Close Event Codes"."""
_WORDS = {
    UNKNOWN_ERROR: "Unknown error.",
    UNKNOWN_OPCODE: "Unknown opcode.",
    DECODE_ERROR: "Decode error.",
    NOT_AUTHENTICATED: "Not authenticated.",
    AUTHENTICATION_FAILED: "Authentication failed.",
    ALREADY_AUTHENTICATED: "Already authenticated.",
    SESSION_TIMED_OUT: "Session timed out.",
    DISALLOWED_INTENTS: "Disallowed intent(s).",
}
_PASSIVE_OPCODES = (3, 4, 8, 31)
"""Presence, voice state, members, soundboard: taken and not answered."""


class _Over(Exception):
    """Ends a connection with a close code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Gateway:
    """Sends the world's events to bots; its methods are the faults of a gateway."""

    def __init__(self, world: World, token: str, privileged_intents: int) -> None:
        """`privileged_intents`: those that are switched on in the developer portal; others end in 4014."""
        self.url = ""
        """ws://…; set once the port is known."""
        self.heartbeat_interval_ms = 41_250
        self.acknowledges_heartbeats = True
        """False: the bot finds itself on a dead connection."""
        self.delay_s = 0.0
        """Before each event."""
        self.heartbeats = 0
        self.identifies = 0
        self.resumes = 0
        """How often it happened, with success."""
        self.token = token
        """What the bot must present."""
        self._world, self._privileged = world, privileged_intents
        self._sessions: dict[str, Session] = {}
        self._links: set[Link] = set()
        self._twice = 0
        self._held: list[Event] | None = None
        self._open = asyncio.Event()
        self._open.set()
        world.listeners.append(self.publish)

    # What tests and demonstrations do to it

    @property
    def connected(self) -> bool:
        """Whether a bot is connected and identified."""
        return any(session.link is not None for session in self._sessions.values())

    async def drop(self) -> None:
        """Cut the TCP connection of every bot; sessions can be resumed."""
        await self._each(Link.drop)

    async def close(self, code: int = UNKNOWN_ERROR) -> None:
        """Close with a code. After 4009, as after 1000 and 1001, the session is gone."""
        if code in (1000, 1001, SESSION_TIMED_OUT):
            self._sessions.clear()
        links = list(self._links)
        await asyncio.gather(*(one.close(code, _WORDS.get(code, "")) for one in links))
        await self._gone(links)

    async def reconnect(self) -> None:
        """Op 7: the bot is asked to come back and resume."""
        await self._each(lambda link: link.send(packet(RECONNECT, None)))

    async def invalidate(self, *, resumable: bool) -> None:
        """Op 9. Not resumable: the session is forgotten, and what is sent until the next READY is never delivered."""
        if not resumable:
            self._sessions.clear()
        await self._each(lambda link: link.send(packet(INVALID_SESSION, resumable)))

    def send_raw(self, payload: str) -> None:
        """Put something on the wire as it is: an event that is malformed, a payload that is no JSON."""
        for link in self._links:
            link.send(payload)

    def forget_sessions(self) -> None:
        """Whoever resumes next is told that it can't (op 9)."""
        self._sessions.clear()

    def shut(self) -> None:
        """End every connection at once; the server goes down."""
        self._open.set()
        for link in self._links:
            link.drop()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Connections are taken, but no HELLO is said until the end of the block."""
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    def duplicate_next(self, count: int = 1) -> None:
        """Dispatch each of the next events twice."""
        self._twice += count

    @contextmanager
    def reordered(self) -> Iterator[None]:
        """Hold what happens within the block and dispatch it in reverse at its end."""
        held: list[Event] = []
        self._held = held
        try:
            yield
        finally:
            self._held = None
            for event in reversed(held):
                self.publish(event)

    async def _each(self, act: Callable[[Link], None]) -> None:
        links = list(self._links)
        for link in links:
            act(link)
        await self._gone(links)

    async def _gone(self, links: list[Link]) -> None:
        """Return when none of them is connected, so that what happens next happens in the gap."""
        await self._world.bell.until(lambda: not self._links & set(links), "the bot to leave the connection", 10.0)

    # What it says by itself

    def publish(self, event: Event) -> None:
        """Dispatch an event to every session that may hear it."""
        if self._held is not None:
            self._held.append(event)
            return
        times = 2 if self._twice else 1
        self._twice -= times - 1
        for session in self._sessions.values():
            if session.hears(event):
                for _ in range(times):
                    session.dispatch(event, self.delay_s)

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """One connection, from handshake to end."""
        socket = web.WebSocketResponse(compress=False, timeout=1.0)
        await socket.prepare(request)
        assert isinstance(request.transport, asyncio.Transport)
        link = Link(socket, request.transport, request.query.get("compress", ""))
        self._links.add(link)
        writer = asyncio.create_task(self._talk(link))
        try:
            await self._listen(link)
        except _Over as over:
            await link.close(over.code, _WORDS[over.code])
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            self._leave(link)
        return socket

    async def _talk(self, link: Link) -> None:
        await self._open.wait()
        link.send(packet(HELLO, {"heartbeat_interval": self.heartbeat_interval_ms, "_trace": []}))
        await link.write()

    def _leave(self, link: Link) -> None:
        self._links.discard(link)
        for session in list(self._sessions.values()):
            if session.link is link:
                session.link = None
                if link.socket.close_code in (1000, 1001) and not link.sent_away:  # who says goodbye can't resume
                    del self._sessions[session.session_id]
        self._world.bell.ring()

    async def _listen(self, link: Link) -> None:
        session: Session | None = None
        async for message in link.socket:
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                continue
            opcode, data = _read(message.data)
            if opcode == HEARTBEAT:
                self._beat(link)
            elif opcode == IDENTIFY and session is None:
                session = self._identify(link, data)
            elif opcode == RESUME and session is None:
                session = self._resume(link, data)
            else:
                _check_opcode(opcode, authenticated=session is not None)

    def _beat(self, link: Link) -> None:
        self.heartbeats += 1
        if self.acknowledges_heartbeats:
            link.send(packet(HEARTBEAT_ACK, None))
        self._world.bell.ring()

    def _identify(self, link: Link, data: Json) -> Session:
        self._check(data, "intents")
        if data["intents"] & PRIVILEGED & ~self._privileged:
            raise _Over(DISALLOWED_INTENTS)
        session = Session(secrets.token_hex(16), data["intents"], self._world.bot["id"])
        session.link = link
        session.dispatch(Event("READY", self._ready(session)))
        for guild_id in self._world.guilds:
            event = Event("GUILD_CREATE", self._world.guild_create(guild_id), guild_id)
            if session.hears(event):
                session.dispatch(event)
        # Whoever starts anew, as a process does that was killed, does not come back to a session left behind.
        self._sessions = {name: one for name, one in self._sessions.items() if one.link is not None}
        self._sessions[session.session_id] = session
        self.identifies += 1
        self._world.bell.ring()
        return session

    def _check(self, data: Any, *fields: str) -> None:
        if not isinstance(data, dict) or not {"token", *fields} <= set(data):
            raise _Over(DECODE_ERROR)
        if data["token"].removeprefix("Bot ") != self.token:
            raise _Over(AUTHENTICATION_FAILED)

    def _ready(self, session: Session) -> Json:
        return {
            "v": 10,
            "user": self._world.bot,
            "guilds": [{"id": guild_id, "unavailable": True} for guild_id in self._world.guilds],
            "session_id": session.session_id,
            "session_type": "normal",
            "resume_gateway_url": f"{self.url}/resume",
            "shard": [0, 1],
            "application": {"id": self._world.application_id, "flags": portal_flags(self._privileged)},
            "private_channels": [],
            "presences": [],
            "relationships": [],
            "guild_join_requests": [],
            "geo_ordered_rtc_regions": [],
        }

    def _resume(self, link: Link, data: Json) -> Session | None:
        self._check(data, "session_id", "seq")
        session = self._sessions.get(data["session_id"])
        if session is None or not session.has(data["seq"] or 0):
            link.send(packet(INVALID_SESSION, False))  # noqa: FBT003 - the payload is a bare boolean
            return None
        session.replay(link, data["seq"] or 0)
        self.resumes += 1
        self._world.bell.ring()
        return session


def _read(data: str | bytes) -> tuple[int, Any]:
    try:
        payload = json.loads(data)
        return payload["op"], payload.get("d")
    except (ValueError, KeyError, TypeError) as error:
        raise _Over(DECODE_ERROR) from error


def _check_opcode(opcode: int, *, authenticated: bool) -> None:
    if opcode in (IDENTIFY, RESUME):
        raise _Over(ALREADY_AUTHENTICATED)
    if opcode not in _PASSIVE_OPCODES:
        raise _Over(UNKNOWN_OPCODE)
    if not authenticated:
        raise _Over(NOT_AUTHENTICATED)
