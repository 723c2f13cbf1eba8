"""How many tokens a text costs: exactly, where the engine can count, or a cautious guess."""

from __future__ import annotations

import re
from typing import Protocol

from essence.dialogue import ToolSpec, Turn

# What a chat template writes around a turn: ChatML takes 5 tokens (<|im_start|>role\n … <|im_end|>\n), Llama 3 takes 5,
# Mistral and Gemma fewer; the rest is for templates that add a little more, such as tool calls' tags.
TURN_OVERHEAD_TOKENS = 8

# Byte-level BPE vocabularies of 49 k (SmolLM2) to 152 k (Qwen) tokens; the figures were compared with both tokenizers
# on prose of ten languages, code, numbers and identifiers (tests/integration/test_llm.py keeps that true).
_ASCII_WORD = re.compile(r"[A-Za-z]+")
_ASCII_WORD_CHARS_PER_TOKEN = 3
"""English prose has over four letters a token; names and other languages in plain letters about three."""


class TokenCounter(Protocol):
    """Counts the tokens of a text as one model's tokenizer does."""

    async def __call__(self, text: str) -> int: ...


def estimate_tokens(text: str) -> int:
    """A cautious guess that hardly any tokenizer exceeds.

    By script: a word of plain Latin letters costs a token for each three letters begun; every other ASCII character
    costs one, but for single spaces between words, which belong to the word after them; letters of two UTF-8 bytes
    (accented Latin, Greek, Cyrillic, Hebrew, Arabic) cost one; characters of three bytes (Chinese, Japanese, Korean,
    Thai, Devanagari) two; characters of four bytes (emoji) four.
    """
    words = _ASCII_WORD.findall(text)
    letters = sum(map(len, words))
    tokens = sum((len(word) - 1) // _ASCII_WORD_CHARS_PER_TOKEN + 1 for word in words)
    spaces = min(text.count(" "), len(words))
    others = [len(character.encode("utf-8", "replace")) for character in text if not character.isascii()]
    ascii_signs = len(text) - letters - len(others) - spaces
    return tokens + ascii_signs + sum({2: 1, 3: 2, 4: 4}.get(size, 1) for size in others)


async def estimated(text: str) -> int:
    """`estimate_tokens` as a `TokenCounter`, for servers that can't be asked."""
    return estimate_tokens(text)


def turn_text(turn: Turn) -> str:
    """All of a turn that ends up in the prompt."""
    return "\n".join([turn.text, *(f"{call.name} {call.arguments}" for call in turn.tool_calls)])


def tool_text(tool: ToolSpec) -> str:
    """All of a tool's description that ends up in the prompt."""
    return f"{tool.name}\n{tool.description}\n{tool.parameters}"
