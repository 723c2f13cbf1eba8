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

from essence.chat.rendering.discord import TEXT_LIMIT as DISCORD_LIMIT
from essence.chat.rendering.discord import discord_parts
from essence.chat.rendering.telegram import CAPTION_LIMIT as TELEGRAM_CAPTION_LIMIT
from essence.chat.rendering.telegram import TEXT_LIMIT as TELEGRAM_LIMIT
from essence.chat.rendering.telegram import Entity, EntityKind, TelegramText, plain_parts, telegram_parts

SETTLED_CHARS = 1_500
"""What can still change how an earlier character is read lies within these: the longest stretch of a paragraph that is
read at once, and some room for the line after it."""

__all__ = [
    "DISCORD_LIMIT",
    "SETTLED_CHARS",
    "TELEGRAM_CAPTION_LIMIT",
    "TELEGRAM_LIMIT",
    "Entity",
    "EntityKind",
    "TelegramText",
    "discord_parts",
    "plain_parts",
    "telegram_parts",
]
