"""Brings a database to the newest revision when a store is opened, however many processes open it at once."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from essence.errors import ConfigError
from essence.store.tables import REVISION

_LOCK = 0x4A554E45
"""Key of the advisory lock; "JUNE" in ASCII."""


def bring_up_to_date(connection: Connection) -> None:
    """Apply what is missing, inside the transaction that is open: all of it or nothing.

    Raises:
        ConfigError: The database is newer than this June.
    """
    # SQLite needs no lock of its own: every transaction begins by taking the right to write.
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    found = revision(connection)
    if found == REVISION:
        return
    if found > REVISION:
        raise ConfigError(f"STORE_URL: this store (revision {found}) was written by a newer June. Update June.")
    upgrade(connection, REVISION)


def revision(connection: Connection) -> str:
    """The newest migration that was applied; empty for a new database."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.scalar(text("SELECT version_num FROM alembic_version")) or "")


def upgrade(connection: Connection, to: str) -> None:
    """Apply the migrations up to `to`, inside the transaction that is open."""
    from alembic import command  # takes 0.2 s: loaded only where there is something to do
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    folder = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", folder.replace("%", "%%"))  # a % is ConfigParser's own
    command.upgrade(config, to)
