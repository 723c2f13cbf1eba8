"""Fills messages from left to right.

A message is filled until the next line doesn't fit. It then ends at the best place that leaves it at least half full:
between blocks, else between lines (list items, rows of a table, lines of code), else after a sentence, else after a
word; where there is none, at the last place between lines or words whatever it leaves; inside of a word only if that
word is longer than a message. Nothing behind the line that didn't fit has a say, so that what is written later leaves
finished messages as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Protocol

from essence.chat.rendering.cutting import cut_anywhere, cut_at_sentence, cut_at_word
from essence.chat.rendering.document import Block, Break, Item, Line, Row, Table, is_longer, utf16_units
from essence.chat.rendering.tables import bound_of_header, bound_of_row, lines_of_rows, listed

MIN_LIMIT = 100
"""Below this, what stands around a character (quote, list, styles) could leave no room for it."""


_NESTED_INDENT = 2  # below a line that isn't in the list: four columns would make it the same paragraph


class Medium(Protocol):
    """How a platform writes a line; what the packing reckons with."""

    def line(self, line: Line) -> str:
        """Write a line with its marker and markup."""
        ...

    def frame(self, block: Block) -> tuple[str, str]:
        """Write what opens and what closes a block, line breaks included."""
        ...

    def separator(self, before: Line | Row, after: Line | Row) -> str:
        """Write what stands between two lines."""
        ...


def pack(items: Sequence[Item], medium: Medium, limit: int) -> Iterator[list[Line]]:
    """Give the lines of each message.

    Args:
        items: The whole answer.
        medium: The platform.
        limit: Of a message, in UTF-16 units.

    Raises:
        ValueError: The limit is too small to hold anything.
    """
    if limit < MIN_LIMIT:
        raise ValueError(f"a limit of {limit} leaves no room; give at least {MIN_LIMIT}")
    waiting = [piece for item in items for piece in _bounded(item, medium, limit)]
    waiting.reverse()
    message = _Message(medium, limit)
    while waiting:
        item = waiting.pop()
        if message.add(item):
            continue
        rest = message.end_before(item)
        yield from _shown(message.items)
        waiting.extend(reversed(rest))
        message = _Message(medium, limit)
    yield from _shown(message.items)


def _bounded(item: Item, medium: Medium, limit: int) -> Iterator[Item]:
    """Turn a row that would take much of a message into lines, which can be cut."""
    if isinstance(item, Row) and _row_units(item, medium) + _table_units(item.table, medium) > limit // 4:
        for i, line in enumerate(listed(item)):
            yield line if i == 0 else Line(line.block, line.runs, Break.ROW_INSIDE, line.indent, line.marker)
    else:
        yield item


def _row_units(row: Row, medium: Medium) -> int:
    return max(bound_of_row(row), sum(utf16_units(medium.line(line)) + 1 for line in listed(row)))


def _table_units(table: Table, medium: Medium) -> int:
    return bound_of_header(table) + sum(utf16_units(frame) for frame in medium.frame(table.code))


def _shown(items: Sequence[Item]) -> Iterator[list[Line]]:
    """Lay out the tables of a message, and leave out empty lines at its ends."""
    lines: list[Line] = []
    for _, group in groupby(items, key=lambda item: item.table if isinstance(item, Row) else None):
        together = list(group)
        rows = [item for item in together if isinstance(item, Row)]
        lines += lines_of_rows(rows) if rows else [item for item in together if isinstance(item, Line)]
    filled = [i for i, line in enumerate(lines) if is_visible(line.text)]
    if filled:
        yield _dedented(lines[filled[0] : filled[-1] + 1])


def _dedented(lines: list[Line]) -> list[Line]:
    """Where a message begins inside of a nested list, move its items to the left, together."""
    first = next((line for line in lines if line.marker), None)
    shift = max(0, first.indent - (0 if first is lines[0] else _NESTED_INDENT)) if first else 0
    lines = [replace(line, indent=max(0, line.indent - shift)) for line in lines] if shift else lines
    return [replace(lines[0], indent=0), *lines[1:]]


def is_visible(text: str) -> bool:
    """Whether a person sees anything of it; a platform refuses a message of which nothing can be seen."""
    return any(character.isprintable() and not character.isspace() for character in text)


class _Message:
    """A message while it is filled."""

    def __init__(self, medium: Medium, limit: int) -> None:
        self.items: list[Item] = []
        self._sizes: list[int] = [0]  # after each item, with what closes it
        self._medium = medium
        self._limit = limit

    def add(self, item: Item) -> bool:
        """Take the item, if it fits."""
        units = self._units_with(item)
        if units > self._limit:
            return False
        self.items.append(item)
        self._sizes.append(units)
        return True

    def _units_with(self, item: Item) -> int:
        if isinstance(item, Line) and is_longer(item.runs, self._limit):
            return self._limit + 1
        units = self._sizes[-1] + self._content_units(item)
        if self.items and _frame_of(self.items[-1]) is _frame_of(item):
            return units + utf16_units(self._medium.separator(self.items[-1], item))
        if self.items:
            units += utf16_units(self._medium.separator(self.items[-1], item))
        return units + self._frame_units(item)

    def _content_units(self, item: Item) -> int:
        return _row_units(item, self._medium) if isinstance(item, Row) else utf16_units(self._medium.line(item))

    def _frame_units(self, item: Item) -> int:
        if isinstance(item, Row):
            return _table_units(item.table, self._medium)
        return sum(utf16_units(text) for text in self._medium.frame(item.block))

    def end_before(self, item: Item) -> list[Item]:
        """End the message, given the item that doesn't fit. Returns: what the next one begins with."""
        half = self._limit // 2
        for wanted in (Break.BLOCK, Break.LINE):
            for i in range(len(self.items), 0, -1):
                if self._sizes[i] < half:
                    break
                following = self.items[i] if i < len(self.items) else item
                if following.before >= wanted and not _is_heading(self.items[i - 1]):
                    return self._cut_before(i, item)
        return self._cut_inside(item, half)

    def _cut_before(self, index: int, item: Item) -> list[Item]:
        rest = [*self.items[index:], item]
        del self.items[index:]
        return rest

    def _cut_inside(self, item: Item, half: int) -> list[Item]:
        """Cut the item itself, as no place before it leaves the message half full."""
        if isinstance(item, Row):
            return [item]
        window = self._limit
        cut = cut_at_sentence(item, self._fits, window)
        if cut is None or self._units_with(cut[0]) < half:
            cut = cut_at_word(item, self._fits, window) or cut
        if cut is None and self.items:
            return self._before_heading(item)
        head, rest = cut or cut_anywhere(item, self._fits, window)
        self.items.append(head)
        return [rest]

    def _before_heading(self, item: Item) -> list[Item]:
        """End before the item, and before the heading above it where something is left then."""
        index = len(self.items)
        while index > 1 and _is_heading(self.items[index - 1]):
            index -= 1
        return self._cut_before(index, item) if index < len(self.items) else [item]

    def _fits(self, line: Line) -> bool:
        return self._units_with(line) <= self._limit


def _is_heading(item: Item) -> bool:
    return isinstance(item, Line) and item.block.kind == "heading"


def _frame_of(item: Item) -> Block | Table:
    return item.table if isinstance(item, Row) else item.block
