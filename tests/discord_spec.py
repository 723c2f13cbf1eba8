"""Holds what goes over the wire to Discord's own OpenAPI specification, which is not part of this repository."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

FOLDER = Path(os.environ.get("JUNE_SPECS_DIR", Path(__file__).parents[2] / "shared/specs"))
FILE = FOLDER / "discord_openapi.json"
needed = pytest.mark.skipif(
    not FILE.exists(), reason=f"Discord's specification is not at {FILE}; JUNE_SPECS_DIR names its folder"
)
_URI = "urn:discord"


@cache
def _document() -> dict[str, Any]:
    return json.loads(FILE.read_text())


@cache
def _registry() -> Registry:
    return Registry().with_resource(_URI, Resource.from_contents(_document(), default_specification=DRAFT202012))


@cache
def _validator(pointer: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"{_URI}#{pointer}"}, registry=_registry())


@cache
def _paths() -> dict[str, str]:
    """Route with its variables unnamed → path as the specification writes it."""
    return {_unnamed(path): path for path in _document()["paths"]}


def _unnamed(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


def wrong(component: str, data: object) -> list[str]:
    """What is wrong with a value that should be of a schema such as MessageResponse."""
    return _told(_validator(f"/components/schemas/{component}"), data)


def _told(validator: Draft202012Validator, data: object) -> list[str]:
    return [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(data)]


def _pointer(*parts: str) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)


def _operation(method: str, route: str) -> tuple[str, dict[str, Any]]:
    path = _paths()[_unnamed(route)]
    return _pointer("paths", path, method.lower()), _document()["paths"][path][method.lower()]


def wrong_answer(method: str, route: str, status: int, body: object) -> list[str]:
    """What is wrong with an answer of the REST API."""
    if status >= 400:
        # Not ErrorResponse: it has numbers for the codes of `errors`, where Discord sends, and documents, words.
        return wrong("RatelimitedResponse" if status == 429 else "Error", body)
    pointer, operation = _operation(method, route)
    documented = operation["responses"].get(str(status))
    if documented is None:
        return [f"{method} {route} never answers {status}"]
    if "content" not in documented:
        return [] if body is None else [f"{method} {route} answers {status} with a body"]
    return _told(
        _validator(pointer + _pointer("responses", str(status), "content", "application/json", "schema")), body
    )


def wrong_request(method: str, route: str, body: object) -> list[str]:
    """What is wrong with the JSON that a bot sent."""
    pointer, operation = _operation(method, route)
    kinds = operation.get("requestBody", {}).get("content", {})
    if body is None or "application/json" not in kinds:
        return []
    schema = pointer + _pointer("requestBody", "content", "application/json", "schema")
    return _told(_validator(schema), _with_ids_as_text(body))


def _with_ids_as_text(value: Any, name: str = "") -> Any:
    """Discord takes ids as numbers too, which the specification leaves out; discord.py sends them so."""
    if isinstance(value, dict):
        return {key: _with_ids_as_text(one, f"{name}.{key}") for key, one in value.items()}
    if isinstance(value, list):
        return [_with_ids_as_text(one, name) for one in value]
    is_id = name.endswith("_id") or name == ".attachments.id"
    return str(value) if is_id and isinstance(value, int) else value


def wrong_calls(calls: Iterable[Any]) -> list[str]:
    """What is wrong with the accepted requests of a bot and with all answers of the fake."""
    found = []
    for call in calls:
        if call.status is None or not call.route or call.status >= 500:
            continue
        if call.status < 400:
            found += [
                f"request {call.method} {call.path}: {one}" for one in wrong_request(call.method, call.route, call.body)
            ]
        if call.answer is not None or call.status < 400:
            answered = wrong_answer(call.method, call.route, call.status, call.answer)
            found += [f"answer {call.status} to {call.method} {call.path}: {one}" for one in answered]
    return found
