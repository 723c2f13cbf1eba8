"""Tell what a model thinks aloud from what it answers, while the text streams in.

Pure and incremental: whatever the chunks, the same text gives the same reasoning and the same answer.

Models mark their reasoning with `<think>…</think>` (DeepSeek-R1, Qwen3) or `<thinking>…</thinking>`. Three cases need
a rule:

- Never closed: all that follows the opening tag is reasoning.
- Never opened: Qwen3-Thinking and DeepSeek-R1 get the opening tag from their chat template, so that the text starts
  with reasoning and only `</think>` is seen. Whoever streams can't take words back, so this must be known beforehand:
  `starts_inside=True` (`LLM_REASONING=opened`, or `auto` and a model's name that says so, see `opens_thinking`).
- A closing tag in the answer that nothing opened (`starts_inside=False`): the tag is left out, what came before it
  stays answer. No state is kept for the next reply, since a person may simply ask what `</think>` means.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from essence.dialogue import ReasoningDelta, TextDelta

Piece = TextDelta | ReasoningDelta

_TAGS = ("<think>", "</think>", "<thinking>", "</thinking>")
_TAG = re.compile(r"<(/?)think(?:ing)?>", re.IGNORECASE | re.ASCII)
_LONGEST_TAG_CHARS = max(map(len, _TAGS))

# Families whose chat template writes the opening tag itself: Qwen3-…-Thinking-2507, QwQ, DeepSeek-R1 and its distills.
_OPENED_BY_TEMPLATE = re.compile(r"thinking|deepseek-r1|\bqwq\b", re.IGNORECASE)


def opens_thinking(model: str) -> bool:
    """Whether the model of this name starts its text inside reasoning, without an opening tag."""
    return bool(_OPENED_BY_TEMPLATE.search(model))


@dataclass(slots=True)
class ThinkingSplitter:
    """Cuts one reply's text. Feed it every chunk in order, then call `close` once."""

    starts_inside: bool = False
    """The text starts with reasoning, although no tag says so."""
    enabled: bool = True
    """False: tags mean nothing, all text is answer, untouched."""
    _pending: str = ""
    """The start of what may become a tag."""
    _answered: bool = False
    """Something other than white space was answered; until then white space is left out."""
    _inside: bool = False

    def __post_init__(self) -> None:
        self._inside = self.starts_inside

    def feed(self, text: str) -> list[Piece]:
        """The pieces that are now certain, in order; none is empty."""
        if not self.enabled:
            return [TextDelta(text)] if text else []
        text, self._pending = self._pending + text, ""
        pieces: list[Piece] = []
        start = 0
        for tag in _TAG.finditer(text):
            pieces += self._piece(text[start : tag.start()])
            self._inside = not tag[1]
            start = tag.end()
        end = len(text) - _unfinished_tag_chars(text[start:])
        self._pending = text[end:]
        return pieces + self._piece(text[start:end])

    def server_separates(self) -> None:
        """The server sends reasoning in a field of its own, so the text does not start inside."""
        if not self._answered and self.starts_inside:
            self._inside = False

    def close(self) -> list[Piece]:
        """What was held back, now that no more text comes."""
        rest, self._pending = self._pending, ""
        return self._piece(rest)

    def _piece(self, text: str) -> list[Piece]:
        if self._inside:
            return [ReasoningDelta(text)] if text else []
        if not self._answered:
            text = text.lstrip()
        if not text:
            return []
        self._answered = True
        return [TextDelta(text)]


def _unfinished_tag_chars(text: str) -> int:
    """Length of the end of `text` that the next chunk may complete to a tag."""
    start = text.rfind("<", max(0, len(text) - _LONGEST_TAG_CHARS + 1))
    if start < 0:
        return 0
    tail = text[start:].lower()
    return len(tail) if any(tag.startswith(tail) for tag in _TAGS) else 0
