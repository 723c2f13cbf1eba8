"""Services in processes of their own that start at once: each is forked from a server that has imported June before.

A process that imports June anew takes seconds for that, several times a case, and nothing that these tests ask depends
on it.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.crash.preloaded"])


class Service:
    """A running one; killed where the context is left."""

    def __init__(self, module: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        """Start it.

        Args:
            module: Whose `run` is called with the arguments and returns the exit code.
            arguments: For `run`.
            environment: All of it.
            log: What it writes to standard error.
        """
        self._process = _FORKS.Process(target=_become, args=(module, tuple(arguments), dict(environment), str(log)))
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._process.exitcode

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()
        self._process.close()


def _become(module: str, arguments: tuple[str, ...], environment: dict[str, str], log: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    sys.exit(importlib.import_module(module).run(*arguments))
