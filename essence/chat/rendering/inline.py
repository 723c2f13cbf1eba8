"""From a paragraph's Markdown to styled runs, line by line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import regex
from markdown_it import MarkdownIt
from markdown_it.rules_inline.state_inline import Delimiter, StateInline
from markdown_it.token import Token

from essence.chat.latex import COMMAND, FORMULA, FRACTION, POWER, SIGNS, formula_of
from essence.chat.rendering.document import Run, Span, Style
from essence.chat.rendering.unfinished import settled_inline

Linkable = Callable[[str, str], bool]
"""Says whether a platform can show a URL (first) behind a label (second)."""

_CHUNK_MIN_CHARS = 700
_CHUNK_MAX_CHARS = 1_400
_SPOILER = regex.compile(r"\|\|(?=[^\s|])([^\n]{1,700}?)(?<=[^\s|])\|\|(?!\|)")
_LINE_BREAK_TAG = regex.compile(r"(?i)<br ?/?>")
_SPACE = regex.compile(r"\s+")
_STYLES: dict[str, Style] = {"strong": "bold", "em": "italic", "s": "strikethrough", "spoiler": "spoiler"}
_BREAKS = ("softbreak", "hardbreak")


@cache
def _parser() -> MarkdownIt:
    # Without HTML: chats show none, so that a tag is text like any other.
    parser = MarkdownIt("commonmark").enable(["strikethrough"]).disable(["html_inline"])
    parser.inline.add_terminator_char("|")
    parser.inline.ruler.before("escape", "formula", _formula)
    parser.inline.ruler.before("link", "spoiler", _spoiler)
    parser.inline.ruler.before("autolink", "line_break", _line_break)
    parser.inline.ruler2.after("balance_pairs", "close_open_markers", _close_open_markers)
    return parser


def inline_lines(source: str, linkable: Linkable, *, unfinished: bool) -> list[tuple[Run, ...]]:
    """Read the text of one block.

    Args:
        source: What stands in the block, its markup included.
        linkable: Decides which links are kept; the URL of any other follows its label in brackets.
        unfinished: More is to come: what is open at the end counts as closed there.
    """
    runs = _Runs(linkable)
    chunks = list(_chunks(source))
    for i, chunk in enumerate(chunks):
        is_open = unfinished and i + 1 == len(chunks)
        text = settled_inline(chunk) if is_open else chunk
        for token in _parser().parseInline(text, {"open": is_open})[0].children or ():
            runs.take(token)
    return runs.lines()


def _chunks(source: str) -> Iterator[str]:
    """Cut a long paragraph where no marker seems open, so that what is read can't depend on what comes much later.

    That makes finished parts of an answer final, and bounds what unpaired markers can cost.
    """
    at = 0
    while len(source) - at > _CHUNK_MAX_CHARS:
        ends = [
            found.end()
            for found in _SPACE.finditer(source, at + _CHUNK_MIN_CHARS, at + _CHUNK_MAX_CHARS)
            if found.end() < at + _CHUNK_MAX_CHARS
        ]
        end = next((end for end in ends if _balanced(source[at:end])), ends[0] if ends else at + _CHUNK_MAX_CHARS)
        yield source[at:end]
        at = end
    yield source[at:]


def _balanced(chunk: str) -> bool:
    even = all(chunk.count(marker) % 2 == 0 for marker in ("**", "`", "~~", "||", "$"))
    return even and chunk.count("[") == chunk.count("]") and chunk.count("(") == chunk.count(")")


class _Runs:
    """Collects the runs of one block from its tokens."""

    def __init__(self, linkable: Linkable) -> None:
        self._linkable = linkable
        self._lines: list[list[Run]] = [[]]
        self._open: list[Span] = []
        self._link_from: tuple[int, int] = (0, 0)

    def lines(self) -> list[tuple[Run, ...]]:
        return [_stripped(line) for line in self._lines]

    def take(self, token: Token) -> None:
        if token.type in _BREAKS:
            self._lines.append([])
        elif token.type == "link_open":
            self._open_link(str(token.attrGet("href") or ""))
        elif token.type == "link_close":
            self._close_link()
        elif token.type == "image":
            self._open_link(str(token.attrGet("src") or ""))
            self._add(token.content or "🖼")
            self._close_link()
        elif token.type in ("code_inline", "formula_code"):
            self._add(token.content.replace("\n", " "), Span("code"))
        elif token.nesting == 1:
            self._open.append(Span(_STYLES[token.tag]))
        elif token.nesting == -1:
            self._open.pop()
        else:
            self._add(token.content)

    def _add(self, text: str, span: Span | None = None) -> None:
        for i, piece in enumerate(text.split("\n")):
            if i:
                self._lines.append([])
            if piece:
                self._lines[-1].append(Run(piece, (*self._open, span) if span else tuple(self._open)))

    def _open_link(self, url: str) -> None:
        self._open.append(Span("link", url))
        self._link_from = (len(self._lines) - 1, len(self._lines[-1]))

    def _close_link(self) -> None:
        link = self._open.pop()
        url, label = link.url or "", self._label()
        if not label.strip():
            self._add(url)
        elif not self._linkable(url, label):
            self._unlink(link)
            if not _says_itself(url, label):
                self._add(f" ({url})")

    def _label(self) -> str:
        first, start = self._link_from
        runs = self._lines[first][start:] + [run for line in self._lines[first + 1 :] for run in line]
        return "".join(run.text for run in runs)

    def _unlink(self, link: Span) -> None:
        for line in self._lines[self._link_from[0] :]:
            line[:] = [Run(run.text, tuple(span for span in run.spans if span is not link)) for run in line]


def _says_itself(url: str, label: str) -> bool:
    """Whether the label tells all that the URL does, or the URL leads nowhere outside of the answer."""
    return label in (url, url.removeprefix("mailto:")) or url.startswith(("#", "data:")) or not url


def _stripped(line: list[Run]) -> tuple[Run, ...]:
    """Take the white space off both ends."""
    while line and not line[0].text.strip():
        line.pop(0)
    while line and not line[-1].text.strip():
        line.pop()
    if line:
        line[0] = Run(line[0].text.lstrip(), line[0].spans)
        line[-1] = Run(line[-1].text.rstrip(), line[-1].spans)
    return tuple(line)


def _formula(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - markdown-it calls it so
    if state.src[state.pos] not in "\\$" or not (found := FORMULA.match(state.src, state.pos, state.posMax)):
        return False
    if not silent:
        formula = readable_formula(formula_of(found))
        state.push("formula_code" if "\\" in formula else "text", "", 0).content = formula
    state.pos = found.end()
    return True


def readable_formula(formula: str) -> str:
    """Give the formula in Unicode signs, or as it was where a command has none."""
    text = FRACTION.sub(_quotient, formula.strip())
    text = COMMAND.sub(lambda command: SIGNS.get(command[1], command[0]), text)
    text = POWER.sub(lambda power: "²" if power[1] == "2" else "³", text)
    return formula.strip() if "\\" in text else text


def _quotient(found: regex.Match[str]) -> str:
    above, below = (part if part.isalnum() else f"({part})" for part in found.groups())
    return f"{above}/{below}"


def _spoiler(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - markdown-it calls it so
    if state.src[state.pos] != "|" or not (found := _SPOILER.match(state.src, state.pos, state.posMax)):
        return False
    if not silent:
        end = state.posMax
        state.push("spoiler_open", "spoiler", 1)
        state.pos, state.posMax = found.span(1)
        state.md.inline.tokenize(state)
        state.posMax = end
        state.push("spoiler_close", "spoiler", -1)
    state.pos = found.end()
    return True


def _line_break(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - markdown-it calls it so
    if state.src[state.pos] != "<" or not (found := _LINE_BREAK_TAG.match(state.src, state.pos, state.posMax)):
        return False
    if not silent:
        state.push("hardbreak", "br", 0)
    state.pos = found.end()
    return True


def _close_open_markers(state: StateInline) -> None:
    """Where the text is still being written, end at its end what was opened and isn't closed yet."""
    if not state.env.get("open"):
        return
    closed_until = -1
    opened = []
    for i, delimiter in enumerate(state.delimiters):
        closed_until = max(closed_until, delimiter.end)
        if delimiter.open and delimiter.end < 0 and i > closed_until:
            opened.append(delimiter)
    for delimiter in reversed(opened):
        token = state.push("text", "", 0)
        token.content = state.tokens[delimiter.token].content
        delimiter.end = len(state.delimiters)
        state.delimiters.append(
            Delimiter(delimiter.marker, delimiter.length, len(state.tokens) - 1, -1, open=False, close=True)
        )
