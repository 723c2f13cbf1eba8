"""What the Piper engine's process runs (GPL-3.0)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from piper import PiperVoice, SynthesisConfig
from piper.config import PiperConfig

from essence.engines.tts.desk import Audio, Cancellation
from essence.engines.tts.frames import SpeakRequest
from essence.engines.tts.phrases import phrases
from essence.engines.tts.pieces import clean, pieces

PEAK = 0.89
"""-1 dBFS. Piper's own 0 dBFS lets the peaks between samples clip in a lossy codec (EBU R 128 allows -1 dBTP)."""
QUIETEST_PEAK = 0.3
"""Voices peak at 0.4 to 0.7; what peaks lower than this is a breath or a pause, and is not made loud."""
_RAW_PHONEMES = re.compile(r"\[\[+")


@dataclass(slots=True)
class _Level:
    """One gain for a whole text, so that neighbouring chunks are equally loud; it falls where a peak would clip."""

    gain: float = field(default=PEAK / QUIETEST_PEAK)

    def apply(self, audio: NDArray[np.float32]) -> bytes:
        peak = float(np.abs(audio).max(initial=0.0))
        self.gain = min(self.gain, PEAK / max(peak, QUIETEST_PEAK))
        return (audio * (self.gain * 32767)).astype("<i2").tobytes()


class _Session:
    """An ONNX session whose running inference can be told to stop."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self.options = onnxruntime.RunOptions()

    def run(self, outputs: None, inputs: dict[str, Any]) -> list[Any]:
        result: list[Any] = self._session.run(outputs, inputs, self.options)
        return result


class PiperSpeaker:
    """Piper voices, each loaded when it is first asked for; the default one at once."""

    def __init__(self, default_voice: str, *, threads: int) -> None:
        self._default_voice, self._threads = default_voice, threads
        self._voices: dict[str, PiperVoice] = {}
        self._voice(default_voice)

    def speak(self, request: SpeakRequest, cancellation: Cancellation) -> Iterator[Audio]:
        """Yield a chunk for each sentence, and for each part of a long one."""
        voice = self._voice(request.voice or self._default_voice)
        config = SynthesisConfig(length_scale=voice.config.length_scale / request.rate)
        options = onnxruntime.RunOptions()
        cancellation.interrupts(lambda: setattr(options, "terminate", True))
        level = _Level()
        for phonemes in phrases(_sentences(voice, request.text)):
            voice.session.options = options  # calls take turns: another one may have set its own
            audio: Any = voice.phoneme_ids_to_audio(voice.phonemes_to_ids(phonemes), config)
            yield voice.config.sample_rate, level.apply(audio)

    def _voice(self, path: str) -> PiperVoice:
        if path not in self._voices:
            self._voices[path] = _load(Path(path), self._threads)
        return self._voices[path]


def _sentences(voice: PiperVoice, text: str) -> Iterator[list[str]]:
    # Piper reads [[…]] as phonemes; here it is text like any other.
    plain = _RAW_PHONEMES.sub("[", clean(text))
    return chain.from_iterable(voice.phonemize(piece) for piece in pieces(plain))


def _load(path: Path, threads: int) -> PiperVoice:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Waiting threads spin within a run (2 to 4 % faster), not after it: the language model wants the cores then.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    config = PiperConfig.from_dict(json.loads(Path(f"{path}.json").read_text(encoding="utf-8")))
    return PiperVoice(session=_Session(session), config=config)


def load(voice: str, threads: str) -> PiperSpeaker:
    """Called by `essence.engines.tts.__main__` with what stood on the command line."""
    return PiperSpeaker(voice, threads=int(threads))
