"""The board: projects, tasks and what is told of them; project 1 is there from the start."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Apply this step."""
    _projects()
    _tags()
    _templates()
    _tasks()
    _recurring_tasks()
    _comments()
    _history()
    _relationships()
    _task_tags()
    _versions()
    if op.get_bind().dialect.name == "postgresql":
        _search_on_a_server()
        _lasting_history_on_a_server()
    else:
        _search_in_a_file()
        _lasting_history_in_a_file()
    _first_project()


def _index(name: str, table: str, columns: list[str], where: str | None = None) -> None:
    only = None if where is None else sa.text(where)
    op.create_index(name, table, columns, sqlite_where=only, postgresql_where=only)


def _projects() -> None:
    op.create_table(
        "projects",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("local_path", sa.Text, nullable=False, server_default=""),
        sa.Column("origin_url", sa.Text),
        sa.Column("description", sa.Text),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )


def _tags() -> None:
    op.create_table(
        "tags",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )


def _templates() -> None:
    op.create_table(
        "task_templates",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("description", sa.Text),
        sa.Column("task_type", sa.Text, nullable=False),
        sa.Column("task_instruction", sa.Text, nullable=False),
        sa.Column("verification_instruction", sa.Text, nullable=False),
        sa.Column("priority", sa.Text),
        sa.Column("estimated_hours", sa.Double),
        sa.Column("notes", sa.Text),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )


def _tasks() -> None:
    op.create_table(
        "tasks",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("project_id", sa.BigInteger, sa.ForeignKey("projects.id")),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("task_type", sa.Text, nullable=False),
        sa.Column("line", sa.Integer, nullable=False),
        sa.Column("task_instruction", sa.Text, nullable=False),
        sa.Column("verification_instruction", sa.Text, nullable=False),
        sa.Column("task_status", sa.Text, nullable=False, server_default="available"),
        sa.Column("verification_status", sa.Text, nullable=False, server_default="unverified"),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("notes", sa.Text),
        sa.Column("estimated_hours", sa.Double),
        sa.Column("actual_hours", sa.Double),
        sa.Column("due_date", sa.BigInteger),
        sa.Column("github_issue_url", sa.Text),
        sa.Column("github_pr_url", sa.Text),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("key", sa.Text, unique=True),
        sa.Column("assigned_agent", sa.Text),
        sa.Column("holder", sa.Text),
        sa.Column("granted_s", sa.Double),
        sa.Column("until_s", sa.Double),
        sa.Column("fence", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("max_attempts", sa.Integer, nullable=False),
        sa.Column("ready_at", sa.BigInteger),
        sa.Column("failure", sa.Text),
        sa.Column("verified_by", sa.Text),
        sa.Column("verified_at", sa.BigInteger),
        sa.Column("version", sa.Integer, nullable=False, server_default="1"),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("started_at", sa.BigInteger),
        sa.Column("completed_at", sa.BigInteger),
    )
    _index("tasks_agent", "tasks", ["assigned_agent", "id"], "assigned_agent IS NOT NULL")
    _index("tasks_counts", "tasks", ["task_status", "task_type", "project_id", "version"], "version > 0")
    _index("tasks_done", "tasks", ["completed_at"], "task_status = 'complete'")
    _index("tasks_due", "tasks", ["due_date"], "due_date IS NOT NULL AND task_status IN ('available', 'in_progress')")
    _index("tasks_held", "tasks", ["until_s"], "holder IS NOT NULL")
    _index("tasks_line", "tasks", ["line", "rank", "id"], "task_status = 'available'")
    _index("tasks_project", "tasks", ["project_id", "id"], "version > 0")
    _index("tasks_project_line", "tasks", ["project_id", "line", "rank", "id"], "task_status = 'available'")
    _index("tasks_status", "tasks", ["task_status", "id"], "version > 0")
    _index(
        "tasks_unverified", "tasks", ["rank", "id"], "task_status = 'complete' AND verification_status = 'unverified'"
    )


def _recurring_tasks() -> None:
    op.create_table(
        "recurring_tasks",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("task_id", sa.BigInteger, sa.ForeignKey("tasks.id"), nullable=False),
        sa.Column("recurrence_type", sa.Text, nullable=False),
        sa.Column("day_of_week", sa.Integer),
        sa.Column("day_of_month", sa.Integer),
        sa.Column("next_occurrence", sa.BigInteger, nullable=False),
        sa.Column("last_occurrence_created", sa.BigInteger),
        sa.Column("is_active", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )
    _index("recurring_tasks_next", "recurring_tasks", ["next_occurrence"])


def _comments() -> None:
    op.create_table(
        "task_comments",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("task_id", sa.BigInteger, sa.ForeignKey("tasks.id"), nullable=False),
        sa.Column("agent_id", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("parent_comment_id", sa.BigInteger, sa.ForeignKey("task_comments.id")),
        sa.Column("mentions", sa.Text, nullable=False, server_default="[]"),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger),
        sqlite_autoincrement=True,
    )
    _index("task_comments_parent", "task_comments", ["parent_comment_id"])
    _index("task_comments_task", "task_comments", ["task_id", "id"])


def _history() -> None:
    op.create_table(
        "task_history",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("task_id", sa.BigInteger, sa.ForeignKey("tasks.id"), nullable=False),
        sa.Column("agent_id", sa.Text, nullable=False),
        sa.Column("change_type", sa.Text, nullable=False),
        sa.Column("field_name", sa.Text),
        sa.Column("old_value", sa.Text),
        sa.Column("new_value", sa.Text),
        sa.Column("notes", sa.Text),
        sa.Column("key", sa.Text, unique=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    _index("task_history_agent", "task_history", ["agent_id", "id"])
    _index("task_history_task", "task_history", ["task_id", "id"])


def _relationships() -> None:
    op.create_table(
        "task_relationships",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("parent_task_id", sa.BigInteger, sa.ForeignKey("tasks.id"), nullable=False),
        sa.Column("child_task_id", sa.BigInteger, sa.ForeignKey("tasks.id"), nullable=False),
        sa.Column("relationship_type", sa.Text, nullable=False),
        sa.Column("blocked_id", sa.BigInteger),
        sa.Column("blocker_id", sa.BigInteger),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("parent_task_id", "child_task_id", "relationship_type", name="task_relationships_once"),
        sqlite_autoincrement=True,
    )
    _index("task_relationships_blocked", "task_relationships", ["blocked_id", "blocker_id"], "blocked_id IS NOT NULL")
    _index("task_relationships_blocker", "task_relationships", ["blocker_id"], "blocked_id IS NOT NULL")
    _index("task_relationships_child", "task_relationships", ["child_task_id"])


def _task_tags() -> None:
    op.create_table(
        "task_tags",
        sa.Column("tag_id", sa.BigInteger, sa.ForeignKey("tags.id"), primary_key=True),
        sa.Column("task_id", sa.BigInteger, sa.ForeignKey("tasks.id"), primary_key=True),
    )
    _index("task_tags_task", "task_tags", ["task_id"])


def _versions() -> None:
    op.create_table(
        "task_versions",
        sa.Column("task_id", sa.BigInteger, sa.ForeignKey("tasks.id"), primary_key=True),
        sa.Column("version_number", sa.Integer, primary_key=True),
        sa.Column("fields", sa.Text, nullable=False),
        sa.Column("replaced_by", sa.Text, nullable=False),
        sa.Column("replaced_at", sa.BigInteger, nullable=False),
    )


def _search_in_a_file() -> None:
    """FTS5 over the table's own text, kept by triggers (https://sqlite.org/fts5.html#external_content_tables)."""
    columns = "title, task_instruction, notes"
    new, old = (
        "new.id, new.title, new.task_instruction, new.notes",
        "old.id, old.title, old.task_instruction, old.notes",
    )
    add = f"INSERT INTO tasks_text (rowid, {columns}) VALUES ({new});"  # noqa: S608 - nothing here comes from outside
    drop = f"INSERT INTO tasks_text (tasks_text, rowid, {columns}) VALUES ('delete', {old});"  # noqa: S608
    op.execute(
        f"CREATE VIRTUAL TABLE tasks_text USING fts5({columns}, content='tasks', content_rowid='id', "
        'tokenize="unicode61 remove_diacritics 2")'
    )
    op.execute(f"CREATE TRIGGER tasks_text_added AFTER INSERT ON tasks BEGIN {add} END")
    op.execute(f"CREATE TRIGGER tasks_text_changed AFTER UPDATE OF {columns} ON tasks BEGIN {drop} {add} END")


def _search_on_a_server() -> None:
    """Words as they stand: tasks are written in many languages."""
    text = " || ' ' || ".join(f"coalesce({name}, '')" for name in ("title", "task_instruction", "notes"))
    op.execute(f"ALTER TABLE tasks ADD COLUMN text tsvector GENERATED ALWAYS AS (to_tsvector('simple', {text})) STORED")
    op.execute("CREATE INDEX tasks_text ON tasks USING gin (text)")


def _lasting_history_in_a_file() -> None:
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER task_history_no_{change.lower()} BEFORE {change} ON task_history "
            "BEGIN SELECT RAISE(ABORT, 'history is append-only'); END"
        )


def _lasting_history_on_a_server() -> None:
    op.execute(
        "CREATE FUNCTION task_history_lasts() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'history is append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER task_history_lasts BEFORE UPDATE OR DELETE ON task_history "
        "FOR EACH STATEMENT EXECUTE FUNCTION task_history_lasts()"
    )


def _first_project() -> None:
    now = (datetime.now(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    table = sa.table("projects", *(sa.column(name) for name in ("name", "description", "created_at", "updated_at")))
    op.execute(table.insert().values(name="June", description="What June does.", created_at=now, updated_at=now))
