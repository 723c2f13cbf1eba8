"""Remembers over restarts where a catching up began that has not come to its end."""

from __future__ import annotations

from essence.ports import Journal

_WORK, _STEP = "discord:catching-up", "edge"


class Bookmark:
    """An entry of the journal, where the first of a name stands: of several beginnings without an end, the earliest."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def put(self, edge: int) -> int:
        """A catching up begins at this message; returns where the first began that has not ended.

        Raises:
            StoreError, Unreachable, TooSlow: It isn't kept.
        """
        await self._journal.record(_WORK, _STEP, str(edge), person="")
        return int((await self._journal.steps(_WORK)).get(_STEP, edge))

    async def remove(self) -> None:
        """All has been read.

        Raises:
            StoreError, Unreachable, TooSlow: It is still there.
        """
        await self._journal.forget(_WORK)
