"""Speech to text with the real model."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
import soxr

from benchmarks._speech import PASSAGES, cut, notes, once, recording, word_errors
from essence.audio import Pcm, decode
from essence.config import SttEngine
from essence.dialogue import Transcript
from essence.engines.stt.faster_whisper import FasterWhisper, open_player
from essence.errors import EngineBusy, EngineMissing, InvalidAudio, InvalidInput
from essence.ports import Transcriber

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

URL = "faster-whisper:base"
SAID_ONCE = Pcm(b"".join(pcm.data for pcm in decode(Path(__file__).parent / "said_once.ogg")), 16_000)
"""Piper's voice: "Please remind me to water the flowers tomorrow morning."."""
DICKENS = " ".join(PASSAGES[0].phrases)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def player() -> AsyncIterator[Transcriber]:
    async with open_player(URL, SttEngine(_env_file=None)) as player:
        yield player


async def hear(
    player: Transcriber, sound: Pcm, *, language: str | None = None, word_times: bool = False
) -> list[Transcript]:
    async with aclosing(player.transcribe(once(sound), language=language, word_times=word_times)) as results:
        return [transcript async for transcript in results]


def at_level(sound: Pcm, dbfs: float) -> Pcm:
    samples = sound.samples().astype(np.float64) / 32768
    samples *= 10 ** (dbfs / 20) / np.sqrt(np.mean(samples**2))
    return Pcm((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes(), sound.rate)


def resampled(sound: Pcm, rate: int) -> Pcm:
    return Pcm(soxr.resample(sound.samples(), sound.rate, rate).astype("<i2").tobytes(), rate)


async def test_a_short_human_recording_is_heard(player: Transcriber) -> None:
    (*_, last) = await hear(player, recording("beckett"))
    assert word_errors(" ".join(PASSAGES[1].phrases), last.text) <= 1
    assert (last.speech, last.language) == (True, "en")
    assert last.language_probability > 0.8
    assert 0.3 < last.confidence <= 1
    assert last.timing.compute_s > 0
    assert last.timing.gate_s > 0


async def test_a_long_note_is_stitched_and_grows_while_it_is_heard(player: Transcriber) -> None:
    results = await hear(player, recording("two_cities"))
    assert len(results) >= 2
    for before, after in pairwise(results):
        assert after.text.startswith(before.text)
        assert after.segments[: len(before.segments)] == before.segments
    last = results[-1]
    assert word_errors(DICKENS, last.text) <= 0.05 * len(DICKENS.split())
    starts = [segment.start_s for segment in last.segments]
    assert starts == sorted(starts)
    assert all(segment.start_s <= segment.end_s <= last.duration_s for segment in last.segments)


async def test_times_are_right_over_the_whole(player: Transcriber) -> None:
    (*_, last) = await hear(player, recording("two_cities"))
    despair = next(segment for segment in last.segments if "despair" in segment.text.lower())
    assert despair.start_s <= 20.88 <= despair.end_s + 0.8


async def test_the_same_words_are_heard_in_whatever_chunks_they_come(player: Transcriber) -> None:
    sound = recording("beckett")

    async def drops() -> AsyncIterator[Pcm]:
        for start in range(0, len(sound.data), 2000):
            yield Pcm(sound.data[start : start + 2000], sound.rate)

    async with aclosing(player.transcribe(drops())) as results:
        texts = [transcript.text async for transcript in results]
    assert texts[-1] == (await hear(player, sound))[-1].text


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
async def test_any_sample_rate_is_heard(player: Transcriber, rate: int) -> None:
    (*_, last) = await hear(player, resampled(recording("beckett"), rate))
    assert word_errors(" ".join(PASSAGES[1].phrases), last.text) <= 2


@pytest.mark.parametrize("dbfs", [-45.0, -40.0, -20.0])
async def test_a_single_word_is_heard_however_quiet(player: Transcriber, dbfs: float) -> None:
    (*_, last) = await hear(player, at_level(cut(recording("endgame_nagg_nell"), 1.26, 2.16), dbfs))
    assert word_errors("yes", last.text) == 0


@pytest.mark.parametrize("seconds", [0.2, 3.0, 31.0])
async def test_silence_is_a_value_and_reaches_no_model(player: Transcriber, seconds: float) -> None:
    (only,) = await hear(player, Pcm(bytes(2 * int(seconds * 16_000)), 16_000))
    assert only == replace(Transcript("", speech=False, duration_s=seconds), timing=only.timing)
    assert only.timing.compute_s == 0


async def test_no_sound_at_all_is_silence(player: Transcriber) -> None:
    async def nothing() -> AsyncIterator[Pcm]:
        return
        yield

    async with aclosing(player.transcribe(nothing())) as results:
        assert [transcript async for transcript in results] == [Transcript("", speech=False)]


@pytest.mark.parametrize("dbfs", [-50.0, -20.0])
async def test_noise_and_tones_are_no_words(player: Transcriber, dbfs: float) -> None:
    times, random = np.arange(5 * 16_000) / 16_000, np.random.default_rng(3)
    for samples in (
        random.standard_normal(len(times)),
        np.sin(times * 2 * np.pi * 440),
        np.cumsum(random.choice([-1, 1], len(times))),
    ):
        noise = at_level(Pcm((samples / np.max(np.abs(samples)) * 9000).astype("<i2").tobytes(), 16_000), dbfs)
        (only,) = await hear(player, noise)
        assert not only.speech, only.text


async def test_silence_around_speech_does_not_move_its_times(player: Transcriber) -> None:
    sound = recording("beckett")
    padded = Pcm(bytes(2 * 5 * sound.rate) + sound.data + bytes(2 * 5 * sound.rate), sound.rate)
    (*_, plain), (*_, moved) = await hear(player, sound), await hear(player, padded)
    assert word_errors(plain.text, moved.text) <= 1
    assert moved.segments[0].start_s == pytest.approx(plain.segments[0].start_s + 5, abs=0.6)


def played(*sounds: Pcm, pause_s: float) -> Pcm:
    """One after the other, with pauses between them."""
    pause = bytes(2 * int(pause_s * sounds[0].rate))
    return Pcm(pause.join(sound.data for sound in sounds), sounds[0].rate)


async def test_a_sentence_that_was_said_once_is_not_written_twice(player: Transcriber) -> None:
    """Whisper base does so with this note in its first window."""
    (*_, last) = await hear(player, SAID_ONCE)
    assert word_errors("please remind me to water the flowers tomorrow morning", last.text) <= 1


@pytest.mark.parametrize("pause_s", [0.0, 0.2, 0.6])
async def test_a_sentence_that_was_said_twice_is_written_twice(player: Transcriber, pause_s: float) -> None:
    (*_, last) = await hear(player, played(SAID_ONCE, SAID_ONCE, pause_s=pause_s))
    assert word_errors("please remind me to water the flowers tomorrow morning " * 2, last.text) <= 2


async def test_what_a_person_says_twice_is_written_twice(player: Transcriber) -> None:
    (*_, last) = await hear(player, cut(recording("endgame_nagg_nell"), 14.35, 17.31))
    assert word_errors("ah that's a good story " * 2, last.text) <= 2


async def test_word_times_are_given_to_notes_side_by_side(player: Transcriber) -> None:
    chosen = [cut(recording("two_cities"), 0.61, 4.83), cut(recording("two_cities"), 6.45, 10.54)] * 4
    alone = [(await hear(player, sound, word_times=True))[-1] for sound in chosen[:2]]
    together = await asyncio.gather(*(hear(player, sound, word_times=True) for sound in chosen))
    for (*_, last), expected in zip(together, alone * 4, strict=True):
        assert [word.text for segment in last.segments for word in segment.words] == expected.text.split()


async def test_word_times_are_given_on_request_and_run_forward(player: Transcriber) -> None:
    (*_, last) = await hear(player, recording("two_cities"), word_times=True)
    words = [word for segment in last.segments for word in segment.words]
    assert " ".join(word.text for word in words) == last.text
    starts = [word.start_s for word in words]
    assert starts == sorted(starts)
    assert all(0 <= word.start_s <= word.end_s <= last.duration_s + 0.1 for word in words)
    assert all(0 <= word.probability <= 1 for word in words)
    (*_, plain) = await hear(player, cut(recording("beckett"), 0.16, 3.15))
    assert not any(segment.words for segment in plain.segments)


async def test_the_callers_language_is_taken_and_an_unknown_one_refused(player: Transcriber) -> None:
    (*_, last) = await hear(player, cut(recording("beckett"), 0.16, 3.15), language="en")
    assert (last.language, last.language_probability) == ("en", 1.0)
    with pytest.raises(InvalidInput, match="tlh"):
        await hear(player, recording("beckett"), language="tlh")


async def test_sixteen_notes_at_once_are_heard_as_one_by_one(player: Transcriber) -> None:
    chosen = list(notes(2, 10))[::5][:16]
    one_by_one = [(await hear(player, note.sound))[-1].text for note in chosen]
    at_once = await asyncio.gather(*(hear(player, note.sound) for note in chosen))
    assert [results[-1].text for results in at_once] == one_by_one


async def test_a_full_queue_answers_at_once() -> None:
    async with open_player(URL, SttEngine(_env_file=None, stt_queue_max=1)) as player:
        speaking = asyncio.Event()

        async def slowly() -> AsyncIterator[Pcm]:
            await speaking.wait()
            yield Pcm(bytes(3200), 16_000)

        calls = [player.transcribe(slowly()) for _ in range(3)]
        first, second = (asyncio.create_task(anext(call)) for call in calls[:2])
        await asyncio.sleep(0)
        with pytest.raises(EngineBusy):
            await anext(calls[2])
        speaking.set()
        assert not (await first).speech
        assert not (await second).speech
        for call in calls:
            await call.aclose()
        (again,) = await hear(player, Pcm(bytes(3200), 16_000))
        assert not again.speech


async def test_a_call_that_is_closed_stops_its_work() -> None:
    async with open_player(URL, SttEngine(_env_file=None)) as player:
        assert isinstance(player, FasterWhisper)
        sound = recording("two_cities")
        read_s = 0.0

        async def endless() -> AsyncIterator[Pcm]:
            nonlocal read_s
            while True:
                read_s += sound.duration_s
                yield sound

        call = player.transcribe(endless())
        assert (await anext(call)).speech
        await call.aclose()
        heard_s = read_s
        (silent,) = await hear(player, Pcm(bytes(3200), 16_000))
        assert not silent.speech
        assert read_s == heard_s
        assert not player._worker._waiting
        assert player._open_calls == 0


async def test_closing_the_player_ends_its_threads() -> None:
    before = {thread for thread in threading.enumerate() if thread.name.startswith("june-stt")}
    async with open_player(URL, SttEngine(_env_file=None)) as player:
        await hear(player, cut(recording("beckett"), 0.16, 3.15))
        assert any(thread.name.startswith("june-stt") for thread in threading.enumerate())
    ended = {thread for thread in threading.enumerate() if thread.name.startswith("june-stt")}
    assert ended == before  # those of the module's player


async def test_longer_audio_than_allowed_is_refused() -> None:
    async with open_player(URL, SttEngine(_env_file=None, stt_max_audio_s=5.0)) as player:
        with pytest.raises(InvalidAudio, match="longer than 5 s"):
            await hear(player, recording("beckett"))


async def test_a_rate_that_changes_or_cannot_be_is_refused(player: Transcriber) -> None:
    async def changing() -> AsyncIterator[Pcm]:
        yield Pcm(bytes(3200), 16_000)
        yield Pcm(bytes(3200), 8_000)

    with pytest.raises(InvalidAudio, match="rate changed"):
        async with aclosing(player.transcribe(changing())) as results:
            await anext(results)


async def test_a_missing_model_names_the_command_that_fetches_it(tmp_path: Path) -> None:
    settings = SttEngine(_env_file=None, june_models_dir=tmp_path, june_offline=True)
    for url in (URL, "faster-whisper:nonesuch", "faster-whisper:Systran/faster-whisper-tiny"):
        with pytest.raises(EngineMissing, match="python -m essence download-models"):
            async with open_player(url, settings):
                pass


async def test_a_folder_is_taken_as_a_model() -> None:
    settings = SttEngine(_env_file=None)
    async with open_player(f"faster-whisper:{settings.june_models_dir / 'whisper-base'}", settings) as player:
        (*_, last) = await hear(player, cut(recording("beckett"), 0.16, 3.15))
        assert last.speech
