"""`python -m essence engines`: what can be used here, and what each of the others lacks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from essence import config, models
from essence.commands import terminal
from essence.engines import ENGINES, Engine

app = typer.Typer(add_completion=False, rich_markup_mode=None)

FAR = frozenset({"grpc", "http", "https"})
"""Schemes of engines that are reached over a network."""

EMBEDDED = {
    "faster-whisper": models.CATALOGUE["whisper-base"],
    "piper": models.CATALOGUE["en_US-joe-medium"],
    "llamacpp": models.CATALOGUE["qwen2.5-coder-0.5b-instruct"],
}
"""The model that an engine's default URL names."""


@dataclass(frozen=True, slots=True)
class Line:
    """One engine, as a person asks about it."""

    role: str
    url: str
    """How a setting names it."""
    summary: str
    far: bool
    """Whether it is reached over a network; then it can be used if somebody is at its address."""
    usable: bool
    """Whether all that it needs on this machine is here."""
    lacks: tuple[str, ...]
    """What is missing, in words."""
    mend: tuple[str, ...]
    """One command for each thing that is missing."""


def main(argv: list[str]) -> int:
    """Run the command; see `--help`."""
    return terminal.run(app, "engines", argv, config.ModelFiles)


@app.command()
def engines(*, as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False) -> None:
    """List every engine: what can be used here, and what each of the others lacks."""
    lines = list(survey(config.read(config.ModelFiles).june_models_dir))
    if as_json:
        print(json.dumps([asdict(line) for line in lines], indent=2))
    else:
        terminal.out.print(_table(lines))


def survey(models_dir: Path) -> Iterator[Line]:
    """Look at each engine of the table; nothing is imported or loaded for it."""
    shelf = models.Shelf(models_dir)
    for engine in ENGINES:
        lacks, mend = _lacking(engine, shelf)
        yield Line(engine.role, _url(engine), engine.summary, engine.scheme in FAR, not lacks, lacks, mend)


def _lacking(engine: Engine, shelf: models.Shelf) -> tuple[tuple[str, ...], tuple[str, ...]]:
    lacks: list[str] = []
    mend: list[str] = []
    if missing := engine.missing():
        lacks.append(f"libraries {', '.join(missing)}")
        mend.append(f"pip install 'june-assistant[{engine.extra}]'")
    model = EMBEDDED.get(engine.scheme)
    if model is not None and shelf.edition(model) is None:
        lacks.append(f"model {model.name}")
        mend.append(f"python -m essence download-models {model.name}")
    return tuple(lacks), tuple(mend)


def _url(engine: Engine) -> str:
    return f"{engine.scheme}://HOST:PORT" if engine.scheme in FAR else f"{engine.scheme}:"


def _table(lines: list[Line]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("role", "URL", "here", "what it is, what it lacks"):
        table.add_column(column, overflow="fold")
    for line in lines:
        here = "if reachable" if line.far else "[green]yes[/green]" if line.usable else "[red]no[/red]"
        pairs = zip(line.lacks, line.mend, strict=True)
        notes = [
            line.summary,
            *(f"[red]lacks {lack}[/red]: {mend.replace('[', chr(92) + '[')}" for lack, mend in pairs),
        ]
        table.add_row(line.role, line.url, here, "\n".join(notes))
    return table
