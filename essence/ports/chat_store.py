"""What chats keep: messages, answers, what was said, who may talk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from essence.dialogue import (
    Address,
    Backlog,
    Claim,
    Message,
    Outcome,
    Pairing,
    Part,
    Person,
    Platform,
    Preferences,
    Receipt,
    Reply,
    Turn,
    Unsent,
)


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
        """Park the open messages that were sent before this time, where nobody has begun with them or unparked them."""
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
        """Let an edited message replace the one with its key, open or parked; False if that was claimed or ended."""
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
        """Add turns at the end. Nothing is added and False returned for a known key, and where the conversation was
        reset after the message of the key came.

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
        """Forget the history; returns how many turns it had.

        What is being answered goes on; of messages that came before, nothing is added any more.
        """
        ...

    def export(self, address: Address) -> AsyncIterator[str]:
        """Yield the history as JSON lines, oldest first: `at`, `role`, `text`, `person_id`."""
        ...

    async def move(self, old: Address, new: Address) -> None:
        """Let a conversation go on elsewhere: its history, record and tasks, and what is to be said there some day.

        Messages that have not ended stay where they are, and so do parts of answers. Done twice, it changes nothing.
        """
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
