"""Albums, of which Telegram brings each part as a message of its own, in no order that it promises."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import suppress

PATIENCE_S = 2.0
"""For so long the words of an album may come after a part that has none: an album is sent as a whole."""
_MOST = 1000


class Albums:
    """Remembers which albums have words: what is said of these answers the parts without words, too."""

    def __init__(self) -> None:
        self._words: OrderedDict[str, asyncio.Event] = OrderedDict()

    def note_words(self, name: str) -> None:
        """An album has words. `name`: as parts without words bear it."""
        self._event(name).set()

    async def has_words(self, name: str) -> bool:
        """Whether words of an album have come, or come soon."""
        words = self._event(name)
        with suppress(TimeoutError):
            await asyncio.wait_for(words.wait(), PATIENCE_S)
        return words.is_set()

    def _event(self, name: str) -> asyncio.Event:
        words = self._words.setdefault(name, asyncio.Event())
        while len(self._words) > _MOST:
            self._words.popitem(last=False)
        return words
