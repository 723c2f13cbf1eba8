"""Agents race for the same tasks and are killed with SIGKILL: each task is completed once, none is lost."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import sys

import httpx
import pytest

from tests.todorama_service import running_service

TASKS = 1000
KILLS = 4
LEASE_S = 3.0


async def agent(url: str, name: str) -> asyncio.subprocess.Process:
    command = (sys.executable, "-m", "tests.board_agent", url, name, str(LEASE_S))
    return await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)


async def worked(process: asyncio.subprocess.Process, lines: list[str], *, kill_after: int | None) -> None:
    """Read what an agent says, to its end or until it is killed in the middle of its work."""
    assert process.stdout is not None
    claims = 0
    while line := (await process.stdout.readline()).decode().strip():
        lines.append(line)
        claims += line.startswith("claimed")
        if claims == kill_after:
            process.kill()
            kill_after = None
    await process.wait()


async def one_line_of_agents(url: str, name: str, kills: int, lines: list[str]) -> None:
    """One agent after another, each killed but the last."""
    for life in range(kills + 1):
        process = await agent(url, f"{name}-{life}")
        await worked(process, lines, kill_after=random.randrange(20, 120) if life < kills else None)


@pytest.mark.timeout(300)
async def test_each_of_a_thousand_tasks_is_completed_once_although_agents_are_killed(tmp_path):
    path, lines = tmp_path / "tasks.db", []
    with running_service(f"sqlite:///{path}", TODORAMA_OUTLIVE_POWER_CUTS="false") as board:
        async with httpx.AsyncClient(base_url=board.url, timeout=60) as http:
            work = {"task_type": "concrete", "task_instruction": "i", "verification_instruction": "v", "agent_id": "p"}
            for number in range(0, TASKS, 20):
                batch = (http.post("/mcp/create_task", json=work | {"title": str(number + n)}) for n in range(20))
                assert all(answer.status_code == 200 for answer in await asyncio.gather(*batch))
        await asyncio.gather(*(one_line_of_agents(board.url, name, KILLS // 2, lines) for name in ("a", "b")))
    completed = [line.split()[1] for line in lines if line.startswith("completed")]
    assert len(completed) == len(set(completed)) >= TASKS - KILLS  # an agent may be killed before it could say so
    with sqlite3.connect(path) as database:
        [(done,)] = database.execute("SELECT count(*) FROM tasks WHERE task_status = 'complete'")
        [(ends,)] = database.execute("SELECT count(*) FROM task_history WHERE change_type = 'completed'")
        assert done == ends == TASKS
        lost = "SELECT task_id, created_at FROM task_history WHERE change_type = 'lease_expired'"
        for task_id, expired_at in database.execute(lost).fetchall():
            times = "SELECT max(created_at) FROM task_history WHERE change_type = 'locked' AND task_id = ? AND id < "
            before = "(SELECT min(id) FROM task_history WHERE change_type = 'lease_expired' AND task_id = ?)"
            [(locked_at,)] = database.execute(times + before, (task_id, task_id))
            assert (expired_at - locked_at) / 1e6 < 2 * LEASE_S
    database.close()
