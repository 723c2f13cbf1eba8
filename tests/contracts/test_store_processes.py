"""Processes that share a store, and processes that are killed: nothing is lost, nothing is sent twice."""

import asyncio
import contextlib
import random
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import create_engine, select, update

from essence.dialogue import Reply
from essence.errors import Conflict
from essence.store import open_store
from essence.store.tables import chats, inbox, outbox
from tests.store_cases import HERE, SETTINGS, note
from tests.store_worker import CHATS

ROOT = Path(__file__).parents[2]
KILLS = 3


async def start(url: str, worker: str, messages: int, platform: Path) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "tests.store_worker", url, worker, str(messages), str(platform)]
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe)


async def begin(*processes: asyncio.subprocess.Process) -> None:
    """Let them work from now on, all of them at once."""
    for process in processes:
        assert await process.stdout.readline() == b"ready\n", await process.stderr.read()
    for process in processes:
        process.stdin.close()


async def promised(process: asyncio.subprocess.Process, *, kill_after: int | None = None) -> list[str]:
    """What it printed, up to so many lines; then it is killed."""
    lines: list[str] = []
    while (line := await process.stdout.readline()) and line.endswith(b"\n"):
        lines.append(line.decode().strip())
        if len(lines) == kill_after:
            process.kill()
    errors = (await process.stderr.read()).decode()
    await process.wait()
    assert not errors
    return lines


async def rows(url: str, query):
    async with open_store(url, SETTINGS) as store:
        return await store._database.run(lambda connection: connection.execute(query).all())


async def test_a_process_that_is_killed_at_any_moment_loses_nothing_and_sends_nothing_twice(durable_url, tmp_path):
    platform, messages = tmp_path / "platform", 200
    dice, seen = random.Random(durable_url[:6]), []
    for kill_after in [*(dice.randint(1, 150) for _ in range(KILLS)), None]:
        process = await start(durable_url, "w", messages, platform)
        await begin(process)
        seen += await promised(process, kill_after=kill_after)

    ended = await rows(durable_url, select(inbox.c.key, inbox.c.outcome))
    parts = {row.key: row for row in await rows(durable_url, select(outbox))}
    sent = Counter(platform.read_text().split())
    assert {row.key for row in ended} == {f"telegram:{number % CHATS}:{number}" for number in range(messages)}
    assert {row.outcome for row in ended} == {"answered"}
    assert max(Counter(line for line in seen if line.startswith("finished")).values()) == 1
    assert max(sent.values()) == 1
    assert {row.state for row in parts.values()} == {"sent"}
    unsent = parts.keys() - sent.keys()
    assert all(parts[key].assumed for key in unsent)  # each loss of the open window is marked
    assert len(unsent) <= KILLS * CHATS


async def test_two_processes_share_a_store_and_answer_each_message_once(durable_url, tmp_path):
    platform, messages = tmp_path / "platform", 1000
    processes = [await start(durable_url, worker, messages, platform) for worker in ("a", "b")]
    await begin(*processes)
    seen = await asyncio.gather(*(promised(process) for process in processes))
    finished = [line for lines in seen for line in lines if line.startswith("finished")]
    assert len(finished) == len(set(finished)) == messages
    assert sorted(platform.read_text().split()) == sorted(line.split()[1] for line in finished)


@pytest.mark.parametrize("method", ["sending", "dispatch", "claim"])
async def test_what_another_process_took_while_this_one_waited_for_the_store_is_not_taken_from_it(file_url, method):
    message, part = note(1), f"{note(1).key}:0"
    async with open_store(file_url, SETTINGS) as store:
        await store.inbox.receive(message)
        await store.outbox.intend(part, HERE, Reply("x"))
        with create_engine(file_url).connect() as other:
            other.exec_driver_sql("BEGIN IMMEDIATE")
            taking = asyncio.create_task(take(store, method, part))
            await asyncio.sleep(0.05)  # it has been asked for, and waits for the other process
            lease = {"granted_s": time.monotonic(), "until_s": time.monotonic() + 30}
            other.execute(update(chats).values(worker="other", **lease))
            other.execute(update(outbox).values(state="sending", sender="other", **lease))
            other.exec_driver_sql("COMMIT")
        assert await taking is None


async def take(store, method: str, part: str):
    if method == "claim":
        return await store.inbox.claim("w", lease_s=30)
    if method == "dispatch":
        return await store.outbox.dispatch(part, HERE, Reply("x"), sender_id="w", lease_s=30)
    with contextlib.suppress(Conflict):
        return await store.outbox.sending(part, sender_id="w", lease_s=30)
    return None
