"""The board's tables, as the newest migration leaves them (`tests/contracts/test_board_schema.py` compares the two).

Statuses are stored but for `blocked`, which is told from the blockers that are open when somebody asks. Every question
that agents ask all the time follows an index of its own: open tasks have partial ones, so that those that have ended,
which are most, cost nothing. The full-text index is the database's own (FTS5, or a tsvector with GIN) and kept by
triggers; it and the triggers that keep history from being changed stand in the migration alone.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    and_,
    literal_column,
    true,
)

from essence.store.schema import Migrations
from essence.store.tables import Utc

MIGRATIONS = Migrations(Path(__file__).parent / "migrations", "0001", "tasks_alembic_version")

PRIORITIES = ("critical", "high", "medium", "low")
"""By rank: what is more urgent has a smaller one."""
IMPLEMENTATION, BREAKDOWN = 0, 1
"""The line in which a task waits: concrete tasks are done, abstract ones and epics are broken down."""

# SQLite counts rows only in a column that is declared INTEGER.
_Serial = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData()

projects = Table(
    "projects",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("local_path", Text, nullable=False, server_default=""),
    Column("origin_url", Text),
    Column("description", Text),
    Column("created_at", Utc, nullable=False),
    Column("updated_at", Utc, nullable=False),
)

tasks = Table(
    "tasks",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("project_id", BigInteger, ForeignKey("projects.id")),
    Column("title", Text, nullable=False),
    Column("task_type", Text, nullable=False),
    Column("line", Integer, nullable=False),
    Column("task_instruction", Text, nullable=False),
    Column("verification_instruction", Text, nullable=False),
    Column("task_status", Text, nullable=False, server_default="available"),
    Column("verification_status", Text, nullable=False, server_default="unverified"),
    Column("rank", Integer, nullable=False),  # of its priority
    Column("notes", Text),
    Column("estimated_hours", Double),
    Column("actual_hours", Double),
    Column("due_date", Utc),
    Column("github_issue_url", Text),
    Column("github_pr_url", Text),
    Column("created_by", Text, nullable=False),
    Column("key", Text, unique=True),  # idempotency key of its creation
    Column("assigned_agent", Text),  # who works on it, or did last
    Column("holder", Text),  # who has the lease: to work on it, or, once it is complete, to verify it
    Column("granted_s", Double),  # by the lease clock
    Column("until_s", Double),
    Column("fence", BigInteger, nullable=False, server_default="0"),  # of the newest lease
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("max_attempts", Integer, nullable=False),
    Column("ready_at", Utc),  # nobody takes it before
    Column("failure", Text),  # why the last attempt failed
    Column("verified_by", Text),
    Column("verified_at", Utc),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("created_at", Utc, nullable=False),
    Column("updated_at", Utc, nullable=False),
    Column("started_at", Utc),
    Column("completed_at", Utc),
)
# Constants, not parameters: a database follows a partial index only where it can see that the condition is the same.
is_available = tasks.c.task_status == literal_column("'available'")
is_complete = tasks.c.task_status == literal_column("'complete'")
is_in_progress = tasks.c.task_status == literal_column("'in_progress'")
is_held = tasks.c.holder.is_not(None)
is_unverified = and_(is_complete, tasks.c.verification_status == literal_column("'unverified'"))
is_due = and_(
    tasks.c.due_date.is_not(None),
    tasks.c.task_status.in_([literal_column("'available'"), literal_column("'in_progress'")]),
)
is_any = tasks.c.version > literal_column("0")
"""True of all tasks. An index that has it as its condition is followed where a question has it too, and nowhere else:
with no statistics, SQLite would prefer one that begins with an equality to the partial ones that are meant."""
for _name, _columns, _where in (
    ("tasks_line", (tasks.c.line, tasks.c.rank, tasks.c.id), is_available),
    ("tasks_project_line", (tasks.c.project_id, tasks.c.line, tasks.c.rank, tasks.c.id), is_available),
    ("tasks_unverified", (tasks.c.rank, tasks.c.id), is_unverified),
    ("tasks_held", (tasks.c.until_s,), is_held),
    ("tasks_done", (tasks.c.completed_at,), is_complete),
    ("tasks_due", (tasks.c.due_date,), is_due),
    ("tasks_status", (tasks.c.task_status, tasks.c.id), is_any),
    ("tasks_counts", (tasks.c.task_status, tasks.c.task_type, tasks.c.project_id, tasks.c.version), is_any),
    ("tasks_project", (tasks.c.project_id, tasks.c.id), is_any),
    ("tasks_agent", (tasks.c.assigned_agent, tasks.c.id), tasks.c.assigned_agent.is_not(None)),
):
    Index(_name, *_columns, sqlite_where=_where, postgresql_where=_where)

history = Table(
    "task_history",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("task_id", BigInteger, ForeignKey("tasks.id"), nullable=False),
    Column("agent_id", Text, nullable=False),
    Column("change_type", Text, nullable=False),
    Column("field_name", Text),
    Column("old_value", Text),
    Column("new_value", Text),
    Column("notes", Text),
    Column("key", Text, unique=True),  # idempotency key of an update; with its task and agent where another has the key
    Column("created_at", Utc, nullable=False),
)
Index("task_history_task", history.c.task_id, history.c.id)
Index("task_history_agent", history.c.agent_id, history.c.id)

relationships = Table(
    "task_relationships",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("parent_task_id", BigInteger, ForeignKey("tasks.id"), nullable=False),
    Column("child_task_id", BigInteger, ForeignKey("tasks.id"), nullable=False),
    Column("relationship_type", Text, nullable=False),
    Column("blocked_id", BigInteger),  # of the two, where one keeps the other from being begun
    Column("blocker_id", BigInteger),
    Column("created_by", Text, nullable=False),
    Column("created_at", Utc, nullable=False),
    UniqueConstraint("parent_task_id", "child_task_id", "relationship_type", name="task_relationships_once"),
    sqlite_autoincrement=True,  # else the id of a deleted one would be another's
)
_blocks = relationships.c.blocked_id.is_not(None)
Index("task_relationships_child", relationships.c.child_task_id)
Index(
    "task_relationships_blocked",
    relationships.c.blocked_id,
    relationships.c.blocker_id,
    sqlite_where=_blocks,
    postgresql_where=_blocks,
)
Index("task_relationships_blocker", relationships.c.blocker_id, sqlite_where=_blocks, postgresql_where=_blocks)

versions = Table(
    "task_versions",
    metadata,
    Column("task_id", BigInteger, ForeignKey("tasks.id"), primary_key=True),
    Column("version_number", Integer, primary_key=True),
    Column("fields", Text, nullable=False),  # JSON
    Column("replaced_by", Text, nullable=False),
    Column("replaced_at", Utc, nullable=False),
)
"""What a task's definition was before it was changed; the newest version is the task itself."""

comments = Table(
    "task_comments",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("task_id", BigInteger, ForeignKey("tasks.id"), nullable=False),
    Column("agent_id", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("parent_comment_id", BigInteger, ForeignKey("task_comments.id")),
    Column("mentions", Text, nullable=False, server_default="[]"),  # JSON
    Column("created_at", Utc, nullable=False),
    Column("updated_at", Utc),
    sqlite_autoincrement=True,
)
Index("task_comments_task", comments.c.task_id, comments.c.id)
Index("task_comments_parent", comments.c.parent_comment_id)

tags = Table(
    "tags",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("created_at", Utc, nullable=False),
)
task_tags = Table(
    "task_tags",
    metadata,
    Column("tag_id", BigInteger, ForeignKey("tags.id"), primary_key=True),
    Column("task_id", BigInteger, ForeignKey("tasks.id"), primary_key=True),
)
Index("task_tags_task", task_tags.c.task_id)

templates = Table(
    "task_templates",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("description", Text),
    Column("task_type", Text, nullable=False),
    Column("task_instruction", Text, nullable=False),
    Column("verification_instruction", Text, nullable=False),
    Column("priority", Text),
    Column("estimated_hours", Double),
    Column("notes", Text),
    Column("created_at", Utc, nullable=False),
    Column("updated_at", Utc, nullable=False),
)

recurring = Table(
    "recurring_tasks",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("task_id", BigInteger, ForeignKey("tasks.id"), nullable=False),
    Column("recurrence_type", Text, nullable=False),
    Column("day_of_week", Integer),  # 0 is Monday
    Column("day_of_month", Integer),  # below 0: nobody asked for it, it is that of the first time
    Column("next_occurrence", Utc, nullable=False),
    Column("last_occurrence_created", Utc),
    Column("is_active", Boolean, nullable=False, server_default=true()),
    Column("created_at", Utc, nullable=False),
    Column("updated_at", Utc, nullable=False),
)
is_active = recurring.c.is_active
Index("recurring_tasks_next", recurring.c.next_occurrence)
