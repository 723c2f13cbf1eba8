"""How an answer's Markdown is shown to people, on Telegram, on Discord and as plain text.

Markdown is read once into lines and table rows (`blocks`, `inline`), these are filled into messages (`packing`), and
each platform writes its own. Nothing of the answer is lost or repeated, but for a table's header, which every message
that shows rows of it has.

**While an answer is written**, render what there is with `unfinished=True`, and once more without when it is complete:

- No half of a marker is shown: what is opened counts as closed at the end, and what can't be told yet is kept back.
- A part never takes in what belongs to the next. In an answer whose markers are all closed, every part but the last
  keeps its text from the moment that it has a successor; a link's URL may still come to it.
- Whatever the answer holds, a part is final once `limit` + `SETTLED_CHARS` UTF-16 units follow it in later parts.
"""

from __future__ import annotations

import string
from functools import lru_cache

from essence.dialogue import ChannelProfile, Markup, RichText

SETTLED_CHARS = 1_500
"""What can still change how an earlier character is read lies within these: the longest stretch of a paragraph that is
read at once, and some room for the line after it."""
_AS_ENTITIES = str.maketrans({sign: f"&#{ord(sign)};" for sign in string.punctuation})
# A backslash would not do: June reads a model's \\( and \\[ as formulas.

__all__ = ["SETTLED_CHARS", "literally", "prepare", "rendered"]


def literally(text: str) -> str:
    """Markdown that shows a person's words or name as it is, on one line: nobody puts markup into June's mouth."""
    return " ".join(text.split()).translate(_AS_ENTITIES)


def rendered(markdown: str, profile: ChannelProfile, *, limit: int = 0, unfinished: bool = False) -> list[RichText]:
    """Render an answer for a channel.

    Args:
        markdown: As a language model writes it, reasoning taken out.
        profile: Of the channel.
        limit: Of each part, in UTF-16 units; 0 takes the channel's own for texts.
        unfinished: More of the answer is to come; see above for what stays as it is then.

    Returns:
        As many messages as it takes; none for an answer in which there is nothing to see.
    """
    return list(_parts(markdown, profile.markup, limit or profile.text_units, unfinished))


@lru_cache(maxsize=32)  # an answer is looked at once for whether there is anything to see, and then shown
def _parts(markdown: str, markup: Markup, limit: int, unfinished: bool) -> tuple[RichText, ...]:  # noqa: FBT001
    match markup:
        case "telegram":
            from essence.chat.rendering.telegram import telegram_parts

            return tuple(telegram_parts(markdown, limit, unfinished=unfinished))
        case "discord":
            from essence.chat.rendering.discord import discord_parts

            return tuple(RichText(text) for text in discord_parts(markdown, limit, unfinished=unfinished))
        case "plain":
            from essence.chat.rendering.telegram import plain_parts

            return tuple(RichText(text) for text in plain_parts(markdown, limit, unfinished=unfinished))


def prepare(profile: ChannelProfile) -> None:
    """Load what the first answer would wait for: a tenth of a second; call it in a thread."""
    rendered("**.**", profile)
