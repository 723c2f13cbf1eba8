import pytest
from hypothesis import given
from hypothesis import strategies as st

from essence.chat.rendering import literally
from essence.chat.rendering.discord import discord_parts
from tests.unit.rendering_answers import ANYTHING, NAMES, Answer, answers, seen_on_discord, words_of


def only(markdown: str) -> str:
    (part,) = discord_parts(markdown)
    return part


@pytest.mark.parametrize(
    "markdown",
    [
        "A **bold *both* word**, ~~gone~~, `code`, ||hidden|| and [here](https://example.com/x).",
        "# One\n\n## Two\n\n### Three",
        "- a\n  - b\n    1. c\n- d",
        "> one\n> two\n\nthree",
        "```python\nif a:\n    b = '**'\n```",
        "https://example.com/a?b=c",
        "``a`b``",
    ],
)
def test_what_discord_reads_stays_as_it_was(markdown: str) -> None:
    assert only(markdown) == markdown


def test_deep_headings_are_bold() -> None:
    assert only("#### Four") == "**Four**"


def test_a_table_is_aligned_in_a_block() -> None:
    assert only("| a | b |\n|---|---|\n| 1 | 2 |") == "```\na  b\n─  ─\n1  2\n```"


def test_mentions_are_harmless() -> None:
    assert only("@everyone <@123456789012345678> <@&1> <#5> @here") == (
        "@\u200beveryone \\<@\u200b123456789012345678> \\<@\u200b&1> \\<#5> @\u200bhere"
    )


def test_a_url_with_signs_of_markup_stands_in_brackets() -> None:
    assert only("https://example.com/a_b_c, **https://example.com/x**") == (
        "<https://example.com/a_b_c>, **<https://example.com/x>**"
    )


def test_a_label_that_looks_like_a_url_shows_where_it_leads() -> None:
    assert only("[https://bank.example](https://evil.example)") == "https://bank.example (<https://evil.example>)"


def test_a_fence_in_code_does_not_close_it() -> None:
    assert only("````\n```\nx\n```\n````").count("```") == 2


def test_neighbouring_styles_are_kept_apart() -> None:
    assert only("**a**_b_") == "**a**\u200b*b*"


def test_a_long_fence_is_closed_and_reopened_with_its_language() -> None:
    lines = [f"line{i} = {i}" for i in range(400)]
    parts = discord_parts("```python\n" + "\n".join(lines) + "\n```")
    assert len(parts) > 2
    bodies = [part.removeprefix("```python\n").removesuffix("\n```") for part in parts]
    assert "\n".join(bodies) == "\n".join(lines)


@given(st.text("*_~`|>#[]()<@!-+1.=: ab\\{}&;/^$", min_size=1, max_size=60))
def test_literal_signs_stay_literal(text: str) -> None:
    # Brackets as entities: a model's \\( and \\[ begin formulas.
    escaped = "".join(sign if sign.isalnum() or sign.isspace() else f"&#{ord(sign)};" for sign in text)
    shown = "".join(discord_parts("x" + escaped))
    assert seen_on_discord(shown).split() == ("x" + text).split()


@given(answers(), st.sampled_from([100, 250, 2000]))
def test_parsed_again_it_has_every_word_once_and_in_order(answer: Answer, limit: int) -> None:
    shown = [seen_on_discord(part).replace("||", "") for part in discord_parts(answer.markdown, limit)]
    assert [word for text in shown for word in words_of(text)] == list(answer.words)


@given(ANYTHING, st.booleans())
def test_any_text_gives_valid_messages(markdown: str, unfinished: bool) -> None:
    for part in discord_parts(markdown, 100, unfinished=unfinished):
        assert part.strip()
        assert len(part.encode("utf-16-le")) // 2 <= 100
        assert "@everyone" not in part.replace("`", "") or "`" in part


@given(NAMES)
def test_any_name_is_shown_as_it_is(name: str) -> None:
    shown = only(f"Hello {literally(name)}!")
    assert seen_on_discord(shown).split() == f"Hello {' '.join(name.split())}!".split()
