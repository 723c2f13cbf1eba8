"""What commands that look into the store of a running June share."""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import typer

from essence import config
from essence.dialogue import Platform
from essence.errors import ConfigError, NotFound
from essence.outgoing import Identity

if TYPE_CHECKING:
    from essence.ports import Store

CHATS: tuple[Platform, ...] = ("telegram", "discord")
"""Where people have accounts."""


def settings(*, new: bool = False) -> config.StoreSettings:
    """Where June keeps things, if another process can reach it; `new`: even if nothing is there yet.

    Raises:
        ConfigError: It is another process's memory.
        NotFound: It is a file that isn't there, and not `new`: none is made by looking.
    """
    found = config.read(config.StoreSettings)
    scheme, _, rest = found.store_url.partition(":///")
    if scheme.startswith("memory:"):
        raise ConfigError(
            "STORE_URL is memory://, and no other process can reach the memory of a running June; start the service "
            "and this command with the same STORE_URL, such as sqlite:///june.db."
        )
    if scheme == "sqlite" and rest and not new and not Path(rest).exists():
        raise NotFound(
            f"There is no store at {rest} yet. Set STORE_URL as the chat service has it, and start that once."
        )
    return found


@asynccontextmanager
async def opened(where: config.StoreSettings) -> AsyncIterator[Store]:
    """The store for as long as a command needs it."""
    from essence.store import open_store  # not needed to print help

    async with open_store(where.store_url, where) as store:
        yield store


def platform_named(name: str, *, among: tuple[Platform, ...] = get_args(Platform)) -> Platform:
    """A platform that was typed.

    Raises:
        typer.BadParameter: There is none of this name among those that can be meant.
    """
    for platform in among:
        if platform == name.lower():
            return platform
    raise typer.BadParameter(f"there is no platform {name!r}; use one of {', '.join(among)}")


def identity_named(text: str) -> Identity:
    """An account that was typed as PLATFORM:ID.

    Raises:
        typer.BadParameter: It can't be read.
    """
    platform, colon, person_id = text.partition(":")
    if not colon or not person_id.lstrip("-").isdecimal():
        raise typer.BadParameter(f"{text!r} is no account; write it like telegram:42")
    return Identity(platform_named(platform, among=CHATS), person_id)


# Directional overrides of https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters show a text otherwise.
_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def harmless(text: str) -> str:
    """What a stranger wrote, without control characters that a terminal would obey; tabs and ends of lines stay."""
    return "".join("\ufffd" if _commands(character) else character for character in text)


def _commands(character: str) -> bool:
    controls = unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\t"
    return controls or character in _OVERRIDES
