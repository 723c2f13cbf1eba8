"""What every piece of the board's work is given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from essence.tasks.leases import Leases


@dataclass(frozen=True, slots=True)
class Rules:
    """How the board treats work."""

    lease_s: float
    """Of a reservation that names no time of its own. Each sign of life from the agent renews it."""
    max_attempts: int
    """Of a task that names no number of its own: after so many it is dead."""
    backoff_s: float
    """Rest after a first failure; each further one doubles it."""
    backoff_max_s: float
    self_verify: bool
    """Whether an agent may verify its own work."""

    def rest_s(self, attempts: int) -> float:
        """How long a task waits that has failed so many times."""
        return min(self.backoff_s * 2.0 ** min(attempts - 1, 30), self.backoff_max_s)


@dataclass(frozen=True, slots=True)
class Desk:
    """One transaction at work for one agent."""

    connection: Connection
    agent_id: str
    """Who asks, as its key says or, where none is needed, as it says itself."""
    now: datetime
    leases: Leases
    rules: Rules
