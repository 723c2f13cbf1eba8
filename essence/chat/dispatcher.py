"""Hands messages to exchanges, side by side across conversations, one at a time within each."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from essence import observe
from essence.chat.exchange import Exchange
from essence.chat.house import House
from essence.chat.patience import reachable_for, with_patience
from essence.dialogue import Address, Claim
from essence.errors import Conflict, EngineError, JuneError, StoreError, TooSlow

LAST_WORDS_S = 5.0
"""Before its deadline a message is ended, so that its sender sees the end in time."""
FAIR_S = 30.0
"""An attempt gets at least this, though the deadline has passed: June was away, or somebody has set the clock."""
FAIR_ATTEMPTS = 3
"""So many do; more would never end a message that kills whoever takes it up."""
RETRY_S = 1.0


class Running:
    """An exchange that is going on, and how it is stopped."""

    def __init__(self, claim: Claim, exchange: Exchange) -> None:
        self.claim, self.exchange = claim, exchange
        self.stopped = ""
        """Why it was stopped; empty while it goes on."""
        self.ending = False
        """Whether the message is being ended as failed, which nothing breaks off."""
        self._task = asyncio.current_task()

    def stop(self, why: str) -> None:
        """Break the answer off; its exchange ends the message."""
        if not self.stopped and not self.ending and self._task is not None:
            self.stopped = why
            self._task.cancel()

    def drop(self) -> None:
        """Let go of it without another word: the claim was lost, and whoever has it answers."""
        if self._task is not None:
            self._task.cancel()

    def resume(self) -> None:
        """Take the cancelling back, so that the task can end the message."""
        if self._task is not None:
            self._task.uncancel()


class Dispatcher:
    """Claims messages of one channel's platform for as long as `run` runs."""

    def __init__(self, house: House, *, worker_id: str) -> None:
        self._house, self._worker_id = house, worker_id
        self._running: dict[Address, Running] = {}
        self._slots = asyncio.Semaphore(house.settings.chat_answers)

    @property
    def running(self) -> int:
        """How many messages are being answered."""
        return len(self._running)

    def at(self, address: Address) -> Running | None:
        """What is being answered in a conversation by this process."""
        return self._running.get(address)

    async def run(self) -> None:
        """Answer what comes, until cancelled; what is unfinished then is given back."""
        await with_patience(lambda: self._house.store.inbox.release_all(self._worker_id))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._hold_claims())
            while True:
                await self._slots.acquire()
                claim = await self._claim()
                if claim is None:
                    self._slots.release()
                else:
                    tasks.create_task(self._work(claim))

    async def _claim(self) -> Claim | None:
        settings, platform = self._house.settings, self._house.channel.profile.platform
        try:
            return await self._house.store.inbox.claim(
                self._worker_id, lease_s=settings.chat_lease_s, wait_s=60.0, platform=platform
            )
        except JuneError as error:
            observe.logger().error("claim_failed", code=error.code, error=str(error))
            await asyncio.sleep(RETRY_S)
            return None

    async def _work(self, claim: Claim) -> None:
        address = claim.message.address
        running = Running(claim, Exchange(self._house, claim))
        self._running[address] = running
        try:
            await self._answer(running)
        except Conflict:
            observe.logger().info("claim_lost", key=claim.message.key)
        except JuneError as error:  # the store: the lease ends, and the message is tried again
            observe.logger().error("exchange_not_ended", key=claim.message.key, code=error.code, error=str(error))
        except asyncio.CancelledError:
            await self._give_back(claim)
            raise
        finally:
            if self._running.get(address) is running:
                del self._running[address]
            self._slots.release()

    async def _answer(self, running: Running) -> None:
        exchange = running.exchange
        try:
            await self._within_deadline(running)
        except asyncio.CancelledError:
            if not running.stopped:
                raise
            running.resume()
            await exchange.leave_off(running.stopped)
        except Conflict:
            raise
        except StoreError:  # tried again when its lease has ended: till then it could not be ended either
            if not exchange.delivered:
                await self._house.notices.nothing_is_kept(running.claim.message)
            raise
        except JuneError as error:
            if exchange.delivered:  # the store could not end it, and will: the person has their answer
                raise
            running.ending = True
            await exchange.fail(error)
        except Exception:  # noqa: BLE001 (a bug must not leave a person without an end)
            observe.logger().exception("exchange_crashed", key=running.claim.message.key)
            running.ending = True
            await exchange.fail(EngineError("Something in me failed at this message. My log tells more."))

    async def _within_deadline(self, running: Running) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                limit = tasks.create_task(self._expire(running))
                await running.exchange.answer()
                limit.cancel()
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed

    async def _expire(self, running: Running) -> None:
        """Fail at the deadline, unless the answer is made: what only the platform holds up is not thrown away."""
        await reachable_for(_seconds_left(running.claim), self._house.channel)
        if not running.exchange.made:
            raise TooSlow("This took longer than it may. Please try again, or send something shorter.")

    async def _give_back(self, claim: Claim) -> None:
        try:
            await self._house.store.inbox.release(claim)
        except JuneError as error:
            observe.logger().warning("claim_not_given_back", key=claim.message.key, code=error.code)

    async def _hold_claims(self) -> None:
        lease_s = self._house.settings.chat_lease_s
        while True:
            await asyncio.sleep(lease_s / 3)
            for running in list(self._running.values()):
                try:
                    await self._house.store.inbox.extend(running.claim, lease_s=lease_s)
                except Conflict:
                    observe.logger().info("claim_lost", key=running.claim.message.key)
                    running.drop()
                except JuneError as error:
                    observe.logger().warning("lease_not_extended", code=error.code, error=str(error))


def _seconds_left(claim: Claim) -> float:
    """Until the deadline; no longer than it was set for, whatever the clock says."""
    whole_s = (claim.deadline_at - claim.received_at).total_seconds()
    left_s = min((claim.deadline_at - datetime.now(UTC)).total_seconds(), whole_s) - LAST_WORDS_S
    fair_s = min(FAIR_S, whole_s - LAST_WORDS_S) if claim.attempt <= FAIR_ATTEMPTS else 0.0
    return max(left_s, fair_s, 0.0)
