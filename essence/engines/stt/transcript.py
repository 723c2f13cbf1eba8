"""A transcript while it grows: stretches come in order, each with what the model heard in it."""

from __future__ import annotations

from dataclasses import replace

from essence.dialogue import Segment, SttTiming, Transcript, Word
from essence.engines.stt.guard import Heard, Span, compression_ratio, is_nothing
from essence.engines.stt.segmentation import Stretch
from essence.engines.stt.worker import Answer


class Draft:
    """Collects answers, in order; gives the transcript so far."""

    def __init__(self, language: str | None) -> None:
        """`language`: as the caller named it; None while it is to be detected."""
        self.language = language
        self._named = language is not None
        self.duration_s = 0.0
        self.gate_s = 0.0
        self._queue_s = 0.0
        self._compute_s = 0.0
        self._text = ""
        self._segments: list[Segment] = []
        self._detected: dict[str, tuple[float, float]] = {}
        """Language → seconds of sound, and seconds weighted by probability."""

    def add(self, stretch: Stretch, answer: Answer) -> bool:
        """Take a stretch's answer; say whether it holds any words."""
        self._queue_s = self._queue_s or answer.queue_s
        self._compute_s += answer.compute_s
        heard = answer.heard
        if is_nothing(heard, stretch.speech):
            return False
        self._text += heard.text
        self._segments += [_segment(heard, span, stretch.start_s) for span in heard.spans if span.text.strip()]
        seconds, weighted = self._detected.get(heard.language, (0.0, 0.0))
        weight = stretch.duration_s
        self._detected[heard.language] = (seconds + weight, weighted + weight * heard.language_probability)
        return True

    def transcript(self) -> Transcript:
        """What was heard so far."""
        timing = SttTiming(self._queue_s, self.gate_s, self._compute_s)
        text = self._text.strip()
        if not text:
            return Transcript("", speech=False, duration_s=self.duration_s, timing=timing)
        language, (seconds, weighted) = max(self._detected.items(), key=lambda item: item[1][0])
        return Transcript(
            text,
            speech=True,
            language=language,
            language_probability=1.0 if self._named else weighted / seconds,
            duration_s=self.duration_s,
            segments=tuple(self._segments),
            timing=timing,
        )


def _segment(heard: Heard, span: Span, start_s: float) -> Segment:
    return Segment(
        span.text.strip(),
        start_s + span.start_s,
        start_s + span.end_s,
        heard.average_logprob,
        heard.no_speech_probability,
        compression_ratio(heard.text),
        tuple(_moved(word, start_s) for word in span.words),
    )


def _moved(word: Word, by_s: float) -> Word:
    return replace(word, start_s=word.start_s + by_s, end_s=word.end_s + by_s)
