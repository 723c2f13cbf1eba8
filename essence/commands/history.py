"""`python -m essence history`: what June keeps of a conversation, to read, to take along, to delete."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from essence import config
from essence.commands import stored, terminal
from essence.dialogue import Address

if TYPE_CHECKING:
    from essence.ports import Conversations

# Ids of Telegram's groups are negative: -1001234567890 is no option.
app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings={"ignore_unknown_options": True})


def main(argv: list[str]) -> int:
    """Run the command; see `--help`."""
    return terminal.run(app, "history", argv, config.StoreSettings)


@app.command()
def history(
    platform: Annotated[str, typer.Argument(help="telegram, discord or grpc.", show_default=False)] = "",
    chat: Annotated[str, typer.Argument(help="The chat's id on its platform.", show_default=False)] = "",
    thread: Annotated[str, typer.Option(help="The thread or topic within the chat.")] = "",
    export: Annotated[str, typer.Option(metavar="FILE", help="Write it as JSON lines; - is standard output.")] = "",
    *,
    delete: Annotated[bool, typer.Option("--delete", help="Delete it, after an export if there is one.")] = False,
    forget: Annotated[
        tuple[str, str] | None,
        typer.Option("--forget", metavar="PLATFORM PERSON_ID", help="Delete all that June keeps of a person."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
) -> None:
    """Show the history of a conversation, export it, delete it; or forget a person altogether."""
    if forget is not None:
        if platform or chat or thread or export or delete:
            raise typer.BadParameter("--forget takes a platform and a person's id, and nothing beside it")
        return asyncio.run(_forget(*forget, sure=yes))
    if not chat:
        raise typer.BadParameter("give a platform and a chat's id, such as: telegram 123456; or --forget")
    address = Address(stored.platform_named(platform), chat, thread or None)
    return asyncio.run(_history(address, export, delete=delete, sure=yes))


async def _forget(platform_name: str, person_id: str, *, sure: bool) -> None:
    platform, where = stored.platform_named(platform_name), stored.settings()
    who = f"{platform} {person_id}"
    _ask(f"Delete all that June keeps of {who}: turns, messages, answers, choices, pairing?", sure=sure)
    async with stored.opened(where) as store:
        count = await store.conversations.forget(platform, person_id)
    terminal.out.print(f"{who} is forgotten; {count} entries were deleted.", markup=False, soft_wrap=True)


async def _history(address: Address, export: str, *, delete: bool, sure: bool) -> None:
    where, which = stored.settings(), " ".join(filter(None, (address.platform, address.chat_id, address.thread_id)))
    if export not in ("", "-"):
        terminal.check_output(Path(export))
    if delete:
        _ask(f"Delete the history of {which}?", sure=sure)
    async with stored.opened(where) as store:
        if export == "-":
            await _print(store.conversations, address, raw=True)
        elif export:
            await _write(store.conversations, address, Path(export))
        elif not delete:
            await _print(store.conversations, address, raw=False)
        if delete:
            count = await store.conversations.reset(address)
            terminal.err.print(f"{count} turns of {which} were deleted.", markup=False, soft_wrap=True)


def _ask(question: str, *, sure: bool) -> None:
    if not sure:
        typer.confirm(question, abort=True, err=True)


async def _print(conversations: Conversations, address: Address, *, raw: bool) -> None:
    empty = True
    async for line in conversations.export(address):
        print(line if raw else _readable(line))
        empty = False
    if empty:
        terminal.err.print("June keeps nothing of this conversation.")


def _readable(line: str) -> str:
    turn = json.loads(line)
    speaker = {"user": turn["person_id"], "assistant": "June"}.get(turn["role"], turn["role"])
    return stored.harmless(f"{turn['at'][:16].replace('T', ' ')}  {speaker}: {turn['text']}")


async def _write(conversations: Conversations, address: Address, path: Path) -> None:
    """Whole, and on the disk when this returns: what follows may delete the original."""
    count = 0
    with _private(path) as file:
        async for line in conversations.export(address):
            file.write(f"{line}\n")
            count += 1
        file.flush()
        os.fsync(file.fileno())
    terminal.err.print(f"{count} turns were written to {path}.", markup=False, soft_wrap=True)


def _private(path: Path) -> TextIO:
    """A new file that nobody else may read: it holds a person's conversation."""
    path.touch(mode=0o600)
    return path.open("w", encoding="utf-8")
