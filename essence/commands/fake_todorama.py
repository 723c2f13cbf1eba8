"""`fake-todorama`: a task board as the public todorama is, quirks and all, to try agents against."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from essence.commands import terminal
from essence.commands.terminal import out
from essence.errors import InvalidInput

if TYPE_CHECKING:
    from essence.fakes.todorama import TodoramaServer

app = typer.Typer(add_completion=False, rich_markup_mode=None)


def main(argv: list[str]) -> int:
    """Run the command; see `--help`."""
    return terminal.run(app, "fake-todorama", argv)


@app.command()
def fake_todorama(
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on this machine; 0 takes a free one.")] = 8004,
    limit: Annotated[int, typer.Option(min=0, help="Requests that it takes in a minute; 0: no limit.")] = 100,
    project: Annotated[
        list[int] | None, typer.Option(help="A project that it has, instead of project 1; may be given again.")
    ] = None,
    no_projects: Annotated[
        bool, typer.Option("--no-projects", help="Have none, as a new todorama: it refuses tasks of any project.")
    ] = False,
) -> None:
    """Play the public todorama on this machine until Ctrl-C, and print what it is asked."""
    if project and no_projects:
        raise typer.BadParameter("give either --project or --no-projects")
    asyncio.run(_serve(port, limit, () if no_projects else tuple(project or (1,))))


async def _serve(port: int, limit: int, projects: tuple[int, ...]) -> None:
    # Here rather than above: `fake-todorama --help` needs none of it.
    from essence.fakes.todorama import Limit, TodoramaServer

    try:
        server = TodoramaServer(port=port, limit=Limit(limit) if limit else None, projects=projects)
    except OSError as error:
        raise InvalidInput(f"Port {port} is taken. Choose another with --port, or 0 for a free one.") from error
    async with server as todorama:
        out.print(f"Start the agent with\n  TASKS_URL={todorama.url}\nEnd with Ctrl-C.", markup=False, soft_wrap=True)
        await _watch(todorama)


async def _watch(todorama: TodoramaServer) -> None:
    shown = 0
    while True:
        for call in todorama.calls[shown:]:
            out.print(f"{call.tool} {call.arguments or ''}", markup=False, soft_wrap=True)
        shown = len(todorama.calls)
        await todorama.until(partial(_has_more, todorama, shown), timeout_s=float("inf"))


def _has_more(todorama: TodoramaServer, shown: int) -> bool:
    return len(todorama.calls) > shown
