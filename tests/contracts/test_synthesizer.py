"""What every Synthesizer does, whoever plays it. A new player is one line of PLAYERS."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from functools import partial

import numpy as np
import pytest

from essence import engines
from essence.config import TtsEngine
from essence.errors import NotFound
from essence.fakes import ToneSynthesizer
from essence.ports import Synthesizer
from essence.rpc import client
from essence.rpc.server import TEXT_TO_SPEECH, serving

TEXT = "Ever tried. Ever failed. No matter."


@asynccontextmanager
async def fake() -> AsyncIterator[Synthesizer]:
    yield ToneSynthesizer()


@asynccontextmanager
async def far() -> AsyncIterator[Synthesizer]:
    async with serving(TEXT_TO_SPEECH, ToneSynthesizer()) as url:
        async with client.open_synthesizer(url, TtsEngine()) as player:
            yield player


def near(url: str) -> AbstractAsyncContextManager[Synthesizer]:
    return engines.open_synthesizer(url, TtsEngine())


PLAYERS = [
    fake,
    far,
    pytest.param(partial(near, "piper:en_US-joe-medium"), marks=pytest.mark.model, id="piper"),
    pytest.param(partial(near, "espeak:"), id="espeak"),
]


@pytest.fixture(params=PLAYERS)
async def player(request: pytest.FixtureRequest) -> AsyncIterator[Synthesizer]:
    opened: Callable[[], AbstractAsyncContextManager[Synthesizer]] = request.param
    async with opened() as synthesizer:
        yield synthesizer


async def test_text_becomes_sound_of_one_rate(player: Synthesizer) -> None:
    chunks = [pcm async for pcm in player.synthesize(TEXT)]
    assert len({pcm.rate for pcm in chunks}) == 1
    assert all(pcm.data for pcm in chunks)
    assert 0.5 < sum(pcm.duration_s for pcm in chunks) < 20
    assert max(int(np.abs(pcm.samples().astype(int)).max()) for pcm in chunks) > 1000


async def test_a_blank_text_yields_nothing(player: Synthesizer) -> None:
    assert [pcm async for pcm in player.synthesize(" \n\t")] == []


async def test_a_language_without_a_voice_is_not_found_before_the_first_sound(player: Synthesizer) -> None:
    with pytest.raises(NotFound):
        await anext(player.synthesize(TEXT, language="tlh"))


async def test_closing_early_is_clean_and_the_player_can_be_asked_again(player: Synthesizer) -> None:
    async with aclosing(player.synthesize(TEXT)) as speech:
        await anext(speech)
    assert [pcm async for pcm in player.synthesize("Yes.")]
