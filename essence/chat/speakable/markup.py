"""From Markdown, HTML and LaTeX to the words between the markup."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Sequence
from functools import cache

import regex
from markdown_it import MarkdownIt
from markdown_it.token import Token

from essence.chat.latex import COMMAND, FORMULA, FRACTION, POWER, SIGNS, formula_of
from essence.chat.speakable.phrases import Phrases

_TOOL_CALL = regex.compile(r"<(tool_call|function_call|tool_code)>[\s\S]*?(?:</\1>|\Z)|<\|[a-z_]{1,40}\|>")
_JSON_START = regex.compile(r"(?m)^[ \t]*(?=\{\s{0,20}\")")
_FOOTNOTE = regex.compile(
    r"(?m)^\[\^[^\]\s]{1,20}\]:.*$|\[\^[^\]\s]{1,20}\]|\[\d{1,3}(?:\s?[,–-]\s?\d{1,3}){0,8}\](?!\()|【[^】]{1,60}】"
)
_TAG = regex.compile(r"<!--[\s\S]{0,2000}?-->|</?[A-Za-z][^<>]{0,500}>")
_HIDDEN_HTML = regex.compile(r"(?i)<(script|style)\b[^<>]{0,200}>[\s\S]*?(?:</\1>|\Z)")
_MARKERS = regex.compile(r"\*\*+|(?<![\w*])[*_]+(?=\w)|(?<=\w)[*_]+(?!\w)|~~|`+")
_RUN = regex.compile(r"([\[\]<>*_`~!(){}|&\\#-])\1{9,}")
_HUMP = regex.compile(r"(?<=\p{Ll})(?=\p{Lu})|_+|::|/")
_NAME = regex.compile(r"[\p{L}\p{M}\p{N} ._/:+#'’-]{1,48}(?:\(\))?")
_STOPPED = regex.compile(r"[.!?:;,…。！？：；，、؟।॥][\"'’”»)\]）」』*_]*$")
_MAX_TAG_FAILURES = 8
_LONG_CHARS = 20_000


@cache
def _parser() -> MarkdownIt:
    # Without indented code: a sentence out of a nested list is indented, and no code.
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).disable("code")


def spoken_words(markdown: str, phrases: Phrases, *, stop: str) -> str:
    """Give the words to be read, with hints in the place of code and tables.

    Args:
        markdown: A whole answer or a piece of one, reasoning taken out.
        phrases: Of the answer's language.
        stop: The full stop of the language, put between blocks so that the voice pauses.
    """
    markdown = _without_tool_calls(_RUN.sub(r"\1\1\1", markdown), phrases)
    markdown = FORMULA.sub(_plain_formula, _FOOTNOTE.sub("", markdown))
    if len(markdown) > _LONG_CHARS:  # far beyond an answer: bound what unpaired brackets can cost
        chunks = [markdown[at : at + _LONG_CHARS] for at in range(0, len(markdown), _LONG_CHARS)]
    else:
        chunks = [markdown]
    blocks = [block for chunk in chunks for block in _blocks(_parser().parse(chunk), phrases)]
    return _joined([block.strip() for block in blocks], stop)


def _joined(blocks: Sequence[str], stop: str) -> str:
    spoken = [block for block in blocks if block]
    return " ".join(
        block + stop if i + 1 < len(spoken) and not _STOPPED.search(block[-8:]) else block
        for i, block in enumerate(spoken)
    )


def _blocks(tokens: Sequence[Token], phrases: Phrases) -> Iterator[str]:
    tables = 0
    for token in tokens:
        tables += {"table_open": 1, "table_close": -1}.get(token.type, 0)
        if token.type == "table_open":
            yield phrases.table
        elif tables:
            continue
        elif token.type == "fence":
            yield phrases.code
        elif token.type == "list_item_open" and token.info:
            yield f"{token.info}."
        elif token.type == "html_block":
            yield _text_of_html(token.content)
        elif token.type == "inline":
            yield "".join(_inline(token.children or (), phrases))


def _inline(tokens: Sequence[Token], phrases: Phrases) -> Iterator[str]:
    for token in tokens:
        if token.type in ("softbreak", "hardbreak") or (token.type == "html_inline" and token.content[:3] == "<br"):
            yield " "
        elif token.type == "code_inline":
            yield _spoken_code(token.content, phrases)
        elif token.type == "image":
            yield token.content
        elif token.type == "text":
            yield _MARKERS.sub("", token.content)
        elif token.type == "link_open" and str(token.attrGet("href")).startswith("mailto:") and token.info == "auto":
            yield ""


def _spoken_code(code: str, phrases: Phrases) -> str:
    """A name is read as words ("get_user" → "get user"); anything else is only pointed at."""
    if not _NAME.fullmatch(code) or len(code.split()) > 5:
        return phrases.snippet
    return code if "://" in code else _HUMP.sub(" ", code.removesuffix("()"))


def _text_of_html(content: str) -> str:
    return html.unescape(_TAG.sub(" ", _HIDDEN_HTML.sub(" ", content)))


def _plain_formula(found: regex.Match[str]) -> str:
    formula = FRACTION.sub(r"\1 ÷ \2", formula_of(found))
    formula = COMMAND.sub(lambda command: f" {SIGNS.get(command[1], '')} ", formula)
    formula = POWER.sub(lambda power: "²" if power[1] == "2" else "³", formula)
    return regex.sub(r"[\\{}^_]", " ", formula)


def _without_tool_calls(text: str, phrases: Phrases) -> str:
    """Take out calls that a model wrote into its answer; of other JSON, say that it is code."""
    text, kept, at, failures = _TOOL_CALL.sub("", text), [], 0, 0
    for start in _JSON_START.finditer(text):
        if start.end() < at or failures >= _MAX_TAG_FAILURES:
            continue
        try:
            value, end = json.JSONDecoder().raw_decode(text, start.end())
        except (ValueError, RecursionError):  # not JSON, or nested too deep to be any that matters
            failures += 1
            continue
        kept += [text[at : start.end()], "" if "name" in value else phrases.code]
        at = end
    return "".join(kept) + text[at:]
