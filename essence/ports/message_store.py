"""What the Message API keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from essence.dialogue import Address, Platform, Receipt
from essence.outgoing import ApiKey, Draft, Errand, Filter, Identity, Posted, Scope


class Messages(Protocol):
    """What services have June tell people, from the moment it is accepted to the platform's receipt.

    Whatever a method did is durable when it returns. A conversation's messages are handed over one at a time, in the
    order in which they were posted.

    All methods may raise StoreError (the disk is full or read-only), Unreachable or TooSlow.
    """

    async def post(self, draft: Draft, *, author: str, fingerprint: str = "", key: str | None = None) -> Posted:
        """Keep a message; a repeat with the author's same key returns the one that is kept.

        Args:
            draft: What is said, to whom.
            author: Name of the API key.
            fingerprint: Of the request, so that two different ones under one key are told apart.
            key: Idempotency key; None: every call posts a message of its own.

        Raises:
            InvalidInput: The key was used for another request.
        """
        ...

    async def repeated(self, *, author: str, fingerprint: str, key: str) -> Posted | None:
        """The message that was posted under this key, or None.

        Raises:
            InvalidInput: The key was used for another request.
        """
        ...

    async def revise(
        self, message_id: str, text: str, *, append: bool = False, fingerprint: str = "", key: str | None = None
    ) -> Posted:
        """Put another text in the place of a message's, or add to its end. A repeat with the same key changes nothing.

        Raises:
            NotFound: There is no such message.
            Conflict: It failed before its platform had it, so there is nothing to change.
            InvalidInput: The text gets too long, or the key was used for another change.
        """
        ...

    async def read(self, message_id: str) -> Posted:
        """One message.

        Raises:
            NotFound: There is no such message.
        """
        ...

    async def outcome(self, message_id: str, *, wait_s: float) -> Posted:
        """One message as soon as it is no longer queued, or as it is after `wait_s`.

        Raises:
            NotFound: There is no such message.
        """
        ...

    async def list(self, which: Filter, *, limit: int, before: int | None = None) -> tuple[Posted, ...]:
        """The newest messages first: those of a position smaller than `before`, or from the newest one on."""
        ...

    async def claim(self, platform: Platform, worker_id: str, *, lease_s: float, wait_s: float = 0.0) -> Errand | None:
        """Take the oldest message that is due and the first of its conversation, or None if none comes in `wait_s`.

        Another worker may claim it once `lease_s` have passed.
        """
        ...

    async def delivered(
        self, errand: Errand, revision: int, receipts: Sequence[Receipt], *, code: str = "", why: str = ""
    ) -> None:
        """Keep that the platform has this revision; `code` and `why` tell of a part that it could not have.

        Raises:
            Conflict: The errand was lost.
        """
        ...

    async def failed(self, errand: Errand, code: str, why: str, *, retry_s: float | None) -> None:
        """Keep why the platform doesn't have it, and after how long it may be claimed again; None: never.

        Raises:
            Conflict: The errand was lost.
        """
        ...

    async def release_all(self, worker_id: str) -> int:
        """Give back what this worker holds: for a process that starts again under the id of its dead self."""
        ...


class ApiKeys(Protocol):
    """Who may use the Message API, and for what. Keys are kept as hashes alone."""

    async def add(self, secret: str, name: str, scopes: frozenset[Scope], recipients: frozenset[Identity]) -> ApiKey:
        """Let in whoever shows `secret`.

        Raises:
            Conflict: There is a key of this name, or this very key.
        """
        ...

    async def find(self, secret: str) -> ApiKey | None:
        """What a key allows; None for one that is unknown.

        Raises:
            NotAllowed: It was removed.
        """
        ...

    async def list(self) -> tuple[ApiKey, ...]:
        """All that are valid, by name."""
        ...

    async def remove(self, name: str) -> bool:
        """Refuse a key from now on; False where there is none of this name."""
        ...


class Identities(Protocol):
    """Who is the same human being on several platforms, and where they wrote last."""

    async def link(self, one: Identity, other: Identity) -> tuple[Identity, ...]:
        """Say that two are one; returns all that are this one now."""
        ...

    async def unlink(self, one: Identity) -> bool:
        """Take an identity from the others; False where it was linked with none."""
        ...

    async def linked(self, one: Identity) -> tuple[Identity, ...]:
        """All identities of this human being, this one included, by platform."""
        ...

    async def last_wrote(self, people: Sequence[Identity]) -> tuple[Identity, Address] | None:
        """Who of these wrote to June in private last, and where; None where nobody did whose message is still kept."""
        ...
