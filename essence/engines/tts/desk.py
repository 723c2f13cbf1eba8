"""The inside of a speech engine's process: takes calls from June, lets them speak in turns.

`serve(load)` is all that `essence.engines.tts.__main__` calls. The process ends when its standard input does,
so it can't outlive June, however June ended.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn, Protocol

from essence.engines import child
from essence.engines.tts.frames import (
    WINDOW_CHUNKS,
    Frame,
    FrameDecoder,
    Kind,
    SpeakRequest,
    encode_audio,
    encode_failure,
)
from essence.errors import EngineError, JuneError

Audio = tuple[int, bytes]
"""Rate [Hz] and samples: mono, signed 16-bit little-endian."""
_READ_BYTES = 2**16


class Cancellation:
    """One call's wish to stop, told from another thread."""

    def __init__(self) -> None:
        self.requested = False
        self._interrupt: Callable[[], None] | None = None

    def request(self) -> None:
        """Stop the call; safe to repeat."""
        self.requested = True
        if self._interrupt:
            self._interrupt()

    def interrupts(self, interrupt: Callable[[], None]) -> None:
        """Have `interrupt` called, from another thread and perhaps twice, when the call is to stop."""
        self._interrupt = interrupt
        if self.requested:  # it came first
            interrupt()


class Speaker(Protocol):
    """An engine inside its own process."""

    def speak(self, request: SpeakRequest, cancellation: Cancellation) -> Iterator[Audio]:
        """Yield the speech in chunks of bounded length. Once cancelled, what is yielded or raised is ignored."""
        ...


def serve(load: Callable[[], Speaker]) -> NoReturn:
    """Load an engine and answer calls until standard input ends. Never returns."""
    _Desk(child.keep_output_apart()).run(load)


@dataclass(slots=True)
class _Call:
    speech: Iterator[Audio]
    cancellation: Cancellation
    credit_chunks: int = WINDOW_CHUNKS


class _Desk:
    """Two threads: one reads frames (and interrupts what is cancelled), one speaks."""

    def __init__(self, frames_out: int) -> None:
        self._frames_out = frames_out
        self._inbox: queue.SimpleQueue[Frame] = queue.SimpleQueue()
        self._cancellations: dict[int, Cancellation] = {}
        self._calls: dict[int, _Call] = {}
        self._turns: deque[int] = deque()
        """Calls that may make a chunk, in order: round robin, so that a long text does not hold up a short one."""

    def run(self, load: Callable[[], Speaker]) -> NoReturn:
        threading.Thread(target=self._read, name="frames", daemon=True).start()
        try:
            speaker = load()
        except Exception as error:  # noqa: BLE001 - whatever a model library raises is told to June
            self._send(Kind.FAILED, 0, encode_failure(_converted(error)))
            os._exit(1)
        self._send(Kind.READY)
        while True:
            self._take(speaker)
            if self._turns:
                self._step(self._turns.popleft())

    def _read(self) -> None:
        decoder = FrameDecoder()
        try:
            while data := os.read(0, _READ_BYTES):
                for frame in decoder.feed(data):
                    self._pass_on(frame)
        finally:
            os._exit(0)  # June is gone; whatever is being spoken has no listener

    def _pass_on(self, frame: Frame) -> None:
        if frame.kind is Kind.SPEAK:
            self._cancellations[frame.call] = Cancellation()
        elif frame.kind is Kind.CANCEL and (cancellation := self._cancellations.get(frame.call)):
            cancellation.request()
        self._inbox.put(frame)

    def _take(self, speaker: Speaker) -> None:
        """Take in all frames that are here; wait for one if there is nothing to speak."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._heed(speaker, self._inbox.get(block=not self._turns))

    def _heed(self, speaker: Speaker, frame: Frame) -> None:
        if frame.kind is Kind.SPEAK:
            cancellation = self._cancellations[frame.call]
            speech = speaker.speak(SpeakRequest.decode(frame.payload), cancellation)
            self._calls[frame.call] = _Call(speech, cancellation)
            self._turns.append(frame.call)
        elif frame.kind is Kind.CANCEL:
            self._forget(frame.call)
        elif frame.kind is Kind.MORE and (call := self._calls.get(frame.call)):
            call.credit_chunks += 1
            if call.credit_chunks == 1:
                self._turns.append(frame.call)

    def _step(self, number: int) -> None:
        call = self._calls[number]
        try:
            audio = next(call.speech, None)
        except Exception as error:  # noqa: BLE001 - whatever a model library raises fails this call alone
            self._send_unless_cancelled(call, Frame(Kind.FAILED, number, encode_failure(_converted(error))))
            return self._forget(number)
        if audio is None:
            self._send_unless_cancelled(call, Frame(Kind.END, number))
            return self._forget(number)
        self._send_unless_cancelled(call, Frame(Kind.AUDIO, number, encode_audio(*audio)))
        call.credit_chunks -= 1
        if call.credit_chunks:
            self._turns.append(number)
        return None

    def _forget(self, number: int) -> None:
        self._calls.pop(number, None)
        self._cancellations.pop(number, None)
        with contextlib.suppress(ValueError):
            self._turns.remove(number)

    def _send_unless_cancelled(self, call: _Call, frame: Frame) -> None:
        if not call.cancellation.requested:
            self._send(frame.kind, frame.call, frame.payload)

    def _send(self, kind: Kind, call: int = 0, payload: bytes = b"") -> None:
        data = memoryview(Frame(kind, call, payload).encode())
        try:
            while data:
                data = data[os.write(self._frames_out, data) :]
        except BrokenPipeError:
            os._exit(0)


def _converted(error: Exception) -> JuneError:
    if isinstance(error, JuneError):
        return error
    return EngineError(f"The speech engine failed: {type(error).__name__}: {error}")
