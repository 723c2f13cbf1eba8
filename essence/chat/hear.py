"""Hear: a voice note becomes a transcript, decoded while it is transcribed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

from essence.audio import Pcm
from essence.chat.timings import Stopwatch
from essence.dialogue import Transcript
from essence.errors import EngineError
from essence.ports import Transcriber


async def hear(
    sound: AsyncGenerator[Pcm],
    transcriber: Transcriber,
    stopwatch: Stopwatch,
    *,
    language: str | None = None,
    progress: Callable[[Transcript], None] | None = None,
) -> Transcript:
    """Return the final transcript of a note; `progress` is told of each on the way.

    Raises:
        InvalidAudio: The note can't be decoded.
        JuneError: As the transcriber says.
    """
    transcript: Transcript | None = None
    async with (
        aclosing(sound),
        aclosing(_timed(sound, stopwatch)) as speech,
        aclosing(transcriber.transcribe(speech, language=language)) as transcripts,
    ):
        async for growing in transcripts:
            transcript = growing
            if progress is not None:
                progress(growing)
    if transcript is None:
        raise EngineError("The speech-to-text engine ended without a result. Its log tells why.")
    stopwatch.heard(transcript.timing)
    return transcript


async def _timed(sound: AsyncIterator[Pcm], stopwatch: Stopwatch) -> AsyncGenerator[Pcm]:
    while True:
        with stopwatch.busy("decode"):
            try:
                pcm = await anext(sound)
            except StopAsyncIteration:
                return
        yield pcm
