"""`python -m essence check-environment`: looks at each part June needs, and names the command that mends it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import typer
from rich.markup import escape
from rich.table import Table

from essence import config, models
from essence.commands import terminal
from essence.commands.engines import FAR
from essence.engines import ENGINES, Engine

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_REACH_S = 2.0
_IMPORT_S = 60.0
_LITTLE_MEMORY_BYTES = 2_000_000_000  # the three embedded models, loaded, and room for their work
_LITTLE_DISK_BYTES = 500_000_000
_SYSTEM_LIBRARIES = {"libgomp.so": "libgomp1", "libstdc++.so": "libstdc++6"}
"""Libraries that engines' wheels leave to the system, and the Debian packages that bring them."""
_DEFAULT_PORTS = {"http": 80, "https": 443, "grpc": 50051}


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one part."""

    part: str
    state: Literal["ok", "note", "missing"]
    """`note`: June works, but less well or not in every way; `missing`: this part does not work."""
    what: str
    mend: str = ""
    """The one command, or setting, that mends it."""


class Surroundings(config.SttService, config.TtsService, config.InferenceApiService):
    """Every setting that tells what June needs around it."""


def main(argv: list[str]) -> int:
    """Run the command; see `--help`."""
    return terminal.run(app, "check-environment", argv, Surroundings)


@app.command()
def check_environment(
    *, verify: Annotated[bool, typer.Option("--verify", help="Compute every model file's SHA-256 again.")] = False
) -> None:
    """Look at each part that June needs; exit with 1 where a voice note could not be answered here."""
    settings = config.read(Surroundings)
    with terminal.err.status("Looking around …"):
        machine = [_python(), _cores(), _memory(), _disk(settings), _gpu()]
        roles = [_role(role, urls, settings, rehash=verify) for role, urls in _roles(settings).items()]
    findings = [*machine, *(finding for role in roles for finding in role), *_ports(settings)]
    terminal.out.print(_table(findings))
    broken = [role for role, found in zip(_roles(settings), roles, strict=True) if not _works(found)]
    if broken or _python().state == "missing":
        terminal.out.print(f"[red]June can't answer a voice note here yet[/red]: {', '.join(broken) or 'Python'}.")
        raise typer.Exit(1)
    terminal.out.print("[green]June can answer a voice note here.[/green]")


def _roles(settings: Surroundings) -> dict[str, str]:
    return {"stt": settings.stt_url, "llm": settings.llm_url, "tts": settings.tts_url}


def _works(findings: list[Finding]) -> bool:
    """Whether any of a role's engines does: where several are named, each helps out for the others."""
    return any(finding.state != "missing" for finding in findings)


def _role(role: str, urls: str, settings: Surroundings, *, rehash: bool) -> list[Finding]:
    listed = [url.strip() for url in urls.split(",") if url.strip()]
    with ThreadPoolExecutor(max_workers=len(listed) or 1) as threads:
        return list(threads.map(lambda url: _engine(role, url, settings, rehash=rehash), listed))


def _engine(role: str, url: str, settings: Surroundings, *, rehash: bool) -> Finding:
    part = f"{role.upper()} {url}"
    scheme, _, name = url.partition(":")
    engine = next((e for e in ENGINES if e.role == role and e.scheme == scheme), None)
    if engine is None:
        known = ", ".join(e.scheme for e in ENGINES if e.role == role)
        return Finding(part, "missing", "no such engine", f"set {role.upper()}_URL to one of {known}")
    if scheme in FAR:
        return _reachable(part, url)
    if lack := _import(engine):
        system = next((f"apt-get install {deb}" for library, deb in _SYSTEM_LIBRARIES.items() if library in lack), "")
        return Finding(part, "missing", lack, system or f"pip install 'june-assistant[{engine.extra}]'")
    return _model(part, scheme, name, settings.june_models_dir, rehash=rehash)


def _reachable(part: str, url: str) -> Finding:
    try:
        address = urlsplit(url)
        host, port = address.hostname or "", address.port or _DEFAULT_PORTS[address.scheme]
    except ValueError:
        return Finding(part, "missing", "not an address", "write it as SCHEME://HOST:PORT")
    try:
        socket.create_connection((host, port), timeout=_REACH_S).close()
    except OSError as error:
        return Finding(part, "missing", f"nobody answers ({error.strerror or error})", f"start what listens at {url}")
    return Finding(part, "ok", "somebody answers there")


def _import(engine: Engine) -> str:
    """What keeps the engine's libraries from loading; empty if nothing does.

    A process of its own imports them, since a native library that doesn't suit the machine may end its process.
    """
    if missing := engine.missing():
        return f"lacks {', '.join(missing)}"
    if not engine.libraries:
        return ""
    lines = [sys.executable, "-c", f"import {', '.join(engine.libraries)}"]
    try:
        done = subprocess.run(lines, capture_output=True, text=True, timeout=_IMPORT_S, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return f"did not load within {_IMPORT_S:.0f} s"
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        return f"does not load: {reason}"
    return ""


def _model(part: str, scheme: str, name: str, folder: Path, *, rehash: bool) -> Finding:
    model = models.CATALOGUE.get(f"whisper-{name}" if scheme == "faster-whisper" else name)
    if model is None:
        return _own_model(part, name)
    shelf = models.Shelf(folder)
    edition = shelf.edition(model, rehash=rehash)
    if edition is None:
        faults = min((shelf.faults(model, edition) for edition in model.editions), key=len)
        return Finding(part, "missing", "; ".join(faults), f"python -m essence download-models {model.name}")
    checked = "hashes computed again" if rehash else "sizes and hashes as in the catalogue"
    return Finding(part, "ok", f"{model.name}, {edition.size_bytes / 1e6:,.0f} MB, {checked}")


def _own_model(part: str, name: str) -> Finding:
    if not name:
        return Finding(part, "ok", "loads")
    if Path(name).exists():
        return Finding(part, "ok", f"loads; {name} is there")
    return Finding(
        part, "note", f"{name} is neither in the catalogue nor a file here", "check the name, or give a path"
    )


def _python() -> Finding:
    version = sys.version.split()[0]
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return Finding("Python", "ok", version)
    return Finding("Python", "missing", f"{version}, not 3.11 to 3.13", "scripts/setup.sh")


def _cores() -> Finding:
    # Of this process, which a container or `taskset` may have bound to fewer than the machine has.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if cores < 2:
        return Finding("CPU", "note", "one core: engines wait for one another", "expect slow answers")
    return Finding("CPU", "ok", f"{cores} cores")


def _memory() -> Finding:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:  # not Linux
        return Finding("memory", "note", "can't be told on this system")
    free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    found = f"{free / 1e9:.1f} GB free"
    if free < _LITTLE_MEMORY_BYTES:
        return Finding("memory", "note", f"{found}; the embedded models want 2 GB", "scripts/demo.sh --tiny")
    return Finding("memory", "ok", found)


def _disk(settings: Surroundings) -> Finding:
    free = models.Shelf(settings.june_models_dir).free_bytes()
    found = f"{free / 1e9:.1f} GB free for {settings.june_models_dir}"
    if free < _LITTLE_DISK_BYTES:
        return Finding("disk", "note", found, "set JUNE_MODELS_DIR to a folder on another disk")
    return Finding("disk", "ok", found)


def _gpu() -> Finding:
    # Asked in a process of its own: a CUDA driver that is broken may end the process that asks.
    ask = [sys.executable, "-c", "import ctranslate2; print(ctranslate2.get_cuda_device_count())"]
    try:
        done = subprocess.run(ask, capture_output=True, text=True, timeout=_IMPORT_S, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return Finding("GPU", "note", "CTranslate2 did not tell in time")
    count = done.stdout.strip()
    if done.returncode or not count.isdigit() or count == "0":
        return Finding("GPU", "ok", "none for CTranslate2; speech recognition runs on the CPU")
    return Finding("GPU", "ok", f"{count} for CTranslate2")


def _ports(settings: Surroundings) -> Iterator[Finding]:
    ports = {
        "stt": (settings.stt_grpc_port, settings.stt_http_port),
        "tts": (settings.tts_grpc_port, settings.tts_http_port),
        "inference-api": (settings.llm_grpc_port, settings.llm_http_port),
    }
    for service, numbers in ports.items():
        taken = [str(port) for port in numbers if not _free(settings.bind_host, port)]
        if taken:
            prefix = "LLM" if service == "inference-api" else service.upper()
            mend = f"stop what uses it, or set {prefix}_GRPC_PORT, {prefix}_HTTP_PORT"
            yield Finding(f"ports of {service}", "note", f"{', '.join(taken)} in use; by this service, perhaps", mend)
        else:
            yield Finding(f"ports of {service}", "ok", f"{', '.join(map(str, numbers))} free")


def _free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do; a listener still refuses it
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _table(findings: list[Finding]) -> Table:
    colours = {"ok": "green", "note": "yellow", "missing": "red"}
    table = Table(box=None, pad_edge=False)
    table.add_column("part")
    table.add_column("", no_wrap=True)
    table.add_column("found, and what mends it")
    for finding in findings:
        colour = colours[finding.state]
        told = escape(finding.what) + (f"\n→ {escape(finding.mend)}" if finding.mend else "")
        table.add_row(escape(finding.part), f"[{colour}]{finding.state}[/{colour}]", told)
    return table
