"""Takes turns at a database file, so that a busy process doesn't starve the others.

SQLite has no queue: who waits for its lock sleeps and asks again (https://sqlite.org/c3ref/busy_timeout.html), and a
process with one transaction behind the other has it back before a sleeper wakes. So whoever wants the lock holds the
turnstile until it has it, and whoever just had it must pass the turnstile again, behind who waits there.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import time
from pathlib import Path

_NAP_S = 0.002


class Turnstile:
    """One for each process, at a file beside the database. It is politeness alone: nothing is wrong without it."""

    def __init__(self, database: Path, patience_s: float) -> None:
        """`patience_s`: who waited so long goes on without it, since its holder must be stuck."""
        self._file = os.open(f"{database}-turn", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._patience_s = patience_s

    def enter(self) -> None:
        """Wait until nobody else is in it."""
        until_s = time.monotonic() + self._patience_s
        while time.monotonic() < until_s:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            time.sleep(random.uniform(0, _NAP_S))  # noqa: S311 - so that several don't ask in step

    def leave(self) -> None:
        """Let the next one in; the kernel does so for a process that dies."""
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of its file."""
        os.close(self._file)
