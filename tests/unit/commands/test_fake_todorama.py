"""The command as a person uses it: a process of its own, ended with Ctrl-C."""

import asyncio
import signal
import socket
import sys

import httpx

from essence.__main__ import main


async def line_with(output: asyncio.StreamReader, words: str) -> str:
    async with asyncio.timeout(30):
        while True:
            line = (await output.readline()).decode()
            assert line, f"ended before it printed {words!r}"
            if words in line:
                return line.strip()


async def test_a_person_sees_what_an_agent_asks():
    command = [sys.executable, "-m", "essence", "fake-todorama", "--port", "0", "--project", "1", "--limit", "2"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    url = (await line_with(process.stdout, "TASKS_URL=")).partition("=")[2]
    task = {"title": "t", "task_type": "concrete", "task_instruction": "[i]", "verification_instruction": "v"}
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{url}/create_task", json=task | {"agent_id": "a", "project_id": 1})
        assert answer.json() == {"success": True, "task_id": 1}
        assert "[i]" in await line_with(process.stdout, "create_task")
        statuses = [(await http.post(f"{url}/query_tasks", json={})).status_code for _ in range(2)]
        assert statuses == [200, 429]
    process.send_signal(signal.SIGINT)
    await process.communicate()
    assert process.returncode == 130


def test_a_port_that_is_taken_is_told_with_what_to_do(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["fake-todorama", "--port", str(port)]) == 1
    assert f"Port {port} is taken. Choose another with --port" in capsys.readouterr().err
