"""Any file that a phone or a browser sends, in; `Pcm`, out: streaming, bounded, and safe with hostile files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import av
from av.audio.stream import AudioStream
from av.container import InputContainer

from essence.audio.container import AudioTrack, check_claim, check_frame, choose, demuxer, describe, packets
from essence.audio.limits import DEFAULT_LIMITS, DecodeLimits, Meter
from essence.audio.pcm import Pcm
from essence.audio.resample import MonoResampler
from essence.audio.source import Source, opened
from essence.errors import InvalidAudio


def decode(
    source: bytes | Path | BinaryIO, *, rate: int = 16_000, limits: DecodeLimits = DEFAULT_LIMITS
) -> Generator[Pcm]:
    """Yield the sound in chunks of about a second; memory does not grow with the length of the file.

    A file that was cut off or damaged on its way gives what can be heard of it.

    Args:
        source: The file's bytes, its path, or an open file, which is read from its start and left open.
            One that can't seek is copied first.
        rate: Of the chunks. [Hz]
        limits: Checked while decoding.

    Raises:
        InvalidAudio: No sound could be had from it, or more than the limits allow; in the latter case maybe after
            some chunks.
        NotFound, InvalidInput: The path can't be read.
    """
    return _decode(source, rate, Meter(limits))


async def decode_stream(
    source: bytes | Path | BinaryIO, *, rate: int = 16_000, limits: DecodeLimits = DEFAULT_LIMITS
) -> AsyncGenerator[Pcm]:
    """As `decode`, in a thread of its own that works only when a chunk is asked for and ends when this is closed.

    Cancelling waits for the read or packet in progress, at most; it takes no more than a blocked `source` does.
    """
    meter = Meter(limits)
    chunks = _decode(source, rate, meter)
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="june-decode")
    run = asyncio.get_running_loop().run_in_executor
    try:
        while (chunk := await run(thread, next, chunks, None)) is not None:
            yield chunk
    finally:
        meter.stop()
        try:
            await run(thread, chunks.close)
        finally:
            thread.shutdown(wait=False)


def probe(source: bytes | Path | BinaryIO, *, limits: DecodeLimits = DEFAULT_LIMITS) -> AudioTrack:
    """Which stream `decode` would take, and what the file claims of it. Nothing is decoded.

    Raises:
        InvalidAudio, NotFound, InvalidInput: As `decode`.
    """
    meter = Meter(limits)
    meter.resume()
    with opened(source, meter) as file, demuxer(file) as container:
        return describe(container, choose(container))


def _decode(source: bytes | Path | BinaryIO, rate: int, meter: Meter) -> Generator[Pcm]:
    meter.resume()
    samples = 0
    with opened(source, meter) as file:
        for data in _sound(file, rate, meter):
            samples += len(data) // 2
            meter.check_duration(samples / rate)
            meter.pause()
            yield Pcm(data, rate)
            meter.resume()
    if not samples and not meter.stopped:
        raise InvalidAudio("No sound could be read from this file; it may be cut off or damaged. Send it again.")


def _sound(source: Source, rate: int, meter: Meter) -> Iterator[bytes]:
    with demuxer(source) as container:
        stream = choose(container)
        if not check_claim(container, stream, source, meter):
            yield from _resampled(container, stream, source, rate, meter)
            return
    with demuxer(source) as container:  # the header lied: the packets are within the limit; from the start again
        yield from _resampled(container, choose(container), source, rate, meter)


def _resampled(
    container: InputContainer, stream: AudioStream, source: Source, rate: int, meter: Meter
) -> Iterator[bytes]:
    resampler = MonoResampler(rate)
    for packet in packets(container, stream, source):
        source.check()
        if meter.stopped:
            return
        for frame in _frames(stream, packet):
            check_frame(frame)
            yield from resampler.write(frame)
    yield from resampler.flush()


def _frames(stream: AudioStream, packet: av.Packet[AudioStream]) -> list[av.AudioFrame]:
    """The sound of one packet; none where it is damaged, since the next may be whole."""
    try:
        return stream.codec_context.decode(packet)
    except (av.FFmpegError, ValueError):
        return []
