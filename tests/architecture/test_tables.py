"""The tables and the pages tell the truth: what they name exists, and what exists is named."""

import gc
import importlib
import importlib.util
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import essence.commands
import essence.services
from essence import config
from essence.__main__ import COMMANDS, SERVICES, SETTINGS, main
from essence.engines import ENGINES

ROOT = Path(__file__).parents[2]
PAGES = [path for path in ROOT.rglob("*.md") if not {".venv", "node_modules"} & set(path.parts)]
HEAVY = {"numpy", "av", "grpc", "openai", "faster_whisper", "ctranslate2", "piper", "xllamacpp", "fastapi", "typer"}


def modules_with_main(package) -> set[str]:
    found = set()
    for module in pkgutil.iter_modules(package.__path__):
        if hasattr(importlib.import_module(f"{package.__name__}.{module.name}"), "main"):
            found.add(module.name.replace("_", "-"))
    return found


def test_every_service_of_the_table_exists_and_every_service_is_in_the_table():
    assert modules_with_main(essence.services) == set(SERVICES)


def test_every_command_of_the_table_exists_and_every_command_is_in_the_table():
    assert modules_with_main(essence.commands) == set(COMMANDS)


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: f"{engine.role}-{engine.scheme}")
def test_every_engine_of_the_table_can_be_opened(engine):
    module, _, function = engine.opener.partition(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_help_names_everything_and_imports_nothing_heavy():
    script = (
        "import sys; from essence.__main__ import main; code = main(['--help']);"
        "print(','.join(sys.modules), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not set(done.stderr.split(",")) & HEAVY
    for name in SERVICES | COMMANDS:
        assert re.search(rf"^  {name} +\S", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("platform", ["telegram", "discord"])
def test_a_chat_service_takes_messages_before_it_loads_what_answering_needs(platform):
    script = (
        f"import sys; from essence.services.{platform} import channel; from essence.services import chatting;"
        "print(','.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    not_yet = {"av", "numpy", "grpc", "markdown_it", "py3langid", "alembic"}
    if platform == "telegram":  # discord.py stands on it
        not_yet.add("aiohttp")
    assert not set(done.stdout.strip().split(",")) & not_yet


def test_a_service_that_can_t_start_leaves_the_garbage_collector_at_work(monkeypatch, capsys):
    monkeypatch.setenv("TELEGRAM_OWNER_USERS", "@ann")
    assert main(["telegram"]) == 1
    assert "TELEGRAM_OWNER_USERS" in capsys.readouterr().err
    assert gc.isenabled()


def test_an_unknown_name_exits_with_2_and_suggests_the_nearest(capsys):
    assert main(["tlak"]) == 2
    assert "talk" in capsys.readouterr().err


def test_the_version_is_printed(capsys):
    assert main(["--version"]) == 0
    assert essence.__version__ in capsys.readouterr().out


@pytest.mark.parametrize("name", [*SERVICES, *COMMANDS])
def test_help_of_each_name_exits_with_0(name, capsys):
    assert main([name, "--help"]) == 0
    assert name in capsys.readouterr().out


@pytest.mark.parametrize("name", SERVICES)
def test_help_of_a_service_shows_each_setting_with_its_default_and_unit(name, capsys):
    main([name, "--help"])
    shown = capsys.readouterr().out
    for field, about in getattr(config, SETTINGS[name]).model_fields.items():
        assert field.upper() in shown
        assert about.description.split(".")[0] in shown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_scripts_that_a_page_names_exist(page):
    text = page.read_text()
    for name in re.findall(r"python -m essence ([a-z][a-z-]+)", text):
        assert name in SERVICES | COMMANDS, name
    for script in re.findall(r"\bscripts/[a-z-]+\.sh", text):
        assert (ROOT / script).exists(), script


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page):
    for link in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", page.read_text()):
        assert (page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_settings_that_a_page_names_exist(page):
    known = {
        field.upper()
        for settings in vars(config).values()
        if isinstance(settings, type) and issubclass(settings, config.Settings)
        for field in settings.model_fields
    }
    for name in re.findall(r"\b((?:STT|TTS|LLM|JUNE|OTEL|LOG|GRPC)_[A-Z_]+)\b", page.read_text()):
        assert name in known, name
