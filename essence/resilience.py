"""Players that wrap players: retry, fall back, bound the time, bound the number of calls.

A `Way` is how a call gets to a player; ways nest, and one wrapper for each role makes a player of a way again:

    ResilientTranscriber(Fallback([Retrying(Directly(far)), Directly(near)]))

All of it works on what the roles have in common, a call that answers with a stream. A call is made again only while it
has answered nothing, so nobody hears or reads a thing twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from enum import Enum
from typing import Generic, Literal, Protocol, TypeVar

import stamina

from essence import observe
from essence.audio import Pcm
from essence.dialogue import ModelEvent, ToolSpec, Transcript, Turn
from essence.errors import Conflict, EngineBusy, InvalidInput, JuneError, TooSlow
from essence.ports import LanguageModel, Synthesizer, Transcriber

T = TypeVar("T")
P = TypeVar("P")
P_contra = TypeVar("P_contra", contravariant=True)

REPLAY_MAX_BYTES = 32 * 2**20
"""Speech that is kept so that it can be sent again: 17 minutes at 16 kHz. Longer speech is sent once."""


class _End(Enum):
    END = 0


END: Literal[_End.END] = _End.END
"""Stands for the end of a stream."""


@dataclass(frozen=True, slots=True)
class Call(Generic[P, T]):
    """What is asked of whichever player gets it."""

    start: Callable[[P], AsyncGenerator[T]]
    repeatable: Callable[[], bool] = lambda: True
    """Whether its input can still be given once more."""


class Way(Protocol[P]):
    """How a call gets to a player."""

    def run(self, call: Call[P, T]) -> AsyncGenerator[T]:
        """Yield what the player yields, or raise as it does."""
        ...


@dataclass(frozen=True, slots=True)
class Directly(Generic[P]):
    """To this player, as it is."""

    player: P

    def run(self, call: Call[P, T]) -> AsyncGenerator[T]:
        return call.start(self.player)


@dataclass(frozen=True, slots=True)
class Retrying(Generic[P]):
    """Again, with growing pauses, where the error says that it may help."""

    way: Way[P]
    attempts: int = 3
    within_s: float = 20.0
    """No failure later than this after the beginning is tried again."""
    pause_s: float = 0.2
    """Before the second attempt; each further pause is twice as long, plus up to as much again by chance."""

    async def run(self, call: Call[P, T]) -> AsyncGenerator[T]:
        clock = asyncio.get_running_loop().time
        last_begin_s = clock() + self.within_s

        async def begin() -> tuple[AsyncGenerator[T], T | _End]:
            stream = self.way.run(call)
            return stream, await anext(stream, END)

        def may_help(error: Exception) -> bool:
            return isinstance(error, JuneError) and error.retryable and call.repeatable() and clock() < last_begin_s

        caller = stamina.AsyncRetryingCaller(
            attempts=self.attempts, timeout=None, wait_initial=self.pause_s, wait_jitter=self.pause_s
        )
        stream, first = await caller.on(may_help)(begin)
        async with aclosing(_rest(first, stream)) as items:
            async for item in items:
                yield item


@dataclass(frozen=True, slots=True)
class Fallback(Generic[P]):
    """The first of several ways that answers, in order."""

    ways: Sequence[Way[P]]

    async def run(self, call: Call[P, T]) -> AsyncGenerator[T]:
        for number, way in enumerate(self.ways, start=1):
            stream = way.run(call)
            try:
                first = await anext(stream, END)
            except JuneError as error:
                if number == len(self.ways) or not (_another_may_do(error) and call.repeatable()):
                    raise
                observe.logger().warning("fell_back", number=number, code=error.code, error=str(error))
                continue
            async with aclosing(_rest(first, stream)) as items:
                async for item in items:
                    yield item
            return


def _another_may_do(error: JuneError) -> bool:
    # Bad input is bad everywhere, and a lost race stays lost; all else may be this one engine's trouble.
    return not isinstance(error, InvalidInput | Conflict)


async def _rest(first: T | _End, stream: AsyncGenerator[T]) -> AsyncGenerator[T]:
    """A stream whose first item was taken already; closing this closes it."""
    async with aclosing(stream):
        item = first
        while item is not END:
            yield item
            item = await anext(stream, END)


@dataclass(frozen=True, slots=True)
class Deadline(Generic[P]):
    """No longer than this, or TooSlow."""

    way: Way[P]
    first_s: float
    """Longest wait for the first item."""
    between_s: float
    """Longest wait for each further item."""

    async def run(self, call: Call[P, T]) -> AsyncGenerator[T]:
        limit_s = self.first_s
        async with aclosing(self.way.run(call)) as stream:
            while (item := await _within(limit_s, stream)) is not END:
                yield item
                limit_s = self.between_s


async def _within(seconds: float, stream: AsyncGenerator[T]) -> T | _End:
    try:
        async with asyncio.timeout(seconds):
            return await anext(stream, END)
    except TimeoutError as error:
        raise TooSlow(f"Nothing came for {seconds:g} s. Try again, or allow it more time.") from error


class Limit(Generic[P]):
    """So many calls at once, so many waiting; one more is told EngineBusy at once."""

    def __init__(self, way: Way[P], *, at_once: int, waiting: int) -> None:
        self._way, self._slots, self._room = way, asyncio.Semaphore(at_once), waiting

    async def run(self, call: Call[P, T]) -> AsyncGenerator[T]:
        if self._slots.locked() and self._room <= 0:
            raise EngineBusy("As many calls as may wait are waiting. Try again in a moment.")
        self._room -= 1
        try:
            await self._slots.acquire()
        finally:
            self._room += 1
        try:
            async with aclosing(self._way.run(call)) as items:
                async for item in items:
                    yield item
        finally:
            self._slots.release()


class Replay:
    """Speech that can be read again from its beginning, as long as no more than `max_bytes` were read."""

    def __init__(self, speech: AsyncIterator[Pcm], *, max_bytes: int = REPLAY_MAX_BYTES) -> None:
        self._speech, self._room_bytes = speech, max_bytes
        self._kept: list[Pcm] = []
        self._reading: asyncio.Task[Pcm | None] | None = None

    def whole(self) -> bool:
        """Whether all that was read is still here."""
        return self._room_bytes >= 0

    async def read(self) -> AsyncGenerator[Pcm]:
        """From the beginning; one reader at a time."""
        place = 0
        while True:
            if place == len(self._kept) and not await self._keep_next():
                return
            yield self._kept[place]
            place += 1
            if not self.whole():
                self._kept.clear()
                place = 0

    async def _keep_next(self) -> bool:
        # A reader that is cancelled must not cancel the source, which could never be read on: hence task and shield.
        if self._reading is None:
            self._reading = asyncio.create_task(self._take())
        pcm = await asyncio.shield(self._reading)
        if pcm is None:
            return False
        self._reading = None
        self._kept.append(pcm)
        self._room_bytes -= len(pcm.data)
        return True

    async def _take(self) -> Pcm | None:
        return await anext(self._speech, None)

    async def aclose(self) -> None:
        """Stop reading the source; it stays its owner's to close."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class ResilientTranscriber:
    """A Transcriber by some way."""

    way: Way[Transcriber]

    async def transcribe(
        self, speech: AsyncIterator[Pcm], *, language: str | None = None, word_times: bool = False
    ) -> AsyncGenerator[Transcript]:
        async with aclosing(Replay(speech)) as replay:
            call: Call[Transcriber, Transcript] = Call(
                lambda player: player.transcribe(replay.read(), language=language, word_times=word_times),
                repeatable=replay.whole,
            )
            async with aclosing(self.way.run(call)) as transcripts:
                async for transcript in transcripts:
                    yield transcript


@dataclass(frozen=True, slots=True)
class ResilientSynthesizer:
    """A Synthesizer by some way."""

    way: Way[Synthesizer]

    def synthesize(self, text: str, *, voice: str | None = None, language: str | None = None) -> AsyncGenerator[Pcm]:
        return self.way.run(Call(lambda player: player.synthesize(text, voice=voice, language=language)))


@dataclass(frozen=True, slots=True)
class ResilientLanguageModel:
    """A LanguageModel by some way."""

    way: Way[LanguageModel]

    def reply(self, history: Sequence[Turn], *, tools: Sequence[ToolSpec] = ()) -> AsyncGenerator[ModelEvent]:
        return self.way.run(Call(lambda player: player.reply(history, tools=tools)))
