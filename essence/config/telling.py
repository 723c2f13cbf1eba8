"""What settings there are, for people: `--help` and `.env.example`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

from essence.config import agent, chat, engines, message_api, processes, store, tasks
from essence.config.settings import Settings


def help_text(settings: type[Settings], usage: str) -> str:
    """What `--help` of a service or command prints: its usage, then every setting that it reads."""
    return f"{usage}\n\n{settings_help(settings)}"


def settings_help(settings: type[Settings]) -> str:
    """Each setting as `VARIABLE=default` and what it means, the class's own before those that it shares with others."""
    lines = ["Settings (environment variables, or lines of .env):"]
    for kind in settings.__mro__:
        for name in inspect.get_annotations(kind):
            if (field := settings.model_fields.get(name)) is not None:
                lines += [f"  {name.upper()}={field.get_default()}", f"      {field.description}"]
    return "\n".join(lines)


def env_example() -> str:
    """`.env.example`: every setting of every service, commented out, with its default and what it means."""
    lines = [
        "# Every setting of June. Copy this file to .env and take the # from the lines that you change.",
        "# Generated from essence/config/ by scripts/generate-env-example.sh.",
    ]
    for kind in _kinds():
        own = [name for name in inspect.get_annotations(kind) if name in kind.model_fields]
        if own:
            lines += ["", f"# -- {(inspect.getdoc(kind) or kind.__name__).splitlines()[0]}"]
        for name in own:
            field = kind.model_fields[name]
            # A default that depends on who is logged in is left for June to find.
            default = "" if str(Path.home()) in str(field.default) else field.default
            lines += [f"# {field.description}", f"#{name.upper()}={default}"]
    return "\n".join(lines) + "\n"


def _kinds() -> Iterator[type[Settings]]:
    """All classes of settings, by module, in the order in which they are written."""
    for module in (processes, engines, store, message_api, tasks, chat, agent):
        for kind in vars(module).values():
            if inspect.isclass(kind) and issubclass(kind, Settings) and kind.__module__ == module.__name__:
                yield kind
