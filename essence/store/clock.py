"""Two clocks: one for what people see, one for leases.

Deadlines and retention go by the wall clock (UTC), since they must outlive a restart of the machine. If it jumps, they
come early or late by the jump, and nothing else happens; `essence.chat.watchdog` gives back what a jump took.

Leases, and the pauses before another try, must neither end all at once nor last for days when somebody sets the clock.
With SQLite all workers are on one machine, so leases go by its monotonic clock, which Python keeps system-wide: it
never jumps, and it restarts with the machine. With PostgreSQL the workers may be on many machines, so leases go by the
server's clock, one for all. Either way a lease holds while `granted ≤ now < until`: one that was granted in the future
is from before a restart or a jump, and counts for nothing. So the clock is read after a transaction has got its locks:
one that was read before would take what another was granted in between for a grant of the future. A lease that ends
too early costs work, not correctness: its fence is checked.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Double, bindparam, cast, extract, func, or_


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """Where times come from; tests bring their own."""

    now: Callable[[], datetime] = _utc_now
    """Aware UTC."""
    lease_s: Callable[[], float] | None = None
    """For leases; None takes the database's own, as this module's docstring says."""


@dataclass(frozen=True, slots=True)
class LeaseClock:
    """The lease clock as an expression of SQL, and the parameters that it needs."""

    now_s: ColumnElement[float]
    read: Callable[[], dict[str, float]]
    """To be called within the transaction."""

    def over(self, granted_s: ColumnElement[float], until_s: ColumnElement[float]) -> ColumnElement[bool]:
        """Whether a lease has ended."""
        return or_(self.now_s < granted_s, self.now_s >= until_s)


def of_this_machine(clock: Clock) -> LeaseClock:
    """A clock that is read here and sent along."""
    lease_s = clock.lease_s or time.monotonic
    return LeaseClock(bindparam("p_now_s", type_=Double), lambda: {"p_now_s": lease_s()})


def of_the_server(clock: Clock) -> LeaseClock:
    """The clock of the database server, unless a test brought one."""
    if clock.lease_s is not None:
        return of_this_machine(clock)
    return LeaseClock(cast(extract("epoch", func.clock_timestamp()), Double), dict)
