"""A process that dies at a given step of a task."""

import pytest

from essence.ports import Journal
from tests.agent_house import Reply, World


class Lost(BaseException):
    """The process was killed."""


class Mortal:
    """A journal in whose process the lights go out before or after a step is kept."""

    def __init__(self, journal: Journal, step: str, *, after: bool) -> None:
        self._journal, self._step, self._after = journal, step, after

    async def record(self, task_key, step, text, **rest):
        if step == self._step and not self._after:
            raise Lost
        known = await self._journal.record(task_key, step, text, **rest)
        if step == self._step:
            raise Lost
        return known

    def __getattr__(self, name):
        return getattr(self._journal, name)


async def killed_at(here: World, step: str, *replies: Reply) -> None:
    """An attempt ends right before a step would be kept; when this returns, its claim is over."""
    journal = here.store.journal
    here.store.journal = Mortal(journal, step, after=False)
    with pytest.raises(Lost):
        await here.worker(*replies).work_once()
    here.store.journal = journal
    here.clock.forward(seconds=61)
