"""What can go wrong between a bot and Telegram, on command.

telegram.fails("sendVoice", LostAnswer())            # once: the message is stored, its answer is dropped
telegram.fails("sendMessage", ServerError(), times=3)
telegram.fails("*", Reset(), times=None)             # until `telegram.heals()`
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from essence.fakes.telegram.wire import Call


@dataclass(frozen=True, slots=True)
class TooManyRequests:
    """429 with `parameters.retry_after`, without effect."""

    retry_after_s: int = 1


@dataclass(frozen=True, slots=True)
class ServerError:
    """A 5xx without effect, as JSON or, as from a proxy on the way, as a page of HTML."""

    status: int = 502
    html: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Any other refusal, worded by the test."""

    status: int
    description: str


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection breaks before the request has an effect."""


@dataclass(frozen=True, slots=True)
class LostAnswer:
    """The request has its effect, then the connection breaks: the bot can't know."""


@dataclass(frozen=True, slots=True)
class Hang:
    """No answer comes until the bot hangs up."""

    after_effect: bool = False


@dataclass(frozen=True, slots=True)
class Slow:
    """The answer comes late; the effect is there before the wait, or after it."""

    seconds: float
    after_effect: bool = False


Fault = TooManyRequests | ServerError | Refusal | Reset | LostAnswer | Hang | Slow


@dataclass(slots=True)
class _Plan:
    method: str
    fault: Fault
    skip: int
    times: int | None
    where: Callable[[Call], bool]

    def strikes(self, call: Call) -> bool:
        if self.method not in ("*", call.method) or self.times == 0 or not self.where(call):
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

    def plan(
        self, method: str, fault: Fault, *, times: int | None, skip: int, where: Callable[[Call], bool] | None
    ) -> None:
        """Let the method's next calls fail; see `TelegramServer.fails`."""
        self._plans.append(_Plan(method, fault, skip, times, where or (lambda _: True)))

    def clear(self, method: str | None) -> None:
        """Forget the faults of a method, or all of them."""
        self._plans = [plan for plan in self._plans if method is not None and plan.method != method]

    def strike(self, call: Call) -> Fault | None:
        """The fault that this call meets, if any; it is used up by that."""
        return next((plan.fault for plan in self._plans if plan.strikes(call)), None)
