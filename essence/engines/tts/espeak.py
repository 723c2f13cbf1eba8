"""eSpeak NG: a small robotic voice for each of over 100 languages, ready at once and a hundred times real time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

from essence.audio import Pcm
from essence.config import TtsEngine
from essence.engines.tts.frames import SpeakRequest
from essence.engines.tts.worker import WorkerCommand, WorkerProcess


class EspeakSynthesizer:
    """Speaks with the library's voice for the language; its process knows which there are."""

    def __init__(self, worker: WorkerProcess, *, language: str, rate: float) -> None:
        """`language` is spoken where a call names none; empty for American English."""
        self._worker, self._language, self._rate = worker, language, rate

    async def synthesize(
        self, text: str, *, voice: str | None = None, language: str | None = None
    ) -> AsyncGenerator[Pcm]:
        spoken = language or ("" if voice else self._language)
        request = SpeakRequest(text, voice or "", spoken, self._rate)
        async with aclosing(self._worker.speak(request)) as speech:
            async for pcm in speech:
                yield pcm


@asynccontextmanager
async def open_player(url: str, settings: TtsEngine) -> AsyncIterator[EspeakSynthesizer]:
    """Make `espeak:` or `espeak:LANGUAGE` ready; its process starts with the first call, which costs about 0.1 s."""
    worker = WorkerProcess(
        WorkerCommand(
            "eSpeak NG",
            "essence.engines.tts.espeak_worker",
            waiting_max=settings.tts_queue_max,
            chunk_deadline_s=settings.tts_chunk_deadline_s,
        )
    )
    try:
        yield EspeakSynthesizer(worker, language=url.partition(":")[2], rate=settings.tts_rate)
    finally:
        await worker.close()
