"""What went wrong, in one shape for all: RFC 9457, application/problem+json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from essence import errors, observe
from essence.errors import InvalidInput, JuneError

MEDIA_TYPE = "application/problem+json"

_STATUS: dict[type[JuneError], int] = {
    errors.InvalidInput: 422,
    errors.KeyMissing: 401,
    errors.NotAllowed: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.RateLimited: 429,
    errors.StoreError: 503,
    errors.Unreachable: 503,
    errors.TooSlow: 503,
}
"""The first that fits; all others are 500: nothing that a caller could mend."""

_HEADERS: dict[int, dict[str, str]] = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "2"}}


class FieldProblem(BaseModel):
    """One field that can't be used."""

    field: str
    problem: str


class Problem(BaseModel):
    """RFC 9457, section 3."""

    type: str = "about:blank"
    title: str = Field(description="Of the status.")
    status: int
    detail: str = Field(description="What is wrong and what to do, for a person to read.")
    code: str = Field(description="Stable name of the error.")
    errors: list[FieldProblem] = Field(default=[], description="The fields that can't be used, where it is these.")


def _schema() -> dict[str, Any]:
    """Without references, which would lead nowhere in another document."""
    schema = Problem.model_json_schema()
    schema["properties"]["errors"]["items"] = schema.pop("$defs")["FieldProblem"]
    return schema


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": _schema()}}}
    for status in (400, 401, 403, 404, 409, 413, 422, 503)
}
"""For the OpenAPI document."""


def answer(
    status: int,
    code: str,
    detail: str,
    *,
    fields: Sequence[FieldProblem] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem as a response."""
    title = HTTPStatus(status).phrase
    problem = Problem(title=title, status=status, detail=_printable(detail), code=code, errors=list(fields))
    more = _HEADERS.get(status, {}) | dict(headers or {})
    return JSONResponse(problem.model_dump(), status, more, media_type=MEDIA_TYPE)


def answered_by(app: FastAPI) -> None:
    """Have an app tell all that goes wrong in this shape."""
    app.add_exception_handler(JuneError, _of_june)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(Exception, _unforeseen)


async def _of_june(request: Request, error: Exception) -> Response:
    assert isinstance(error, JuneError)
    if isinstance(error.__cause__, RequestValidationError):
        return await _of_validation(request, error.__cause__)
    status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        observe.logger().error("request_failed", code=error.code, error=str(error))
    return answer(status, error.code, str(error))


async def _of_http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = HTTPStatus(error.status_code).name.lower()
    return answer(error.status_code, code, str(error.detail), headers=error.headers)


def invalid(error: RequestValidationError) -> InvalidInput:
    """What FastAPI found wrong, as one of June's errors; to be raised `from` it."""
    return InvalidInput("; ".join(f"{one.field}: {one.problem}" for one in _fields(error)[:3]))


async def _of_validation(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if any(one["type"] == "json_invalid" for one in error.errors()):
        return answer(400, InvalidInput.code, "The body is no JSON.")
    return answer(422, InvalidInput.code, f"This can't be used. {invalid(error)}", fields=_fields(error))


async def _unforeseen(request: Request, error: Exception) -> Response:
    observe.logger().error("request_crashed", path=request.url.path, error=repr(error))
    return answer(500, errors.JuneError.code, "The Message API failed at this request. Its log tells more.")


def _fields(error: RequestValidationError) -> list[FieldProblem]:
    """Without what was sent: it may be long, and secret."""
    as_json = not isinstance(error.body, bytes)
    return [FieldProblem(field=_field(one["loc"]), problem=_words(one, as_json=as_json)) for one in error.errors()]


def _words(one: Mapping[str, Any], *, as_json: bool) -> str:
    """`as_json`: the body was read as JSON, which FastAPI does where the headers say that it is."""
    if tuple(one["loc"]) == ("body",) and one["type"] in _NO_OBJECT:
        return "Send a JSON object." if as_json else "Send JSON, with the header Content-Type: application/json."
    # Pydantic's own words before those of a validator.
    return str(one["msg"]).removeprefix("Value error, ")


_NO_OBJECT = ("model_attributes_type", "model_type", "dict_type")


def _field(location: Sequence[object]) -> str:
    return _printable(".".join(str(part) for part in location[1:]) or str(location[0]))[:200]


def _printable(text: str) -> str:
    """Half a surrogate pair, which JSON can bring, is no UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")
