"""The roles that June is made of. Read this page and you know June.

Every role has near players (an engine in this process), far ones (the same over gRPC or HTTP) and fakes
(`essence.fakes`). Callers can't tell them apart: `tests/contracts` runs one test per role over all of them.

Common to all roles:

- One method each, stream in and stream out. A batch engine yields once, a streaming engine many times.
- Cancelling is closing the iterator (`aclose`, or leaving `contextlib.aclosing`). The player then stops its work.
- Failures are `essence.errors.JuneError`; nothing else is raised but `asyncio.CancelledError`.
- A player is opened by URL: `essence.engines.open_transcriber("faster-whisper:base", settings)` and its like are
  async context managers that load on entry and free on exit; `essence.store.open_store("sqlite:///june.db", settings)`
  gives inbox, outbox and conversations, `essence.tasks.open_board("http://todorama:8004/mcp", …)` a task board.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from essence.audio import Pcm
from essence.dialogue import (
    Address,
    Backlog,
    Button,
    ChannelProfile,
    ChannelState,
    Claim,
    Message,
    ModelEvent,
    Outcome,
    Pairing,
    Part,
    Person,
    Platform,
    Preferences,
    Receipt,
    Reply,
    Sign,
    Sound,
    ToolSpec,
    Transcript,
    Turn,
    Unsent,
)
from essence.outgoing import ApiKey, Draft, Errand, Filter, Identity, Posted, Scope
from essence.work import Approval, Choice, Cost, Memory, NewTask, Reminder, Task, TaskClaim


class Transcriber(Protocol):
    """Speech to text (STT)."""

    def transcribe(
        self, speech: AsyncIterator[Pcm], *, language: str | None = None, word_times: bool = False
    ) -> AsyncGenerator[Transcript]:
        """Yield at least one transcript; each repeats and extends the one before, the last is final.

        Args:
            speech: Audio in order, any chunk size, one rate for all chunks. Read to its end.
            language: ISO 639-1 code of what is spoken; None lets the engine detect it.
            word_times: Fill `Segment.words`; costs extra time.

        Raises:
            EngineBusy: The queue is full.
            InvalidAudio: More audio than the engine takes.
            InvalidInput: The model does not know `language`.
        """
        ...


class Synthesizer(Protocol):
    """Text to speech (TTS)."""

    def synthesize(self, text: str, *, voice: str | None = None, language: str | None = None) -> AsyncGenerator[Pcm]:
        """Yield the speech in order, the first chunk as early as the engine can; all chunks have one rate.

        Args:
            text: Plain words to be said (see `essence.chat.speakable`); a blank text yields nothing.
            voice: A voice of this engine by name; None takes the engine's own for `language`.
            language: ISO 639-1 code of `text`; None means the language of the engine's default voice.

        Raises:
            NotFound: No such voice, or no voice for `language`. Raised before the first chunk.
            EngineBusy: The queue is full.
        """
        ...


class LanguageModel(Protocol):
    """Writes the answer (LLM)."""

    def reply(self, history: Sequence[Turn], *, tools: Sequence[ToolSpec] = ()) -> AsyncGenerator[ModelEvent]:
        """Yield the answer as it is written, then one `Finished`.

        Args:
            history: The conversation, oldest first; system turns first of all, the last one is to be answered.
                Turns that do not fit the model's context are left out, oldest first, whole turns at a time.
            tools: What the model may call.

        Raises:
            ContextOverflow: The system turns and the last turn alone do not fit.
            EmptyAnswer: The model ended without a word and without a tool call.
            EngineBusy, NotAllowed, NotFound, Unreachable, TooSlow: As their docstrings say.
        """
        ...


Receive = Callable[[Message], Awaitable[None]]
"""Takes a message; when it returns, the message is durable."""


class Channel(Protocol):
    """A chat platform: the one place that knows its SDK. Messages come rendered; see `essence.chat.rendering`.

    All methods but `listen` have deadlines of their own.
    """

    @property
    def profile(self) -> ChannelProfile: ...

    @property
    def state(self) -> ChannelState: ...

    async def listen(self, receive: Receive) -> None:
        """Hand over every message that comes, until cancelled; lost connections are made again.

        The platform is told that a message came only after `receive` has returned. If it raises, the message is handed
        over again later. Several may be handed over at once, those of one chat in order.

        Raises:
            NotAllowed: The platform refuses June's token.
            ConfigError: It refuses another setting, such as a webhook's address.
        """
        ...

    async def send(self, to: Address, reply: Reply, *, key: str, again: bool = False) -> Receipt:
        """Send one message.

        Args:
            to: Where it goes.
            reply: What is sent. A voice message that the platform or the person doesn't allow goes out as a file.
            key: Names this message, for platforms that recognise a repeat.
            again: An earlier request with this key may have been done. If the platform can't tell, the message bears a
                mark that says so.

        Raises:
            Uncertain: The request went out, and its answer was lost.
            RateLimited: Not sent; the error says how long to wait.
            Unreachable, TooSlow: Certainly not sent.
            NotAllowed: June may not write there (blocked, removed).
            NotFound: There is no such chat.
            InvalidInput: The platform refuses this message, whoever tries.
        """
        ...

    async def edit(self, to: Address, message_id: str, reply: Reply) -> None:
        """Put a text (and buttons) in the place of a sent one's; of a voice message, its caption. Safe to repeat.

        Raises:
            NotFound: The message is gone.
            RateLimited, Unreachable, TooSlow, NotAllowed, InvalidInput: As `send`.
        """
        ...

    async def sign(self, message: Message, sign: Sign) -> None:
        """Show a person what June is doing with their message. A failure is counted and goes no further."""
        ...

    async def acknowledge(self, message: Message, text: str) -> None:
        """Tell whoever tapped a button that it worked, in a few words. A failure is counted and goes no further."""
        ...

    async def fetch(self, sound: Sound, *, max_bytes: int) -> bytes:
        """The file of a message.

        Raises:
            InvalidAudio: Larger than `max_bytes`, or than what the platform lets bots have; the sentence says which.
            NotFound: It is gone.
            Unreachable, TooSlow: Try again.
        """
        ...

    async def direct(self, person_id: str) -> Address:
        """The private conversation with a person.

        Raises:
            NotFound: The platform knows no such person.
        """
        ...


class Messenger(Protocol):
    """Speaks to people on one platform, for other services."""

    async def send(
        self,
        to: Address,
        text: str,
        *,
        key: str,
        speak: bool = False,
        language: str | None = None,
        reply_to_id: str | None = None,
        buttons: Sequence[Button] = (),
    ) -> tuple[Receipt, ...]:
        """Send Markdown, in as many messages as it takes; return when the platform has them all.

        Args:
            to: Where it goes.
            text: Markdown.
            key: A repeat with the same key sends nothing more and returns the same receipts.
            speak: As a voice message too.
            language: ISO 639-1 code of `text`, for the voice.
            reply_to_id: The message that it answers.
            buttons: Below the last message.

        Raises:
            NotAllowed, NotFound, InvalidInput: It can't be delivered; it will not be tried again.
            TooSlow: Not delivered yet. It is kept and goes out as soon as it can; ask again with the same key.
        """
        ...

    async def edit(self, key: str, text: str) -> tuple[Receipt, ...]:
        """Put another text in the place of what was sent under `key`.

        Raises:
            NotFound: Nothing was sent under this key, or it is gone.
            NotAllowed, InvalidInput, RateLimited, Unreachable, TooSlow: As the platform says.
        """
        ...


class Inbox(Protocol):
    """Messages from the moment they are received to their visible end. Nothing is lost, nothing is answered twice.

    Whatever a method did is durable when it returns. A conversation's messages are claimed one at a time, oldest first;
    conversations take turns, so that many messages in one don't delay another.

    All methods may raise StoreError (the disk is full or read-only), Unreachable or TooSlow.
    """

    async def receive(self, message: Message) -> bool:
        """Keep a message; False for one that is known by its key, be it open or ended, also after a restart."""
        ...

    async def knows(self, key: str) -> bool:
        """Whether a message with this key was received, be it open or ended."""
        ...

    async def conclude(self, message: Message, outcome: Outcome, reply: Reply | None = None, reason: str = "") -> bool:
        """Keep a message together with its end, and the one part `{key}:0` that answers it, where there is one.

        For what is answered without a worker. False for a known key, and nothing is kept.
        """
        ...

    async def park(self, message: Message) -> bool:
        """Keep a message that came too late to be answered unasked; False for a known key."""
        ...

    async def park_unbegun(self, platform: Platform, before: datetime) -> int:
        """Park the open messages that nobody has begun to answer and that were sent before this time."""
        ...

    async def parked(self, platform: Platform) -> tuple[Backlog, ...]:
        """The conversations whose parked messages their people don't know of, with how many there are."""
        ...

    async def announce(self, address: Address, key: str, reply: Reply) -> bool:
        """Tell of a conversation's parked messages: mark them as told and keep the part; False for a known key."""
        ...

    async def unpark(self, address: Address) -> int:
        """Open a conversation's parked messages again, their deadlines new; returns how many."""
        ...

    async def discard(self, address: Address) -> int:
        """Cancel a conversation's parked messages; returns how many."""
        ...

    async def record(self, address: Address) -> str:
        """What the last `finish` with a record kept of this conversation; empty where none did."""
        ...

    async def newest(self, platform: Platform) -> tuple[Message, ...]:
        """The message that was sent last of each conversation, be it open or ended: where a channel reads on."""
        ...

    async def amend(self, message: Message) -> bool:
        """Put an edited message in the place of the one with its key; False if that was claimed or ended before."""
        ...

    async def claim(
        self, worker_id: str, *, lease_s: float, wait_s: float = 0.0, platform: Platform | None = None
    ) -> Claim | None:
        """Take the oldest open message of the conversation whose turn it is, or None if none comes within `wait_s`.

        `platform`: of that one alone; None of any.

        Another worker may claim it once `lease_s` have passed without `extend`.
        """
        ...

    async def extend(self, claim: Claim, *, lease_s: float) -> None:
        """Hold a claim for `lease_s` from now.

        Raises:
            Conflict: The claim was lost: stop the work and send nothing more.
        """
        ...

    async def finish(self, claim: Claim, outcome: Outcome, reason: str = "", *, record: str | None = None) -> None:
        """End a message. `record`: kept of the conversation in the place of the last one; None leaves that.

        Raises:
            Conflict: The claim was lost, or the message has ended.
        """
        ...

    async def release(self, claim: Claim) -> None:
        """Give an unfinished message back; it stays the first of its conversation.

        Raises:
            Conflict: The claim was lost.
        """
        ...

    async def release_all(self, worker_id: str) -> int:
        """Give back what this worker holds: for a process that starts again under the id of its dead self."""
        ...

    async def settle(self, key: str, outcome: Outcome, reason: str = "", *, reply: Reply | None = None) -> bool:
        """End a message without a claim, as `/stop` and the watchdog do; whoever holds it gets Conflict.

        `reply`: kept with it, as the part `{key}:w0`, which tells of the end. False if it has ended or is unknown, and
        nothing is kept.
        """
        ...

    async def put_off(self, platform: Platform, by: timedelta) -> None:
        """Move the deadlines of a platform's open messages: time in which nobody could have seen an end of them."""
        ...

    async def waiting(self, address: Address, *, limit: int = 100) -> tuple[Message, ...]:
        """Messages of a conversation that have not ended, oldest first, the claimed one included."""
        ...

    async def delegated(self, address: Address, *, limit: int = 20) -> tuple[Message, ...]:
        """Messages of a conversation that became tasks, the newest first."""
        ...

    async def overdue(self, *, limit: int = 100, platform: Platform | None = None) -> tuple[Message, ...]:
        """Messages that had no end by their deadline, the longest overdue first."""
        ...

    async def backlog(self) -> tuple[Backlog, ...]:
        """What waits, one entry for each conversation that has open messages, longest waiting first."""
        ...


class Outbox(Protocol):
    """Parts of answers from the intent to the platform's receipt. Whatever a method did is durable when it returns.

    A platform can't be asked whether it got a request whose answer was lost. A part in that window is `uncertain`:
    whether it is sent again is its sender's policy, and if it is, the part is marked `doubtful`.

    All methods may raise StoreError (the disk is full or read-only), Unreachable or TooSlow.
    """

    async def intend(self, key: str, to: Address, reply: Reply, *, under: Claim | None = None) -> bool:
        """Keep a part that is to be sent; False for a known key, whose reply stays as it was.

        Args:
            key: `{message key}:{number}`; a conversation's parts are sent in the order in which they were intended.
            to: Where it goes.
            reply: What is sent.
            under: The claim that it answers.

        Raises:
            Conflict: The claim was lost; nothing is kept.
        """
        ...

    async def dispatch(
        self, key: str, to: Address, reply: Reply, *, sender_id: str, lease_s: float, under: Claim | None = None
    ) -> Part | None:
        """`intend` and `sending` at once. None: it is kept, and not to be sent by this caller now.

        So it is where an earlier part of the conversation has not been settled, where another sender is at it, and
        where it was sent, given up or cancelled before.

        Raises:
            Conflict: The claim was lost; nothing is kept.
        """
        ...

    async def sending(self, key: str, *, sender_id: str, lease_s: float) -> Part:
        """Note that a request is about to leave. It becomes `uncertain` after `lease_s` without receipt or failure.

        Raises:
            Conflict: It was sent, given up or cancelled, or another sender is at it.
            NotFound: No such part.
        """
        ...

    async def sent(self, key: str, receipt: Receipt) -> None:
        """Keep the platform's receipt. The first one stands.

        Raises:
            NotFound: No such part.
        """
        ...

    async def failed(self, key: str, why: str, *, retry_at: datetime | None, doubtful: bool = False) -> None:
        """Note that the platform did not take it; None gives it up. Nothing happens to a part that was sent.

        `doubtful`: it may have been taken all the same, so that the next try may bring it twice; this is never unsaid.

        Raises:
            NotFound: No such part.
        """
        ...

    async def release_all(self, sender_id: str) -> int:
        """Make what this sender was sending uncertain now: for a process that starts again under its dead self's id."""
        ...

    async def cancel(self, message_key: str) -> int:
        """Take back the parts of an answer that have not left; returns how many."""
        ...

    async def parts(self, message_key: str) -> tuple[Part, ...]:
        """What is known of the answer to a message, in order: where another worker goes on after a crash."""
        ...

    async def pending(self, platform: Platform, *, limit: int = 100, wait_s: float = 0.0) -> tuple[Part, ...]:
        """The next part of each conversation that can be sent now, oldest first; waits up to `wait_s` for one.

        A conversation whose next part is being sent or waits for its retry is left out.
        """
        ...

    async def unsent(self, platform: Platform) -> Unsent:
        """How much has not been settled: neither sent nor given up nor taken back."""
        ...


class Conversations(Protocol):
    """What was said, and what each person chose. Both are kept until a person or a limit removes them.

    All methods may raise StoreError (the disk is full or read-only), Unreachable or TooSlow.
    """

    async def append(self, address: Address, turns: Sequence[Turn], *, key: str, person_id: str) -> bool:
        """Add turns at the end; False for a known key, and nothing is added.

        Args:
            address: The conversation. Its oldest turns go once it holds more than the settings allow.
            turns: In order.
            key: Names this addition, such as `{message key}:asked`, so that a repeat after a crash adds nothing.
            person_id: On whose account they are kept: `forget` of that person removes them.
        """
        ...

    async def said(self, key: str) -> tuple[Turn, ...]:
        """The turns that were added under this key; none where there was no such addition, or where it is forgotten."""
        ...

    async def read(self, address: Address, *, turns: int, chars: int) -> tuple[Turn, ...]:
        """The last turns, oldest first: at most so many, and whole turns of at most so many characters together."""
        ...

    async def reset(self, address: Address) -> int:
        """Forget the history; returns how many turns it had. What is being answered goes on."""
        ...

    def export(self, address: Address) -> AsyncIterator[str]:
        """Yield the history as JSON lines, oldest first: `at`, `role`, `text`, `person_id`."""
        ...

    async def forget(self, platform: Platform, person_id: str) -> int:
        """Delete all that is kept of a person: turns, preferences, messages, answers; returns how many.

        Messages that were not answered yet are dropped too; whoever holds one gets Conflict.
        """
        ...

    async def preferences(self, platform: Platform, person_id: str) -> Preferences:
        """What a person chose; the defaults if they chose nothing."""
        ...

    async def prefer(self, platform: Platform, person_id: str, chosen: Preferences) -> None:
        """Keep what a person chose."""
        ...


class People(Protocol):
    """Who asked to be let in, and who was.

    All methods may raise StoreError (the disk is full or read-only), Unreachable or TooSlow.
    """

    async def ask(self, platform: Platform, person: Person, code: str) -> Pairing:
        """Keep that a person asks to be let in; one who asked before keeps their code. Names are brought up to date."""
        ...

    async def approve(self, code: str) -> Pairing | None:
        """Let in whoever has this code; None where nobody has. Case, spaces and dashes don't matter."""
        ...

    async def remove(self, platform: Platform, person_id: str) -> bool:
        """Forget a person who asked or was let in; False where there is none."""
        ...

    async def is_paired(self, platform: Platform, person_id: str) -> bool:
        """Whether a person was let in."""
        ...

    async def pairings(self) -> tuple[Pairing, ...]:
        """All who asked, the newest first."""
        ...


class Messages(Protocol):
    """What services have June tell people, from the moment it is accepted to the platform's receipt.

    Whatever a method did is durable when it returns. A conversation's messages are handed over one at a time, in the
    order in which they were posted.

    All methods may raise StoreError (the disk is full or read-only), Unreachable or TooSlow.
    """

    async def post(self, draft: Draft, *, author: str, fingerprint: str = "", key: str | None = None) -> Posted:
        """Keep a message; a repeat with the author's same key returns the one that is kept.

        Args:
            draft: What is said, to whom.
            author: Name of the API key.
            fingerprint: Of the request, so that two different ones under one key are told apart.
            key: Idempotency key; None: every call posts a message of its own.

        Raises:
            InvalidInput: The key was used for another request.
        """
        ...

    async def repeated(self, *, author: str, fingerprint: str, key: str) -> Posted | None:
        """The message that was posted under this key, or None.

        Raises:
            InvalidInput: The key was used for another request.
        """
        ...

    async def revise(
        self, message_id: str, text: str, *, append: bool = False, fingerprint: str = "", key: str | None = None
    ) -> Posted:
        """Put another text in the place of a message's, or add to its end. A repeat with the same key changes nothing.

        Raises:
            NotFound: There is no such message.
            Conflict: It failed before its platform had it, so there is nothing to change.
            InvalidInput: The text gets too long, or the key was used for another change.
        """
        ...

    async def read(self, message_id: str) -> Posted:
        """One message.

        Raises:
            NotFound: There is no such message.
        """
        ...

    async def outcome(self, message_id: str, *, wait_s: float) -> Posted:
        """One message as soon as it is no longer queued, or as it is after `wait_s`.

        Raises:
            NotFound: There is no such message.
        """
        ...

    async def list(self, which: Filter, *, limit: int, before: int | None = None) -> tuple[Posted, ...]:
        """The newest messages first: those of a position smaller than `before`, or from the newest one on."""
        ...

    async def claim(self, platform: Platform, worker_id: str, *, lease_s: float, wait_s: float = 0.0) -> Errand | None:
        """Take the oldest message that is due and the first of its conversation, or None if none comes in `wait_s`.

        Another worker may claim it once `lease_s` have passed.
        """
        ...

    async def delivered(
        self, errand: Errand, revision: int, receipts: Sequence[Receipt], *, code: str = "", why: str = ""
    ) -> None:
        """Keep that the platform has this revision; `code` and `why` tell of a part that it could not have.

        Raises:
            Conflict: The errand was lost.
        """
        ...

    async def failed(self, errand: Errand, code: str, why: str, *, retry_s: float | None) -> None:
        """Keep why the platform doesn't have it, and after how long it may be claimed again; None: never.

        Raises:
            Conflict: The errand was lost.
        """
        ...

    async def release_all(self, worker_id: str) -> int:
        """Give back what this worker holds: for a process that starts again under the id of its dead self."""
        ...


class ApiKeys(Protocol):
    """Who may use the Message API, and for what. Keys are kept as hashes alone."""

    async def add(self, secret: str, name: str, scopes: frozenset[Scope], recipients: frozenset[Identity]) -> ApiKey:
        """Let in whoever shows `secret`.

        Raises:
            Conflict: There is a key of this name, or this very key.
        """
        ...

    async def find(self, secret: str) -> ApiKey | None:
        """What a key allows; None for one that is unknown.

        Raises:
            NotAllowed: It was removed.
        """
        ...

    async def list(self) -> tuple[ApiKey, ...]:
        """All that are valid, by name."""
        ...

    async def remove(self, name: str) -> bool:
        """Refuse a key from now on; False where there is none of this name."""
        ...


class Identities(Protocol):
    """Who is the same human being on several platforms, and where they wrote last."""

    async def link(self, one: Identity, other: Identity) -> tuple[Identity, ...]:
        """Say that two are one; returns all that are this one now."""
        ...

    async def unlink(self, one: Identity) -> bool:
        """Take an identity from the others; False where it was linked with none."""
        ...

    async def linked(self, one: Identity) -> tuple[Identity, ...]:
        """All identities of this human being, this one included, by platform."""
        ...

    async def last_wrote(self, people: Sequence[Identity]) -> tuple[Identity, Address] | None:
        """Who of these wrote to June in private last, and where; None where nobody did whose message is still kept."""
        ...


class TaskBoard(Protocol):
    """Tasks, and who works on which: June's own board, or any todorama.

    All methods may raise StoreError, RateLimited, Unreachable or TooSlow; what was asked for may be tried again then.
    """

    async def create(self, task: NewTask, *, key: str) -> str:
        """Put a task on the board and return its id; a repeat with the same key makes no second one.

        Raises:
            InvalidInput: The board refuses such a task, whoever tries.
            NotFound: There is no such project or parent.
            NotAllowed: The board refuses the key of this agent.
        """
        ...

    async def claim(self, agent_id: str, *, lease_s: float, wait_s: float = 0.0) -> TaskClaim | None:
        """Take the most urgent task that can be worked on, or None if there is none within `wait_s`.

        One that this agent held when it was killed comes first. Another agent may claim it once `lease_s` have passed
        without `extend`. Costs nothing but the wait where there is no work.
        """
        ...

    async def extend(self, claim: TaskClaim, *, lease_s: float) -> None:
        """Hold a claim for `lease_s` from now.

        Raises:
            Conflict: The claim was lost: stop the work and send nothing more.
        """
        ...

    async def progress(self, claim: TaskClaim, text: str) -> None:
        """Add to the task's history how it gets on.

        Raises:
            Conflict: The claim was lost.
        """
        ...

    async def complete(self, claim: TaskClaim, notes: str) -> None:
        """End a task as done, so that nobody takes it for new work. Safe to repeat.

        Raises:
            Conflict: The claim was lost.
        """
        ...

    async def release(self, claim: TaskClaim, why: str, *, retry_s: float = 0.0) -> None:
        """Give a task back: it may be claimed again after `retry_s`; a board that counts attempts may let it die.

        Raises:
            Conflict: The claim was lost.
        """
        ...

    async def fail(self, claim: TaskClaim, why: str) -> None:
        """End a task as failed: nobody takes it again until a person says so.

        Raises:
            Conflict: The claim was lost.
        """
        ...

    async def read(self, task_id: str) -> Task:
        """A task with its whole history.

        Raises:
            NotFound: There is no such task.
        """
        ...


_FREE = Cost()


class Journal(Protocol):
    """What was done for each task, step by step: where another agent goes on after a crash, and what it all cost.

    A step that is recorded is durable. All methods may raise StoreError, Unreachable or TooSlow.
    """

    async def record(self, task_key: str, step: str, text: str, *, person: str, cost: Cost = _FREE) -> bool:
        """Keep a step; False for one that is known, and what was kept stands.

        Args:
            task_key: Whose step it is.
            step: Its name within the task.
            text: What is to be known of it.
            person: On whose account it is kept and paid, as `platform/person_id`; empty for nobody's.
            cost: What it took.
        """
        ...

    async def steps(self, task_key: str) -> Mapping[str, str]:
        """The task's steps by name, in the order in which they were recorded."""
        ...

    async def spent(self, since: datetime) -> Cost:
        """What all steps since then took together."""
        ...

    async def forget(self, task_key: str, *, prefix: str = "") -> None:
        """Delete a task's steps whose names begin with `prefix`."""
        ...


class Approvals(Protocol):
    """Questions to owners before something is done. All methods may raise StoreError, Unreachable or TooSlow."""

    async def ask(self, approval: Approval) -> Approval:
        """Keep a question; of one that is known, what is kept."""
        ...

    async def decide(self, approval_id: str, person_id: str, choice: Choice) -> Approval:
        """Keep an answer; a second one changes nothing.

        Raises:
            NotFound: There is no such question, or its time is over.
            NotAllowed: It was asked somebody else.
        """
        ...

    async def answer(self, approval_id: str, *, wait_s: float = 0.0) -> Choice | None:
        """The answer, or None where there is none within `wait_s`."""
        ...


class Memories(Protocol):
    """What owners want June to know. All methods may raise StoreError, Unreachable or TooSlow."""

    async def remember(self, platform: Platform, person_id: str, text: str, *, key: str) -> Memory:
        """Keep a text; a repeat with the same key keeps no second one."""
        ...

    async def all(self, platform: Platform, person_id: str) -> tuple[Memory, ...]:
        """All that a person told, the oldest first."""
        ...

    async def correct(self, platform: Platform, person_id: str, memory_id: str, text: str) -> bool:
        """Put another text in the place of one; False where there is none of theirs."""
        ...

    async def forget(self, platform: Platform, person_id: str, memory_id: str) -> bool:
        """Delete one; False where there is none of theirs."""
        ...


class Reminders(Protocol):
    """What June is to say at a time. All methods may raise StoreError, Unreachable or TooSlow."""

    async def add(self, reminder: Reminder, *, key: str) -> Reminder:
        """Keep a reminder under a new id; a repeat with the same key keeps no second one, and returns the first."""
        ...

    async def of(self, platform: Platform, person_id: str) -> tuple[Reminder, ...]:
        """A person's reminders that are still to come, the next first."""
        ...

    async def due(self, *, wait_s: float = 0.0) -> tuple[Reminder, ...]:
        """Those whose time has come, the longest waiting first; waits up to `wait_s` for one."""
        ...

    async def settle(self, reminder: Reminder, next_at: datetime | None) -> bool:
        """After it was told: when it comes next, or never (None); False where it was settled or cancelled meanwhile."""
        ...

    async def cancel(self, platform: Platform, person_id: str, reminder_id: str) -> bool:
        """Drop one; False where there is none of theirs."""
        ...


class Store(Protocol):
    """What June keeps, in one database."""

    @property
    def inbox(self) -> Inbox: ...

    @property
    def outbox(self) -> Outbox: ...

    @property
    def conversations(self) -> Conversations: ...

    @property
    def people(self) -> People: ...

    @property
    def messages(self) -> Messages: ...

    @property
    def api_keys(self) -> ApiKeys: ...

    @property
    def identities(self) -> Identities: ...

    @property
    def journal(self) -> Journal: ...

    @property
    def approvals(self) -> Approvals: ...

    @property
    def memories(self) -> Memories: ...

    @property
    def reminders(self) -> Reminders: ...

    async def prune(self) -> int:
        """Delete ended messages and settled parts that are older than the settings say; returns how many.

        Works in small batches, so that nobody waits for it. A key is known for as long as its row is kept.
        """
        ...
