import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from essence.engines.stt.gate import FRAME_S, RATE_HZ
from essence.engines.stt.segmentation import LONGEST_S, Cutter, cut_frame

FRAMES = int(30 / FRAME_S)
levels = st.lists(st.tuples(st.floats(0, 1, width=32), st.integers(1, 200)), min_size=1, max_size=30)
"""Stretches of equal probability with their lengths in frames, repeated until they fill 30 s."""


def curve_of(stretches: list[tuple[float, int]]) -> np.ndarray:
    once = np.concatenate([np.full(frames, level, np.float32) for level, frames in stretches])
    return np.resize(once, FRAMES)


def speech_with_pauses(*pauses_s: tuple[float, float]) -> np.ndarray:
    curve = np.full(FRAMES, 0.95, np.float32)
    for start_s, end_s in pauses_s:
        curve[int(start_s / FRAME_S) : int(end_s / FRAME_S)] = 0.05
    return curve


@settings(max_examples=50)
@given(levels)
def test_a_cut_is_never_too_early_nor_too_late(stretches: list[tuple[float, int]]) -> None:
    assert 10.0 - FRAME_S <= cut_frame(curve_of(stretches)) * FRAME_S <= LONGEST_S


def test_the_cut_falls_into_the_longest_pause() -> None:
    cut_s = cut_frame(speech_with_pauses((12.0, 12.4), (15.0, 16.0), (24.0, 24.5))) * FRAME_S
    assert 15.0 < cut_s < 16.0


def test_a_pause_within_a_word_is_not_cut() -> None:
    cut_s = cut_frame(speech_with_pauses((13.0, 13.1), (22.0, 22.6))) * FRAME_S
    assert 22.0 < cut_s < 22.6


def test_a_pause_that_comes_too_early_or_too_late_is_not_cut() -> None:
    cut_s = cut_frame(speech_with_pauses((3.0, 5.0), (11.0, 11.3), (27.5, 30.0))) * FRAME_S
    assert 11.0 < cut_s < 11.3


def test_speech_without_a_pause_is_cut_where_it_is_least_like_speech() -> None:
    curve = speech_with_pauses()
    curve[int(23.0 / FRAME_S)] = 0.5
    assert cut_frame(curve) == int(23.0 / FRAME_S)


def test_silence_is_dropped_however_long_and_nothing_is_kept_of_it() -> None:
    cutter = Cutter()
    for _ in range(40):
        assert not list(cutter.write(np.zeros(7 * RATE_HZ, np.float32)))
        assert len(cutter._buffer) < 30 * RATE_HZ
    assert not list(cutter.flush())


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(1, 90_000), max_size=12))
def test_noise_is_no_speech_whatever_pieces_it_comes_in(sizes: list[int]) -> None:
    noise, cutter = np.random.default_rng(1), Cutter()
    for size in sizes:
        assert not list(cutter.write((noise.standard_normal(size) * 0.05).astype(np.float32)))
    assert not list(cutter.flush())
