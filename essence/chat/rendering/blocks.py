"""From Markdown to lines and rows."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import regex
from markdown_it import MarkdownIt
from markdown_it.token import Token

from essence.chat.rendering.document import Block, Break, Cell, Item, Line, Row, Run, Span, Table
from essence.chat.rendering.inline import Linkable, inline_lines
from essence.chat.rendering.unfinished import settled_blocks

RULE = "─" * 10
_MAX_INDENT = 12
# What neither platform shows or counts as we do: lone surrogates can't be sent; Telegram's server drops U+2028–U+202E
# and turns other control characters into spaces, which would shift the entities behind them.
_SURROGATE = regex.compile(r"[\ud800-\udfff]")
_DROPPED = regex.compile(r"[\u2028-\u202e\r]")
_CONTROL = regex.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_TASK = regex.compile(r"\[([ xX])\]\s+")


@cache
def _parser() -> MarkdownIt:
    # Left out, because they let a later line change what an earlier one is: underlined headings and reference links.
    # Without indented code: what is indented in a model's answer stands under a list's item.
    parser = MarkdownIt("commonmark").enable(["table"])
    return parser.disable(["code", "lheading", "reference", "html_block", "inline"])


def items_of(markdown: str, linkable: Linkable, *, unfinished: bool = False) -> list[Item]:
    """Read an answer.

    Args:
        markdown: As a language model writes it, reasoning taken out.
        linkable: Decides which links are kept.
        unfinished: More is to come, so that what is half-written at the end is completed or kept back.
    """
    markdown = _cleaned(markdown)
    ended = markdown.endswith("\n\n")
    if unfinished:
        markdown = settled_blocks(markdown)
    reader = _Reader(linkable, unfinished=unfinished and not ended)
    return reader.read(_parser().parse(markdown))


def _cleaned(markdown: str) -> str:
    markdown = _DROPPED.sub("", _SURROGATE.sub("\ufffd", markdown.replace("\r\n", "\n")))
    return _CONTROL.sub(" ", markdown.replace("\r", "\n"))


class _Reader:
    """Walks through the tokens of a document, minding which list and quote it is in."""

    def __init__(self, linkable: Linkable, *, unfinished: bool) -> None:
        self._linkable = linkable
        self._unfinished = unfinished
        self._items: list[Item] = []
        self._quotes: list[Span] = []
        self._indents: list[int] = [0]
        self._markers: list[str] = []
        self._shown_quote: Span | None = None
        self._gap = False

    def read(self, tokens: list[Token]) -> list[Item]:
        last = len(tokens) - 1
        while last >= 0 and tokens[last].nesting == -1:
            last -= 1
        at = 0
        while at < len(tokens):
            token = tokens[at]
            if token.type == "table_open":
                end = next(i for i in range(at, len(tokens)) if tokens[i].type == "table_close")
                self._table(tokens[at:end], is_open=self._unfinished and last < end)
                at = end
            elif token.type == "inline":
                self._text(token, tokens[at - 1], is_open=self._unfinished and at == last)
            else:
                self._structure(token)
            at += 1
        return self._items

    def _structure(self, token: Token) -> None:
        if token.nesting >= 0 and not self._markers and token.type != "list_item_open":
            self._gap = True
        match token.type:
            case "blockquote_open":
                self._quotes.append(self._quotes[0] if self._quotes else Span("quote"))
            case "blockquote_close":
                self._quotes.pop()
            case "list_item_open":
                self._markers.append(token.info + token.markup if token.info else "•")
                self._indents.append(self._indents[-1] + len(self._markers[-1]) + 1)
            case "list_item_close":
                self._markers.pop()
                self._indents.pop()
            case "fence":
                self._fence(token)
            case "hr":
                self._add(Block("rule", quote=self._quote), [(Run(RULE),)])

    @property
    def _quote(self) -> Span | None:
        return self._quotes[0] if self._quotes else None

    def _text(self, token: Token, opening: Token, *, is_open: bool) -> None:
        lines = inline_lines(token.content, self._linkable, unfinished=is_open)
        if opening.type == "heading_open":
            level = int(opening.tag[1:])
            self._add(Block("heading", level, Span("bold"), self._quote), lines)
        else:
            self._add(Block(quote=self._quote), lines)

    def _fence(self, token: Token) -> None:
        if not token.content.strip():
            return
        language = token.info.split()[0] if token.info.split() else None
        block = Block("code", span=Span("pre", language=language), quote=self._quote)
        content = token.content.removesuffix("\n").expandtabs(4)
        self._add(block, [(Run(line),) for line in map(str.rstrip, content.split("\n"))])

    def _add(self, block: Block, lines: list[tuple[Run, ...]]) -> None:
        """Add the lines of a block; the first of a list's item takes its marker."""
        for runs in lines:
            if block.kind == "code":
                self._items.append(Line(block, runs, self._break()))
            elif runs:
                self._items.append(self._line(block, runs))

    def _line(self, block: Block, runs: tuple[Run, ...]) -> Line:
        before, marker, indent = self._break(), "", self._indents[-1]
        if self._markers and self._markers[-1]:
            marker, indent = self._markers[-1], self._indents[-2]
            self._markers[-1] = ""
            runs = _with_task_sign(runs)
        return Line(block, runs, before, min(indent, _MAX_INDENT), marker)

    def _break(self) -> Break:
        changed = self._shown_quote is not self._quote
        self._shown_quote = self._quote
        gap, self._gap = self._gap or changed, False
        return Break.BLOCK if gap else Break.LINE

    def _table(self, tokens: list[Token], *, is_open: bool) -> None:
        self._gap = self._gap or not self._markers
        rows, right_aligned = self._cells(tokens, is_open=is_open)
        quote = self._quote
        code = Block("code", span=Span("pre"), quote=quote)
        table = Table(rows[0], right_aligned, quote, code, Block(quote=quote))
        for cells in rows[1:] or [()]:
            self._items.append(Row(table, cells, self._break()))

    def _cells(self, tokens: list[Token], *, is_open: bool) -> tuple[list[tuple[Cell, ...]], tuple[bool, ...]]:
        rows: list[tuple[Cell, ...]] = []
        right_aligned: list[bool] = []
        last = max(i for i, token in enumerate(tokens) if token.type == "inline")
        for i, token in enumerate(tokens):
            if token.type == "tr_open":
                rows.append(())
            elif token.type == "th_open":
                right_aligned.append("right" in str(token.attrGet("style")))
            elif token.type == "inline":
                lines = inline_lines(token.content, self._linkable, unfinished=is_open and i == last)
                rows[-1] = (*rows[-1], _joined(lines))
        return rows, tuple(right_aligned)


def _joined(lines: list[tuple[Run, ...]]) -> Cell:
    """Put the lines of a cell, if it has several, into one."""
    return tuple(_spaced(line for line in lines if line))


def _spaced(lines: Iterator[tuple[Run, ...]]) -> Iterator[Run]:
    for i, line in enumerate(lines):
        if i:
            yield Run(" ")
        yield from line


def _with_task_sign(runs: tuple[Run, ...]) -> tuple[Run, ...]:
    first = runs[0]
    found = _TASK.match(first.text)
    if not found or first.spans:
        return runs
    return (Run(("☐ " if found[1] == " " else "☑ ") + first.text[found.end() :]), *runs[1:])
