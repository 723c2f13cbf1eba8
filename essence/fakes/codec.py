"""A codec that takes no time and reads no format, for tests in virtual time."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

from essence.audio import Pcm, VoiceNote


class RawCodec:
    """Takes a note for raw 16-bit mono sound at 16 kHz, and makes notes that are the same."""

    rate = 16_000

    async def decode(self, note: bytes | Path) -> AsyncGenerator[Pcm]:
        data = note if isinstance(note, bytes) else note.read_bytes()  # noqa: ASYNC240 (virtual time waits for no thread)
        for start in range(0, len(data), 2 * self.rate):
            yield Pcm(data[start : start + 2 * self.rate], self.rate)

    def encoding(self) -> RawEncoding:
        """Begin a note."""
        return RawEncoding()


class RawEncoding:
    """A note in the making: what was written, end to end."""

    def __init__(self) -> None:
        self._data, self._duration_s = b"", 0.0

    async def write(self, pcm: Pcm) -> None:
        """Append sound."""
        self._data += pcm.data
        self._duration_s += pcm.duration_s

    async def finish(self) -> VoiceNote:
        """Return the note."""
        return VoiceNote(self._data, self._duration_s, waveform=b"")
