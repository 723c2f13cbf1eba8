"""Tasks, and what whoever works on them keeps."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from essence.dialogue import Platform
from essence.work import Approval, Choice, Cost, Memory, NewTask, Reminder, Step, Task, TaskClaim

_FREE = Cost()


class TaskBoard(Protocol):
    """Tasks, and who works on which: June's own board, or any todorama.

    All methods may raise StoreError, RateLimited, Unreachable or TooSlow; what was asked for may be tried again then.
    """

    async def create(self, task: NewTask, *, key: str) -> str:
        """Put a task on the board and return its id; a repeat with the same key makes no second one.

        Raises:
            InvalidInput: The board refuses such a task, whoever tries.
            NotFound: There is no such project or parent.
            NotAllowed: The board refuses the key of this agent.
        """
        ...

    async def claim(self, agent_id: str, *, lease_s: float, wait_s: float = 0.0) -> TaskClaim | None:
        """Take the most urgent task that can be worked on, or None if there is none within `wait_s`.

        One that this agent held when it was killed comes first. Another agent may claim it once `lease_s` have passed
        without `extend`. Costs nothing but the wait where there is no work.
        """
        ...

    async def extend(self, claim: TaskClaim, *, lease_s: float) -> None:
        """Hold a claim for `lease_s` from now.

        Raises:
            Conflict: The claim was lost: stop the work and send nothing more.
        """
        ...

    async def progress(self, claim: TaskClaim, text: str) -> None:
        """Add to the task's history how it gets on.

        Raises:
            Conflict: The claim was lost.
        """
        ...

    async def complete(self, claim: TaskClaim, notes: str) -> None:
        """End a task as done, so that nobody takes it for new work. Safe to repeat.

        Raises:
            Conflict: The claim was lost.
        """
        ...

    async def release(self, claim: TaskClaim, why: str, *, retry_s: float = 0.0, counts: bool = True) -> None:
        """Give a task back: it may be claimed again after `retry_s`; a board that counts attempts may let it die.

        One that doesn't count, as when the agent is stopped, may be claimed again at once.

        Raises:
            Conflict: The claim was lost.
        """
        ...

    async def fail(self, claim: TaskClaim, why: str) -> None:
        """End a task as failed: nobody takes it again until a person says so.

        Raises:
            Conflict: The claim was lost.
        """
        ...

    async def read(self, task_id: str) -> Task:
        """A task with its whole history.

        Raises:
            NotFound: There is no such task.
        """
        ...


class Journal(Protocol):
    """What was done for each task, step by step: where another agent goes on after a crash, and what it all cost.

    A step that is recorded is durable. All methods may raise StoreError, Unreachable or TooSlow.
    """

    async def record(self, task_key: str, step: str, text: str, *, person: str, cost: Cost = _FREE) -> bool:
        """Keep a step; False for one that is known, and what was kept stands.

        Args:
            task_key: Whose step it is.
            step: Its name within the task.
            text: What is to be known of it.
            person: On whose account it is kept and paid, as `platform/person_id`; empty for nobody's.
            cost: What it took.
        """
        ...

    async def steps(self, task_key: str) -> Mapping[str, str]:
        """The task's steps by name, in the order in which they were recorded."""
        ...

    async def timed(self, task_key: str) -> tuple[Step, ...]:
        """The task's steps with their times, in the order in which they were recorded."""
        ...

    async def spent(self, since: datetime) -> Cost:
        """What all steps since then took together."""
        ...

    async def forget(self, task_key: str, *, prefix: str = "") -> None:
        """Delete a task's steps whose names begin with `prefix`."""
        ...


class Approvals(Protocol):
    """Questions to owners before something is done. All methods may raise StoreError, Unreachable or TooSlow."""

    async def ask(self, approval: Approval) -> Approval:
        """Keep a question; of one that is known, what is kept."""
        ...

    async def decide(self, approval_id: str, person_id: str, choice: Choice) -> Approval:
        """Keep an answer; a second one changes nothing.

        Raises:
            NotFound: There is no such question, or its time is over.
            NotAllowed: It was asked somebody else.
        """
        ...

    async def answer(self, approval_id: str, *, wait_s: float = 0.0) -> Choice | None:
        """The answer, or None where there is none within `wait_s`."""
        ...


class Memories(Protocol):
    """What owners want June to know. All methods may raise StoreError, Unreachable or TooSlow."""

    async def remember(self, platform: Platform, person_id: str, text: str, *, key: str) -> Memory:
        """Keep a text; a repeat with the same key keeps no second one."""
        ...

    async def all(self, platform: Platform, person_id: str) -> tuple[Memory, ...]:
        """All that a person told, the oldest first."""
        ...

    async def correct(self, platform: Platform, person_id: str, memory_id: str, text: str) -> bool:
        """Put another text in the place of one; False where there is none of theirs."""
        ...

    async def forget(self, platform: Platform, person_id: str, memory_id: str) -> bool:
        """Delete one; False where there is none of theirs."""
        ...


class Reminders(Protocol):
    """What June is to say at a time. All methods may raise StoreError, Unreachable or TooSlow."""

    async def add(self, reminder: Reminder, *, key: str) -> Reminder:
        """Keep a reminder under a new id; a repeat with the same key keeps no second one, and returns the first."""
        ...

    async def of(self, platform: Platform, person_id: str) -> tuple[Reminder, ...]:
        """A person's reminders that are still to come, the next first."""
        ...

    async def due(self, platform: Platform | None = None, *, wait_s: float = 0.0) -> tuple[Reminder, ...]:
        """Those whose time has come, of one platform or of all, the longest waiting first; waits up to `wait_s`."""
        ...

    async def settle(self, reminder: Reminder, next_at: datetime | None) -> bool:
        """After it was told: when it comes next, or never (None); False where it was settled or cancelled meanwhile."""
        ...

    async def cancel(self, platform: Platform, person_id: str, reminder_id: str) -> bool:
        """Drop one; False where there is none of theirs."""
        ...
