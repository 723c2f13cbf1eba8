"""A Python process of June's own for an engine: how one is started, ended and told about. Used at both of its ends.

Imports little, as what is imported here delays each of those processes.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import essence

if TYPE_CHECKING:
    from asyncio.subprocess import Process


def command(module: str, *arguments: str) -> list[str]:
    """What runs `module` as a script, with this process's interpreter and libraries."""
    # -P: a json.py in the working directory is not imported.
    return [sys.executable, "-P", "-m", module, *arguments]


def environment() -> dict[str, str]:
    """This process's, with this very June on the child's import path, installed or not."""
    here = str(Path(essence.__file__).parent.parent)
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))}


def kill(process: Process) -> None:
    """End it at once; one that has ended already is left alone."""
    # Not Process.kill(): it polls first, and so may take the exit status from under asyncio's child watcher.
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


def how_it_ended(process: Process) -> str:
    """`signal SIGKILL` or `exit code 1`, for a message."""
    code = process.returncode or 0
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def keep_output_apart() -> int:
    """Called first in the child: what is for June goes to the returned descriptor, what libraries print does not."""
    # Ctrl-C reaches the whole process group; June finishes the calls in flight first, then closes the child's input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    output = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return output
