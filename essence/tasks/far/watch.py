"""Tells lost tasks of agents that share no store with this one, by the leases that they tell on the board.

Clocks of two machines are not compared: a lease is over when the same telling of it was seen for as long as it says.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from essence.tasks.far.records import Row, newest_lease
from essence.tasks.far.wire import Answer

READ_AT_ONCE = 5
"""Tasks that are read in one look: it costs a request each."""
_SILENT = 2
"""After so many readings without a lease no June works on a task; the first telling of one may have failed."""


@dataclass(slots=True)
class _Sighting:
    agent_id: str
    update_id: int | None = None
    over_s: float = math.inf
    """When its lease is over if nothing new is told; by the loop's clock."""
    read_s: float = -math.inf
    """When it was read last."""
    silent: int = 0
    """How often it was read and told no lease, or one for good."""


class Watch:
    """What was seen of other agents' work."""

    def __init__(self) -> None:
        self._seen: dict[str, _Sighting] = {}

    def to_read(self, rows: Iterable[Row]) -> list[str]:
        """Which of the tasks in progress had better be read now: those that were here before, the longest unread first.

        One that is new is left for the next look: its agent may not have told its lease yet.
        """
        before, self._seen = self._seen, {}
        known: list[str] = []
        for row in rows:
            task_id, agent_id = str(row["id"]), str(row["assigned_agent"])
            sighting = before.get(task_id)
            if sighting is None or sighting.agent_id != agent_id:
                self._seen[task_id] = _Sighting(agent_id)
                continue
            self._seen[task_id] = sighting
            if sighting.silent < _SILENT:
                known.append(task_id)
        return sorted(known, key=lambda task_id: self._seen[task_id].read_s)[:READ_AT_ONCE]

    def is_lost(self, context: Answer, now_s: float) -> bool:
        """Take in a task that was read; whether its agent has lost it."""
        task = context["task"]
        sighting = self._seen.setdefault(str(task["id"]), _Sighting(str(task["assigned_agent"])))
        sighting.read_s = now_s
        lease = newest_lease(context)
        if lease is None or math.isinf(lease[1]):
            sighting.silent += 1
            return False
        sighting.silent, (update_id, lease_s) = 0, lease
        if update_id != sighting.update_id:
            sighting.update_id, sighting.over_s = update_id, now_s + lease_s
        return now_s >= sighting.over_s
