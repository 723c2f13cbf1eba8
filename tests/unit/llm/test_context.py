"""What a model is shown fits its context, hangs together, and keeps its prefix for many turns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from essence.dialogue import ToolCall, ToolSpec, Turn
from essence.engines.llm.context import ContextBudget
from essence.engines.llm.tokens import TURN_OVERHEAD_TOKENS, estimate_tokens, estimated, turn_text
from essence.errors import ContextOverflow

SYSTEM = Turn("system", "You are June.")


def exchange(number: int, words: int, tool_calls: int = 0) -> list[Turn]:
    text = f"{number} " + "word " * words
    turns = [Turn("user", text)]
    for call in range(tool_calls):
        call_id = f"{number}-{call}"
        turns.append(Turn("assistant", "", (ToolCall(call_id, "look", '{"at": "' + "x" * words + '"}'),)))
        turns.append(Turn("tool", text, tool_call_id=call_id))
    return [*turns, Turn("assistant", text)]


def cost(turns: Sequence[Turn]) -> int:
    return sum(estimate_tokens(turn_text(turn)) + TURN_OVERHEAD_TOKENS for turn in turns) + TURN_OVERHEAD_TOKENS


conversations = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3)), min_size=1, max_size=30).map(
    lambda sizes: [
        SYSTEM,
        *[turn for number, (words, calls) in enumerate(sizes) for turn in exchange(number, words, calls)][:-1],
    ]
)


async def fit(history: Sequence[Turn], limit: int) -> tuple[Turn, ...]:
    return await ContextBudget(limit, estimated).fit(history)


@given(conversations, st.integers(300, 900))
async def test_what_is_shown_fits_and_keeps_its_order(history: list[Turn], limit: int) -> None:
    shown = await fit(history, limit)
    assert cost(shown) <= limit
    places = [next(i for i, turn in enumerate(history) if turn is kept) for kept in shown]
    assert places == sorted(places)
    assert shown[0] == SYSTEM
    assert shown[-1] is history[-1]


@given(conversations, st.integers(300, 900))
async def test_a_tool_call_and_its_result_are_never_separated(history: list[Turn], limit: int) -> None:
    shown = await fit(history, limit)
    called = [call.call_id for turn in shown for call in turn.tool_calls]
    answered = [turn.tool_call_id for turn in shown if turn.role == "tool"]
    assert called == answered


@given(conversations, st.integers(300, 900))
async def test_what_is_shown_starts_with_a_question(history: list[Turn], limit: int) -> None:
    assert (await fit(history, limit))[1].role == "user"


@given(conversations, st.integers(300, 900))
async def test_nothing_is_dropped_while_all_fits(history: list[Turn], limit: int) -> None:
    if cost(history) <= limit:
        assert await fit(history, limit) == tuple(history)


async def test_the_prefix_stays_for_many_turns_and_then_moves_by_a_block() -> None:
    history = [SYSTEM]
    prompts = []
    for number in range(60):
        turns = exchange(number, 10)
        prompts.append(await fit([*history, turns[0]], 1000))
        history += turns
    shifts = sum(b[: len(a)] != a for a, b in pairwise(prompts))
    assert len(prompts[-1]) > 10
    assert 3 <= shifts <= 10


async def test_any_replica_makes_the_same_cut() -> None:
    history = [SYSTEM, *[turn for number in range(60) for turn in exchange(number, 10)], Turn("user", "and now?")]
    used, fresh = ContextBudget(1000, estimated), ContextBudget(1000, estimated)
    for end in range(2, len(history), 2):
        await used.fit(history[:end])
    assert await used.fit(history) == await fresh.fit(history)


async def test_within_one_long_task_the_oldest_tool_calls_go_and_the_question_stays() -> None:
    history = [SYSTEM, *exchange(0, 20, tool_calls=30)[:-1]]
    shown = await fit(history, 700)
    assert shown[1] is history[1]
    assert shown[-1] is history[-1]
    assert 4 < len(shown) < len(history)


async def test_a_last_turn_that_is_too_long_alone_is_told() -> None:
    with pytest.raises(ContextOverflow, match="LLM_CONTEXT_TOKENS"):
        await fit([SYSTEM, *exchange(0, 5), Turn("user", "word " * 2000)], 1000)


async def test_tools_count() -> None:
    tools = [ToolSpec("look", "Look around. " * 400, "{}")]
    with pytest.raises(ContextOverflow):
        await ContextBudget(1000, estimated).fit([SYSTEM, Turn("user", "hi")], tools=tools)


async def test_a_text_is_counted_once_and_only_when_it_matters() -> None:
    asked: list[str] = []

    async def count(text: str) -> int:
        asked.append(text)
        return len(text.split())

    budget = ContextBudget(1000, count)
    await budget.fit([SYSTEM, Turn("user", "hi")])
    assert asked == []
    history = [SYSTEM, *[turn for number in range(60) for turn in exchange(number, 30)], Turn("user", "and now?")]
    await budget.fit(history)
    await budget.fit(history)
    assert len(asked) == len(set(asked))


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("abc" * 4, 4),
        ("a" * 300, 150),
        ("한국", 6),
        ("two words", 3),
        ("2026", 4),
        ("привет", 6),
        ("你好", 4),
        ("😀", 4),
        ("{}\n", 3),
    ],
)
def test_the_estimate_goes_by_script(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens


@given(st.text(max_size=100), st.text(max_size=100))
def test_more_text_never_costs_less(text: str, more: str) -> None:
    assert estimate_tokens(text + more) >= estimate_tokens(text)
