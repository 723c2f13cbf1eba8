"""Engines without a model: instant or slowed to a known speed, and the same answer every time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from itertools import accumulate

import numpy as np

from essence.audio import Pcm
from essence.dialogue import Finished, ModelEvent, Segment, TextDelta, ToolSpec, Transcript, Turn, Usage
from essence.errors import EmptyAnswer, NotFound


class ScriptedTranscriber:
    """Hears the words it was given, whatever is said; blank words mean that nobody spoke."""

    def __init__(self, words: str, *, language: str = "en", rtf: float = 0.0) -> None:
        """`rtf`: seconds of work for each second of audio."""
        self._words, self._language, self._rtf = words.split(), language, rtf

    async def transcribe(
        self, speech: AsyncIterator[Pcm], *, language: str | None = None, word_times: bool = False
    ) -> AsyncGenerator[Transcript]:
        duration_s = 0.0
        async for pcm in speech:
            duration_s += pcm.duration_s
        await asyncio.sleep(duration_s * self._rtf)
        text = " ".join(self._words)
        if not text:
            yield Transcript(text="", speech=False, duration_s=duration_s)
            return
        segment = Segment(text, 0.0, duration_s, average_logprob=-0.1, no_speech_probability=0.0, compression_ratio=1.0)
        heard, probability = (language, 1.0) if language else (self._language, 0.99)
        yield Transcript(
            text,
            speech=True,
            language=heard,
            language_probability=probability,
            duration_s=duration_s,
            segments=(segment,),
        )


class ToneSynthesizer:
    """Speaks a tone, 60 ms for each character; knows the languages that it was given."""

    rate = 16_000
    character_s = 0.06

    def __init__(self, *, languages: Sequence[str] = ("en",), rtf: float = 0.0) -> None:
        """`rtf`: seconds of work for each second of audio."""
        self._languages, self._rtf = tuple(languages), rtf

    async def synthesize(
        self, text: str, *, voice: str | None = None, language: str | None = None
    ) -> AsyncGenerator[Pcm]:
        if language is not None and language not in self._languages:
            raise NotFound(f"The tone has no voice for {language!r}. Ask for one of {', '.join(self._languages)}.")
        if not text.strip():
            return
        seconds = len(text) * self.character_s
        await asyncio.sleep(seconds * self._rtf)
        times = np.arange(round(seconds * self.rate)) / self.rate
        yield Pcm((np.sin(times * 2 * np.pi * 440) * 8000).astype("<i2").tobytes(), self.rate)


class ScriptedModel:
    """Answers with the given events, or text that it cuts into tokens of a word each.

    Where the history's last but one turn is the beginning of the script, it goes on behind that.
    """

    def __init__(
        self, *script: str | ModelEvent, first_token_s: float = 0.0, token_s: float = 0.0, remembers: bool = True
    ) -> None:
        """`remembers`: keep every history in `seen`; not in a service, which may answer for years."""
        self._remembers = remembers
        self._events = [event for part in script for event in _as_events(part)]
        self._first_token_s, self._token_s = first_token_s, token_s
        self.seen: list[tuple[Turn, ...]] = []
        """Every history that was asked about, in order."""

    async def reply(self, history: Sequence[Turn], *, tools: Sequence[ToolSpec] = ()) -> AsyncGenerator[ModelEvent]:
        if self._remembers:
            self.seen.append(tuple(history))
        await asyncio.sleep(self._first_token_s)
        for index, event in enumerate(self._events[self._told_already(history) :]):
            if index:
                await asyncio.sleep(self._token_s)
            yield event
        if not self._events:
            raise EmptyAnswer("The script has no words. Give ScriptedModel something to say.")
        if not isinstance(self._events[-1], Finished):
            yield Finished("stop", Usage(completion_tokens=len(self._events)))

    def _told_already(self, history: Sequence[Turn]) -> int:
        """How many events make up the turn before the last one; 0 where they don't, or where all would."""
        said = history[-2].text.rstrip() if len(history) > 1 and history[-2].role == "assistant" else ""
        told = accumulate(event.text if isinstance(event, TextDelta) else "" for event in self._events)
        number = next((number for number, text in enumerate(told, 1) if said and text.rstrip() == said), 0)
        return number if number < len(self._events) else 0


def _as_events(part: str | ModelEvent) -> list[ModelEvent]:
    if not isinstance(part, str):
        return [part]
    words = part.split(" ")
    return [TextDelta(word if index == 0 else " " + word) for index, word in enumerate(words)]
