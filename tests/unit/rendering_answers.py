"""Answers as language models write them, made up by hypothesis, each with the words that a person should read."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hypothesis import strategies as st
from markdown_it import MarkdownIt

WORDS = [
    "alpha",
    "beta",
    "naïve",
    "Straße",
    "שלום",
    "مرحبا",
    "日本語",
    "नमस्ते",
    "👩‍👩‍👧‍👦",
    "🇩🇪",
    "👍🏽",
    "e\u0301t\u00e9",
    "x" * 30,
]


@dataclass(frozen=True)
class Answer:
    markdown: str
    words: tuple[str, ...]


def _styled(opening: str, closing: str, words: list[str]) -> Answer:
    return Answer(opening + " ".join(words) + closing, tuple(words))


some_words = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4)
link = some_words.map(lambda words: _styled("[", "](https://a.example/b_c)", words))
plain_inline = st.one_of(
    some_words.map(lambda words: _styled("", "", words)),
    some_words.map(lambda words: _styled("", ".", [*words[:-1], words[-1]])).map(
        lambda found: Answer(found.markdown, (*found.words[:-1], found.words[-1] + "."))
    ),
    some_words.map(lambda words: _styled("**", "**", words)),
    some_words.map(lambda words: _styled("*", "*", words)),
    some_words.map(lambda words: _styled("***", "***", words)),
    some_words.map(lambda words: _styled("~~", "~~", words)),
    some_words.map(lambda words: _styled("`", "`", words)),
    some_words.map(lambda words: _styled("||", "||", words)),
)


def _joined(parts: list[Answer], separator: str) -> Answer:
    return Answer(separator.join(part.markdown for part in parts), tuple(word for part in parts for word in part.words))


def _prefixed(first: str, others: str, answer: Answer) -> Answer:
    lines = answer.markdown.split("\n")
    return Answer("\n".join([first + lines[0], *[others + line for line in lines[1:]]]), answer.words)


def _fence(language: str, lines: list[list[str]]) -> Answer:
    code = "\n".join("    " + " ".join(line) for line in lines)
    return Answer(f"```{language}\n{code}\n```", tuple(word for line in lines for word in line))


def _list(items: list[Answer], *, ordered: bool) -> Answer:
    markers = [f"{i + 1}. " if ordered else "- " for i in range(len(items))]
    return _joined(
        [_prefixed(marker, " " * len(marker), item) for marker, item in zip(markers, items, strict=True)], "\n"
    )


def answers(inline: st.SearchStrategy[Answer] = plain_inline | link) -> st.SearchStrategy[Answer]:
    paragraph = st.lists(inline, min_size=1, max_size=12).map(lambda parts: _joined(parts, " "))
    lists = st.recursive(
        st.tuples(st.lists(paragraph, min_size=1, max_size=4), st.booleans()).map(
            lambda drawn: _list(drawn[0], ordered=drawn[1])
        ),
        lambda inner: st.tuples(paragraph, inner).map(lambda two: _list([_joined(list(two), "\n")], ordered=False)),
        max_leaves=3,
    )
    block = st.one_of(
        paragraph,
        paragraph,
        st.tuples(st.integers(1, 6), paragraph).map(lambda drawn: _prefixed("#" * drawn[0] + " ", "", drawn[1])),
        lists,
        paragraph.map(lambda quoted: _prefixed("> ", "> ", quoted)),
        st.tuples(st.sampled_from(["", "python", "c++"]), st.lists(some_words, min_size=1, max_size=6)).map(
            lambda drawn: _fence(*drawn)
        ),
    )
    return st.lists(block, min_size=1, max_size=6).map(lambda blocks: _joined(blocks, "\n\n"))


_MARKER = re.compile(r"•|\d+\.")


def words_of(text: str) -> list[str]:
    """Give the words of a rendered text, bullets and numbers left out."""
    return [word for word in text.split() if not _MARKER.fullmatch(word)]


def seen_on_discord(markdown: str) -> str:
    """Give what is read of Discord's Markdown, by a parser of its own."""
    parser = MarkdownIt("commonmark").enable("strikethrough").disable(["code", "lheading", "html_inline", "html_block"])
    parser.disable(["entity", "reference"])
    pieces = []
    for token in parser.parse(markdown):
        if token.type == "fence":
            pieces.append(token.content)
        for child in token.children or ():
            pieces.append(child.content if child.type not in ("softbreak", "hardbreak") else "\n")
        pieces.append("\n" if token.type in ("inline", "fence") else "")
    return "".join(pieces).replace("\u200b", "")


# Whatever might be in a text: markup in all states, and any characters.
PIECES = [
    *("**", "*", "_", "__", "~~", "||", "`", "```", "```py\n", "\n", "\n\n", "> ", "- ", "1. ", "# ", "---\n", "    "),
    *("|", "| a | b |\n", "|---|---|\n", "[", "](", ")", "![", "<", "<br>", "https://a.b/c_d*e", "<https://a.b>", "\\"),
    *("\\(", "\\)", "$", "$$", "@everyone", "<@123>", "&amp;", "word ", "Satz. ", WORDS[8], "\ud800", "\x00", "\u202e"),
    "\r\n",
]
ANYTHING = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=10)), max_size=60).map("".join)
NAMES = st.text(
    st.one_of(
        st.sampled_from("*_~`|>#[]()<@!-+1.=: ab\\{}&;/^$"),
        st.characters(exclude_categories=["C", "Z"], exclude_characters="\u200b\u2028"),
        st.sampled_from(" \n"),
    ),
    min_size=1,
    max_size=129,  # Telegram: a first and a last name of 64 characters each
)
"""What people call themselves."""
