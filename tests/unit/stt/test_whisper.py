import numpy as np
import pytest

from essence.engines.stt.whisper import _starts_s, _tokens_per_s


def test_the_tokens_of_a_word_share_its_time() -> None:
    assert list(_starts_s({"start": 1.0, "end": 2.0, "tokens": [7, 8, 9, 10]})) == [1.0, 1.25, 1.5, 1.75]


def test_the_speed_of_a_repetition_is_that_from_its_first_token_to_its_last() -> None:
    starts_s = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 2.02, 2.04, 2.06])
    assert _tokens_per_s(starts_s, range(4)) == pytest.approx(2.0)
    assert _tokens_per_s(starts_s, range(4, 8)) == pytest.approx(50.0)


def test_tokens_without_a_time_of_their_own_do_not_break_the_measure() -> None:
    assert _tokens_per_s(np.array([0.0, 0.5, 1.0]), range(2, 6)) > 14
