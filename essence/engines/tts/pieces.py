"""Cuts of a long text, so that an engine's memory and first audio don't depend on how long the text is."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

PIECE_CHARS = 600
"""About 40 s of speech. Engines cut a piece into sentences themselves; they know abbreviations better."""

# Ends of a sentence, of a clause, of a word; tried in this order. CJK and Indic marks need no space behind them.
_ENDS = tuple(
    re.compile(pattern)
    for pattern in (r"[.!?…]+[\"'”’»)\]]*\s+(?![a-z])|[。！？।॥؟።]+|\n\s*\n", r"[,;:–—]\s+|[、，；：،]|\n", r"\s+")
)


def clean(text: str) -> str:
    """`text` without what a C string or a codec can't hold: control characters and lone surrogates become spaces."""
    return "".join(" " if unicodedata.category(c) in ("Cc", "Cs") and c != "\n" else c for c in text)


def pieces(text: str, limit_chars: int = PIECE_CHARS) -> Iterator[str]:
    """Yield `text` in order in pieces of at most `limit_chars`, which joined give `text` again.

    Cuts at the last end of a sentence that fits, else of a clause, else of a word, else anywhere.
    """
    start = 0
    while start < len(text):
        end = _end(text, start, limit_chars)
        yield text[start:end]
        start = end


def _end(text: str, start: int, limit_chars: int) -> int:
    stop = start + limit_chars
    if stop >= len(text):
        return len(text)
    for ends in _ENDS:
        # A cut in the first quarter would make a piece too short to be worth it.
        cuts = [found.end() for found in ends.finditer(text, start + limit_chars // 4, stop)]
        if cuts:
            return cuts[-1]
    return stop
