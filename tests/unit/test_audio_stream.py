from __future__ import annotations

import asyncio
import io
import threading
from contextlib import aclosing

import numpy as np
import pytest

from essence.audio import DecodeLimits, decode_stream
from essence.errors import InvalidAudio
from tests.audio_samples import Kind, heard, pitch_hz, tone_file

OPUS = Kind("ogg", "libopus", 48_000)


def decoding_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("june-decode")]


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    yield
    for thread in decoding_threads():
        thread.join(timeout=10)
    assert decoding_threads() == []


async def test_the_stream_is_the_same_sound():
    file = tone_file(OPUS, 5.0)
    parts = [pcm.samples() async for pcm in decode_stream(file, rate=24_000)]
    assert np.concatenate(parts).tobytes() == heard(file, rate=24_000).tobytes()


async def test_errors_come_through():
    with pytest.raises(InvalidAudio, match="empty"):
        await anext(decode_stream(b""))
    with pytest.raises(InvalidAudio, match="too long"):
        async for _ in decode_stream(tone_file(OPUS, 5.0), limits=DecodeLimits(max_duration_s=2)):
            pass


async def test_nothing_is_read_ahead_of_the_consumer():
    class Counted(io.BytesIO):
        bytes_read = 0

        def read(self, size: int | None = -1) -> bytes:
            block = super().read(size)
            self.bytes_read += len(block)
            return block

    file = Counted(tone_file(Kind("wav", "pcm_s16le", 48_000), 60.0))
    async with aclosing(decode_stream(file)) as stream:
        await anext(stream)
        after_one = file.bytes_read
        await asyncio.sleep(0.05)
        assert file.bytes_read == after_one
        assert after_one < len(file.getvalue()) / 10


async def test_closing_early_ends_the_thread():
    stream = decode_stream(tone_file(OPUS, 5.0))
    await anext(stream)
    assert len(decoding_threads()) == 1
    await stream.aclose()


async def test_a_stream_that_was_never_read_starts_no_thread():
    await decode_stream(tone_file(OPUS)).aclose()
    assert decoding_threads() == []


class Blocked(io.BytesIO):
    """Gives its start, then waits as a slow disk does."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.waiting = threading.Event()
        self.go_on = threading.Event()

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() > 60_000:
            self.waiting.set()
            self.go_on.wait(timeout=20)
        return super().read(size)


async def test_cancelling_while_the_disk_is_slow_ends_the_thread_after_that_read():
    source = Blocked(tone_file(Kind("wav", "pcm_s16le", 48_000), 60.0))

    async def listen() -> None:
        async with aclosing(decode_stream(source)) as stream:
            async for _ in stream:
                pass

    task = asyncio.create_task(listen())
    await asyncio.to_thread(source.waiting.wait, 10)
    task.cancel()
    await asyncio.sleep(0)
    source.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert source.tell() < len(source.getvalue()) / 10


async def test_cancelling_twice_waits_for_nothing():
    source = Blocked(tone_file(Kind("wav", "pcm_s16le", 48_000), 60.0))

    async def listen() -> None:
        async with aclosing(decode_stream(source)) as stream:
            async for _ in stream:
                pass

    task = asyncio.create_task(listen())
    await asyncio.to_thread(source.waiting.wait, 10)
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(decoding_threads()) == 1  # it still waits for the disk
    source.go_on.set()


async def test_the_loop_stays_free_while_the_disk_is_slow():
    source = Blocked(tone_file(Kind("wav", "pcm_s16le", 48_000), 10.0))

    async def listen() -> int:
        return sum([len(pcm.samples()) async for pcm in decode_stream(source)])

    task = asyncio.create_task(listen())
    await asyncio.to_thread(source.waiting.wait, 10)
    source.go_on.set()
    assert await task == 160_000


async def test_twenty_notes_at_once():
    tones_hz = [300.0 + 20 * index for index in range(20)]

    async def pitch(tone_hz: float) -> float:
        parts = [pcm.samples() async for pcm in decode_stream(tone_file(OPUS, 2.0, tone_hz))]
        return pitch_hz(np.concatenate(parts), 16_000)

    assert await asyncio.gather(*map(pitch, tones_hz)) == pytest.approx(tones_hz, abs=3)
