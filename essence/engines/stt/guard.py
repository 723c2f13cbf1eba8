"""Judges what a model wrote by its own signals, in any language: good, to be doubted, broken, or not speech at all."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from enum import IntEnum

from essence.dialogue import Word
from essence.engines.stt.gate import Speech
from essence.engines.stt.repetition import is_loop

_MOST_COMPRESSION = 2.4
"""Of OpenAI's reference decoder (whisper/transcribe.py, compression_ratio_threshold)."""
_LEAST_LOGPROB = -1.0
"""Of OpenAI's reference decoder (logprob_threshold)."""
_MOST_NO_SPEECH = 0.6
"""Of OpenAI's reference decoder (no_speech_threshold)."""
_LEAST_LANGUAGE = 0.5
"""Below it another language is as likely: a longer window makes the model surer."""
_CUT_OFF_S = 1.2
"""Text that ends this long before the speech does is cut off. Whisper's times are right to about half a second."""
_MOST_TOKENS_A_SECOND = 14.0
"""Nobody speaks faster: Latin script has up to 6, scripts of several tokens a character up to 10."""
_LEAST_TOKENS_A_SECOND = 2.4
"""Of voice, without the pauses. Measured: speech has 3.0 or more, notes of which half was left out up to 2.0:
docs/decisions/0005."""


class Verdict(IntEnum):
    """How far a result can be trusted; more is worse."""

    GOOD = 0
    DOUBTFUL = 1
    """Unsure of its words or its language, or short of words: the full window may know better."""
    BROKEN = 2
    """A loop, or cut off: a longer window nearly always mends it."""


@dataclass(frozen=True, slots=True)
class Span:
    """Text between two of the model's timestamps."""

    text: str
    start_s: float
    end_s: float
    tokens: tuple[int, ...]
    closed: bool
    """Whether the model itself wrote the end."""
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Heard:
    """One attempt at one stretch. Times count from the stretch's start."""

    spans: tuple[Span, ...]
    language: str
    language_probability: float
    average_logprob: float
    no_speech_probability: float
    spent: bool
    """The token budget ran out before the model ended."""
    repeat_tokens_per_s: float = 0.0
    """Where the text ends by saying something again: how fast that, or the first time, would have been said; else 0."""

    @property
    def text(self) -> str:
        """As the model wrote it, with its leading space."""
        return "".join(span.text for span in self.spans)

    @property
    def tokens(self) -> tuple[int, ...]:
        """Of the text, without timestamps."""
        return tuple(token for span in self.spans for token in span.tokens)


def compression_ratio(text: str) -> float:
    """Length of the text over its zlib length, in bytes; 0 for no text."""
    raw = text.encode()
    return len(raw) / len(zlib.compress(raw)) if raw else 0.0


def judge(heard: Heard, speech: Speech) -> Verdict:
    """Look for loops, cut-offs and doubt in what was written of this speech."""
    if heard.spent or _loops(heard, speech) or _cut_off(heard, speech.end_s):
        return Verdict.BROKEN
    unlikely = heard.average_logprob < _LEAST_LOGPROB or heard.language_probability < _LEAST_LANGUAGE
    sparse = len(heard.tokens) < _LEAST_TOKENS_A_SECOND * speech.voiced_s
    return Verdict.DOUBTFUL if unlikely or sparse else Verdict.GOOD


def _loops(heard: Heard, speech: Speech) -> bool:
    rate = len(heard.tokens) / max(0.3, speech.end_s - speech.start_s)
    crowded = len(heard.tokens) > 8 and rate > _MOST_TOKENS_A_SECOND
    unsaid = heard.repeat_tokens_per_s > _MOST_TOKENS_A_SECOND
    return crowded or unsaid or compression_ratio(heard.text) > _MOST_COMPRESSION or is_loop(heard.tokens)


def _cut_off(heard: Heard, speech_end_s: float) -> bool:
    if not heard.text.strip():
        return True  # the gate heard speech
    return heard.spans[-1].closed and heard.spans[-1].end_s < speech_end_s - _CUT_OFF_S


def better(one: Heard | None, other: Heard, speech: Speech) -> Heard:
    """Whichever is more to be trusted; of equals the one whose words are likelier."""
    if one is None:
        return other
    return min(one, other, key=lambda heard: (judge(heard, speech), -heard.average_logprob))


def is_nothing(heard: Heard, speech: Speech) -> bool:
    """Whether the model's own signals say that nobody spoke, though the gate let the sound pass.

    Whisper's rule (no-speech probability and log-probability together), or a loop that no attempt could end.
    """
    unsaid = heard.no_speech_probability > _MOST_NO_SPEECH and heard.average_logprob < _LEAST_LOGPROB
    return not heard.text.strip() or unsaid or (heard.spent and _loops(heard, speech))


def within(heard: Heard, duration_s: float) -> Heard:
    """Keep what lies in the sound: text after its end was made up, times beyond it are its end."""
    kept = tuple(
        replace(span, end_s=min(span.end_s, duration_s))
        for index, span in enumerate(heard.spans)
        if index == 0 or span.start_s < duration_s - 0.1
    )
    return replace(heard, spans=kept)


def spans_of(tokens: list[int], timestamp_begin: int, timestamp_s: float, duration_s: float) -> list[Span]:
    """Split a model's tokens at its timestamps; the text is still empty.

    Args:
        tokens: As generated, without the prompt and the end.
        timestamp_begin: Token of 0.00 s; those above count up.
        timestamp_s: What one timestamp token is worth. [s]
        duration_s: End of a span that the model left open. [s]
    """
    spans: list[Span] = []
    start_s, words = 0.0, list[int]()
    for token in tokens:
        if token < timestamp_begin:
            words.append(token)
            continue
        time_s = (token - timestamp_begin) * timestamp_s
        if words:
            spans.append(Span("", start_s, max(start_s, time_s), tuple(words), closed=True))
            words = []
        start_s = time_s
    if words:
        spans.append(Span("", start_s, max(start_s, duration_s), tuple(words), closed=False))
    return spans
