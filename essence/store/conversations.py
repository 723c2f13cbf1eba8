"""What was said, and what people chose, in SQL."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import accumulate, takewhile
from typing import Any
from urllib.parse import unquote

from sqlalchemy import Connection, Row, Select, Table, bindparam, delete, func, literal, or_, select, update

from essence.dialogue import Address, Platform, Preferences, Turn
from essence.ports.rounds import first_of
from essence.store.agent_tables import approvals, memories, reminders, steps
from essence.store.clock import Clock
from essence.store.database import Database
from essence.store.journal import FREE
from essence.store.line import join, lock, settle
from essence.store.records import storable, turn_columns, turn_of
from essence.store.tables import (
    INSERTS,
    Utc,
    chat_of,
    chats,
    identities,
    inbox,
    is_open,
    messages,
    outbox,
    pairings,
    person_of,
    preferences,
)
from essence.store.tables import turns as said

_PAGE = 500
"""Turns that an export reads at a time."""

_ADD = {name: insert(said).on_conflict_do_nothing(index_elements=["key", "number"]) for name, insert in INSERTS.items()}
_ADD_FIRST = {name: add.returning(said.c.id) for name, add in _ADD.items()}
_SIZE = select(func.count().label("turns"), func.sum(said.c.chars).label("chars")).where(
    said.c.chat == bindparam("p_chat")
)

_SAID = (said.c.role, said.c.text, said.c.tool_calls, said.c.tool_call_id, said.c.chars)
_LAST = select(*_SAID).where(said.c.chat == bindparam("p_chat")).order_by(said.c.id.desc()).limit(bindparam("p_most"))

FORGOTTEN = "forgotten"
"""Name of a message's step by which it is known that its conversation was reset before it was answered."""
_UNANSWERED = or_(is_open, inbox.c.outcome.in_(("delegated", "failed", "cancelled")))
"""Of these an answer may still be on its way: an agent's, or that of a worker that doesn't know yet."""
_FORGOTTEN = select(
    inbox.c.key,
    literal(FORGOTTEN),
    literal(""),
    inbox.c.person,
    bindparam("p_at", type_=Utc),
    *(literal(cost) for cost in asdict(FREE).values()),
).where(inbox.c.chat == bindparam("p_chat"), _UNANSWERED)
_FORGET_UNANSWERED = {
    name: insert(steps)
    .from_select(["task", "step", "text", "person", "at", *asdict(FREE)], _FORGOTTEN)
    .on_conflict_do_nothing(index_elements=["task", "step"])
    for name, insert in INSERTS.items()
}
_IS_FORGOTTEN = select(steps.c.id).where(steps.c.task == bindparam("p_message"), steps.c.step == FORGOTTEN)
_SHARE = select(chats.c.chat).where(chats.c.chat == bindparam("p_chat")).with_for_update(read=True)
"""A reset waits for what is added now, and deletes it; what waits for a reset sees its marks."""
_PREFERENCES = select(preferences).where(preferences.c.person == bindparam("p_person"))


def _newest_over() -> Select[int]:
    """The newest turn that is over a limit, with all that are older; the newest of all is never over."""
    newest_first = said.c.id.desc()
    sizes = select(
        said.c.id,
        func.row_number().over(order_by=newest_first).label("count"),
        func.sum(said.c.chars).over(order_by=newest_first).label("chars"),
    ).where(said.c.chat == bindparam("p_chat"))
    held = sizes.subquery()
    too_many = or_(held.c.count > bindparam("p_turns"), held.c.chars > bindparam("p_chars"))
    return select(func.max(held.c.id)).where(too_many, held.c.count > 1)


_NEWEST_OVER = _newest_over()


class DurableConversations:
    """See `essence.ports.Conversations`."""

    def __init__(self, database: Database, clock: Clock, *, max_turns: int, max_chars: int) -> None:
        self._database = database
        self._clock = clock
        self._max_turns = max_turns
        self._max_chars = max_chars

    async def append(self, address: Address, turns: Sequence[Turn], *, key: str, person_id: str) -> bool:
        chat = chat_of(address)
        shared = {"chat": chat, "key": key, "person": person_of(address.platform, person_id), "at": self._clock.now()}
        rows = [shared | turn_columns(turn) | {"number": number} for number, turn in enumerate(turns)]

        def add(connection: Connection) -> bool:
            connection.scalar(_SHARE, {"p_chat": chat})
            if connection.scalar(_IS_FORGOTTEN, {"p_message": first_of(key.rpartition(":")[0])}) is not None:
                return False
            if connection.execute(_ADD_FIRST[connection.dialect.name], rows[0]).first() is None:
                return False
            if rows[1:]:
                connection.execute(_ADD[connection.dialect.name], rows[1:])
            self._shorten(connection, chat)
            return True

        # A turn that a power cut undid is added again with its message, whose end does not last without the turn.
        return bool(rows) and await self._database.run(add, lasting=False)

    def _shorten(self, connection: Connection, chat: str) -> None:
        """Delete the oldest turns of a history that is over a limit, and some more, so that it is rarely to be done."""
        size = connection.execute(_SIZE, {"p_chat": chat}).one()
        if size.turns <= self._max_turns and size.chars <= self._max_chars:
            return
        limits = {"p_turns": _most(self._max_turns), "p_chars": _most(self._max_chars)}
        newest_over = connection.scalar(_NEWEST_OVER, limits | {"p_chat": chat})
        if newest_over is not None:
            connection.execute(delete(said).where(said.c.chat == chat, said.c.id <= newest_over))

    async def said(self, key: str) -> tuple[Turn, ...]:
        query = select(said).where(said.c.key == key).order_by(said.c.number)
        rows = await self._database.run(lambda connection: connection.execute(query).all())
        return tuple(turn_of(row) for row in rows)

    async def read(self, address: Address, *, turns: int, chars: int) -> tuple[Turn, ...]:
        return await self._database.run(lambda connection: _last(connection, chat_of(address), turns, chars))

    async def reset(self, address: Address) -> int:
        chat, at = chat_of(address), self._clock.now()

        def forget(connection: Connection) -> int:
            lock(connection, address, at)
            connection.execute(_FORGET_UNANSWERED[connection.dialect.name], {"p_chat": chat, "p_at": at})
            return connection.execute(delete(said).where(said.c.chat == chat)).rowcount

        return await self._database.run(forget)

    async def export(self, address: Address) -> AsyncIterator[str]:
        after = 0
        while rows := await self._page(chat_of(address), after):
            for row in rows:
                person_id = unquote(row.person.partition("/")[2])
                line = {"at": row.at.isoformat(), "role": row.role, "text": row.text, "person_id": person_id}
                yield json.dumps(line, ensure_ascii=False)
            after = rows[-1].id

    async def _page(self, chat: str, after: int) -> Sequence[Row[Any]]:
        query = select(said).where(said.c.chat == chat, said.c.id > after).order_by(said.c.id).limit(_PAGE)
        return await self._database.run(lambda connection: connection.execute(query).all())

    async def move(self, old: Address, new: Address) -> None:
        at = self._clock.now()
        await self._database.run(lambda connection: _move(connection, old, new, at))

    async def forget(self, platform: Platform, person_id: str) -> int:
        at = self._clock.now()
        return await self._database.run(lambda connection: _forget(connection, person_of(platform, person_id), at))

    async def preferences(self, platform: Platform, person_id: str) -> Preferences:
        who = {"p_person": person_of(platform, person_id)}
        row = await self._database.run(lambda connection: connection.execute(_PREFERENCES, who).first())
        return Preferences() if row is None else Preferences(row.language, row.voice, row.answer)

    async def prefer(self, platform: Platform, person_id: str, chosen: Preferences) -> None:
        voice = None if chosen.voice is None else storable(chosen.voice)
        values = {"language": chosen.language, "voice": voice, "answer": chosen.answer}
        row = values | {"person": person_of(platform, person_id)}

        def keep(connection: Connection) -> None:
            insert = INSERTS[connection.dialect.name](preferences)
            connection.execute(insert.on_conflict_do_update(index_elements=["person"], set_=values), row)

        await self._database.run(keep)


def _most(limit: int) -> int:
    """What is left of a history that was over a limit: nine tenths."""
    return limit - limit // 10


def _last(connection: Connection, chat: str, most: int, chars: int) -> tuple[Turn, ...]:
    rows = connection.execute(_LAST, {"p_chat": chat, "p_most": most}).all()
    totals = accumulate(row.chars for row in rows)
    fitting = sum(1 for _ in takewhile(lambda total: total <= chars, totals))
    return tuple(turn_of(row) for row in reversed(rows[:fitting]))


def _move(connection: Connection, old: Address, new: Address, at: datetime) -> None:
    here, there = chat_of(old), chat_of(new)
    if not any(connection.scalar(_is_kept(table, here)) for table in (chats, said, reminders, approvals)):
        return  # nobody there has spoken to June, and nothing is kept of those who haven't
    join(connection, there, new.platform, at, opens=0)
    record = connection.scalar(select(chats.c.record).where(chats.c.chat == here))
    if record:
        connection.execute(update(chats).where(chats.c.chat == there, chats.c.record == "").values(record=record))
        connection.execute(update(chats).where(chats.c.chat == here).values(record=""))
    became_task = (inbox.c.chat == here, inbox.c.outcome == "delegated")
    connection.execute(update(inbox).where(*became_task).values(chat=there))
    for table in (said, reminders, approvals):
        connection.execute(update(table).where(table.c.chat == here).values(chat=there))


def _is_kept(table: Table, chat: str) -> Select[tuple[bool]]:
    return select(select(table.c.chat).where(table.c.chat == chat).exists())


def _forget(connection: Connection, person: str, at: datetime) -> int:
    theirs = select(inbox.c.key).where(inbox.c.person == person)
    for key in connection.scalars(theirs.where(is_open)).all():
        settle(connection, key, "cancelled", "", at)
    theirs_here = select(inbox.c.chat).where(inbox.c.person == person)
    connection.execute(update(chats).where(chats.c.chat.in_(theirs_here)).values(record=""))
    deletions = (
        delete(outbox).where(outbox.c.cause.in_(theirs)),
        delete(inbox).where(inbox.c.person == person),
        delete(said).where(said.c.person == person),
        delete(preferences).where(preferences.c.person == person),
        delete(pairings).where(pairings.c.person == person),
        delete(messages).where(messages.c.person == person),
        delete(identities).where(identities.c.person == person),
        *(delete(table).where(table.c.person == person) for table in (steps, approvals, memories, reminders)),
    )
    return sum(connection.execute(deletion).rowcount for deletion in deletions)
