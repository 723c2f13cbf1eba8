"""Cuts sound of any length into stretches of at most 27 s, at silences and not in words, as it comes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from essence.engines.stt.audio_context import FULL_WINDOW_S, MARGIN_S
from essence.engines.stt.gate import FRAME, FRAME_S, RATE_HZ, Look, Samples, Speech, look, trimmed

LONGEST_S = FULL_WINDOW_S - MARGIN_S
"""So that the margin still fits Whisper's window."""
_EARLIEST_S = 10.0
"""No stretch but the last is shorter: context makes Whisper better."""
_PAUSE = 0.3
"""Probability of speech below which a frame belongs to a pause."""
_SHORTEST_PAUSE_S = 0.2
"""A stop consonant closes the mouth for 0.05 to 0.15 s; what is longer is a pause between words."""
_LAST_RESORT_S = 20.0
"""Without a pause the cut falls to the least speech-like moment after this."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Sound with speech in it, between two silences."""

    start_s: float
    """Place of the first sample in the whole."""
    samples: Samples
    """At the level that models hear."""
    speech: Speech
    """Counted from the stretch's start."""

    @property
    def duration_s(self) -> float:
        """[s]"""
        return len(self.samples) / RATE_HZ


class Cutter:
    """Takes sound as it comes, gives stretches as soon as they are whole; stretches without speech are left out.

    Holds less than half a minute of sound plus one piece, however long the whole is.
    """

    def __init__(self) -> None:
        self._buffer: Samples = np.zeros(0, np.float32)
        self._start = 0

    def write(self, samples: Samples) -> Iterator[Stretch]:
        """Add sound; yield the stretches that it completes."""
        self._buffer = np.concatenate([self._buffer, samples])
        while len(self._buffer) >= FULL_WINDOW_S * RATE_HZ:
            window = self._buffer[: int(FULL_WINDOW_S * RATE_HZ)]
            yield from self._take(cut_frame(look(window).probabilities) * FRAME)

    def flush(self) -> Iterator[Stretch]:
        """Yield what is left."""
        if len(self._buffer) > LONGEST_S * RATE_HZ:
            yield from self._take(cut_frame(look(self._buffer).probabilities) * FRAME)
        yield from self._take(len(self._buffer))

    def _take(self, count: int) -> Iterator[Stretch]:
        samples, self._buffer = self._buffer[:count], self._buffer[count:]
        start, self._start = self._start, self._start + len(samples)
        found = look(samples)
        if found.speech:
            yield _stretch(start / RATE_HZ, samples, found)


def _stretch(start_s: float, samples: Samples, found: Look) -> Stretch:
    kept, cut_s = trimmed(samples, found)
    speech = found.timed()
    moved = replace(speech, start_s=speech.start_s - cut_s, end_s=speech.end_s - cut_s)
    return Stretch(start_s + cut_s, kept, moved)


def cut_frame(probabilities: Samples) -> int:
    """Where to cut sound of more than `LONGEST_S`, as an index of frames.

    The middle of the longest pause between `_EARLIEST_S` and `LONGEST_S`; of equals the last; without any, the frame
    with the least speech in it. Silence all through is cut as late as can be.
    """
    earliest, latest = int(_EARLIEST_S / FRAME_S), int(LONGEST_S / FRAME_S)
    if not len(probabilities):
        return latest
    pauses = [
        (end - start, (start + end) // 2)
        for start, end in _runs_below(probabilities[:latest], _PAUSE)
        if end > earliest and (end - start) * FRAME_S >= _SHORTEST_PAUSE_S
    ]
    if pauses:
        return max(earliest, max(pauses)[1])
    resort = int(_LAST_RESORT_S / FRAME_S)
    return resort + int(np.argmin(probabilities[resort:latest]))


def _runs_below(probabilities: Samples, threshold: float) -> list[tuple[int, int]]:
    """Stretches [start, end) of frames below a threshold, in order."""
    below = np.concatenate([[False], probabilities < threshold, [False]]).astype(np.int8)
    edges = np.flatnonzero(np.diff(below))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]
