"""June's Discord channel at work on the fake Discord, and what it hears."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from essence.audio import VoiceNote
from essence.config import DiscordService
from essence.dialogue import Message
from essence.errors import JuneError
from essence.fakes.discord import DiscordServer, point_discord_py
from essence.services.discord import doors, gateway, patience
from essence.services.discord.channel import DiscordChannel
from tests import discord_spec

COMMANDS = (("language", "Choose a language"), ("stop", "Stop what June is doing"))
OGG = b"OggS of a kind"
NOTE = VoiceNote(OGG, 2.5, bytes(range(0, 256, 2)))


class Page:
    """A bookmark on paper."""

    def __init__(self) -> None:
        self.edge: int | None = None

    async def put(self, edge: int) -> int:
        self.edge = edge if self.edge is None else self.edge
        return self.edge

    async def remove(self) -> None:
        self.edge = None


class June:
    """The channel, and a memory in the place of the store."""

    def __init__(self, server: DiscordServer, **settings: object) -> None:
        urls = {"discord_api_url": server.api_url, "discord_gateway_url": server.gateway_url}
        values = {"discord_token": server.token} | urls | settings
        self.settings = DiscordService.model_validate(values)
        self.bookmark = Page()
        self.channel = DiscordChannel(self.settings, COMMANDS, self.newest, self.friends, self.bookmark)
        self.heard: list[Message] = []
        self.tries = 0
        self.failures: list[JuneError] = []
        """What the next calls of `receive` raise."""
        self.gates: dict[str, asyncio.Event] = {}
        """`receive` waits for them with the messages of these people."""
        self.known: dict[str, Message] = {}
        self.allowed: tuple[str, ...] = ()
        """Ids of the people who may talk to June."""
        self._bell = asyncio.Event()

    async def receive(self, message: Message) -> None:
        self.tries += 1
        if message.sender.name in self.gates:
            await self.gates[message.sender.name].wait()
        if self.failures:
            raise self.failures.pop(0)
        if message.key not in self.known:
            self.known[message.key] = message
            self.heard.append(message)
        self._bell.set()

    async def newest(self) -> tuple[Message, ...]:
        last = {}
        for message in self.known.values():
            if message.address not in last or last[message.address].sent_at <= message.sent_at:
                last[message.address] = message
        return tuple(last.values())

    def after(self, other: June) -> June:
        """This June, with the memory of one that was killed."""
        self.known, self.allowed, self.bookmark.edge = dict(other.known), other.allowed, other.bookmark.edge
        return self

    async def friends(self) -> tuple[str, ...]:
        return self.allowed

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.heard]

    @property
    def troubles(self) -> dict[str, int]:
        return dict(self.channel.state.troubles)

    async def hears(self, count: int = 1) -> Message:
        """The message with this number, as soon as it is there."""
        await self.until(lambda: len(self.heard) >= count)
        return self.heard[count - 1]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self._bell.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._bell.wait(), 0.01)


@asynccontextmanager
async def listening(june: June) -> AsyncIterator[June]:
    """Connected."""
    async with june.channel:
        task = asyncio.create_task(june.channel.listen(june.receive))
        try:
            await june.until(lambda: june.channel.state.connected or task.done())
            if task.done():
                task.result()
            yield june
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def fake_discord(monkeypatch: pytest.MonkeyPatch, **options: Any) -> AsyncIterator[DiscordServer]:
    """Whose every answer, and every request that it took, is as Discord's specification says."""
    hurry(monkeypatch)
    async with DiscordServer(**options) as fake:
        with point_discord_py(fake):  # for its end: the addresses are put back
            yield fake
        if discord_spec.FILE.exists():
            assert discord_spec.wrong_calls(fake.calls) == []


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses that real outages need are next to nothing here."""
    for name in ("FIRST_PAUSE_S", "LONGEST_PAUSE_S", "GUILDS_S"):
        monkeypatch.setattr(gateway, name, 0.05)
    monkeypatch.setattr(gateway, "IDENTIFY_PAUSE_S", 0.0)
    monkeypatch.setattr(doors, "PAUSE_S", 0.01)
    monkeypatch.setattr(patience, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(patience, "LONGEST_PAUSE_S", 0.1)
    monkeypatch.setattr("discord.client.ExponentialBackoff.delay", lambda _: 0.01)  # by itself, seconds by chance
