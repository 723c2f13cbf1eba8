"""What a task, and a day, may cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime
from zoneinfo import ZoneInfo

from essence.agent.job import GivesUp, utc_now
from essence.ports import Journal
from essence.work import Cost

_NAMES = {
    "calls": "answers of the language model",
    "tokens": "tokens",
    "tool_runs": "uses of tools",
    "seconds": "seconds of work",
}


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that a task and all tasks of a day may cost; a day begins at midnight in `zone`."""

    task: Cost
    day: Cost
    zone: ZoneInfo
    now: Callable[[], datetime] = utc_now

    async def check(self, spent: Cost, journal: Journal) -> None:
        """Before something more is done.

        Args:
            spent: By this task so far.
            journal: Knows what all tasks spent.

        Raises:
            GivesUp: A limit is reached.
        """
        if (limit := _reached(spent, self.task)) is not None:
            raise GivesUp(
                f"I stopped: this took {limit}, which is as much as one task may take (AGENT_TASK_… settings)."
            )
        midnight = self.now().astimezone(self.zone).replace(hour=0, minute=0, second=0, microsecond=0)
        if (limit := _reached(await journal.spent(midnight), self.day)) is not None:
            raise GivesUp(f"I stopped: today's limit of {limit} is reached (AGENT_DAY_… settings). Ask me tomorrow.")

    def seconds_left(self, spent: Cost) -> float:
        """For this task."""
        return max(0.0, self.task.seconds - spent.seconds)


def _reached(spent: Cost, limit: Cost) -> str | None:
    for field in fields(Cost):
        most = getattr(limit, field.name)
        if getattr(spent, field.name) >= most:
            return f"{most:g} {_NAMES[field.name]}"
    return None
