"""`python -m essence pair`: let in whoever asked June to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from essence import config
from essence.commands import stored, terminal
from essence.errors import NotFound

if TYPE_CHECKING:
    from datetime import datetime

    from essence.dialogue import Pairing, Person

app = typer.Typer(add_completion=False, rich_markup_mode=None)


def main(argv: list[str]) -> int:
    """Run the command; see `--help`."""
    return terminal.run(app, "pair", argv, config.StoreSettings)


@app.command()
def pair(
    code: Annotated[
        str, typer.Argument(help="The code that June told them; case, spaces and dashes don't matter.")
    ] = "",
    *,
    list_: Annotated[bool, typer.Option("--list", help="List who asked, and who was let in.")] = False,
    remove: Annotated[
        tuple[str, str] | None,
        typer.Option("--remove", metavar="PLATFORM PERSON_ID", help="Forget one who asked or was let in."),
    ] = None,
) -> None:
    """Let in the person who has this code."""
    if [bool(code), list_, remove is not None].count(True) != 1:
        raise typer.BadParameter("give a code, or --list, or --remove")
    if list_:
        asyncio.run(_list())
    elif remove is not None:
        asyncio.run(_remove(*remove))
    else:
        asyncio.run(_approve(code))


async def _approve(code: str) -> None:
    async with stored.opened(stored.settings()) as store:
        pairing = await store.people.approve(code)
    if pairing is None:
        raise NotFound(f"Nobody has the code {code}. See who asked: python -m essence pair --list")
    named = f"{_name(pairing.person)} ({pairing.platform} {pairing.person.person_id})"
    terminal.out.print(f"June talks with {named} from now on.", markup=False, soft_wrap=True)


async def _list() -> None:
    async with stored.opened(stored.settings()) as store:
        pairings = await store.people.pairings()
    if pairings:
        terminal.out.print(_table(pairings))
    else:
        terminal.out.print("Nobody has asked to be let in.")


async def _remove(platform_name: str, person_id: str) -> None:
    platform = stored.platform_named(platform_name, among=stored.CHATS)
    async with stored.opened(stored.settings()) as store:
        if not await store.people.remove(platform, person_id):
            raise NotFound(f"{platform} {person_id} has not asked. See who has: python -m essence pair --list")
    terminal.out.print(f"{platform} {person_id} has to ask again.", markup=False, soft_wrap=True)


def _name(person: Person) -> str:
    username = f" @{person.username}" if person.username else ""
    return stored.harmless(f"{person.name}{username}")


def _table(pairings: tuple[Pairing, ...]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("platform", "person", "name", "code", "asked (UTC)", "let in (UTC)"):
        table.add_column(column, overflow="fold")
    for pairing in pairings:
        person = pairing.person
        cells = (pairing.platform, person.person_id, _name(person), pairing.code, _time(pairing.asked_at))
        let_in = "" if pairing.approved_at is None else _time(pairing.approved_at)
        table.add_row(*(Text(cell) for cell in (*cells, let_in)))
    return table


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"
