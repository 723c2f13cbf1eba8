import html

import pytest
from aiogram.types import MessageEntity
from aiogram.utils.text_decorations import html_decoration, markdown_decoration
from hypothesis import given
from hypothesis import strategies as st
from telegram.helpers import escape_markdown

from essence.fakes.telegram import entities, markup
from essence.fakes.telegram.wire import Refused

WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=40)
KINDS = ["bold", "italic", "underline", "strikethrough", "spoiler", "code"]


@st.composite
def formatted(draw):
    """Text in stretches, each plain or of one format."""
    text, found = "", []
    for _ in range(draw(st.integers(1, 5))):
        words, kind = draw(st.text("ab ü😀", min_size=1, max_size=6)), draw(st.sampled_from(["", *KINDS]))
        if kind and not (found and found[-1]["offset"] + found[-1]["length"] == entities.units(text)):
            found.append({"type": kind, "offset": entities.units(text), "length": entities.units(words)})
        text += words
    return text, found


@given(WORDS)
def test_escaped_html_is_plain_text(text):
    assert markup.parse(html.escape(text), "HTML") == (text, [])


@given(WORDS)
def test_escaped_markdown_is_plain_text(text):
    assert markup.parse(escape_markdown(text, version=2), "MarkdownV2") == (text, [])


@given(formatted())
def test_html_that_aiogram_writes_is_read_back_as_it_was(case):
    text, found = case
    source = html_decoration.unparse(text, [MessageEntity(**entity) for entity in found])
    assert entities.trim(*markup.parse(source, "HTML")) == entities.trim(text, found)


@given(formatted())
def test_markdown_that_aiogram_writes_is_read_back_as_it_was(case):
    text, found = case
    source = markdown_decoration.unparse(text, [MessageEntity(**entity) for entity in found])
    assert entities.trim(*markup.parse(source, "MarkdownV2")) == entities.trim(text, found)


@given(st.text("<>&;/bai=\"' 😀", max_size=30))
def test_any_html_is_read_or_refused(source):
    read_or_refused(source, "HTML")


@given(st.text("*_~|`[]()!\\>.\n a😀", max_size=30))
def test_any_markdown_is_read_or_refused(source):
    read_or_refused(source, "MarkdownV2")


def read_or_refused(source, mode):
    try:
        text, found = markup.parse(source, mode)
    except Refused as error:
        refused = error
    else:
        assert entities.check(text, found) == found
        return
    assert refused.status == 400
    assert "can't parse entities: " in refused.description


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("<b>bold", 'Can\'t find end tag corresponding to start tag "b"'),
        ("<h1>title</h1>", 'Unsupported start tag "h1" at byte offset 0'),
        ("é <b>a</i>", 'Unmatched end tag at byte offset 7, expected "</b>", found "</i>"'),
        ("a</b>", "Unexpected end tag at byte offset 1"),
        ("1 < 2", "Unclosed start tag at byte offset 2"),
    ],
)
def test_html_is_refused_in_telegrams_words(source, why):
    with pytest.raises(Refused) as refused:
        markup.parse(source, "HTML")
    assert refused.value.description == f"Bad Request: can't parse entities: {why}"


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("Hello.", "Character '.' is reserved and must be escaped with the preceding '\\'"),
        ("*bold", "Can't find end of Bold entity at byte offset 0"),
        ("é ```py\nx", "Can't find end of PreCode entity at byte offset 3"),
        ("[a](b", "Character '(' is reserved and must be escaped with the preceding '\\'"),
        ("a > b", "Character '>' is reserved and must be escaped with the preceding '\\'"),
    ],
)
def test_markdown_is_refused_in_telegrams_words(source, why):
    with pytest.raises(Refused) as refused:
        markup.parse(source, "MarkdownV2")
    assert refused.value.description == f"Bad Request: can't parse entities: {why}"


def test_links_code_with_a_language_and_quotations_are_read():
    assert markup.parse('<a href="https://a.example/?b&amp;c">x</a>', "html")[1] == [
        {"type": "text_link", "offset": 0, "length": 1, "url": "https://a.example/?b&c"}
    ]
    pre = {"type": "pre", "offset": 0, "length": 3, "language": "py"}
    assert markup.parse('<pre><code class="language-py">1+1</code></pre>', "HTML") == ("1+1", [pre])
    assert markup.parse("```py\n1+1```", "MarkdownV2") == ("1+1", [pre])
    quote = {"type": "blockquote", "offset": 0, "length": 3}
    assert markup.parse(">a\n>b\nc", "MarkdownV2") == ("a\nb\nc", [quote])


def test_an_unknown_parse_mode_is_refused():
    with pytest.raises(Refused, match="unsupported parse_mode"):
        markup.parse("a", "BBCode")


@pytest.mark.parametrize(
    ("text", "offset", "length", "why"),
    [
        ("😀", 1, 1, "ends in a middle of a UTF-16 symbol"),
        ("a😀", 0, 2, "ends in a middle of a UTF-16 symbol"),
        ("abc", 2, 2, "ends after the end of the text at 4"),
        ("abc", -1, 2, "invalid offset"),
        ("abc", 0, 0, "invalid offset"),
    ],
)
def test_entities_outside_of_the_text_are_refused(text, offset, length, why):
    with pytest.raises(Refused, match=why):
        entities.check(text, [{"type": "bold", "offset": offset, "length": length}])


def test_entities_are_counted_in_utf_16_units():
    assert entities.units("😀é") == 3
    assert entities.check("😀é", [{"type": "bold", "offset": 2, "length": 1}])
    assert entities.covered("😀é", {"offset": 2, "length": 1}) == "é"


def test_white_space_around_a_text_goes_and_its_entities_move():
    bold = {"type": "bold", "offset": 2, "length": 4}
    assert entities.trim("  ab  ", [bold]) == ("ab", [bold | {"offset": 0, "length": 2}])


def test_commands_mentions_and_links_are_found_in_plain_text():
    text = "/ask@june_bot 😀 @ann_b a@b.example https://a.example/b. #news"
    found = [(entity["type"], entities.covered(text, entity)) for entity in entities.detect(text, [])]
    assert found == [
        ("bot_command", "/ask@june_bot"),
        ("mention", "@ann_b"),
        ("email", "a@b.example"),
        ("url", "https://a.example/b"),
        ("hashtag", "#news"),
    ]


def test_nothing_is_found_within_code():
    code = {"type": "code", "offset": 0, "length": 6}
    assert entities.detect("/start", [code]) == [code]
