"""Several engines as one: each text is spoken by the first that has a voice for its language."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from essence.audio import Pcm
from essence.errors import NotFound
from essence.ports import Synthesizer


class ByLanguage:
    """Asks its players in order. Only NotFound passes a text on: a broken engine is told, not papered over."""

    def __init__(self, players: Sequence[Synthesizer]) -> None:
        self._players = tuple(players)

    async def synthesize(
        self, text: str, *, voice: str | None = None, language: str | None = None
    ) -> AsyncGenerator[Pcm]:
        for player in self._players:
            started = False
            try:
                async with aclosing(player.synthesize(text, voice=voice, language=language)) as speech:
                    async for pcm in speech:
                        started = True
                        yield pcm
            except NotFound:
                if started:
                    raise
            else:
                return
        raise NotFound(_nobody(voice, language))


def _nobody(voice: str | None, language: str | None) -> str:
    wanted = " ".join(
        filter(None, (f"named {voice!r}" if voice else "", f"for the language {language!r}" if language else ""))
    )
    return f"There is no voice {wanted or 'at all'} here. Add an engine that has one to TTS_URL."
