"""Where the time of one answer went: when each stage had its first result, and how long each was at work."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields

from essence.dialogue import SttTiming


@dataclass(frozen=True, slots=True)
class Stage:
    """One line of the record."""

    name: str
    meaning: str
    seconds: float


@dataclass(slots=True)
class Timings:
    """The record of one answer. All figures are seconds; what did not happen stays 0.

    Stages overlap, so the busy times do not add up to the total; the milestones do, each from the one before it.
    """

    decode_s: float = 0.0
    """Busy: reading the container and its codec."""
    queue_s: float = 0.0
    """Waiting for a free place at the speech-to-text engine."""
    gate_s: float = 0.0
    """Busy: finding out whether anybody spoke."""
    stt_s: float = 0.0
    """Busy: the speech-to-text model."""
    heard_s: float = 0.0
    """Milestone: from the note's arrival to its final transcript."""
    first_token_s: float = 0.0
    """Milestone: from the transcript to the answer's first token."""
    first_sentence_s: float = 0.0
    """Milestone: from the first token to the first piece that can be spoken."""
    first_audio_s: float = 0.0
    """Milestone: from the first piece of text to its first sound."""
    rest_s: float = 0.0
    """Milestone: from the first sound (or, of an answer without a voice, its last milestone) to the end."""
    llm_s: float = 0.0
    """Busy: the language model, from the question to its last token."""
    tts_s: float = 0.0
    """Busy: the text-to-speech engine, all pieces together."""
    encode_s: float = 0.0
    """Busy: the voice encoder, all parts together."""
    total_s: float = 0.0
    """From the note's arrival to the end of the answer."""

    def milestones(self) -> list[Stage]:
        """The steps whose times add up to the total, in order."""
        return [
            Stage("heard", "note → transcript", self.heard_s),
            Stage("first token", "transcript → first word written", self.first_token_s),
            Stage("first sentence", "→ first piece to speak", self.first_sentence_s),
            Stage("first audio", "→ first sound", self.first_audio_s),
            Stage("rest", "→ end of the answer", self.rest_s),
        ]

    def busy(self) -> list[Stage]:
        """How long each stage was at work; they overlap."""
        return [
            Stage("decode", "container and codec → sound", self.decode_s),
            Stage("queue", "waiting for the STT engine", self.queue_s),
            Stage("gate", "did anybody speak?", self.gate_s),
            Stage("STT", "sound → text", self.stt_s),
            Stage("LLM", "question → answer", self.llm_s),
            Stage("TTS", "text → sound", self.tts_s),
            Stage("encode", "sound → Ogg/Opus", self.encode_s),
        ]

    def slowest(self) -> Stage:
        """The stage that was at work the longest."""
        return max(self.busy(), key=lambda stage: stage.seconds)


class Stopwatch:
    """Fills a `Timings` while an answer is made, by the event loop's clock (so that virtual time works)."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._start = self._last = self._loop.time()
        self._reached: set[str] = set()
        self.timings = Timings()

    @contextmanager
    def busy(self, stage: str) -> Iterator[None]:
        """Add the time of the block to the stage's busy time: `with stopwatch.busy("tts"): …`."""
        start = self._loop.time()
        try:
            yield
        finally:
            self._add(f"{stage}_s", self._loop.time() - start)

    def reach(self, milestone: str) -> None:
        """Note that a milestone was reached now; only the first time counts."""
        if milestone in self._reached:
            return
        now = self._loop.time()
        self._reached.add(milestone)
        self._add(f"{milestone}_s", now - self._last)
        self._last = now

    def heard(self, engine: SttTiming) -> None:
        """Note that the transcript is final, and what the engine said of its own time."""
        self.timings.queue_s, self.timings.gate_s = engine.queue_s, engine.gate_s
        self.timings.stt_s = engine.compute_s
        self.reach("heard")

    def finish(self) -> Timings:
        """Note the end of the answer and return the record."""
        self.reach("rest")
        self.timings.total_s = self._loop.time() - self._start
        return self.timings

    def _add(self, name: str, seconds: float) -> None:
        assert name in {field.name for field in fields(Timings)}, name
        setattr(self.timings, name, getattr(self.timings, name) + seconds)
