"""One claimed task on its way through the agent, and what makes its work end early."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from essence.dialogue import Platform
from essence.ports.rounds import key_of
from essence.work import Request, TaskClaim, request_of

Owners = Mapping[Platform, frozenset[str]]
"""Ids of those whose June this is, by platform."""


class GivesUp(Exception):
    """The work on a task ends here, whoever tries; `str` is what its owner reads."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is worked on, and for whom."""

    claim: TaskClaim
    request: Request | None
    """The message that is to be answered; None where nobody waits for an answer."""
    owner: bool
    """The message is from one whose June this is."""
    round: int = 0
    """How often the task failed and a person said that it is to be tried again."""

    @property
    def key(self) -> str:
        """Of the task's steps: the same for each attempt, whoever makes it, until the task has failed."""
        task = self.claim.task
        made_at = task.created_at.astimezone(UTC).isoformat()
        key = f"task:{task.task_id}:{made_at}" if self.request is None else self.request.key
        return key_of(key, self.round)

    @property
    def person(self) -> str:
        """On whose account steps are kept; empty for nobody's."""
        return "" if self.request is None else self.request.account

    @property
    def words(self) -> str:
        """What the owner themselves typed or spoke: the only words that authorize anything."""
        if self.request is None or not self.owner or self.request.forwarded:
            return ""
        return self.request.text


def job_of(claim: TaskClaim, owners: Owners) -> Job:
    """What a claimed task asks for.

    Raises:
        InvalidInput: It carries a message that can't be read.
    """
    request = request_of(claim.task)
    owner = request is not None and request.person_id in owners.get(request.address.platform, frozenset())
    return Job(claim, request, owner)


def utc_now() -> datetime:
    """Aware UTC."""
    return datetime.now(UTC)
