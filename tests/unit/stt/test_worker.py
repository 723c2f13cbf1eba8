import threading
from collections.abc import Iterator

import numpy as np
import pytest

from essence.engines.stt.gate import RATE_HZ, Speech
from essence.engines.stt.guard import Heard, Span
from essence.engines.stt.segmentation import Stretch
from essence.engines.stt.whisper import Request
from essence.engines.stt.worker import Job, Worker
from essence.errors import EngineError


def wrote(text: str, *, spent: bool = False, language_probability: float = 0.9) -> Heard:
    tokens = tuple(hash(word) for word in text.split())
    return Heard((Span(text, 0.0, 2.0, tokens, closed=False),), "en", language_probability, -0.2, 0.1, spent)


class ScriptedWhisper:
    """Answers attempts with the given results in order, the last one for ever; works only while it may."""

    def __init__(self, *results: Heard, workers: int = 1) -> None:
        self.workers = workers
        self.results, self.calls = list(results), list[tuple[int, float, float]]()
        self.may_work, self.at_work, self.closed = threading.Event(), threading.Event(), False
        self.may_work.set()

    def hear(self, requests: list[Request], *, window_s: float, temperature: float) -> list[Heard]:
        self.at_work.set()
        assert self.may_work.wait(10)
        self.calls.append((len(requests), window_s, temperature))
        result = self.results.pop(0) if len(self.results) > 1 else self.results[0]
        return [result] * len(requests)

    def close(self) -> None:
        self.closed = True


def job(seconds: float = 2.0) -> Job:
    stretch = Stretch(0.0, np.zeros(int(seconds * RATE_HZ), np.float32), Speech(0.1, seconds, min(seconds, 0.8)))
    return Job(stretch, Request(stretch.samples, None, word_times=False))


@pytest.fixture
def whisper() -> ScriptedWhisper:
    return ScriptedWhisper(wrote(" good words"))


@pytest.fixture
def worker(whisper: ScriptedWhisper) -> Iterator[Worker]:
    worker = Worker(whisper)
    yield worker
    whisper.may_work.set()
    worker.close()
    assert whisper.closed


def test_a_good_first_attempt_is_the_only_one(worker: Worker, whisper: ScriptedWhisper) -> None:
    worker.submit(one := job())
    answer = one.future.result(10)
    assert (answer.heard.text, answer.attempts) == (" good words", 1)
    assert whisper.calls == [(1, 6.0, 0.0)]


def test_a_loop_is_heard_again_in_longer_windows_then_with_chance(worker: Worker, whisper: ScriptedWhisper) -> None:
    whisper.results = [wrote(" a loop", spent=True)]
    worker.submit(one := job())
    assert one.future.result(10).attempts == 5
    assert [(window, heat) for _, window, heat in whisper.calls] == [
        (6.0, 0.0), (10.0, 0.0), (30.0, 0.0), (30.0, 0.4), (30.0, 0.8),
    ]  # fmt: skip


def test_a_longer_window_that_mends_the_loop_is_the_last(worker: Worker, whisper: ScriptedWhisper) -> None:
    whisper.results = [wrote(" a loop", spent=True), wrote(" good words")]
    worker.submit(one := job())
    assert one.future.result(10).heard.text == " good words"
    assert [window for _, window, _ in whisper.calls] == [6.0, 10.0]


def test_doubt_goes_straight_to_the_full_window_and_no_further(worker: Worker, whisper: ScriptedWhisper) -> None:
    whisper.results = [wrote(" hm", language_probability=0.3)]
    worker.submit(one := job())
    one.future.result(10)
    assert [(window, heat) for _, window, heat in whisper.calls] == [(6.0, 0.0), (30.0, 0.0)]


def test_waiting_stretches_of_one_window_share_a_batch(worker: Worker, whisper: ScriptedWhisper) -> None:
    whisper.may_work.clear()
    worker.submit(first := job())
    assert whisper.at_work.wait(10)
    others = [job(1.5), job(9.0), job(1.9)]
    for other in others:
        worker.submit(other)
    whisper.may_work.set()
    for one in (first, *others):
        one.future.result(10)
    assert whisper.calls == [(1, 6.0, 0.0), (2, 6.0, 0.0), (1, 12.0, 0.0)]


def test_a_cancelled_stretch_that_waits_is_never_worked_on(worker: Worker, whisper: ScriptedWhisper) -> None:
    whisper.may_work.clear()
    worker.submit(first := job())
    assert whisper.at_work.wait(10)
    worker.submit(second := job(9.0))
    worker.submit(third := job(5.0))
    assert second.future.cancel()
    whisper.may_work.set()
    first.future.result(10)
    third.future.result(10)
    assert [window for _, window, _ in whisper.calls] == [6.0, 8.0]


def test_an_abandoned_stretch_in_work_gets_no_further_attempt(worker: Worker, whisper: ScriptedWhisper) -> None:
    whisper.results = [wrote(" a loop", spent=True)]
    whisper.may_work.clear()
    worker.submit(one := job())
    assert whisper.at_work.wait(10)
    one.abandoned = True
    whisper.may_work.set()
    one.future.result(10)
    assert len(whisper.calls) == 1


def test_closing_refuses_what_waits_and_what_comes_later(whisper: ScriptedWhisper) -> None:
    whisper.may_work.clear()
    worker = Worker(whisper)
    worker.submit(first := job())
    assert whisper.at_work.wait(10)
    worker.submit(second := job(9.0))
    closing = threading.Thread(target=worker.close)
    closing.start()
    while not worker._closed:
        pass
    whisper.may_work.set()
    closing.join(10)
    assert first.future.result(0).heard.text == " good words"
    with pytest.raises(EngineError, match="closed"):
        second.future.result(0)
    with pytest.raises(EngineError, match="closed"):
        worker.submit(job())


def test_a_failing_model_fails_its_batch_and_serves_the_next(worker: Worker, whisper: ScriptedWhisper) -> None:
    good = whisper.hear

    def fail(requests: list[Request], *, window_s: float, temperature: float) -> list[Heard]:
        raise EngineError("Whisper failed: out of memory.")

    whisper.hear = fail  # type: ignore[method-assign]
    worker.submit(one := job())
    with pytest.raises(EngineError, match="out of memory"):
        one.future.result(10)
    whisper.hear = good  # type: ignore[method-assign]
    worker.submit(two := job())
    assert two.future.result(10).attempts == 1


def test_a_bug_in_the_model_is_told_and_the_next_note_is_heard(worker: Worker, whisper: ScriptedWhisper) -> None:
    good, whisper.results = whisper.results, []  # nothing to answer with: an IndexError
    worker.submit(unlucky := job())
    with pytest.raises(EngineError, match="IndexError"):
        unlucky.future.result(10)
    whisper.results = good
    worker.submit(lucky := job())
    assert lucky.future.result(10).heard.text == " good words"


def test_two_workers_share_what_waits() -> None:
    whisper = ScriptedWhisper(wrote(" good words"), workers=2)
    whisper.may_work.clear()
    worker = Worker(whisper)
    jobs = [job() for _ in range(9)]
    for one in jobs:
        worker.submit(one)
    whisper.may_work.set()
    assert [one.future.result(10).heard.text for one in jobs] == [" good words"] * 9
    assert sum(count for count, _, _ in whisper.calls) == 9
    assert len(whisper.calls) >= 2  # none took everything
    worker.close()


def test_closing_ends_every_worker() -> None:
    whisper = ScriptedWhisper(wrote(" good words"), workers=3)
    before = threading.active_count()
    worker = Worker(whisper)
    assert threading.active_count() == before + 3
    worker.close()
    assert threading.active_count() == before
