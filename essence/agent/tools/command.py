"""Run a command, walled in: no network, no files but the system's programs (read only) and the workspace.

The walls are the kernel's namespaces, as unshare sets them up (https://man7.org/linux/man-pages/man1/unshare.1.html):
the command's root is a new, small file system, it sees no process but its own, and it can't gain rights. Where the
kernel or the container allows no such walls, the tool is not offered.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
from pathlib import Path

from pydantic import Field

from essence.agent.tools.tool import AnyTool, Arguments, Call, Tool, typed
from essence.errors import EngineError, EngineMissing, InvalidInput, TooSlow

DEADLINE_S = 60.0
OUTPUT_MAX_BYTES = 20_000
PROCESSES_MAX = 128
"""Threads count as well. A moment after the start it may be up to `_RESERVED_PIDS` more."""
_RESERVED_PIDS = 300
"""Numbers that the kernel gives out once only (RESERVED_PIDS in kernel/pid.c)."""
_PROGRAMS = ("unshare", "setpriv", "prlimit", "pivot_root", "mount", "sh")
_WALLS = ("--user", "--map-root-user", "--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child")
# Arguments: the workspace, the command, the most processes of the sandbox's user, the highest number of a process (or
# nothing). Only what is bound is there afterwards. The new root is put together over /sys, which every machine has and
# nothing here needs: a folder made for it would stay. /proc is read only, since root, whom June may run as, may
# otherwise write the machine's /proc/sys. Where memory runs out, the kernel ends the command before anything else.
_SCRIPT = """
set -eu
root=/sys
mount -t tmpfs -o size=64m,mode=755 june "$root"
for name in usr bin sbin lib lib64; do
  if [ -L "/$name" ]; then ln -s "$(readlink "/$name")" "$root/$name"
  elif [ -d "/$name" ]; then
    mkdir "$root/$name"; mount --rbind "/$name" "$root/$name"; mount -o remount,bind,ro "$root/$name"
  fi
done
mkdir "$root/work" "$root/proc" "$root/tmp" "$root/dev" "$root/etc"
mount --bind "$1" "$root/work"
mount -t proc proc "$root/proc"
[ -z "$4" ] || echo "$4" > "$root/proc/sys/kernel/pid_max"
echo 1000 > "$root/proc/self/oom_score_adj"
mount -o remount,bind,ro "$root/proc"
for name in null zero urandom; do : > "$root/dev/$name"; mount --bind "/dev/$name" "$root/dev/$name"; done
cd "$root"
pivot_root . .
umount -l .
cd /work
ulimit -t 60
ulimit -f 200000
ulimit -v 4000000
exec prlimit --nproc="$3" setpriv --no-new-privs --bounding-set -all --inh-caps -all sh -c "$2"
"""
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/work", "LANG": "C.UTF-8"}


class Run(Arguments):
    """A command."""

    command: str = Field(min_length=1, max_length=4000, description="As typed into sh; it runs in the workspace.")


class Sandbox:
    """Runs commands in one folder."""

    def __init__(self, folder: Path, *, deadline_s: float = DEADLINE_S) -> None:
        self._folder, self._deadline_s = folder, deadline_s

    async def check(self) -> None:
        """Raises EngineMissing where this machine can't wall a command in."""
        missing = [program for program in _PROGRAMS if shutil.which(program, path=_ENVIRONMENT["PATH"]) is None]
        if missing:
            raise EngineMissing(f"Commands can't be run: {', '.join(missing)} is missing. Install util-linux.")
        try:
            await self.run("true")
        except EngineError as error:
            raise EngineMissing(f"Commands can't be run: this machine allows no sandbox ({error}).") from error

    async def run(self, command: str) -> str:
        """What the command wrote.

        Raises:
            EngineError: It failed; the message holds its exit status and what it wrote.
            InvalidInput: No program can be passed it.
            TooSlow: It ran too long, and was ended.
        """
        if "\0" in command:
            raise InvalidInput("There is a zero character in the command. Write it without.")
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        process = await asyncio.create_subprocess_exec(
            "unshare", *_WALLS, "sh", "-c", _SCRIPT, "sh", str(self._folder.resolve()), command, *_process_limits(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=_ENVIRONMENT,
            start_new_session=True,
        )  # fmt: skip
        try:
            async with asyncio.timeout(self._deadline_s):
                written = await _beginning(process)
                status = await process.wait()
        except TimeoutError as error:
            raise TooSlow(f"The command ran longer than {self._deadline_s:g} s and was ended.") from error
        finally:
            _end(process)
        if status:
            raise EngineError(f"The command ended with status {status}. It wrote: {written or 'nothing'}")
        return written


def _process_limits() -> tuple[str, str]:
    """The most processes of one user, and the highest number of a process, as far as the kernel counts by sandbox.

    An older kernel counts all that the user runs anywhere (until 5.14), and would take the number for the whole
    machine's (until 6.14). The limit of a user does not hold root, the number holds everybody.
    """
    found = re.match(r"(\d+)\.(\d+)", os.uname().release)
    kernel = (int(found[1]), int(found[2])) if found else (0, 0)
    return (
        str(PROCESSES_MAX) if kernel >= (5, 14) else "unlimited",
        str(_RESERVED_PIDS + PROCESSES_MAX) if kernel >= (6, 14) else "",
    )


async def _beginning(process: asyncio.subprocess.Process) -> str:
    """As much of the output as is kept; the rest is read and dropped."""
    assert process.stdout is not None
    kept = bytearray()
    while chunk := await process.stdout.read(65_536):
        kept += chunk[: OUTPUT_MAX_BYTES - len(kept)]
    return kept.decode("utf-8", "replace").strip()


def _end(process: asyncio.subprocess.Process) -> None:
    """All of it: when unshare dies, the kernel ends whatever the command left running (--kill-child)."""
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)


def command_tool(sandbox: Sandbox) -> AnyTool:
    """`run_command`: asked for each time."""

    async def run(_: Call, wanted: Run) -> str:
        return await sandbox.run(wanted.command) or "It ran, and wrote nothing."

    return Tool(
        "run_command",
        "Run a shell command in the owner's workspace, without a network. The owner is asked first.",
        *typed(Run),
        run,
        effect="risk",
        proves=frozenset({"command", "file", "forgetting"}),
        foreign=True,
        repeatable=False,
    )
