"""Conversations and preferences."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Apply this step."""
    op.create_table(
        "turns",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("chat", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("tool_calls", sa.Text, nullable=False),
        sa.Column("tool_call_id", sa.Text),
        sa.Column("chars", sa.Integer, nullable=False),
    )
    op.create_index("turns_line", "turns", ["chat", "id"])
    op.create_index("turns_key", "turns", ["key", "number"], unique=True)
    op.create_index("turns_person", "turns", ["person"])
    op.create_table(
        "preferences",
        sa.Column("person", sa.Text, primary_key=True),
        sa.Column("language", sa.Text),
        sa.Column("voice", sa.Text),
        sa.Column("answer", sa.Text, nullable=False),
    )
