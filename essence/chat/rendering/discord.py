"""An answer in Discord's Markdown, in which nothing is markup that wasn't in the answer."""

from __future__ import annotations

from collections.abc import Sequence

import regex

from essence.chat.rendering.blocks import items_of
from essence.chat.rendering.document import Block, Break, Item, Line, Row, Run, Span, Style, common_depth, nested
from essence.chat.rendering.inline import Linkable
from essence.chat.rendering.packing import pack

TEXT_LIMIT = 2_000
"""Of a message. Discord speaks of characters; counted in UTF-16 units, the stricter way, it holds however it counts."""

_ZERO_WIDTH_SPACE = "\u200b"
_MAX_URL_CHARS = 512
_MAX_LANGUAGE_CHARS = 20
_MAX_HEADING_LEVEL = 3
_MARKS: dict[Style, tuple[str, str]] = {
    "bold": ("**", "**"),
    "italic": ("*", "*"),
    "strikethrough": ("~~", "~~"),
    "spoiler": ("||", "||"),
}
# Mentions are broken as discord.utils.escape_mentions does it; other "<…>" (channels, emoji, times) by the backslash.
_SPECIAL = regex.compile(
    r"(?P<url>https?://[^\s<>]+)|(?P<sign>[\\*_~`|\[\]<])|(?P<mention>@(?=everyone|here|[!&]?\d))", regex.IGNORECASE
)
_AT_LINE_START = regex.compile(r"[-+#>]|\d{1,9}(?=[.)](?:\s|$))")
_URL_TAIL = regex.compile(r"[.,:;!?'\"*_~|`\]]+\Z")
_RISKY = regex.compile(r"[*_~`|\[\]\\]")
_LANGUAGE = regex.compile(r"[^A-Za-z0-9_+\-.#]")
_BACKTICKS = regex.compile(r"`+")
_LINK = regex.compile(r"(?i)https?://[^\s/?#<>]+\.[^\s<>]+")
_LABEL_LIKE_URL = regex.compile(r"(?i)://|^www\.|@everyone|@here")


def discord_parts(markdown: str, limit: int = TEXT_LIMIT, *, unfinished: bool = False) -> list[str]:
    """Render an answer for Discord.

    Mentions in it ping nobody by their spelling; send with `allowed_mentions` of none all the same.

    Args:
        markdown: As a language model writes it, reasoning taken out.
        limit: Of each part, in UTF-16 units, at least 100.
        unfinished: More of the answer is to come; see the package for what stays as it is then.

    Returns:
        As many messages as it takes, none without anything to see; none at all for an empty answer.
    """
    items = items_of(markdown, _linkable_within(limit), unfinished=unfinished)
    return [_written(part) for part in pack(items, DiscordMedium(), limit)]


def _linkable_within(limit: int) -> Linkable:
    def is_linkable(url: str, label: str) -> bool:
        # Discord shows a link as it was typed if its label looks like a URL itself.
        fits = len(_link_target(url)) <= min(_MAX_URL_CHARS, limit // 4)
        return fits and bool(_LINK.fullmatch(url)) and not _LABEL_LIKE_URL.search(label)

    return is_linkable


def _link_target(url: str) -> str:
    return url.replace("(", "%28").replace(")", "%29")


class DiscordMedium:
    """Discord's Markdown."""

    def line(self, line: Line) -> str:
        quote = "> " if line.block.quote else ""
        if line.block.kind == "code":
            return quote + _fenced(line.text)
        marker = {"": "", "•": "- "}.get(line.marker, line.marker + " ")
        return quote + " " * line.indent + marker + _content(line)

    def frame(self, block: Block) -> tuple[str, str]:
        if block.kind != "code":
            return "", ""
        language = _LANGUAGE.sub("", (block.span.language if block.span else None) or "")[:_MAX_LANGUAGE_CHARS]
        quote = "> " if block.quote else ""
        return f"{quote}```{language}\n", f"\n{quote}```"

    def separator(self, before: Item, after: Item) -> str:
        if after.before is not Break.BLOCK:
            return "\n"
        quote = _quote_of(after)
        return "\n> \n" if quote and quote is _quote_of(before) else "\n\n"


def _quote_of(item: Item) -> Span | None:
    return item.table.quote if isinstance(item, Row) else item.block.quote


def _written(lines: Sequence[Line]) -> str:
    medium, text = DiscordMedium(), ""
    for i, line in enumerate(lines):
        opening, closing = medium.frame(line.block)
        if i and lines[i - 1].block is not line.block:
            text += medium.frame(lines[i - 1].block)[1]
        if i:
            text += medium.separator(lines[i - 1], line)
        if not i or lines[i - 1].block is not line.block:
            text += opening
        text += medium.line(line)
        if i + 1 == len(lines):
            text += closing
    return text


def _fenced(code: str) -> str:
    """Keep a fence in the code from closing the block: Discord knows no longer fences."""
    return _BACKTICKS.sub(lambda run: _ZERO_WIDTH_SPACE.join(run[0]) if len(run[0]) > 2 else run[0], code)


def _content(line: Line) -> str:
    if line.block.kind != "heading":
        return _at_line_start(_inline(line.runs))
    if line.block.level <= _MAX_HEADING_LEVEL and not line.marker and not line.indent:
        return "#" * line.block.level + " " + _inline(line.runs)
    bold = (line.block.span,) if line.block.span else ()
    return _inline([Run(run.text, bold + run.spans) for run in line.runs])


def _at_line_start(text: str) -> str:
    """Keep a line's first sign from making it a heading, a quote, a list or small print."""
    found = _AT_LINE_START.match(text)
    if not found:
        return text
    return found[0] + "\\" + text[found.end() :] if found[0].isdigit() else "\\" + text


def _inline(runs: Sequence[Run]) -> str:
    pieces: list[str] = []
    shown: tuple[Span, ...] = ()
    for run in runs:
        spans = nested(tuple(span for span in run.spans if span.style != "code"))
        is_code = len(spans) < len(nested(run.spans))
        pieces.append(_turn(shown, spans))
        pieces.append(_code(run.text) if is_code else _escaped(run.text, styled=bool(spans)))
        shown = spans
    return "".join([*pieces, _turn(shown, ())])


def _turn(shown: tuple[Span, ...], wanted: tuple[Span, ...]) -> str:
    """Close and open what differs; signs that would run into one another are kept apart."""
    depth = common_depth(shown, wanted)
    closing = "".join(_marks(span)[1] for span in reversed(shown[depth:]))
    opening = "".join(_marks(span)[0] for span in wanted[depth:])
    meet = closing and opening and closing[-1] == opening[0]
    return closing + (_ZERO_WIDTH_SPACE if meet else "") + opening


def _marks(span: Span) -> tuple[str, str]:
    return ("[", f"]({_link_target(span.url or '')})") if span.style == "link" else _MARKS[span.style]


def _escaped(text: str, *, styled: bool) -> str:
    return _SPECIAL.sub(lambda found: _harmless(found, styled=styled), text)


def _harmless(found: regex.Match[str], *, styled: bool) -> str:
    if found["sign"]:
        return "\\" + found[0]
    if found["mention"]:
        return found[0] + _ZERO_WIDTH_SPACE
    return _bare_url(found[0], styled=styled)


def _bare_url(text: str, *, styled: bool) -> str:
    """Leave a URL as it is; in angle brackets where what it holds or what follows could be taken for markup."""
    url = _URL_TAIL.sub("", text)
    if url.endswith(")") and url.count(")") > url.count("("):
        url = url[:-1]
    tail = _RISKY.sub(r"\\\g<0>", text[len(url) :])
    return (f"<{url}>" if styled or tail or _RISKY.search(url) else url) + tail


def _code(text: str) -> str:
    """Give inline code, in as many backticks as it takes to hold its own."""
    longest = max((len(run) for run in _BACKTICKS.findall(text)), default=0)
    if longest > 1:
        text, longest = _BACKTICKS.sub(lambda run: _ZERO_WIDTH_SPACE.join(run[0]), text), 1
    fence = "`" * (longest + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}"
