"""What an answer is made of once its Markdown has been read: styled lines and table rows, in the order of reading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

Style = Literal["bold", "italic", "strikethrough", "spoiler", "code", "link", "quote", "pre"]


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """A stretch that is styled as one. Two spans are the same only if they are the same object.

    Attributes:
        style: What is done to the text.
        url: Of a link.
        language: Of a block of code.
    """

    style: Style
    url: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """Text without line breaks, and the spans that it is in, outermost first."""

    text: str
    spans: tuple[Span, ...] = ()


class Break(IntEnum):
    """How good a place it is to begin a new message; between lines, from worst to best."""

    ROW_INSIDE = 0
    LINE = 1
    BLOCK = 2


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """What lines belong together: a paragraph, a heading, a fence. Compared by identity.

    Attributes:
        kind: How its lines are shown.
        level: Of a heading, 1 to 6.
        span: Of a fence or a heading: what all of its lines are in.
        quote: The quote around it; quotes in quotes are shown as one.
    """

    kind: Literal["text", "heading", "code", "rule"] = "text"
    level: int = 0
    span: Span | None = None
    quote: Span | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it is shown.

    Attributes:
        block: What it is a line of.
        runs: Its text.
        before: What stands between it and the line before.
        indent: Columns before the marker.
        marker: "•", or a number with its sign ("3."), at the first line of a list's item; else empty.
    """

    block: Block
    runs: tuple[Run, ...]
    before: Break = Break.LINE
    indent: int = 0
    marker: str = ""

    @property
    def text(self) -> str:
        return "".join(run.text for run in self.runs)


Cell = tuple[Run, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """What the rows of a table share. Compared by identity.

    Attributes:
        header: A cell for each column.
        right_aligned: For each column.
        quote: The quote around it.
        code: The block in which its rows are shown when they are aligned.
        plain: The block in which its rows are shown when they are a list.
    """

    header: tuple[Cell, ...]
    right_aligned: tuple[bool, ...]
    quote: Span | None = None
    code: Block = field(default_factory=Block)
    plain: Block = field(default_factory=Block)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table's body; a table without any has one without cells, so that its header is shown."""

    table: Table
    cells: tuple[Cell, ...]
    before: Break = Break.LINE


Item = Line | Row


def halves(runs: tuple[Run, ...], chars: int) -> tuple[tuple[Run, ...], tuple[Run, ...]]:
    """Give the runs of the first characters, and those of all others."""
    at = 0
    for i, run in enumerate(runs):
        if at + len(run.text) > chars:
            first, second = Run(run.text[: chars - at], run.spans), Run(run.text[chars - at :], run.spans)
            return (*runs[:i], first) if first.text else runs[:i], (second, *runs[i + 1 :])
        at += len(run.text)
    return runs, ()


def is_longer(runs: tuple[Run, ...], chars: int) -> bool:
    """Whether the text is longer; told from its beginning alone, as it may be of any length."""
    for run in runs:
        chars -= len(run.text)
        if chars < 0:
            return True
    return False


def nested(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    """Leave out what says again what is said around it: bold in bold."""
    return tuple(span for i, span in enumerate(spans) if all(span.style != outer.style for outer in spans[:i]))


def common_depth(one: Sequence[Span], other: Sequence[Span]) -> int:
    """Count the outermost spans that two runs share."""
    depth = 0
    while depth < min(len(one), len(other)) and one[depth] is other[depth]:
        depth += 1
    return depth


def utf16_units(text: str) -> int:
    """Count as Telegram does: a character beyond the basic plane is two units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2
