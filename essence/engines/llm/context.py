"""Which turns of a history a model is shown, so that they fit its context and its prefix cache keeps hitting.

A server's prompt cache answers for as much of a prompt as is the same, byte for byte, as the one before. Dropping
the oldest exchange with every new turn would shift everything behind it, every time. So turns are dropped in blocks:
nothing until the budget is full, then down to `LOW_MARK` of it, and the prefix stays as it is for many turns.

No state is kept (any replica can answer the next turn): the whole history is replayed, call by call, which gives the
same cuts as were made when each of its turns was new.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from essence.dialogue import ToolSpec, Turn
from essence.engines.llm.tokens import TURN_OVERHEAD_TOKENS, TokenCounter, estimate_tokens, tool_text, turn_text
from essence.errors import ContextOverflow

LOW_MARK = 0.6
"""Part of the budget that is still used after a drop; a smaller one drops less often and remembers less."""

_REMEMBERED_COUNTS = 4096
"""Texts whose exact count is kept, so that a turn is counted once in its life."""


@dataclass(frozen=True, slots=True)
class _Step:
    """Turns that are kept or dropped together: one turn, or an assistant's tool calls with their results."""

    turns: tuple[Turn, ...]
    tokens: int
    exchange: int
    """Number of the exchange it belongs to: a user's turn and all that follows it up to the next one."""

    @property
    def asks(self) -> bool:
        """The model is called after this step."""
        return self.turns[-1].role in ("user", "tool")


class ContextBudget:
    """Fits histories into a number of tokens."""

    def __init__(self, limit_tokens: int, counter: TokenCounter) -> None:
        """`limit_tokens`: for the prompt alone, that is the model's context less its longest answer."""
        self._limit_tokens, self._counter = limit_tokens, counter
        self._counts: OrderedDict[str, int] = OrderedDict()

    async def fit(self, history: Sequence[Turn], *, tools: Sequence[ToolSpec] = ()) -> tuple[Turn, ...]:
        """The turns to be shown, in order: all system turns, and of the rest the newest.

        An exchange goes whole. Of the last one, the oldest tool calls go, each with its results; the question stays.

        Raises:
            ContextOverflow: The system turns, the tools and the last turn (with the question it belongs to) don't fit.
        """
        if self._guess(history, tools) <= self._limit_tokens:  # the guess is cautious: counting would change nothing
            return tuple(history)
        system = [turn for turn in history if turn.role == "system"]
        fixed = await self._tokens(map(turn_text, system), len(system) + 1) + await self._tokens(
            map(tool_text, tools), 0
        )
        steps = await self._steps([turn for turn in history if turn.role != "system"])
        kept = replay(steps, self._limit_tokens - fixed)
        needed = fixed + sum(step.tokens for step in kept)
        if needed > self._limit_tokens:
            raise ContextOverflow(
                f"This is too long for the model: {needed} tokens, tools and all, and {self._limit_tokens} fit. "
                "Shorten it, or raise LLM_CONTEXT_TOKENS if the model takes more."
            )
        return (*system, *(turn for step in kept for turn in step.turns))

    def _guess(self, history: Sequence[Turn], tools: Sequence[ToolSpec]) -> int:
        texts = [*map(turn_text, history), *map(tool_text, tools)]
        return sum(map(estimate_tokens, texts)) + TURN_OVERHEAD_TOKENS * (len(history) + 1)

    async def _steps(self, turns: Sequence[Turn]) -> list[_Step]:
        exchange, steps = 0, []
        for group in grouped(turns):
            exchange += group[0].role == "user"
            steps.append(_Step(group, await self._tokens(map(turn_text, group), len(group)), exchange))
        return steps

    async def _tokens(self, texts: Iterable[str], turns: int) -> int:
        return sum([await self._count(text) for text in texts]) + TURN_OVERHEAD_TOKENS * turns

    async def _count(self, text: str) -> int:
        if text not in self._counts:
            self._counts[text] = await self._counter(text)
        self._counts.move_to_end(text)
        count = self._counts[text]
        while len(self._counts) > _REMEMBERED_COUNTS:
            self._counts.popitem(last=False)
        return count


def grouped(turns: Sequence[Turn]) -> Iterable[tuple[Turn, ...]]:
    """Each turn by itself, but tool results together with the turn that asked for them."""
    group: list[Turn] = []
    for turn in turns:
        if group and turn.role != "tool":
            yield tuple(group)
            group = []
        group.append(turn)
    if group:
        yield tuple(group)


def replay(steps: Sequence[_Step], limit_tokens: int) -> list[_Step]:
    """The steps that are left when every call of the model, first to last, made its cuts.

    What is left may still exceed the limit, where the last exchange can't be cut any further.
    """
    kept: list[_Step] = []
    total = 0
    for step in steps:
        kept.append(step)
        total += step.tokens
        if (step.asks or step is steps[-1]) and total > limit_tokens:
            kept = _cut(kept, int(limit_tokens * LOW_MARK))
            total = sum(kept_step.tokens for kept_step in kept)
    return kept


def _cut(steps: list[_Step], low_tokens: int) -> list[_Step]:
    """Drop the oldest down to the mark: whole exchanges, then steps of the last one but not its first and its last."""
    now = steps[-1].exchange
    total = sum(step.tokens for step in steps)
    first = 0
    while total > low_tokens and steps[first].exchange != now:
        oldest = steps[first].exchange
        while steps[first].exchange == oldest:
            total -= steps[first].tokens
            first += 1
    left = steps[first:]
    while total > low_tokens and left[0].exchange == now and len(left) > 2:
        total -= left.pop(1).tokens
    return left
