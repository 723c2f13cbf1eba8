from __future__ import annotations

import io
from itertools import pairwise

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from essence.audio import Pcm, VoiceEncoder, encode_voice, encode_wav
from essence.audio.waveform import Waveform
from essence.errors import InvalidAudio
from tests.audio_samples import heard, pitch_hz, tone_pcm


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 24_000, 44_100, 48_000])
def test_a_voice_note_sounds_as_what_was_said(rate):
    note = encode_voice([tone_pcm(rate, 2.0)])
    samples = heard(note.data)
    assert len(samples) == pytest.approx(32_000, abs=20)
    assert pitch_hz(samples, 16_000) == pytest.approx(440, abs=2)


def test_a_voice_note_is_mono_ogg_opus_of_48_khz():
    with av.open(io.BytesIO(encode_voice([tone_pcm(22_050, 1.0)]).data)) as container:
        stream = container.streams.audio[0]
        assert container.format.name == "ogg"
        assert (stream.codec_context.name, stream.rate, stream.layout.name) == ("opus", 48_000, "mono")


def test_speech_takes_24_to_34_kbit_a_second():
    noise = np.random.default_rng(1).normal(0, 3000, 48_000 * 10)
    voice_like = np.convolve(noise, np.ones(24) / 24, "same") * (1 + np.sin(np.arange(480_000) / 5_000))
    note = encode_voice([Pcm(voice_like.astype("<i2").tobytes(), 48_000)])
    assert 24_000 < len(note.data) * 8 / note.duration_s < 34_000


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(1, 30_000), min_size=1, max_size=6))
def test_how_speech_was_cut_into_parts_does_not_matter(cuts):
    whole = tone_pcm(22_050, 1.5)
    edges = [0, *sorted(2 * min(cut, 33_000) for cut in cuts), len(whole.data)]
    parts = [Pcm(whole.data[a:b], 22_050) for a, b in pairwise(edges)]
    assert encode_voice(parts) == encode_voice([whole])


def test_the_rate_may_change_on_the_way():
    note = encode_voice([tone_pcm(16_000, 1.0), tone_pcm(22_050, 1.0), tone_pcm(48_000, 1.0)])
    assert note.duration_s == pytest.approx(3.0, abs=0.005)
    assert pitch_hz(heard(note.data), 16_000) == pytest.approx(440, abs=2)


def test_encoding_keeps_pace_with_the_speech():
    encoder = VoiceEncoder()
    for _ in range(10):
        encoder.write(tone_pcm(16_000, 1.0))
    assert encoder.finish().duration_s == pytest.approx(10.0)


def test_nothing_to_say_is_an_error():
    for parts in ([], [Pcm(b"", 16_000)]):
        with pytest.raises(InvalidAudio, match="no sound"):
            encode_voice(parts)
    with pytest.raises(InvalidAudio, match="no sound"):
        encode_wav([])


def test_a_wav_of_two_rates_is_refused():
    with pytest.raises(ValueError, match="one rate"):
        encode_wav([tone_pcm(16_000, 0.1), tone_pcm(8_000, 0.1)])


@pytest.mark.parametrize(
    ("duration_s", "points"), [(0.05, 64), (1.0, 64), (6.4, 64), (10.0, 100), (25.6, 256), (60, 256)]
)
def test_a_waveform_has_a_point_each_100_ms_within_64_and_256(duration_s, points):
    assert len(encode_voice([tone_pcm(16_000, duration_s)]).waveform) == points


def test_a_waveform_shows_where_it_is_loud():
    quiet = Pcm((tone_pcm(16_000, 5.0).samples() // 4).astype("<i2").tobytes(), 16_000)
    silence = Pcm(bytes(160_000), 16_000)
    waveform = np.frombuffer(encode_voice([silence, quiet, tone_pcm(16_000, 5.0)]).waveform, np.uint8)
    first, second, third = np.array_split(waveform, 3)
    assert first[:-1].max() == 0
    assert second[2:-2].mean() == pytest.approx(64, abs=3)
    assert third[2:].mean() == pytest.approx(255, abs=3)


def test_near_silence_is_drawn_flat():
    hiss = np.random.default_rng(1).normal(0, 10, 160_000).astype("<i2")
    assert max(encode_voice([Pcm(hiss.tobytes(), 16_000)]).waveform) < 20


@given(st.lists(st.integers(0, 5000), max_size=8), st.integers(-32768, 32767))
def test_a_waveform_takes_any_sound_in_any_parts(lengths, level):
    waveform = Waveform(48_000)
    for length in lengths:
        waveform.add(np.full(length, level, np.int16))
    points = waveform.points()
    assert 64 <= len(points) <= 256
    assert len(set(points)) == 1
