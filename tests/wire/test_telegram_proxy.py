"""Requests to the Bot API go by the proxy that the environment names, and no others do."""

import asyncio
from base64 import b64encode

import pytest

from essence.services.telegram.calls import Calls
from essence.services.telegram.refusals import Lost

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"ok":true}'


@pytest.fixture
async def proxy():
    seen: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(ANSWER)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", seen


@pytest.mark.parametrize("form", ["http://ann:my%20word@{}", "ann:my%20word@{}", "http://{}"])
async def test_a_request_goes_by_the_proxy_of_the_environment(monkeypatch, proxy, form):
    address, seen = proxy
    monkeypatch.setenv("http_proxy", form.format(address))
    monkeypatch.delenv("no_proxy", raising=False)
    async with Calls("http://telegram.invalid", 1, idle_s=1, connect_s=5, read_s=5) as calls:
        status, body = await calls.do_request("http://telegram.invalid/bot1:a/getMe", "POST")
    assert (status, body) == (200, b'{"ok":true}')
    [head] = seen
    assert head.startswith("POST http://telegram.invalid/bot1:a/getMe HTTP/1.1")
    secret = b64encode(b"ann:my word").decode()
    assert (f"Proxy-Authorization: Basic {secret}" in head) == ("ann" in form)


async def test_a_request_over_tls_goes_through_the_proxy_and_keeps_its_address_to_itself(monkeypatch, proxy):
    address, seen = proxy
    monkeypatch.setenv("https_proxy", f"http://ann:secret@{address}")
    monkeypatch.delenv("no_proxy", raising=False)
    async with Calls("https://telegram.invalid", 1, idle_s=1, connect_s=5, read_s=5) as calls:
        with pytest.raises(Lost) as raised:  # what answers there speaks no TLS
            await calls.do_request("https://telegram.invalid/bot1:a/getMe", "POST")
    assert not raised.value.sent
    [head] = seen
    assert head.startswith("CONNECT telegram.invalid:443 HTTP/1.1")
    assert f"Proxy-Authorization: Basic {b64encode(b'ann:secret').decode()}" in head
    assert "bot1" not in head


async def test_nothing_has_left_where_a_proxy_breaks_off_before_it_lets_a_request_through(monkeypatch):
    async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    async with await asyncio.start_server(break_off, "127.0.0.1", 0) as server:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        monkeypatch.delenv("no_proxy", raising=False)
        async with Calls("https://telegram.invalid", 1, idle_s=1, connect_s=5, read_s=5) as calls:
            with pytest.raises(Lost) as raised:
                await calls.do_request("https://telegram.invalid/bot1:a/sendMessage", "POST")
    assert not raised.value.sent


async def test_an_address_that_needs_no_proxy_is_asked_directly(monkeypatch, proxy):
    address, seen = proxy
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    async with Calls(f"http://{address}", 1, idle_s=1, connect_s=5, read_s=5) as calls:
        await calls.do_request(f"http://{address}/bot1:a/getMe", "POST")
    assert seen[0].startswith("POST /bot1:a/getMe HTTP/1.1")
