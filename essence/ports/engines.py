"""What models do: hear, speak, write."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Protocol

from essence.audio import Pcm
from essence.dialogue import ModelEvent, ToolSpec, Transcript, Turn


class Transcriber(Protocol):
    """Speech to text (STT)."""

    def transcribe(
        self, speech: AsyncIterator[Pcm], *, language: str | None = None, word_times: bool = False
    ) -> AsyncGenerator[Transcript]:
        """Yield at least one transcript; each repeats and extends the one before, the last is final.

        Args:
            speech: Audio in order, any chunk size, one rate for all chunks. Read to its end.
            language: ISO 639-1 code of what is spoken; None lets the engine detect it.
            word_times: Fill `Segment.words`; costs extra time.

        Raises:
            EngineBusy: The queue is full.
            InvalidAudio: More audio than the engine takes.
            InvalidInput: The model does not know `language`.
        """
        ...


class Synthesizer(Protocol):
    """Text to speech (TTS)."""

    def synthesize(self, text: str, *, voice: str | None = None, language: str | None = None) -> AsyncGenerator[Pcm]:
        """Yield the speech in order, the first chunk as early as the engine can; all chunks have one rate.

        Args:
            text: Plain words to be said (see `essence.chat.speakable`); a blank text yields nothing.
            voice: A voice of this engine by name; None takes the engine's own for `language`.
            language: ISO 639-1 code of `text`; None means the language of the engine's default voice.

        Raises:
            NotFound: No such voice, or no voice for `language`. Raised before the first chunk.
            EngineBusy: The queue is full.
        """
        ...


class LanguageModel(Protocol):
    """Writes the answer (LLM)."""

    def reply(self, history: Sequence[Turn], *, tools: Sequence[ToolSpec] = ()) -> AsyncGenerator[ModelEvent]:
        """Yield the answer as it is written, then one `Finished`.

        Args:
            history: The conversation, oldest first; system turns first of all, the last one is to be answered.
                Turns that do not fit the model's context are left out, oldest first, whole turns at a time.
            tools: What the model may call.

        Raises:
            ContextOverflow: The system turns and the last turn alone do not fit.
            EmptyAnswer: The model ended without a word and without a tool call.
            EngineBusy, NotAllowed, NotFound, Unreachable, TooSlow: As their docstrings say.
        """
        ...
