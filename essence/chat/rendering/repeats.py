"""The mark of a message that its reader may have got before."""

from __future__ import annotations

from dataclasses import replace

from essence.chat.rendering.document import utf16_units
from essence.dialogue import RichText

SIGN = "🔁"
WORDS = "(You may have this already.)"


def marked(text: RichText, limit: int) -> RichText:
    """Put the mark before a text: sign and words where they fit into `limit` UTF-16 units, else as much as fits.

    A text that fills its message to the last unit loses nothing: it goes without the mark's words, and at worst bears
    none.
    """
    for mark in (f"{SIGN} {WORDS}\n\n", f"{SIGN} "):
        shift = utf16_units(mark)
        if shift + utf16_units(text.text) <= limit:
            moved = tuple(replace(entity, offset=entity.offset + shift) for entity in text.entities)
            return RichText(mark + text.text, moved) if text.text else RichText(mark.strip())
    return text
