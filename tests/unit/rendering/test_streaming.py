import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from essence.chat.rendering import SETTLED_CHARS
from essence.chat.rendering.discord import discord_parts
from essence.chat.rendering.telegram import plain_parts, telegram_parts
from tests.unit.rendering_answers import ANYTHING, Answer, answers, plain_inline, seen_on_discord, words_of

ANSWER = """\
# A **bold** title

Some *words*, a [link with words](https://example.com/a_b), `code here` and ||hidden words||. Then ~~gone~~ \\(x\\).

| Name | **Age** |
|:-----|----:|
| Alice | 7 |
| *Bob* | `42` |

1. first **item here**
   - nested *one*
   - [ ] task
2. second

> quoted words
> and `more`

```python
def f(x):
    return x ** 2
```

---

The ***end***: ![image](https://example.com/i.png) and <https://example.com>.
"""
MARKUP = ("**", "~~", "||", "```", "](", "[", "](http", "<h", "|", "\\", "#")


@pytest.mark.parametrize("end", range(1, len(ANSWER) + 1))
def test_no_markup_is_seen_at_any_moment(end: int) -> None:
    code = "x **"  # what is code in the end is no markup
    for part in telegram_parts(ANSWER[:end], unfinished=True):
        assert not [sign for sign in MARKUP if sign in part.text.replace(code, "")]


@given(answers(), st.data())
def test_at_any_moment_the_words_are_the_first_of_the_answer(answer: Answer, data: st.DataObject) -> None:
    end = data.draw(st.integers(0, len(answer.markdown)))
    for shown in (
        "\n".join(part.text for part in telegram_parts(answer.markdown[:end], unfinished=True)),
        "\n".join(
            seen_on_discord(part).replace("||", "") for part in discord_parts(answer.markdown[:end], unfinished=True)
        ),
    ):
        words = words_of(shown)
        assert words[:-1] == list(answer.words[: len(words)])[:-1]
        assert not words or answer.words[len(words) - 1].startswith(words[-1])


@given(answers(plain_inline), st.data())
def test_a_part_with_a_successor_keeps_its_text(answer: Answer, data: st.DataObject) -> None:
    end = data.draw(st.integers(0, len(answer.markdown)))
    early = telegram_parts(answer.markdown[:end], 100, unfinished=True)[:-1]
    assert [part.text for part in early] == [part.text for part in telegram_parts(answer.markdown, 100)[: len(early)]]


@settings(max_examples=40)
@given(st.lists(ANYTHING, min_size=1, max_size=4), st.integers(1, 40), st.integers(1, 400))
def test_a_part_is_final_once_enough_follows(texts: list[str], repeats: int, missing: int) -> None:
    limit = 100
    answer = "\n".join(texts) * repeats
    early = plain_parts(answer[:-missing], limit, unfinished=True)
    following = [sum(len(part) for part in early[i + 1 :]) for i in range(len(early))]
    final = [part for part, chars in zip(early, following, strict=True) if chars >= limit + SETTLED_CHARS]
    assert plain_parts(answer, limit)[: len(final)] == final


@pytest.mark.parametrize(
    ("so_far", "shown"),
    [
        ("a **bo", "a bo"),
        ("a **bold*", "a bold"),
        ("a `co", "a co"),
        ("a [lab", "a lab"),
        ("a [label](https://exam", "a label"),
        ("a ![cat](ht", "a cat"),
        ("a \\(x_1", "a"),
        ("a\n- ", "a"),
        ("a\n- b\n  1", "a\n\n• b"),
        ("a\n``", "a"),
        ("```py", ""),
        ("```\nx\n``", "x"),
        ("| Na", "Na"),
        ("| Name | A", "Name  A\n────  ─"),
        ("| a | b |\n|-", "a  b\n─  ─"),
        ("| a | b |\n|---|---|\n| 1", "a  b\n─  ─\n1"),
        ("2 * 3 = 6 and a_b_c", "2 * 3 = 6 and a_b_c"),
        ("array[0] is [1] of", "array[0] is [1] of"),
    ],
)
def test_what_is_half_written_is_shown_as_far_as_it_is_known(so_far: str, shown: str) -> None:
    text = "".join(part.text for part in telegram_parts(so_far, unfinished=True))
    assert text.removesuffix("\n──") == shown


HOSTILE = [
    "[",
    "![",
    "**a",
    "*a**a",
    "`a``",
    "> ",
    "- ",
    "|",
    "||a",
    "<a",
    "\\(",
    "$a",
    "a" * 9,
    "[a](",
    "| a ",
    "~~a_",
]
HOSTILE += ["👍🏽", "- a\n", "(", "1. ", "|a|\n|-|\n", "\t", " *", "```\n"]


@pytest.mark.parametrize("unit", HOSTILE)
def test_hostile_input_of_30_kb_is_rendered(unit: str) -> None:
    markdown = unit * (30_000 // len(unit))
    assert telegram_parts(markdown, unfinished=True) is not None
    assert discord_parts(markdown) is not None
