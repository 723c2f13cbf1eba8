"""Inbox and outbox."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Apply this step."""
    _chats()
    _inbox()
    _outbox()


def _index(name: str, table: str, columns: list[str], where: str | None = None) -> None:
    only = None if where is None else sa.text(where)
    op.create_index(name, table, columns, sqlite_where=only, postgresql_where=only)


def _chats() -> None:
    op.create_table(
        "chats",
        sa.Column("chat", sa.Text, primary_key=True),
        sa.Column("open", sa.Integer, nullable=False),
        sa.Column("turn", sa.BigInteger, nullable=False),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("worker", sa.Text),
        sa.Column("granted_s", sa.Double),
        sa.Column("until_s", sa.Double),
        sa.Column("touched_at", sa.BigInteger, nullable=False),
    )
    _index("chats_ready", "chats", ["turn"], "open > 0")
    _index("chats_worker", "chats", ["worker"], "worker IS NOT NULL")
    _index("chats_idle", "chats", ["touched_at"], "open = 0")


def _inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("chat", sa.Text, nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("sent_at", sa.BigInteger, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("deadline_at", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("outcome", sa.Text),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
    )
    _index("inbox_line", "inbox", ["chat", "sent_at", "id"], "outcome IS NULL")
    _index("inbox_overdue", "inbox", ["deadline_at"], "outcome IS NULL")
    _index("inbox_ended", "inbox", ["ended_at"], "outcome IS NOT NULL")
    _index("inbox_person", "inbox", ["person"])


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("chat", sa.Text, nullable=False),
        sa.Column("platform", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("reply_to_id", sa.Text),
        sa.Column("voice", sa.LargeBinary),
        sa.Column("voice_s", sa.Double),
        sa.Column("waveform", sa.LargeBinary),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("doubtful", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("sender", sa.Text),
        sa.Column("granted_s", sa.Double),
        sa.Column("until_s", sa.Double),
        sa.Column("retry_at", sa.BigInteger),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("receipt_id", sa.Text),
        sa.Column("sent_at", sa.BigInteger),
        sa.Column("assumed", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("settled_at", sa.BigInteger),
    )
    _index("outbox_line", "outbox", ["chat", "id"], "settled_at IS NULL")
    _index("outbox_pending", "outbox", ["platform", "id"], "settled_at IS NULL")
    _index("outbox_settled", "outbox", ["settled_at"], "settled_at IS NOT NULL")
    _index("outbox_sender", "outbox", ["sender"], "sender IS NOT NULL")
    _index("outbox_cause", "outbox", ["cause"])
