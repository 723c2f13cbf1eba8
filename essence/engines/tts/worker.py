"""A speech engine in a process of its own, as June sees it."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

from essence.audio import Pcm
from essence.engines import child
from essence.engines.tts.frames import Frame, FrameDecoder, Kind, SpeakRequest, decode_audio, decode_failure
from essence.errors import EngineBusy, EngineError, EngineMissing, JuneError, TooSlow

_READ_BYTES = 2**18


@dataclass(frozen=True, slots=True)
class WorkerCommand:
    """What is started, and what may be asked of it."""

    name: str
    """As people know the engine; stands in error messages."""
    module: str
    """Its `load(*arguments)` returns the `essence.engines.tts.desk.Speaker`; imported in the process alone."""
    arguments: tuple[str, ...] = ()
    waiting_max: int = 64
    """Calls beside the one that speaks; one more is told EngineBusy."""
    start_deadline_s: float = 120.0
    chunk_deadline_s: float = 30.0
    """Longest silence of a process that owes a chunk; then it is ended and started anew."""


class WorkerProcess:
    """Starts the process at the first call (or on `start`), and again after it died.

    Calls speak in turns, chunk by chunk. A process that dies fails the calls in flight with EngineError; the next
    call starts another one.
    """

    def __init__(self, command: WorkerCommand) -> None:
        self._command = command
        self._life: _Life | None = None
        self._starting = asyncio.Lock()
        self._calls = 0

    @property
    def process_id(self) -> int | None:
        """Of the process that runs now."""
        return self._life.process_id if self._life and self._life.is_alive else None

    async def start(self) -> None:
        """Have the engine loaded.

        Raises:
            EngineMissing, EngineError: It can't be.
            TooSlow: Not within `start_deadline_s`.
        """
        await self._alive()

    async def close(self) -> None:
        """End the process; calls in flight fail with EngineError."""
        if self._life:
            await self._life.end()

    async def speak(self, request: SpeakRequest) -> AsyncGenerator[Pcm]:
        """Yield the speech; closing the generator stops the engine's work on it at once.

        Raises:
            EngineBusy: `waiting_max` calls wait already.
            EngineError: The engine failed, or its process died.
            TooSlow: The process hung and was ended.
        """
        if self._calls > self._command.waiting_max:
            raise EngineBusy(f"{self._command.name} has {self._calls} texts to speak already. Try again in a moment.")
        self._calls += 1
        try:
            life = await self._alive()
            async with aclosing(life.speak(request)) as speech:
                async for pcm in speech:
                    yield pcm
        finally:
            self._calls -= 1

    async def _alive(self) -> _Life:
        async with self._starting:
            if self._life is None or not self._life.is_alive:
                self._life = await _start(self._command)
            return self._life


@dataclass(slots=True, eq=False)
class _Call:
    number: int
    inbox: asyncio.Queue[Frame | JuneError] = field(default_factory=asyncio.Queue)
    """Holds WINDOW_CHUNKS chunks at most: the engine may send no more before it is asked."""


class _Life:
    """One run of the process, from its start to its death."""

    def __init__(self, command: WorkerCommand, process: Process) -> None:
        self._command = command
        self._process = process
        self._calls: dict[int, _Call] = {}
        self._last_number = 0
        self._heard_at_s = 0.0
        self._dead = False
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reader = asyncio.create_task(self._read(), name=f"{command.name} frames")

    @property
    def is_alive(self) -> bool:
        return not self._dead

    @property
    def process_id(self) -> int:
        return self._process.pid

    async def wait_until_ready(self) -> None:
        deadline_s = self._command.start_deadline_s
        try:
            async with asyncio.timeout(deadline_s):
                await asyncio.shield(self._ready)
        except TimeoutError as error:
            raise TooSlow(f"{self._command.name} could not be loaded within {deadline_s:g} s. Try again.") from error

    async def end(self) -> None:
        child.kill(self._process)
        await asyncio.wait([self._reader])  # neither cancels it nor raises what it raised

    async def speak(self, request: SpeakRequest) -> AsyncGenerator[Pcm]:
        call = self._open(request)
        try:
            while (frame := await self._next(call)).kind is not Kind.END:
                if frame.kind is Kind.FAILED:
                    raise decode_failure(frame.payload)
                rate_hz, samples = decode_audio(frame.payload)
                yield Pcm(samples, rate_hz)
                self._send(Frame(Kind.MORE, call.number))
        finally:
            if self._calls.pop(call.number, None):
                self._send(Frame(Kind.CANCEL, call.number))

    def _open(self, request: SpeakRequest) -> _Call:
        self._last_number += 1
        call = self._calls[self._last_number] = _Call(self._last_number)
        if self._dead:  # between the check and here
            call.inbox.put_nowait(self._death())
        self._send(Frame(Kind.SPEAK, call.number, request.encode()))
        return call

    async def _next(self, call: _Call) -> Frame:
        """The call's next frame. Whoever waits here is owed one, so the process may be slow but not silent."""
        clock = asyncio.get_running_loop().time
        deadline_s, asked_at_s = self._command.chunk_deadline_s, clock()
        while True:
            try:
                async with asyncio.timeout_at(max(self._heard_at_s, asked_at_s) + deadline_s):
                    said = await call.inbox.get()
                break
            except TimeoutError as error:
                if clock() - max(self._heard_at_s, asked_at_s) >= deadline_s:
                    child.kill(self._process)
                    raise TooSlow(
                        f"{self._command.name} said nothing for {deadline_s:g} s and was ended. Try again."
                    ) from error
        if isinstance(said, JuneError):
            raise said
        return said

    async def _read(self) -> None:
        """Hand frames to their calls until the process ends, then tell whoever still waits."""
        assert self._process.stdout
        decoder = FrameDecoder()
        try:
            while data := await self._process.stdout.read(_READ_BYTES):
                self._heard_at_s = asyncio.get_running_loop().time()
                for frame in decoder.feed(data):
                    self._heed(frame)
        except EngineError as error:  # out of step; nothing that follows can be understood
            self._settle(error)
        finally:
            self._dead = True
            child.kill(self._process)
            while await self._process.stdout.read(_READ_BYTES):
                pass  # asyncio's wait() does not return before the pipe is empty
            await self._process.wait()
            self._tell_death()

    def _heed(self, frame: Frame) -> None:
        if frame.kind is Kind.READY:
            self._settle(None)
        elif frame.call == 0:
            self._settle(decode_failure(frame.payload))
        elif call := self._calls.get(frame.call):
            call.inbox.put_nowait(frame)
            if frame.kind in (Kind.END, Kind.FAILED):
                del self._calls[frame.call]  # nothing is left to cancel

    def _settle(self, error: JuneError | None) -> None:
        if self._ready.done():
            return
        if error is None:
            self._ready.set_result(None)
        else:
            self._ready.set_exception(error)
            self._ready.exception()  # heard, even if nobody waits any more

    def _tell_death(self) -> None:
        self._settle(self._death())
        for call in self._calls.values():
            call.inbox.put_nowait(self._death())

    def _death(self) -> EngineError:
        how = child.how_it_ended(self._process)
        return EngineError(f"{self._command.name}'s process ended ({how}). Try again: the next call starts it anew.")

    def _send(self, frame: Frame) -> None:
        assert self._process.stdin
        if not self._dead and not self._process.stdin.is_closing():
            self._process.stdin.write(frame.encode())


async def _start(command: WorkerCommand) -> _Life:
    try:
        process = await asyncio.create_subprocess_exec(
            *child.command("essence.engines.tts", command.module, *command.arguments),
            stdin=PIPE,
            stdout=PIPE,
            stderr=None if sys.stderr else DEVNULL,
            env=child.environment(),
        )
    except OSError as error:
        raise EngineMissing(f"{command.name}'s process can't be started: {error}") from error
    life = _Life(command, process)
    try:
        await life.wait_until_ready()
    except BaseException:  # cancelled ones too: no process may be left behind
        await life.end()
        raise
    return life
