"""Tells, or has worked on, what has come due. No model is asked before something is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import get_args
from zoneinfo import ZoneInfo

from essence import observe
from essence.agent.job import utc_now
from essence.agent.messengers import Messengers
from essence.agent.when import next_time
from essence.dialogue import Platform
from essence.errors import InvalidInput, JuneError, NotAllowed, NotFound
from essence.ports import Journal, Reminders, TaskBoard
from essence.ports.handing_over import hand_over
from essence.work import NO_MESSAGE, Reminder, Request

LATE = timedelta(minutes=2)
"""What comes later than this was missed: June was away."""
_WORDED = "worded"
"""Name of the recorded step that holds the words of the first try to tell a reminder."""
_PAUSE_S = 5.0
_LOOK_EVERY_S = 30.0


class Reminding:
    """Looks after the reminders of all owners. Several processes may: each reminder is told once."""

    def __init__(
        self,
        reminders: Reminders,
        journal: Journal,
        board: TaskBoard,
        messengers: Messengers,
        now: Callable[[], datetime] = utc_now,
        *,
        project_id: str | None = None,
    ) -> None:
        """`project_id`: of the tasks that reminders become."""
        self._reminders, self._journal, self._board, self._messengers = reminders, journal, board, messengers
        self._now, self._project_id = now, project_id

    async def run(self) -> None:
        """Until cancelled. A platform that is away holds up no other's."""
        async with asyncio.TaskGroup() as platforms:
            for platform in get_args(Platform):
                platforms.create_task(self._run(platform))

    async def _run(self, platform: Platform) -> None:
        while True:
            try:
                settled = await self.tell_due(platform, wait_s=_LOOK_EVERY_S)
            except JuneError as error:
                observe.logger().error("reminders_not_read", code=error.code, error=str(error))
                settled = False
            if not settled:
                await asyncio.sleep(_PAUSE_S)

    async def tell_due(self, platform: Platform | None = None, *, wait_s: float = 0.0) -> bool:
        """Tell all that is due, on one platform or on all; False where one could not be told and is still due."""
        due = await self._reminders.due(platform, wait_s=wait_s)
        return all([await self._settle(reminder) for reminder in due])

    async def _settle(self, reminder: Reminder) -> bool:
        try:
            await self._tell(reminder)
        except (NotAllowed, NotFound, InvalidInput) as error:
            observe.logger().error("reminder_undeliverable", reminder=reminder.reminder_id, error=str(error))
        except JuneError as error:
            observe.logger().warning("reminder_not_told_yet", reminder=reminder.reminder_id, code=error.code)
            return False
        await self._reminders.settle(reminder, self._next(reminder))
        return True

    def _next(self, reminder: Reminder) -> datetime | None:
        """After now: of those that were missed, one is told."""
        if not reminder.rule:
            return None
        return next_time(reminder.rule, ZoneInfo(reminder.zone), max(self._now(), reminder.due_at))

    async def _tell(self, reminder: Reminder) -> None:
        key = f"reminder:{reminder.reminder_id}:{int(reminder.due_at.timestamp())}"
        if reminder.works:
            await hand_over(_request(reminder), self._journal, self._board, project_id=self._project_id, key=key)
            return
        local = reminder.due_at.astimezone(ZoneInfo(reminder.zone))
        missed = f"\n\n_(This was due on {local:%Y-%m-%d at %H:%M}. I was away.)_"
        text = f"⏰ {reminder.text}{missed if self._now() - reminder.due_at > LATE else ''}"
        await self._journal.record(key, _WORDED, text, person=_request(reminder).account)
        before = (await self._journal.steps(key))[_WORDED]
        if reminder.spoken:  # an earlier try may have got through: what it lacks would be spoken
            text = before
        try:
            await self._say(reminder, text, key)
        except InvalidInput:  # one got through, before it was late: its key stands for its words
            if before == text:
                raise
            await self._say(reminder, before, key)

    async def _say(self, reminder: Reminder, text: str, key: str) -> None:
        messenger = self._messengers.to(reminder.address)
        await messenger.send(reminder.address, text, key=key, speak=reminder.spoken, language=reminder.language)


def _request(reminder: Reminder) -> Request:
    """As if the owner asked for it now: they did, when they set it."""
    return Request(
        address=reminder.address,
        message_id=f"{NO_MESSAGE}{reminder.reminder_id}:{int(reminder.due_at.timestamp())}",
        person_id=reminder.person_id,
        text=reminder.text,
        spoken=reminder.spoken,
        language=reminder.language,
    )
