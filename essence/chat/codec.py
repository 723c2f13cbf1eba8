"""How a pipeline reads and writes sound. The one that ships works in threads, so that no stage waits for a codec."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Protocol

from essence.audio import DecodeLimits, Pcm, VoiceEncoder, VoiceNote, decode_stream


class Encoding(Protocol):
    """One voice message in the making."""

    async def write(self, pcm: Pcm) -> None:
        """Append sound, any rate."""
        ...

    async def finish(self) -> VoiceNote:
        """Return the message; nothing may be written after it."""
        ...


class Codec(Protocol):
    """Reads what people send and makes voice messages."""

    def decode(self, note: bytes | Path) -> AsyncGenerator[Pcm]:
        """Yield the sound of a file in order; raise `InvalidAudio` where it has none."""
        ...

    def encoding(self) -> Encoding:
        """Begin a voice message."""
        ...


class ThreadedCodec:
    """`essence.audio`, with decoder and encoder off the event loop."""

    def __init__(self, limits: DecodeLimits | None = None) -> None:
        self._limits = limits or DecodeLimits()

    def decode(self, note: bytes | Path) -> AsyncGenerator[Pcm]:
        return decode_stream(note, limits=self._limits)

    def encoding(self) -> Encoding:
        return _ThreadedEncoding()


class _ThreadedEncoding:
    def __init__(self) -> None:
        self._encoder = VoiceEncoder()

    async def write(self, pcm: Pcm) -> None:
        await asyncio.to_thread(self._encoder.write, pcm)

    async def finish(self) -> VoiceNote:
        return await asyncio.to_thread(self._encoder.finish)
