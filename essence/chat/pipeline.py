"""The way of a note: hear → think → speak, overlapped. Everything that answers people goes through here.

    note → decode → STT ─┬→ Heard
                         └→ LLM ─┬→ TextDelta …                          (to be shown at once)
                                 └→ pieces → speakable → TTS → Ogg/Opus → AudioPart …

While the model writes piece n + 1, piece n is spoken. Stages are tasks with bounded queues between them; the first
that fails, or whoever stops listening, cancels the others before anybody hears of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from essence import observe
from essence.chat.codec import Codec, ThreadedCodec
from essence.chat.events import Done, Event, Heard, Outlet, events_of
from essence.chat.hear import hear
from essence.chat.playout import Playout
from essence.chat.sentences import SentenceSplitter
from essence.chat.speak import Speaker
from essence.chat.think import Answer, Pieces, think
from essence.chat.timings import Stopwatch, Timings
from essence.dialogue import Transcript, Turn
from essence.ports import LanguageModel, Synthesizer, Transcriber


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Answers notes and texts with the players it was given. Holds no state of a conversation; calls may overlap."""

    transcriber: Transcriber
    model: LanguageModel
    synthesizer: Synthesizer
    codec: Codec = field(default_factory=ThreadedCodec)
    playout: Playout = field(default_factory=Playout)

    def answer_note(
        self, note: bytes | Path, history: Sequence[Turn] = (), *, language: str | None = None, voice: str | None = None
    ) -> AsyncGenerator[Event]:
        """Yield `Heard`, then the answer's text and sound as they come, then `Done`.

        Args:
            note: Any audio file that a phone or a browser sends.
            history: The turns before this one, system turns first.
            language: ISO 639-1 code of what is spoken; None detects it. The answer is spoken in it.
            voice: Passed on to the synthesizer.

        Raises:
            JuneError: Hearing or thinking failed. A voice that fails is told by `VoiceFailed` instead.
        """
        return events_of(partial(self._note, note, tuple(history), language, voice))

    def answer_text(
        self,
        text: str,
        history: Sequence[Turn] = (),
        *,
        language: str | None = None,
        voice: str | None = None,
        spoken: bool = True,
        stopwatch: Stopwatch | None = None,
    ) -> AsyncGenerator[Event]:
        """Yield the same as `answer_note`, without `Heard`, for a message that was typed or was heard before.

        `spoken`: False leaves the voice out. `stopwatch`: one that runs already; its record comes with `Done`.
        """
        turns = (*history, Turn("user", text))
        work = self._answer if spoken else self._answer_silently
        return events_of(partial(work, turns, language, voice, stopwatch or Stopwatch()))

    def speak(self, text: str, *, language: str | None = None, voice: str | None = None) -> AsyncGenerator[Event]:
        """Yield `AudioPart`s of a text that is there already, then `Done`; `VoiceFailed` if the voice fails."""
        return events_of(partial(self._speak, text, language, voice))

    async def hear(
        self,
        note: bytes | Path,
        *,
        language: str | None = None,
        stopwatch: Stopwatch | None = None,
        progress: Callable[[Transcript], None] | None = None,
    ) -> Transcript:
        """The transcript of a note.

        Args:
            note: Any audio file that a phone or a browser sends.
            language: ISO 639-1 code of what is spoken; None detects it.
            stopwatch: Notes the time that it takes.
            progress: Told each transcript that the engine has of a long note, the last one too.

        Raises:
            InvalidAudio: It can't be decoded.
            JuneError: As the transcriber says.
        """
        sound, stopwatch = self.codec.decode(note), stopwatch or Stopwatch()
        with observe.call("pipeline", "hear"):
            return await hear(sound, self.transcriber, stopwatch, language=language, progress=progress)

    async def _note(
        self, note: bytes | Path, history: tuple[Turn, ...], language: str | None, voice: str | None, outlet: Outlet
    ) -> None:
        stopwatch = Stopwatch()
        transcript = await self.hear(note, language=language, stopwatch=stopwatch)
        outlet.put(Heard(transcript))
        if transcript.speech:
            turns = (*history, Turn("user", transcript.text))
            await self._answer(turns, transcript.language, voice, stopwatch, outlet)
        else:
            outlet.put(Done(answer="", cut=False, timings=_recorded(stopwatch)))

    async def _answer(
        self, turns: tuple[Turn, ...], language: str | None, voice: str | None, stopwatch: Stopwatch, outlet: Outlet
    ) -> None:
        with observe.call("pipeline", "answer"):
            answer = await self._think_aloud(turns, language, voice, outlet, stopwatch)
            outlet.put(Done(answer.text, answer.cut, _recorded(stopwatch)))

    async def _answer_silently(
        self, turns: tuple[Turn, ...], language: str | None, voice: str | None, stopwatch: Stopwatch, outlet: Outlet
    ) -> None:
        with observe.call("pipeline", "answer"):
            answer = await think(self.model, turns, None, None, outlet, stopwatch)
            outlet.put(Done(answer.text, answer.cut, _recorded(stopwatch)))

    async def _speak(self, text: str, language: str | None, voice: str | None, outlet: Outlet) -> None:
        stopwatch = Stopwatch()
        with observe.call("pipeline", "speak"):
            pieces, splitter = Pieces(), SentenceSplitter(language=language or "en")
            speaker = Speaker(self.synthesizer, self.codec, self.playout, outlet, stopwatch)
            async with asyncio.TaskGroup() as stages:
                stages.create_task(speaker.speak(pieces, language=language, voice=voice))
                for piece in (*splitter.feed(text), *splitter.flush()):
                    await pieces.put(piece)
                await pieces.finish()
            outlet.put(Done(text, cut=False, timings=_recorded(stopwatch)))

    async def _think_aloud(
        self, turns: tuple[Turn, ...], language: str | None, voice: str | None, outlet: Outlet, stopwatch: Stopwatch
    ) -> Answer:
        pieces = Pieces()
        speaker = Speaker(self.synthesizer, self.codec, self.playout, outlet, stopwatch)
        try:
            async with asyncio.TaskGroup() as stages:
                stages.create_task(speaker.speak(pieces, language=language, voice=voice))
                splitter = SentenceSplitter(language=language or "en")
                return await think(self.model, turns, splitter, pieces, outlet, stopwatch)
        except ExceptionGroup as failed:
            # One stage failed and the group has stopped the other: whoever asked hears of the one that failed.
            raise failed.exceptions[0] from failed


def _recorded(stopwatch: Stopwatch) -> Timings:
    """The answer's timings, in the metrics and in the trace as well as in the hands of whoever asked."""
    timings = stopwatch.finish()
    stages = [*timings.busy(), *timings.milestones()]
    took_place = [stage for stage in stages if stage.seconds]
    observe.record_stages({stage.name.replace(" ", "_").lower(): stage.seconds for stage in took_place})
    return timings
