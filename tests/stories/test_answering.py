"""Stories of one answer, told with scripted players in virtual time: one second here is one second of the story."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import pytest
from prometheus_client import REGISTRY

from essence.audio import Pcm
from essence.chat.events import AudioPart, Done, Event, Heard, VoiceFailed
from essence.chat.pipeline import Pipeline
from essence.chat.playout import WHOLE, Playout
from essence.dialogue import Finished, ModelEvent, ReasoningDelta, TextDelta, ToolSpec, Turn
from essence.errors import EmptyAnswer, EngineError, JuneError, Unreachable
from essence.fakes import RawCodec, ScriptedModel, ScriptedTranscriber, ToneSynthesizer

NOTE = bytes(2 * 16_000 * 3)
FOUR = "The first sentence is here now. The second one comes after it. A third is on its way. The fourth ends it all."

DEFAULT = Playout()

pytestmark = pytest.mark.looptime


def pipeline(
    *,
    hears: str = "what is up",
    model: ScriptedModel | None = None,
    voice: ToneSynthesizer | None = None,
    playout: Playout = DEFAULT,
    stt_rtf: float = 0.0,
) -> Pipeline:
    return Pipeline(
        ScriptedTranscriber(hears, rtf=stt_rtf),
        model or ScriptedModel(FOUR),
        voice or ToneSynthesizer(),
        codec=RawCodec(),
        playout=playout,
    )


async def told(events: AsyncGenerator[Event]) -> list[Event]:
    async with aclosing(events):
        return [event async for event in events]


def written(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def parts(events: list[Event]) -> list[AudioPart]:
    return [event for event in events if isinstance(event, AudioPart)]


async def test_a_note_is_heard_answered_and_spoken():
    events = await told(pipeline().answer_note(NOTE))
    assert isinstance(events[0], Heard)
    assert events[0].transcript.text == "what is up"
    assert written(events) == FOUR
    assert "".join(part.text for part in parts(events)) == FOUR
    assert isinstance(events[-1], Done)
    assert events[-1].answer == FOUR


async def test_the_model_sees_the_history_and_then_what_was_heard():
    model = ScriptedModel("Fine.")
    history = (Turn("system", "Be June."), Turn("user", "hi"), Turn("assistant", "Hello."))
    await told(pipeline(model=model).answer_note(NOTE, history))
    assert model.seen == [(*history, Turn("user", "what is up"))]


async def test_silence_reaches_no_model_and_makes_no_sound():
    model = ScriptedModel("never said")
    events = await told(pipeline(hears="", model=model).answer_note(NOTE))
    assert [type(event) for event in events] == [Heard, Done]
    assert model.seen == []


async def test_the_first_part_leaves_while_the_model_still_writes():
    model = ScriptedModel(" ".join([FOUR] * 5), token_s=0.2)
    first_part_at = last_text_at = 0.0
    async with aclosing(pipeline(model=model).answer_note(NOTE)) as events:
        async for event in events:
            now = asyncio.get_running_loop().time()
            if isinstance(event, AudioPart) and event.index == 0:
                first_part_at = now
            if isinstance(event, TextDelta):
                last_text_at = now
    assert 0 < first_part_at < last_text_at / 3


async def test_the_listener_never_waits_once_the_voice_has_begun_when_engines_keep_up():
    model = ScriptedModel(" ".join([FOUR] * 8), token_s=0.05)
    playing_until = None
    async with aclosing(pipeline(model=model, voice=ToneSynthesizer(rtf=0.3)).answer_note(NOTE)) as events:
        async for event in events:
            if not isinstance(event, AudioPart):
                continue
            now = asyncio.get_running_loop().time()
            if playing_until is not None:
                assert now <= playing_until
            playing_until = max(playing_until or 0.0, now) + event.note.duration_s


async def test_a_short_answer_stays_one_note():
    model = ScriptedModel("It is Paris, the capital of France. It lies on the river Seine.")
    assert len(parts(await told(pipeline(model=model, voice=ToneSynthesizer(rtf=0.05)).answer_note(NOTE)))) == 1


async def test_the_whole_answer_can_be_had_as_one_note():
    model = ScriptedModel(" ".join([FOUR] * 8), token_s=0.1)
    [part] = parts(await told(pipeline(model=model, playout=WHOLE).answer_note(NOTE)))
    assert part.text == " ".join([FOUR] * 8)


async def test_a_part_that_waits_leaves_before_the_listener_runs_dry_even_when_the_model_stalls():
    long = "This is a rather long sentence that takes some time to be said aloud by anyone. "
    stalls = _Stalls(long * 3, after_s=60.0, then="And then it goes on.")
    voices = []
    async with aclosing(pipeline(model=stalls).answer_note(NOTE)) as events:
        async for event in events:
            if isinstance(event, AudioPart):
                voices.append((asyncio.get_running_loop().time(), event.text))
    spoken_before_the_stall_ended = "".join(text for at, text in voices if at < 60.0)
    assert spoken_before_the_stall_ended == long * 2  # the third may still go on: only what follows can tell


async def test_reasoning_is_neither_shown_nor_spoken():
    model = ScriptedModel(ReasoningDelta("Secret thoughts. "), "A plain answer.")
    events = await told(pipeline(model=model).answer_note(NOTE))
    assert written(events) == "A plain answer."
    assert "Secret" not in "".join(part.text for part in parts(events))


async def test_a_voice_that_fails_costs_no_text():
    model = ScriptedModel(" ".join([FOUR] * 30), token_s=0.01)
    events = await told(pipeline(model=model, voice=_BreaksAfter(2)).answer_note(NOTE))
    assert written(events) == " ".join([FOUR] * 30)
    assert [type(event.error) for event in events if isinstance(event, VoiceFailed)] == [EngineError]
    assert isinstance(events[-1], Done)


async def test_a_bug_of_the_voice_costs_no_text_either():
    model = ScriptedModel(" ".join([FOUR] * 30), token_s=0.01)
    voice = _BreaksAfter(2, RuntimeError("nobody foresaw this"))
    events = await told(pipeline(model=model, voice=voice).answer_note(NOTE))
    assert written(events) == " ".join([FOUR] * 30)
    [failed] = [event.error for event in events if isinstance(event, VoiceFailed)]
    assert isinstance(failed, EngineError)
    assert "nobody foresaw" not in str(failed)


async def test_a_language_without_a_voice_is_answered_in_text_with_the_reason():
    events = await told(pipeline().answer_text("Сәлем", language="kk"))
    [failed] = [event for event in events if isinstance(event, VoiceFailed)]
    assert "kk" in str(failed.error)
    assert written(events) == FOUR


async def test_a_model_that_fails_is_told_after_what_it_had_written():
    model = _Fails(TextDelta("Half an ans"), error=Unreachable("The model is gone. Start it again."))
    heard = []
    with pytest.raises(Unreachable):
        async for event in pipeline(model=model).answer_note(NOTE):
            heard.append(event)
    assert written(heard) == "Half an ans"


async def test_a_model_that_says_nothing_is_an_error_with_a_name():
    with pytest.raises(EmptyAnswer):
        await told(pipeline(model=ScriptedModel(TextDelta("  \n"))).answer_note(NOTE))


async def test_an_answer_cut_at_the_token_limit_says_so():
    model = ScriptedModel("It goes on and", Finished("length"))
    events = await told(pipeline(model=model).answer_note(NOTE))
    assert isinstance(events[-1], Done)
    assert events[-1].cut


@pytest.mark.parametrize("leave_after_s", [0.0, 0.1, 1.0, 1.5, 2.2, 3.7, 5.0, 8.0])
async def test_leaving_at_any_point_leaves_nothing_running(leave_after_s: float):
    model = ScriptedModel(" ".join([FOUR] * 4), first_token_s=1.0, token_s=0.1)
    before = asyncio.all_tasks()
    events = pipeline(model=model, voice=ToneSynthesizer(rtf=0.2), stt_rtf=0.3).answer_note(NOTE)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(leave_after_s), aclosing(events):
            async for _ in events:
                pass
    assert asyncio.all_tasks() == before


async def test_a_slow_reader_delays_neither_model_nor_voice_and_misses_nothing():
    model = ScriptedModel(FOUR, token_s=0.1)
    text = ""
    async with aclosing(pipeline(model=model).answer_note(NOTE)) as events:
        async for event in events:
            await asyncio.sleep(2.0)
            if isinstance(event, TextDelta):
                text += event.text
            if isinstance(event, Done):
                assert event.timings.total_s < 4.0
    assert text == FOUR


async def test_milestones_add_up_to_the_total():
    model = ScriptedModel(" ".join([FOUR] * 3), first_token_s=0.7, token_s=0.05)
    events = await told(pipeline(model=model, voice=ToneSynthesizer(rtf=0.2), stt_rtf=0.25).answer_note(NOTE))
    assert isinstance(events[-1], Done)
    timings = events[-1].timings
    assert sum(stage.seconds for stage in timings.milestones()) == pytest.approx(timings.total_s, rel=0.05)
    assert timings.heard_s == pytest.approx(0.75, abs=0.01)
    assert timings.first_token_s == pytest.approx(0.7, abs=0.01)


async def test_the_slowest_stage_is_named():
    events = await told(pipeline(model=ScriptedModel("Yes.", first_token_s=3.0)).answer_note(NOTE))
    assert isinstance(events[-1], Done)
    assert events[-1].timings.slowest().name == "LLM"


async def test_the_metrics_tell_the_same_times_as_the_answer():
    def total_s() -> float:
        return REGISTRY.get_sample_value("june_stage_seconds_sum", {"stage": "llm"}) or 0.0

    before = total_s()
    events = await told(pipeline(model=ScriptedModel("Yes.", first_token_s=3.0)).answer_note(NOTE))
    assert isinstance(events[-1], Done)
    assert total_s() - before == pytest.approx(events[-1].timings.llm_s)


class _BreaksAfter(ToneSynthesizer):
    def __init__(self, pieces: int, error: Exception | None = None) -> None:
        super().__init__()
        self._left = pieces
        self._error = error or EngineError("The voice broke. Restart the tts service.")

    async def synthesize(
        self, text: str, *, voice: str | None = None, language: str | None = None
    ) -> AsyncGenerator[Pcm]:
        self._left -= 1
        if self._left < 0:
            raise self._error
        async for pcm in super().synthesize(text, voice=voice, language=language):
            yield pcm


class _Fails(ScriptedModel):
    def __init__(self, *script: str | ModelEvent, error: JuneError) -> None:
        super().__init__(*script)
        self._error = error

    async def reply(self, history: Sequence[Turn], *, tools: Sequence[ToolSpec] = ()) -> AsyncGenerator[ModelEvent]:
        async for event in super().reply(history, tools=tools):
            if isinstance(event, Finished):
                raise self._error
            yield event


class _Stalls(ScriptedModel):
    def __init__(self, first: str, *, after_s: float, then: str) -> None:
        super().__init__(first)
        self._after_s, self._then = after_s, then

    async def reply(self, history: Sequence[Turn], *, tools: Sequence[ToolSpec] = ()) -> AsyncGenerator[ModelEvent]:
        async for event in super().reply(history, tools=tools):
            if isinstance(event, Finished):
                await asyncio.sleep(self._after_s)
                yield TextDelta(self._then)
            yield event
