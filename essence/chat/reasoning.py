"""What a model thinks aloud between tags, taken out of a finished text.

The engines keep reasoning apart while it streams; this is the second lock on the door to the voice.
"""

from __future__ import annotations

import regex

# Tags of DeepSeek, Qwen and most others; [THINK] is Mistral's. A tag between backticks is being talked about, not used.
_NAMES = r"(?:think|thinking|reasoning|thought)[>\]]"
_TAG = regex.compile(rf"(?!(?<=`)[<\[]/?{_NAMES}`)[<\[](/?){_NAMES}", regex.IGNORECASE)


def without_reasoning(text: str) -> str:
    """Take out closed blocks, what follows one that is never closed, and what precedes a close that nothing opened.

    The last is how Qwen3-Thinking writes: its template opens the block, so that the text begins inside of it.
    """
    kept: list[str] = []
    at, thinking = 0, False
    for tag in _TAG.finditer(text):
        if not tag[1]:
            kept += [] if thinking else [text[at : tag.start()]]
            thinking = True
        else:
            kept = kept if thinking else []
            at, thinking = tag.end(), False
    return "".join(kept) if thinking else "".join(kept) + text[at:]
