"""Requests to the Bot API while people are talked to: python-telegram-bot's, over aiohttp.

Its own client, httpx, takes more of the processor's time and of a message's: see `benchmarks/README.md`. aiohttp is
loaded with the first of these requests, so that the first getUpdates does not wait for it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx
from telegram.request import BaseRequest, RequestData

from essence.services.telegram.refusals import Lost, refusal

if TYPE_CHECKING:
    import aiohttp


@dataclass(slots=True)
class _Flight:
    """How far a request got."""

    left: bool = False
    """Set before its first byte is written: not by names, connections, TLS or a proxy's CONNECT."""


class Calls(BaseRequest):
    """As many connections as are needed, up to a number. Its errors hold no address, and so no token."""

    def __init__(self, url: str, connections: int, *, idle_s: float, connect_s: float, read_s: float) -> None:
        """`url`: of the server; `idle_s`: how long an unused connection is kept; `read_s`: longest silence."""
        self._connections, self._idle_s = connections, idle_s
        self._proxy = _proxy(url)
        self._connect_s, self._read_s = connect_s, read_s
        self._session: aiohttp.ClientSession | None = None

    @property
    def read_timeout(self) -> float:
        return self._read_s

    async def initialize(self) -> None:
        """Nothing: the first request opens it."""

    async def shutdown(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: object = None,
        write_timeout: object = None,
        connect_timeout: object = None,
        pool_timeout: object = None,
    ) -> tuple[int, bytes]:
        """See `BaseRequest.do_request`; whoever asks has a deadline of their own, and gives none here."""
        async with self.answer(method, url, request_data) as answer:
            body = await answer.read()
        if not answer.ok:
            raise refusal(answer.status, answer.reason or "", body)
        return answer.status, body

    @asynccontextmanager
    async def answer(
        self, method: str, url: str, request_data: RequestData | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """What is answered, whose body can be read within the context.

        Raises:
            Lost: No answer came, or not all of it.
        """
        import aiohttp  # the docstring of this module says why here

        if self._session is None:
            self._session = self._opened()
        flight = _Flight()
        try:
            data = None if request_data is None else _form(request_data)
            async with self._session.request(
                method, url, data=data, allow_redirects=False, trace_request_ctx=flight, **self._proxy
            ) as answer:
                yield answer
        except (aiohttp.ClientError, TimeoutError) as error:
            # Not `from error`, whose words hold the address, and so the token.
            raise Lost(sent=flight.left, slow=isinstance(error, TimeoutError)) from None

    def _opened(self) -> aiohttp.ClientSession:
        import aiohttp

        # httpx's certificates, so that one and the same are trusted by all requests.
        connector = aiohttp.TCPConnector(
            limit=self._connections, keepalive_timeout=self._idle_s, ssl=httpx.create_ssl_context()
        )
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(_note_that_it_left)
        return aiohttp.ClientSession(
            connector=connector,
            trace_configs=[trace],
            timeout=aiohttp.ClientTimeout(total=None, connect=self._connect_s, sock_read=self._read_s),
            headers={"User-Agent": self.USER_AGENT},
            cookie_jar=aiohttp.DummyCookieJar(),
        )


async def _note_that_it_left(_: aiohttp.ClientSession, context: Any, __: object) -> None:
    context.trace_request_ctx.left = True


class _Proxy(TypedDict, total=False):
    """As aiohttp takes it."""

    proxy: str
    headers: dict[str, str]
    """Of the request itself, which a proxy reads where there is no TLS."""
    proxy_headers: dict[str, str]
    """Of the CONNECT before it."""


def _proxy(url: str) -> _Proxy:
    """What the environment says (HTTPS_PROXY, NO_PROXY): once, since aiohttp itself asks it in a thread each time."""
    parts = urlsplit(url)
    found = getproxies().get(parts.scheme)
    if found is None or parts.hostname is None or proxy_bypass(parts.hostname):
        return {}
    at = urlsplit(found if "://" in found else f"http://{found}")
    who = f"{unquote(at.username or '')}:{unquote(at.password or '')}"
    bare = at._replace(netloc=at.netloc.rpartition("@")[2]).geturl()
    if who == ":":
        return {"proxy": bare}
    credentials = {"Proxy-Authorization": f"Basic {b64encode(who.encode()).decode()}"}
    if parts.scheme == "http":
        return {"proxy": bare, "headers": credentials}
    return {"proxy": bare, "proxy_headers": credentials}


def _form(request_data: RequestData) -> aiohttp.FormData | dict[str, str]:
    import aiohttp

    if not (files := request_data.multipart_data):
        return request_data.json_parameters
    form = aiohttp.FormData(request_data.json_parameters)
    for name, (filename, content, kind) in files.items():
        form.add_field(name, content, filename=filename, content_type=kind)
    return form
