"""Requests to Discord's REST API: each with a deadline, and each failure told as what it means for the request.

discord.py's own HTTP client is not used for them. It tries again where a repeat may do a thing twice, waits for a pace
longer than any deadline, stays closed for good when it is cancelled in such a wait, and can't do anything before it has
logged in.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import yarl

from essence import __version__
from essence.errors import JuneError, TooSlow, Uncertain, Unreachable
from essence.services.discord.pace import Pace
from essence.services.discord.refusals import refused

DEADLINE_S = 20.0
UPLOAD_DEADLINE_S = 60.0
_AGENT = f"DiscordBot (june-assistant, {__version__})"  # Discord asks for this form: name, version
_NOTHING_DONE = 503  # "Service Unavailable": turned away at the door; other 5xx may come after the deed
_NO_CONTENT = 204
Json = dict[str, Any]
"""A JSON object as it stands on Discord's wire."""


@dataclass(frozen=True, slots=True)
class File:
    """A file on its way out."""

    name: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """Discord has decided: yes below 400, else no."""

    status: int
    body: Any

    @property
    def code(self) -> int | None:
        """Discord's own code of a refusal; None if it was not Discord that answered."""
        return self.body.get("code", 0) if isinstance(self.body, dict) else None

    def json(self) -> Any:
        """What was answered.

        Raises:
            InvalidInput, NotAllowed, NotFound: Discord said no.
        """
        if self.status >= 400:
            raise self.refusal()
        return self.body

    def refusal(self) -> JuneError:
        """Why Discord said no."""
        words = str(self.body.get("message", "")) if isinstance(self.body, dict) else ""
        return refused(self.status, self.code, words.rstrip("."))


@dataclass(slots=True)
class _Flight:
    """How far a request got."""

    left: bool = False


async def _note_that_it_left(_: aiohttp.ClientSession, context: Any, __: object) -> None:
    flight = context.trace_request_ctx
    if isinstance(flight, _Flight):
        flight.left = True


def open_session() -> aiohttp.ClientSession:
    """For requests and for files. No request has a limit here: each has its own deadline."""
    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(_note_that_it_left)
    return aiohttp.ClientSession(
        headers={"User-Agent": _AGENT}, timeout=aiohttp.ClientTimeout(), trace_configs=[trace], auto_decompress=True
    )


class Rest:
    """Discord's REST API under one token."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str, troubles: Counter[str]) -> None:
        """`url`: such as https://discord.com/api/v10. `troubles`: counts what goes wrong."""
        self._session, self._url, self._troubles = session, url.rstrip("/"), troubles
        self._headers = {"Authorization": f"Bot {token}"}
        self._pace = Pace(troubles, asyncio.get_running_loop().time)

    async def request(
        self,
        method: str,
        path: str,
        body: Json | list[Json] | None = None,
        *,
        files: Sequence[File] = (),
        creates: bool = False,
        deadline_s: float = DEADLINE_S,
    ) -> Answer:
        """Ask, and return Discord's decision.

        Args:
            method: Of HTTP.
            path: Below the API's address; ids in it were checked by `addresses`.
            body: Sent as JSON; beside files as their payload_json.
            files: Sent as files[0], files[1] and so on.
            creates: Asked twice, it may be done twice.
            deadline_s: For all of it.

        Raises:
            Uncertain: It `creates`, it left, and there was no decision.
            RateLimited: Not now.
            Unreachable, TooSlow: Certainly not done, or safe to repeat.
        """
        flight = _Flight()
        try:
            async with asyncio.timeout(deadline_s):
                await self._pace.wait(method, path)
                return await self._exchange(method, path, flight, body, files, creates=creates)
        except TimeoutError as error:
            self._troubles["no answer"] += 1
            raise self._no_answer(flight, TooSlow, f"Discord did not answer in {deadline_s:g} s.", creates) from error
        except (aiohttp.ClientError, OSError) as error:
            self._troubles["no connection"] += 1
            raise self._no_answer(flight, Unreachable, "The connection to Discord broke.", creates) from error

    def _no_answer(self, flight: _Flight, kind: type[JuneError], what: str, creates: bool) -> JuneError:  # noqa: FBT001 - says what request does
        if creates and flight.left:
            return Uncertain(f"{what} It may have been done.")
        return kind(f"{what} June tries again; if it stays so, look at discordstatus.com and at the network.")

    async def _exchange(
        self,
        method: str,
        path: str,
        flight: _Flight,
        body: Json | list[Json] | None,
        files: Sequence[File],
        *,
        creates: bool,
    ) -> Answer:
        data, headers = _encoded(body, files)
        url = yarl.URL(self._url + path, encoded=True)
        async with self._session.request(
            method, url, data=data, headers=self._headers | headers, allow_redirects=False, trace_request_ctx=flight
        ) as response:
            answered = _decoded(response, await response.read())
        if response.status == 429:
            raise self._pace.refused(method, path, response.headers, answered)
        self._pace.note(method, path, response.headers)
        if response.status >= 500:
            raise self._broken(response.status, creates=creates)
        if answered is None and response.status < 400 and response.status != _NO_CONTENT:
            raise self._broken(response.status, creates=creates)  # a yes without words is not Discord's
        if response.status >= 400:
            self._troubles[str(response.status)] += 1
        return Answer(response.status, answered)

    def _broken(self, status: int, *, creates: bool) -> JuneError:
        self._troubles["5xx"] += 1
        if creates and status != _NOTHING_DONE:
            return Uncertain(f"Discord answered {status}. It may have been done.")
        return Unreachable(f"Discord answered {status}: it has trouble of its own. Look at discordstatus.com.")


def _encoded(
    body: Json | list[Json] | None, files: Sequence[File]
) -> tuple[str | aiohttp.FormData | None, dict[str, str]]:
    if body is None:
        return None, {}
    payload = json.dumps(body, separators=(",", ":"))
    if not files:
        return payload, {"Content-Type": "application/json"}
    form = aiohttp.FormData(quote_fields=False)  # Discord does not know "files%5B0%5D"
    form.add_field("payload_json", payload, content_type="application/json")
    for number, file in enumerate(files):
        form.add_field(f"files[{number}]", file.data, filename=file.name, content_type=file.media_type)
    return form, {}


def _decoded(response: aiohttp.ClientResponse, data: bytes) -> Any:
    if response.content_type != "application/json" or not data:
        return None
    try:
        return json.loads(data)
    except ValueError:
        return None
