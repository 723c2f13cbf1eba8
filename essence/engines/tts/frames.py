"""What June and a speech engine's process say to each other: frames over a pipe.

A frame is a header (payload length, kind, call; big-endian u32, u8, u32) and its payload. Many calls share the pipe;
each has a number of its own, so that audio of a cancelled call can't be taken for another's.

    June → engine                               engine → June
    SPEAK   SpeakRequest as JSON                READY   empty: loaded, calls are taken
    MORE    empty: one more chunk may come      AUDIO   u32 rate [Hz], then the samples of a `Pcm`
    CANCEL  empty: say nothing more             END     empty: all was said
                                                FAILED  Failure as JSON; call 0: the engine can't be loaded

A call starts with the right to `WINDOW_CHUNKS` chunks; each MORE adds one. That bounds the memory of both ends.
This module loads nothing but the standard library: engine processes start with it.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import IntEnum

from essence.errors import EngineError, JuneError, by_code

WINDOW_CHUNKS = 3
"""Chunks that an engine may be ahead of its listener: one being heard, one in the pipe, one in the making."""
MAX_PAYLOAD_BYTES = 2**28
"""A longer frame means that the stream is out of step: the longest chunk of any engine is far below this."""

_HEADER = struct.Struct("!IBI")
_RATE = struct.Struct("!I")


class Kind(IntEnum):
    """What a frame says."""

    SPEAK = 1
    MORE = 2
    CANCEL = 3
    READY = 4
    AUDIO = 5
    END = 6
    FAILED = 7


@dataclass(frozen=True, slots=True)
class Frame:
    """One thing said, about one call."""

    kind: Kind
    call: int = 0
    payload: bytes = b""

    def encode(self) -> bytes:
        """Header and payload."""
        return _HEADER.pack(len(self.payload), self.kind, self.call) + self.payload


class FrameDecoder:
    """Cuts a stream of bytes, however it arrives, into frames."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that `data` completes, in order.

        Raises:
            EngineError: The stream is no stream of frames.
        """
        self._pending += data
        while (frame := self._first()) is not None:
            yield frame

    def _first(self) -> Frame | None:
        if len(self._pending) < _HEADER.size:
            return None
        length, kind, call = _HEADER.unpack_from(self._pending)
        if length > MAX_PAYLOAD_BYTES or kind not in Kind._value2member_map_:
            raise EngineError("A speech engine's process sent something that is no frame. Report this as a bug.")
        end = _HEADER.size + length
        if len(self._pending) < end:
            return None
        payload = bytes(memoryview(self._pending)[_HEADER.size : end])
        del self._pending[:end]
        return Frame(Kind(kind), call, payload)


@dataclass(frozen=True, slots=True)
class SpeakRequest:
    """What is to be said, and how."""

    text: str
    voice: str = ""
    """As the engine names it (Piper: path of the .onnx file); empty for the one that fits `language`."""
    language: str = ""
    """As in `Synthesizer.synthesize`; empty for the engine's own."""
    rate: float = 1.0
    """Speaking rate; 1 is the voice's own."""

    def encode(self) -> bytes:
        """JSON; escapes keep even a lone surrogate, so that any str survives."""
        return json.dumps(asdict(self)).encode("ascii")

    @classmethod
    def decode(cls, payload: bytes) -> SpeakRequest:
        """The inverse of `encode`."""
        return cls(**json.loads(payload))


def encode_audio(rate_hz: int, samples: bytes) -> bytes:
    """Payload of AUDIO; `samples` are mono, signed 16-bit little-endian."""
    return _RATE.pack(rate_hz) + samples


def decode_audio(payload: bytes) -> tuple[int, bytes]:
    """Rate [Hz] and samples of AUDIO."""
    return _RATE.unpack_from(payload)[0], payload[_RATE.size :]


def encode_failure(error: JuneError) -> bytes:
    """Payload of FAILED."""
    return json.dumps({"code": error.code, "message": str(error)}).encode("ascii")


def decode_failure(payload: bytes) -> JuneError:
    """The error of FAILED, of the class it was raised with."""
    told = json.loads(payload)
    return by_code().get(told["code"], EngineError)(told["message"])
