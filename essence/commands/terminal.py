"""How commands meet a person: the console, one sentence for an error, the exit code."""

from __future__ import annotations

import os
from pathlib import Path

import typer
from rich.console import Console

from essence import config
from essence.errors import JuneError

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def run(app: typer.Typer, name: str, argv: list[str], settings: type[config.Settings] | None = None) -> int:
    """Run one command and return its exit code: 0, 1 (failed, said in one sentence), 2 (called wrongly), 130 (Ctrl-C).

    `--help` ends with the settings that the command reads.
    """
    try:
        if "--help" not in argv:
            _quiet_logs(name)
        app(args=argv, prog_name=f"python -m essence {name}")
    except SystemExit as left:  # how Typer returns
        if settings is not None and "--help" in argv:
            print(config.settings_help(settings))
        return left.code if isinstance(left.code, int) else 1
    except JuneError as error:
        return _failed(error.code, str(error))
    except BrokenPipeError:  # nobody reads the output any more, and an error would not be read either
        raise
    except OSError as error:  # a file or folder that the person named can't be read or written
        named = "" if error.filename is None else f": {error.filename}"
        return _failed("file_error", f"{error.strerror or error}{named}")
    return 0


def check_output(path: Path) -> None:
    """Refuse a file that can't be written before any work goes into what it would hold.

    Raises:
        typer.BadParameter: It is a folder, its folder doesn't exist, or it may not be written.
    """
    if path.is_dir():
        raise typer.BadParameter(f"{path} is a folder; name a file with --output")
    if not path.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {path.parent} for {path.name}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise typer.BadParameter(f"{path} may not be written; name another file with --output")


def typed(text: str) -> str:
    """An argument as UTF-8, whatever the locale: Python keeps bytes that it can't decode as lone surrogates."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _quiet_logs(name: str) -> None:
    """A command speaks for itself: logs are for errors, unless LOG_LEVEL asks for more."""
    from essence import observe  # not needed to print help

    asked = config.read(config.Observability)
    level = asked.log_level if "log_level" in asked.model_fields_set else "error"
    observe.set_up(name, level=level, log_format=asked.log_format, otlp_endpoint=asked.otel_exporter_otlp_endpoint)


def _failed(code: str, sentence: str) -> int:
    err.print(f"[red]{code}:[/red] ", end="")
    err.print(sentence, markup=False, soft_wrap=True)
    return 1
