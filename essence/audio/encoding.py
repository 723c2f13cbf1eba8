"""`Pcm` out of June: Ogg/Opus for voice messages, WAV for everything else."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterable
from fractions import Fraction

import av
import numpy as np
from av.audio.stream import AudioStream

from essence.audio.note import VoiceNote
from essence.audio.pcm import Pcm
from essence.audio.resample import MonoResampler
from essence.audio.waveform import Waveform
from essence.errors import InvalidAudio

_RATE = 48_000
"""Opus has no other rate inside, and chat clients expect it (RFC 7845, section 5.1). [Hz]"""
_BIT_RATE = 32_000
"""Fullband mono speech needs 28 to 40 kbit/s (RFC 6716, section 2.1.1). [bit/s]"""


class VoiceEncoder:
    """Encodes speech as it is made: call `write` any number of times, then `finish` once.

    Equal speech gives equal bytes. Not for use by two threads at once.
    """

    def __init__(self) -> None:
        self._file = io.BytesIO()
        # bitexact: no random stream number and no version, so that a repeated answer is the same file
        self._container = av.open(self._file, "w", format="ogg", container_options={"fflags": "+bitexact"})
        self._stream = _opus_stream(self._container)
        self._resampler = MonoResampler(_RATE)
        self._waveform = Waveform(_RATE)
        self._samples = 0

    def write(self, pcm: Pcm) -> None:
        """Take the next stretch of sound, of any length and rate."""
        if not pcm.data:
            return
        frame = av.AudioFrame.from_ndarray(pcm.samples()[np.newaxis, :], format="s16", layout="mono")
        frame.sample_rate = pcm.rate
        for data in self._resampler.write(frame):
            self._encode(data)

    def finish(self) -> VoiceNote:
        """Close the file and hand it over.

        Raises:
            InvalidAudio: Nothing was written.
        """
        for data in self._resampler.flush():
            self._encode(data)
        if not self._samples:
            self._container.close()
            raise InvalidAudio("There is no sound to put into a voice message. Give it a text with words in it.")
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return VoiceNote(self._file.getvalue(), self._samples / _RATE, self._waveform.points())

    def _encode(self, data: bytes) -> None:
        samples = np.frombuffer(data, dtype="<i2")
        self._waveform.add(samples)
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis, :], format="s16", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = _RATE, Fraction(1, _RATE), self._samples
        self._samples += len(samples)
        self._container.mux(self._stream.encode(frame))


def _opus_stream(container: av.container.OutputContainer) -> AudioStream:
    stream = container.add_stream("libopus", rate=_RATE, layout="mono", options={"application": "voip", "vbr": "on"})
    stream.bit_rate = _BIT_RATE
    return stream


def encode_voice(parts: Iterable[Pcm]) -> VoiceNote:
    """All of `parts`, in order, as one voice message.

    Raises:
        InvalidAudio: There is no sound in them.
    """
    encoder = VoiceEncoder()
    for part in parts:
        encoder.write(part)
    return encoder.finish()


def encode_wav(parts: Iterable[Pcm]) -> bytes:
    """All of `parts`, in order, as one mono 16-bit WAV file of the first part's rate.

    Raises:
        InvalidAudio: There are no parts.
        ValueError: The parts differ in rate.
    """
    chunks = list(parts)
    if not chunks:
        raise InvalidAudio("There is no sound to put into a file. Give it a text with words in it.")
    if len({chunk.rate for chunk in chunks}) > 1:
        raise ValueError("all parts of one WAV file have one rate")
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setparams((1, 2, chunks[0].rate, 0, "NONE", "not compressed"))
        wav.writeframes(b"".join(chunk.data for chunk in chunks))
    return file.getvalue()
