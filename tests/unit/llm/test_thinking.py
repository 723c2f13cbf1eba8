"""What a model thinks aloud never mixes with its answer, however the text is cut into chunks."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from essence.dialogue import ReasoningDelta, TextDelta
from essence.engines.llm.thinking import ThinkingSplitter, opens_thinking

fragments = st.sampled_from(
    [
        "<think>",
        "</think>",
        "<THINK>",
        "<thinking>",
        "</thinking>",
        "<",
        "</",
        "<thi",
        "think>",
        " ",
        "\n",
        "a < b",
        "İ",
        "word",
    ]
)
texts = st.lists(fragments | st.text(max_size=6), max_size=12).map("".join)


def split(text: str, *cuts: int, starts_inside: bool = False) -> tuple[str, str]:
    splitter = ThinkingSplitter(starts_inside=starts_inside)
    edges = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    pieces = [piece for a, b in pairwise(edges) for piece in splitter.feed(text[a:b])]
    pieces += splitter.close()
    assert all(piece.text for piece in pieces)
    return (
        "".join(piece.text for piece in pieces if isinstance(piece, ReasoningDelta)),
        "".join(piece.text for piece in pieces if isinstance(piece, TextDelta)),
    )


def by_whole_text(text: str, *, starts_inside: bool) -> tuple[str, str]:
    """The same rule, read off the whole text at once."""
    parts = re.split(r"(</?think(?:ing)?>)", text, flags=re.IGNORECASE | re.ASCII)
    inside, thought, answer = starts_inside, "", ""
    for part in parts:
        if re.fullmatch(r"</?think(?:ing)?>", part, flags=re.IGNORECASE | re.ASCII):
            inside = not part.startswith("</")
        elif inside:
            thought += part
        else:
            answer += part
    return thought, answer.lstrip()


@given(texts, st.lists(st.integers(0, 60)), st.booleans())
def test_the_result_does_not_depend_on_the_chunks(text: str, cuts: list[int], starts_inside: bool) -> None:
    assert split(text, *cuts, starts_inside=starts_inside) == by_whole_text(text, starts_inside=starts_inside)


@given(texts, st.booleans())
def test_one_character_at_a_time_is_no_different(text: str, starts_inside: bool) -> None:
    assert split(text, *range(len(text)), starts_inside=starts_inside) == split(text, starts_inside=starts_inside)


@pytest.mark.parametrize(
    ("text", "thought", "answer"),
    [
        ("<think>hm</think>\n\nYes.", "hm", "Yes."),
        ("<think>hm, and on", "hm, and on", ""),
        ("Yes.", "", "Yes."),
        ("a < b and c > d", "", "a < b and c > d"),
        ("Wait <think>hm</think> no", "hm", "Wait  no"),
        ("ends with <thi", "", "ends with <thi"),
        ("never opened</think>Yes.", "", "never openedYes."),
    ],
)
def test_text_outside_the_tags_is_the_answer(text: str, thought: str, answer: str) -> None:
    assert split(text) == (thought, answer)


def test_a_model_that_never_opens_its_thinking_is_told_apart_when_that_is_known() -> None:
    assert split("hm</think>\n\nYes.", starts_inside=True) == ("hm", "Yes.")


def test_text_is_not_held_back_longer_than_a_tag_needs() -> None:
    splitter = ThinkingSplitter()
    assert splitter.feed("Hello <") == [TextDelta("Hello ")]
    assert splitter.feed("3") == [TextDelta("<3")]


def test_a_server_that_separates_reasoning_itself_is_believed() -> None:
    splitter = ThinkingSplitter(starts_inside=True)
    splitter.server_separates()
    assert splitter.feed("\n\nYes.") == [TextDelta("Yes.")]


def test_switched_off_it_changes_nothing() -> None:
    splitter = ThinkingSplitter(enabled=False)
    assert splitter.feed(" <think>x") == [TextDelta(" <think>x")]
    assert splitter.close() == []


@pytest.mark.parametrize(
    "name", ["Qwen/Qwen3-30B-A3B-Thinking-2507", "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", "QwQ-32B"]
)
def test_families_that_start_inside_are_known_by_name(name: str) -> None:
    assert opens_thinking(name)


def test_other_models_are_not_taken_for_thinkers() -> None:
    assert not opens_thinking("qwen2.5-coder-0.5b-instruct")
