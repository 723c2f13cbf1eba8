from __future__ import annotations

import io
import wave

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from essence.audio import Pcm, decode, encode_voice, encode_wav, probe
from essence.errors import InvalidAudio
from tests.audio_samples import KINDS, Kind, heard, pitch_hz, tone, tone_file, tone_pcm, two_tracks, write_file


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_tone_survives_every_format_layout_and_rate(kind):
    samples = heard(tone_file(kind))
    assert len(samples) / 16_000 == pytest.approx(1.0, abs=0.1)  # AAC and AMR round up to whole frames, and start late
    assert pitch_hz(samples, 16_000) == pytest.approx(440, abs=3)
    assert 8_000 < np.abs(samples[4000:-4000]).max() < 16_000


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 44_100, 48_000])
def test_chunks_have_the_rate_that_was_asked_for(rate):
    chunks = list(decode(tone_file(Kind("ogg", "libopus", 48_000), 2.5), rate=rate))
    assert {chunk.rate for chunk in chunks} == {rate}
    assert sum(chunk.duration_s for chunk in chunks) == pytest.approx(2.5, abs=0.01)
    assert pitch_hz(np.concatenate([chunk.samples() for chunk in chunks]), rate) == pytest.approx(440, abs=2)


def test_chunks_are_about_a_second_and_never_empty():
    chunks = list(decode(tone_file(Kind("ogg", "libopus", 48_000), 5.3)))
    assert len(chunks) == 6
    assert all(0 < chunk.duration_s <= 1.1 for chunk in chunks)
    assert all(chunk.duration_s > 0.9 for chunk in chunks[:-1])


@pytest.mark.parametrize("layout", ["stereo", "quad", "5.0", "5.1", "6.1", "7.1"])
def test_a_voice_on_any_channel_is_heard(layout):
    kind = Kind("wav", "pcm_s16le", 16_000, layout)
    names = av_channels(layout)
    for channel, name in enumerate(names):
        samples = np.zeros((16_000, len(names)), np.int16)
        samples[:, channel] = tone(16_000, 1.0)
        file = write_file(kind, samples)
        if name != "LFE":  # the deep-bass effects channel of films carries no voice, and downmixes leave it out
            assert np.abs(heard(file)).max() > 800, name


def av_channels(layout: str) -> list[str]:
    import av

    return [channel.name for channel in av.AudioLayout(layout).channels]


@pytest.mark.parametrize("layout", ["stereo", "5.1", "7.1"])
def test_a_loud_mix_does_not_clip(layout):
    loudest = np.rint(32_767 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)).astype(np.int16)
    samples = heard(write_file(Kind("wav", "pcm_s16le", 16_000, layout), loudest))
    assert np.abs(samples.astype(int)).max() > 32_000
    assert np.count_nonzero(np.abs(samples.astype(int)) >= 32_767) < 0.02 * len(samples)


def test_a_high_tone_is_not_folded_into_the_speech_band():
    samples = heard(write_file(Kind("wav", "pcm_s16le", 48_000), tone(48_000, 1.0, tone_hz=13_000)))
    assert np.abs(samples[2000:-2000]).max() < 12_000 / 300  # -50 dB


def test_the_default_track_is_taken_and_named():
    for default, expected_hz in ((0, 300), (1, 700)):
        file = two_tracks(tone(16_000, 1, 300), tone(16_000, 1, 700), default=default)
        assert pitch_hz(heard(file), 16_000) == pytest.approx(expected_hz, abs=3)
        track = probe(file)
        assert (track.index, track.audio_streams, track.codec) == (default, 2, "flac")


def test_cover_art_is_not_sound():
    cover = b"\xff\xd8\xff\xe0" + bytes(500) + b"\xff\xd9"
    body = b"\x00image/jpeg\x00\x03\x00" + cover
    frame = b"APIC" + len(body).to_bytes(4, "big") + b"\x00\x00" + body
    size = len(frame)
    tag = b"ID3\x03\x00\x00" + bytes([size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127]) + frame
    samples = heard(tag + tone_file(Kind("mp3", "libmp3lame", 44_100, "stereo")))
    assert pitch_hz(samples, 16_000) == pytest.approx(440, abs=3)


def test_chained_streams_of_different_rates_and_layouts_are_heard_one_after_the_other():
    first, second = (
        tone_file(Kind("adts", "aac", 16_000)),
        tone_file(Kind("adts", "aac", 48_000, "stereo"), tone_hz=880.0),
    )
    samples = heard(first + second)
    assert len(samples) / 16_000 == pytest.approx(2.0, abs=0.2)
    assert pitch_hz(samples[:16_000], 16_000) == pytest.approx(440, abs=5)
    assert pitch_hz(samples[-16_000:], 16_000) == pytest.approx(880, abs=5)


def test_a_path_an_open_file_and_a_pipe_are_the_same_as_bytes(tmp_path):
    data = tone_file(Kind("ipod", "aac", 44_100))  # its index lies at the end: a pipe alone would not do
    path = tmp_path / "note.m4a"
    path.write_bytes(data)
    expected = heard(data).tobytes()
    assert heard(path).tobytes() == expected
    with path.open("rb") as file:
        file.seek(100)
        assert heard(file).tobytes() == expected
        assert not file.closed
    assert heard(Pipe(data)).tobytes() == expected


class Pipe(io.RawIOBase):
    """Gives its bytes once, a few at a time."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(size, 1000) if size > 0 else 1000)


def test_two_decodes_side_by_side_do_not_disturb_each_other():
    low, high = (tone_file(Kind("ogg", "libopus", 48_000), 3.0, tone_hz) for tone_hz in (300.0, 900.0))
    pairs = list(zip(decode(low), decode(high), strict=True))
    assert pitch_hz(np.concatenate([pair[0].samples() for pair in pairs]), 16_000) == pytest.approx(300, abs=2)
    assert pitch_hz(np.concatenate([pair[1].samples() for pair in pairs]), 16_000) == pytest.approx(900, abs=2)


def test_floats_that_are_no_numbers_do_not_spoil_the_rest():
    samples = np.full(48_000, np.nan, np.float32)
    samples[24_000:] = tone(48_000, 0.5) / 32_768
    assert len(heard(float_wav(samples))) == 16_000


def float_wav(samples: np.ndarray, rate: int = 48_000) -> bytes:
    data = samples.astype("<f4").tobytes()
    form = (3).to_bytes(2, "little") + (1).to_bytes(2, "little") + rate.to_bytes(4, "little")
    form += (rate * 4).to_bytes(4, "little") + (4).to_bytes(2, "little") + (32).to_bytes(2, "little")
    body = b"WAVEfmt " + (16).to_bytes(4, "little") + form + b"data" + len(data).to_bytes(4, "little") + data
    return b"RIFF" + len(body).to_bytes(4, "little") + body


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.binary(max_size=4000).map(lambda data: data[: len(data) // 2 * 2]), min_size=1, max_size=5),
    st.sampled_from([8_000, 16_000, 22_050, 48_000]),
)
def test_wav_is_lossless(parts, rate):
    chunks = [Pcm(part, rate) for part in parts]
    joined = b"".join(parts)
    file = encode_wav(chunks)
    with wave.open(io.BytesIO(file)) as wav:
        assert (wav.getnchannels(), wav.getsampwidth(), wav.getframerate()) == (1, 2, rate)
    if joined:
        assert heard(file, rate=rate).tobytes() == joined
    else:
        with pytest.raises(InvalidAudio, match="No sound"):
            heard(file)


@settings(deadline=None, max_examples=50)
@given(st.integers(500, 60_000), st.sampled_from([8_000, 16_000, 22_050, 24_000, 44_100, 48_000]))
def test_a_voice_note_keeps_its_length(samples, rate):
    note = encode_voice([tone_pcm(rate, samples / rate)])
    assert note.duration_s == pytest.approx(samples / rate, abs=0.002)
    assert len(heard(note.data, rate=48_000)) / 48_000 == pytest.approx(note.duration_s, abs=0.001)


def test_amr_wideband_is_decoded():
    # no encoder at hand: 50 frames of the lowest mode (RFC 4867: 0x04, then 132 bits) with arbitrary parameters
    frame = b"\x04" + bytes(range(1, 18))
    file = b"#!AMR-WB\n" + 50 * frame
    assert (probe(file).codec, probe(file).rate) == ("amrwb", 16_000)
    assert len(heard(file)) == 16_000
    assert np.abs(heard(file)).max() > 0
