"""`python -m essence tasks`: June's own task board, for people."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from essence import config
from essence.commands import stored, terminal
from essence.errors import ConfigError, Conflict, NotFound
from essence.work import Priority, TaskStatus

if TYPE_CHECKING:
    from essence.tasks.board import Board

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)
PERSON = "owner"
"""In whose name a person does something here."""
_TAIL_S = 1.0
"""How often `tail` looks for what is new."""
_LISTED: tuple[TaskStatus, ...] = ("in_progress", "available", "blocked", "dead", "complete", "cancelled")
"""What `list` begins with and ends with."""
_LIST_MAX = 1000


def main(argv: list[str]) -> int:
    """Run the command; see `--help`."""
    return terminal.run(app, "tasks", argv, config.BoardSettings)


@app.command("list")
def list_(
    status: Annotated[TaskStatus | None, typer.Option("--status", help="Of this status alone.")] = None,
    project: Annotated[int | None, typer.Option("--project", min=1, help="Of this project alone.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=_LIST_MAX, help="At most so many.")] = 50,
) -> None:
    """List tasks: what is worked on, what waits, what has ended; of each the most urgent first."""
    statuses = _LISTED if status is None else (status,)
    found = _on_board(lambda board: _listed(board, statuses, project, limit + 1))
    if not found:
        terminal.out.print("There are no such tasks.")
        return
    terminal.out.print(_table(found[:limit]))
    if len(found) > limit:
        terminal.out.print("There are more. Show them with --limit.")


async def _listed(
    board: Board, statuses: tuple[TaskStatus, ...], project: int | None, most: int
) -> list[dict[str, Any]]:
    from essence.tasks.arguments import QueryTasks

    found: list[dict[str, Any]] = []
    for status in statuses:
        cursor: str | None = None
        while len(found) < most:
            asked = QueryTasks(
                task_status=status,
                project_id=project,
                limit=min(most - len(found), _LIST_MAX),
                order_by="priority",
                cursor=cursor,
            )
            answer: dict[str, Any] = await board.ask("query_tasks", asked, PERSON)
            found += answer["tasks"]
            cursor = answer.get("next_cursor")
            if cursor is None:
                break
    return found


@app.command()
def show(task_id: Annotated[int, typer.Argument(min=1, help="As `list` shows it.")]) -> None:
    """Show a task and all that happened to it."""
    context = _ask("get_task_context", {"task_id": task_id})
    feed = _ask("get_activity_feed", {"task_id": task_id})
    task = context["task"]
    _say(f"Task {task['id']}: {task['title']}")
    shown = ("task_status", "priority", "task_type", "project_id", "assigned_agent", "verification_status", "attempts")
    for name in (*shown, "retry_at", "due_date", "failure", "notes"):
        if task[name] is not None:
            _say(f"{name.replace('_', ' ')}: {task[name]}")
    for blocker in context["blockers"]:
        _say(f"waits for task {blocker['task_id']} ({blocker['task_status']})")
    _say(f"\nTo do:\n{task['task_instruction']}\n\nDone when:\n{task['verification_instruction']}\n\nHistory (UTC):")
    for change in feed["feed"]:
        _say(_line(change))


@app.command()
def add(
    title: Annotated[str, typer.Argument(help="In a few words.")],
    instruction: Annotated[str, typer.Option("--do", help="What is to be done, if the title doesn't say it.")] = "",
    verification: Annotated[str, typer.Option("--check", help="How one can tell that it is done.")] = "It is done.",
    priority: Annotated[Priority, typer.Option("--priority", help="What is more urgent is done first.")] = "medium",
    project: Annotated[int, typer.Option("--project", min=1, help="Which project it belongs to.")] = 1,
) -> None:
    """Put a task on the board."""
    task = {
        "title": terminal.typed(title),
        "task_type": "concrete",
        "task_instruction": terminal.typed(instruction or title),
        "verification_instruction": terminal.typed(verification),
        "priority": priority,
        "project_id": project,
    }
    _say(f"Task {_ask('create_task', task, new=True)['task_id']} is on the board.")


@app.command()
def done(
    task_id: Annotated[int, typer.Argument(min=1, help="As `list` shows it.")],
    notes: Annotated[str, typer.Option("--notes", help="What came of it.")] = "",
) -> None:
    """Say that you did a task yourself, even one that is dead or cancelled."""
    one = {"task_id": task_id}
    completed = {"complete_task": one | {"notes": terminal.typed(notes)}}
    try:
        _ask("reserve_task", one, completed)
    except Conflict as error:
        task = _ask("get_task_context", one)["task"]
        if task["task_status"] in ("dead", "cancelled"):  # in one transaction: no agent gets it meanwhile
            _ask("retry_task", one, {"reserve_task": one} | completed)
        elif task["task_status"] == "in_progress":
            raise Conflict(
                f"Task {task_id} is being worked on by {task['assigned_agent']}. Wait until that ends, or take it away "
                f"with: python -m essence tasks cancel {task_id}"
            ) from error
        else:
            raise
    _say(f"Task {task_id} is done.")


@app.command()
def retry(task_id: Annotated[int, typer.Argument(min=1, help="As `list` shows it.")]) -> None:
    """Let agents try a task again that is dead or cancelled, or that rests."""
    _ask("retry_task", {"task_id": task_id})
    _say(f"Task {task_id} is tried again.")


@app.command()
def cancel(
    task_id: Annotated[int, typer.Argument(min=1, help="As `list` shows it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why nobody shall do it.")] = "",
) -> None:
    """Say that nobody shall do a task."""
    _ask("cancel_task", {"task_id": task_id, "reason": terminal.typed(reason)})
    _say(f"Task {task_id} is cancelled. Bring it back with: python -m essence tasks retry {task_id}")


@app.command()
def tail(
    *,
    follow: Annotated[bool, typer.Option("--follow/--once", help="Go on until Ctrl-C, or end at once.")] = True,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Begin with so many.")] = 20,
) -> None:
    """Show what happens on the board."""
    _on_board(lambda board: _tail(board, limit, follow=follow))


@app.command()
def backup(target: Annotated[Path, typer.Argument(help="A file that isn't there yet.")]) -> None:
    """Copy a board's file while it is in use."""
    from essence.tasks.backup import copy

    if target.exists():
        raise typer.BadParameter(f"{target} is there already")
    copy(_board_file(), target)
    _say(f"The board is copied to {target}.")


@app.command()
def restore(source: Annotated[Path, typer.Argument(help="A backup.")]) -> None:
    """Put a backup in the place of what the board holds. Stop the board first."""
    from essence.tasks import backup

    board = _board_file(new=True)
    if backup.is_in_use(board):  # what agents hold would be swapped under them
        raise Conflict(
            f"Another process works with {board}. Stop the board first, and all that shows it, as `tail` does."
        )
    kept = backup.restore(source, board)
    _say(f"The board holds what {source} held.")
    if kept is not None:
        _say(f"What it held before is in {kept}.")


def _board_file(*, new: bool = False) -> Path:
    from essence.tasks.backup import file_of

    path = file_of(_settings(new=new).todorama_url)
    if path is None:
        raise ConfigError("TODORAMA_URL names no file. On PostgreSQL, use pg_dump and pg_restore.")
    return path


def _settings(*, new: bool) -> config.BoardSettings:
    """Where the board is, if another process can reach it; `new`: even if nothing is there yet.

    Raises:
        ConfigError: It is another process's memory.
        NotFound: It is a file that isn't there, and not `new`.
    """
    found = config.read(config.BoardSettings)
    scheme, _, path = found.todorama_url.partition(":///")
    if scheme.startswith("memory:"):
        raise ConfigError(
            "TODORAMA_URL is memory://, and no other process can reach the memory of a running board; start both with "
            "the same TODORAMA_URL, such as sqlite:///tasks.db."
        )
    if scheme == "sqlite" and path and not new and not Path(path).exists():
        raise NotFound(f"There is no board at {path} yet. Add a task: python -m essence tasks add TITLE")
    return found


def _ask(tool: str, asked: dict[str, Any], then: dict[str, dict[str, Any]] | None = None, *, new: bool = False) -> Any:
    """Ask the board one thing, and others in the same transaction; returns the last answer."""

    async def ask(board: Board) -> Any:
        from essence.tasks.refusals import as_errors
        from essence.tasks.registry import TOOLS

        with as_errors():
            in_turn = {tool: asked} | (then or {})
            steps = [(TOOLS[name], TOOLS[name].arguments(**said)) for name, said in in_turn.items()]
            return await board.work(lambda desk: [one.work(desk, said) for one, said in steps][-1], by=PERSON)

    return _on_board(ask, new=new)


def _on_board(work: Callable[[Board], Awaitable[Any]], *, new: bool = False) -> Any:
    settings = _settings(new=new)

    async def run() -> Any:
        async with _opened(settings) as board:
            return await work(board)

    return asyncio.run(run())


@asynccontextmanager
async def _opened(settings: config.BoardSettings) -> AsyncIterator[Board]:
    from essence.tasks.board import open_own  # not needed to print help

    async with open_own(settings.todorama_url, settings) as board:
        yield board


async def _tail(board: Board, limit: int, *, follow: bool) -> None:
    from essence.tasks.arguments import ActivityFeed

    answer: dict[str, Any] = await board.ask("get_activity_feed", ActivityFeed(limit=limit), PERSON)
    while True:
        for change in answer["feed"]:
            _say(f"{change['task_id']:>6}  {_line(change)}")
        if not follow:
            return
        await asyncio.sleep(_TAIL_S)
        since = ActivityFeed(cursor=answer["next_cursor"])
        answer = await board.ask("get_activity_feed", since, PERSON)


def _line(change: dict[str, Any]) -> str:
    told = change["notes"] or (change["new_value"] if change["field_name"] not in (None, "task_status") else "") or ""
    return f"{change['created_at']}  {change['agent_id']}  {change['change_type']}  {told}".rstrip()


def _say(text: str) -> None:
    """What agents wrote can't command the terminal."""
    terminal.out.print(stored.harmless(text), markup=False, soft_wrap=True)


def _table(tasks: list[dict[str, Any]]) -> Table:
    """The title gets what room there is; `show` tells the rest in full."""
    table = Table(box=None, pad_edge=False)
    table.add_column("id", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("priority", no_wrap=True)
    table.add_column("agent", no_wrap=True, overflow="ellipsis", max_width=12)
    table.add_column("created", no_wrap=True)
    table.add_column("title", overflow="fold")
    for task in tasks:
        created = str(task["created_at"])[:10]
        shown = (task["id"], task["task_status"], task["priority"], task["assigned_agent"], created, task["title"])
        table.add_row(*(Text(stored.harmless(str(value or ""))) for value in shown))
    return table
