"""Sound files made with PyAV itself, for the tests of `essence.audio` and its fuzzer."""

from __future__ import annotations

import io
from fractions import Fraction
from functools import cache
from typing import NamedTuple

import av
import numpy as np

from essence.audio import Pcm, decode


class Kind(NamedTuple):
    """How a sample file is written."""

    container: str
    codec: str
    rate: int
    layout: str = "mono"
    video: bool = False

    def __str__(self) -> str:
        return f"{self.container}-{self.codec}-{self.rate}-{self.layout}" + ("-video" if self.video else "")


KINDS = [
    Kind("ogg", "libopus", 48_000),
    Kind("ogg", "flac", 16_000),
    Kind("ogg", "vorbis", 44_100, "stereo"),
    Kind("mp3", "libmp3lame", 44_100, "stereo"),
    Kind("mp3", "libmp3lame", 8_000),
    Kind("ipod", "aac", 44_100),
    Kind("ipod", "aac", 96_000),
    Kind("ipod", "alac", 44_100),
    Kind("adts", "aac", 16_000),
    Kind("wav", "pcm_u8", 8_000),
    Kind("wav", "pcm_s16le", 11_025),
    Kind("wav", "pcm_s24le", 96_000),
    Kind("wav", "pcm_s32le", 192_000),
    Kind("wav", "pcm_f32le", 48_000),
    Kind("wav", "pcm_f64le", 48_000),
    Kind("wav", "pcm_mulaw", 8_000),
    Kind("wav", "pcm_alaw", 8_000),
    Kind("wav", "adpcm_ima_wav", 22_050),
    Kind("webm", "libopus", 48_000),
    Kind("flac", "flac", 8_000),
    Kind("flac", "flac", 192_000),
    Kind("amr", "libopencore_amrnb", 8_000),
    Kind("3gp", "libopencore_amrnb", 8_000),
    Kind("caf", "pcm_s16be", 44_100),
    Kind("aiff", "pcm_s16be", 44_100),
    Kind("mp4", "aac", 48_000, video=True),
    Kind("mov", "aac", 48_000, "stereo", video=True),
    Kind("webm", "libopus", 48_000, video=True),
    *(Kind("wav", "pcm_s16le", 48_000, layout) for layout in ("stereo", "2.1", "quad", "5.0", "5.1", "6.1", "7.1")),
    *(Kind("flac", "flac", 48_000, layout) for layout in ("5.1", "7.1")),
    *(Kind("ogg", "libopus", 48_000, layout) for layout in ("5.1", "7.1")),
    *(Kind("ipod", "aac", 48_000, layout) for layout in ("5.1", "7.1")),
]


@cache
def tone_file(kind: Kind, duration_s: float = 1.0, tone_hz: float = 440.0) -> bytes:
    """A sine of -9 dBFS on all channels."""
    return write_file(kind, tone(kind.rate, duration_s, tone_hz))


def tone(rate: int, duration_s: float, tone_hz: float = 440.0) -> np.ndarray:
    """Shape (n,), int16."""
    return np.rint(12_000 * np.sin(2 * np.pi * tone_hz * np.arange(round(rate * duration_s)) / rate)).astype("<i2")


def tone_pcm(rate: int, duration_s: float, tone_hz: float = 440.0) -> Pcm:
    return Pcm(tone(rate, duration_s, tone_hz).tobytes(), rate)


def write_file(kind: Kind, samples: np.ndarray) -> bytes:
    """`samples`, shape (n,) for all channels or (n, channels), in a file of this kind."""
    file = io.BytesIO()
    with av.open(file, "w", format=kind.container) as container:
        sound = container.add_stream(kind.codec, rate=kind.rate, layout=kind.layout)
        if kind.codec == "vorbis":
            sound.codec_context.options = {"strict": "experimental"}
        picture = _add_picture_stream(container) if kind.video else None
        container.mux(sound.encode(frame_of(samples, kind)))
        container.mux(sound.encode(None))
        if picture:
            _draw(container, picture, frames=max(1, int(10 * len(samples) / kind.rate)))
    return file.getvalue()


def frame_of(samples: np.ndarray, kind: Kind) -> av.AudioFrame:
    channels = av.AudioLayout(kind.layout).nb_channels
    if samples.ndim == 1:
        samples = np.repeat(samples[:, None], channels, axis=1)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples).reshape(1, -1), format="s16", layout=kind.layout)
    frame.sample_rate, frame.time_base, frame.pts = kind.rate, Fraction(1, kind.rate), 0
    return frame


def _add_picture_stream(container):
    codec = "libvpx" if container.format.name == "webm" else "libx264"
    stream = container.add_stream(codec, rate=10)
    stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
    return stream


def _draw(container, stream, *, frames: int) -> None:
    for index in range(frames):
        frame = av.VideoFrame.from_ndarray(np.full((96, 64), 16 * (index % 8) + 64, np.uint8), format="yuv420p")
        frame.pts, frame.time_base = index, Fraction(1, 10)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def without_samples(kind: Kind) -> bytes:
    """A whole file of this kind with nothing in it."""
    file = io.BytesIO()
    with av.open(file, "w", format=kind.container) as container:
        container.add_stream(kind.codec, rate=kind.rate, layout=kind.layout)
        container.start_encoding()
    return file.getvalue()


def video_only() -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        _draw(container, _add_picture_stream(container), frames=5)
    return file.getvalue()


def two_tracks(first: np.ndarray, second: np.ndarray, *, default: int) -> bytes:
    """A Matroska file with two FLAC tracks of 16 kHz, one of them marked as the default."""
    kind = Kind("matroska", "flac", 16_000)
    file = io.BytesIO()
    with av.open(file, "w", format=kind.container) as container:
        tracks = [container.add_stream(kind.codec, rate=kind.rate, layout=kind.layout) for _ in range(2)]
        for index, track in enumerate(tracks):
            track.disposition = av.stream.Disposition.default if index == default else av.stream.Disposition(0)
        for track, samples in zip(tracks, (first, second), strict=True):
            container.mux(track.encode(frame_of(samples, kind)))
            container.mux(track.encode(None))
    return file.getvalue()


@cache
def silent_opus(hours: float) -> bytes:
    """A small file with long silence: one encoded packet of 60 ms, repeated."""
    with av.open(io.BytesIO(tone_file_60ms_silence())) as one:
        silence = [bytes(packet) for packet in one.demux(audio=0) if packet.size][5]
        header = one.streams.audio[0].codec_context.extradata
    file = io.BytesIO()
    with av.open(file, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=48_000, layout="mono", options={"frame_duration": "60"})
        stream.codec_context.extradata = header
        for index in range(int(hours * 3600 / 0.06)):
            packet = av.Packet(silence)
            packet.stream, packet.time_base = stream, Fraction(1, 48_000)
            packet.pts = packet.dts = index * 2880
            packet.duration = 2880
            container.mux(packet)
    return file.getvalue()


def tone_file_60ms_silence() -> bytes:
    file = io.BytesIO()
    kind = Kind("ogg", "libopus", 48_000)
    with av.open(file, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=48_000, layout="mono", options={"frame_duration": "60"})
        container.mux(stream.encode(frame_of(np.zeros(48_000, np.int16), kind)))
        container.mux(stream.encode(None))
    return file.getvalue()


def heard(source: object, **options: object) -> np.ndarray:
    """All that `decode` gives, as one array."""
    return np.concatenate([pcm.samples() for pcm in decode(source, **options)])


def pitch_hz(samples: np.ndarray, rate: int) -> float:
    """The loudest frequency, away from the ends, where codecs ring."""
    middle = samples[len(samples) // 5 : -len(samples) // 5].astype(float)
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    return float(np.argmax(spectrum) * rate / len(middle))
