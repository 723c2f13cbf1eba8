"""What one message asks: read, or fetched and heard; and in which language it is to be answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from essence.chat.house import House
from essence.chat.language import LanguageState, decide, of_text
from essence.chat.minutes import Minutes, with_context
from essence.chat.timings import Stopwatch
from essence.dialogue import Message, Transcript, Turn

if TYPE_CHECKING:  # what is behind it loads after the first message is taken
    from essence.chat.pipeline import Pipeline


class Hearing:
    """Of one message, in one attempt at it."""

    def __init__(
        self,
        house: House,
        message: Message,
        minutes: Minutes,
        stopwatch: Stopwatch,
        languages: LanguageState,
        progress: Callable[[Transcript], None],
    ) -> None:
        """`languages`: of the conversation so far. `progress`: told each transcript of a long note."""
        self._house, self._message, self._minutes = house, message, minutes
        self._stopwatch, self._progress = stopwatch, progress
        self.languages = languages
        """Of the conversation, this message included."""
        self.language: str | None = None
        """What is to be spoken, ISO 639-1; None as long as nothing is to be."""
        self.confidence = 1.0 if message.sound is None else 0.0  # 0 where an attempt that died heard it
        """Of what was heard, 0 to 1."""
        self.done = False
        """Whether this attempt has heard it."""

    async def question(self, pipeline: Pipeline, chosen: str | None, *, spoken: bool, again: bool) -> str | None:
        """The words with what they are about; None where nobody spoke.

        Args:
            pipeline: What hears.
            chosen: The language that the person chose.
            spoken: Whether the answer is.
            again: Whether it may have been heard before.
        """
        message = self._message
        if message.sound is None:
            if spoken:
                self.language = self.language_of(message.text or message.quoted, chosen)
            return with_context(message, message.text)
        if (again or self.done) and (asked := await self._minutes.kept("asked")):
            self.language = self.language_of(asked, chosen)
            return asked
        note = await self._house.channel.fetch(message.sound, max_bytes=self._house.settings.chat_max_file_bytes)
        self._stopwatch.reach("fetched")
        transcript = await self._hear(pipeline, note, chosen)
        if not transcript.speech:
            return None
        self.confidence = transcript.confidence
        question = with_context(message, " ".join(filter(None, (transcript.text, message.text))))
        await self._minutes.keep(Turn("user", question), name="asked")
        self.done = True
        return question

    def language_of(self, text: str, chosen: str | None) -> str:
        """What a text is spoken in."""
        return chosen or of_text(text, self.languages, hint=self._message.sender.language)

    async def _hear(self, pipeline: Pipeline, note: bytes, chosen: str | None) -> Transcript:
        """The note's transcript, heard again where its language was taken for another one."""
        transcript = await pipeline.hear(note, language=chosen, stopwatch=self._stopwatch, progress=self._progress)
        if not transcript.speech:
            return transcript
        decision = decide(self.languages, transcript, chosen=chosen)
        self.language = decision.language
        if chosen is None:
            self.languages = decision.state
        if decision.hear_again_in is None:
            return transcript
        again = await pipeline.hear(note, language=decision.hear_again_in, stopwatch=self._stopwatch)
        return again if again.speech else transcript
