from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest
import structlog

from essence.audio import Pcm
from essence.engines.tts.by_language import ByLanguage, Opener, open_installed
from essence.errors import EngineError, EngineMissing, NotFound
from essence.fakes.engines import ToneSynthesizer
from essence.ports import Synthesizer


class BrokenSynthesizer:
    def __init__(self, error: Exception, *, chunks: int = 0) -> None:
        self._error, self._chunks = error, chunks

    async def synthesize(
        self, text: str, *, voice: str | None = None, language: str | None = None
    ) -> AsyncGenerator[Pcm]:
        for _ in range(self._chunks):
            yield Pcm(b"\1\1", 1)
        raise self._error


async def speak(player: Synthesizer, language: str | None = None) -> list[Pcm]:
    async with aclosing(player.synthesize("four", language=language)) as speech:
        return [pcm async for pcm in speech]


def two_tones() -> ByLanguage:
    english, german = ToneSynthesizer(languages=("en",)), ToneSynthesizer(languages=("en", "de"))
    german.rate = 8000
    return ByLanguage([english, german])


async def test_the_first_player_with_a_voice_speaks() -> None:
    assert [pcm.rate for pcm in await speak(two_tones(), "en")] == [16_000]
    assert [pcm.rate for pcm in await speak(two_tones(), "de")] == [8000]
    assert [pcm.rate for pcm in await speak(two_tones())] == [16_000]


async def test_a_language_that_nobody_speaks_is_named() -> None:
    with pytest.raises(NotFound, match="'sw'"):
        await speak(two_tones(), "sw")


async def test_a_broken_player_is_told_and_not_replaced_by_another_voice() -> None:
    players = ByLanguage([BrokenSynthesizer(EngineError("It broke.")), ToneSynthesizer()])
    with pytest.raises(EngineError, match="It broke"):
        await speak(players, "en")


async def test_nobody_else_goes_on_once_a_voice_was_heard() -> None:
    players = ByLanguage([BrokenSynthesizer(NotFound("Lost."), chunks=1), ToneSynthesizer()])
    with pytest.raises(NotFound, match="Lost"):
        await speak(players, "en")


def opener(player: Synthesizer | Exception, closed: list[str]) -> Opener:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Synthesizer]:
        if isinstance(player, Exception):
            raise player
        try:
            yield player
        finally:
            closed.append("closed")

    return opened


async def test_a_missing_engine_is_left_out_with_a_warning_while_there_is_another() -> None:
    closed: list[str] = []
    openers = {"piper:x": opener(EngineMissing("No x."), closed), "tone:": opener(ToneSynthesizer(), closed)}
    with structlog.testing.capture_logs() as logs:
        async with open_installed(openers) as player:
            assert await speak(player, "en")
    assert [(log["event"], log["url"], log["reason"]) for log in logs] == [("tts_engine_missing", "piper:x", "No x.")]
    assert closed == ["closed"]


async def test_where_all_are_missing_the_preferred_one_is_told() -> None:
    openers = {"a:": opener(EngineMissing("No a."), []), "b:": opener(EngineMissing("No b."), [])}
    with pytest.raises(EngineMissing, match="No a"):
        async with open_installed(openers):
            pass


async def test_a_damaged_engine_stops_the_start_and_frees_the_others() -> None:
    closed: list[str] = []
    openers = {"a:": opener(EngineError("Damaged."), closed), "tone:": opener(ToneSynthesizer(), closed)}
    with pytest.raises(EngineError, match="Damaged"):
        async with open_installed(openers):
            pass
    assert closed == ["closed"]
