"""Where the time of an answer by the agent went, told from the steps that its work has left in the journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from essence.chat.timings import Stage, Timings
from essence.work import AGAIN, ANSWER, BEGUN, CLAIMED, DELIVERED, FAILED, STOPPED, Cost, Step

_SHOWN_S = 0.005
"""What took less would be shown as 0.00 s."""
_SHOWN = ("LLM", "tools")
"""Stages that are told however short they were: how often is told with them."""


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A message that the agent answers."""

    key: str
    arrived_at: datetime
    """Aware UTC."""
    timings: Timings
    """Until the task board had it."""

    @property
    def at(self) -> datetime:
        """When the board had it."""
        return self.arrived_at + timedelta(seconds=self.timings.total_s)


def why(message: HandedOver, steps: Sequence[Step], now: datetime) -> str:
    """How far the agent is with a message, and how long each stage of it took; Markdown.

    Args:
        message: Which.
        steps: Of its task, in the order in which they were recorded.
        now: Aware UTC.
    """
    if not steps:
        return "My agent had your last message here, and what I knew of its work is forgotten by now."
    at = {step.name: step.at for step in steps}
    state, end = _state(at, now)
    stages = [stage for stage in _stages(message, steps, end) if stage.seconds >= _SHOWN_S or stage.name in _SHOWN]
    lines = [f"- {stage.name} ({stage.meaning}): {stage.seconds:.2f} s" for stage in stages]
    told = f"{state.format(f'{_between(message.arrived_at, end):.2f} s')}:\n" + "\n".join(lines)
    longest = max(stages, key=lambda stage: stage.seconds)
    return f"{told}\n\nLongest: {longest.name} ({longest.meaning}), {longest.seconds:.2f} s."


def _state(at: dict[str, datetime], now: datetime) -> tuple[str, datetime]:
    """In a sentence with room for the time that it took, and until when that goes."""
    if DELIVERED in at:
        return "My agent's answer here took {}", at[DELIVERED]
    if ANSWER in at and FAILED in at:
        return "My agent's answer here could not be delivered. It took {}", at[FAILED]
    if ANSWER in at:
        return "My agent has an answer, which is not delivered yet. So far, {}", now
    if STOPPED in at:
        return "You stopped my agent's work on your last message here after {}", at[STOPPED]
    if CLAIMED in at:
        return "My agent is still at work on your last message here. So far, {}", now
    return "No agent has begun with your last message here yet. So far, {}", now


def _stages(message: HandedOver, steps: Sequence[Step], end: datetime) -> list[Stage]:
    """They follow one another, so their times add up to the whole; in order but for those of the agent's work."""
    at = {step.name: step.at for step in steps}
    begun_at, answered_at = _begun_at(steps, end), at.get(ANSWER, end)
    thinking = [step.cost.seconds for step in steps if step.cost.calls]
    tools = [step.cost.seconds for step in steps if step.cost.tool_runs]
    thought_s, used_s, asked_s = sum(thinking), sum(tools), _asked_s(steps)
    rest_s = _between(begun_at, answered_at) - thought_s - used_s - asked_s
    heard_s = message.timings.heard_s
    return [
        Stage("heard", "note → transcript", heard_s),
        Stage("handed over", "→ on the task board", message.timings.total_s - heard_s),
        Stage("waited", "→ an agent begins", _between(message.at, begun_at)),
        Stage("LLM", f"replies of the language model: {len(thinking)}", thought_s),
        Stage("tools", f"uses of tools: {len(tools)}", used_s),
        Stage("your yes", "may I do this? → what you chose", asked_s),
        Stage("rest", "tries that failed, and what lies between" if ANSWER in at else "what it is at now", rest_s),
        Stage("delivered", "→ all of it sent", _between(answered_at, end)),
    ]


def _begun_at(steps: Sequence[Step], end: datetime) -> datetime:
    """When an agent took it; an older one left no sign of that before its first reply."""
    for step in steps:
        if step.name == CLAIMED or step.cost != Cost():
            return step.at - timedelta(seconds=step.cost.seconds)
    return end


def _asked_s(steps: Sequence[Step]) -> float:
    """Between the call of a tool and its beginning, or its denial, nothing takes time but to ask the owner."""
    asked = 0.0
    for before, step in pairwise(step for step in steps if not step.name.startswith(AGAIN)):
        denied = step.cost.tool_runs and not before.name.startswith(BEGUN)
        if denied or step.name.startswith(BEGUN):
            asked += _between(before.at, step.at)
    return asked


def _between(start: datetime, end: datetime) -> float:
    """Several machines' clocks may differ a little."""
    return max(0.0, (end - start).total_seconds())
