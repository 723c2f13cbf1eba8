"""Any frames in, mono 16-bit samples of one rate out, as a stream."""

from __future__ import annotations

from collections.abc import Iterator

import av

from essence.errors import InvalidAudio

_BLOCK_S = 1.0
"""Sound collected before it is converted: one conversion of a second costs a third of fifty of 20 ms."""


class MonoResampler:
    """Mixes down to mono, converts to s16 and resamples with libswresample.

    Its matrix weighs as ITU-R BS.775 does (centre 0 dB, left and right -3 dB, surrounds -6 dB, no LFE) and is scaled so
    that nothing clips.
    Layout, format or rate may change on the way, as in chained Ogg files.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._kind: tuple[str, int, str] | None = None
        self._waiting = av.AudioFifo()
        self._resampler = self._new()

    def _new(self) -> av.AudioResampler:
        return av.AudioResampler(format="s16", layout="mono", rate=self._rate)

    def write(self, frame: av.AudioFrame) -> Iterator[bytes]:
        """Yield what is ready, about a second at a time."""
        kind = (frame.format.name, frame.sample_rate, frame.layout.name)
        if kind != self._kind:
            yield from self.flush()
            self._kind = kind
        frame.pts = None  # gaps and jumps of a broken muxer are not ours to keep
        self._waiting.write(frame)
        block = int(_BLOCK_S * frame.sample_rate)
        while self._waiting.samples >= block:
            yield from self._convert(self._waiting.read(block))

    def flush(self) -> Iterator[bytes]:
        """Yield what is left and be as new."""
        rest = list(self._convert(self._waiting.read())) if self._waiting.samples else []
        if last := b"".join([*rest, *self._convert(None)]):
            yield last
        self._waiting, self._resampler, self._kind = av.AudioFifo(), self._new(), None

    def _convert(self, frame: av.AudioFrame | None) -> Iterator[bytes]:
        try:
            converted = self._resampler.resample(frame)
        except (av.FFmpegError, ValueError) as error:
            raise InvalidAudio("The channels of this audio can't be mixed. Send it in mono or stereo.") from error
        for part in converted:
            if part.samples:
                yield bytes(part.planes[0])[: 2 * part.samples]
