"""Read a page of the web, and nothing that is nearer.

Each address is resolved here, judged here and then connected to as a number, so that a name can't mean one machine when
it is judged and another when it is connected to (DNS rebinding). Each redirect is judged like the first address. What
is not reachable from everywhere is refused: this machine, one's own network, the addresses of clouds' own services.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import httpx
from pydantic import Field

from essence.agent.tools.tool import AnyTool, Arguments, Call, Tool, typed
from essence.errors import InvalidInput, NotAllowed, TooSlow, Unreachable

DEADLINE_S = 20.0
PAGE_MAX_BYTES = 3_000_000
"""Unpacked."""
REDIRECTS_MAX = 5
TEXT_MAX_CHARS = 5000
_PORTS = {"http": 80, "https": 443}
_READABLE = ("text/", "application/xhtml", "application/json", "application/xml", "application/rss", "application/atom")

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Numeric addresses of a host."""


class Fetch(Arguments):
    """A page."""

    url: str = Field(
        min_length=8, max_length=2000, description="Address of the page, beginning with https:// or http://."
    )


async def resolve(host: str, port: int) -> list[str]:
    """All that the system's resolver knows."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def is_public(address: str) -> bool:
    """Whether an address is reachable from everywhere, also where one address is written inside another."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
        if (ip in _NAT64 or ip in _COMPATIBLE) and int(ip) > 1:
            inner.append(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
        if any(one is not None and not is_public(str(one)) for one in inner):
            return False
        if ip.ipv4_mapped is not None:
            return True
    return ip.is_global and not ip.is_multicast


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
_COMPATIBLE = ipaddress.IPv6Network("::/96")  # RFC 4291, 2.5.5.1


@dataclass(frozen=True, slots=True)
class Page:
    """What came."""

    url: str
    """After all redirects."""
    media_type: str
    text: str


class Reader:
    """Fetches pages."""

    def __init__(
        self,
        resolve: Resolve = resolve,
        is_allowed: Callable[[str], bool] = is_public,
        *,
        ports: frozenset[int] | None = frozenset({80, 443}),
        deadline_s: float = DEADLINE_S,
    ) -> None:
        """`ports`: to which it connects; None: any."""
        self._resolve, self._is_allowed, self._ports, self._deadline_s = resolve, is_allowed, ports, deadline_s

    async def fetch(self, url: str) -> Page:
        """Fetch a page.

        Raises:
            InvalidInput: The address can't be used, or what is there is no text or too large.
            NotAllowed: It is not an address of the public web.
            Unreachable, TooSlow: As their docstrings say.
        """
        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._follow(url)
        except TimeoutError as error:
            raise TooSlow(f"{url} took longer than {self._deadline_s:g} s.") from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            raise Unreachable(f"{url} can't be read ({error or type(error).__name__}).") from error

    async def _follow(self, url: str) -> Page:
        async with httpx.AsyncClient(timeout=self._deadline_s, trust_env=False, follow_redirects=False) as http:
            for _ in range(REDIRECTS_MAX + 1):
                answer = await http.send(await self._request(http, url), stream=True)
                try:
                    if not answer.has_redirect_location:
                        return await _read(url, answer)
                    url = urljoin(url, answer.headers["location"])
                finally:
                    await answer.aclose()
        raise InvalidInput(f"{url} leads on and on. Give the last address.")

    async def _request(self, http: httpx.AsyncClient, url: str) -> httpx.Request:
        """For the numeric address, in the name of the host."""
        host, port, scheme = self._target(url)
        address = await self._address(host, port)
        parts = urlsplit(url)
        literal = f"[{address}]" if ":" in address else address
        target = parts._replace(netloc=f"{literal}:{port}", fragment="").geturl()
        headers = {"Host": parts.netloc, "User-Agent": "June/1.0", "Accept": "text/html, text/*;q=0.9, */*;q=0.1"}
        extensions = {"sni_hostname": host} if scheme == "https" else {}
        return http.build_request("GET", target, headers=headers, extensions=extensions)

    def _target(self, url: str) -> tuple[str, int, str]:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme, 0)
        except ValueError as error:
            raise InvalidInput(f"{url} is no address of a page.") from error
        if parts.scheme not in _PORTS or not host or parts.username is not None:
            raise InvalidInput(f"{url} is no address of a page. It begins with https:// or http://.")
        if self._ports is not None and port not in self._ports:
            raise NotAllowed(f"{url}: pages are read at the ports {sorted(self._ports)} alone.")
        return host, port, parts.scheme

    async def _address(self, host: str, port: int) -> str:
        """The first of a host's addresses, where all of them are allowed."""
        addresses = await self._resolve(host, port)
        if not addresses or not all(map(self._is_allowed, addresses)):
            raise NotAllowed(f"{host} is not on the public web, so I don't read it.")
        return addresses[0]


async def _read(url: str, answer: httpx.Response) -> Page:
    if answer.is_error:
        raise Unreachable(f"{url} answered {answer.status_code} {answer.reason_phrase}.")
    media_type = answer.headers.get("content-type", "text/html").partition(";")[0].strip().lower()
    if not media_type.startswith(_READABLE):
        raise InvalidInput(f"{url} is {media_type}, which I can't read.")
    data = bytearray()
    async for chunk in answer.aiter_bytes(65_536):
        data += chunk
        if len(data) > PAGE_MAX_BYTES:
            raise InvalidInput(f"{url} is larger than {PAGE_MAX_BYTES} bytes.")
    return Page(url, media_type, bytes(data).decode(answer.encoding or "utf-8", "replace"))


def readable(page: Page) -> str:
    """Title and text of a page, without what surrounds them. Blocks for as long as the page is large."""
    if "html" not in page.media_type:
        return page.text[:TEXT_MAX_CHARS]
    import trafilatura  # takes half a second to load

    text = trafilatura.extract(page.text, url=page.url, include_comments=False, with_metadata=False)
    found = trafilatura.extract_metadata(page.text)
    title = (found.title if found is not None else None) or page.url
    return f"{title}\n\n{text or '(There is no text on this page.)'}"[:TEXT_MAX_CHARS]


def web_tool(reader: Reader) -> AnyTool:
    """`fetch_page`. It changes nothing, but an address can carry words away, so it is judged like a change."""

    async def fetch(_: Call, wanted: Fetch) -> str:
        page = await reader.fetch(wanted.url)
        return await asyncio.to_thread(readable, page)

    return Tool("fetch_page", "Read a page of the web.", *typed(Fetch), fetch, effect="change", foreign=True)
