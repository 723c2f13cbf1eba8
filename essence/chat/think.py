"""Think: the model writes; text goes out at once, and in whole pieces to whoever speaks it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass

from essence.chat.events import Outlet, Written
from essence.chat.reasoning import without_reasoning
from essence.chat.sentences import SentenceSplitter
from essence.chat.timings import Stopwatch
from essence.dialogue import Finished, TextDelta, Turn
from essence.errors import EmptyAnswer
from essence.ports import LanguageModel


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model wrote."""

    text: str
    cut: bool
    """It reached its token limit."""


class Pieces:
    """The queue between thinking and speaking: pieces of the answer in order, in a bounded number.

    A model that is far ahead of the voice waits for it, so that a long answer never piles up.
    """

    def __init__(self, size: int = 64) -> None:
        self._queue: asyncio.Queue[str | None] = asyncio.Queue(size)
        self._waiting_chars = 0
        self.complete = False
        """The model has written its last piece."""

    @property
    def waiting_chars(self) -> int:
        """Length of what was written and not yet taken. [characters]"""
        return self._waiting_chars

    async def put(self, piece: str) -> None:
        self._waiting_chars += len(piece)
        await self._queue.put(piece)

    async def finish(self) -> None:
        """No piece follows."""
        self.complete = True
        await self._queue.put(None)

    async def get(self) -> str | None:
        """Return the next piece, or None after the last. Safe to cancel: nothing is lost."""
        piece = await self._queue.get()
        self._waiting_chars -= len(piece or "")
        return piece


async def think(
    model: LanguageModel,
    history: Sequence[Turn],
    splitter: SentenceSplitter | None,
    pieces: Pieces | None,
    outlet: Outlet,
    stopwatch: Stopwatch,
) -> Answer:
    """Have the last turn of `history` answered; put each delta into `outlet`, each finished piece into `pieces`.

    Without a splitter and pieces the answer is only written.

    Raises:
        EmptyAnswer: The model wrote nothing but blanks and what it thought aloud.
        JuneError: As the model says.
    """
    text, cut = "", False
    with stopwatch.busy("llm"):
        async with aclosing(model.reply(history)) as events:
            async for event in events:
                match event:
                    case TextDelta(delta):
                        stopwatch.reach("first_token")
                        outlet.put(event)
                        text += delta
                        if splitter is not None and pieces is not None:
                            await _pass_on(splitter.feed(delta), pieces, stopwatch)
                    case Finished(reason):
                        cut = reason == "length"
    if not without_reasoning(text).strip():
        raise EmptyAnswer("The language model answered without a word. Ask again, or try another model.")
    outlet.put(Written(cut))
    if splitter is not None and pieces is not None:
        await _pass_on(splitter.flush(), pieces, stopwatch)
        await pieces.finish()
    return Answer(text, cut)


async def _pass_on(finished: Sequence[str], pieces: Pieces, stopwatch: Stopwatch) -> None:
    for piece in finished:
        stopwatch.reach("first_sentence")
        await pieces.put(piece)
