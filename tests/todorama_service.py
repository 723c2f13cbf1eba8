"""The real board's process, for tests of its faces."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

END_S = 30.0


@dataclass(frozen=True, slots=True)
class Service:
    """A running board."""

    process: subprocess.Popen[str]
    url: str
    """Where its faces are: `http://127.0.0.1:PORT`."""


@contextmanager
def running_service(todorama_url: str, **settings: str) -> Iterator[Service]:
    """Start `python -m essence todorama` on a free port, and stop it afterwards."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TODORAMA")}
    own = {"TODORAMA_URL": todorama_url, "TODORAMA_PORT": "0", "TODORAMA_POLL_S": "0.05", "TODORAMA_BACKUPS": "0"}
    command = [sys.executable, "-m", "essence", "todorama"]
    environment = inherited | own | {"LOG_FORMAT": "json"} | settings
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield Service(process, f"http://127.0.0.1:{_port(process)}")
        finally:
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _port(process: subprocess.Popen[str]) -> int:
    """Read the log until it says that the board is ready, and let a thread read on, so that it never waits to log."""
    assert process.stderr is not None
    port, seen = 0, ""
    while line := process.stderr.readline():
        seen += line
        entry = json.loads(line) if line.startswith("{") else {}
        port = entry.get("port", port)
        if entry.get("event") == "ready":
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return port
    raise AssertionError(f"The board did not start: {seen}")
