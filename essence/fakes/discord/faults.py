"""What can go wrong between a bot and Discord's REST API, on command.

discord.faults.next(TooMany(0.5), method="POST", path="/channels/*/messages")   # the next such request
with discord.faults.during(Broken(503)): ...                                      # all requests meanwhile
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase

from essence.fakes.discord.refusals import Reason


@dataclass(frozen=True, slots=True)
class TooMany:
    """429, and nothing is done."""

    retry_after_s: float = 0.1
    everywhere: bool = False
    """The bot as a whole is limited, not one route."""
    from_discord: bool = True
    """False: it comes from the proxy before Discord, as HTML without `Via`; clients must not take it for their pace."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A status of 500 and above, and nothing is done."""

    status: int = 502


@dataclass(frozen=True, slots=True)
class Refusal:
    """Discord says no, and nothing is done. `refusals` has the reasons by name."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Hang:
    """No answer, until the bot or the server gives up."""

    after_effect: bool = False
    """True: what was asked for is done all the same."""


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection breaks before anything is done."""


@dataclass(frozen=True, slots=True)
class LostAnswer:
    """It is done, and then the connection breaks: the bot can't know."""


@dataclass(frozen=True, slots=True)
class Slow:
    """It is done and answered, later."""

    seconds: float


Fault = TooMany | Broken | Refusal | Hang | Reset | LostAnswer | Slow


@dataclass(slots=True)
class _Plan:
    fault: Fault
    method: str
    path: str
    once: bool


class Faults:
    """Which request meets which fault. First come, first served."""

    def __init__(self) -> None:
        self._plans: list[_Plan] = []

    def next(self, *faults: Fault, method: str = "*", path: str = "*") -> None:
        """Each of them for one request.

        Args:
            faults: in the order in which they strike.
            method: such as POST; `*` is any.
            path: below /api/v10, or /cdn/…, or /gw for the gateway; `*` stands for anything, slashes included.
        """
        self._plans += [_Plan(fault, method, path, once=True) for fault in faults]

    @contextmanager
    def during(self, fault: Fault, *, method: str = "*", path: str = "*") -> Iterator[None]:
        """For all requests that match, as long as the block runs."""
        plan = _Plan(fault, method, path, once=False)
        self._plans.append(plan)
        try:
            yield
        finally:
            self._plans = [one for one in self._plans if one is not plan]

    @property
    def pending(self) -> int:
        """How many have met no request so far."""
        return sum(plan.once for plan in self._plans)

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that this request meets."""
        for number, plan in enumerate(self._plans):
            if fnmatchcase(method, plan.method) and fnmatchcase(path, plan.path):
                if plan.once:
                    del self._plans[number]
                return plan.fault
        return None
