from __future__ import annotations

import io
import struct
import subprocess
import sys
import wave
from types import SimpleNamespace

import numpy as np
import pytest

from essence.audio import DecodeLimits, decode, probe
from essence.errors import InvalidAudio
from tests.audio_samples import Kind, heard, silent_opus, tone, tone_file, write_file

OPUS = Kind("ogg", "libopus", 48_000)
WAV = Kind("wav", "pcm_s16le", 16_000)
FLAC = Kind("flac", "flac", 16_000)
ONE_MINUTE = DecodeLimits(max_duration_s=60)


class CountedReads(io.BytesIO):
    bytes_read = 0

    def read(self, size: int | None = -1) -> bytes:
        block = super().read(size)
        self.bytes_read += len(block)
        return block


def test_a_file_over_the_byte_limit_is_refused_unread():
    file = CountedReads(tone_file(WAV))
    with pytest.raises(InvalidAudio, match=r"too large: at most 0\.00954 MiB"):
        next(decode(file, limits=DecodeLimits(max_bytes=10_000)))
    assert file.bytes_read == 0


def test_a_pipe_over_the_byte_limit_is_read_no_further():
    file = CountedReads(bytes(2**20))
    file.seekable = lambda: False
    with pytest.raises(InvalidAudio, match="too large"):
        next(decode(file, limits=DecodeLimits(max_bytes=100_000)))
    assert file.bytes_read < 300_000


def test_sound_up_to_the_limit_is_given_and_more_is_refused():
    file = tone_file(OPUS, 5.0)
    assert len(heard(file, limits=DecodeLimits(max_duration_s=5.01))) == pytest.approx(80_000, abs=20)
    with pytest.raises(InvalidAudio, match="too long: at most 4 seconds"):
        list(decode(file, limits=DecodeLimits(max_duration_s=4)))


def test_three_hours_in_a_small_file_are_refused_before_any_of_it_is_decoded():
    file = silent_opus(3.0)
    assert len(file) < 2 * 2**20
    assert probe(file).claimed_duration_s == pytest.approx(3 * 3600, rel=0.01)
    source = CountedReads(file)
    with pytest.raises(InvalidAudio, match="too long: at most 60 seconds"):
        next(decode(source, limits=ONE_MINUTE))
    assert source.bytes_read < 0.2 * len(file)  # the look at the header, and a minute of packets


def test_a_bomb_that_claims_to_be_short_is_decoded_no_further_than_the_limit():
    file = bytearray(write_file(FLAC, np.zeros(16_000 * 600, np.int16)))
    assert len(file) < 300_000
    set_flac_samples(file, 16_000)  # "one second"
    source, given_s = CountedReads(bytes(file)), 0.0
    with pytest.raises(InvalidAudio, match="too long"):
        for chunk in decode(source, limits=ONE_MINUTE):
            given_s += chunk.duration_s
    assert given_s <= 60
    assert source.bytes_read < 0.5 * len(file)


def set_flac_samples(file: bytearray, samples: int) -> None:
    """FLAC STREAMINFO: total samples are the low 36 bits of the 8 bytes at offset 18 of the file."""
    field = int.from_bytes(file[18:26], "big") & ~(2**36 - 1)
    file[18:26] = (field | samples).to_bytes(8, "big")


def test_a_header_that_claims_hours_does_not_refuse_a_short_note():
    file = bytearray(tone_file(FLAC))
    set_flac_samples(file, 16_000 * 3 * 3600)
    assert probe(bytes(file)).claimed_duration_s == pytest.approx(3 * 3600)
    assert len(heard(bytes(file), limits=ONE_MINUTE)) == pytest.approx(16_000, abs=5)


@pytest.mark.parametrize("claim", [0xFFFFFFFF, 0x7FFFFFFF, 3 * 3600 * 32_000, 0])
def test_a_wav_header_of_a_recorder_that_streamed_is_not_believed(claim):
    file = bytearray(tone_file(WAV))
    place = file.index(b"data") + 4
    file[place : place + 4] = claim.to_bytes(4, "little")
    assert len(heard(bytes(file), limits=ONE_MINUTE)) == pytest.approx(16_000, abs=5)


def test_a_webm_header_that_claims_hours_does_not_refuse_a_short_note():
    file = bytearray(tone_file(Kind("webm", "libopus", 48_000)))
    place = file.index(b"\x44\x89\x88") + 3  # Matroska's Duration: a double, in milliseconds
    file[place : place + 8] = struct.pack(">d", 3 * 3600 * 1000.0)
    assert probe(bytes(file)).claimed_duration_s == pytest.approx(3 * 3600)
    assert len(heard(bytes(file), limits=ONE_MINUTE)) == pytest.approx(16_000, abs=200)


def test_time_spent_is_limited(monkeypatch):
    clock = SimpleNamespace(now_s=0.0)
    monkeypatch.setattr("essence.audio.limits.time", SimpleNamespace(monotonic=lambda: clock.now_s))

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            clock.now_s += 1
            return super().read(size)

    with pytest.raises(InvalidAudio, match=r"too long to decode \(more than 3 s\)"):
        list(decode(Slow(tone_file(WAV, 30.0)), limits=DecodeLimits(max_work_s=3)))
    with pytest.raises(InvalidAudio, match="too long to decode"):
        list(decode(Slow(bytes(10_000_000)), limits=DecodeLimits(max_work_s=3)))


def test_time_that_the_consumer_takes_is_not_counted(monkeypatch):
    clock = SimpleNamespace(now_s=0.0)
    monkeypatch.setattr("essence.audio.limits.time", SimpleNamespace(monotonic=lambda: clock.now_s))
    chunks = 0
    for _ in decode(tone_file(OPUS, 5.0), limits=DecodeLimits(max_work_s=3)):
        clock.now_s += 10
        chunks += 1
    assert chunks >= 5


@pytest.mark.parametrize("rate", [2, 100, 3999, 4_000_000])
def test_a_sample_rate_that_would_stretch_a_page_to_hours_is_refused(rate):
    file = bytearray(tone_file(WAV))
    place = file.index(b"fmt ") + 12
    file[place : place + 4] = rate.to_bytes(4, "little")
    with pytest.raises(InvalidAudio, match=r"sample rate .* is out of range"):
        list(decode(bytes(file)))


def test_more_channels_than_june_can_mix_are_refused():
    file = wav_with_channels(200)
    with pytest.raises(InvalidAudio, match="mono or stereo"):
        list(decode(file))


def wav_with_channels(channels: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setparams((channels, 2, 16_000, 0, "NONE", "not compressed"))
        wav.writeframes(np.repeat(tone(16_000, 0.2)[:, None], channels, axis=1).tobytes())
    return file.getvalue()


def test_a_small_file_that_claims_a_chunk_of_gigabytes_gets_no_gigabytes():
    whole = tone_file(WAV)
    place = whole.index(b"LIST") + 4
    bomb = whole[:place] + (0x7F000000).to_bytes(4, "little") + b"INFOISFT" + (0x7E000000).to_bytes(4, "little")
    code = (
        "import resource, sys\n"
        "from essence.audio import decode\n"
        "from essence.errors import InvalidAudio\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
        "before = peak()\n"
        "try: list(decode(sys.stdin.buffer.read()))\n"
        "except InvalidAudio: print(peak() - before)\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], input=bomb + bytes(5000), capture_output=True, check=True)
    assert float(answer.stdout) < 100  # [MB]; 2000 without a cap
