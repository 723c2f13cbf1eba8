"""What the agent keeps: recorded steps, questions to owners, memories, reminders."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Apply this step."""
    _steps()
    _approvals()
    _memories()
    _reminders()


def _steps() -> None:
    op.create_table(
        "steps",
        sa.Column("id", _SERIAL, primary_key=True),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("step", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("calls", sa.Integer, nullable=False),
        sa.Column("tokens", sa.BigInteger, nullable=False),
        sa.Column("tool_runs", sa.Integer, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
    )
    op.create_index("steps_task", "steps", ["task", "step"], unique=True)
    op.create_index("steps_at", "steps", ["at"])
    op.create_index("steps_person", "steps", ["person"])


def _approvals() -> None:
    op.create_table(
        "approvals",
        sa.Column("approval_id", sa.Text, primary_key=True),
        sa.Column("chat", sa.Text, nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("choice", sa.Text),
    )
    op.create_index("approvals_person", "approvals", ["person"])
    op.create_index("approvals_expiry", "approvals", ["expires_at"])


def _memories() -> None:
    op.create_table(
        "memories",
        sa.Column("id", _SERIAL, primary_key=True),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_index("memories_person", "memories", ["person", "id"])


def _reminders() -> None:
    op.create_table(
        "reminders",
        sa.Column("id", _SERIAL, primary_key=True),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("chat", sa.Text, nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("zone", sa.Text, nullable=False),
        sa.Column("spoken", sa.Boolean, nullable=False),
        sa.Column("language", sa.Text),
        sa.Column("works", sa.Boolean, nullable=False),
        sa.Column("settled_at", sa.BigInteger),
    )
    only = sa.text("due_at IS NOT NULL")
    op.create_index("reminders_due", "reminders", ["due_at"], sqlite_where=only, postgresql_where=only)
    op.create_index("reminders_person", "reminders", ["person"])
