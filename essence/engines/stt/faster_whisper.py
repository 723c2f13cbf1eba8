"""Speech to text in this process: Whisper on CTranslate2, several times faster than stock on short notes.

A note goes through the silence gate (`gate`), is cut at silences where it is long (`segmentation`), waits for the one
model thread (`worker`), is encoded in a window of its own length (`audio_context`) and heard again where the result is
broken (`guard`, `repetition`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from time import perf_counter

import numpy as np
import soxr

from essence.audio import Pcm
from essence.config import SttEngine
from essence.dialogue import Transcript
from essence.engines.stt import whisper
from essence.engines.stt.gate import RATE_HZ, Samples
from essence.engines.stt.segmentation import Cutter, Stretch
from essence.engines.stt.transcript import Draft
from essence.engines.stt.whisper import Request, Whisper
from essence.engines.stt.worker import Answer, Job, Worker
from essence.errors import EngineBusy, InvalidAudio, InvalidInput
from essence.ports import Transcriber

_AHEAD = 4
"""Stretches of one call that may be with the worker at once: enough to batch, few enough to bound memory."""
_PIECE_S = 10.0
"""Most sound that is resampled and cut at once."""
_SURE = 0.5
"""Language of a note's first stretch, from this probability on, is the language of the rest."""


@asynccontextmanager
async def open_player(url: str, settings: SttEngine) -> AsyncIterator[Transcriber]:
    """Load `faster-whisper:MODEL` in a thread: a size such as base, a folder, or a name on the model hub.

    Raises:
        EngineMissing: The model isn't here. The message names the command that fetches it.
    """
    name = url.partition(":")[2] or "base"
    model = await asyncio.to_thread(whisper.load, name, settings)
    player = FasterWhisper(model, queue_max=settings.stt_queue_max, max_audio_s=settings.stt_max_audio_s)
    try:
        yield player
    finally:
        await asyncio.shield(asyncio.to_thread(player.close))


class FasterWhisper:
    """A `Transcriber`. Owns a model thread and a thread for the gate."""

    def __init__(self, model: Whisper, *, queue_max: int, max_audio_s: float) -> None:
        """`queue_max`: calls that may be open beside the one in work."""
        self._languages = model.languages
        self._worker = Worker(model)
        self._gate = ThreadPoolExecutor(1, "june-stt-gate")
        self._queue_max, self._max_audio_s = queue_max, max_audio_s
        self._open_calls = 0

    def close(self) -> None:
        """Stop everything; blocks until the batch in work is done."""
        self._worker.close()
        self._gate.shutdown()

    async def transcribe(
        self, speech: AsyncIterator[Pcm], *, language: str | None = None, word_times: bool = False
    ) -> AsyncGenerator[Transcript]:
        if language is not None and language not in self._languages:
            raise InvalidInput(f"This speech model doesn't know the language {language!r}. Use an ISO 639-1 code.")
        with self._admitted():
            draft, waiting = Draft(language), deque[Job]()
            try:
                async for stretches in self._listen(speech, draft):
                    for stretch in stretches:
                        waiting.append(self._submit(stretch, draft.language, word_times=word_times))
                        if await self._collect_due(waiting, draft):
                            yield draft.transcript()
                    if await self._collect_due(waiting, draft):
                        yield draft.transcript()
                while waiting:
                    if await self._collect(waiting, draft) and waiting:
                        yield draft.transcript()
                yield draft.transcript()
            finally:
                for job in waiting:
                    job.abandoned = True
                    job.future.cancel()

    @contextmanager
    def _admitted(self) -> Iterator[None]:
        if self._open_calls > self._queue_max:
            raise EngineBusy(f"Speech to text has {self._open_calls} notes in hand already. Try again in a moment.")
        self._open_calls += 1
        try:
            yield
        finally:
            self._open_calls -= 1

    def _submit(self, stretch: Stretch, language: str | None, *, word_times: bool) -> Job:
        job = Job(stretch, Request(stretch.samples, language, word_times))
        self._worker.submit(job)
        return job

    async def _collect_due(self, waiting: deque[Job], draft: Draft) -> bool:
        """Collect what is done, and wait where no more may be submitted; say whether the draft grew.

        Until the language is known, stretches go one by one: it is detected once and then told to the rest.
        """
        grew = False
        while waiting and (waiting[0].future.done() or len(waiting) >= _AHEAD or draft.language is None):
            grew |= await self._collect(waiting, draft)
        return grew

    async def _collect(self, waiting: deque[Job], draft: Draft) -> bool:
        """Wait for the oldest stretch and take it off the queue; say whether the draft grew."""
        job = waiting[0]
        answer: Answer = await asyncio.wrap_future(job.future)
        waiting.popleft()
        grew = draft.add(job.stretch, answer)
        if draft.language is None and grew and answer.heard.language_probability >= _SURE:
            draft.language = answer.heard.language
        return grew

    async def _listen(self, speech: AsyncIterator[Pcm], draft: Draft) -> AsyncIterator[list[Stretch]]:
        """Yield, for each piece of sound, the stretches that it completes; count the sound and the gate's time."""
        loop, cutter, resampler = asyncio.get_running_loop(), Cutter(), None
        async for pcm in speech:
            resampler = resampler or _Resampler(pcm.rate)
            draft.duration_s += pcm.duration_s
            if draft.duration_s > self._max_audio_s:
                raise InvalidAudio(f"The audio is longer than {self._max_audio_s:.0f} s. Send a shorter recording.")
            for piece in resampler.pieces(pcm):
                yield await loop.run_in_executor(self._gate, _cut, cutter, resampler, piece, draft)
        if resampler is not None:
            yield await loop.run_in_executor(self._gate, _cut_rest, cutter, resampler, draft)


class _Resampler:
    """16-bit sound of any one rate to float at 16 kHz, as a stream."""

    def __init__(self, rate_hz: int) -> None:
        if rate_hz <= 0:
            raise InvalidAudio(f"Sound of {rate_hz} samples a second can't be. Send 8,000 to 192,000.")
        self._rate_hz = rate_hz
        self._stream = None if rate_hz == RATE_HZ else soxr.ResampleStream(rate_hz, RATE_HZ, 1, dtype="float32")

    def pieces(self, pcm: Pcm) -> Iterator[Samples]:
        """The sound as floats at its own rate, at most `_PIECE_S` at a time."""
        if pcm.rate != self._rate_hz:
            raise InvalidAudio(f"The sample rate changed from {self._rate_hz} to {pcm.rate} Hz. Send one rate.")
        samples, step = pcm.samples(), int(_PIECE_S * self._rate_hz)
        for start in range(0, len(samples), step):
            yield samples[start : start + step].astype(np.float32) / np.float32(32768)

    def convert(self, piece: Samples, *, last: bool = False) -> Samples:
        """Resample; some sound is held back until the `last` piece."""
        if self._stream is None:
            return piece
        converted: Samples = self._stream.resample_chunk(piece, last=last)
        return converted


def _cut(cutter: Cutter, resampler: _Resampler, piece: Samples, draft: Draft) -> list[Stretch]:
    start_s = perf_counter()
    stretches = list(cutter.write(resampler.convert(piece)))
    draft.gate_s += perf_counter() - start_s
    return stretches


def _cut_rest(cutter: Cutter, resampler: _Resampler, draft: Draft) -> list[Stretch]:
    start_s = perf_counter()
    rest = resampler.convert(np.zeros(0, np.float32), last=True)
    stretches = [*cutter.write(rest), *cutter.flush()]
    draft.gate_s += perf_counter() - start_s
    return stretches
