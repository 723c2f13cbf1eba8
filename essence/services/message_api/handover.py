"""Hands messages over to the service of their platform, each under a key of its own, until that has them.

The key is made from the message's id, and the request under it never changes: a repeat after a lost answer, a crash or
a lost lease gets the same receipts and sends nothing more. What is left is between a platform and its service, where
the request of a dying process can't be asked about: that service sends it again, with a mark (`essence.chat.courier`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from essence import observe
from essence.dialogue import Platform, Receipt
from essence.errors import Conflict, JuneError, StoreError, Uncertain
from essence.outgoing import Errand
from essence.ports import Messages, Messenger

T = TypeVar("T")

AT_ONCE = 16
"""Conversations that are served side by side."""
LEASE_S = 120.0
"""Longer than a call to the platform's service may take, 90 s."""
WAIT_S = 30.0
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
MOST_TRIES = 3_000
"""About a day of a platform that is down."""


@dataclass(frozen=True, slots=True)
class _Arrival:
    """What the platform has."""

    revision: int
    receipts: tuple[Receipt, ...]
    trouble: JuneError | None = None
    """Why there is no voice message, where one was wanted."""


class Handover:
    """For one platform."""

    def __init__(self, messages: Messages, messenger: Messenger, platform: Platform, *, worker_id: str) -> None:
        """`worker_id`: the same after a restart, so that what was under way goes on at once."""
        self._messages, self._messenger = messages, messenger
        self._platform, self._worker_id = platform, worker_id
        self._free = asyncio.Semaphore(AT_ONCE)

    async def run(self) -> None:
        """Hand over what is due, until cancelled."""
        await self._patiently(lambda: self._messages.release_all(self._worker_id))
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._free.acquire()
                errand = await self._next()
                tasks.create_task(self._carry(errand)).add_done_callback(lambda _: self._free.release())

    async def _next(self) -> Errand:
        while True:
            errand = await self._patiently(
                lambda: self._messages.claim(self._platform, self._worker_id, lease_s=LEASE_S, wait_s=WAIT_S)
            )
            if errand is not None:
                return errand

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask the store until it answers."""
        while True:
            try:
                return await ask()
            except JuneError as error:
                observe.logger().error("store_failed", code=error.code, error=str(error))
                await asyncio.sleep(FIRST_PAUSE_S)

    async def _carry(self, errand: Errand) -> None:
        try:
            with observe.call("message-api", "handover"):
                arrival = await self._hand_over(errand)
        except JuneError as error:
            await self._keep_failure(errand, error)
        else:
            await self._keep(errand, arrival)

    async def _hand_over(self, errand: Errand) -> _Arrival:
        message = errand.message
        if not message.delivered_revision:
            return await self._open(errand)
        receipts = await self._messenger.edit(key_of(message.message_id), message.draft.text)
        return _Arrival(message.revision, _merged(message.receipts, receipts))

    async def _open(self, errand: Errand) -> _Arrival:
        if not errand.message.draft.voice:
            return _Arrival(errand.opening_revision, await self._send(errand, speak=False))
        try:
            return _Arrival(errand.opening_revision, await self._send(errand, speak=True))
        except JuneError as error:
            if _may_be_tried_again(error, errand):
                raise
            # The text may have arrived, and only the voice failed: the same key tells.
            return _Arrival(errand.opening_revision, await self._send(errand, speak=False), error)

    async def _send(self, errand: Errand, *, speak: bool) -> tuple[Receipt, ...]:
        draft = errand.message.draft
        return await self._messenger.send(
            draft.to,
            errand.opening,
            key=key_of(errand.message.message_id),
            speak=speak,
            language=draft.language,
            reply_to_id=draft.reply_to_id,
            buttons=draft.buttons if errand.opening_revision == 1 else (),
        )

    async def _keep(self, errand: Errand, arrival: _Arrival) -> None:
        trouble = arrival.trouble
        code, why = ("", "") if trouble is None else (trouble.code, str(trouble))
        try:
            await self._messages.delivered(errand, arrival.revision, arrival.receipts, code=code, why=why)
        except JuneError as error:
            _log_not_kept(errand, error)

    async def _keep_failure(self, errand: Errand, error: JuneError) -> None:
        again = _may_be_tried_again(error, errand)
        log = observe.logger().warning if again else observe.logger().error
        log("message_not_sent", message_id=errand.message.message_id, code=error.code, error=str(error), again=again)
        retry_s = min(FIRST_PAUSE_S * 2 ** min(errand.tries - 1, 10), LONGEST_PAUSE_S) if again else None
        try:
            await self._messages.failed(errand, error.code, str(error), retry_s=retry_s)
        except JuneError as failure:
            _log_not_kept(errand, failure)


def key_of(message_id: str) -> str:
    """Under which the platform's service knows a message."""
    return f"message-api:{message_id}"


def _may_be_tried_again(error: JuneError, errand: Errand) -> bool:
    """Under one key, doing it again is safe where it is uncertain; and a full disk may be cleared."""
    passing = error.retryable or isinstance(error, Uncertain | StoreError)
    return passing and errand.tries < MOST_TRIES


def _merged(known: Sequence[Receipt], changed: Sequence[Receipt]) -> tuple[Receipt, ...]:
    """What was changed or added, in its order, then what else there is: voice messages stay as they were."""
    ids = {receipt.message_id for receipt in changed}
    return (*changed, *(receipt for receipt in known if receipt.message_id not in ids))


def _log_not_kept(errand: Errand, error: JuneError) -> None:
    """Its lease ends, and it is handed over once more under the same key; if it was lost, that has happened already."""
    log = observe.logger().info if isinstance(error, Conflict) else observe.logger().error
    log("handover_not_kept", message_id=errand.message.message_id, code=error.code, error=str(error))
