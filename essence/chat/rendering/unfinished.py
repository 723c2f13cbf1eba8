"""What to show of Markdown whose end isn't written yet, so that no half of a marker flashes up.

Only the last line of the answer is touched, and only until more of it is there. What is opened and not closed counts as
closed at the end; what can't be told yet (half a URL, a list's bullet without its text) is kept back.
"""

from __future__ import annotations

import regex

# A line that only begins something: a bullet, a number, heading signs, a rule, a fence, an empty quote or table row.
_BARE_LINE = regex.compile(r"[\s>]*+(?:[-+*_=~`#|:\s]+|\d{1,9}[.)]?|[-+*] \[[ xX]?\]?)?")
_FENCE = regex.compile(r"(?:[\s>]|[-+*] |\d{1,9}[.)] )*(`{3,}|~{3,})([^`]*)")
_ROW = regex.compile(r"([\s>]*+)(\|(?!\|).*)")  # two signs begin a spoiler
_DELIMITER_ROW = regex.compile(r"[\s>]*\|[-:|\s]*")
_COLUMN = regex.compile(r"(?<!\\)\|")

_SIGN = regex.compile(r"\\|`+|!?\[|<|\|\||\$\$")
_LABEL_END = regex.compile(r"\](\()?")
_TARGET = regex.compile(r"(?:<[^<>\n]*>|(?:[^()\s]|\([^()\s]*\))*)(?:\s+(?:\"[^\"]*\"|'[^']*'))?\s*\)")
_OPEN_TARGET = regex.compile(r"(?:<[^<>\n]*|[^\s)]*)(?:\s+[\"'][^\"']*[\"']?)?\Z")
_OPEN_TAG = regex.compile(r"<(?:b(?:r ?/?)?)?\Z")
_OPEN_ADDRESS = regex.compile(r"<(?=https?:\S*\Z|h(?:t(?:t(?:ps?)?)?)?\Z)")
_LOOSE_MARKERS = regex.compile(r"[*_~|\s]+\Z")
_FORMULA_ENDS = {"(": "\\)", "[": "\\]"}


def settled_blocks(markdown: str) -> str:
    """Give the Markdown with its last line put in order, as far as blocks are concerned."""
    before, newline, last = markdown.rpartition("\n")
    if fence := _open_fence(before):
        closing = last.strip(" \t>")
        return before if closing and not closing.strip(fence[0]) and len(closing) < len(fence) else markdown
    if not last and _ROW.fullmatch(before.rpartition("\n")[2]):
        return settled_blocks(before)
    if _BARE_LINE.fullmatch(last) and not _DELIMITER_ROW.fullmatch(last):
        return before
    if found := _ROW.fullmatch(last):
        return _settled_table(before, newline, found[1], found[2].rstrip())
    return markdown


def _open_fence(text: str) -> str:
    """Give the marker of the fence that is open at the end of the text, or nothing."""
    if "```" not in text and "~~~" not in text:
        return ""
    fence = ""
    for line in text.split("\n"):
        found = _FENCE.fullmatch(line)
        if not found:
            continue
        if not fence:
            fence = found[1]
        elif found[1].startswith(fence) and not found[2].strip():
            fence = ""
    return fence


def _settled_table(before: str, newline: str, prefix: str, row: str) -> str:
    """Show a table as soon as its header is there; its second line is written for it."""
    above = _ROW.fullmatch(before.rpartition("\n")[2])
    is_delimiter = bool(_DELIMITER_ROW.fullmatch(row))
    if not above:  # the first line: a header, if anything
        header = row if row.endswith("|") and len(row) > 1 else row + " |"
        return before if is_delimiter else before + newline + prefix + header + "\n" + prefix + _delimiters(header)
    if not is_delimiter:
        return before + newline + prefix + row
    is_second = not _ROW.fullmatch(before.rpartition("\n")[0].rpartition("\n")[2])
    return before + newline + prefix + _delimiters(above[2].rstrip()) if is_second else before


def _delimiters(header: str) -> str:
    columns = len(_COLUMN.findall(header)) - 1
    return "|" + "---|" * max(1, columns)


def settled_inline(source: str) -> str:
    """Give a paragraph's Markdown with what is half-written at its end completed or left out."""
    at = 0
    while found := _SIGN.search(source, at):
        source, at = _settled_sign(source, found)
    return source[:at] + _LOOSE_MARKERS.sub("", source[at:])


def _settled_sign(source: str, found: regex.Match[str]) -> tuple[str, int]:
    """Put in order what begins with a sign. Returns: the source, and where to go on in it."""
    sign, start, end = found[0], found.start(), found.end()
    if sign == "\\":
        return _settled_escape(source, start)
    if sign == "<":
        return _settled_tag(source, start)
    if sign.endswith("["):
        return _settled_link(source, start, end)
    return _settled_pair(source, sign, start, end)


def _settled_escape(source: str, start: int) -> tuple[str, int]:
    escaped = source[start + 1 : start + 2]
    if not escaped:
        return source[:start], start
    closing = _FORMULA_ENDS.get(escaped)
    if closing is None:
        return source, start + 2
    end = source.find(closing, start + 2)
    return (source[:start], start) if end < 0 else (source, end + 2)


def _settled_tag(source: str, start: int) -> tuple[str, int]:
    if _OPEN_TAG.match(source, start):
        return source[:start], start
    if _OPEN_ADDRESS.match(source, start):
        return source[:start] + source[start + 1 :], len(source) - 1
    return source, start + 1


def _settled_pair(source: str, sign: str, start: int, end: int) -> tuple[str, int]:
    """A code span, a spoiler, a formula: closed by the same sign."""
    pattern = rf"(?<!`){sign}(?!`)" if sign[0] == "`" else regex.escape(sign)
    if closing := regex.search(pattern, source, pos=end):
        return source, closing.end()
    body = source[end:].rstrip(sign[0]).rstrip()
    if not body or sign == "$$":
        return source[:start].rstrip(), len(source[:start].rstrip())
    if source[end].isspace() and sign == "||":  # an "or", no spoiler
        return source, end
    closed = source[:start] + sign + body + sign
    return closed, len(closed)


def _settled_link(source: str, start: int, end: int) -> tuple[str, int]:
    """Show the label alone until the rest of the link is there."""
    closing = _LABEL_END.search(source, end)
    label_end = closing.start() if closing else len(source)
    if closing and closing.end() < len(source) and not closing[1]:
        return source, end
    if closing and closing[1]:
        if target := _TARGET.match(source, closing.end()):
            return source, target.end()
        if not _OPEN_TARGET.match(source, closing.end()):
            return source, end
    return source[:start] + source[end:label_end], start
