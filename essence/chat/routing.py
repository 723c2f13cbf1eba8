"""Which of an owner's messages become tasks for the agent: all, none, or those that ask for something to be done.

`auto` looks at the words alone, so that everybody can tell beforehand where a message goes, and no model is asked.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

Route = Literal["agent", "chat"]
OwnerRoute = Literal["agent", "chat", "auto"]
"""As in the setting OWNER_ROUTE."""

_ADDRESS = re.compile(r"https?://\S", re.IGNORECASE)
_WORD = re.compile(r"\w+")
FIRST_WORDS = 12
"""An order stands at the beginning of a message; behind that its words are those of a story."""


def route_of(text: str, owner_route: OwnerRoute, orders: frozenset[str]) -> Route:
    """Where a message goes that says `text`.

    With `auto` to the agent if there is a web address in it, or if one of its first 12 words is one of `orders` (bare
    words, in lower case, compared without accents).
    """
    if owner_route != "auto":
        return owner_route
    if _ADDRESS.search(text):
        return "agent"
    words = _WORD.findall(_bare(text))[:FIRST_WORDS]
    return "agent" if any(word in orders for word in words) else "chat"


def orders_of(listed: str) -> frozenset[str]:
    """The words of a comma-separated setting, as `route_of` compares them."""
    return frozenset(filter(None, (_bare(word.strip()) for word in listed.split(","))))


def _bare(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))
