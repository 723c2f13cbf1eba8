"""`python -m essence message-api-key`: who may have June tell people something, and whom."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, get_args

import typer
from rich.table import Table
from rich.text import Text

from essence import config
from essence.commands import stored, terminal
from essence.errors import NotFound
from essence.outgoing import CONFIGURED_KEY, LOCAL_KEY, SCOPES, Scope, new_secret

if TYPE_CHECKING:
    from essence.outgoing import ApiKey

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)


def main(argv: list[str]) -> int:
    """Run the command; see `--help`."""
    return terminal.run(app, "message-api-key", argv, config.StoreSettings)


@app.callback()
def about() -> None:
    """Keys of the Message API. June keeps their hashes alone: a key is shown once, when it is made."""


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    scope: Annotated[
        list[str] | None, typer.Option(help=f"{', '.join(sorted(SCOPES))}; may be repeated. All without it.")
    ] = None,
    recipient: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PLATFORM:ID",
            help="A person or chat that it may write to, such as telegram:42; may be repeated. Anybody without it.",
        ),
    ] = None,
) -> None:
    """Make a key and print it."""
    if name in (LOCAL_KEY, CONFIGURED_KEY):
        raise typer.BadParameter(f"June has a key named {name} herself; choose another name")
    scopes = frozenset(_scope(one) for one in scope) if scope else SCOPES
    secret = asyncio.run(_add(name, scopes, recipient or []))
    terminal.err.print("Keep this key; it is not shown again. Whoever has it may do what it allows.")
    typer.echo(secret)


async def _add(name: str, scopes: frozenset[Scope], recipients: list[str]) -> str:
    people = frozenset(stored.identity_named(recipient) for recipient in recipients)
    secret = new_secret()
    async with stored.opened(stored.settings(new=True)) as store:
        await store.api_keys.add(secret, name, scopes, people)
    return secret


@app.command("list")
def list_() -> None:
    """List the keys, without what is secret in them."""
    keys = asyncio.run(_list())
    if keys:
        terminal.out.print(_table(keys))
    else:
        terminal.out.print("There are no keys. Make one: python -m essence message-api-key add NAME")


async def _list() -> tuple[ApiKey, ...]:
    async with stored.opened(stored.settings()) as store:
        return await store.api_keys.list()


@app.command()
def remove(name: Annotated[str, typer.Argument(help="As it is listed.")]) -> None:
    """Refuse a key from now on."""
    asyncio.run(_remove(name))
    terminal.out.print(f"The key {name} is refused from now on.", markup=False, soft_wrap=True)


async def _remove(name: str) -> None:
    async with stored.opened(stored.settings()) as store:
        if not await store.api_keys.remove(name):
            raise NotFound(f"There is no key {name}. See which there are: python -m essence message-api-key list")


def _scope(name: str) -> Scope:
    for scope in _SCOPES:
        if scope == name:
            return scope
    raise typer.BadParameter(f"there is no scope {name!r}; use {', '.join(_SCOPES)}")


_SCOPES: tuple[Scope, ...] = get_args(Scope)


def _table(keys: tuple[ApiKey, ...]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("name", "scopes", "recipients", "made (UTC)"):
        table.add_column(column, overflow="fold")
    for key in keys:
        people = sorted(f"{person.platform}:{person.person_id}" for person in key.recipients)
        made = "" if key.created_at is None else f"{key.created_at:%Y-%m-%d %H:%M}"
        cells = (stored.harmless(key.name), " ".join(sorted(key.scopes)), " ".join(people) or "anybody", made)
        table.add_row(*(Text(cell) for cell in cells))
    return table
