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


_OF_A_CHAT = ("waited", "fetched", "delivered", "upload")


@dataclass(slots=True)
class Timings:
    """The record of one answer. All figures are seconds; what did not happen stays 0.

    Stages overlap, so the busy times do not add up to the total; the milestones do, each from the one before it.
    """

    waited_s: float = 0.0
    """Milestone: from the message's arrival until its turn came."""
    fetched_s: float = 0.0
    """Milestone: from its turn until its file was here."""
    decode_s: float = 0.0
    """Busy: reading the container and its codec."""
    queue_s: float = 0.0
    """Waiting for a free place at the speech-to-text engine."""
    gate_s: float = 0.0
    """Busy: finding out whether anybody spoke."""
    stt_s: float = 0.0
    """Busy: the speech-to-text model."""
    heard_s: float = 0.0
    """Milestone: from the note's being here to its final transcript."""
    first_token_s: float = 0.0
    """Milestone: from the question's being understood to the answer's first token."""
    first_sentence_s: float = 0.0
    """Milestone: from the first token to the first piece that can be spoken."""
    first_audio_s: float = 0.0
    """Milestone: from the first piece of text to its first sound."""
    rest_s: float = 0.0
    """Milestone: from the first sound (or, of an answer without a voice, its last milestone) to the end."""
    delivered_s: float = 0.0
    """Milestone: from the end of the answer until the platform had all of it."""
    llm_s: float = 0.0
    """Busy: the language model, from the question to its last token."""
    tts_s: float = 0.0
    """Busy: the text-to-speech engine, all pieces together."""
    encode_s: float = 0.0
    """Busy: the voice encoder, all parts together."""
    upload_s: float = 0.0
    """Busy: sending messages to the platform, all parts together."""
    total_s: float = 0.0
    """From the message's arrival to the last milestone."""

    def as_record(self) -> dict[str, float]:
        """For JSON."""
        return {name: getattr(self, name) for name in _NAMES}

    def milestones(self) -> list[Stage]:
        """The steps whose times add up to the total, in order; those of a chat are left out where there was none."""
        steps = [
            Stage("waited", "arrival → its turn", self.waited_s),
            Stage("fetched", "→ the file is here", self.fetched_s),
            Stage("heard", "note → transcript", self.heard_s),
            Stage("first token", "transcript → first word written", self.first_token_s),
            Stage("first sentence", "→ first piece to speak", self.first_sentence_s),
            Stage("first audio", "→ first sound", self.first_audio_s),
            Stage("rest", "→ end of the answer", self.rest_s),
            Stage("delivered", "→ all of it sent", self.delivered_s),
        ]
        return [step for step in steps if step.seconds or step.name not in _OF_A_CHAT]

    def busy(self) -> list[Stage]:
        """How long each stage was at work; they overlap."""
        stages = [
            Stage("decode", "container and codec → sound", self.decode_s),
            Stage("queue", "waiting for the STT engine", self.queue_s),
            Stage("gate", "did anybody speak?", self.gate_s),
            Stage("STT", "sound → text", self.stt_s),
            Stage("LLM", "question → answer", self.llm_s),
            Stage("TTS", "text → sound", self.tts_s),
            Stage("encode", "sound → Ogg/Opus", self.encode_s),
            Stage("upload", "messages → platform", self.upload_s),
        ]
        return [stage for stage in stages if stage.seconds or stage.name not in _OF_A_CHAT]

    def slowest(self) -> Stage:
        """The stage that was at work the longest."""
        return max(self.busy(), key=lambda stage: stage.seconds)


_NAMES = tuple(field.name for field in fields(Timings))


class Stopwatch:
    """Fills a `Timings` while an answer is made, by the event loop's clock (so that virtual time works)."""

    def __init__(self, *, waited_s: float = 0.0) -> None:
        """`waited_s`: what had passed since the message's arrival."""
        self._loop = asyncio.get_running_loop()
        self._start = self._last = self._loop.time()
        self._reached: set[str] = set()
        self.timings = Timings(waited_s=waited_s)

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
        return self._ended("rest")

    def delivered(self) -> Timings:
        """Note, after `finish`, that the platform has the whole answer."""
        return self._ended("delivered")

    def _ended(self, milestone: str) -> Timings:
        self.reach(milestone)
        self.timings.total_s = self.timings.waited_s + self._loop.time() - self._start
        return self.timings

    def _add(self, name: str, seconds: float) -> None:
        assert name in _NAMES, name
        setattr(self.timings, name, getattr(self.timings, name) + seconds)
