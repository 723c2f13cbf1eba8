"""Copies of a board's file, made while it is in use, and put back."""

from __future__ import annotations

import contextlib
import fcntl
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from essence.errors import InvalidInput, NotFound, StoreError
from essence.tasks.tables import MIGRATIONS

_NIGHT_HOUR = 3
"""UTC: when the first backup of a day is made, if the board was running."""


_SHARED_FIRST, _SHARED_BYTES = 0x4000_0002, 510
"""Where and how many bytes of a SQLite file are locked by each process that has it open with a write-ahead log: the
shared lock (https://sqlite.org/fileformat2.html#the_lock_byte_page)."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


def file_of(url: str) -> Path | None:
    """The file that a board's URL names; None where it names none."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return None
    named = parsed.drivername.startswith("sqlite") and parsed.database not in (None, "", ":memory:")
    return Path(parsed.database or "") if named else None


class Shelf:
    """The nightly backups of one board, the newest `most` of them."""

    def __init__(self, board: Path, folder: str, most: int, now: Callable[[], datetime] = _utc_now) -> None:
        """`folder`: empty takes `backups` beside the board."""
        self._board = board
        self._folder = Path(folder) if folder else board.parent / "backups"
        self._most = most
        self._now = now

    def keep_up(self) -> Path | None:
        """Make last night's backup if it is not there; None where it is.

        Raises:
            StoreError: It can't be made.
        """
        now = self._now()
        target = self._folder / f"{self._board.stem}-{now:%Y-%m-%d}.db"
        if now.hour < _NIGHT_HOUR or target.exists():
            return None
        copy(self._board, target)
        for old in sorted(self._folder.glob(f"{self._board.stem}-????-??-??.db"))[: -self._most]:
            old.unlink(missing_ok=True)
        return target


def copy(board: Path, target: Path) -> None:
    """Write a copy that is whole or not there, of one moment, while others work with the board.

    Raises:
        StoreError: It can't be written, or came out damaged.
    """
    half = target.with_suffix(".part")
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        half.unlink(missing_ok=True)
        half.touch(mode=0o600)
        _copy(board, half)
        _check(half)
        half.replace(target)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"The backup {target} can't be made ({error}). Check its folder.") from error


def restore(backup: Path, board: Path) -> Path | None:
    """Put a backup in the place of what a board holds; returns where that was kept, None if there was none.

    Whoever works with the board meanwhile sees the one or the other, nothing in between.

    Raises:
        NotFound: There is no such backup.
        InvalidInput: It is damaged, no board, or a newer June's.
        StoreError: It can't be put there.
    """
    if not backup.is_file():
        raise NotFound(f"There is no backup {backup}.")
    _check_board(backup)
    kept = None
    if board.exists():
        kept = board.with_name(f"{board.stem}-before-restore-{_utc_now():%Y%m%d-%H%M%S}.db")
        copy(board, kept)
    try:
        board.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        board.touch(mode=0o600)
        _copy(backup, board)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{backup} can't be put in the place of {board} ({error}).") from error
    return kept


def is_in_use(board: Path) -> bool:
    """Whether another process works with a board's file."""
    if not board.exists():
        return False
    with board.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, _SHARED_BYTES, _SHARED_FIRST)
        except (BlockingIOError, PermissionError):  # which of them is the system's choice
            return True
    return False


def _copy(source: Path, target: Path) -> None:
    with _opened(source) as read, _opened(target) as written:
        read.backup(written)


def _check(copied: Path) -> None:
    with _opened(copied) as connection:
        found = connection.execute("PRAGMA quick_check").fetchone()
    if found != ("ok",):
        raise StoreError(f"{copied} came out damaged ({found[0]}). Look at the disk.")


def _check_board(backup: Path) -> None:
    try:
        _check(backup)
        with _opened(backup) as connection:
            found = connection.execute(f"SELECT version_num FROM {MIGRATIONS.version_table}").fetchone()  # noqa: S608
    except (sqlite3.Error, StoreError) as error:
        raise InvalidInput(f"{backup} is damaged or no backup of a board ({error}).") from error
    if found is None or found[0] > MIGRATIONS.newest:
        raise InvalidInput(f"{backup} was written by a newer June. Update June.")


def _opened(path: Path) -> contextlib.closing[sqlite3.Connection]:
    return contextlib.closing(sqlite3.connect(path, timeout=30.0))
