"""Long polling: an update is confirmed only after everything up to it is durable."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import NoReturn

from essence import observe
from essence.dialogue import Message
from essence.errors import JuneError
from essence.services.telegram.api import Api, Json
from essence.services.telegram.incoming import Move
from essence.services.telegram.intake import Intake, chat_id_of
from essence.services.telegram.refusals import Lost, Refusal

Lane = list[tuple[int, Message | Move]]
"""What happened in one chat, with the ids of the updates."""

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
CONFLICT_PAUSE_S = 5.0
"""Until the other process that polls with this token may have ended."""
TOO_MANY = 429
CONFLICT = 409


class Pauses:
    """Waits longer after each failure: twice as long, less up to a half by chance, so that many don't come at once."""

    def __init__(self) -> None:
        self._next_s = FIRST_PAUSE_S

    def over(self) -> None:
        """It works again."""
        self._next_s = FIRST_PAUSE_S

    async def after(self, trouble: Refusal | Lost | JuneError) -> None:
        """Wait as long as Telegram asks for, or as suits."""
        if isinstance(trouble, Refusal) and trouble.status == TOO_MANY:
            await asyncio.sleep(trouble.retry_after_s)
        elif isinstance(trouble, Refusal) and trouble.status == CONFLICT:
            await asyncio.sleep(CONFLICT_PAUSE_S)
        else:
            pause_s, self._next_s = self._next_s, min(2 * self._next_s, LONGEST_PAUSE_S)
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - no secret


class Polling:
    """Asks for updates until it is cancelled."""

    def __init__(self, api: Api, intake: Intake) -> None:
        self._api, self._intake = api, intake
        self._offset = 0
        self._pauses = Pauses()

    async def run(self) -> NoReturn:
        """Raises Refusal where the token is refused; all else is tried again."""
        while True:
            try:
                # After a failure it doesn't wait, to learn soon that all is well.
                updates = await self._api.updates(self._offset, wait=self._api.connected)
                self._api.connected = True
                await self._take(updates)
                self._pauses.over()
            except (Refusal, Lost) as trouble:
                if isinstance(trouble, Refusal) and trouble.of_token:
                    raise
                self._api.connected = False
                await self._pauses.after(trouble)
            except JuneError as error:
                observe.logger().warning("message_not_kept", code=error.code, error=str(error))
                await self._pauses.after(error)

    async def _take(self, updates: Sequence[Json]) -> None:
        """Hand updates over, move the offset up to the first that was not taken, and raise why that was not."""
        ids = sorted(update_id for update in updates if isinstance(update_id := update.get("update_id"), int))
        failures = [failure for failure in await asyncio.gather(*map(self._take_lane, self._lanes(updates))) if failure]
        if failures:
            self._offset, error = min(failures, key=lambda failure: failure[0])
            raise error
        if ids:
            self._offset = max(self._offset, ids[-1] + 1)

    def _lanes(self, updates: Sequence[Json]) -> list[Lane]:
        """What happened, by chat, each lane in the order in which it did."""
        lanes: dict[str, Lane] = {}
        for update in updates:
            if (item := self._intake.read(update)) is not None:
                lanes.setdefault(chat_id_of(item), []).append((update["update_id"], item))
        return [sorted(lane, key=lambda entry: entry[0]) for lane in lanes.values()]

    async def _take_lane(self, lane: Lane) -> tuple[int, JuneError] | None:
        """The update that was not taken, and why; what follows it was not tried."""
        for update_id, item in lane:
            try:
                await self._intake.hand_over(item)
            except JuneError as error:
                return update_id, error
        return None
