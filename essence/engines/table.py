"""The one table of engines: a scheme, who plays it, what it needs.

A new engine is one file and one line here. Players are named by import path and imported when one is opened, so that
reading the table loads no model library, and so that a far player may live in `essence.rpc`.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from essence.errors import ConfigError, EngineMissing

if TYPE_CHECKING:  # engines' own processes come through this package, and start 0.5 s sooner without pydantic
    from essence.config import Assistant, LlmEngine, SttEngine, TtsEngine
    from essence.ports import LanguageModel, Synthesizer, Transcriber
    from essence.resilience import Way

Role = Literal["stt", "tts", "llm"]
P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Engine:
    """One line of the table."""

    role: Role
    scheme: str
    """The URL's part before the colon."""
    opener: str
    """`module:function`; called with the URL and the role's settings, returns an async context manager."""
    summary: str
    extra: str = ""
    """Extra of June's package that brings its libraries; empty where nothing is needed."""
    libraries: tuple[str, ...] = ()
    """Modules that must be importable."""
    far: bool = False
    """Reached over a network, so that a failed call is worth another try."""

    def missing(self) -> tuple[str, ...]:
        """Libraries that can't be imported here."""
        return tuple(name for name in self.libraries if importlib.util.find_spec(name) is None)


ENGINES = (
    Engine(
        "stt", "faster-whisper", "essence.engines.stt.faster_whisper:open_player",
        "Whisper on CTranslate2, CPU or CUDA", "faster-whisper", ("faster_whisper", "ctranslate2"),
    ),
    Engine("stt", "fake", "essence.fakes.by_url:open_transcriber", "hears the words in its URL; for tests"),
    Engine("stt", "grpc", "essence.rpc.client:open_transcriber", "June's stt service on another machine", far=True),
    Engine(
        "tts", "piper", "essence.engines.tts.piper:open_player",
        "Piper neural voices, in a process of their own", "piper", ("piper",),
    ),
    Engine(
        "tts", "espeak", "essence.engines.tts.espeak:open_player",
        "eSpeak NG, over 100 languages, in a process of its own", "espeak", ("espeakng_loader",),
    ),
    Engine("tts", "fake", "essence.fakes.by_url:open_synthesizer", "speaks a tone; for tests"),
    Engine("tts", "grpc", "essence.rpc.client:open_synthesizer", "June's tts service on another machine", far=True),
    Engine(
        "llm", "llamacpp", "essence.engines.llm.llamacpp:open_player",
        "llama.cpp in a process of its own, any GGUF model", "llamacpp", ("xllamacpp",),
    ),
    Engine("llm", "http", "essence.engines.llm.openai:open_player", "any OpenAI-compatible server", far=True),
    Engine("llm", "https", "essence.engines.llm.openai:open_player", "any OpenAI-compatible server, TLS", far=True),
    Engine("llm", "fake", "essence.fakes.by_url:open_language_model", "writes the words in its URL; for tests"),
    Engine("llm", "grpc", "essence.rpc.client:open_language_model", "June's inference-api elsewhere", far=True),
)  # fmt: skip


@asynccontextmanager
async def open_transcriber(urls: str, settings: SttEngine) -> AsyncIterator[Transcriber]:
    """Load the engine that `urls` names on entry, free it on exit; of several, each helps where those before it fail.

    Raises:
        ConfigError: No engine has this scheme.
        EngineMissing: Its libraries or its model aren't here.
    """
    from essence.resilience import ResilientTranscriber

    async with _opened("stt", urls, settings, ResilientTranscriber) as player:
        yield player


def open_synthesizer(urls: str, settings: TtsEngine) -> AbstractAsyncContextManager[Synthesizer]:
    """Load the engines of a comma-separated list; the first that has a voice for a text's language speaks it.

    One that isn't installed is left out with a warning, as long as another one of the list is there.

    Raises:
        ConfigError: No engine has this scheme, or the list is empty.
        EngineMissing: None of them has its libraries and its model here.
    """
    from essence.engines.tts.by_language import open_installed

    listed = [url.strip() for url in urls.split(",") if url.strip()]
    if not listed:
        raise ConfigError("TTS_URL names no engine. Leave it unset for piper:en_US-joe-medium,espeak:.")
    return open_installed({url: partial(_open_synthesizer, url, settings) for url in listed})


@asynccontextmanager
async def _open_synthesizer(url: str, settings: TtsEngine) -> AsyncIterator[Synthesizer]:
    from essence.resilience import ResilientSynthesizer

    async with _opened("tts", url, settings, ResilientSynthesizer) as player:
        yield player


@asynccontextmanager
async def open_language_model(urls: str, settings: LlmEngine) -> AsyncIterator[LanguageModel]:
    """Load or connect to the model that `urls` names on entry, let go of it on exit; of several, as for transcribers.

    Raises:
        ConfigError: No engine has this scheme.
        EngineMissing: Its libraries or its model aren't here.
    """
    from essence.resilience import ResilientLanguageModel

    async with _opened("llm", urls, settings, ResilientLanguageModel) as player:
        yield player


@asynccontextmanager
async def _opened(
    role: Role, urls: str, settings: SttEngine | TtsEngine | LlmEngine, resilient: Callable[[Way[P]], P]
) -> AsyncIterator[P]:
    from essence.resilience import Directly, Fallback, Retrying

    async with AsyncExitStack() as stack:
        ways: list[Way[P]] = []
        # A comma separates URLs only where a scheme follows, so that it may stand in a path or in a fake's words.
        for url in re.split(r",\s*(?=[a-z][a-z0-9-]*:)", urls):
            engine = _engine(role, url)
            player: P = await stack.enter_async_context(_opener(engine)(url, settings))
            ways.append(Retrying(Directly(player)) if engine.far else Directly(player))
        if len(ways) == 1 and not engine.far:
            yield player
        else:
            yield resilient(ways[0] if len(ways) == 1 else Fallback(ways))


def _engine(role: Role, url: str) -> Engine:
    scheme = url.partition(":")[0]
    engine = next((e for e in ENGINES if e.role == role and e.scheme == scheme), None)
    if engine is None:
        known = ", ".join(e.scheme for e in ENGINES if e.role == role)
        raise ConfigError(f"{role.upper()}_URL={url}: no such engine. Use one of {known}.")
    if missing := engine.missing():
        raise EngineMissing(
            f"{scheme} needs {', '.join(missing)}. Install it with: pip install 'june-assistant[{engine.extra}]'"
        )
    return engine


def _opener(engine: Engine) -> Callable[..., AbstractAsyncContextManager[Any]]:
    module, _, function = engine.opener.partition(":")
    opener: Callable[..., AbstractAsyncContextManager[Any]] = getattr(importlib.import_module(module), function)
    return opener


@dataclass(frozen=True, slots=True)
class Players:
    """One of each role, ready to work."""

    transcriber: Transcriber
    model: LanguageModel
    synthesizer: Synthesizer


@asynccontextmanager
async def open_players(settings: Assistant) -> AsyncIterator[Players]:
    """Load the engines of all three roles side by side on entry, free them on exit.

    Raises:
        ConfigError, EngineMissing: As the three openers say; what had been loaded is freed.
    """
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.TaskGroup() as loading:
                transcriber = loading.create_task(
                    stack.enter_async_context(open_transcriber(settings.stt_url, settings))
                )
                model = loading.create_task(stack.enter_async_context(open_language_model(settings.llm_url, settings)))
                synthesizer = loading.create_task(
                    stack.enter_async_context(open_synthesizer(settings.tts_url, settings))
                )
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed
        yield Players(transcriber.result(), model.result(), synthesizer.result())
