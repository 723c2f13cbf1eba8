"""Fakes by URL, so that services and commands run without a model, in tests and demonstrations.

`fake:hello world` hears, or answers, "hello world"; `fake:en de` speaks a tone in those languages. All work at once, or
at a known speed: `fake:hello world?rtf=0.5` takes half a second for each second of audio, `fake:hello?token_s=0.1` a
tenth of a second for each word.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from essence.config import LlmEngine, SttEngine, TtsEngine
from essence.fakes.engines import ScriptedModel, ScriptedTranscriber, ToneSynthesizer

_SPEED = re.compile(r"\?(?:rtf|token_s)=(\d+(?:\.\d+)?)$")


@asynccontextmanager
async def open_transcriber(url: str, settings: SttEngine) -> AsyncIterator[ScriptedTranscriber]:
    """`fake:WORDS[?rtf=N]`: hears the words."""
    words, rtf = _parts(url)
    yield ScriptedTranscriber(words, rtf=rtf)


@asynccontextmanager
async def open_synthesizer(url: str, settings: TtsEngine) -> AsyncIterator[ToneSynthesizer]:
    """`fake:[LANGUAGES][?rtf=N]`: speaks a tone in the languages, English where none is named."""
    languages, rtf = _parts(url)
    yield ToneSynthesizer(languages=languages.split() or ("en",), rtf=rtf)


@asynccontextmanager
async def open_language_model(url: str, settings: LlmEngine) -> AsyncIterator[ScriptedModel]:
    """`fake:WORDS[?token_s=N]`: answers with the words."""
    words, token_s = _parts(url)
    yield ScriptedModel(words, first_token_s=token_s, token_s=token_s, remembers=False)


def _parts(url: str) -> tuple[str, float]:
    text = url.partition(":")[2]
    speed = _SPEED.search(text)
    return (text[: speed.start()], float(speed[1])) if speed else (text, 0.0)
