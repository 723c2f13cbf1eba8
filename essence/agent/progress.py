"""How a task gets on, as its owner sees it: one message that changes, and the task's history on the board."""

from __future__ import annotations

from contextlib import suppress

from essence import observe
from essence.agent.job import Job
from essence.agent.messengers import Messengers
from essence.errors import JuneError, NotFound
from essence.ports import TaskBoard

_WAIT = "I'm working on it …"


class Progress:
    """Tells of one task."""

    def __init__(self, job: Job, board: TaskBoard, messengers: Messengers) -> None:
        self._job, self._board, self._messengers = job, board, messengers
        self._said = ""

    @property
    def said(self) -> str:
        """What was told last."""
        return self._said

    async def say(self, text: str) -> None:
        """Tell the owner, and write it into the task's history.

        Raises:
            Conflict: The claim was lost.
            JuneError: It could not be written down.
        """
        await self._board.progress(self._job.claim, text)
        self._said = text
        await self._show(text)

    async def waiting(self) -> None:
        """Say that June is at it, unless something was said already; a failure costs nothing but this message."""
        if not self._said:
            with suppress(JuneError):
                await self.say(_WAIT)

    async def _show(self, text: str) -> None:
        request = self._job.request
        if request is None:
            return
        key = f"{self._job.key}:progress"
        try:
            messenger = self._messengers.to(request.address)
            try:
                await messenger.edit(key, f"⏳ {text}")
            except NotFound:
                await messenger.send(request.address, f"⏳ {text}", key=key, reply_to_id=request.reply_to_id)
        except JuneError as error:
            observe.logger().info("progress_not_shown", task=self._job.claim.task.task_id, code=error.code)
