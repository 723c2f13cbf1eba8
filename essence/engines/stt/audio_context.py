"""Adaptive audio context: how much sound Whisper's encoder is shown.

Whisper was trained on windows of 30 s and is nearly always run on them, so that two seconds of speech cost as much as
thirty. CTranslate2 takes features of any length. A note is encoded in a window of its own length plus a margin, and in
a longer one where `essence.engines.stt.guard` finds fault with the result. Constants: docs/decisions/0001.
"""

from __future__ import annotations

from math import ceil

FULL_WINDOW_S = 30.0
"""Whisper's own window."""
MARGIN_S = 3.0
"""Least padding after the sound. With 0.5 to 1 s the decoder loops or loses the end; 3 s write nearly what 30 s do."""
_MOST_TOKENS = 224
"""Half of Whisper's text context, its limit for what one window may say. [tokens]"""
STEP_S = 2.0
"""Windows come in multiples of this, so that notes of similar length can share a batch."""


def window_s(duration_s: float) -> float:
    """Shortest window that is offered for this much sound, at most `FULL_WINDOW_S`."""
    return min(FULL_WINDOW_S, STEP_S * ceil((duration_s + MARGIN_S) / STEP_S - 1e-9))


def windows_s(duration_s: float) -> tuple[float, ...]:
    """Windows to be tried in order, each only where the one before failed: the shortest, a middle one, 30 s."""
    first = window_s(duration_s)
    middle = min(FULL_WINDOW_S, STEP_S * ceil(first * 1.5 / STEP_S))
    return tuple(dict.fromkeys((first, middle, FULL_WINDOW_S)))


def token_budget(of_window_s: float) -> int:
    """Most tokens that decoding may write for a window; reaching it is a sign of a loop. [tokens]

    Speech in Latin script takes 3 to 6 tokens a second, timestamps two a segment. Scripts of several tokens a character
    may take more: their notes reach the budget and are heard again in the full window, which has Whisper's own limit.
    """
    return _MOST_TOKENS if of_window_s >= FULL_WINDOW_S else min(_MOST_TOKENS, 12 + round(6 * of_window_s))
