"""What can go wrong between a client and a todorama, on command.

todorama.fails("create_task", LostAnswer())          # once: the task is made, its answer is dropped
todorama.fails("reserve_task", ServerError(), times=3)
todorama.fails("*", Reset(), times=None)             # until `todorama.heals()`
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TooManyRequests:
    """429 with Retry-After, and nothing is done."""

    retry_after_s: int = 1


@dataclass(frozen=True, slots=True)
class ServerError:
    """A status of 500 and above, and nothing is done."""

    status: int = 500


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection breaks before anything is done."""


@dataclass(frozen=True, slots=True)
class LostAnswer:
    """It is done, and then the connection breaks: the client can't know."""


@dataclass(frozen=True, slots=True)
class Hang:
    """No answer comes until the client hangs up."""

    after_effect: bool = False


@dataclass(frozen=True, slots=True)
class Slow:
    """It is done, and answered later."""

    seconds: float


Fault = TooManyRequests | ServerError | Reset | LostAnswer | Hang | Slow


@dataclass(slots=True)
class _Plan:
    tool: str
    fault: Fault
    times: int | None
    skip: int

    def strikes(self, tool: str) -> bool:
        if self.tool not in ("*", tool) or self.times == 0:
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Faults:
    """The faults that wait for their call, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._plans: list[_Plan] = []

    def plan(self, tool: str, fault: Fault, *, times: int | None, skip: int) -> None:
        """See `TodoramaServer.fails`."""
        self._plans.append(_Plan(tool, fault, times, skip))

    def clear(self) -> None:
        """Forget them all."""
        self._plans.clear()

    def strike(self, tool: str) -> Fault | None:
        """The fault that this call meets, if any; it is used up by that."""
        return next((plan.fault for plan in self._plans if plan.strikes(tool)), None)
