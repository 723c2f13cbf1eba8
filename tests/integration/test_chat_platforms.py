"""The main job on both platforms: a voice message to the real services, heard, answered and spoken by real models."""

import asyncio
import importlib
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

import jiwer
import numpy as np
import pytest
import pytest_asyncio

from essence import config
from essence.audio import Pcm, decode, encode_voice
from essence.dialogue import ModelEvent, ToolSpec, Turn
from essence.engines import Players, table
from essence.fakes.discord import DiscordServer, point_discord_py
from essence.fakes.telegram import TelegramServer
from essence.ports import LanguageModel
from essence.services import chatting
from essence.store import open_store
from tests.integration.test_round_trip import NORMAL, QUESTION, SHORT_WER_MAX, heard

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

PATIENCE_S = 120.0


class CountedModel:
    """A model that counts how often it was asked."""

    def __init__(self, model: LanguageModel) -> None:
        self._model, self.asked = model, 0

    async def reply(self, history: Sequence[Turn], *, tools: Sequence[ToolSpec] = ()) -> AsyncIterator[ModelEvent]:
        self.asked += 1
        async with aclosing(self._model.reply(history, tools=tools)) as events:
            async for event in events:
                yield event


class Stage(Protocol):
    """A platform with Ann, a guest, who writes to June in private."""

    settings: dict[str, Any]
    """How June reaches it."""

    async def sends_voice(self, ogg: bytes, duration_s: float) -> None: ...

    def answers(self) -> list[tuple[str, bytes | None]]:
        """June's messages as they stand now: text, and sound as it lies there."""
        ...


class OnTelegram:
    """The fake Telegram."""

    def __init__(self, server: TelegramServer) -> None:
        self._ann = server.user("Ann")
        self.settings: dict[str, Any] = {
            "telegram_token": server.token,
            "telegram_api_url": server.url,
            "telegram_whitelisted_users": str(self._ann.person.user_id),
        }

    async def sends_voice(self, ogg: bytes, duration_s: float) -> None:
        await self._ann.sends_voice(ogg)

    def answers(self) -> list[tuple[str, bytes | None]]:
        return [(message.text, message.voice) for message in self._ann.chat.answers]


class OnDiscord:
    """The fake Discord."""

    def __init__(self, server: DiscordServer) -> None:
        self._ann = server.user("Ann")
        self.settings: dict[str, Any] = {
            "discord_token": server.token,
            "discord_api_url": server.api_url,
            "discord_gateway_url": server.gateway_url,
            "discord_whitelisted_users": self._ann.user_id,
        }

    async def sends_voice(self, ogg: bytes, duration_s: float) -> None:
        await self._ann.sends_voice(ogg, duration_s)

    def answers(self) -> list[tuple[str, bytes | None]]:
        posts = [post for post in self._ann.dm.posts() if post.author_id != self._ann.user_id]
        return [(post.text, post.attachments[0].data if post.is_voice else None) for post in posts]


@asynccontextmanager
async def telegram() -> AsyncIterator[Stage]:
    async with TelegramServer() as server:
        yield OnTelegram(server)


@asynccontextmanager
async def discord() -> AsyncIterator[Stage]:
    async with DiscordServer() as server:
        with point_discord_py(server):
            yield OnDiscord(server)


STAGES = {"telegram": telegram, "discord": discord}


@dataclass(frozen=True, slots=True)
class June:
    """A chat service at work, and Ann's side of it."""

    stage: Stage
    model: CountedModel
    settings: Any

    async def answers(self, note: bytes, *, duration_s: float) -> list[tuple[str, bytes | None]]:
        """What June sends upon a note, once it is complete."""
        await self.stage.sends_voice(note, duration_s)
        async with open_store(self.settings.store_url, self.settings) as store, asyncio.timeout(PATIENCE_S):
            while not self.stage.answers() or await store.inbox.backlog():  # noqa: ASYNC110 - it is in the store
                await asyncio.sleep(0.05)
        return self.stage.answers()


@pytest_asyncio.fixture(loop_scope="session", params=STAGES)
async def june(request, players, tmp_path, monkeypatch) -> AsyncIterator[June]:
    """`python -m essence telegram`, or discord, but for its models, which are shared."""
    model = CountedModel(players.model)

    @asynccontextmanager
    async def shared(_: config.Assistant) -> AsyncIterator[Players]:
        yield replace(players, model=model)

    monkeypatch.setattr(table, "open_players", shared)
    service: list[Any] = []
    monkeypatch.setattr(chatting, "run", service.append)
    importlib.import_module(f"essence.services.{request.param}").main([])
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(STAGES[request.param]())
        settings = service[0].settings(
            _env_file=None,
            store_url=f"sqlite:///{tmp_path}/june.db",
            june_system_prompt="Answer in one short sentence.",
            **{f"{request.param}_http_port": 0, f"{request.param}_grpc_port": 0},
            **stage.settings,
        )
        work = asyncio.create_task(chatting._serve(service[0], settings))
        yield June(stage, model, settings)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(work, PATIENCE_S)


async def test_a_spoken_question_is_answered_in_writing_and_by_voice(june, players):
    question = QUESTION.read_bytes()
    answers = await june.answers(question, duration_s=sum(pcm.duration_s for pcm in decode(question)))
    text = " ".join(text for text, voice in answers if text and not voice)
    assert "Paris" in text
    voices = [voice for _, voice in answers if voice]
    assert all(voice.startswith(b"OggS") for voice in voices)
    spoken = [await heard(players, voice) for voice in voices]
    understood = NORMAL(" ".join(transcript.text for transcript in spoken))
    assert jiwer.wer(NORMAL(text), understood) <= SHORT_WER_MAX, understood
    assert june.model.asked == 1


async def test_noise_is_told_and_no_model_is_asked(june):
    noise = (np.random.default_rng(1).standard_normal(3 * 48_000) * 1500).astype("<i2")
    answers = await june.answers(encode_voice([Pcm(noise.tobytes(), 48_000)]).data, duration_s=3.0)
    [(notice, voice)] = answers
    assert "no speech" in notice
    assert voice is None
    assert june.model.asked == 0
