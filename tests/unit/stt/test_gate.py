import numpy as np
import pytest

from essence.engines.stt.gate import FRAME_S, RATE_HZ, Look, amplified, look, loudest_dbfs, trimmed


def tone(dbfs: float, *, seconds: float = 1.0) -> np.ndarray:
    times = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    return (np.sin(times * 2 * np.pi * 440) * np.sqrt(2) * 10 ** (dbfs / 20)).astype(np.float32)


@pytest.mark.parametrize("dbfs", [-60.0, -40.0, -12.0])
def test_level_is_that_of_the_loudest_tenth_of_a_second(dbfs: float) -> None:
    samples = np.concatenate([np.zeros(RATE_HZ, np.float32), tone(dbfs, seconds=0.2), np.zeros(RATE_HZ, np.float32)])
    assert loudest_dbfs(samples) == pytest.approx(dbfs, abs=0.1)


def test_digital_silence_and_no_sound_at_all_are_not_speech() -> None:
    for samples in (np.zeros(RATE_HZ, np.float32), np.zeros(0, np.float32), np.zeros(3, np.float32)):
        assert not look(samples).speech


def test_an_idle_microphone_is_not_asked_about() -> None:
    assert len(look(tone(-80.0)).probabilities) == 0


@pytest.mark.parametrize("dbfs", [-60.0, -30.0, -3.0])
def test_a_tone_is_not_speech_at_any_level(dbfs: float) -> None:
    assert not look(tone(dbfs)).speech


def test_quiet_sound_is_raised_and_loud_sound_is_left_alone() -> None:
    assert look(tone(-40.0)).gain == pytest.approx(10 ** (26 / 20), rel=0.02)
    assert look(tone(-3.0)).gain == 1.0


def test_raised_sound_never_leaves_its_range() -> None:
    assert np.max(np.abs(amplified(tone(-10.0), 100.0))) <= 1.0


def test_silence_is_cut_off_both_ends_but_for_a_pad() -> None:
    curve = np.zeros(int(10 / FRAME_S), np.float32)
    curve[int(4.0 / FRAME_S) : int(6.0 / FRAME_S)] = 0.9
    kept, cut_s = trimmed(np.zeros(10 * RATE_HZ, np.float32), Look(speech=True, gain=1.0, probabilities=curve))
    assert cut_s == pytest.approx(3.6, abs=0.05)
    assert len(kept) / RATE_HZ == pytest.approx(2.8, abs=0.1)
