"""Brings an answer to its owner. What fails is delivered again; the work is never done again for it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from essence import observe
from essence.agent.job import Job
from essence.agent.messengers import Messengers
from essence.dialogue import Receipt
from essence.errors import ConfigError, JuneError
from essence.ports import Conversations
from essence.work import Request

_PAUSE_S = (0.5, 2.0, 5.0, 15.0, 30.0)
"""Between two tries; the last is repeated."""


@dataclass(frozen=True, slots=True)
class Form:
    """How an answer is given. Decided once: a second try is the same request, whatever its owner has chosen since."""

    speak: bool
    language: str | None


class Delivery:
    """Sends answers, each in its form."""

    def __init__(self, messengers: Messengers, conversations: Conversations, *, patience_s: float) -> None:
        """`patience_s`: how long one attempt at a task goes on trying."""
        self._messengers, self._conversations, self._patience_s = messengers, conversations, patience_s

    async def form(self, request: Request) -> Form:
        """As its owner asked, unless they chose another for all answers."""
        chosen = await self._conversations.preferences(request.address.platform, request.person_id)
        spoken = request.spoken if chosen.answer == "auto" else chosen.answer != "text"
        return Form(spoken, chosen.language or request.language)

    async def send(self, job: Job, text: str, form: Form) -> tuple[Receipt, ...]:
        """Send the answer to a message and return when its platform has it all.

        Raises:
            NotAllowed, NotFound, InvalidInput: It can't be delivered, whoever tries.
            JuneError: It could not be delivered within the time; try again.
        """
        assert job.request is not None
        loop = asyncio.get_running_loop()
        ends, tries = loop.time() + self._patience_s, 0
        while True:
            try:
                return await self._once(job, job.request, text, form)
            except JuneError as error:
                pause_s = _PAUSE_S[min(tries, len(_PAUSE_S) - 1)]
                if not (error.retryable or isinstance(error, ConfigError)) or loop.time() + pause_s > ends:
                    raise
                observe.logger().warning("not_delivered_yet", task=job.claim.task.task_id, code=error.code)
                tries += 1
                await asyncio.sleep(pause_s)

    async def _once(self, job: Job, request: Request, text: str, form: Form) -> tuple[Receipt, ...]:
        return await self._messengers.to(request.address).send(
            request.address,
            text,
            key=f"{job.key}:answer",
            speak=form.speak,
            language=form.language,
            reply_to_id=request.reply_to_id,
        )
