"""What the making of an answer looks like from outside: a stream of events that ends with `Done`."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

from essence.audio import VoiceNote
from essence.chat.timings import Timings
from essence.dialogue import TextDelta, Transcript
from essence.errors import JuneError


@dataclass(frozen=True, slots=True)
class Heard:
    """The note's final transcript. Where nobody spoke, `Done` follows at once."""

    transcript: Transcript


@dataclass(frozen=True, slots=True)
class Written:
    """The model has written its last word. Comes before the `AudioPart` that speaks it."""

    cut: bool
    """The model reached its token limit before the end of the answer."""


@dataclass(frozen=True, slots=True)
class AudioPart:
    """A stretch of the spoken answer, cut between sentences (the first may end at a comma), ready to be sent."""

    index: int
    """0 for the first; parts come in order."""
    text: str
    """What of the answer this part speaks, as it was written."""
    note: VoiceNote


@dataclass(frozen=True, slots=True)
class VoiceFailed:
    """The answer goes on as text alone. Comes at most once; no `AudioPart` follows it."""

    error: JuneError


@dataclass(frozen=True, slots=True)
class Done:
    """The last event."""

    answer: str
    """The whole text; empty where nobody spoke."""
    cut: bool
    """The model reached its token limit before the end of the answer."""
    timings: Timings


Event = Heard | TextDelta | Written | AudioPart | VoiceFailed | Done


class Outlet:
    """Where stages put events, and whoever asked takes them.

    Never blocks a stage: text that waits is merged into one delta, so what waits is no longer than the answer.
    """

    def __init__(self) -> None:
        self._waiting: deque[Event] = deque()
        self._news = asyncio.Event()
        self._closed = False

    def put(self, event: Event) -> None:
        last = self._waiting[-1] if self._waiting else None
        if isinstance(event, TextDelta) and isinstance(last, TextDelta):
            self._waiting[-1] = TextDelta(last.text + event.text)
        else:
            self._waiting.append(event)
        self._news.set()

    def close(self) -> None:
        """No event follows."""
        self._closed = True
        self._news.set()

    async def events(self) -> AsyncGenerator[Event]:
        """Yield what was put, in order, until closed and empty."""
        while True:
            while self._waiting:
                yield self._waiting.popleft()
            if self._closed:
                return
            self._news.clear()
            await self._news.wait()


async def events_of(work: Callable[[Outlet], Awaitable[None]]) -> AsyncGenerator[Event]:
    """Run `work` in a task of its own and yield what it puts into its outlet; raise what it raises.

    Closing the generator cancels the work and waits until nothing of it runs.
    """
    outlet = Outlet()
    task = asyncio.ensure_future(work(outlet))
    task.add_done_callback(lambda _: outlet.close())
    try:
        async for event in outlet.events():
            yield event
        await task
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # seen: whoever left early did not want to know
