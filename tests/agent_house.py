"""An agent with everything around it in this process: fakes, and a real store."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from essence.agent.budget import Budget
from essence.agent.consent import Consent
from essence.agent.gate import Gate
from essence.agent.job import Job
from essence.agent.messengers import Messengers
from essence.agent.progress import Progress
from essence.agent.reminding import Reminding
from essence.agent.tools.memory import memory_tools
from essence.agent.tools.reminding import reminder_tools
from essence.agent.tools.say import say_tool
from essence.agent.tools.tool import AnyTool
from essence.agent.worker import House, Manners, Worker
from essence.config import StoreSettings
from essence.dialogue import Address, Finished, ModelEvent, TextDelta, ToolCall, ToolSpec, Turn, Usage
from essence.errors import JuneError
from essence.fakes.board import MemoryBoard
from essence.fakes.messenger import MemoryMessenger, Sent
from essence.ports.handing_over import hand_over
from essence.store import Clock, open_store
from essence.work import Cost, Request, Task

ZONE = ZoneInfo("Europe/Berlin")
START = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
HERE = Address("telegram", "7")
OWNERS = {"telegram": frozenset({"1"})}
ASKED = Request(HERE, "10", "1", "What is the capital of France?", name="Anna")
TASK_COST = Cost(20, 50_000, 30, 300)
DAY_COST = Cost(1000, 1_000_000, 1000, 100_000)


class HandClock:
    """Wall clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


Reply = str | JuneError | list[ToolCall]


class Script:
    """A language model that writes one reply after the other; the last one again and again."""

    def __init__(self, *replies: Reply) -> None:
        self._replies = replies
        self.seen: list[tuple[Turn, ...]] = []
        self.offered: list[tuple[str, ...]] = []

    async def reply(self, history: Sequence[Turn], *, tools: Sequence[ToolSpec] = ()) -> AsyncIterator[ModelEvent]:
        self.seen.append(tuple(history))
        self.offered.append(tuple(tool.name for tool in tools))
        reply = self._replies[min(len(self.seen), len(self._replies)) - 1]
        if isinstance(reply, JuneError):
            raise reply
        if isinstance(reply, str):
            yield TextDelta(reply)
            yield Finished("stop", Usage(10, 5))
            return
        for call in reply:
            yield call
        yield Finished("tool_calls", Usage(10, 5))


class Endless:
    """A model that never comes to an end."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def reply(self, history: Sequence[Turn], *, tools: Sequence[ToolSpec] = ()) -> AsyncIterator[ModelEvent]:
        self.asked.set()
        await asyncio.Event().wait()
        yield TextDelta("")


def call(name: str, **arguments: object) -> list[ToolCall]:
    return [ToolCall("c", name, json.dumps(arguments))]


@dataclass
class World:
    """What an agent lives in. Change its parts before `worker` is called."""

    store: object
    clock: HandClock
    board: MemoryBoard
    messenger: MemoryMessenger = field(default_factory=MemoryMessenger)
    manners: Manners = field(
        default_factory=lambda: Manners("june", "You are June.", OWNERS, ZONE, slow_s=60, delivery_s=0.0, retry_s=0.0)
    )
    task: Cost = TASK_COST
    day: Cost = DAY_COST
    approval_s: float = 600.0
    tools: tuple[AnyTool, ...] = ()
    """Beside those that every agent has."""

    def house(self, model) -> House:
        store, messengers = self.store, Messengers({"telegram": self.messenger})
        return House(
            self.board,
            model,
            store,
            messengers,
            self._tools,
            Gate(0.6),
            Consent(store.approvals, messengers, wait_s=self.approval_s, now=self.clock),
            Budget(self.task, self.day, ZONE, self.clock),
            now=self.clock,
        )

    def _tools(self, job: Job, progress: Progress) -> Sequence[AnyTool]:
        return (
            say_tool(progress.say),
            *memory_tools(self.store.memories),
            *reminder_tools(self.store.reminders, self.store.journal, ZONE, self.clock),
            *self.tools,
        )

    def worker(self, *replies: Reply, agent_id: str = "june") -> Worker:
        return self.worker_with(Script(*replies), agent_id=agent_id)

    def worker_with(self, model, *, agent_id: str = "june") -> Worker:
        return Worker(self.house(model), replace(self.manners, agent_id=agent_id))

    def reminding(self) -> Reminding:
        return Reminding(
            self.store.reminders, self.store.journal, self.board, Messengers({"telegram": self.messenger}), self.clock
        )

    async def ask(self, text: str = ASKED.text, **fields: object) -> str:
        """Put an owner's message on the board; its task's id."""
        request = replace(ASKED, text=text, **fields)
        return await hand_over(request, self.store.journal, self.board, project_id=None)

    async def task_of(self, task_id: str) -> Task:
        return await self.board.read(task_id)

    @property
    def answers(self) -> list[Sent]:
        """What was sent as an answer."""
        return [sent for sent in self.messenger.sent if sent.key.endswith(":answer")]

    @property
    def answer(self) -> str:
        """The text of the one answer."""
        (one,) = self.answers
        return one.text


@asynccontextmanager
async def world(url: str = "memory://") -> AsyncIterator[World]:
    clock = HandClock()
    async with open_store(url, StoreSettings(store_poll_s=0.02), Clock(now=clock)) as store:
        yield World(store, clock, MemoryBoard(now=clock))
