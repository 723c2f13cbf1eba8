"""Several engines as one: each text is spoken by the first that has a voice for its language."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager

import structlog

from essence.audio import Pcm
from essence.errors import EngineMissing, NotFound
from essence.ports import Synthesizer

_log = structlog.get_logger(__name__)
Opener = Callable[[], AbstractAsyncContextManager[Synthesizer]]


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


@asynccontextmanager
async def open_installed(openers: Mapping[str, Opener]) -> AsyncIterator[Synthesizer]:
    """Load engines, named by URL, side by side; those that are missing are left out while there is another.

    Rule: whoever lists several engines wants speech more than one particular engine, so June starts with what is
    there and says what isn't. The languages of a missing engine fall to the next in the list that has them. Only
    EngineMissing is forgiven; a wrong setting or a damaged engine stops the start.

    Raises:
        EngineMissing: None of them is here; the message is that of the first, which is preferred.
    """
    async with AsyncExitStack() as stack:
        opened = await asyncio.gather(*(_enter(stack, opener) for opener in openers.values()), return_exceptions=True)
        players: list[Synthesizer] = []
        missing: list[EngineMissing] = []
        for url, player in zip(openers, opened, strict=True):
            if isinstance(player, EngineMissing):
                missing.append(player)
                _log.warning("tts_engine_missing", url=url, reason=str(player))
            elif isinstance(player, BaseException):
                raise player
            else:
                players.append(player)
        if not players:
            raise missing[0]
        yield players[0] if len(players) == 1 else ByLanguage(players)


async def _enter(stack: AsyncExitStack, opener: Opener) -> Synthesizer:
    return await stack.enter_async_context(opener())
