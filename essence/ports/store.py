"""All that is kept, together."""

from __future__ import annotations

from typing import Protocol

from essence.ports.chat_store import Conversations, Inbox, Outbox, People
from essence.ports.message_store import ApiKeys, Identities, Messages
from essence.ports.tasks import Approvals, Journal, Memories, Reminders


class Store(Protocol):
    """What June keeps, in one database."""

    @property
    def inbox(self) -> Inbox: ...

    @property
    def outbox(self) -> Outbox: ...

    @property
    def conversations(self) -> Conversations: ...

    @property
    def people(self) -> People: ...

    @property
    def messages(self) -> Messages: ...

    @property
    def api_keys(self) -> ApiKeys: ...

    @property
    def identities(self) -> Identities: ...

    @property
    def journal(self) -> Journal: ...

    @property
    def approvals(self) -> Approvals: ...

    @property
    def memories(self) -> Memories: ...

    @property
    def reminders(self) -> Reminders: ...

    async def prune(self) -> int:
        """Delete ended messages and settled parts that are older than the settings say; returns how many.

        Works in small batches, so that nobody waits for it. A key is known for as long as its row is kept.
        """
        ...
