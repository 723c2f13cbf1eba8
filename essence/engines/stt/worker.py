"""The threads that run the model: one queue in front, batches of like work, another attempt where one fails."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from math import ceil
from time import perf_counter
from typing import Protocol

from essence.engines.stt.audio_context import FULL_WINDOW_S, windows_s
from essence.engines.stt.guard import Heard, Verdict, better, judge, within
from essence.engines.stt.segmentation import Stretch
from essence.engines.stt.whisper import Request
from essence.errors import EngineError, JuneError

_TEMPERATURES = (0.4, 0.8)
"""Last attempts where greedy decoding fails even in the full window; OpenAI's decoder steps by 0.2 from 0.2 to 1."""
_BATCH = 8
"""Most stretches decoded side by side. Past 8, int8 on a few cores gains little; 8 full windows take about 0.5 GB."""


class Model(Protocol):
    """What the worker needs of `essence.engines.stt.whisper.Whisper`."""

    workers: int
    """Calls of `hear` that it answers side by side."""

    def hear(self, requests: list[Request], *, window_s: float, temperature: float) -> list[Heard]: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What the worker made of one stretch."""

    heard: Heard
    """The best attempt."""
    attempts: int
    queue_s: float
    """From submission to the first attempt."""
    compute_s: float
    """All attempts, as long as the batches took."""


@dataclass(slots=True, eq=False)
class Job:
    """A stretch on its way. `future.cancel()` drops it while it waits and ends it after the attempt it is in."""

    stretch: Stretch
    request: Request
    future: Future[Answer] = field(default_factory=Future)
    submitted_s: float = field(default_factory=perf_counter)
    abandoned: bool = False
    attempt: int = 0
    best: Heard | None = None
    queue_s: float = 0.0
    compute_s: float = 0.0

    def plan(self) -> list[tuple[float, float]]:
        """Windows and temperatures to be tried, in order."""
        greedy = [(window, 0.0) for window in windows_s(self.stretch.duration_s)]
        return greedy + [(FULL_WINDOW_S, temperature) for temperature in _TEMPERATURES]

    def key(self) -> tuple[float, float, bool]:
        """Jobs with the same key can share a batch."""
        return (*self.plan()[self.attempt], self.request.word_times)

    def learn(self, heard: Heard) -> bool:
        """Take an attempt's result; say whether another attempt is worth it."""
        heard = within(heard, self.stretch.duration_s)
        verdict = judge(heard, self.stretch.speech)
        self.best = better(self.best, heard, self.stretch.speech)
        following = self._following(verdict)
        if following is None or self.abandoned:
            return False
        self.attempt = following
        return True

    def _following(self, verdict: Verdict) -> int | None:
        plan = self.plan()
        if verdict is Verdict.GOOD:
            return None
        if verdict is Verdict.DOUBTFUL:  # the full window may know better; chance does not
            full = plan.index((FULL_WINDOW_S, 0.0))
            return full if self.attempt < full else None
        return self.attempt + 1 if self.attempt + 1 < len(plan) else None


class Worker:
    """Owns the model and its threads, one for each of the model's workers, from construction to `close`."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._waiting: deque[Job] = deque()
        self._change = threading.Condition()
        self._idle = 0
        self._closed = False
        self._threads = [
            threading.Thread(target=self._run, name=f"june-stt-{number}", daemon=True)
            for number in range(model.workers)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job) -> None:
        """Queue a stretch; its `future` gets an `Answer` or an `EngineError`. Callers bound how many they submit."""
        with self._change:
            if self._closed:
                raise EngineError("The speech engine is closed. Open it again.")
            self._waiting.append(job)
            self._change.notify()

    def close(self) -> None:
        """Drop what waits, let the batches in work end, free the model. Blocks until the threads are gone."""
        with self._change:
            self._closed = True
            self._change.notify_all()
        for thread in self._threads:
            thread.join()
        self._model.close()

    def _run(self) -> None:
        while batch := self._next():
            self._work(batch)

    def _next(self) -> list[Job]:
        """Wait for work; return the oldest job with those of its kind, or nothing once closed."""
        with self._change:
            while True:
                self._waiting = deque(job for job in self._waiting if self._wanted(job))
                if self._closed:
                    self._refuse()
                    return []
                if self._waiting:
                    return self._like_the_oldest()
                self._idle += 1
                self._change.wait()
                self._idle -= 1

    @staticmethod
    def _wanted(job: Job) -> bool:
        if job.future.running() and job.abandoned:  # between two attempts; nobody waits for the answer
            job.future.set_exception(EngineError("Given up by the caller."))
        return not job.future.done()

    def _like_the_oldest(self) -> list[Job]:
        key = self._waiting[0].key()
        alike = [job for job in self._waiting if job.key() == key]
        batch = alike[: min(_BATCH, ceil(len(alike) / (1 + self._idle)))]  # idle threads get their share
        for job in batch:
            self._waiting.remove(job)
        return batch

    def _refuse(self) -> None:
        for job in self._waiting:
            if job.future.running() or job.future.set_running_or_notify_cancel():
                job.future.set_exception(EngineError("The speech engine was closed while this waited. Try again."))
        self._waiting.clear()

    def _work(self, batch: list[Job]) -> None:
        batch = [job for job in batch if job.future.running() or job.future.set_running_or_notify_cancel()]
        if not batch:
            return
        start_s = perf_counter()
        for job in batch:
            if job.attempt == 0:
                job.queue_s = start_s - job.submitted_s
        window_s, temperature, _ = batch[0].key()
        try:
            results = self._model.hear([job.request for job in batch], window_s=window_s, temperature=temperature)
            self._settle(batch, results, perf_counter() - start_s)
        except Exception as error:  # noqa: BLE001 (whatever it is: nobody may wait for ever, and the thread lives on)
            for job in batch:
                if not job.future.done():
                    job.future.set_exception(_as_june(error))

    def _settle(self, batch: list[Job], results: list[Heard], took_s: float) -> None:
        again = []
        for job, heard in zip(batch, results, strict=True):
            job.compute_s += took_s
            if job.learn(heard):
                again.append(job)
            elif job.best is not None:
                job.future.set_result(Answer(job.best, job.attempt + 1, job.queue_s, job.compute_s))
        with self._change:
            self._waiting.extendleft(reversed(again))
            self._change.notify_all()


def _as_june(error: Exception) -> JuneError:
    if isinstance(error, JuneError):
        return error
    failure = EngineError(f"Speech to text failed unexpectedly ({type(error).__name__}). Its log tells more.")
    failure.__cause__ = error
    return failure
