"""Brings a database to the newest revision when it is opened, however many processes open it at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, text

from essence.errors import ConfigError
from essence.store.tables import REVISION, metadata

_LOCK = 0x4A554E45
"""Key of the advisory lock; "JUNE" in ASCII."""


@dataclass(frozen=True, slots=True)
class Migrations:
    """How a set of tables came to be. Several sets may share a database."""

    folder: Path
    """Alembic's, with `env.py` and `versions/`."""
    newest: str
    """Revision that the code expects. Told here so that opening a database that has it need not load Alembic."""
    version_table: str = "alembic_version"
    """Where the database keeps its revision."""
    tables: MetaData | None = None
    """What all migrations together make, where that is nothing but tables: a new database is made from it at once."""


STORE = Migrations(Path(__file__).parent / "migrations", REVISION, tables=metadata)


def bring_up_to_date(connection: Connection, setting: str, migrations: Migrations = STORE) -> None:
    """Apply what is missing, inside the transaction that is open: all of it or nothing.

    `setting`: the variable that holds the database's URL.

    Raises:
        ConfigError: The database is newer than this June.
    """
    # SQLite needs no lock of its own: every transaction begins by taking the right to write.
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    found = revision(connection, migrations)
    if found == migrations.newest:
        return
    if found > migrations.newest:
        raise ConfigError(f"{setting}: this database (revision {found}) was written by a newer June. Update June.")
    if not found and migrations.tables is not None:
        create(connection, migrations.tables, migrations)
    else:
        upgrade(connection, migrations.newest, migrations)


def create(connection: Connection, tables: MetaData, migrations: Migrations = STORE) -> None:
    """Make a new database as the migrations would (https://alembic.sqlalchemy.org/en/latest/cookbook.html)."""
    tables.create_all(connection)
    version = Table(migrations.version_table, MetaData(), Column("version_num", String(32), primary_key=True))
    version.create(connection)
    connection.execute(version.insert().values(version_num=migrations.newest))


def revision(connection: Connection, migrations: Migrations = STORE) -> str:
    """The newest migration that was applied; empty for a new database."""
    if not inspect(connection).has_table(migrations.version_table):
        return ""
    return str(connection.scalar(text(f"SELECT version_num FROM {migrations.version_table}")) or "")  # noqa: S608


def upgrade(connection: Connection, to: str, migrations: Migrations = STORE) -> None:
    """Apply the migrations up to `to`, inside the transaction that is open."""
    from alembic import command  # takes 0.2 s: loaded only where there is something to do
    from alembic.config import Config

    config = Config(attributes={"connection": connection, "version_table": migrations.version_table})
    config.set_main_option("script_location", str(migrations.folder).replace("%", "%%"))  # % is ConfigParser's own
    command.upgrade(config, to)
