"""How todorama says no: five shapes, most of them under HTTP 200."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


class Refused(Exception):
    """The tool's answer is a failure. It goes out with status 200, and as a result over JSON-RPC."""

    def __init__(self, body: Json) -> None:
        """`body`: all of it but `success`."""
        super().__init__(body)
        self.body: Json = {"success": False, **body}


class Crashed(Exception):
    """The tool fails outside of what it catches: status 500, then the connection closes."""


def refused(sentence: str) -> Refused:
    """The common shape: `error` is a text."""
    return Refused({"error": sentence})


def unknown_task(task_id: int) -> Refused:
    """Of most tools."""
    return refused(f"Task {task_id} not found. Please verify the task_id is correct.")


def database_error(tool: str, details: str) -> Refused:
    """What SQLite refuses: `error_type` stands beside the text."""
    path = f"/mcp/{tool}"
    error = {"error": f"Database error in {path}: {details}", "error_type": "IntegrityError", "error_details": details}
    return Refused(error | {"path": path, "request_id": "c3e977d2"})


def structured(code: int, message: str, kind: str, context: Json | None = None) -> Refused:
    """What newer code refuses: `error` is an object."""
    error: Json = {"code": code, "message": message, "error_type": kind}
    if context is not None:
        error["context"] = context
    return Refused({"error": error | {"request_id": "f71a85a6"}})
