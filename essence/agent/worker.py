"""Claims tasks and works through them: one claim is one attempt, and each attempt goes on where the last one was lost.

    claim → steps (model, tools) → answer kept → delivered → receipt kept → completed

Each arrow is a recorded step, so an attempt that takes over skips what is behind it. The claim is extended while the
work goes on; whoever lost it stops and sends nothing more.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

from essence import observe
from essence.agent import evidence
from essence.agent.budget import Budget
from essence.agent.consent import Consent
from essence.agent.delivery import Delivery, Form
from essence.agent.earlier import Earlier, earlier
from essence.agent.first_look import asked_for
from essence.agent.gate import Gate
from essence.agent.job import GivesUp, Job, Owners, job_of, utc_now
from essence.agent.loop import ToolLoop
from essence.agent.messengers import Messengers
from essence.agent.progress import Progress
from essence.agent.prompt import OTHERS_WROTE, asked, history, question
from essence.agent.toolbox import Toolbox
from essence.agent.tools.memory import matching
from essence.agent.tools.tool import AnyTool, Kind
from essence.agent.watched import is_told_to_stop, watched
from essence.dialogue import Turn
from essence.errors import Conflict, InvalidInput, JuneError, NotAllowed, NotFound
from essence.ports import LanguageModel, Store, TaskBoard
from essence.ports.rounds import rounds_of
from essence.work import AGAIN, ANSWER, CLAIMED, DELIVERED, FAILED, STOPPED, Memory, TaskClaim

STOP_EVERY_S = 1.0
"""How often a worker looks whether its owner has stopped it."""


class Stopped(Exception):
    """The owner wants nothing more of this task."""


_BOARD_PAUSE_S = 0.5
"""Between two tries to tell the board something."""


_NOT_TAKEN = (
    "This June has taken no such message, and nobody else can speak in a person's name. Chat services, agent and "
    "create-user-interaction-task must have one STORE_URL."
)
_BROKEN_OFF = (
    "I was broken off {} times while I worked on this, as when a computer runs out of memory. I have given it up; "
    "my log says more."
)
KNOWN_MAX = 5
"""Memories that a model is shown unasked."""


@dataclass(frozen=True, slots=True)
class Manners:
    """How an agent works."""

    agent_id: str
    system_prompt: str
    owners: Owners
    zone: ZoneInfo
    """The owner's."""
    lease_s: float = 60.0
    """After how long without a sign of life another agent takes a task over."""
    attempts: int = 5
    """So often a task is begun before its owner is told that it failed."""
    slow_s: float = 6.0
    """After how long without a word the owner is told that June is at it."""
    retry_s: float = 10.0
    """Before a task that failed for now is tried again."""
    delivery_s: float = 3600.0
    """How long one attempt goes on trying to deliver."""
    history_turns: int = 20
    history_chars: int = 6000
    likely_only: bool = False
    """Offer a model no more tools than the words call for."""


@dataclass(frozen=True, slots=True)
class House:
    """What an agent works with: roles alone."""

    board: TaskBoard
    model: LanguageModel
    store: Store
    messengers: Messengers
    tools: Callable[[Job, Progress], Sequence[AnyTool]]
    """What may be used for a job."""
    gate: Gate
    consent: Consent
    budget: Budget
    now: Callable[[], datetime] = utc_now


class Worker:
    """Works on one task at a time; several may run in one process."""

    def __init__(self, house: House, manners: Manners) -> None:
        self._house, self._manners = house, manners
        self._delivery = Delivery(house.messengers, house.store.conversations, patience_s=manners.delivery_s)
        self._loop = ToolLoop(house.model, house.store.journal, house.budget)

    async def work_once(self, *, wait_s: float = 0.0) -> bool:
        """Claim a task, if there is one within `wait_s`, and work on it; False where there was none.

        Raises:
            JuneError: The board can't be asked.
        """
        claim = await self.claim(wait_s=wait_s)
        if claim is not None:
            await self.work(claim)
        return claim is not None

    async def claim(self, *, wait_s: float) -> TaskClaim | None:
        """The next task, or None if there is none within `wait_s`.

        Raises:
            JuneError: The board can't be asked.
        """
        return await self._house.board.claim(self._manners.agent_id, lease_s=self._manners.lease_s, wait_s=wait_s)

    async def work(self, claim: TaskClaim) -> None:
        """Make one attempt; whatever happens, the task is ended, given back, or somebody else's."""
        log, lost = observe.logger().bind(task=claim.task.task_id, attempt=claim.attempt), asyncio.Event()
        try:
            async with watched(self._hold(claim, lost)):
                await self._work(claim, lost)
            log.info("task_ended")
        except Conflict:
            log.warning("claim_lost")
        except asyncio.CancelledError:
            is_stopped = is_told_to_stop()
            why = "The agent was stopped." if is_stopped else "The work was broken off."
            await self._give_back(claim, why, retry_s=0.0, patience_s=0.0, counts=not is_stopped)
            raise
        except JuneError as error:
            log.warning("attempt_failed", code=error.code, error=str(error))
            manners = self._manners
            await self._give_back(claim, str(error), retry_s=manners.retry_s, patience_s=manners.lease_s)
        except Exception as error:  # a mistake of June's: other tasks must not suffer from it
            log.exception("attempt_broke_down")
            why = f"June broke down over this ({type(error).__name__})."
            await self._give_back(claim, why, retry_s=self._manners.retry_s, patience_s=self._manners.lease_s)

    async def _hold(self, claim: TaskClaim, lost: asyncio.Event) -> NoReturn:
        """Keep the claim alive.

        Raises:
            Conflict: It was lost; `lost` is set.
        """
        while True:
            await asyncio.sleep(self._manners.lease_s / 3)
            try:
                await self._house.board.extend(claim, lease_s=self._manners.lease_s)
            except Conflict:
                lost.set()
                raise
            except JuneError as error:  # the lease has not ended yet: the next try may get through
                observe.logger().warning("claim_not_extended", task=claim.task.task_id, code=error.code)

    async def _listen_for_stop(self, job: Job) -> NoReturn:
        """Wait for the owner to stop it.

        Raises:
            Stopped: They did.
        """
        while True:
            with suppress(JuneError):  # looked at again soon
                if STOPPED in await self._house.store.journal.steps(job.key):
                    raise Stopped
            await asyncio.sleep(STOP_EVERY_S)

    async def _give_back(
        self, claim: TaskClaim, why: str, *, retry_s: float, patience_s: float, counts: bool = True
    ) -> None:
        try:
            await _told(lambda: self._house.board.release(claim, why, retry_s=retry_s, counts=counts), patience_s)
        except JuneError as error:  # the lease ends by itself
            observe.logger().warning("task_not_given_back", task=claim.task.task_id, code=error.code)

    async def _work(self, claim: TaskClaim, lost: asyncio.Event) -> None:
        try:
            job = job_of(claim, self._manners.owners)
        except InvalidInput as error:
            await self._house.board.fail(claim, str(error))
            return
        rounds = await rounds_of(job.key, self._house.store.journal)
        if job.request is not None and job.request.voucher not in rounds[0].steps:
            observe.logger().warning("message_not_vouched_for", task=claim.task.task_id)
            await self._house.board.fail(claim, _NOT_TAKEN)
            return
        job, recorded = replace(job, round=rounds[-1].number), dict(rounds[-1].steps)
        if (answer := recorded.get(ANSWER)) is None:
            try:
                async with self._attempt(job, recorded, lost) as attempt, watched(self._listen_for_stop(job)):
                    answer = await self._answer(job, recorded, attempt)
            except Stopped:
                await self._fail(job, "Its owner stopped it.")
                return
            await self._record(job, ANSWER, answer)
        await self._conclude(job, json.loads(answer), delivered=DELIVERED in recorded)

    @asynccontextmanager
    async def _attempt(self, job: Job, recorded: dict[str, str], lost: asyncio.Event) -> AsyncIterator[int]:
        """Record that an answer is sought; yields how often that makes.

        The board's own count says something else: on its way to an answer, too, a task is given back and claimed anew.
        An attempt at which the agent was told to stop is no attempt; one that lost its claim is.
        """
        if job.request is None:
            yield job.claim.attempt
            return
        numbers = [int(step.removeprefix(AGAIN).rstrip(".")) for step in recorded if step.startswith(AGAIN)]
        begun = max(numbers, default=0) + (CLAIMED in recorded)  # some may be gone: those of agents that were stopped
        step = f"{AGAIN}{begun}." if begun else CLAIMED
        await self._record(job, step, "")
        try:
            yield begun + 1
        except asyncio.CancelledError:
            if begun and is_told_to_stop() and not lost.is_set():
                with suppress(JuneError):
                    await self._house.store.journal.forget(job.key, prefix=step)
            raise

    async def _answer(self, job: Job, recorded: dict[str, str], attempt: int) -> str:
        """The answer as it is recorded: JSON of its text, its form, and of whether the task succeeded."""
        text, failed = await self._text(job, recorded, attempt)
        form = None if job.request is None else asdict(await self._delivery.form(job.request))
        return json.dumps({"text": text, "failed": failed, "form": form})

    async def _text(self, job: Job, recorded: dict[str, str], attempt: int) -> tuple[str, bool]:
        """What the owner reads, and whether the task failed."""
        if job.request is not None and attempt > self._manners.attempts:
            return f"⚠️ {_BROKEN_OFF.format(attempt - 1)}", True
        progress = Progress(job, self._house.board, self._house.messengers)
        try:
            async with self._not_silent(progress):
                return await self._think(job, progress, recorded), False
        except GivesUp as reason:
            return f"⚠️ {reason}", True
        except Conflict:
            raise
        except JuneError as error:
            if error.retryable and attempt < self._manners.attempts:
                raise
            return f"⚠️ {error}", True
        except Exception as error:  # noqa: BLE001 - a mistake of June's, which the next attempt would make again
            observe.logger().exception("task_broke_down", task=job.claim.task.task_id)
            return f"⚠️ I broke down over this ({type(error).__name__}); my log says more.", True

    @asynccontextmanager
    async def _not_silent(self, progress: Progress) -> AsyncIterator[None]:
        async def after_a_while() -> None:
            await asyncio.sleep(self._manners.slow_s)
            await progress.waiting()

        waiting = asyncio.create_task(after_a_while())
        try:
            yield
        finally:
            waiting.cancel()

    async def _think(self, job: Job, progress: Progress, recorded: dict[str, str]) -> str:
        house = self._house
        toolbox = Toolbox(house.tools(job, progress), job, house.store.journal, house.gate, house.consent)
        before = await self._earlier(job)
        likely = asked_for(job.words) & toolbox.names if self._manners.likely_only else None
        if not likely:  # else nothing of the conversation is shown
            toolbox.tainted |= before.tainted
        now = house.now().astimezone(self._manners.zone)
        asked_now = question(job, now, await self._known(job), likely=likely)
        turns = history(self._manners.system_prompt, before.turns, asked_now, likely=likely)
        answer = await self._loop.answer(job, turns, toolbox, recorded, likely=likely)
        await self._remember_turns(job, answer, tainted=toolbox.tainted)
        proven, changed = _proven(toolbox)
        return evidence.marked(answer) if evidence.unproven(answer, proven, changed=changed) else answer

    async def _known(self, job: Job) -> Sequence[Memory]:
        """What the owner told June that shares words with the message."""
        if job.request is None or not job.words:
            return ()
        known = await self._house.store.memories.all(job.request.address.platform, job.request.person_id)
        return matching(known, job.words)[-KNOWN_MAX:]

    async def _earlier(self, job: Job) -> Earlier:
        if job.request is None:
            return Earlier()
        manners = self._manners
        return await earlier(
            self._house.store.conversations, job.request, turns=manners.history_turns, chars=manners.history_chars
        )

    async def _remember_turns(self, job: Job, answer: str, *, tainted: bool) -> None:
        if job.request is None:
            return
        keep = partial(self._house.store.conversations.append, job.request.address, person_id=job.request.person_id)
        await keep((Turn("user", asked(job)),), key=f"{job.key}:asked")  # as a rule the chat service has kept it
        said = f"{OTHERS_WROTE} {answer}" if tainted else answer
        await keep((Turn("assistant", said),), key=f"{job.key}:answered")

    async def _conclude(self, job: Job, answer: dict[str, Any], *, delivered: bool) -> None:
        """Deliver what was answered, then end the task; the delivery receipt comes first."""
        text, failed, board = str(answer["text"]), answer["failed"] is True, self._house.board
        lease_s = self._manners.lease_s
        if job.request is not None and not delivered:
            await _told(lambda: board.extend(job.claim, lease_s=lease_s), lease_s)  # who lost the claim sends nothing
            try:
                form = answer.get("form")  # none in what an older June recorded
                chosen = await self._delivery.form(job.request) if form is None else Form(**form)
                receipts = await self._delivery.send(job, text, chosen)
            except (NotAllowed, NotFound, InvalidInput) as error:
                await self._fail(job, f"The answer can't be delivered: {error}")
                return
            await self._record(job, DELIVERED, json.dumps([receipt.message_id for receipt in receipts]))
        if failed:
            await self._fail(job, text)
        else:
            await _told(lambda: board.complete(job.claim, text), lease_s)

    async def _fail(self, job: Job, why: str) -> None:
        """End the task as failed; what is recorded of it counts no more, should somebody want it tried again."""
        await _told(lambda: self._house.board.fail(job.claim, why), self._manners.lease_s)
        await self._record(job, FAILED, why)

    async def _record(self, job: Job, step: str, text: str) -> None:
        await self._house.store.journal.record(job.key, step, text, person=job.person)


async def _told(tell: Callable[[], Awaitable[None]], patience_s: float) -> None:
    """Tell the board something of a claim, again while it is away: that changes nothing before the lease is over.

    Raises:
        JuneError: As the board says, at last.
    """
    loop = asyncio.get_running_loop()
    gives_up_at = loop.time() + patience_s
    while True:
        try:
            return await tell()
        except JuneError as error:
            if not error.retryable or loop.time() + _BOARD_PAUSE_S > gives_up_at:
                raise
            observe.logger().warning("board_not_told_yet", code=error.code, error=str(error))
        await asyncio.sleep(_BOARD_PAUSE_S)


def _proven(toolbox: Toolbox) -> tuple[set[Kind], bool]:
    """What the successful calls of a task did, and whether any of them changed something."""
    proven: set[Kind] = set()
    changed = False
    for result in toolbox.results:
        tool = toolbox.tool(result.tool)
        if tool is not None and result.ok and tool.proves:
            proven |= tool.proves
            changed = True
    return proven, changed
