"""`python -m essence link`: tell June that two accounts are one person's."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from essence import config
from essence.commands import stored, terminal
from essence.errors import NotFound

if TYPE_CHECKING:
    from essence.outgoing import Identity

app = typer.Typer(add_completion=False, rich_markup_mode=None)


def main(argv: list[str]) -> int:
    """Run the command; see `--help`."""
    return terminal.run(app, "link", argv, config.StoreSettings)


@app.command()
def link(
    person: Annotated[str, typer.Argument(metavar="PLATFORM:ID", help="An account, such as telegram:42.")],
    other: Annotated[
        str, typer.Argument(metavar="PLATFORM:ID", help="The same person's on another platform; without it, list all.")
    ] = "",
    *,
    remove: Annotated[bool, typer.Option("--remove", help="Take the account from the person's others.")] = False,
) -> None:
    """Say that two accounts are one person's: the Message API then writes to them where they wrote last."""
    if remove and other:
        raise typer.BadParameter("--remove takes one account")
    one = stored.identity_named(person)
    if remove:
        asyncio.run(_unlink(one))
        terminal.out.print(f"{_name(one)} stands alone from now on.")
    else:
        accounts = asyncio.run(_link(one, stored.identity_named(other)) if other else _linked(one))
        terminal.out.print(f"One person: {', '.join(_name(account) for account in accounts)}")


async def _link(one: Identity, other: Identity) -> tuple[Identity, ...]:
    async with stored.opened(stored.settings()) as store:
        return await store.identities.link(one, other)


async def _linked(one: Identity) -> tuple[Identity, ...]:
    async with stored.opened(stored.settings()) as store:
        return await store.identities.linked(one)


async def _unlink(one: Identity) -> None:
    async with stored.opened(stored.settings()) as store:
        if not await store.identities.unlink(one):
            raise NotFound(f"{_name(one)} is linked with no other account.")


def _name(identity: Identity) -> str:
    return f"{identity.platform}:{identity.person_id}"
