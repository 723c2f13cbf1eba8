"""What databases raise, as June's errors: the only place that knows their codes."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from essence.errors import ConfigError, JuneError, StoreError, TooSlow, Unreachable

# Primary result codes, https://sqlite.org/rescode.html; extended codes begin with their primary code's name.
_SQLITE: dict[str, tuple[type[JuneError], str]] = {
    "SQLITE_FULL": (StoreError, "The store's disk is full. Free some space there; what was accepted before is kept."),
    "SQLITE_READONLY": (StoreError, "The store is read-only. Give June the right to write its file and folder."),
    "SQLITE_PERM": (StoreError, "The store may not be opened. Give June the right to write its file and folder."),
    "SQLITE_AUTH": (StoreError, "The store may not be opened. Give June the right to write its file and folder."),
    "SQLITE_CANTOPEN": (StoreError, "The store's file can't be opened. Check that June may write its folder."),
    "SQLITE_BUSY": (TooSlow, "Another process held the store for too long. Try again."),
    "SQLITE_LOCKED": (TooSlow, "Another process held the store for too long. Try again."),
    "SQLITE_CORRUPT": (StoreError, "The store's file is damaged. Put a backup in its place, or move it away."),
    "SQLITE_NOTADB": (StoreError, "The store's file is no SQLite database. Set {setting} to another file."),
    "SQLITE_IOERR": (StoreError, "The store's disk failed to read or write. Look at the system's log."),
}
# https://www.postgresql.org/docs/current/errcodes-appendix.html; a whole class by its first two characters.
_POSTGRESQL: dict[str, tuple[type[JuneError], str]] = {
    "53100": (StoreError, "The database server's disk is full. Free some space there; what was accepted is kept."),
    "25006": (StoreError, "The database is read-only. Point {setting} at the primary server."),
    "42501": (ConfigError, "{setting}: this user may not create or write tables there. Grant it the rights."),
    "3D000": (ConfigError, "{setting} names a database that does not exist. Create it first (createdb)."),
    "28": (ConfigError, "{setting}: the database server refused the user or the password."),
    "08": (Unreachable, "The connection to the database server broke. Try again."),
    "53": (Unreachable, "The database server has no resources left for another connection or query."),
    "57014": (TooSlow, "The database server took too long."),
    "57": (Unreachable, "The database server is shutting down or starting up. Try again."),
}
RETRY_AT_ONCE = ("40001", "40P01")
"""Serialisation failure, deadlock: the server undid the transaction and asks to have it again."""


def june_error(error: SQLAlchemyError | sqlite3.Error | OSError, setting: str) -> JuneError:
    """The narrowest of June's errors for what a database library raised; to be raised `from` it.

    `setting`: the variable that holds the database's URL, for the sentence.
    """
    if isinstance(error, OSError):
        return Unreachable(f"The database server can't be reached ({error}). Check {setting} and that it runs.")
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        name = getattr(cause, "sqlite_errorname", "")
        return _of(_SQLITE.get("_".join(name.split("_")[:2])), cause, setting)
    code = sqlstate(error)
    if not code and isinstance(error, DBAPIError) and error.connection_invalidated:
        code = "08"
    return _of(_POSTGRESQL.get(code) or _POSTGRESQL.get(code[:2]), cause, setting)


def sqlstate(error: BaseException) -> str:
    """PostgreSQL's five-character code; empty where there is none."""
    return str(getattr(getattr(error, "orig", None), "sqlstate", None) or "")


def _of(known: tuple[type[JuneError], str] | None, cause: BaseException | None, setting: str) -> JuneError:
    if known is None:
        return StoreError(f"The store failed: {cause}")
    kind, sentence = known
    return kind(sentence.format(setting=setting))
