"""From a URL to a store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from essence.config import StoreSettings
from essence.store import retention
from essence.store.access import Access, open_database
from essence.store.api_keys import DurableApiKeys
from essence.store.approvals import DurableApprovals
from essence.store.bell import Bell
from essence.store.clock import Clock
from essence.store.conversations import DurableConversations
from essence.store.database import Database
from essence.store.identities import DurableIdentities
from essence.store.inbox import DurableInbox
from essence.store.journal import DurableJournal
from essence.store.memories import DurableMemories
from essence.store.messages import DurableMessages
from essence.store.outbox import DurableOutbox
from essence.store.people import DurablePeople
from essence.store.reminders import DurableReminders
from essence.store.schema import STORE


class DurableStore:
    """See `essence.ports.Store`. In memory it lasts for as long as it is open."""

    def __init__(self, database: Database, settings: StoreSettings, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._retention_days = settings.store_retention_days
        poll_s = settings.store_poll_s
        outgoing = Bell(poll_s)
        self.inbox = DurableInbox(database, clock, Bell(poll_s), outgoing, deadline_s=settings.message_deadline_s)
        self.outbox = DurableOutbox(database, clock, outgoing)
        self.conversations = DurableConversations(
            database, clock, max_turns=settings.history_max_turns, max_chars=settings.history_max_chars
        )
        self.people = DurablePeople(database, clock)
        self.journal = DurableJournal(database, clock)
        self.approvals = DurableApprovals(database, clock, Bell(poll_s))
        self.memories = DurableMemories(database, clock)
        self.reminders = DurableReminders(database, clock, Bell(poll_s))
        self.messages = DurableMessages(database, clock, due=Bell(poll_s), ended=Bell(poll_s))
        self.api_keys = DurableApiKeys(database, clock)
        self.identities = DurableIdentities(database)

    async def prune(self) -> int:
        return await retention.prune(self._database, self._clock.now(), self._retention_days)


@asynccontextmanager
async def open_store(url: str, settings: StoreSettings, clock: Clock | None = None) -> AsyncIterator[DurableStore]:
    """Open the store on entry, bring its tables up to date, let go of it on exit.

    Args:
        url: `memory://`, `sqlite:///PATH` (four slashes make it absolute) or
            `postgresql://USER:PASSWORD@HOST/DATABASE`.
        settings: Limits and deadlines; the URL in them is not looked at.
        clock: Where times come from; None is the real ones.

    Raises:
        ConfigError: The URL can't be used, or a newer June wrote this store.
        EngineMissing: The database's driver isn't installed.
        StoreError, Unreachable, TooSlow: It can't be opened.
    """
    clock = clock or Clock()
    access = Access(url, "STORE_URL", settings.store_deadline_s, settings.store_connections)
    async with open_database(access, clock, STORE) as database:
        yield DurableStore(database, settings, clock)
