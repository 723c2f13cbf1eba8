"""Opening a container with PyAV: which formats and codecs are let in, and which stream is the one to hear."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import av
import av._core
import av.logging
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Discard, Disposition

from essence.audio.limits import Meter
from essence.audio.source import Source
from essence.errors import InvalidAudio

# The libraries below PyAV report through a log callback; what matters comes back as an exception.
av.logging.set_level(None)

_MAX_BLOCK_BYTES = 64 * 2**20
"""More than the index of four hours takes, less than what hurts."""


def _limit_blocks() -> None:
    """Cap what FFmpeg allocates at once, in this process: a header of 5 KB may claim a chunk of 2 GB and get it.

    PyAV does not wrap `av_max_alloc` (libavutil/mem.h), so it is looked up among the libraries that PyAV loaded.
    """
    with suppress(OSError, AttributeError):  # where a platform can't look it up, decoding works without the cap
        av_max_alloc = ctypes.CDLL(av._core.__file__).av_max_alloc  # noqa: SLF001  any of PyAV's modules would do
        av_max_alloc.argtypes, av_max_alloc.restype = [ctypes.c_size_t], None
        av_max_alloc(_MAX_BLOCK_BYTES)


_limit_blocks()

_FORMATS = "ogg,mp3,mov,wav,matroska,flac,amr,amrnb,amrwb,aac,caf,aiff"
"""Demuxers that find their sound inside the one file. Playlists (hls, concat, dash, sdp, image2 …) name others."""

_CODECS = frozenset(
    (
        *("opus", "libopus", "vorbis", "libvorbis", "mp3", "mp3float", "mp2", "mp2float", "aac", "alac", "flac"),
        *("amrnb", "amrwb", "libopencore_amrnb", "libopencore_amrwb", "gsm", "gsm_ms"),
        *("adpcm_ms", "adpcm_ima_wav", "adpcm_ima_qt", "pcm_mulaw", "pcm_alaw", "pcm_u8", "pcm_s8"),
        *("pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_s32be", "pcm_s64le"),
        *("pcm_f32le", "pcm_f32be", "pcm_f64le", "pcm_f64be"),
    )
)
"""Decoders that may run: sound only, so that a picture or a video in the file meets no decoder at all."""

_OPTIONS = {
    "format_whitelist": _FORMATS,
    "codec_whitelist": ",".join(sorted(_CODECS)),
    "protocol_whitelist": "",  # an empty list lets no protocol in: the file object is all there is
    "max_streams": "64",
}
_MICROSECONDS = 1_000_000
_MAX_CHANNELS = 64
_RATES_HZ = range(4_000, 384_001)
"""From below the telephone's 8 kHz to twice the studio's 192 kHz. A rate of 1 Hz would make hours out of a page."""

_NOT_AUDIO = "This is not audio that June knows. Send a voice note, or a file such as Ogg, MP3, M4A, WAV, WebM or FLAC."
_NO_SOUND = "There is no sound in this file. Send one that has an audio track."


@dataclass(frozen=True, slots=True)
class AudioTrack:
    """The stream that is decoded, as the file describes itself."""

    container: str
    """FFmpeg's name of the demuxer."""
    codec: str
    index: int
    """Place among all streams of the file, from 0."""
    audio_streams: int
    """How many audio streams the file has; the default one that can be decoded is taken, else the first such."""
    rate: int
    """[Hz]"""
    channels: int
    claimed_duration_s: float | None
    """As a header says; it may be wrong in both directions."""


@contextmanager
def demuxer(source: Source) -> Iterator[InputContainer]:
    """The container in `source`.

    Raises:
        InvalidAudio: None of the formats that are let in, or too damaged to open.
    """
    source.seek(0)
    try:
        container = av.open(source, "r", container_options=_OPTIONS, metadata_errors="replace", io_open=_refuse)
    except (av.FFmpegError, ValueError) as error:
        source.check()
        raise InvalidAudio(_NOT_AUDIO) from error
    with container:
        source.check()
        yield container


def _refuse(url: str, _flags: int, _options: dict[str, str]) -> None:
    """The second lock after `protocol_whitelist`: called where a demuxer wants to open another file."""
    raise PermissionError(url)


def choose(container: InputContainer) -> AudioStream:
    """The stream to decode: the default one if it can be decoded, else the first that can; the others are discarded.

    Raises:
        InvalidAudio: No audio stream, or none with a codec that is let in.
    """
    streams = container.streams.audio
    if not streams:
        raise InvalidAudio(_NO_SOUND)
    decodable = [stream for stream in streams if _decodable(stream)]
    if not decodable:
        raise InvalidAudio("The sound in this file is of a kind that June can't decode. Send it as Ogg/Opus or MP3.")
    chosen = min(decodable, key=lambda stream: (not stream.disposition & Disposition.default, stream.index))
    for stream in container.streams:
        if stream.index != chosen.index:
            stream.discard = Discard.all
    return chosen


def _decodable(stream: AudioStream) -> bool:
    context = stream.codec_context
    return context is not None and context.codec.name in _CODECS


def describe(container: InputContainer, stream: AudioStream) -> AudioTrack:
    """What the file says of `stream`."""
    return AudioTrack(
        container=container.format.name,
        codec=stream.codec_context.codec.name,
        index=stream.index,
        audio_streams=len(container.streams.audio),
        rate=stream.codec_context.sample_rate,
        channels=stream.codec_context.channels,
        claimed_duration_s=_claim_s(container, stream),
    )


def _claim_s(container: InputContainer, stream: AudioStream) -> float | None:
    if stream.duration is not None and stream.time_base:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else container.duration / _MICROSECONDS


def packets(container: InputContainer, stream: AudioStream, source: Source) -> Iterator[av.Packet[AudioStream]]:
    """The packets of `stream`, up to the end or to where the file is damaged beyond reading on."""
    with suppress(av.FFmpegError, ValueError):  # what was read until then is heard
        yield from container.demux(stream)
    source.check()


def check_claim(container: InputContainer, stream: AudioStream, source: Source, meter: Meter) -> bool:
    """Look at a header that claims more than the limit; True where the packets had to be read, and so are used up.

    A claim alone proves nothing: recorders that stream leave 0xFFFFFFFF in a WAV header, and a wrong bit rate makes a
    short MP3 long. So the lengths of the packets are added up, which costs a tenth of decoding them.

    Raises:
        InvalidAudio: The packets are longer than the limit too.
    """
    claim_s = max(_claim_s(container, stream) or 0.0, (container.duration or 0) / _MICROSECONDS)
    if claim_s <= meter.limits.max_duration_s:
        return False
    length_s = 0.0
    for packet in packets(container, stream, source):
        length_s += float((packet.duration or 0) * (packet.time_base or 0))
        meter.check_duration(length_s)
        source.check()
        if meter.stopped:
            break
    return True


def check_frame(frame: av.AudioFrame) -> None:
    """Raise InvalidAudio where a frame can't be turned into mono at a sensible cost."""
    if frame.sample_rate not in _RATES_HZ:
        raise InvalidAudio(
            f"The sample rate of this audio, {frame.sample_rate} Hz, is out of range. "
            "Send it with 8000 to 192000 Hz (48000 is usual)."
        )
    if frame.layout.nb_channels > _MAX_CHANNELS:
        raise InvalidAudio(f"This audio has {frame.layout.nb_channels} channels. Send it in mono or stereo.")
