from hypothesis import given
from hypothesis import strategies as st

from essence.engines.stt.audio_context import FULL_WINDOW_S, MARGIN_S, STEP_S, token_budget, window_s, windows_s

durations = st.floats(0.01, 26.0)


@given(durations)
def test_a_window_holds_the_sound_and_its_margin_and_little_more(duration_s: float) -> None:
    assert duration_s + MARGIN_S - 1e-6 <= window_s(duration_s) < duration_s + MARGIN_S + STEP_S


@given(durations)
def test_windows_grow_up_to_whispers_own(duration_s: float) -> None:
    windows = windows_s(duration_s)
    assert list(windows) == sorted(set(windows))
    assert windows[0] == window_s(duration_s)
    assert windows[-1] == FULL_WINDOW_S


def test_sound_of_half_a_minute_has_one_window() -> None:
    assert windows_s(26.0) == windows_s(30.0) == (FULL_WINDOW_S,)


def test_only_the_full_window_has_whispers_whole_budget() -> None:
    assert token_budget(FULL_WINDOW_S) == 224
    assert token_budget(4.0) < token_budget(10.0) < 224
