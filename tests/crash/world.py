"""The platforms on which a service is killed, each with one person, and what that person got."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

from essence.audio import Pcm, encode_voice
from essence.fakes.discord import DiscordServer
from essence.fakes.telegram import TelegramServer
from tests.crash.start import Service
from tests.ports import free_port

NOTE = encode_voice([Pcm(bytes(48_000 * 2 * 2), 48_000)])
ANSWER = "It is Paris, the capital of France."
SENTENCES = tuple(f"The {nth} sentence is about the {nth} thing." for nth in ("first", "second", "third", "fourth"))
MARK = "🔁"
PATIENCE_S = 60.0


Kind = Literal["text", "voice", "voice in parts", "voice in parts, written slowly"]
"""What is sent, and what the answer is like. The last two are asked for as voice messages with their words below them:
one that is written at once and spoken slowly, one that is still being written while its first part is heard."""
ENGINES: dict[Kind, tuple[str, str]] = {
    "text": (f"fake:{ANSWER}", "fake:en"),
    "voice": (f"fake:{ANSWER}", "fake:en"),
    "voice in parts": (f"fake:{' '.join(SENTENCES)}", "fake:en?rtf=0.4"),
    "voice in parts, written slowly": (f"fake:{' '.join(SENTENCES)}?token_s=0.15", "fake:en"),
}
"""LLM_URL and TTS_URL."""


@dataclass(frozen=True, slots=True)
class Got:
    """What the person has on their screen when all is over."""

    texts: tuple[str, ...]
    voices: tuple[str, ...]
    """By the words below them, where there are any."""
    sentences: tuple[str, ...] = (ANSWER,)
    """Of the answer."""

    @property
    def lost(self) -> bool:
        return not all(any(sentence in told for told in (*self.texts, *self.voices)) for sentence in self.sentences)

    @property
    def unmarked_duplicates(self) -> int:
        texts = sum(text in self.sentences for text in self.texts)
        mute = sum(not voice for voice in self.voices)
        told = [sum(sentence in voice for voice in self.voices if MARK not in voice) for sentence in self.sentences]
        return max(texts - 1, 0) + max(mute - 1, 0) + sum(max(times - 1, 0) for times in told)

    @property
    def marked(self) -> int:
        return sum(MARK in message for message in (*self.texts, *self.voices))


class Stage(Protocol):
    """One platform with one person."""

    service: str
    environment: dict[str, str]

    async def connected(self) -> None: ...

    async def say(self, kind: Kind) -> None: ...

    def got(self) -> Got: ...


class Telegram:
    service = "telegram"

    def __init__(self, server: TelegramServer, *, webhook: bool) -> None:
        self.ann = server.user("Ann")
        port = free_port()
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

    async def say(self, kind: Kind) -> None:
        if "parts" in kind:
            await self.ann.says("/voice caption")
            await self.ann.receives()
        if kind == "text":
            await self.ann.says("What is the capital of France?")
        else:
            await self.ann.sends_voice(NOTE.data)

    def got(self) -> Got:
        answers = self.ann.chat.answers
        texts = tuple(answer.text for answer in answers if not answer.voice)
        return Got(texts, tuple(answer.text for answer in answers if answer.voice))


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

    async def say(self, kind: Kind) -> None:
        if kind == "text":
            await self.ann.says("What is the capital of France?")
        else:
            await self.ann.sends_voice(NOTE.data, NOTE.duration_s)

    def got(self) -> Got:
        posts = [post for post in self.ann.dm.posts() if post.author_id != self.ann.user_id]
        texts = tuple(post.text for post in posts if not post.is_voice)
        return Got(texts, tuple(post.text for post in posts if post.is_voice))


@asynccontextmanager
async def stage(name: str) -> AsyncIterator[Stage]:
    """`telegram polling`, `telegram webhook` or `discord`."""
    if name == "discord":
        async with DiscordServer() as discord:
            yield Discord(discord)
    else:
        async with TelegramServer() as telegram:
            yield Telegram(telegram, webhook=name.endswith("webhook"))


def service(stage: Stage, kind: Kind, point: str, folder: Path) -> Service:
    """The service in a process of its own that dies at a point, or `never`."""
    llm_url, tts_url = ENGINES[kind]
    environment = os.environ | stage.environment | {
        "STORE_URL": f"sqlite:///{folder}/june.db",
        "STT_URL": "fake:what is the capital of france",
        "LLM_URL": llm_url,
        "TTS_URL": tts_url,
        "STORE_POLL_S": "0.05",
        "OWNER_ROUTE": "chat",
    }  # fmt: skip
    log = folder / f"{point.replace(' ', '_')}.log"
    return Service("tests.crash.victim", (stage.service, point), environment, log)


class Process(Protocol):
    """Of whatever kind."""

    def poll(self) -> int | None: ...


async def until_dead(process: Process) -> int:
    async with asyncio.timeout(PATIENCE_S):
        while (code := process.poll()) is None:  # noqa: ASYNC110 - a process rings no bell
            await asyncio.sleep(0.02)
    return code


def ended(folder: Path) -> bool:
    """Whether each message has ended, and each part of each answer, by the store."""
    with closing(sqlite3.connect(f"file:{folder}/june.db?mode=ro", uri=True)) as database:
        begun, unended, unsettled = database.execute(
            "select (select count(*) from inbox where attempts > 0), "
            "(select count(*) from inbox where outcome is null), "
            "(select count(*) from outbox where settled_at is null)"
        ).fetchone()
    return bool(begun) and not unended and not unsettled


async def crash(name: str, kind: Kind, point: str, folder: Path) -> Got:
    """Kill the service at a point of a message's way, start it again, and see what the person got in the end."""
    async with stage(name) as place:
        with service(place, kind, point, folder) as victim:
            await place.connected()
            await place.say(kind)
            code = await until_dead(victim)
            assert code == -9, f"it ended with {code} and was not killed at {point!r}"
        with service(place, kind, "never", folder) as healed:
            async with asyncio.timeout(PATIENCE_S):
                while not ended(folder):
                    assert healed.poll() is None, "the service did not start again"
                    await asyncio.sleep(0.05)
            await asyncio.sleep(0.5)  # what would come twice comes by now
        got = place.got()
        return replace(got, texts=got.texts[1:], sentences=SENTENCES) if "parts" in kind else got
