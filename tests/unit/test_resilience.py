"""Ways to a player, in virtual time."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

import pytest
import stamina

from essence.audio import Pcm
from essence.dialogue import ModelEvent, TextDelta, ToolSpec, Transcript, Turn
from essence.errors import EngineBusy, InvalidInput, JuneError, NotAllowed, TooSlow, Unreachable
from essence.resilience import (
    Call,
    Deadline,
    Directly,
    Fallback,
    Limit,
    Replay,
    ResilientLanguageModel,
    ResilientTranscriber,
    Retrying,
)

pytestmark = pytest.mark.looptime
HELLO = [Turn("user", "Hello?")]


class Failing:
    """Fails with the errors in turn, each after some words; then answers."""

    def __init__(self, *failures: JuneError, words: int = 0) -> None:
        self._failures, self._words, self.calls = list(failures), words, 0

    async def reply(self, history: Sequence[Turn], *, tools: Sequence[ToolSpec] = ()) -> AsyncGenerator[ModelEvent]:
        self.calls += 1
        if self._failures:
            for _ in range(self._words):
                yield TextDelta("half ")
            raise self._failures.pop(0)
        yield TextDelta("answer")


class Slow:
    """Waits before each of some words; counts how many calls are at work."""

    def __init__(self, *waits_s: float) -> None:
        self._waits_s, self.at_work, self.most = waits_s, 0, 0

    async def reply(self, history: Sequence[Turn], *, tools: Sequence[ToolSpec] = ()) -> AsyncGenerator[ModelEvent]:
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        try:
            for wait_s in self._waits_s:
                await asyncio.sleep(wait_s)
                yield TextDelta("word ")
        finally:
            self.at_work -= 1


class HalfDeaf:
    """Reads some chunks and fails, as often as told; then hears all and tells how long it was."""

    def __init__(self, *, failures: int, after_chunks: int) -> None:
        self._failures, self._after = failures, after_chunks

    async def transcribe(
        self, speech: AsyncIterator[Pcm], *, language: str | None = None, word_times: bool = False
    ) -> AsyncGenerator[Transcript]:
        heard = b""
        for number in range(1_000_000):
            if self._failures and number == self._after:
                self._failures -= 1
                raise Unreachable("The line broke.")
            if (pcm := await anext(speech, None)) is None:
                break
            heard += pcm.data
        yield Transcript(heard.decode(), speech=True)


async def letters(text: str) -> AsyncIterator[Pcm]:
    for letter in text:
        await asyncio.sleep(0.01)
        yield Pcm(letter.encode(), 16_000)


async def said(model: ResilientLanguageModel) -> str:
    return "".join([event.text async for event in model.reply(HELLO) if isinstance(event, TextDelta)])


async def test_a_failure_that_may_pass_is_tried_again() -> None:
    player = Failing(Unreachable("No."), EngineBusy("Full."))
    assert await said(ResilientLanguageModel(Retrying(Directly(player)))) == "answer"
    assert player.calls == 3


async def test_the_last_attempt_raises_its_own_error() -> None:
    player = Failing(Unreachable("1"), Unreachable("2"), EngineBusy("3"))
    with pytest.raises(EngineBusy, match="3"):
        await said(ResilientLanguageModel(Retrying(Directly(player), attempts=3)))


async def test_a_failure_that_stays_is_not_tried_again() -> None:
    player = Failing(NotAllowed("The key was refused."))
    with pytest.raises(NotAllowed):
        await said(ResilientLanguageModel(Retrying(Directly(player))))
    assert player.calls == 1


async def test_nothing_is_said_twice_however_it_fails() -> None:
    player = Failing(Unreachable("Broke."), words=1)
    for way in (Retrying(Directly(player)), Fallback([Directly(player), Directly(player)])):
        player._failures = [Unreachable("Broke.")]
        player.calls = 0
        with pytest.raises(Unreachable):
            await said(ResilientLanguageModel(way))
        assert player.calls == 1


async def test_pauses_between_attempts_grow() -> None:
    times: list[float] = []

    class Clocked(Failing):
        async def reply(self, history: Sequence[Turn], *, tools: Sequence[ToolSpec] = ()) -> AsyncGenerator[ModelEvent]:
            times.append(asyncio.get_running_loop().time())
            raise Unreachable("No.")
            yield

    with pytest.raises(Unreachable):
        await said(ResilientLanguageModel(Retrying(Directly(Clocked()), attempts=4, pause_s=1)))
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert [1 <= pauses[0] <= 2, 2 <= pauses[1] <= 3, 4 <= pauses[2] <= 5] == [True] * 3


async def test_no_attempt_begins_after_its_time() -> None:
    class Late(Failing):
        async def reply(self, history: Sequence[Turn], *, tools: Sequence[ToolSpec] = ()) -> AsyncGenerator[ModelEvent]:
            self.calls += 1
            await asyncio.sleep(60)
            raise TooSlow("Late.")
            yield

    player = Late()
    with pytest.raises(TooSlow):
        await said(ResilientLanguageModel(Retrying(Directly(player), within_s=20)))
    assert player.calls == 1


async def test_cancelling_is_never_retried_nor_swallowed() -> None:
    player = Slow(1000)
    task = asyncio.create_task(said(ResilientLanguageModel(Retrying(Fallback([Directly(player), Directly(player)])))))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (player.at_work, player.most) == (0, 1)


async def test_the_next_answers_where_the_first_fails() -> None:
    first, second = Failing(NotAllowed("The key was refused.")), Failing()
    assert await said(ResilientLanguageModel(Fallback([Directly(first), Directly(second)]))) == "answer"


async def test_bad_input_is_bad_everywhere() -> None:
    first, second = Failing(InvalidInput("No.")), Failing()
    with pytest.raises(InvalidInput):
        await said(ResilientLanguageModel(Fallback([Directly(first), Directly(second)])))
    assert second.calls == 0


@pytest.mark.parametrize(("waits_s", "says"), [((6,), "5 s"), ((1, 3), "2 s")])
async def test_a_wait_that_is_too_long_is_too_slow_and_stops_the_player(waits_s: tuple[float, ...], says: str) -> None:
    player = Slow(*waits_s)
    with pytest.raises(TooSlow, match=says):
        await said(ResilientLanguageModel(Deadline(Directly(player), first_s=5, between_s=2)))
    assert player.at_work == 0


async def test_one_call_more_than_may_wait_is_told_at_once() -> None:
    player = Slow(1)
    model = ResilientLanguageModel(Limit(Directly(player), at_once=2, waiting=1))
    results = await asyncio.gather(*(said(model) for _ in range(5)), return_exceptions=True)
    assert [type(result) for result in results] == [str, str, str, EngineBusy, EngineBusy]
    assert player.most == 2
    assert await said(model) == "word "


@pytest.mark.parametrize("after_chunks", [0, 1, 5])
async def test_speech_is_heard_whole_on_a_second_attempt(after_chunks: int) -> None:
    player = HalfDeaf(failures=2, after_chunks=after_chunks)
    far = ResilientTranscriber(Retrying(Directly(player)))
    assert [t.text async for t in far.transcribe(letters("hello"))] == ["hello"]


async def test_a_reader_that_is_cancelled_loses_no_speech() -> None:
    replay = Replay(letters("hello"))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.025):
            [pcm async for pcm in replay.read()]
    assert b"".join([pcm.data async for pcm in replay.read()]) == b"hello"


async def test_speech_too_long_to_keep_is_sent_once() -> None:
    replay = Replay(letters("hello"), max_bytes=3)
    assert b"".join([pcm.data async for pcm in replay.read()]) == b"hello"
    assert not replay.whole()
    player = Failing(Unreachable("No."))
    call: Call[Failing, ModelEvent] = Call(lambda p: p.reply(HELLO), repeatable=replay.whole)
    with pytest.raises(Unreachable):
        [event async for event in Retrying(Directly(player)).run(call)]
    assert player.calls == 1


def test_stamina_is_active() -> None:
    assert stamina.is_active()
