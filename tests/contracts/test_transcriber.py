"""What every Transcriber does, whoever plays it. A new player is one line of PLAYERS."""

import itertools
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager

import pytest

from essence import engines
from essence.audio import Pcm
from essence.config import SttEngine
from essence.fakes import ScriptedTranscriber
from essence.ports import Transcriber
from essence.rpc import client
from essence.rpc.server import SPEECH_TO_TEXT, serving

SAMPLE = SttEngine().june_models_dir / "speech-samples" / "beckett.wav"


@asynccontextmanager
async def fake() -> AsyncIterator[Transcriber]:
    yield ScriptedTranscriber("ever tried ever failed")


@asynccontextmanager
async def far() -> AsyncIterator[Transcriber]:
    async with serving(SPEECH_TO_TEXT, ScriptedTranscriber("ever tried ever failed")) as url:
        async with client.open_transcriber(url, SttEngine()) as player:
            yield player


@asynccontextmanager
async def far_by_url() -> AsyncIterator[Transcriber]:
    async with serving(SPEECH_TO_TEXT, ScriptedTranscriber("ever tried ever failed")) as url:
        async with engines.open_transcriber(f"grpc://127.0.0.1:1,{url}", SttEngine()) as player:
            yield player


def near() -> AbstractAsyncContextManager[Transcriber]:
    return engines.open_transcriber("faster-whisper:base", SttEngine())


PLAYERS = [fake, far, far_by_url, pytest.param(near, marks=pytest.mark.model)]


@pytest.fixture(params=PLAYERS)
async def player(request: pytest.FixtureRequest) -> AsyncIterator[Transcriber]:
    opened: Callable[[], AbstractAsyncContextManager[Transcriber]] = request.param
    async with opened() as transcriber:
        yield transcriber


async def speech(seconds: float = 5.0, *, chunk_s: float = 0.5) -> AsyncIterator[Pcm]:
    """Real speech where the samples are here, else silence of the same length."""
    if SAMPLE.exists():
        with wave.open(str(SAMPLE)) as file:
            rate, data = file.getframerate(), file.readframes(int(seconds * file.getframerate()))
    else:
        rate, data = 16_000, bytes(int(seconds * 32_000))
    step = int(rate * chunk_s) * 2
    for start in range(0, len(data), step):
        yield Pcm(data[start : start + step], rate)


async def test_speech_becomes_text_with_its_language_and_length(player: Transcriber) -> None:
    transcripts = [t async for t in player.transcribe(speech())]
    final = transcripts[-1]
    assert final.speech
    assert final.text
    assert final.language == "en"
    assert final.duration_s == pytest.approx(5, abs=0.1)
    assert final.segments
    assert 0 < final.confidence <= 1


async def test_each_transcript_repeats_and_extends_the_one_before(player: Transcriber) -> None:
    texts = [t.text async for t in player.transcribe(speech())]
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(texts))


async def test_a_named_language_is_believed(player: Transcriber) -> None:
    final = [t async for t in player.transcribe(speech(), language="en")][-1]
    assert (final.language, final.language_probability) == ("en", 1.0)


async def test_chunks_of_any_size_give_the_same_words(player: Transcriber) -> None:
    long = [t.text async for t in player.transcribe(speech(chunk_s=5))][-1]
    short = [t.text async for t in player.transcribe(speech(chunk_s=0.01))][-1]
    assert long == short


async def test_closing_early_is_clean_and_the_player_can_be_asked_again(player: Transcriber) -> None:
    async with aclosing(player.transcribe(speech())) as transcripts:
        await anext(transcripts)
    assert [t async for t in player.transcribe(speech())][-1].text
