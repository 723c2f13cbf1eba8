"""Asks an owner before something is done: Do it, Fix, Cancel. No answer in time is a no."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta

from essence.agent.job import Job, utc_now
from essence.agent.messengers import Messengers
from essence.dialogue import Address, Button
from essence.ports import Approvals
from essence.work import Approval, Choice, button_data

_LABELS: tuple[tuple[Choice, str], ...] = (("do", "Do it"), ("fix", "Fix"), ("cancel", "Cancel"))
_ENDS: dict[Choice, str] = {"do": "Going ahead.", "fix": "Not like this.", "cancel": "Left undone."}
_LOOK_EVERY_S = 30.0


class Consent:
    """Puts questions to owners and waits for what they tap."""

    def __init__(
        self, approvals: Approvals, messengers: Messengers, *, wait_s: float, now: Callable[[], datetime] = utc_now
    ) -> None:
        """`wait_s`: how long an answer is waited for."""
        self._approvals, self._messengers = approvals, messengers
        self._wait_s, self._now = wait_s, now

    async def ask(self, job: Job, key: str, what: str) -> Choice | None:
        """What the owner chose; None where they chose nothing in time.

        Args:
            job: Whose owner is asked, where they wrote.
            key: Of what would be done. A repeat goes on with the question that was asked.
            what: What would be done, in Markdown.
        """
        assert job.request is not None
        approval_id = hashlib.sha256(f"{key}\n{what}".encode()).hexdigest()[:24]  # a yes is to these words alone
        asked = await self._approvals.ask(
            Approval(
                approval_id,
                job.request.address,
                job.request.person_id,
                what,
                self._now() + timedelta(seconds=self._wait_s),
            )
        )
        await self._messengers.to(job.request.address).send(
            job.request.address,
            f"May I do this?\n\n{what}",
            key=f"{key}:ask",
            reply_to_id=job.request.reply_to_id,
            buttons=tuple(Button(label, button_data(choice, approval_id)) for choice, label in _LABELS),
        )
        choice = await self._answer(asked)
        await self._show(job.request.address, f"{key}:ask", what, choice)
        return choice

    async def _answer(self, asked: Approval) -> Choice | None:
        while (left_s := (asked.expires_at - self._now()).total_seconds()) > 0:
            choice = await self._approvals.answer(asked.approval_id, wait_s=min(left_s, _LOOK_EVERY_S))
            if choice is not None:
                return choice
        return await self._approvals.answer(asked.approval_id)

    async def _show(self, at: Address, key: str, what: str, choice: Choice | None) -> None:
        """Say below the question how it ended, and so take its buttons away."""
        end = "No answer came: left undone." if choice is None else _ENDS[choice]
        await self._messengers.edit_quietly(at, key, f"{what}\n\n_{end}_")
