"""What the chat channels need: platforms as columns, parked messages, whole replies, pairings."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Apply this step."""
    _chats()
    _inbox()
    _outbox()
    _turns()
    _pairings()


def _index(name: str, table: str, columns: list[str], where: str | None = None) -> None:
    only = None if where is None else sa.text(where)
    op.create_index(name, table, columns, sqlite_where=only, postgresql_where=only)


def _add(table: str, name: str, default: str | None = "") -> None:
    column = sa.Column(name, sa.Text, nullable=default is None, server_default=default)
    op.add_column(table, column)


def _fill_platform(table: str) -> None:
    """From `chat`, which begins with it: `telegram/7`."""
    before_slash = "substr(chat, 1, instr(chat, '/') - 1)"
    if op.get_bind().dialect.name == "postgresql":
        before_slash = "split_part(chat, '/', 1)"
    op.execute(f"UPDATE {table} SET platform = {before_slash}")  # noqa: S608 - nothing here comes from outside


def _chats() -> None:
    _add("chats", "platform")
    _add("chats", "record")
    _fill_platform("chats")
    _index("chats_platform", "chats", ["platform", "turn"], "open > 0")


def _inbox() -> None:
    _add("inbox", "platform")
    op.add_column("inbox", sa.Column("told_at", sa.BigInteger))
    _fill_platform("inbox")
    op.drop_index("inbox_overdue", "inbox")
    _index("inbox_overdue", "inbox", ["platform", "deadline_at"], "outcome IS NULL")
    _index("inbox_newest", "inbox", ["chat", "sent_at", "id"])
    _index("inbox_parked", "inbox", ["chat"], "outcome = 'parked'")
    _index("inbox_untold", "inbox", ["platform", "chat"], "outcome = 'parked' AND told_at IS NULL")


def _outbox() -> None:
    _add("outbox", "entities", "[]")
    _add("outbox", "buttons", "[]")
    _add("outbox", "spoken")


def _turns() -> None:
    op.drop_index("turns_line", "turns")
    _index("turns_line", "turns", ["chat", "id", "chars"])  # a history's size is read from the index alone


def _pairings() -> None:
    op.create_table(
        "pairings",
        sa.Column("person", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("username", sa.Text, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("plain_code", sa.Text, nullable=False, unique=True),
        sa.Column("asked_at", sa.BigInteger, nullable=False),
        sa.Column("approved_at", sa.BigInteger),
    )
