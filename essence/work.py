"""The words of work, as data: a task, the right to work on it, and what an owner asked for.

Everything here is frozen and knows nothing of boards, agents or wires. Ids are strings, times are aware UTC.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from urllib.parse import quote

from essence.dialogue import Address, Platform
from essence.errors import InvalidInput

TaskKind = Literal["concrete", "abstract", "epic"]
TaskStatus = Literal["available", "in_progress", "complete", "blocked", "cancelled", "dead"]
"""`dead`: it failed as often as it may; nobody takes it until a person says so."""
Priority = Literal["low", "medium", "high", "critical"]

MARK = "june-request"
"""Begins the last line of a task's instruction where the task is a person's message: todorama's own fields hold no such
thing, and a field of June's own would be lost on somebody else's board."""
_TITLE_MAX = 80
"""Longest title of a message's task. [characters]"""
_SHOWN_MAX = 2000
"""So much of a message stands in its task for people to read; its last line has all of it. [characters]"""
ATTEMPTS_MAX = 1000
"""Of a message's task: a board must not let it die in silence. Its agent tells the person when it gives up."""
_SURROGATE = re.compile("[\ud800-\udfff]")
NO_MESSAGE = "june:"
"""Begins the message id of a request that stands for no message of its platform, as a reminder's."""


ANSWER = "answer"
"""Name of the recorded step that holds a task's answer: from then on it is only brought to its owner."""
CLAIMED = "claimed"
"""Name of the recorded step by which it is known since when an agent is at work on a message."""
AGAIN = "again:"
"""Begins the name of the step by which a further attempt at a message begins; the first one is `claimed`."""
BEGUN = "begun:"
"""Begins the name of the step that is recorded before a tool is used, once the owner has allowed it."""
DELIVERED = "delivered"
"""Name of the recorded step that holds the receipts of a task's answer."""
FAILED = "failed"
"""Name of the last step of a task that failed."""
STOPPED = "stopped"
"""Name of the recorded step by which an owner's `/stop` reaches whoever works on their message."""


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task that is to be put on a board."""

    title: str
    instruction: str
    verification: str
    """How whoever checks it can tell that it is done."""
    kind: TaskKind = "concrete"
    priority: Priority = "medium"
    project_id: str | None = None
    parent_task_id: str | None = None
    """The task that this one is a part of."""
    attempts_max: int | None = None
    """After so many in vain a board that counts them lets it die; None: as the board is set."""


@dataclass(frozen=True, slots=True)
class TaskUpdate:
    """One entry of a task's history."""

    agent_id: str
    kind: str
    """As todorama calls it: progress, note, blocker, question, finding, created, locked …"""
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Task:
    """A task as its board knows it."""

    task_id: str
    title: str
    instruction: str
    verification: str
    status: TaskStatus
    priority: Priority
    created_at: datetime
    project_id: str | None = None
    agent_id: str | None = None
    """Who works on it, or did last."""
    notes: str = ""
    """What was said at its end."""
    updates: tuple[TaskUpdate, ...] = ()
    """The oldest first; empty where the whole history was not asked for."""


@dataclass(frozen=True, slots=True)
class TaskClaim:
    """The right to work on one task for a while. Whoever changes the task shows it, and learns if it still holds."""

    task: Task
    agent_id: str
    fence: int
    """Fencing token: grows with each claim of this task, so that a claim with a smaller one has been lost."""
    attempt: int
    """1 for the first claim; more where an agent was lost, or gave it back."""


@dataclass(frozen=True, slots=True)
class Request:
    """A person's message as a task carries it: all that is needed to answer it."""

    address: Address
    message_id: str
    person_id: str
    text: str
    """What they typed, or what was heard."""
    name: str = ""
    spoken: bool = False
    """It was a voice message: the answer is spoken, too."""
    language: str | None = None
    """ISO 639-1 code of what was heard, or chosen."""
    confidence: float = 1.0
    """Of the transcript, 0 to 1; 1 where it was typed."""
    forwarded: bool = False
    """Somebody else's words: they authorize nothing."""
    quoted: str = ""
    """What the message that it answers says; it authorizes nothing."""

    @property
    def key(self) -> str:
        """Idempotency key of the task, and of everything that is done for it."""
        return f"{self.address.platform}:{self.address.chat_id}:{self.message_id}"

    @property
    def account(self) -> str:
        """Its person, as the store writes persons down: `platform/person_id`, percent-encoded."""
        return f"{self.address.platform}/{quote(self.person_id, safe='')}"

    @property
    def reply_to_id(self) -> str | None:
        """The message that is answered, where there is one."""
        return None if self.message_id.startswith(NO_MESSAGE) else self.message_id

    @property
    def voucher(self) -> str:
        """Name of the step by which whoever took this very message vouches for it; see `essence.ports.handing_over`."""
        return f"taken:{hashlib.sha256(self._line().encode()).hexdigest()}"

    def as_task(self, project_id: str | None = None) -> NewTask:
        """The task for it; its title shows people who look at the board what was asked."""
        who = self.name or self.person_id
        shown = self.text if len(self.text) <= _SHOWN_MAX else f"{self.text[:_SHOWN_MAX]}…"
        asked = f"Answer this message of {who}:\n\n{shown}"
        title = " ".join(f"Answer {who}: {self.text}".split())
        return NewTask(
            title=title if len(title) <= _TITLE_MAX else f"{title[: _TITLE_MAX - 1]}…",
            instruction=f"{asked}\n\n{MARK} {self._line()}",
            verification="The answer was delivered to the person who wrote the message.",
            priority="high",
            project_id=project_id,
            attempts_max=ATTEMPTS_MAX,
        )

    def _line(self) -> str:
        fields = {
            "platform": self.address.platform,
            "chat_id": self.address.chat_id,
            "thread_id": self.address.thread_id,
            "message_id": self.message_id,
            "user_id": self.person_id,
            "username": self.name,
            "content": self.text,
            "spoken": self.spoken,
            "language": self.language,
            "confidence": self.confidence,
            "forwarded": self.forwarded,
            "quoted": self.quoted,
        }
        line = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))  # JSON knows no line break within a string
        return _SURROGATE.sub(lambda lone: f"\\u{ord(lone[0]):04x}", line)  # which no database takes


_PLATFORMS: dict[str, Platform] = {"telegram": "telegram", "discord": "discord", "grpc": "grpc"}


def request_of(task: Task) -> Request | None:
    """The message that a task carries; None where it is a task of another kind.

    Raises:
        InvalidInput: Its last line is marked as a message, and can't be read.
    """
    last = task.instruction.rstrip().rpartition("\n")[2]
    if not last.startswith(f"{MARK} "):
        return None
    try:
        return _read(json.loads(last.removeprefix(MARK)))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidInput(f"Task {task.task_id} carries a message that can't be read: {error!r:.200}.") from error


def _read(fields: dict[str, object]) -> Request:
    thread_id, language = fields["thread_id"], fields["language"]
    return Request(
        address=Address(
            _PLATFORMS[str(fields["platform"])],
            str(fields["chat_id"]),
            None if thread_id is None else str(thread_id),
        ),
        message_id=str(fields["message_id"]),
        person_id=str(fields["user_id"]),
        text=str(fields["content"]),
        name=str(fields["username"]),
        spoken=fields["spoken"] is True,
        language=None if language is None else str(language),
        confidence=float(str(fields["confidence"])),
        forwarded=fields["forwarded"] is not False,
        quoted=str(fields["quoted"]),
    )


@dataclass(frozen=True, slots=True)
class Cost:
    """What work took, to be held against a budget."""

    calls: int = 0
    """Replies of a language model."""
    tokens: int = 0
    """Of prompts and replies together."""
    tool_runs: int = 0
    seconds: float = 0.0
    """Spent in models and tools."""

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.calls + other.calls,
            self.tokens + other.tokens,
            self.tool_runs + other.tool_runs,
            self.seconds + other.seconds,
        )


@dataclass(frozen=True, slots=True)
class Step:
    """When a step of the work on a task was recorded, and what it took."""

    name: str
    at: datetime
    cost: Cost


Choice = Literal["do", "fix", "cancel"]
"""What an owner answers to whoever asks before they act. `fix`: not like this; they will say how."""


@dataclass(frozen=True, slots=True)
class Approval:
    """A question to an owner: may this be done?"""

    approval_id: str
    address: Address
    """Where it is asked."""
    person_id: str
    """Who alone may answer."""
    text: str
    """What would be done."""
    expires_at: datetime
    """From then on the answer is no."""
    choice: Choice | None = None
    """None: not answered."""


_PRESSED = "task"
"""Begins the data of an approval's buttons: `task:CHOICE:APPROVAL_ID`."""
_CHOICES: dict[str, Choice] = {"do": "do", "fix": "fix", "cancel": "cancel"}


def button_data(choice: Choice, approval_id: str) -> str:
    """Data of the button that answers an approval."""
    return f"{_PRESSED}:{choice}:{approval_id}"


def pressed_choice(data: str) -> tuple[Choice, str] | None:
    """What a button with this data answers, and to which approval; None where it is another kind of button."""
    kind, _, rest = data.partition(":")
    choice, _, approval_id = rest.partition(":")
    return (_CHOICES[choice], approval_id) if kind == _PRESSED and choice in _CHOICES and approval_id else None


@dataclass(frozen=True, slots=True)
class Memory:
    """Something that an owner wants June to know, whatever the conversation."""

    memory_id: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Reminder:
    """Something that June says, or works on, at a time."""

    reminder_id: str
    address: Address
    person_id: str
    text: str
    due_at: datetime
    """The next time."""
    rule: str = ""
    """Of a repeated one: five fields of cron, in the time zone `zone`; empty where it comes once."""
    zone: str = "UTC"
    """IANA name."""
    spoken: bool = False
    """By voice, too."""
    language: str | None = None
    works: bool = False
    """At its time the text becomes a task, and what is said is that task's answer."""
