"""An answer as Telegram takes it: plain text and entities, so that there is no markup that it could fail to parse."""

from __future__ import annotations

from collections.abc import Sequence

import regex

from essence.chat.rendering.blocks import items_of
from essence.chat.rendering.document import (
    Block,
    Break,
    Item,
    Line,
    Span,
    Style,
    common_depth,
    nested,
    utf16_units,
)
from essence.chat.rendering.packing import pack
from essence.dialogue import Entity, EntityKind, RichText

TEXT_LIMIT = 4_096
"""Of a message, in UTF-16 units (https://core.telegram.org/bots/api#sendmessage)."""
CAPTION_LIMIT = 1_024
"""Of a caption, in UTF-16 units (https://core.telegram.org/bots/api#sendvoice)."""
_MAX_ENTITIES = 100  # what comes after is ignored (https://core.telegram.org/api/entities)

_KINDS: dict[Style, EntityKind] = {
    "bold": "bold",
    "italic": "italic",
    "strikethrough": "strikethrough",
    "spoiler": "spoiler",
    "code": "code",
    "pre": "pre",
    "link": "text_link",
    "quote": "blockquote",
}
_DEAREST: tuple[EntityKind, ...] = ("pre", "blockquote", "text_link", "spoiler", "code", "bold", "strikethrough")
# A host without a dot is refused by Telegram's server.
_LINK = regex.compile(r"(?i)(?:https?://[^\s/?#]+\.[^\s/?#]+\S*|tg://\S+)")
_MAX_URL_CHARS = 2_048


def telegram_parts(markdown: str, limit: int = TEXT_LIMIT, *, unfinished: bool = False) -> list[RichText]:
    """Render an answer for Telegram.

    Args:
        markdown: As a language model writes it, reasoning taken out.
        limit: Of each part, in UTF-16 units, at least 100.
        unfinished: More of the answer is to come; see the package for what stays as it is then.

    Returns:
        As many messages as it takes, none without anything to see; none at all for an empty answer.
    """
    lines = pack(items_of(markdown, _is_link, unfinished=unfinished), PlainMedium(), limit)
    return [_written(part) for part in lines]


def plain_parts(markdown: str, limit: int = TEXT_LIMIT, *, unfinished: bool = False) -> list[str]:
    """Render an answer as text alone, the URLs of its links written out; for a platform that refused anything more."""
    lines = pack(items_of(markdown, _never_link, unfinished=unfinished), PlainMedium(), limit)
    return [_written(part).text for part in lines]


def _is_link(url: str, label: str) -> bool:
    return len(url) <= _MAX_URL_CHARS and label != url and bool(_LINK.fullmatch(url))


def _never_link(url: str, label: str) -> bool:
    return False


class PlainMedium:
    """Text without markup; styles, code and quotes are told beside it or not at all."""

    def line(self, line: Line) -> str:
        return _lead(line) + line.text

    def frame(self, block: Block) -> tuple[str, str]:
        return "", ""

    def separator(self, before: Item, after: Item) -> str:
        return "\n\n" if after.before is Break.BLOCK else "\n"


def _lead(line: Line) -> str:
    return " " * line.indent + (line.marker + " " if line.marker else "")


def _written(lines: Sequence[Line]) -> RichText:
    writer, medium = _Writer(), PlainMedium()
    for i, line in enumerate(lines):
        around = _around(line)
        if i:
            before = _around(lines[i - 1])
            writer.write(medium.separator(lines[i - 1], line), around[: common_depth(before, around)])
        writer.write(_lead(line), around)
        for run in line.runs:
            writer.write(run.text, _allowed(around + run.spans))
    return writer.finished()


def _around(line: Line) -> tuple[Span, ...]:
    """Give what the whole line is in."""
    return tuple(span for span in (line.block.quote, line.block.span) if span)


def _allowed(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    """Leave out what Telegram forbids: code takes no style and no link (https://core.telegram.org/bots/api#messageentity)."""
    styles = {span.style for span in spans}
    if "pre" in styles:
        return nested(tuple(span for span in spans if span.style in ("quote", "pre")))
    if "code" in styles:
        kept = "link" if "link" in styles else "code"
        return nested(tuple(span for span in spans if span.style in ("quote", kept)))
    return nested(spans)


class _Writer:
    """Collects text, and the entities of the spans that it is in."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._units = 0
        self._open: list[tuple[Span, int]] = []
        self._entities: list[Entity] = []

    def write(self, text: str, spans: tuple[Span, ...]) -> None:
        if not text:
            return
        depth = common_depth([span for span, _ in self._open], spans)
        self._close(depth)
        self._open += [(span, self._units) for span in spans[depth:]]
        self._pieces.append(text)
        self._units += utf16_units(text)

    def _close(self, depth: int) -> None:
        while len(self._open) > depth:
            span, start = self._open.pop()
            self._entities.append(Entity(_KINDS[span.style], start, self._units - start, span.url, span.language))

    def finished(self) -> RichText:
        self._close(0)
        entities = self._entities
        if len(entities) > _MAX_ENTITIES:
            entities = sorted(entities, key=_rank)[:_MAX_ENTITIES]
        entities = sorted(entities, key=lambda entity: (entity.offset, -entity.length))
        return RichText("".join(self._pieces), tuple(entities))


def _rank(entity: Entity) -> int:
    """Tell how little would be missed: italics first."""
    return _DEAREST.index(entity.kind) if entity.kind in _DEAREST else len(_DEAREST)
