"""The silence gate's first half: is there speech in this sound, and where? Runs before any model that writes words.

Level first, then Silero's voice activity detector (VAD, shipped in faster-whisper) on the sound at a normal level, so
that a word at -40 dBFS counts as much as one at -10. Constants: docs/decisions/0001.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from faster_whisper.vad import get_vad_model
from numpy.typing import NDArray

RATE_HZ = 16_000
FRAME = 512
"""Samples that one VAD probability stands for, 32 ms: what Silero was trained on at 16 kHz."""
FRAME_S = FRAME / RATE_HZ

_FLOOR_DBFS = -65.0
"""Sound whose loudest 100 ms are below this is silence: dither and idle microphones lie around -90 to -70."""
_TARGET_DBFS = -14.0
_MOST_GAIN_DB = 51.0
"""Brings `_FLOOR_DBFS` to `_TARGET_DBFS`."""
_SPEECH = 0.5
"""Silero's own threshold for speech."""
_FEWEST_FRAMES = 3
"""Measured: the shortest words have 8 frames or more above `_SPEECH`, chords and noise 2 at most."""
_EDGE = 0.1
"""Speech reaches as far as the VAD is above this: generous, since a cut word is worse than some silence."""
_PAD_S = 0.4
"""Kept before and after the speech, for breathy starts and ends that the VAD misses."""

Samples = NDArray[np.float32]
"""Shape (n,), -1 to 1, 16 kHz."""


@dataclass(frozen=True, slots=True)
class Speech:
    """When somebody speaks in a sound, as the VAD hears it."""

    start_s: float
    end_s: float
    voiced_s: float
    """Seconds of it in which there is a voice: without the pauses."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the gate saw in a stretch of sound."""

    speech: bool
    gain: float
    """Factor that brings the sound to the level at which models hear it."""
    probabilities: Samples
    """Probability of speech of every frame; empty where the level alone decided."""

    def timed(self) -> Speech:
        """When there is speech, within a frame. Only where there is any."""
        frames = np.flatnonzero(self.probabilities >= _EDGE)
        voiced = int(np.count_nonzero(self.probabilities >= _SPEECH))
        return Speech(float(frames[0]) * FRAME_S, float(frames[-1] + 1) * FRAME_S, voiced * FRAME_S)


def look(samples: Samples) -> Look:
    """Judge a stretch of at most half a minute; costs about 4 ms a second of sound."""
    level_dbfs = loudest_dbfs(samples)
    if level_dbfs < _FLOOR_DBFS:
        return Look(speech=False, gain=1.0, probabilities=np.zeros(0, np.float32))
    gain = float(10 ** (np.clip(_TARGET_DBFS - level_dbfs, 0.0, _MOST_GAIN_DB) / 20))
    probabilities = speech_probabilities(amplified(samples, gain))
    heard = int(np.count_nonzero(probabilities >= _SPEECH)) >= _FEWEST_FRAMES
    return Look(speech=heard, gain=gain, probabilities=probabilities)


def amplified(samples: Samples, gain: float) -> Samples:
    """Louder by a factor, clipped to ±1."""
    louder: Samples = np.clip(samples * np.float32(gain), -1.0, 1.0)
    return louder


def loudest_dbfs(samples: Samples) -> float:
    """Root mean square of the loudest 100 ms, -180 for digital silence. [dBFS]"""
    if not len(samples):
        return -180.0
    width = min(RATE_HZ // 10, len(samples))
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    loudest = float(np.max(energy[width:] - energy[:-width])) / width
    return float(10 * np.log10(max(loudest, 1e-18)))


def speech_probabilities(samples: Samples) -> Samples:
    """Probability of speech of every 32 ms, the last frame filled up with silence. Shape (ceil(n / 512),)."""
    padded = np.pad(samples, (0, -len(samples) % FRAME)).astype(np.float32)
    probabilities: Samples = get_vad_model()(padded).ravel()
    return probabilities


def trimmed(samples: Samples, found: Look) -> tuple[Samples, float]:
    """Cut the silence off both ends.

    Returns:
        The sound at the model's level, and how much was cut off its start [s].
    """
    speech = found.timed()
    first = max(0, int((speech.start_s - _PAD_S) * RATE_HZ))
    last = int((speech.end_s + _PAD_S) * RATE_HZ)
    return amplified(samples[first:last], found.gain), first / RATE_HZ
