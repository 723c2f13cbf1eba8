"""June's own channel against the fake Telegram: settings for it, and a check of all that it asked for."""

from __future__ import annotations

from essence.config import TelegramService
from essence.fakes.telegram import TelegramServer
from tests.telegram_spec import problems, spec


def held_to_the_specification(server: TelegramServer) -> None:
    """Every request that June made has the methods' own parameters alone, of the right types, and all they need."""
    for call in server.calls:
        assert call.unknown == ()
        if call.method == "download":
            continue
        fields = {field["name"]: field for field in spec()["methods"][call.method].get("fields", ())}
        assert {name for name, field in fields.items() if field["required"]} <= set(call.parameters)
        for name, value in call.parameters.items():
            if name not in call.files and "InputFile" not in fields[name]["types"]:
                assert problems(value, fields[name]["types"], name) == []


def settings_of(server: TelegramServer, **more: object) -> TelegramService:
    return TelegramService(_env_file=None, telegram_token=server.token, telegram_api_url=server.url, **more)
