"""Several workers in one process: until they are told to stop, or have done as much as they were to do."""

from __future__ import annotations

import asyncio

from essence import observe
from essence.agent.watched import is_told_to_stop
from essence.agent.worker import Worker
from essence.errors import JuneError
from essence.work import TaskClaim

_WAIT_S = 20.0
"""How long one request waits for work."""
_PAUSE_S = (1.0, 2.0, 5.0, 10.0)
"""While the board can't be asked; the last is repeated."""


class Crew:
    """Workers that share a board, a budget and a number of tasks to do."""

    def __init__(self, worker: Worker, *, size: int, iterations: int = 0) -> None:
        """`iterations`: tasks to work on in all; 0: no end."""
        self._worker, self._size = worker, size if not iterations else min(size, iterations)
        self._left = iterations or None
        self._stopping = asyncio.Event()
        self._contact = observe.Contact("task_board")
        # One at a time: a board gives an agent first what it lost, and what another worker is being given isn't lost.
        self._claiming = asyncio.Lock()

    def stop(self) -> None:
        """Claim no more; what is being worked on goes on."""
        self._stopping.set()

    async def run(self) -> None:
        """Until stopped, or all has been done. Cancelling gives back what is being worked on."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._size):
                tasks.create_task(self._work())

    async def _work(self) -> None:
        failures = 0
        while not self._stopping.is_set() and self._take():
            try:
                worked = await self._claim_or_stop()
                failures = 0
                self._contact.notice(None)
            except (JuneError, asyncio.CancelledError) as error:
                self._notice(error)
                worked = False
                await self._pause(_PAUSE_S[min(failures, len(_PAUSE_S) - 1)])
                failures += 1
            if not worked and self._left is not None:
                self._left += 1

    def _notice(self, error: BaseException) -> None:
        if isinstance(error, JuneError):
            self._contact.notice(error)
        elif is_told_to_stop():
            raise error
        else:  # a call was broken off, and the task was given back; the worker isn't to be lost over it
            observe.logger().error("work_broken_off", exc_info=error)

    def _take(self) -> bool:
        """One of the tasks that are left to do."""
        if self._left is None:
            return True
        self._left -= 1
        return self._left >= 0

    async def _claim_or_stop(self) -> bool:
        """Work on the next task; False where there was none, or it is time to stop."""
        claiming = asyncio.create_task(self._claim())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait((claiming, stopping), return_when=asyncio.FIRST_COMPLETED)
            claim = claiming.result() if claiming.done() else None
        finally:
            stopping.cancel()
            claiming.cancel()
        if claim is not None:
            await self._worker.work(claim)
        return claim is not None

    async def _claim(self) -> TaskClaim | None:
        async with self._claiming:
            return await self._worker.claim(wait_s=_WAIT_S)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return
