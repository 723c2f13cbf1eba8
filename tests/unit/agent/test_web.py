"""Pages of the public web, and nothing that is nearer."""

import asyncio
import gzip
import tracemalloc
from contextlib import asynccontextmanager

import pytest

from essence.agent.tools.web import HTML_MAX_CHARS, HTML_MAX_TAGS, PAGE_MAX_BYTES, Page, Reader, is_public, readable
from essence.errors import InvalidInput, JuneError, NotAllowed, TooSlow, Unreachable

HTML = """<html><head><title>Tea</title></head><body><nav>Home About</nav><article><h1>Tea</h1>
<p>Tea is a drink that is made by pouring hot water over leaves of the tea plant, which grows in Asia.</p>
<p>After water it is the drink that people drink most in the whole world, hot or cold.</p></article></body></html>"""


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd12:3456::1",
        "ff02::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2002:c0a8:101::",
        "168.63.129.16",
        "192.0.0.8",
        "192.0.0.192",
        "192.88.99.1",
        "::ffff:168.63.129.16",
        "64:ff9b::a83f:8110",
        "2002:a83f:8110::",
        "::ffff:0:7f00:1",
        "64:ff9b:1::7f00:1",
        "64:ff9b:1::808:808",
        "100::1",
        "100:0:0:1::1",
        "2001::1",
        "2001:20::1",
        "3fff::1",
        "5f00::1",
        "fec0::1",
    ],
)
def test_an_address_that_is_not_reachable_from_everywhere_is_refused(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "168.63.129.17",
        "2606:4700:4700::1111",
        "2a00::1",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2002:808:808::",
    ],
)
def test_an_address_of_the_public_web_is_not(address):
    assert is_public(address)


@asynccontextmanager
async def site(answer):
    """A server on loopback; `answer` gets each request's head and writes."""
    heads: list[str] = []
    serving: set[asyncio.Task] = set()

    async def serve(reader, writer):
        serving.add(asyncio.current_task())
        try:
            heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            await answer(heads[-1], writer)
        except ConnectionError:
            pass  # whoever asked has seen enough
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], heads
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


def page(body: str | bytes, kind: str = "text/html", status: str = "200 OK", more: str = ""):
    data = body.encode() if isinstance(body, str) else body
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n{more}\r\n".encode()

    async def answer(_, writer):
        writer.write(head + data)
        await writer.drain()

    return answer


def names(**hosts: str):
    async def resolve(host: str, port: int) -> list[str]:
        return hosts[host.replace(".", "_")].split()

    return resolve


def reader(is_allowed=lambda address: address == "127.0.0.1", **hosts: str) -> Reader:
    hosts = {"example_com": "127.0.0.1"} | hosts
    return Reader(names(**hosts), is_allowed, ports=None, deadline_s=5)


async def test_a_page_is_read_in_the_name_of_its_host():
    async with site(page(HTML)) as (port, heads):
        found = await reader().fetch(f"http://example.com:{port}/tea?x=1#part")
    assert heads[0].startswith("GET /tea?x=1 HTTP/1.1")
    assert f"Host: example.com:{port}" in heads[0]
    text = readable(found)
    assert text.startswith("Tea\n\n")
    assert "pouring hot water" in text
    assert "<p>" not in text
    assert "About" not in text


async def test_a_name_is_resolved_once_for_each_request_so_that_it_can_t_mean_two_machines():
    asked = []

    async def resolve(host, port):
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    async with site(page("x", "text/plain")) as (port, _):
        found = await Reader(resolve, lambda a: a == "127.0.0.1", ports=None).fetch(f"http://example.com:{port}/")
    assert (found.text, asked) == ("x", ["example.com"])


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1 10.0.0.1", "10.0.0.1 127.0.0.1"])
async def test_a_name_of_which_any_address_is_private_is_refused(address):
    with pytest.raises(NotAllowed, match="public web"):
        await reader(example_com=address).fetch("http://example.com/")


async def test_a_redirect_is_judged_like_the_first_address():
    leads = page("", status="302 Found", more="Location: http://router.lan/admin\r\n")
    async with site(leads) as (port, heads):
        with pytest.raises(NotAllowed, match=r"leads to is not on the public web"):
            await reader(router_lan="192.168.1.1").fetch(f"http://example.com:{port}/")
    assert len(heads) == 1


async def test_a_redirect_to_a_page_is_followed_and_one_without_end_is_not():
    async def answer(head, writer):
        ends = "/end" in head
        await page("Here.", "text/plain")(head, writer) if ends else await page(
            "", status="301 Moved", more="Location: /end\r\n"
        )(head, writer)

    async with site(answer) as (port, _):
        found = await reader().fetch(f"http://example.com:{port}/start")
        assert (found.text, found.url) == ("Here.", f"http://example.com:{port}/end")
    async with site(page("", status="301 Moved", more="Location: /again\r\n")) as (port, heads):
        with pytest.raises(InvalidInput, match="on and on"):
            await reader().fetch(f"http://example.com:{port}/")
    assert len(heads) == 6


@pytest.mark.parametrize(
    "url", ["ftp://example.com/", "file:///etc/passwd", "http://", "http://me:secret@example.com/", "http://x:99999/"]
)
async def test_what_is_no_address_of_a_page_is_told(url):
    with pytest.raises(InvalidInput):
        await reader().fetch(url)


async def test_other_ports_than_the_web_s_are_refused():
    with pytest.raises(NotAllowed, match="ports"):
        await Reader().fetch("http://example.com:22/")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/", "http://[::1]/", "http://169.254.169.254/latest", "http://localhost/"]
)
async def test_this_machine_and_the_cloud_s_own_services_are_refused(url):
    with pytest.raises(NotAllowed):
        await Reader().fetch(url)


async def test_a_page_that_is_too_large_is_left_even_where_it_is_packed():
    small = gzip.compress(b"x" * (PAGE_MAX_BYTES + 1))
    for answer in (page("x" * (PAGE_MAX_BYTES + 1)), page(small, more="Content-Encoding: gzip\r\n")):
        async with site(answer) as (port, _):
            with pytest.raises(InvalidInput, match="larger"):
                await reader().fetch(f"http://example.com:{port}/")


def packed(times: int) -> bytes:
    data = b"Here is a page."
    for _ in range(times):
        data = gzip.compress(data)
    return data


@pytest.mark.parametrize(("coding", "times"), [("identity", 0), ("gzip", 1), ("X-GZIP", 1)])
async def test_a_page_may_be_packed_once(coding, times):
    async with site(page(packed(times), "text/plain", more=f"Content-Encoding: {coding}\r\n")) as (port, heads):
        assert (await reader().fetch(f"http://example.com:{port}/")).text == "Here is a page."
    assert "accept-encoding: gzip\r\n" in heads[0].lower()


@pytest.mark.parametrize("coding", ["gzip, gzip", "gzip\r\nContent-Encoding: gzip", "deflate", "br", "zstd", "x"])
async def test_a_page_that_is_packed_again_or_in_another_way_is_refused_unread(coding):
    async with site(page(packed(2), "text/plain", more=f"Content-Encoding: {coding}\r\n")) as (port, _):
        with pytest.raises(InvalidInput, match="packed"):
            await reader().fetch(f"http://example.com:{port}/")


async def test_what_only_says_that_it_is_packed_can_t_be_read():
    async with site(page("Here is a page.", "text/plain", more="Content-Encoding: gzip\r\n")) as (port, _):
        with pytest.raises(Unreachable):
            await reader().fetch(f"http://example.com:{port}/")


async def test_no_more_is_unpacked_than_a_page_may_have():
    bomb = gzip.compress(bytes(64 * PAGE_MAX_BYTES))
    async with site(page(bomb, "text/plain", more="Content-Encoding: gzip\r\n")) as (port, _):
        tracemalloc.start()
        try:
            with pytest.raises(InvalidInput, match="larger"):
                await reader().fetch(f"http://example.com:{port}/")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 8 * PAGE_MAX_BYTES


@pytest.mark.parametrize(
    ("charset", "data", "text"),
    [
        ("iso-8859-1", b"caf\xe9", "café"),
        ("windows-1251", b"\xf7\xe0\xe9", "чай"),
        ("Shift_JIS", b"\x92\x83", "茶"),
        ("utf-16", "茶".encode("utf-16"), "茶"),
        ("no-such-charset", "茶".encode(), "茶"),
        ("", "茶".encode(), "茶"),
        ("utf-8", b"caf\xe9", "caf\ufffd"),
    ],
)
async def test_a_page_is_read_in_its_charset(charset, data, text):
    async with site(page(data, f"text/plain; charset={charset}")) as (port, _):
        assert (await reader().fetch(f"http://example.com:{port}/")).text == text


@pytest.mark.parametrize(
    "charset", ["hex", "zlib_codec", "rot13", "base64", "undefined", "idna", "punycode", "unicode_escape", "utf-7"]
)
async def test_a_codec_that_is_no_charset_of_pages_is_refused(charset):
    async with site(page("-" + "a" * 100, f"text/html; charset={charset}")) as (port, _):
        with pytest.raises(InvalidInput, match="charset"):
            await reader().fetch(f"http://example.com:{port}/")


@pytest.mark.parametrize(
    "location", ["http://[", "http://[::ffff:zz]/", "http://a.b:99999/", "http://xn--zzzzzzzz99999/"]
)
async def test_a_redirect_to_what_is_no_address_is_told(location):
    async with site(page("", status="302 Found", more=f"Location: {location}\r\n")) as (port, _):
        with pytest.raises((InvalidInput, Unreachable)):
            await Reader(by_any_name, lambda _: True, ports=None).fetch(f"http://example.com:{port}/")


async def by_any_name(host: str, port: int) -> list[str]:
    """Refuses what the system's resolver refuses."""
    host.encode("idna")
    return ["127.0.0.1"]


@pytest.mark.parametrize(
    "answer",
    [
        page("", status="404 INJECTED"),
        page("", "image/INJECTED"),
        page("", "INJECTED"),
        page("", "text/html; charset=hex_INJECTED", more="Content-Encoding: INJECTED\r\n"),
        page("", status="302 Found", more="Location: http://INJECTED.lan/INJECTED\r\n"),
        page("", status="302 Found", more="Location: INJECTED://x\r\n"),
        page("", status="302 Found", more="Location: http://[INJECTED\r\n"),
        page("", status="302 Found", more="Location: http://INJECTED:99999/\r\n"),
        page("", status="302 Found", more="Location: http://\u0085INJECTED/\r\n"),
        page("", status="302 Found", more="Location: /?INJECTED\r\n"),
        page("", status="302 Found", more="INJECTED\r\n"),
    ],
)
async def test_nothing_that_a_server_chose_is_in_an_error(answer):
    asker = reader(injected_lan="192.168.1.1")
    async with site(answer) as (port, _):
        with pytest.raises(JuneError) as caught:
            await asker.fetch(f"http://example.com:{port}/")
    assert "injected" not in str(caught.value).lower()


@pytest.mark.parametrize("filler", ["word " * (HTML_MAX_CHARS // 5), "a<b>b</b>" * (HTML_MAX_TAGS // 2)])
def test_only_the_beginning_of_a_page_is_looked_at_since_extraction_can_t_be_stopped(filler, monkeypatch):
    seen = []
    monkeypatch.setattr("trafilatura.extract", lambda html, **_: seen.append(html))
    monkeypatch.setattr("trafilatura.extract_metadata", seen.append)
    readable(Page("http://x/", "text/html", f"<p>first{filler}last</p>"))
    assert len(seen) == 2
    assert all("first" in html and "last" not in html for html in seen)
    assert all(len(html) <= HTML_MAX_CHARS and html.count("<") <= HTML_MAX_TAGS for html in seen)


def test_a_page_of_ordinary_length_is_looked_at_whole():
    html = "<html><body><article>" + "<p>Tea is a drink.</p>" * 100 + "<p>The end.</p></article></body></html>"
    assert readable(Page("http://x/", "text/html", html)).endswith("The end.")


async def test_what_is_no_text_an_error_and_silence_are_told():
    async def nothing(_, writer):
        await asyncio.Event().wait()

    async with site(page(b"\x89PNG", "image/png")) as (port, _):
        with pytest.raises(InvalidInput, match="is an image"):
            await reader().fetch(f"http://example.com:{port}/")
    async with site(page("", status="404 Not Found")) as (port, _):
        with pytest.raises(Unreachable, match="404"):
            await reader().fetch(f"http://example.com:{port}/")
    impatient = Reader(names(example_com="127.0.0.1"), lambda _: True, ports=None, deadline_s=0.1)
    async with site(nothing) as (port, _):
        with pytest.raises(TooSlow):
            await impatient.fetch(f"http://example.com:{port}/")
    with pytest.raises(Unreachable):
        await reader().fetch("http://example.com:1/")


def test_plain_text_is_readable_as_it_is_and_an_empty_page_says_so():
    assert readable(Page("http://x/", "text/plain", "Hello")) == "Hello"
    assert "no text" in readable(Page("http://x/", "text/html", "<html><body></body></html>"))
