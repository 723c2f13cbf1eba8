"""The words of the Message API, as data: what a service has June tell a person, and what became of it.

Everything here is frozen and knows nothing of stores or wires. Ids are strings, times are aware UTC.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from essence.dialogue import Address, Button, Platform, Receipt

MessageType = Literal["text", "error", "status", "clarification", "help_request", "progress"]
State = Literal["queued", "sent", "failed"]
"""Of a message's newest revision: on its way; the platform has it; it will not be tried again."""
Scope = Literal["send", "read", "edit"]
SCOPES: frozenset[Scope] = frozenset(get_args(Scope))

TEXT_MAX_CHARS = 32_000
"""Longest text of a message, appended text included: eight messages on Telegram, sixteen on Discord."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A person as one platform knows them."""

    platform: Platform
    person_id: str


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What a key of the Message API allows. The key itself is known to its holder alone."""

    name: str
    scopes: frozenset[Scope]
    recipients: frozenset[Identity] = frozenset()
    """People and chats to whom it may write, chats by their id; empty: anybody. A person's linked identities are meant
    as well."""
    created_at: datetime | None = None
    """None: it isn't kept in the store."""


LOCAL_KEY, CONFIGURED_KEY = "local", "configured"
"""Names of the keys that nobody adds: of the service's own machine, and of MESSAGE_API_KEY."""
KEY_PREFIX = "june_"
"""By which people, and scanners for secrets, know a key."""


def new_secret() -> str:
    """A key of the Message API: 256 random bits."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True)
class Draft:
    """What a person is to be told."""

    to: Address
    text: str
    """Markdown."""
    person_id: str = ""
    """Who it is for, where that is known."""
    message_type: MessageType = "text"
    voice: bool = False
    """As a voice message too."""
    language: str | None = None
    """ISO 639-1 code of `text`, for the voice."""
    reply_to_id: str | None = None
    """The platform's message that it answers."""
    buttons: tuple[Button, ...] = ()


@dataclass(frozen=True, slots=True)
class Posted:
    """A draft that the store has, and how far it got."""

    message_id: str
    draft: Draft
    """With the text of the newest revision."""
    author: str
    """Name of the API key that posted it."""
    position: int
    """Grows with each message that is posted."""
    created_at: datetime
    updated_at: datetime
    idempotency_key: str | None = None
    state: State = "queued"
    revision: int = 1
    """Grows with each change of the text."""
    delivered_revision: int = 0
    """What the person sees; 0: nothing yet."""
    receipts: tuple[Receipt, ...] = ()
    """In order: the texts, then the voice messages."""
    code: str = ""
    """`JuneError.code` of what went wrong last; empty where nothing did."""
    why: str = ""
    """What went wrong last, for a person to read."""


@dataclass(frozen=True, slots=True)
class Errand:
    """The right to hand one message over to its platform for a while."""

    message: Posted
    opening: str
    """The text that is sent first. It stays as it is however often the message changes, so that a repeat after a lost
    answer asks for the very same."""
    opening_revision: int
    worker_id: str
    fence: int
    """Grows with each claim of this message: an errand with a smaller one has been lost."""
    tries: int
    """Of this revision, this one included."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which messages are listed; None leaves a field out of account."""

    author: str | None = None
    platform: Platform | None = None
    chat_id: str | None = None
    person_id: str | None = None
    message_type: MessageType | None = None
    state: State | None = None
    idempotency_key: str | None = None
    since: datetime | None = None
    """Posted at this time or later."""
    until: datetime | None = None
    """Posted before this time."""
