"""The Bot API on the wire: requests in any of the four forms that Telegram takes, answers in its one form.

https://core.telegram.org/bots/api#making-requests: query string, form, JSON or multipart/form-data.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesHeaderParser
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

Json = dict[str, Any]
MAX_UPLOAD_BYTES = 50 << 20
"""What a bot may upload (Bot API, Sending files)."""
_FORM_BYTES = 1 << 20
"""What the other fields and the frame of an upload may add to it."""


class Refused(Exception):
    """An answer with `ok: false`."""

    def __init__(
        self, status: int, description: str, *, retry_after_s: int | None = None, moved_to: int | None = None
    ) -> None:
        """`moved_to`: the id of the supergroup that a group has become."""
        super().__init__(description)
        self.status, self.description = status, description
        self.retry_after_s, self.moved_to = retry_after_s, moved_to

    def body(self) -> Json:
        """The JSON that the bot gets."""
        body: Json = {"ok": False, "error_code": self.status, "description": self.description}
        told = {"retry_after": self.retry_after_s, "migrate_to_chat_id": self.moved_to}
        parameters = {name: value for name, value in told.items() if value is not None}
        return body | {"parameters": parameters} if parameters else body


def bad_request(why: str) -> Refused:
    """Telegram's way to say that a request makes no sense."""
    return Refused(400, f"Bad Request: {why}")


def too_many_requests(retry_after_s: int) -> Refused:
    """Telegram's way to say: later."""
    return Refused(429, f"Too Many Requests: retry after {retry_after_s}", retry_after_s=retry_after_s)


@dataclass(frozen=True, slots=True)
class Upload:
    """One file of a request."""

    name: str
    content_type: str
    data: bytes = field(repr=False)


@dataclass(slots=True)
class Call:
    """One request of the bot as the server saw it, and what became of it."""

    method: str
    parameters: Json
    """Typed once the method is known; before, as they came."""
    at: float
    """When it came [s], on the clock of `time.monotonic`."""
    files: Mapping[str, Upload] = field(default_factory=dict)
    """Uploads by the name of their part."""
    unknown: tuple[str, ...] = ()
    """Parameters that the method doesn't have. Telegram ignores them, and so does the fake: a test should not."""
    status: int | None = None
    """HTTP status of the answer; None while there is none."""
    description: str = ""
    """Why it was refused."""
    answered: bool = False
    """The answer was sent; False too where a fault kept it back."""


async def read(request: Request) -> tuple[Json, dict[str, Upload]]:
    """Parameters as they came (strings, or JSON values) and uploads; 413 and 400 as Telegram says them."""
    if int(request.headers.get("content-length", 0)) > MAX_UPLOAD_BYTES + _FORM_BYTES:
        async for _ in request.stream():  # a client that still writes would not see the answer
            pass
        raise Refused(413, "Request Entity Too Large")
    parameters: Json = dict(request.query_params)
    kind = request.headers.get("content-type", "")
    body = await request.body()
    uploads: dict[str, Upload] = {}
    if kind.startswith("application/json"):
        parameters |= _json(body)
    elif kind.startswith("multipart/form-data"):
        for name, part in _parts(body, kind):
            if isinstance(part, Upload):
                uploads[name] = part
            else:
                parameters[name] = part
    else:
        parameters |= dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    return parameters, uploads


def _json(body: bytes) -> Json:
    try:
        values = json.loads(body or b"{}")
    except ValueError as error:
        raise bad_request("can't parse request body as JSON") from error
    if not isinstance(values, dict):
        raise bad_request("request body must be a JSON object")
    return values


def _parts(body: bytes, content_type: str) -> Iterator[tuple[str, str | Upload]]:
    """The parts of a multipart body (RFC 7578), by name."""
    boundary = b"\r\n--" + _headers(f"Content-Type: {content_type}".encode()).get_boundary("").encode()
    for part in (b"\r\n" + body).split(boundary)[1:]:
        if part.startswith(b"--"):
            return
        head, _, data = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        headers = _headers(head)
        name, filename = str(headers.get_param("name", "", "content-disposition")), headers.get_filename()
        if len(data) > MAX_UPLOAD_BYTES:
            raise Refused(413, "Request Entity Too Large")
        if filename is None:
            yield name, data.decode("utf-8", "replace")
        else:
            yield name, Upload(filename, headers.get_content_type(), data)


def _headers(head: bytes) -> Message:
    return BytesHeaderParser().parsebytes(head + b"\r\n\r\n")
