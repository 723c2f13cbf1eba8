"""The tables, as the newest migration leaves them (`tests/contracts/test_store_schema.py` compares the two).

Every query of the store has an index that it follows: open rows have partial indices of their own, so that ended ones,
which are most, cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    and_,
    false,
    literal_column,
    true,
)
from sqlalchemy.dialects import postgresql, sqlite

from essence.dialogue import Address, Platform
from essence.outgoing import Identity

INSERTS: dict[str, Callable[[Table], Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
"""By dialect: inserts that know ON CONFLICT. Both have the same methods, and no common type."""

REVISION = "0005"
"""The newest migration. Kept here so that opening a database that has it need not load Alembic."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Utc(TypeDecorator[datetime]):
    """An aware time as microseconds since 1970: the same on every database, and SQLite has no time zones."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else _EPOCH + value * _MICROSECOND


# SQLite counts rows only in a column that is declared INTEGER.
_Serial = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData()

chats = Table(
    "chats",
    metadata,
    Column("chat", Text, primary_key=True),
    Column("platform", Text, nullable=False, server_default=""),
    Column("open", Integer, nullable=False),  # messages that have not ended
    Column("turn", BigInteger, nullable=False),  # conversations with open messages are served in this order
    Column("fence", BigInteger, nullable=False),  # of the newest claim
    Column("worker", Text),  # who holds it; null where nobody does
    Column("granted_s", Double),  # by the lease clock
    Column("until_s", Double),
    Column("touched_at", Utc, nullable=False),
    Column("record", Text, nullable=False, server_default=""),  # what the last `finish` with one kept
)
# Constants, not parameters: a database follows a partial index only where it can see that the condition is the same.
has_open = chats.c.open > literal_column("0")
has_none_open = chats.c.open == literal_column("0")
_held = chats.c.worker.is_not(None)
Index("chats_ready", chats.c.turn, sqlite_where=has_open, postgresql_where=has_open)
Index("chats_platform", chats.c.platform, chats.c.turn, sqlite_where=has_open, postgresql_where=has_open)
Index("chats_worker", chats.c.worker, sqlite_where=_held, postgresql_where=_held)
Index("chats_idle", chats.c.touched_at, sqlite_where=has_none_open, postgresql_where=has_none_open)

inbox = Table(
    "inbox",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("chat", Text, nullable=False),
    Column("platform", Text, nullable=False, server_default=""),
    Column("person", Text, nullable=False),
    Column("message", Text, nullable=False),  # JSON
    Column("sent_at", Utc, nullable=False),
    Column("received_at", Utc, nullable=False),
    Column("deadline_at", Utc, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("fence", BigInteger, nullable=False),  # of its newest claim; 0 where there was none
    Column("outcome", Text),
    Column("reason", Text, nullable=False),
    Column("ended_at", Utc),
    Column("told_at", Utc),  # when its sender was told that it is parked, or wanted it
    Column("private", Boolean, nullable=False, server_default=false()),
)
is_open = inbox.c.outcome.is_(None)
has_ended = inbox.c.outcome.is_not(None)
is_parked = inbox.c.outcome == literal_column("'parked'")
is_untold = and_(is_parked, inbox.c.told_at.is_(None))
Index("inbox_line", inbox.c.chat, inbox.c.sent_at, inbox.c.id, sqlite_where=is_open, postgresql_where=is_open)
Index("inbox_newest", inbox.c.chat, inbox.c.sent_at, inbox.c.id)
Index("inbox_overdue", inbox.c.platform, inbox.c.deadline_at, sqlite_where=is_open, postgresql_where=is_open)
Index("inbox_parked", inbox.c.chat, sqlite_where=is_parked, postgresql_where=is_parked)
Index("inbox_untold", inbox.c.platform, inbox.c.chat, sqlite_where=is_untold, postgresql_where=is_untold)
Index("inbox_ended", inbox.c.ended_at, sqlite_where=has_ended, postgresql_where=has_ended)
Index("inbox_person", inbox.c.person)
is_private = inbox.c.private.is_(true())
Index("inbox_private", inbox.c.person, inbox.c.sent_at, sqlite_where=is_private, postgresql_where=is_private)

outbox = Table(
    "outbox",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("cause", Text, nullable=False),  # key of the message that it answers
    Column("chat", Text, nullable=False),
    Column("platform", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("entities", Text, nullable=False, server_default="[]"),  # JSON
    Column("buttons", Text, nullable=False, server_default="[]"),  # JSON
    Column("spoken", Text, nullable=False, server_default=""),
    Column("reply_to_id", Text),
    Column("voice", LargeBinary),
    Column("voice_s", Double),
    Column("waveform", LargeBinary),
    Column("state", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("doubtful", Boolean, nullable=False, server_default=false()),
    Column("sender", Text),  # whose request is on its way
    Column("granted_s", Double),  # of the request that is on its way, by the lease clock
    Column("until_s", Double),
    Column("retry_at", Utc),
    Column("why", Text, nullable=False),
    Column("receipt_id", Text),
    Column("sent_at", Utc),
    Column("assumed", Boolean, nullable=False, server_default=false()),
    Column("settled_at", Utc),  # sent, given up or cancelled
)
is_unsettled = outbox.c.settled_at.is_(None)
is_settled = outbox.c.settled_at.is_not(None)
Index("outbox_line", outbox.c.chat, outbox.c.id, sqlite_where=is_unsettled, postgresql_where=is_unsettled)
Index("outbox_pending", outbox.c.platform, outbox.c.id, sqlite_where=is_unsettled, postgresql_where=is_unsettled)
Index("outbox_settled", outbox.c.settled_at, sqlite_where=is_settled, postgresql_where=is_settled)
_on_its_way = outbox.c.sender.is_not(None)
Index("outbox_sender", outbox.c.sender, sqlite_where=_on_its_way, postgresql_where=_on_its_way)
Index("outbox_cause", outbox.c.cause)

turns = Table(
    "turns",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("chat", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("number", Integer, nullable=False),  # within its key
    Column("person", Text, nullable=False),
    Column("at", Utc, nullable=False),
    Column("role", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("tool_calls", Text, nullable=False),  # JSON
    Column("tool_call_id", Text),
    Column("chars", Integer, nullable=False),
)
Index("turns_line", turns.c.chat, turns.c.id, turns.c.chars)
Index("turns_key", turns.c.key, turns.c.number, unique=True)
Index("turns_person", turns.c.person)

preferences = Table(
    "preferences",
    metadata,
    Column("person", Text, primary_key=True),
    Column("language", Text),
    Column("voice", Text),
    Column("answer", Text, nullable=False),
)

pairings = Table(
    "pairings",
    metadata,
    Column("person", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("username", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("code", Text, nullable=False),  # as it is shown
    Column("plain_code", Text, nullable=False, unique=True),  # as it is compared
    Column("asked_at", Utc, nullable=False),
    Column("approved_at", Utc),
)

messages = Table(
    "messages",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("message_id", Text, nullable=False, unique=True),
    Column("author", Text, nullable=False),  # name of the API key
    Column("idempotency_key", Text),
    Column("fingerprint", Text, nullable=False),  # of the request
    Column("platform", Text, nullable=False),
    Column("chat", Text, nullable=False),
    Column("chat_id", Text, nullable=False),
    Column("person", Text),
    Column("type", Text, nullable=False),
    Column("text", Text, nullable=False),  # of the newest revision
    Column("voice", Boolean, nullable=False),
    Column("language", Text),
    Column("reply_to_id", Text),
    Column("buttons", Text, nullable=False),  # JSON
    Column("state", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("changes", Text, nullable=False),  # JSON: idempotency keys of the newest changes, with their fingerprints
    Column("opening", Text),  # what was handed over first
    Column("opening_revision", Integer),
    Column("delivered_revision", Integer, nullable=False),
    Column("receipts", Text, nullable=False),  # JSON
    Column("code", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("tries", Integer, nullable=False),  # of the newest revision
    Column("fence", BigInteger, nullable=False),  # of the newest claim
    Column("worker", Text),  # who hands it over now
    Column("granted_s", Double),  # of a lease, or of a pause, by the lease clock
    Column("until_s", Double),
    Column("due", Boolean, nullable=False),  # something is left to do
    Column("created_at", Utc, nullable=False),
    Column("updated_at", Utc, nullable=False),
)
is_due = messages.c.due.is_(true())
is_done = messages.c.due.is_(false())
Index("messages_key", messages.c.author, messages.c.idempotency_key, unique=True)  # nulls are all different
Index("messages_due", messages.c.platform, messages.c.id, sqlite_where=is_due, postgresql_where=is_due)
Index("messages_line", messages.c.chat, messages.c.id, sqlite_where=is_due, postgresql_where=is_due)
_handed_over = messages.c.worker.is_not(None)
Index("messages_worker", messages.c.worker, sqlite_where=_handed_over, postgresql_where=_handed_over)
Index("messages_done", messages.c.updated_at, sqlite_where=is_done, postgresql_where=is_done)
Index("messages_chat", messages.c.chat_id, messages.c.id)
Index("messages_author", messages.c.author, messages.c.id)
Index("messages_person", messages.c.person)

api_keys = Table(
    "api_keys",
    metadata,
    Column("hash", Text, primary_key=True),  # SHA-256 of the key, in hexadecimal
    Column("name", Text, nullable=False),
    Column("scopes", Text, nullable=False),  # JSON
    Column("recipients", Text, nullable=False),  # JSON
    Column("created_at", Utc, nullable=False),
    Column("removed_at", Utc),  # kept, so that a removed key stays removed
)
is_valid = api_keys.c.removed_at.is_(None)
Index("api_keys_name", api_keys.c.name, unique=True, sqlite_where=is_valid, postgresql_where=is_valid)

identities = Table(
    "identities",
    metadata,
    Column("person", Text, primary_key=True),
    Column("human", Text, nullable=False),  # the same for all identities of one human being
)
Index("identities_human", identities.c.human)


def chat_of(address: Address) -> str:
    """One column for a conversation: `platform/chat` or `platform/chat/thread`, percent-encoded."""
    parts = (address.platform, address.chat_id, address.thread_id)
    return "/".join(quote(part, safe="") for part in parts if part is not None)


def address_of(chat: str) -> Address:
    """The inverse of `chat_of`."""
    platform, chat_id, *thread = (unquote(part) for part in chat.split("/"))
    return Address(PLATFORMS[platform], chat_id, thread[0] if thread else None)


PLATFORMS: dict[str, Platform] = {"telegram": "telegram", "discord": "discord", "grpc": "grpc"}


def person_of(platform: Platform, person_id: str) -> str:
    """One column for a person, who is somebody else on each platform."""
    return f"{platform}/{quote(person_id, safe='')}"


def person_at(person: str) -> tuple[Platform, str]:
    """The inverse of `person_of`."""
    platform, _, person_id = person.partition("/")
    return PLATFORMS[platform], unquote(person_id)


def identity_at(person: str) -> Identity:
    """The inverse of `person_of`, as one value."""
    return Identity(*person_at(person))
