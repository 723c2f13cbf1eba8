"""The picture of a voice message that chat clients draw: a few loudness points."""

from __future__ import annotations

from array import array

import numpy as np
from numpy.typing import NDArray

_BLOCKS_PER_S = 100
# Discord API, message attachment `waveform`: one byte a point, at most one point per 100 ms and 256 in all.
_POINTS_PER_S = 10
_MAX_POINTS = 256
# Enough bars for a short note to look like one; Telegram's clients draw about this many.
_MIN_POINTS = 64
_QUIET_RMS = 0.01 * 32768
"""Full height stands for the loudest point, but for nothing below -40 dBFS: silence stays flat."""


class Waveform:
    """Collects loudness as the sound passes; 400 bytes a second of it are kept.

    Points are RMS, as Discord's clients draw them, not peaks: a click is not a word.
    """

    def __init__(self, rate: int) -> None:
        self._block = rate // _BLOCKS_PER_S
        self._energies = array("f")
        self._rest = np.empty(0, np.int16)

    def add(self, samples: NDArray[np.int16]) -> None:
        """Take the next samples, any number."""
        samples = np.concatenate([self._rest, samples])
        whole = len(samples) // self._block * self._block
        self._rest = samples[whole:]
        blocks = samples[:whole].reshape(-1, self._block).astype(np.float32)
        self._energies.frombytes(np.mean(blocks**2, axis=1, dtype=np.float32).tobytes())

    def points(self) -> bytes:
        """64 to 256 points of 0 to 255, from first to last moment, evenly spaced."""
        energies = np.frombuffer(self._energies, dtype=np.float32)
        if len(energies) == 0:
            return bytes(_MIN_POINTS)
        count = int(np.clip(len(energies) * _POINTS_PER_S / _BLOCKS_PER_S, _MIN_POINTS, _MAX_POINTS))
        starts = np.arange(count) * len(energies) // count
        widths = np.maximum(np.diff(np.append(starts, len(energies))), 1)
        # reduceat takes the one block where two points start in the same, as in notes under 0.64 s
        levels = np.sqrt(np.add.reduceat(energies, starts) / widths)
        scaled = 255 * levels / max(float(levels.max()), _QUIET_RMS)
        return np.rint(scaled).astype(np.uint8).tobytes()
