"""Hands messages to exchanges, side by side across conversations, one at a time within each."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from essence import observe
from essence.chat.exchange import Exchange, House
from essence.dialogue import Address, Claim
from essence.errors import Conflict, EngineError, JuneError, TooSlow

LAST_WORDS_S = 5.0
"""Before its deadline a message is ended, so that its sender sees the end in time."""
RETRY_S = 1.0


class Running:
    """An exchange that is going on, and how it is stopped."""

    def __init__(self, claim: Claim, exchange: Exchange) -> None:
        self.claim, self.exchange = claim, exchange
        self.stopped = ""
        """Why it was stopped; empty while it goes on."""
        self._task = asyncio.current_task()

    def stop(self, why: str) -> None:
        """Break the answer off; its exchange ends the message."""
        if not self.stopped and self._task is not None:
            self.stopped = why
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
        await self._house.store.inbox.release_all(self._worker_id)
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
        except JuneError as error:
            await exchange.fail(error)
        except Exception:  # noqa: BLE001 (a bug must not leave a person without an end)
            observe.logger().exception("exchange_crashed", key=running.claim.message.key)
            await exchange.fail(EngineError("Something in me failed at this message. My log tells more."))

    async def _within_deadline(self, running: Running) -> None:
        limit = asyncio.timeout(_seconds_left(running.claim))
        try:
            async with limit, asyncio.TaskGroup() as tasks:
                waiting = tasks.create_task(self._put_off(limit))
                await running.exchange.answer()
                waiting.cancel()
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise TooSlow("This took longer than it may. Please try again, or send something shorter.") from error
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed

    async def _put_off(self, limit: asyncio.Timeout) -> None:
        """While the platform can't be reached, nobody could see an end: time stands still."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(RETRY_S)
            when = limit.when()
            if when is not None and not self._house.channel.state.connected:
                limit.reschedule(max(when, loop.time()) + RETRY_S)

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
                    running.stop("another process has it")
                except JuneError as error:
                    observe.logger().warning("lease_not_extended", code=error.code, error=str(error))


def _seconds_left(claim: Claim) -> float:
    return max((claim.deadline_at - datetime.now(UTC)).total_seconds() - LAST_WORDS_S, 0.0)
