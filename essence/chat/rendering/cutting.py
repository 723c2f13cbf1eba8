"""Where a line that is too long for a message may be cut."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace

import regex

from essence.chat.rendering.document import Break, Line, Run, halves

# What belongs to the character before it, so that no cut may come in between.
_EXTENDS = r"(?![\p{M}\u200d\U0001f3fb-\U0001f3ff])"
_SENTENCE_END = regex.compile(rf"[.!?…][\"'”’»)\]]*(?=\s+{_EXTENDS}\S)|[。！？][”’」』）]*{_EXTENDS}")
_WORD_END = regex.compile(rf"(?<=\S)(?=\s+{_EXTENDS}\S)")
_GRAPHEME = regex.compile(r"\X")

Fits = Callable[[Line], bool]


def cut_at_sentence(line: Line, fits: Fits, window_chars: int) -> tuple[Line, Line] | None:
    """Cut after the last sentence that fits; None where there is no such place."""
    return _cut_at(line, [found.end() for found in _SENTENCE_END.finditer(_window(line, window_chars))], fits)


def cut_at_word(line: Line, fits: Fits, window_chars: int) -> tuple[Line, Line] | None:
    """Cut before the white space behind the last word that fits; None where there is no such place."""
    return _cut_at(line, [found.start() for found in _WORD_END.finditer(_window(line, window_chars))], fits)


def cut_anywhere(line: Line, fits: Fits, window_chars: int) -> tuple[Line, Line]:
    """Cut between two characters as a person counts them, or inside of one that is longer than a message."""
    window = _window(line, window_chars)
    points = [found.start() for found in _GRAPHEME.finditer(window)][1:]
    return _cut_at(line, points, fits) or _cut_at(line, list(range(1, len(window))), fits) or _halves(line, 1)


def _window(line: Line, chars: int) -> str:
    """Give the beginning of the line's text, one character longer than can fit."""
    pieces, length = [], 0
    for run in line.runs:
        pieces.append(run.text[: chars + 2 - length])
        length += len(pieces[-1])
        if length >= chars + 2:
            break
    return "".join(pieces)


def _cut_at(line: Line, points: list[int], fits: Fits) -> tuple[Line, Line] | None:
    """Cut at the last of the points, in rising order, where the first half fits."""
    index = bisect_right(points, 0, key=lambda point: int(not fits(_head(line, point))))
    while index and not fits(_head(line, points[index - 1])):  # escapes make lengths rise not quite evenly
        index -= 1
    return _halves(line, points[index - 1]) if index else None


def _head(line: Line, chars: int) -> Line:
    return replace(line, runs=halves(line.runs, chars)[0])


def _halves(line: Line, chars: int) -> tuple[Line, Line]:
    head, rest = halves(line.runs, chars)
    if line.block.kind != "code":
        rest = _without_leading_space(rest)
    return replace(line, runs=head), replace(line, runs=rest, before=Break.LINE, marker="")


def _without_leading_space(runs: tuple[Run, ...]) -> tuple[Run, ...]:
    while runs and not runs[0].text.strip():
        runs = runs[1:]
    return (replace(runs[0], text=runs[0].text.lstrip()), *runs[1:]) if runs else ()
