"""`benchmark`: measure what June claims about speed and memory, on this machine."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from essence.commands import terminal
from essence.commands.terminal import out
from essence.errors import NotFound

app = typer.Typer(add_completion=False, rich_markup_mode=None)
FOLDER = Path(__file__).parents[2] / "benchmarks"


def main(argv: list[str]) -> int:
    """Run the command; see `--help`."""
    return terminal.run(app, "benchmark", argv)


@app.command()
def benchmark(
    names: Annotated[list[str] | None, typer.Argument(help="Which ones; all if none is given.")] = None,
    *,
    list_only: Annotated[bool, typer.Option("--list", help="Name them, with what each compares.")] = False,
) -> None:
    """Measure; each figure stands beside the peer or the limit that it was compared with in the same run."""
    known = _known()
    chosen = names or sorted(known)
    for name in chosen:
        if name not in known:
            raise NotFound(f"There is no benchmark {name!r}. Choose from {', '.join(sorted(known))}.")
    failed = [name for name in chosen if not _run(name, known[name], list_only=list_only)]
    if failed:
        raise typer.Exit(1)


def _known() -> dict[str, str]:
    """Each benchmark of the source checkout with the first line of its docstring."""
    if not FOLDER.is_dir():
        raise NotFound("The benchmarks live in June's source checkout. Clone it and run this command there.")
    modules = {path.stem: ast.get_docstring(ast.parse(path.read_text())) or "" for path in FOLDER.glob("*.py")}
    return {name: text.partition("\n")[0] for name, text in modules.items() if not name.startswith("_") and text}


def _run(name: str, line: str, *, list_only: bool) -> bool:
    out.print(f"[bold]{name}[/bold]: {line}")
    if list_only:
        return True
    # A process for each, so that none finds caches warm or memory taken by the one before.
    return subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], cwd=FOLDER.parent, check=False).returncode == 0  # noqa: S603 - our own modules, by a name that was looked up
