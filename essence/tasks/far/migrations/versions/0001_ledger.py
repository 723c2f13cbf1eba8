"""Which task was made under which key, and who works on which."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Apply this step."""
    op.create_table(
        "task_keys",
        sa.Column("board", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("task_id", sa.Text),
        sa.Column("maker", sa.Text, nullable=False),
        sa.Column("granted_s", sa.Double, nullable=False),
        sa.Column("until_s", sa.Double, nullable=False),
        sa.Column("touched_at", sa.BigInteger, nullable=False),
    )
    op.create_index("task_keys_touched", "task_keys", ["touched_at"])
    op.create_table(
        "task_claims",
        sa.Column("board", sa.Text, primary_key=True),
        sa.Column("task_id", sa.Text, primary_key=True),
        sa.Column("agent", sa.Text),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("granted_s", sa.Double, nullable=False),
        sa.Column("until_s", sa.Double, nullable=False),
        sa.Column("outcome", sa.Text),
        sa.Column("notes", sa.Text, nullable=False),
        sa.Column("settled", sa.Boolean, nullable=False),
        sa.Column("touched_at", sa.BigInteger, nullable=False),
    )
    _index("task_claims_held", ["board", "agent"], "agent IS NOT NULL")
    _index("task_claims_unsettled", ["board"], "outcome IS NOT NULL AND NOT settled")
    _index("task_claims_touched", ["touched_at"], "outcome IS NOT NULL")


def _index(name: str, columns: list[str], where: str) -> None:
    op.create_index(name, "task_claims", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
