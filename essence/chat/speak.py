"""Speak: each finished piece of the answer becomes sound, and sounds become voice messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from essence import observe
from essence.audio import Pcm
from essence.chat.codec import Codec, Encoding
from essence.chat.events import AudioPart, Outlet, VoiceFailed
from essence.chat.playout import Playout
from essence.chat.speakable import speakable
from essence.chat.think import Pieces
from essence.chat.timings import Stopwatch
from essence.errors import EngineError, JuneError
from essence.ports import Synthesizer


class Speaker:
    """Speaks one answer while it is being written.

    A failure of the voice never costs the text: it is told once, and the rest of the answer is only read.
    """

    def __init__(
        self, synthesizer: Synthesizer, codec: Codec, playout: Playout, outlet: Outlet, stopwatch: Stopwatch
    ) -> None:
        self._synthesizer, self._outlet, self._stopwatch = synthesizer, outlet, stopwatch
        self._parts = _Parts(codec, playout, outlet, stopwatch)

    async def speak(self, pieces: Pieces, *, language: str | None, voice: str | None) -> None:
        """Speak all pieces until there are no more."""
        try:
            while (piece := await self._next(pieces)) is not None:
                await self._say(piece, language, voice)
                await self._parts.send_if_due(pieces)
            await self._parts.send()
        except Exception as error:  # noqa: BLE001 (whatever breaks the voice, the text goes on; see `_as_june`)
            self._outlet.put(VoiceFailed(_as_june(error)))
            while await pieces.get() is not None:
                pass

    async def _next(self, pieces: Pieces) -> str | None:
        """Wait for a piece, but no longer than the listener has something to hear while a part waits here."""
        try:
            async with asyncio.timeout_at(self._parts.must_leave_at()):
                return await pieces.get()
        except TimeoutError:
            await self._parts.send()
            return await pieces.get()

    async def _say(self, piece: str, language: str | None, voice: str | None) -> None:
        words = speakable(piece, language or "en")
        self._parts.add_text(piece)
        if not words:
            return
        started_s = self._stopwatch.timings.tts_s
        made_s = await self._make_sound(words, language, voice)
        if not made_s and any(char.isalnum() for char in words):
            raise EngineError("The voice made no sound of it. Choose another one with /voice; its log may tell more.")
        self._parts.learn_pace(len(piece), self._stopwatch.timings.tts_s - started_s)

    async def _make_sound(self, words: str, language: str | None, voice: str | None) -> float:
        made_s = 0.0
        async with aclosing(self._synthesizer.synthesize(words, voice=voice, language=language)) as speech:
            while (pcm := await self._chunk(speech)) is not None:
                if pcm.data:
                    self._stopwatch.reach("first_audio")
                    await self._parts.add_sound(pcm)
                    made_s += pcm.duration_s
        return made_s

    async def _chunk(self, speech: AsyncGenerator[Pcm]) -> Pcm | None:
        with self._stopwatch.busy("tts"):
            return await anext(speech, None)


def _as_june(error: Exception) -> JuneError:
    """The error that the person is told; one that nobody foresaw is logged with its traceback."""
    if isinstance(error, JuneError):
        return error
    observe.logger().error("voice_crashed", exc_info=error)
    return EngineError("The voice failed unexpectedly; the answer goes on in writing. The log tells more.")


class _Parts:
    """The voice message in the making, and what the listener has of those before it."""

    def __init__(self, codec: Codec, playout: Playout, outlet: Outlet, stopwatch: Stopwatch) -> None:
        self._codec, self._playout, self._outlet, self._stopwatch = codec, playout, outlet, stopwatch
        self._loop = asyncio.get_running_loop()
        self._encoding: Encoding | None = None
        self._text, self._sound_s, self._sent = "", 0.0, 0
        self._heard_until = 0.0
        self._spoken_chars, self._speaking_s = 0, 0.0

    def add_text(self, piece: str) -> None:
        self._text += piece

    async def add_sound(self, pcm: Pcm) -> None:
        self._encoding = self._encoding or self._codec.encoding()
        self._sound_s += pcm.duration_s
        with self._stopwatch.busy("encode"):
            await self._encoding.write(pcm)

    def learn_pace(self, chars: int, seconds: float) -> None:
        self._spoken_chars += chars
        self._speaking_s += seconds

    def must_leave_at(self) -> float | None:
        """When the listener runs dry, on the loop's clock; None while nothing waits here or nothing was sent."""
        if self._encoding is None or not self._sent:
            return None
        return max(self._heard_until - 0.5, self._loop.time())

    async def send_if_due(self, pieces: Pieces) -> None:
        rest_s = self._rest_s(pieces.waiting_chars) if pieces.complete else None
        left_s = self._heard_until - self._loop.time()
        if self._encoding is not None and self._playout.due(
            first=not self._sent, part_s=self._sound_s, left_s=left_s, rest_s=rest_s
        ):
            await self.send()

    def _rest_s(self, chars: int) -> float:
        return chars * self._speaking_s / max(self._spoken_chars, 1)

    async def send(self) -> None:
        """Let the part go, if it holds any sound."""
        if self._encoding is None:
            return
        with self._stopwatch.busy("encode"):
            note = await self._encoding.finish()
        self._outlet.put(AudioPart(self._sent, self._text, note))
        self._heard_until = max(self._heard_until, self._loop.time()) + note.duration_s
        self._encoding, self._text, self._sound_s, self._sent = None, "", 0.0, self._sent + 1
