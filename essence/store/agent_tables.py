"""The agent's tables, as the newest migration leaves them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, Table, Text

from essence.store.tables import Utc, metadata

# SQLite counts rows only in a column that is declared INTEGER.
_Serial = BigInteger().with_variant(Integer, "sqlite")

steps = Table(
    "steps",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("task", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("person", Text, nullable=False),  # on whose account; empty for nobody's
    Column("at", Utc, nullable=False),
    Column("calls", Integer, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("tool_runs", Integer, nullable=False),
    Column("seconds", Double, nullable=False),
)
Index("steps_task", steps.c.task, steps.c.step, unique=True)
Index("steps_at", steps.c.at)
Index("steps_person", steps.c.person)

approvals = Table(
    "approvals",
    metadata,
    Column("approval_id", Text, primary_key=True),
    Column("chat", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("expires_at", Utc, nullable=False),
    Column("choice", Text),
)
Index("approvals_person", approvals.c.person)
Index("approvals_expiry", approvals.c.expires_at)

memories = Table(
    "memories",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("person", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("at", Utc, nullable=False),
)
Index("memories_person", memories.c.person, memories.c.id)

reminders = Table(
    "reminders",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("chat", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("due_at", Utc),  # null where nothing is to come
    Column("rule", Text, nullable=False),
    Column("zone", Text, nullable=False),
    Column("spoken", Boolean, nullable=False),
    Column("language", Text),
    Column("works", Boolean, nullable=False),
    Column("settled_at", Utc),
)
is_to_come = reminders.c.due_at.is_not(None)
Index("reminders_due", reminders.c.due_at, sqlite_where=is_to_come, postgresql_where=is_to_come)
Index("reminders_person", reminders.c.person)
