"""`python -m essence create-user-interaction-task`: put a person's message on the task board."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated
from uuid import uuid4

import typer

from essence import config
from essence.commands import stored, terminal
from essence.dialogue import Address
from essence.work import NO_MESSAGE, Request

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)


def main(argv: list[str]) -> int:
    """Run the command; see `--help`."""
    return terminal.run(app, "create-user-interaction-task", argv, config.TasksClient)


@app.command()
def create(
    *,
    user_id: Annotated[str, typer.Option(help="Who wrote it, by their id on the platform.")],
    chat_id: Annotated[str, typer.Option(help="Where the answer goes.")],
    platform: Annotated[str, typer.Option(help="telegram or discord.")],
    content: Annotated[str, typer.Option(help="What they wrote.")],
    message_id: Annotated[
        str, typer.Option(help="The message on the platform; a repeat with the same one makes no second task.")
    ] = "",
    username: Annotated[str, typer.Option(help="What they are called.")] = "",
    thread_id: Annotated[str, typer.Option(help="The topic or thread within the chat.")] = "",
    project_id: Annotated[
        str | None, typer.Option(help="The board's project; TODORAMA_PROJECT_ID without this option.")
    ] = None,
    language: Annotated[str, typer.Option(help="ISO 639-1 code of what they wrote, for the voice.")] = "",
    spoken: Annotated[bool, typer.Option("--spoken", help="They said it: the answer is spoken, too.")] = False,
    forwarded: Annotated[bool, typer.Option("--forwarded", help="Somebody else's words: they order nothing.")] = False,
) -> None:
    """Make a task of a person's message, and print it as JSON; the agent answers where the message was written."""
    if not terminal.typed(content).strip():
        raise typer.BadParameter("there is nothing in --content")
    request = Request(
        Address(stored.platform_named(platform, among=stored.CHATS), chat_id, thread_id or None),
        message_id or f"{NO_MESSAGE}{uuid4()}",
        user_id,
        terminal.typed(content),
        name=terminal.typed(username),
        spoken=spoken,
        language=language or None,
        forwarded=forwarded,
    )
    asked = config.read(config.TaskBoards)
    project = asked.todorama_project_id if project_id is None else project_id
    task_id = asyncio.run(_create(asked, request, project or None))
    typer.echo(json.dumps({"success": True, "task_id": task_id, "project_id": project or None, "key": request.key}))


async def _create(settings: config.TaskBoards, request: Request, project_id: str | None) -> str:
    from essence.ports.handing_over import hand_over  # not needed to print help
    from essence.tasks.opening import open_board

    async with stored.opened(stored.settings(new=True)) as store, open_board(settings.tasks_url, settings) as board:
        return await hand_over(request, store.journal, board, project_id=project_id)
