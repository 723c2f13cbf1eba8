"""Thirty messages as owners write them, and what an agent has to do about each."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from essence.agent.budget import Budget
from essence.agent.consent import Consent
from essence.agent.gate import Gate
from essence.agent.messengers import Messengers
from essence.agent.tools.history import history_tool
from essence.agent.tools.memory import memory_tools
from essence.agent.tools.reminding import reminder_tools
from essence.agent.tools.say import say_tool
from essence.agent.worker import House, Manners, Worker
from essence.config import AgentService, StoreSettings
from essence.dialogue import Address
from essence.fakes.board import MemoryBoard
from essence.fakes.messenger import MemoryMessenger
from essence.ports import LanguageModel, Store, TaskBoard
from essence.ports.handing_over import hand_over
from essence.store import open_store
from essence.store.clock import Clock
from essence.work import Cost, Request

ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 25, 10, 0, tzinfo=ZONE).astimezone(UTC)  # a Wednesday
SETTINGS = AgentService()
PLENTY = Cost(1000, 10**9, 1000, 10**6)
TOLD = (
    "My sister is called Clara.",
    "The wifi password is tulip42.",
    "I parked the car on level 3.",
    "I am allergic to peanuts.",
)
"""What the owner told June before."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message and what is right."""

    text: str
    tool: str | None = None
    """None: it is answered without a tool."""
    at: str = ""
    """When the reminder has to come, in the owner's time zone."""
    says: str = ""
    """Regular expression that what was kept, found or answered has to fit."""


MESSAGES = (
    Message("Set a timer for 10 minutes", "remind", at="2026-11-25 10:10"),
    Message("Set a timer for an hour and a half please", "remind", at="2026-11-25 11:30"),
    Message("Start a 45 minute timer for the laundry", "remind", at="2026-11-25 10:45", says="laundry"),
    Message("Remind me in 20 minutes to take the cake out of the oven", "remind", at="2026-11-25 10:20", says="cake"),
    Message("Remind me tomorrow at 9 to call the dentist", "remind", at="2026-11-26 09:00", says="dentist"),
    Message("Can you remind me at 6 pm to water the plants?", "remind", at="2026-11-25 18:00", says="plants"),
    Message("Remind me on Friday at 8:30 to bring the contract", "remind", at="2026-11-27 08:30", says="contract"),
    Message("Wake me at 6:45", "remind", at="2026-11-26 06:45"),
    Message("Don't let me forget to lock the shed tonight", "remind", at="2026-11-25 20:00", says="shed"),
    Message("Every day at 7 remind me to take my vitamins", "schedule", at="2026-11-26 07:00", says="vitamin"),
    Message("Remind me every Monday at 9:00 of the team meeting", "schedule", at="2026-11-30 09:00", says="meeting"),
    Message("What reminders do I have?", "reminders"),
    Message("Remember that my bike lock code is 4711", "remember", says="4711"),
    Message("Please remember my mother's birthday is on the 3rd of May", "remember", says="3rd of May|May 3|3 May"),
    Message("Note that the spare key is under the blue pot", "remember", says="blue pot"),
    Message("Remember: I prefer tea over coffee", "remember", says="tea"),
    Message("What is my sister's name?", "recall", says="Clara"),
    Message("What's my wifi password?", "recall", says="tulip42"),
    Message("Where did I park the car?", "recall", says="level 3"),
    Message("Do you remember what I am allergic to?", "recall", says="peanut"),
    Message("Forget what I told you about the car", "forget", says="level 3"),
    Message("What is the capital of France?", says="Paris"),
    Message("How many legs does a spider have?", says="8|eight"),
    Message("What is 12 times 12?", says="144"),
    Message("Translate good morning into German", says="[Gg]uten [Mm]orgen"),
    Message("What color do you get when you mix blue and yellow?", says="[Gg]reen"),
    Message("Hello June, how are you?"),
    Message("Thank you, that was helpful!"),
    Message("Tell me a short joke"),
    Message("Good night, June"),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one message."""

    message: Message
    tools: tuple[str, ...]
    """That were used with success."""
    at: str
    """When the new reminder comes."""
    kept: str
    """What the tools kept or found, and the answer."""
    answer: str

    @property
    def right(self) -> bool:
        """The right tool, and no other, with the right arguments; or the right words."""
        wanted = () if self.message.tool is None else (self.message.tool,)
        return (
            self.tools == wanted
            and self.at == self.message.at
            and (re.search(self.message.says, self.kept) is not None)
            and bool(self.answer.strip())
            and not self.answer.startswith("{")
        )


@asynccontextmanager
async def desk(
    model: LanguageModel, *, likely_only: bool, store: Store | None = None, board: TaskBoard | None = None
) -> AsyncIterator[Desk]:
    """An agent with an owner in this process; the store and the board are in memory, unless they are given."""
    async with AsyncExitStack() as stack:
        store = store or await stack.enter_async_context(
            open_store("memory://", StoreSettings(), Clock(now=lambda: NOW))
        )
        messenger, board = MemoryMessenger(), board or MemoryBoard()
        yield Desk(Worker(_house(model, store, board, messenger), _manners(likely_only)), store, board, messenger)


def _house(model: LanguageModel, store: Store, board: TaskBoard, messenger: MemoryMessenger) -> House:
    messengers = Messengers({"telegram": messenger})
    return House(
        board,
        model,
        store,
        messengers,
        lambda _, progress: (
            say_tool(progress.say),
            *memory_tools(store.memories),
            *reminder_tools(store.reminders, store.journal, ZONE, lambda: NOW),
            history_tool(store.conversations),
        ),
        Gate(SETTINGS.agent_confidence),
        Consent(store.approvals, messengers, wait_s=1.0),
        Budget(PLENTY, PLENTY, ZONE),
        now=lambda: NOW,
    )


def _manners(likely_only: bool) -> Manners:  # noqa: FBT001 - handed on
    owners = {"telegram": frozenset({"1"})}
    return Manners("june", SETTINGS.agent_prompt, owners, ZONE, slow_s=600, likely_only=likely_only)


@dataclass(frozen=True, slots=True)
class Desk:
    """Where messages are put, and looked at afterwards."""

    worker: Worker
    store: Store
    board: TaskBoard
    messenger: MemoryMessenger

    async def tell(self) -> None:
        """What the owner told before."""
        for number, text in enumerate(TOLD):
            await self.store.memories.remember("telegram", "1", text, key=f"told:{number}")

    async def ask(self, number: int, message: Message) -> str:
        """Put a message on the board, of a conversation of its own; its key."""
        request = Request(Address("telegram", f"chat{number}"), str(number), "1", message.text, name="Anna")
        await hand_over(request, self.store.journal, self.board, project_id="1")
        return request.key

    async def put(self, number: int, message: Message) -> Outcome:
        """Have one message answered."""
        before = {one.reminder_id for one in await self.store.reminders.of("telegram", "1")}
        key = await self.ask(number, message)
        await self.worker.work_once()
        answer = next((sent.text for sent in self.messenger.sent if sent.key == f"{key}:answer"), "")
        steps = await self.store.journal.steps(key)
        used = [_used(text) for step, text in steps.items() if step.startswith("done:")]
        new = [one for one in await self.store.reminders.of("telegram", "1") if one.reminder_id not in before]
        at = f"{new[0].due_at.astimezone(ZONE):%Y-%m-%d %H:%M}" if new else ""
        kept = "\n".join([*(text for _, text, _ in used), answer])
        return Outcome(message, tuple(name for name, _, ok in used if ok), at, kept, answer)


def _used(step: str) -> tuple[str, str, bool]:
    result = json.loads(step)
    return result["tool"], result["text"], result["ok"]
