"""What boards say when they won't, as June's errors: the only place that knows their words.

todorama has five shapes: `{"success": false, "error": TEXT}`, the same with `error_type` beside it, `error` as an
object with `code`, `message` and `error_type`, JSON-RPC errors, and HTTP statuses, which are `http.py`'s. No code of it
tells "taken" from "not found", so its sentences are read. June's board has codes (`essence.tasks.refusals`).
"""

from __future__ import annotations

import re
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS

from essence.errors import (
    Conflict,
    InvalidInput,
    JuneError,
    NotFound,
    RateLimited,
    StoreError,
    TooSlow,
    by_code,
)
from essence.tasks.far.http import FAILED, patience_s

_BY_CODE: dict[str, type[JuneError]] = {  # beside June's own names
    "not_owner": Conflict,
    "stale_lease": Conflict,
    "TaskNotFoundError": NotFound,
    "ValidationError": InvalidInput,
}
_BY_WORDS: tuple[tuple[re.Pattern[str], type[JuneError]], ...] = (
    (re.compile(r"Task \d+ (cannot be locked|is currently assigned|is assigned)"), Conflict),
    (re.compile(r"Task \d+ not found|Task with ID '\d+' not found|FOREIGN KEY constraint failed"), NotFound),
    (re.compile(r"database is locked"), TooSlow),
    (re.compile(r"constraint failed|Cannot add update|cannot be empty|Invalid "), InvalidInput),
)
_LACKS_PROJECT = re.compile(r"create.task.*FOREIGN KEY constraint failed")
"""The project is all that June's new tasks refer to."""


def refusal(answer: dict[str, Any]) -> JuneError:
    """The narrowest of June's errors for an answer with `success` false."""
    error = answer.get("error")
    fields = error if isinstance(error, dict) else {"message": error, "error_type": answer.get("error_type")}
    message = str(fields.get("message") or "no reason told").splitlines()[0][:500]
    kind = _by_code(fields.get("code")) or _by_code(fields.get("error_type")) or _by_words(message)
    if _LACKS_PROJECT.search(message):
        message = f"{message}. The task's project doesn't exist there. Set TODORAMA_PROJECT_ID to one that does."
    return kind(f"The task board refuses: {message}")


def _by_code(code: object) -> type[JuneError] | None:
    return _BY_CODE.get(str(code)) or by_code().get(str(code))


def _by_words(message: str) -> type[JuneError]:
    return next((kind for words, kind in _BY_WORDS if words.search(message)), StoreError)


def from_mcp(error: MCPError) -> JuneError:
    """What the SDK raised for a JSON-RPC error; to be raised `from` it. A server's traceback stays out of it."""
    if error.code == FAILED and isinstance(error.data, dict) and (kind := by_code().get(str(error.data.get("code")))):
        if issubclass(kind, RateLimited):
            return kind(error.message, retry_after_s=patience_s(error.data.get("retry_after_s")))
        return kind(error.message)
    message = error.message.splitlines()[0][:500] if error.message else "no reason told"
    kind = InvalidInput if error.code == INVALID_PARAMS else _by_words(message)
    return kind(f"The task board refuses: {message}")
