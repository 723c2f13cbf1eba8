"""What waits to be told to the bot: kept until it is confirmed, by offset (long polling) or by 2xx (webhook)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from essence.fakes.telegram.wire import Json, Refused

_KINDS_NAMES = (
    "message edited_message channel_post edited_channel_post business_connection business_message "
    "edited_business_message deleted_business_messages guest_message message_reaction message_reaction_count "
    "inline_query chosen_inline_result callback_query shipping_query pre_checkout_query purchased_paid_media poll "
    "poll_answer my_chat_member chat_member chat_join_request chat_boost removed_chat_boost managed_bot"
)
KINDS = frozenset(_KINDS_NAMES.split())
ON_REQUEST = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
"""Kinds that a bot gets only where `allowed_updates` names them (Bot API, getUpdates)."""
MAX_BATCH = 100
CONFLICT_POLL = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
CONFLICT_WEBHOOK_SET = "Conflict: terminated by setWebhook request"


@dataclass(slots=True, eq=False)
class Pending:
    """An update that the bot has not confirmed."""

    update_id: int
    kind: str
    body: Json
    lane: int
    """The chat it comes from: Telegram keeps the order within it."""
    repeats: int = 0
    """How often it is told again although it was confirmed."""

    def json(self) -> Json:
        """The Update of the Bot API."""
        return {"update_id": self.update_id, self.kind: self.body}


@dataclass(slots=True)
class Updates:
    """The queue; one long poll at a time waits at its end."""

    allowed: frozenset[str] = KINDS - ON_REQUEST
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set whenever an update was added; the webhook clears it."""
    _pending: list[Pending] = field(default_factory=list)
    _last_id: int = 870_000_000
    _poll: asyncio.Future[None] | None = None
    _held: list[Pending] | None = None
    _repeats: int = 0

    def __len__(self) -> int:
        return len(self._pending)

    def allow(self, kinds: list[object] | None) -> None:
        """Take `allowed_updates`: None keeps the setting, an empty list means the default."""
        if kinds is not None:
            self.allowed = KINDS & {str(kind) for kind in kinds} or KINDS - ON_REQUEST

    def add(self, kind: str, body: Json, lane: int) -> None:
        """Queue an update, unless the bot doesn't want its kind."""
        if kind not in self.allowed:
            return
        self._last_id += 1
        update = Pending(self._last_id, kind, body, lane, self._repeats)
        self._repeats = 0
        if self._held is not None:
            self._held.append(update)
        else:
            self._put([update])

    def repeat_next(self, times: int) -> None:
        """Tell the next update again, so many times, after it was confirmed."""
        self._repeats = times

    @contextlib.contextmanager
    def reversed(self) -> Iterator[None]:
        """What is added meanwhile is told at the end of the block, the last first."""
        self._held = []
        try:
            yield
        finally:
            held, self._held = self._held, None
            self._put(held[::-1])

    def _put(self, updates: list[Pending]) -> None:
        self._pending += updates
        self.changed.set()
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(None)

    def forget(self) -> None:
        """Drop all that waits."""
        self._pending.clear()

    def confirm(self, updates: list[Pending]) -> None:
        """The bot has taken these; one that is to be repeated stays."""
        for update in updates:
            if update.repeats:
                update.repeats -= 1
            elif update in self._pending:  # it may have been dropped meanwhile
                self._pending.remove(update)

    def waiting(self) -> list[Pending]:
        """All that is not confirmed, in the order of telling."""
        return list(self._pending)

    async def poll(self, offset: int, timeout_s: float, limit: int) -> list[Json]:
        """What is not confirmed from the offset on; waits for the first. Ends an earlier poll with 409."""
        self.interrupt(CONFLICT_POLL)
        self._confirm_to(offset)
        if not self._pending and timeout_s > 0:
            await self._wait(timeout_s)
        return [update.json() for update in self._pending[: min(max(limit, 1), MAX_BATCH)]]

    def _confirm_to(self, offset: int) -> None:
        if offset < 0:
            del self._pending[:offset]
        elif offset:
            self.confirm([update for update in self._pending if update.update_id < offset])

    async def _wait(self, timeout_s: float) -> None:
        mine = self._poll = asyncio.get_running_loop().create_future()
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(mine, timeout_s)
        finally:
            if self._poll is mine:
                self._poll = None

    def interrupt(self, why: str) -> None:
        """End the poll that waits, if one does, with 409."""
        if self._poll is not None and not self._poll.done():
            self._poll.set_exception(Refused(409, why))
        self._poll = None
