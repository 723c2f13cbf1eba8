"""`python -m essence message-api` as a real process."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from essence.config import MessageApiClient
from essence.errors import ConfigError
from essence.message_client import open_message_api

READY_S = 60


@asynccontextmanager
async def process(tmp_path, **settings: str) -> AsyncIterator[asyncio.subprocess.Process]:
    environment = os.environ | {
        "STORE_URL": f"sqlite:///{tmp_path}/june.db",
        "MESSAGE_API_KEY_FILE": f"{tmp_path}/message-api.key",
        "MESSAGE_API_HTTP_PORT": "0",
        "LOG_FORMAT": "json",
    }
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "essence", "message-api", env=environment | settings, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


async def ready(started: asyncio.subprocess.Process) -> int:
    """Wait until it takes requests; returns its port."""
    port = None
    async with asyncio.timeout(READY_S):
        while line := await started.stderr.readline():
            event = json.loads(line)
            port = event.get("port", port)
            if event["event"] == "ready":
                return port
    raise AssertionError("it ended before it was ready")


async def test_a_client_without_a_key_is_told_of_the_one_that_may_ask_by_buttons(tmp_path):
    settings = MessageApiClient(_env_file=None, message_api_key_file=tmp_path / "none.key", message_api_key="")
    with pytest.raises(ConfigError, match="set MESSAGE_API_KEY to the same secret") as told:
        async with open_message_api(settings):
            pass
    assert "message-api-key add" not in str(told.value)


async def test_nothing_else_is_needed_to_start_and_sigterm_ends_it_with_0(tmp_path):
    async with process(tmp_path) as started:
        port = await ready(started)
        key = (tmp_path / "message-api.key").read_text().strip()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            posted = await http.post(
                "/messages", json={"user_id": "1", "message": "Hi."}, headers={"Authorization": f"Bearer {key}"}
            )
        assert (posted.status_code, posted.json()["author"]) == (202, "local")
        started.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(started.wait(), READY_S) == 0


async def test_what_was_posted_before_is_there_after_a_restart(tmp_path):
    listed = []
    for _ in range(2):
        async with process(tmp_path, MESSAGE_API_KEY="k") as started:
            url = f"http://127.0.0.1:{await ready(started)}"
            async with httpx.AsyncClient(base_url=url, headers={"Authorization": "Bearer k"}) as http:
                await http.post("/messages", json={"user_id": "1", "message": "Hi."}, headers={"Idempotency-Key": "k"})
                listed += (await http.get("/messages")).json()["messages"]
    assert [one["message_id"] for one in listed] == [listed[0]["message_id"]] * 2


async def test_a_port_that_is_taken_is_told_with_its_setting(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        async with process(tmp_path, MESSAGE_API_HTTP_PORT=port) as started:
            _, told = await started.communicate()
    assert started.returncode == 1
    assert f"MESSAGE_API_HTTP_PORT={port}" in told.decode()


async def test_an_api_without_a_key_does_not_open_to_other_machines(tmp_path):
    async with process(tmp_path, BIND_HOST="0.0.0.0") as started:
        _, told = await started.communicate()
    assert started.returncode == 1
    assert "message-api-key add" in told.decode().splitlines()[-1]
