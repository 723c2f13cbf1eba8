"""June with agent, board and Message API in processes of their own, and what her owner got on the fake Telegram."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx

from essence.fakes.openai_server import Answer, OpenAiServer
from essence.fakes.telegram import TelegramServer, User
from tests.crash.start import Service
from tests.crash.world import ANSWER, NOTE, PATIENCE_S, Got, until_dead
from tests.ports import free_ports

Kind = Literal["text", "voice"]
SERVICES = ("todorama", "telegram", "message-api", "agent")
"""In the order in which they are started."""
QUESTION = "What is the capital of France?"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is there when all is over."""

    got: Got
    tasks: tuple[tuple[str, int], ...]
    """Status of each task, and how often it was completed."""
    model_calls: int
    history: tuple[tuple[str, str], ...]
    """Role and text of each turn."""

    @property
    def completed_once(self) -> bool:
        return self.tasks == (("complete", 1),)


class OwnersJune:
    """All processes of one June, each at its own address however often it starts."""

    def __init__(self, telegram: TelegramServer, model: OpenAiServer, folder: Path) -> None:
        self.ann: User = telegram.user("Ann")
        self.model = model
        self._telegram, self._folder = telegram, folder
        self._pids = folder / "pids"
        self._pids.mkdir()
        self._ports = dict(zip((*SERVICES, "grpc"), free_ports(len(SERVICES) + 1), strict=True))

    def service(self, name: str, moment: str = "", others: Sequence[str] = ()) -> Service:
        """One that dies at a moment, or never; see `tests.crash.owner_victim`."""
        arguments = (name, moment, str(self._pids), *others)
        log = self.log(f"{name} {moment or 'healthy'}")
        return Service("tests.crash.owner_victim", arguments, self.environment(), log)

    def log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    async def start(self, stack: ExitStack, name: str, moment: str = "", others: Sequence[str] = ()) -> Service:
        """See `service`. The board is waited for: owners of a June without one are answered directly."""
        service = stack.enter_context(self.service(name, moment, others))
        (self._pids / name).write_text(str(service.pid))  # not by itself: a victim may be at its moment sooner
        if name == "todorama":
            await self.healthy(name)
        return service

    async def healthy(self, name: str) -> None:
        """Wait until a service says that it is."""
        async with asyncio.timeout(PATIENCE_S), httpx.AsyncClient() as http:
            url = f"http://127.0.0.1:{self._ports[name]}/health"
            while not await _is_healthy(http, url):  # noqa: ASYNC110 - a process rings no bell
                await asyncio.sleep(0.05)

    async def say(self, kind: Kind) -> None:
        if kind == "text":
            await self.ann.says(QUESTION)
        else:
            await self.ann.sends_voice(NOTE.data)

    async def until_over(self, *, tasks: int = 1) -> None:
        """Wait until there are so many tasks, and each of them, each message and each part has ended, by the stores."""
        async with asyncio.timeout(PATIENCE_S):
            while not (self._is_told() and self._is_done(tasks)):  # noqa: ASYNC110 - a file rings no bell
                await asyncio.sleep(0.05)

    def outcome(self) -> Outcome:
        answers = self.ann.chat.answers
        texts = tuple(answer.text for answer in answers if not answer.voice)
        got = Got(texts, tuple(answer.text for answer in answers if answer.voice))
        history = self._rows("june.db", "select role, text from turns order by id")
        return Outcome(got, self._tasks(), len(self.model.calls), tuple((role, text) for role, text in history))

    def _is_told(self) -> bool:
        question = (
            "select (select count(*) from inbox where outcome is not null), "
            "(select count(*) from inbox where outcome is null) "
            "+ (select count(*) from outbox where settled_at is null) "
            "+ (select count(*) from messages where state = 'queued')"
        )
        [(ended, open_)] = self._rows("june.db", question) or [(0, 1)]
        return ended > 0 and open_ == 0

    def _is_done(self, count: int) -> bool:
        tasks = self._tasks()
        return len(tasks) >= count and all(status in ("complete", "dead") for status, _ in tasks)

    def _tasks(self) -> tuple[tuple[str, int], ...]:
        completions = "select count(*) from task_history h where h.task_id = t.id and h.change_type = 'completed'"
        rows = self._rows("tasks.db", f"select t.task_status, ({completions}) from tasks t order by t.id")
        return tuple((status, count) for status, count in rows)

    def _rows(self, name: str, question: str) -> list[tuple[object, ...]]:
        """No row where the tables aren't there yet."""
        try:
            with closing(sqlite3.connect(f"file:{self._folder / name}?mode=ro", uri=True)) as database:
                return database.execute(question).fetchall()
        except sqlite3.OperationalError:
            return []

    def environment(self) -> dict[str, str]:
        ports, telegram = self._ports, self._telegram
        return os.environ | {
            "STORE_URL": f"sqlite:///{self._folder}/june.db",
            "STORE_POLL_S": "0.05",
            "STT_URL": "fake:what is the capital of france",
            "LLM_URL": self.model.url,
            "TTS_URL": "fake:en",
            "TELEGRAM_TOKEN": telegram.token,
            "TELEGRAM_API_URL": telegram.url,
            "TELEGRAM_OWNER_USERS": str(self.ann.person.user_id),
            "TELEGRAM_GRPC_PORT": str(ports["grpc"]),
            "TELEGRAM_HTTP_PORT": str(ports["telegram"]),
            "TELEGRAM_URL": f"grpc://127.0.0.1:{ports['grpc']}",
            "DISCORD_URL": "none",
            "MESSAGE_API_HTTP_PORT": str(ports["message-api"]),
            "MESSAGE_API_URL": f"http://127.0.0.1:{ports['message-api']}",
            "MESSAGE_API_KEY": "a key of the tests",
            "TODORAMA_URL": f"sqlite:///{self._folder}/tasks.db",
            "TODORAMA_PORT": str(ports["todorama"]),
            "TODORAMA_POLL_S": "0.05",
            "TODORAMA_BACKOFF_S": "0.1",
            "TODORAMA_BACKUPS": "0",
            "TASKS_URL": f"http://127.0.0.1:{ports['todorama']}/mcp",
            "AGENT_HTTP_PORT": str(ports["agent"]),
            "AGENT_RETRY_S": "0.1",
            "AGENT_WORKSPACE": str(self._folder / "workspace"),
        }


async def _is_healthy(http: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(url)).is_success
    except httpx.TransportError:
        return False


@asynccontextmanager
async def owners_june(folder: Path) -> AsyncIterator[OwnersJune]:
    async with TelegramServer() as telegram, OpenAiServer(Answer(ANSWER)) as model:
        yield OwnersJune(telegram, model, folder)


async def crash(kind: Kind, service: str, moment: str, others: Sequence[str], folder: Path) -> Outcome:
    """Kill a service, and others with it, at a moment of an owner's message's way; start them again; see what came.

    Raises:
        AssertionError: It did not come to its end; with the last words of all services.
    """
    try:
        return await _crash(kind, service, moment, others, folder)
    except TimeoutError as error:
        raise AssertionError(f"{service} at {moment!r}, with {others}: no end\n{_last_words(folder)}") from error


def _last_words(folder: Path) -> str:
    return "\n".join(f"--- {log.stem}\n{log.read_text()[-1500:]}" for log in sorted(folder.glob("*.log")))


async def _crash(kind: Kind, service: str, moment: str, others: Sequence[str], folder: Path) -> Outcome:
    killed = (service, *others)
    async with owners_june(folder) as june:
        with ExitStack() as living, ExitStack() as doomed:
            for name in SERVICES:
                if name == service:
                    victim = await june.start(doomed, name, moment, others)
                else:
                    await june.start(doomed if name in killed else living, name)
            await june.say(kind)
            code = await until_dead(victim)
            assert code == -9, f"it ended with {code} and was not killed at {moment!r}"
            doomed.close()
            for name in (name for name in SERVICES if name in killed):
                await june.start(living, name)
            await june.until_over()
            await asyncio.sleep(0.5)  # what would come twice comes by now
        return june.outcome()
