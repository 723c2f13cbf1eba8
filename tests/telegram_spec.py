"""Checks values against the machine-readable Bot API (PaulSonOfLars/telegram-bot-api-spec), where it is at hand."""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path
from typing import Any

import pytest

SPECS = Path(os.environ.get("JUNE_SPECS_DIR") or Path(__file__).parents[2] / "shared" / "specs")
_PLAIN = {"Integer": int, "String": str, "Boolean": bool, "Float": (int, float), "True": bool}


@functools.cache
def spec() -> dict[str, Any]:
    path = SPECS / "telegram_bot_api.json"
    if not path.is_file():
        pytest.skip(f"needs telegram_bot_api.json of telegram-bot-api-spec in {SPECS} (or set JUNE_SPECS_DIR)")
    return json.loads(path.read_text())


def problems(value: Any, types: list[str], where: str = "result") -> list[str]:
    """What is wrong with a value that should be one of the types; nothing if it fits one of them."""
    found = [_problems(value, name, where) for name in types]
    return min(found, key=len)


def _problems(value: Any, name: str, where: str) -> list[str]:
    if name in _PLAIN:
        fits = isinstance(value, _PLAIN[name]) and (name in ("Boolean", "True") or not isinstance(value, bool))
        return [] if fits else [f"{where}: {value!r} is no {name}"]
    if name.startswith("Array of "):
        if not isinstance(value, list):
            return [f"{where}: {value!r} is no list"]
        inner = [name.removeprefix("Array of ")]
        return [wrong for index, item in enumerate(value) for wrong in problems(item, inner, f"{where}[{index}]")]
    kind = spec()["types"][name]
    if kind.get("subtypes"):
        return problems(value, kind["subtypes"], where)
    return _fields(value, kind, where)


def _fields(value: Any, kind: dict[str, Any], where: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{where}: {value!r} is no {kind['name']}"]
    fields = {field["name"]: field for field in kind.get("fields", ())}
    wrong = [f"{where}: {kind['name']} has no {name!r}" for name in value if name not in fields]
    wrong += [
        f"{where}: {name!r} is missing" for name, field in fields.items() if field["required"] and name not in value
    ]
    for name, item in value.items():
        if name in fields:
            wrong += problems(item, fields[name]["types"], f"{where}.{name}")
    return wrong
