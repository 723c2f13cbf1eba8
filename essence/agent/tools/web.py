"""Read a page of the web, and nothing that is nearer.

Each address is resolved here, judged here and then connected to as a number, so that a name can't mean one machine when
it is judged and another when it is connected to (DNS rebinding). Each redirect is judged like the first address. What
is not reachable from everywhere is refused: this machine, one's own network, the addresses of clouds' own services.

An error's text is shown to a model as June's own words, so nothing is in it that a server has chosen: a status number,
but no reason beside it, and no address that a page leads to.
"""

from __future__ import annotations

import asyncio
import codecs
import ipaddress
import re
import socket
import zlib
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
HTML_MAX_CHARS = 500_000
HTML_MAX_TAGS = 10_000
"""Both of a page's HTML; what comes after is not looked at. Extraction takes time by the square of how many elements
stand beside each other, in a thread that can't be cancelled: pages made to be slow took 3 s on one core of a server
with 10,000 tags, 24 s with 20,000, and 51 s within 300,000 characters where tags weren't counted."""
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
        if ip.ipv4_mapped is not None or ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        if ip not in _UNICAST or (ip.sixtofour is not None and not is_public(str(ip.sixtofour))):
            return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _NOT_PUBLIC)


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All of IPv6 that is given out to be reached from everywhere
(https://www.iana.org/assignments/ipv6-address-space). Not in it, among others: addresses with an IPv4 address inside
(::/96, RFC 4291, 2.5.5.1; ::ffff:0:0:0/96, RFC 2765, 2.1; 64:ff9b:1::/48, RFC 8215), of a site (fec0::/10, RFC 3879)
and of segment routing (5f00::/16, RFC 9602)."""
_NOT_PUBLIC = tuple(
    map(
        ipaddress.ip_network,
        (
            "168.63.129.16/32",  # a machine's own host in Azure (https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16)
            "192.0.0.0/24",  # IETF protocols, RFC 6890, 2.2.2; 192.0.0.192 is a machine's own host in Oracle's cloud
            "192.88.99.0/24",  # the nearest relay of 6to4, RFC 7526
            "2001::/23",  # IETF protocols, RFC 2928; Teredo is in it
            "2001:db8::/32",  # examples, RFC 3849
            "3fff::/20",  # examples, RFC 9637
        ),
    )
)
"""What Python's `is_global` lets pass, in some of its versions."""


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
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError, zlib.error) as error:
            raise Unreachable(f"{url} can't be read ({type(error).__name__}). Check the address.") from error

    async def _follow(self, asked: str) -> Page:
        url, named = asked, asked
        async with httpx.AsyncClient(timeout=self._deadline_s, trust_env=False, follow_redirects=False) as http:
            for _ in range(REDIRECTS_MAX + 1):
                answer = await http.send(await self._request(http, url, named), stream=True)
                try:
                    if not answer.has_redirect_location:
                        return await _read(url, named, answer)
                    url, named = _led(url, named, answer.headers["location"]), f"The address that {asked} leads to"
                finally:
                    await answer.aclose()
        raise InvalidInput(f"{asked} leads on and on. Give the last address.")

    async def _request(self, http: httpx.AsyncClient, url: str, named: str) -> httpx.Request:
        """For the numeric address, in the name of the host.

        Args:
            http: What builds it.
            url: Where to.
            named: What it is called in errors.
        """
        host, port, scheme = self._target(url, named)
        address = await self._address(host, port, named)
        parts = urlsplit(url)
        literal = f"[{address}]" if ":" in address else address
        target = parts._replace(netloc=f"{literal}:{port}", fragment="").geturl()
        wants = {"Accept": "text/html, text/*;q=0.9, */*;q=0.1", "Accept-Encoding": "gzip"}
        headers = {"Host": parts.netloc, "User-Agent": "June/1.0", **wants}
        extensions = {"sni_hostname": host} if scheme == "https" else {}
        return http.build_request("GET", target, headers=headers, extensions=extensions)

    def _target(self, url: str, named: str) -> tuple[str, int, str]:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme, 0)
        except ValueError as error:
            raise InvalidInput(f"{named} is no address of a page. It begins with https:// or http://.") from error
        if parts.scheme not in _PORTS or not host or parts.username is not None:
            raise InvalidInput(f"{named} is no address of a page. It begins with https:// or http://.")
        if self._ports is not None and port not in self._ports:
            raise NotAllowed(f"{named}: pages are read at the ports {sorted(self._ports)} alone.")
        return host, port, parts.scheme

    async def _address(self, host: str, port: int, named: str) -> str:
        """The first of a host's addresses, where all of them are allowed."""
        addresses = await self._resolve(host, port)
        if not addresses or not all(map(self._is_allowed, addresses)):
            raise NotAllowed(f"{named} is not on the public web, so I don't read it.")
        return addresses[0]


def _led(url: str, named: str, location: str) -> str:
    """Where a redirect leads."""
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise InvalidInput(f"{named} leads to what is no address. Give the address of the page itself.") from error


async def _read(url: str, named: str, answer: httpx.Response) -> Page:
    if answer.is_error:
        raise Unreachable(f"{named} answered with the HTTP status {answer.status_code}.")
    media_type = answer.headers.get("content-type", "text/html").partition(";")[0].strip().lower()
    if not media_type.startswith(_READABLE):
        raise InvalidInput(f"{named} is {_kind(media_type)}, which I can't read. Give the address of a page of text.")
    return Page(url, media_type, _text(await _unpacked(named, answer), named, answer.charset_encoding))


def _kind(media_type: str) -> str:
    """In own words."""
    kind = media_type.partition("/")[0]
    return {"image": "an image", "audio": "sound", "video": "a video", "font": "a font"}.get(kind, "no text")


async def _unpacked(named: str, answer: httpx.Response) -> bytes:
    """The body. Not by httpx, which unpacks all of what came at once, and as many times over as the server says."""
    coding = answer.headers.get("content-encoding", "").strip().lower()
    if coding not in _CODINGS:
        raise InvalidInput(f"{named} is packed in a way that I can't read. Give the address of another page.")
    gzip = zlib.decompressobj(zlib.MAX_WBITS | 16) if _CODINGS[coding] else None
    data = bytearray()
    async for chunk in answer.aiter_raw(65_536):
        data += chunk if gzip is None else gzip.decompress(chunk, PAGE_MAX_BYTES + 1 - len(data))
        if len(data) > PAGE_MAX_BYTES:
            raise InvalidInput(f"{named} is larger than {PAGE_MAX_BYTES} bytes. Give the address of another page.")
    return bytes(data)


_CODINGS = {"": False, "identity": False, "gzip": True, "x-gzip": True}
"""Whether they are gzip (RFC 9110, section 8.4.1.3)."""


def _text(data: bytes, named: str, charset: str | None) -> str:
    """What was written; in UTF-8 where nobody knows the charset."""
    try:
        codec = codecs.lookup(charset or "utf-8").name
    except (LookupError, ValueError):
        codec = "utf-8"
    if not _CHARSETS.fullmatch(codec):
        raise InvalidInput(f"{named} is in a charset that pages don't have. Give the address of another page.")
    return data.decode(codec, "replace")


_CHARSETS = re.compile(
    r"ascii|big5(hkscs)?|cp(866|874|932|949|125\d)|euc_(jp|kr)|gb(k|2312|18030)|iso2022_jp|iso8859-\d+|koi8-[ru]"
    r"|mac-(cyrillic|roman)|shift_jis|tis-620|utf-(8|16(-[bl]e)?)"
)
"""Python's names of those that browsers read (https://encoding.spec.whatwg.org/#names-and-labels). Some of its other
codecs make no text of bytes (`hex`, `zlib`), or take minutes (`punycode`)."""


def readable(page: Page) -> str:
    """Title and text of a page, without what surrounds them. Blocks for as long as the page is large, up to seconds."""
    if "html" not in page.media_type:
        return page.text[:TEXT_MAX_CHARS]
    import trafilatura  # takes half a second to load

    html = "<".join(page.text[:HTML_MAX_CHARS].split("<", HTML_MAX_TAGS + 1)[: HTML_MAX_TAGS + 1])
    text = trafilatura.extract(html, url=page.url, include_comments=False, with_metadata=False)
    found = trafilatura.extract_metadata(html)
    title = (found.title if found is not None else None) or page.url
    return f"{title}\n\n{text or '(There is no text on this page.)'}"[:TEXT_MAX_CHARS]


def web_tool(reader: Reader) -> AnyTool:
    """`fetch_page`. It changes nothing, but an address can carry words away, so it is judged like a change."""

    async def fetch(_: Call, wanted: Fetch) -> str:
        page = await reader.fetch(wanted.url)
        return await asyncio.to_thread(readable, page)

    return Tool("fetch_page", "Read a page of the web.", *typed(Fetch), fetch, effect="change", foreign=True)
