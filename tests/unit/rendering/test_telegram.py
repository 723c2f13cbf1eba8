import regex
from aiogram.types import MessageEntity
from aiogram.utils.text_decorations import html_decoration
from hypothesis import example, given
from hypothesis import strategies as st

from essence.chat.rendering import literally
from essence.chat.rendering.telegram import plain_parts, telegram_parts
from essence.dialogue import Entity, RichText
from tests.unit.rendering_answers import ANYTHING, NAMES, Answer, answers, words_of

FAMILY = "👩‍👩‍👧‍👦"


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def styled(part: RichText, entity: Entity) -> str:
    """The text of an entity; fails if it begins or ends inside of a character."""
    data = part.text.encode("utf-16-le")
    return data[2 * entity.offset : 2 * (entity.offset + entity.length)].decode("utf-16-le")


def only(markdown: str, *, unfinished: bool = False) -> tuple[str, list[tuple[str, str]]]:
    (part,) = telegram_parts(markdown, unfinished=unfinished)
    return part.text, [(entity.kind, styled(part, entity)) for entity in part.entities]


def test_inline_styles_become_entities() -> None:
    text, entities = only("A **bold *both* word**, ~~gone~~, `code`, ||hidden|| and [here](https://example.com/x).")
    assert text == "A bold both word, gone, code, hidden and here."
    assert entities == [
        ("bold", "bold both word"),
        ("italic", "both"),
        ("strikethrough", "gone"),
        ("code", "code"),
        ("spoiler", "hidden"),
        ("text_link", "here"),
    ]


def test_offsets_count_utf_16_units() -> None:
    (part,) = telegram_parts(f"{FAMILY} **bold**")
    assert part.entities == (Entity("bold", units(FAMILY) + 1, 4),)


def test_a_heading_is_bold_and_stands_apart() -> None:
    assert only("# One\nText\n## Two **b**\n") == ("One\n\nText\n\nTwo b", [("bold", "One"), ("bold", "Two b")])


def test_lists_nest_with_bullets_and_numbers() -> None:
    text, _ = only("3. three\n   - inner\n     more\n4. four\n\n   second paragraph\n- [x] done\n- [ ] open")
    assert text == "3. three\n   • inner\n     more\n4. four\n   second paragraph\n\n• ☑ done\n• ☐ open"


def test_code_is_a_block_with_its_language() -> None:
    (part,) = telegram_parts("Look:\n\n```python\nif a:\n    b = '**'\n```\nDone")
    assert part.text == "Look:\n\nif a:\n    b = '**'\n\nDone"
    assert part.entities == (Entity("pre", 7, 18, language="python"),)


def test_a_quote_holds_all_of_its_lines() -> None:
    assert only("> one\n> **two**\n>\n> > three\n\nfour") == (
        "one\ntwo\n\nthree\n\nfour",
        [("blockquote", "one\ntwo\n\nthree"), ("bold", "two")],
    )


def test_a_small_table_is_aligned_in_a_block() -> None:
    text, entities = only("| Name | Age |\n|---|--:|\n| **Al** | 7 |\n| 日本 | 42 |")
    assert text == "Name  Age\n────  ───\nAl      7\n日本   42"
    assert entities == [("pre", text)]


def test_a_wide_table_becomes_a_list() -> None:
    text, entities = only(f"| Name | What |\n|---|---|\n| Al | {'long ' * 9}|\n| Bo | `x` |")
    assert text == f"• Name: Al\n  What: {'long ' * 8}long\n• Name: Bo\n  What: x"
    assert ("code", "x") in entities


def test_a_table_with_links_keeps_them() -> None:
    _, entities = only("| a | b |\n|---|---|\n| [x](https://example.com) | y |")
    assert ("text_link", "x") in entities


def test_a_table_header_is_repeated_in_every_part() -> None:
    rows = "".join(f"| n{i} | v{i} |\n" for i in range(300))
    parts = telegram_parts("| key | value |\n|---|---|\n" + rows)
    assert len(parts) > 1
    assert all(part.text.startswith("key ") for part in parts)
    shown = [word for part in parts for line in part.text.split("\n")[2:] for word in line.split()]
    assert shown == [word for i in range(300) for word in (f"n{i}", f"v{i}")]


def test_a_fence_too_long_for_a_part_is_closed_and_reopened_with_its_language() -> None:
    lines = [f"    line{i} = {i}" for i in range(600)]
    parts = telegram_parts("```python\n" + "\n".join(lines) + "\n```")
    assert len(parts) > 1
    assert "\n".join(part.text for part in parts) == "\n".join(lines)
    assert all(part.entities == (Entity("pre", 0, len(part.text), language="python"),) for part in parts)


def test_a_style_that_spans_two_parts_is_in_both() -> None:
    parts = telegram_parts("**" + "word " * 100 + "end**", 200)
    assert len(parts) > 2
    assert all(part.entities == (Entity("bold", 0, len(part.text)),) for part in parts)


def test_links_that_telegram_refuses_are_written_out() -> None:
    assert only("[a](/b) [c](mailto:c@d.example) <e@f.example> [top](#top)") == (
        "a (/b) c (mailto:c@d.example) e@f.example top",
        [],
    )


def test_an_image_is_a_link_to_it() -> None:
    assert only("![a cat](https://example.com/cat.png)") == ("a cat", [("text_link", "a cat")])


def test_formulas_stay_readable() -> None:
    text, _ = only(r"Then \(a_1 \times b_2 \leq \frac{1}{2}\), $x^2 + y_1*z_1$ and \[\int_0^1 x\]; it costs $5 or $6.")
    assert text == "Then a_1 × b_2 ≤ 1/2, x² + y_1*z_1 and \\int_0^1 x; it costs $5 or $6."


def test_html_is_text_and_a_line_break_is_one() -> None:
    assert only("a<br>b <script>x</script> &amp; c") == ("a\nb <script>x</script> & c", [])


def test_an_or_is_no_spoiler() -> None:
    assert only("if a || b || c") == ("if a || b || c", [])


def test_plain_parts_write_urls_out() -> None:
    assert plain_parts("**See** [here](https://example.com/x) or <https://example.com>") == [
        "See here (https://example.com/x) or https://example.com"
    ]


def test_nothing_to_see_is_no_part() -> None:
    assert [telegram_parts(text) for text in ("", " \n", "```\n\n```", "\u200b", "**", "#")][:4] == [[], [], [], []]


def test_a_part_ends_between_blocks_where_that_leaves_it_half_full() -> None:
    parts = plain_parts("word " * 14 + "\n\n" + "other " * 10, 100)
    assert parts == ["word " * 13 + "word", "other " * 9 + "other"]


def test_a_part_that_begins_in_a_nested_list_keeps_its_items_in_line() -> None:
    items = "".join(f"  - {'word ' * 5}n{i}\n" for i in range(7))
    parts = plain_parts(f"- outer\n{items}- last", 100)
    assert parts[1] == "\n".join(f"• {'word ' * 5}n{i}" for i in range(2, 5))
    assert parts[2].endswith("\n• last")


def test_a_heading_goes_with_what_follows() -> None:
    parts = plain_parts("word " * 14 + "\n\n# Title\n\n" + "other " * 10, 100)
    assert parts[1].startswith("Title\n\nother")


def test_a_word_is_cut_only_if_it_is_longer_than_a_part() -> None:
    address = "https://example.com/" + "a" * 250
    parts = plain_parts(f"see {address} there", 100)
    assert parts[0] == "see"
    assert "".join(parts[1:]).replace(" ", "") == address + "there"


def test_no_emoji_is_cut() -> None:
    parts = plain_parts(FAMILY * 300, 100)
    assert [regex.findall(r"\X", part) for part in parts] == [[FAMILY] * 9] * 33 + [[FAMILY] * 3]


def test_at_most_a_hundred_entities_and_the_dearest_stay() -> None:
    (part,) = telegram_parts("*a* " * 120 + "[x](https://example.com)")
    assert len(part.entities) == 100
    assert part.entities[-1].kind == "text_link"


@given(answers(), st.sampled_from([100, 137, 1024]))
def test_every_word_is_there_once_and_in_order(answer: Answer, limit: int) -> None:
    parts = telegram_parts(answer.markdown, limit)
    assert [word for part in parts for word in words_of(part.text)] == list(answer.words)


@given(
    st.lists(st.text(st.characters(categories=["L"]), min_size=1, max_size=150)), st.sampled_from([" ", "\n", "\n\n"])
)
def test_no_letter_of_any_script_is_lost(words: list[str], space: str) -> None:
    parts = plain_parts(space.join(words), 100)
    assert "".join("".join(parts).split()) == "".join(words)


@given(ANYTHING, st.booleans())
@example("\\", True)
@example("| a |\n|-|", True)
@example("***a **b *c", True)
def test_any_text_gives_valid_messages(markdown: str, unfinished: bool) -> None:
    for part in telegram_parts(markdown, 100, unfinished=unfinished):
        assert 0 < units(part.text) <= 100
        assert part.text.strip()
        assert list(part.entities) == sorted(part.entities, key=lambda entity: (entity.offset, -entity.length))
        ends: list[int] = []
        for entity in part.entities:
            assert styled(part, entity)
            assert entity.offset + entity.length <= units(part.text)
            ends = [end for end in ends if end > entity.offset]
            assert all(entity.offset + entity.length <= end for end in ends)
            ends.append(entity.offset + entity.length)
    assert plain_parts(markdown, 100, unfinished=unfinished) is not None


@given(ANYTHING)
def test_aiogram_takes_the_entities(markdown: str) -> None:
    for part in telegram_parts(markdown):
        entities = [
            MessageEntity(type=e.kind, offset=e.offset, length=e.length, url=e.url, language=e.language)
            for e in part.entities
        ]
        assert html_decoration.unparse(part.text, entities)


@given(NAMES)
def test_any_name_is_shown_as_it_is(name: str) -> None:
    shown = " ".join(name.split())
    assert only(f"{literally(name)}, **may** I? {literally(name)}") == (
        f"{shown}, may I? {shown}".strip(),
        [("bold", "may")],
    )
