"""What every class of settings has in common, and how one is read."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import AfterValidator, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from essence.errors import ConfigError


def listed(ids: str) -> frozenset[str]:
    """The ids of a comma-separated setting; spaces don't matter."""
    return frozenset(part.strip() for part in ids.split(",") if part.strip())


def _checked(ids: str) -> str:
    for one in sorted(listed(ids)):
        if not one.isdecimal():  # a name can be taken over by somebody else, an id can't
            raise ValueError(f"{one!r} is no id; an id is a number, and /whoami tells a person theirs")
    return ids


Ids = Annotated[str, AfterValidator(_checked)]
"""Comma-separated ids of people on a platform."""


class Settings(BaseSettings):
    """What every settings class has in common."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True, env_ignore_empty=True
    )


S = TypeVar("S", bound=Settings)


def read(settings: type[S]) -> S:
    """Read one class of settings from the environment.

    Raises:
        ConfigError: A value can't be used; the message names its variable and what it must be.
    """
    try:
        return settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).upper() if first["loc"] else settings.__name__
        raise ConfigError(
            f"{name}: {first['msg'].removeprefix('Value error, ')}. See `python -m essence <name> --help`."
        ) from error
