"""What the Message API needs: messages to people, keys, linked identities; which messages were written in private."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Apply this step."""
    _inbox()
    _messages()
    _api_keys()
    _identities()


def _index(name: str, table: str, columns: list[str], where: str | None = None, *, unique: bool = False) -> None:
    only = None if where is None else sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=only, postgresql_where=only)


def _is(column: str, value: str) -> str:
    """As each database writes it, and SQLAlchemy too: 1 and 0, true and false."""
    literal = value if op.get_bind().dialect.name == "postgresql" else str(int(value == "true"))
    return f"{column} IS {literal}"


def _inbox() -> None:
    op.add_column("inbox", sa.Column("private", sa.Boolean, nullable=False, server_default=sa.false()))
    if op.get_bind().dialect.name == "postgresql":
        op.execute("UPDATE inbox SET private = true WHERE message::json ->> 'private' = 'true'")
    else:
        op.execute("UPDATE inbox SET private = 1 WHERE json_extract(message, '$.private') = 1")
    _index("inbox_private", "inbox", ["person", "sent_at"], _is("private", "true"))


def _messages() -> None:
    op.create_table(
        "messages",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("message_id", sa.Text, nullable=False, unique=True),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("idempotency_key", sa.Text),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("platform", sa.Text, nullable=False),
        sa.Column("chat", sa.Text, nullable=False),
        sa.Column("chat_id", sa.Text, nullable=False),
        sa.Column("person", sa.Text),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("voice", sa.Boolean, nullable=False),
        sa.Column("language", sa.Text),
        sa.Column("reply_to_id", sa.Text),
        sa.Column("buttons", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("changes", sa.Text, nullable=False),
        sa.Column("opening", sa.Text),
        sa.Column("opening_revision", sa.Integer),
        sa.Column("delivered_revision", sa.Integer, nullable=False),
        sa.Column("receipts", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("worker", sa.Text),
        sa.Column("granted_s", sa.Double),
        sa.Column("until_s", sa.Double),
        sa.Column("due", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )
    _index("messages_key", "messages", ["author", "idempotency_key"], unique=True)
    _index("messages_due", "messages", ["platform", "id"], _is("due", "true"))
    _index("messages_line", "messages", ["chat", "id"], _is("due", "true"))
    _index("messages_worker", "messages", ["worker"], "worker IS NOT NULL")
    _index("messages_done", "messages", ["updated_at"], _is("due", "false"))
    _index("messages_chat", "messages", ["chat_id", "id"])
    _index("messages_author", "messages", ["author", "id"])
    _index("messages_person", "messages", ["person"])


def _api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("hash", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("recipients", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("removed_at", sa.BigInteger),
    )
    _index("api_keys_name", "api_keys", ["name"], "removed_at IS NULL", unique=True)


def _identities() -> None:
    op.create_table(
        "identities",
        sa.Column("person", sa.Text, primary_key=True),
        sa.Column("human", sa.Text, nullable=False),
    )
    _index("identities_human", "identities", ["human"])
