"""The HTTP side that services share."""

import socket

import httpx

from essence.services.http import HttpServer


async def test_no_answer_is_held_back_for_the_rest_of_it():
    """Without TCP_NODELAY the body of an answer waits some 40 ms for the client to acknowledge its head."""
    server = HttpServer("test", has_api=False)
    port = await server.start("127.0.0.1", 0)
    try:
        async with httpx.AsyncClient() as http:
            assert (await http.get(f"http://127.0.0.1:{port}/health/live")).status_code == 200
        (listener,) = server._server.servers[0].sockets
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    finally:
        await server.stop()
