"""The command as a person uses it: a process of its own, ended with Ctrl-C."""

import asyncio
import signal
import socket
import sys
from contextlib import asynccontextmanager

import httpx
import pytest

from essence.__main__ import main


async def line_with(output: asyncio.StreamReader, words: str) -> str:
    async with asyncio.timeout(30):
        while True:
            line = (await output.readline()).decode()
            assert line, f"ended before it printed {words!r}"
            if words in line:
                return line.strip()


TASK = {
    "title": "t",
    "task_type": "concrete",
    "task_instruction": "[i]",
    "verification_instruction": "v",
    "agent_id": "a",
}


@asynccontextmanager
async def playing(*options):
    command = [sys.executable, "-m", "essence", "fake-todorama", "--port", "0", *options]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        yield process, (await line_with(process.stdout, "TASKS_URL=")).partition("=")[2]
    finally:
        process.send_signal(signal.SIGINT)
        await process.communicate()


async def test_a_person_sees_what_an_agent_asks():
    async with playing("--limit", "2") as (process, url), httpx.AsyncClient() as http:
        answer = await http.post(f"{url}/create_task", json=TASK | {"project_id": 1})
        assert answer.json() == {"success": True, "task_id": 1}
        assert "[i]" in await line_with(process.stdout, "create_task")
        statuses = [(await http.post(f"{url}/query_tasks", json={})).status_code for _ in range(2)]
        assert statuses == [200, 429]
    assert process.returncode == 130


@pytest.mark.parametrize(("options", "known"), [(["--no-projects"], []), (["--project", "7"], [7])])
async def test_which_projects_it_has_can_be_said(options, known):
    async with playing(*options) as (_, url), httpx.AsyncClient() as http:
        for project in (1, 7):
            answer = await http.post(f"{url}/create_task", json=TASK | {"project_id": project})
            assert answer.json()["success"] is (project in known)


def test_projects_and_none_can_t_both_be_asked_for():
    assert main(["fake-todorama", "--project", "7", "--no-projects"]) == 2


def test_a_port_that_is_taken_is_told_with_what_to_do(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["fake-todorama", "--port", str(port)]) == 1
    assert f"Port {port} is taken. Choose another with --port" in capsys.readouterr().err
