"""Brings parts of answers to the platform, each written down before it leaves and when it has arrived.

Two ways lead here. An answer in the making hands its parts to `send`, which lets them go at once. What a process that
died has left behind, what waits for a retry and what another process has written is found by `run`. The outbox sees to
it that a part has one sender at a time and that a conversation's parts keep their order.

The policy where a request's answer was lost: the part is sent again, and where the platform can't recognise the repeat,
it bears a mark. Losing a message is worse than a message that may come twice and says so. Where answers are lost for an
hour, the part is assumed to have arrived: a tenth copy tells nobody anything.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from weakref import WeakValueDictionary

from essence import observe
from essence.chat.patience import PASSING, with_patience
from essence.dialogue import Address, Claim, Part, Receipt, Reply
from essence.errors import (
    Conflict,
    EngineError,
    InvalidInput,
    JuneError,
    NotFound,
    RateLimited,
    StoreError,
    Uncertain,
    by_code,
)
from essence.ports import Channel, Outbox

LEASE_S = 90.0
"""How long a request may be on its way: longer than a channel's own deadline for uploads, 60 s."""
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
MOST_TRIES = 3_000
"""About a day of a platform that is down."""
MOST_LOST = 9
"""So many requests for one part go out whose answers are lost, where the platform can't tell a repeat.

From the third on they leave after LONGEST_PAUSE_S, and twice as much each time: all in all within an hour, for which a
platform may hang that takes requests and does nothing. No channel keeps an unused connection for LONGEST_PAUSE_S, so
dead ones can swallow some of the requests, not all.
"""
LOOK_AGAIN_S = 2.0
"""How often whoever waits for a part looks whether another process has sent it."""


class Courier:
    """Sends for one channel. `run` must run as long as anything is sent."""

    def __init__(self, outbox: Outbox, channel: Channel, *, sender_id: str) -> None:
        """`sender_id`: the same after a restart, so that what was on its way then is known to be uncertain."""
        self._outbox, self._channel, self._sender_id = outbox, channel, sender_id
        self._platform = channel.profile.platform
        self._on_their_way: dict[str, asyncio.Task[Part | None]] = {}
        self._lost: Counter[str] = Counter()
        """Answers that were lost, by part. A restart counts anew: rather a marked copy too many than none."""
        self._ends: WeakValueDictionary[str, asyncio.Event] = WeakValueDictionary()
        """By part: set once its end can be read, and never cleared, so that whoever looked before it is woken too."""

    async def run(self) -> None:
        """Send what waits, until cancelled; requests that have left are then waited for."""
        await with_patience(lambda: self._outbox.release_all(self._sender_id))
        try:
            while True:
                await self._send_pending()
        finally:
            await self._let_arrive()

    async def _send_pending(self) -> None:
        try:
            parts = await self._outbox.pending(self._platform, wait_s=LONGEST_PAUSE_S)
            began = [await self._begin(part.key) for part in parts]
        except JuneError as error:
            observe.logger().error("outbox_failed", code=error.code, error=str(error))
            await asyncio.sleep(LOOK_AGAIN_S)
        else:
            if parts and not any(began):  # others were faster
                await asyncio.sleep(FIRST_PAUSE_S)

    async def _begin(self, key: str) -> bool:
        if key in self._on_their_way:
            return False
        try:
            part = await self._outbox.sending(key, sender_id=self._sender_id, lease_s=LEASE_S)
        except Conflict:  # somebody else sends it, or it was taken back
            return False
        self._start(part)
        return True

    async def _let_arrive(self) -> None:
        if self._on_their_way:
            await asyncio.wait(self._on_their_way.values(), timeout=LEASE_S)

    async def send(self, key: str, to: Address, reply: Reply, *, under: Claim | None = None) -> Part:
        """Keep a part and return when the platform has it. Cancelling leaves it on its way.

        Raises:
            Conflict: The claim was lost, and nothing is kept; or the part was taken back.
            JuneError: It was given up: the platform's refusal.
        """
        part = await with_patience(
            lambda: self._outbox.dispatch(key, to, reply, sender_id=self._sender_id, lease_s=LEASE_S, under=under)
        )
        if part is not None:
            settled = await asyncio.shield(self._start(part))
            if settled is not None:
                return _arrived(settled)
        return await self.arrival(key)

    async def arrival(self, key: str) -> Part:
        """Wait until a part was sent, by whichever process.

        Raises:
            NotFound: No such part.
            Conflict: It was taken back.
            JuneError: It was given up.
        """
        while True:
            ended = self._ends.setdefault(key, asyncio.Event())
            part = await self._part(key)
            if part.state in ("sent", "given_up", "cancelled"):
                return _arrived(part)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), LOOK_AGAIN_S)

    async def _part(self, key: str) -> Part:
        for part in await self._outbox.parts(key.rpartition(":")[0]):
            if part.key == key:
                return part
        raise NotFound(f"The outbox has no part {key}.")

    def _start(self, part: Part) -> asyncio.Task[Part | None]:
        """A task of the courier's own: whoever asked may be cancelled, and the request must still be written down."""
        task = asyncio.create_task(self._deliver(part))
        self._on_their_way[part.key] = task
        task.add_done_callback(lambda _: self._on_their_way.pop(part.key, None))
        return task

    async def _deliver(self, part: Part) -> Part | None:
        """The part as it was settled; None where it will be tried again."""
        try:
            with observe.call("channel", "send"):
                receipt = await self._channel.send(part.to, part.reply, key=part.key, again=part.doubtful)
        except JuneError as error:
            return await self._failed(part, error)
        except Exception:  # noqa: BLE001 (a bug must not hold back all that follows in this conversation)
            observe.logger().exception("channel_crashed", key=part.key)
            return await self._failed(part, EngineError("Something in me failed at sending this. My log tells more."))
        return await self._sent(part, receipt)

    async def _sent(self, part: Part, receipt: Receipt) -> Part:
        await self._end(part, lambda: self._outbox.sent(part.key, receipt))
        return replace(part, state="sent", receipt=receipt)

    async def _failed(self, part: Part, error: JuneError) -> Part | None:
        uncertain = isinstance(error, Uncertain)
        if uncertain and self._count_lost(part) >= MOST_LOST:
            observe.logger().error("part_assumed", key=part.key, error=str(error), tries=part.tries)
            return await self._sent(part, Receipt("", datetime.now(UTC), assumed=True))
        why = f"{error.code}: {error}"
        final = not (error.retryable or uncertain) or part.tries >= MOST_TRIES
        log = observe.logger().error if final else observe.logger().warning
        log("part_not_sent", key=part.key, code=error.code, error=str(error), tries=part.tries, given_up=final)
        if final:
            await self._end(part, lambda: self._outbox.failed(part.key, why, retry_at=None, doubtful=uncertain))
            return replace(part, state="given_up", why=why)
        retry_at = datetime.now(UTC) + timedelta(seconds=self._pause_s(part, error))
        await self._persist(lambda: self._outbox.failed(part.key, why, retry_at=retry_at, doubtful=uncertain))
        return None

    def _count_lost(self, part: Part) -> int:
        """One more answer was lost; returns how many of this part's, 0 where another try does no harm."""
        if self._channel.profile.knows_repeats:
            return 0
        self._lost[part.key] += 1
        return self._lost[part.key]

    def _pause_s(self, part: Part, error: JuneError) -> float:
        if isinstance(error, RateLimited):
            return error.retry_after_s
        if (lost := self._lost.get(part.key, 0)) >= 2:
            return LONGEST_PAUSE_S * 2.0 ** (lost - 2)
        doubled: float = FIRST_PAUSE_S * 2 ** min(part.tries - 1, 10)
        return min(doubled, LONGEST_PAUSE_S)

    async def _end(self, part: Part, work: Callable[[], Awaitable[None]]) -> None:
        if not await self._persist(work):
            return  # it has not ended: whoever waits for it looks again in a while
        self._lost.pop(part.key, None)
        if (ended := self._ends.get(part.key)) is not None:
            ended.set()

    async def _persist(self, work: Callable[[], Awaitable[None]]) -> bool:
        """If the store can't be had here, the part's lease ends and it is uncertain, which the outbox knows to tell."""
        try:
            await with_patience(work, passing=(*PASSING, StoreError))
        except JuneError as error:
            observe.logger().error("receipt_not_kept", code=error.code, error=str(error))
            return False
        return True


def _arrived(part: Part) -> Part:
    """A part that was sent; raises what became of any other."""
    if part.state == "sent":
        return part
    if part.state == "cancelled":
        raise Conflict(f"{part.key} was taken back.")
    code, _, sentence = part.why.partition(": ")
    raise by_code().get(code, InvalidInput)(sentence or part.why)
