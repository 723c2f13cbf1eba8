"""Two real agents race for a thousand messages of an owner, and are paused and killed at random all the while."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import re
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from essence.config import StoreSettings, TaskBoards
from essence.fakes import characters
from essence.fakes.messenger import MemoryMessenger
from essence.fakes.openai_server import Answer, OpenAiServer, Wait
from essence.ports.handing_over import hand_over
from essence.rpc.server import CHANNEL, Limits, RpcServer
from essence.store import open_store
from essence.tasks.opening import open_board
from tests.agent_house import ASKED
from tests.ports import free_port
from tests.service_log import until_ready
from tests.todorama_service import running_service

MESSAGES = 1000
LEASE_S = 6.0
KEY = "a key of the tests"
ANSWER = re.compile(r"(?:message|box) (\d+)")


def words(number: int) -> str:
    """Each fifth wants something done that must not be done twice."""
    return f"Remember that box {number} is blue" if number % 5 == 0 else f"This is message {number}."


def hesitant(body: characters.Body) -> Answer:
    """The honest one, after a while."""
    answer = characters.honest(body)
    return Answer(Wait(random.uniform(0.0, 0.1)), *answer.steps, finish_reason=answer.finish_reason)


def _deeds() -> Iterator[str]:
    """What is done to an agent: of each four two pauses and two kills, in any order."""
    while True:
        yield from random.sample(("pause", "pause", "kill", "kill"), 4)


@dataclass
class Race:
    """What the agents work with, and what was done to them."""

    folder: Path
    messenger: MemoryMessenger
    environment: dict[str, str]
    kills: list[tuple[str, float]] = field(default_factory=list)
    """Name of an agent, and when it was killed. [s since 1970]"""
    pauses: int = 0
    processes: dict[asyncio.subprocess.Process, Path] = field(default_factory=dict)
    """With the file into which each one logs."""
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)
    """While both are away, nobody could take over."""

    async def start(self, service: str, **more: str) -> asyncio.subprocess.Process:
        """The real process of a service."""
        path = self.folder / f"{next(self._numbers)}-{service}.log"
        with path.open("wb") as log:
            command = (sys.executable, "-m", "essence", service)
            environment = self.environment | more
            process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=log, stderr=log)
        self.processes[process] = path
        return process

    async def end(self) -> None:
        """Kill what still runs."""
        for process in self.processes:
            if process.returncode is None:
                process.kill()
                await process.wait()

    @property
    def answered(self) -> list[int]:
        """Number of the message, for each answer in the order of their coming."""
        return [int(found[1]) for sent in self.messenger.sent if (found := ANSWER.search(sent.text))]

    async def run(self, name: Callable[[int], str]) -> None:
        """One agent after the other, each paused and killed at random; the last one is stopped when all is answered."""
        life = 0
        process = await self.start("agent", AGENT_ID=name(life))
        for deed in _deeds():
            if not await self._more_answers(random.randrange(30, 90)):
                break
            if deed == "pause":
                await self._pause(process)
            else:
                async with self._one_at_a_time:
                    process.kill()
                    self.kills.append((name(life), time.time()))
                    await process.wait()
                    life += 1
                    process = await self.start("agent", AGENT_ID=name(life))
                    await until_ready(self.processes[process])
        await until_ready(self.processes[process])
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0

    async def _pause(self, process: asyncio.subprocess.Process) -> None:
        """For so long that its tasks are taken over, or for less, and then also in the middle of a write."""
        pause_s = random.choice((0.1, 0.5, LEASE_S * 1.1))
        self.pauses += 1
        async with self._one_at_a_time:
            process.send_signal(signal.SIGSTOP)
            while pause_s > LEASE_S and await asyncio.to_thread(self._is_being_written):
                process.send_signal(signal.SIGCONT)
                await asyncio.sleep(0.01)
                process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(pause_s)
            process.send_signal(signal.SIGCONT)

    def _is_being_written(self) -> bool:
        """Whether somebody who is paused keeps all others from writing to the store; they could take nothing over."""
        with closing(sqlite3.connect(self.folder / "june.db", timeout=0.2, isolation_level=None)) as database:
            try:
                database.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return True
            database.execute("ROLLBACK")
            return False

    async def _more_answers(self, count: int) -> bool:
        """Wait for so many; False when every message is answered."""
        until = min(len(self.answered) + count, MESSAGES)
        while len(self.answered) < until:  # noqa: ASYNC110 - a process rings no bell
            await asyncio.sleep(0.05)
        return until < MESSAGES

    def rows(self, file: str, question: str, *values: object) -> list[tuple]:
        with closing(sqlite3.connect(f"file:{self.folder / file}?mode=ro", uri=True)) as database:
            return database.execute(question, values).fetchall()

    def orphans(self) -> list[float]:
        """For each task that a killed agent held: after how long it was claimed again. [s]"""
        waits = []
        for name, killed_at in self.kills:
            now = int(killed_at * 1e6)
            last = "SELECT max(id) FROM task_history WHERE created_at <= ? GROUP BY task_id"
            held = f"SELECT task_id FROM task_history WHERE id IN ({last}) AND change_type = 'locked' AND agent_id = ?"
            for [task_id] in self.rows("tasks.db", held, now, name):
                flow = (
                    "SELECT change_type, created_at FROM task_history WHERE task_id = ? AND created_at > ? ORDER BY id"
                )
                happened = self.rows("tasks.db", flow, task_id, now)
                if happened[0][0] != "completed":  # the last that it asked of the board before it died
                    waits.append(next(at for change, at in happened if change == "locked") / 1e6 - killed_at)
        return waits


@asynccontextmanager
async def race(folder: Path) -> AsyncIterator[Race]:
    """A board, a Message API, a model and a platform's service; no agent yet."""
    messenger, rpc = MemoryMessenger(), RpcServer(CHANNEL, Limits(2**20, 64, 60))
    port, api_port = await rpc.start("127.0.0.1", 0), free_port()
    await rpc.serve(messenger)
    with running_service(f"sqlite:///{folder}/tasks.db", TODORAMA_OUTLIVE_POWER_CUTS="false") as board:
        async with OpenAiServer(hesitant) as model:
            environment = os.environ | {
                "STORE_URL": f"sqlite:///{folder}/june.db",
                "TASKS_URL": f"{board.url}/mcp",
                "LLM_URL": model.url,
                "LLM_MODEL": "small",
                "TELEGRAM_URL": f"grpc://127.0.0.1:{port}",
                "DISCORD_URL": "none",
                "TELEGRAM_OWNER_USERS": "1",
                "MESSAGE_API_HTTP_PORT": str(api_port),
                "MESSAGE_API_URL": f"http://127.0.0.1:{api_port}",
                "MESSAGE_API_KEY": KEY,
                "LOG_FORMAT": "json",
                "AGENT_SLOW_S": "600",
                "AGENT_LEASE_S": str(LEASE_S),
                "AGENT_HTTP_PORT": "0",
                "AGENT_TIME_ZONE": "Europe/Berlin",
                "AGENT_WORKSPACE": str(folder / "workspace"),
            }
            there = Race(folder, messenger, environment)
            try:
                await there.start("message-api")
                yield there
            finally:
                await there.end()
    await rpc.stop(0.0)


async def ask(there: Race) -> None:
    """Make the tasks."""
    url = there.environment["STORE_URL"]
    async with (
        open_store(url, StoreSettings()) as store,
        open_board(there.environment["TASKS_URL"], TaskBoards()) as board,
    ):
        for number in range(0, MESSAGES, 20):
            requests = [replace(ASKED, text=words(n), message_id=str(n)) for n in range(number, number + 20)]
            await asyncio.gather(*(hand_over(one, store.journal, board, project_id="1") for one in requests))


@pytest.mark.timeout(400)
async def test_each_of_a_thousand_messages_is_answered_and_completed_once(tmp_path):
    async with race(tmp_path) as there:
        await ask(there)
        # One keeps its name, as an agent does that is restarted; of the other it is a new one each time.
        await asyncio.gather(there.run(lambda life: "ann"), there.run(lambda life: f"bob-{life}"))
    assert Counter(there.answered) == dict.fromkeys(range(MESSAGES), 1)
    assert len(there.messenger.sent) == MESSAGES  # and nothing else was said
    completed = there.rows(
        "tasks.db", "SELECT count(*) FROM task_history WHERE change_type = 'completed' GROUP BY task_id"
    )
    assert completed == [(1,)] * MESSAGES
    remembered = [text for [text] in there.rows("june.db", "SELECT text FROM memories")]
    assert sorted(remembered) == sorted(f"box {number} is blue" for number in range(0, MESSAGES, 5))
    assert there.pauses > 3
    orphans = there.orphans()
    assert len(orphans) > 3
    assert max(orphans) < 2 * LEASE_S
