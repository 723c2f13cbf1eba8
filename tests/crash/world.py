"""The platforms on which a service is killed, each with one person, and what that person got."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from essence.audio import Pcm, encode_voice
from essence.fakes.discord import DiscordServer
from essence.fakes.telegram import TelegramServer

NOTE = encode_voice([Pcm(bytes(48_000 * 2 * 2), 48_000)])
ANSWER = "It is Paris, the capital of France."
MARK = "🔁"
PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Got:
    """What the person has on their screen when all is over."""

    texts: tuple[str, ...]
    voices: int
    marked_voices: int = 0

    @property
    def lost(self) -> bool:
        return not any(ANSWER in text for text in self.texts)

    @property
    def unmarked_duplicates(self) -> int:
        texts = sum(text == ANSWER for text in self.texts)
        return max(texts - 1, 0) + max(self.voices - self.marked_voices - 1, 0)

    @property
    def marked(self) -> int:
        return sum(MARK in text for text in self.texts) + self.marked_voices


class Stage(Protocol):
    """One platform with one person."""

    service: str
    environment: dict[str, str]

    async def connected(self) -> None: ...

    async def say(self, kind: str) -> None: ...

    def got(self) -> Got: ...


class Telegram:
    service = "telegram"

    def __init__(self, server: TelegramServer, *, webhook: bool) -> None:
        self.ann = server.user("Ann")
        port = _free_port()
        self.environment = {
            "TELEGRAM_TOKEN": server.token,
            "TELEGRAM_API_URL": server.url,
            "TELEGRAM_OWNER_USERS": str(self.ann.person.user_id),
            "TELEGRAM_HTTP_PORT": str(port),
            "TELEGRAM_GRPC_PORT": "0",
            "TELEGRAM_WEBHOOK_URL": f"http://127.0.0.1:{port}/hook" if webhook else "",
        }

    async def connected(self) -> None:
        """Telegram keeps what is said before."""

    async def say(self, kind: str) -> None:
        if kind == "text":
            await self.ann.says("What is the capital of France?")
        else:
            await self.ann.sends_voice(NOTE.data)

    def got(self) -> Got:
        answers = self.ann.chat.answers
        voices = [answer for answer in answers if answer.voice]
        texts = tuple(answer.text for answer in answers if not answer.voice)
        return Got(texts, len(voices), sum(MARK in voice.text for voice in voices))


class Discord:
    service = "discord"

    def __init__(self, server: DiscordServer) -> None:
        self.ann, self._server = server.user("Ann"), server
        self.environment = {
            "DISCORD_TOKEN": server.token,
            "DISCORD_API_URL": server.api_url,
            "DISCORD_GATEWAY_URL": server.gateway_url,
            "DISCORD_OWNER_USERS": self.ann.user_id,
            "DISCORD_HTTP_PORT": "0",
            "DISCORD_GRPC_PORT": "0",
        }

    async def connected(self) -> None:
        """The process is to die of what comes live, not of what it reads in a history."""
        await self._server.connected(PATIENCE_S)

    async def say(self, kind: str) -> None:
        if kind == "text":
            await self.ann.says("What is the capital of France?")
        else:
            await self.ann.sends_voice(NOTE.data, NOTE.duration_s)

    def got(self) -> Got:
        posts = [post for post in self.ann.dm.posts() if post.author_id != self.ann.user_id]
        return Got(tuple(post.text for post in posts if not post.is_voice), sum(post.is_voice for post in posts))


@asynccontextmanager
async def stage(name: str) -> AsyncIterator[Stage]:
    """`telegram polling`, `telegram webhook` or `discord`."""
    if name == "discord":
        async with DiscordServer() as discord:
            yield Discord(discord)
    else:
        async with TelegramServer() as telegram:
            yield Telegram(telegram, webhook=name.endswith("webhook"))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def service(stage: Stage, point: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The service in a process of its own that dies at a point, or `never`."""
    environment = os.environ | stage.environment | {
        "STORE_URL": f"sqlite:///{folder}/june.db",
        "STT_URL": "fake:what is the capital of france",
        "LLM_URL": f"fake:{ANSWER}",
        "TTS_URL": "fake:en",
        "STORE_POLL_S": "0.05",
    }  # fmt: skip
    with (folder / f"{point.replace(' ', '_')}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.victim", stage.service, point], env=environment, stderr=log
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


async def until_dead(process: subprocess.Popen[bytes]) -> int:
    async with asyncio.timeout(PATIENCE_S):
        while (code := process.poll()) is None:  # noqa: ASYNC110 - a process rings no bell
            await asyncio.sleep(0.02)
    return code


def ended(folder: Path) -> int:
    """How many messages have ended, by the store."""
    import sqlite3

    with sqlite3.connect(f"file:{folder}/june.db?mode=ro", uri=True) as database:
        (count,) = database.execute(
            "select (select count(*) from inbox where outcome is not null) * "
            "((select count(*) from outbox where settled_at is null) = 0)"
        ).fetchone()
    database.close()
    return int(count)


async def crash(name: str, kind: str, point: str, folder: Path) -> Got:
    """Kill the service at a point of a message's way, start it again, and see what the person got in the end."""
    async with stage(name) as place:
        with service(place, point, folder) as victim:
            await place.connected()
            await place.say(kind)
            code = await until_dead(victim)
            assert code == -9, f"it ended with {code} and was not killed at {point!r}"
        with service(place, "never", folder) as healed:
            async with asyncio.timeout(PATIENCE_S):
                while ended(folder) < 1:
                    assert healed.poll() is None, "the service did not start again"
                    await asyncio.sleep(0.05)
            await asyncio.sleep(0.5)  # what would come twice comes by now
        return place.got()
