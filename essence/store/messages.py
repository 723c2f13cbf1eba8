"""What services have June tell people, in SQL: accepted, handed over to its platform, changed.

A row that is due has something left to do: its first text, or a newer revision, is to be handed over. The first row
of a conversation that is due goes first, and the others wait for it. The pause before another try is a lease that
nobody holds, so that it ends however somebody sets the clock (`essence.store.clock`).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Double, Row, Select, Update, bindparam, func, select, true, update
from sqlalchemy.sql.dml import ReturningUpdate

from essence.dialogue import Button, Platform, Receipt
from essence.errors import Conflict, InvalidInput, NotFound
from essence.outgoing import TEXT_MAX_CHARS, Draft, Errand, Filter, Posted
from essence.store.bell import Bell
from essence.store.clock import Clock, LeaseClock
from essence.store.database import Database
from essence.store.records import storable
from essence.store.tables import INSERTS, address_of, chat_of, identity_at, is_due, messages, person_of

CHANGES_KEPT = 100
"""How many of a message's newest changes are known by their keys."""

_FREE = {"worker": None, "granted_s": None, "until_s": None}
_BY_ID = select(messages).where(messages.c.message_id == bindparam("p_message_id"))
_BY_KEY = select(messages).where(
    messages.c.author == bindparam("p_author"), messages.c.idempotency_key == bindparam("p_key")
)
_HELD = (
    messages.c.message_id == bindparam("p_message_id"),
    messages.c.fence == bindparam("p_fence"),
    messages.c.worker.is_not(None),
)


class DurableMessages:
    """See `essence.ports.Messages`."""

    def __init__(self, database: Database, clock: Clock, *, due: Bell, ended: Bell) -> None:
        """`due` is rung for what is to be handed over, `ended` for what is no longer queued."""
        self._database, self._clock, self._due, self._ended = database, clock, due, ended
        self._lease = database.lease_clock
        self._claim = _claim(database.lease_clock)
        self._pause = _pause(database.lease_clock)

    async def post(self, draft: Draft, *, author: str, fingerprint: str = "", key: str | None = None) -> Posted:
        now = self._clock.now()
        row = _columns(draft) | {
            "message_id": secrets.token_hex(16),
            "author": author,
            "idempotency_key": key,
            "fingerprint": fingerprint,
            "created_at": now,
            "updated_at": now,
        }

        def keep(connection: Connection) -> Posted:
            insert = INSERTS[connection.dialect.name](messages).on_conflict_do_nothing().returning(messages)
            kept = connection.execute(insert, row).first()
            if kept is None:
                kept = connection.execute(_BY_KEY, {"p_author": author, "p_key": key}).one()
            return _same(kept, fingerprint)

        posted = await self._database.run(keep)
        self._due.ring(draft.to.platform)
        return posted

    async def repeated(self, *, author: str, fingerprint: str, key: str) -> Posted | None:
        values = {"p_author": author, "p_key": key}
        row = await self._database.run(lambda connection: connection.execute(_BY_KEY, values).first())
        return None if row is None else _same(row, fingerprint)

    async def revise(
        self, message_id: str, text: str, *, append: bool = False, fingerprint: str = "", key: str | None = None
    ) -> Posted:
        now = self._clock.now()

        def change(connection: Connection) -> Posted:
            row = _found(connection.execute(_BY_ID.with_for_update(), {"p_message_id": message_id}).first(), message_id)
            changes = json.loads(row.changes)
            if key is not None and key in changes:
                _must_match(changes[key], fingerprint)
                return _posted(row)
            if not append and text == row.text and row.state != "failed":
                return _posted(row)
            revised = _revised(row, text, append=append) | {"changes": _noted(changes, key, fingerprint)}
            revision = update(messages).where(messages.c.id == row.id).values(**revised, due=True, updated_at=now)
            return _posted(connection.execute(revision.returning(messages)).one())

        posted = await self._database.run(change)
        self._due.ring(posted.draft.to.platform)
        return posted

    async def read(self, message_id: str) -> Posted:
        query = {"p_message_id": message_id}
        row = await self._database.run(lambda connection: connection.execute(_BY_ID, query).first())
        return _posted(_found(row, message_id))

    async def outcome(self, message_id: str, *, wait_s: float) -> Posted:
        async def ended() -> Posted | None:
            posted = await self.read(message_id)
            return None if posted.state == "queued" else posted

        return await self._ended.first(ended, wait_s=wait_s, platform=None) or await self.read(message_id)

    async def list(self, which: Filter, *, limit: int, before: int | None = None) -> tuple[Posted, ...]:
        query = _matching(which).order_by(messages.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(messages.c.id < before)
        rows = await self._database.run(lambda connection: connection.execute(query).all())
        return tuple(_posted(row) for row in rows)

    async def claim(self, platform: Platform, worker_id: str, *, lease_s: float, wait_s: float = 0.0) -> Errand | None:
        def take(connection: Connection) -> Errand | None:
            values = {"p_platform": platform, "p_worker": worker_id, "p_lease_s": lease_s}
            row = connection.execute(self._claim, values | self._lease.read()).first()
            return None if row is None else _errand(row)

        return await self._due.first(lambda: self._database.run(take), wait_s=wait_s, platform=platform)

    async def delivered(
        self, errand: Errand, revision: int, receipts: Sequence[Receipt], *, code: str = "", why: str = ""
    ) -> None:
        def keep(connection: Connection) -> None:
            done = _held(connection, errand).revision == revision
            values = {
                "delivered_revision": revision,
                "receipts": json.dumps([_receipt_fields(receipt) for receipt in receipts]),
                "state": "sent" if done else "queued",
                "due": not done,
                "tries": 0,
            }
            self._settle(connection, errand, values | {"code": code, "why": storable(why)})

        await self._database.run(keep)
        self._tell(errand)

    async def failed(self, errand: Errand, code: str, why: str, *, retry_s: float | None) -> None:
        def keep(connection: Connection) -> None:
            changed = _held(connection, errand).revision != errand.message.revision
            # A newer revision may do where this one could not; the opening is never another.
            due = retry_s is not None or (changed and errand.message.delivered_revision > 0)
            values: dict[str, object] = {"state": "queued" if due else "failed", "due": due}
            self._settle(connection, errand, values | {"code": code, "why": storable(why)})
            if retry_s is not None:
                pause = {"p_id": errand.message.position, "p_pause_s": retry_s}
                connection.execute(self._pause, pause | self._lease.read())

        await self._database.run(keep)
        self._tell(errand)

    def _settle(self, connection: Connection, errand: Errand, values: dict[str, object]) -> None:
        settled = update(messages).where(messages.c.id == errand.message.position)
        connection.execute(settled.values(**values, **_FREE, updated_at=self._clock.now()))

    def _tell(self, errand: Errand) -> None:
        self._ended.ring_all()
        self._due.ring(errand.message.draft.to.platform)  # the next of its conversation may go

    async def release_all(self, worker_id: str) -> int:
        release = update(messages).where(messages.c.worker == worker_id).values(_FREE)
        return await self._database.run(lambda connection: connection.execute(release).rowcount)


def _columns(draft: Draft) -> dict[str, object]:
    person = person_of(draft.to.platform, draft.person_id) if draft.person_id else None
    return {
        "platform": draft.to.platform,
        "chat": chat_of(draft.to),
        "chat_id": draft.to.chat_id,
        "person": person,
        "type": draft.message_type,
        "text": storable(draft.text),
        "voice": draft.voice,
        "language": draft.language,
        "reply_to_id": draft.reply_to_id,
        "buttons": json.dumps([asdict(button) for button in draft.buttons]),
        "state": "queued",
        "revision": 1,
        "changes": "{}",
        "delivered_revision": 0,
        "receipts": "[]",
        "due": True,
        "code": "",
        "why": "",
        "tries": 0,
        "fence": 0,
    }


def _posted(row: Row[Any]) -> Posted:
    draft = Draft(
        to=address_of(row.chat),
        text=row.text,
        person_id="" if row.person is None else identity_at(row.person).person_id,
        message_type=row.type,
        voice=row.voice,
        language=row.language,
        reply_to_id=row.reply_to_id,
        buttons=tuple(Button(**button) for button in json.loads(row.buttons)),
    )
    return Posted(
        message_id=row.message_id,
        draft=draft,
        author=row.author,
        position=row.id,
        created_at=row.created_at,
        updated_at=row.updated_at,
        idempotency_key=row.idempotency_key,
        state=row.state,
        revision=row.revision,
        delivered_revision=row.delivered_revision,
        receipts=tuple(_receipt_of(fields) for fields in json.loads(row.receipts)),
        code=row.code,
        why=row.why,
    )


def _receipt_fields(receipt: Receipt) -> dict[str, object]:
    return asdict(receipt) | {"sent_at": receipt.sent_at.isoformat()}


def _receipt_of(fields: dict[str, Any]) -> Receipt:
    return Receipt(**(fields | {"sent_at": datetime.fromisoformat(fields["sent_at"])}))


def _errand(row: Row[Any]) -> Errand:
    return Errand(_posted(row), row.opening, row.opening_revision, row.worker, row.fence, row.tries)


def _found(row: Row[Any] | None, message_id: str) -> Row[Any]:
    if row is None:
        raise NotFound(f"There is no message {message_id}.")
    return row


def _same(row: Row[Any], fingerprint: str) -> Posted:
    _must_match(row.fingerprint, fingerprint)
    return _posted(row)


def _must_match(kept: str, fingerprint: str) -> None:
    if kept != fingerprint:
        raise InvalidInput("This Idempotency-Key was used for another request. Make up a new one for each request.")


def _revised(row: Row[Any], text: str, *, append: bool) -> dict[str, object]:
    if row.state == "failed" and not row.delivered_revision:
        raise Conflict("This message failed before anybody saw it. Post a new one.")
    whole = storable(f"{row.text}{text}" if append else text)
    if len(whole) > TEXT_MAX_CHARS:
        raise InvalidInput(f"The text would have {len(whole)} characters, and {TEXT_MAX_CHARS} are allowed.")
    return {"text": whole, "revision": row.revision + 1, "state": "queued", "tries": 0, "code": "", "why": ""}


def _noted(changes: dict[str, str], key: str | None, fingerprint: str) -> str:
    known = changes if key is None else changes | {key: fingerprint}
    return json.dumps(dict(list(known.items())[-CHANGES_KEPT:]))


def _matching(which: Filter) -> Select[Any]:
    return select(messages).where(*_conditions(which))


def _conditions(which: Filter) -> Iterator[ColumnElement[bool]]:
    equal = {
        "author": which.author,
        "platform": which.platform,
        "chat_id": which.chat_id,
        "type": which.message_type,
        "state": which.state,
        "idempotency_key": which.idempotency_key,
    }
    yield from (messages.c[name] == value for name, value in equal.items() if value is not None)
    if which.person_id is not None:
        platforms: tuple[Platform, ...] = ("telegram", "discord", "grpc")
        yield messages.c.person.in_([person_of(platform, which.person_id) for platform in platforms])
    if which.since is not None:
        yield messages.c.created_at >= which.since
    if which.until is not None:
        yield messages.c.created_at < which.until


def _claim(lease: LeaseClock) -> ReturningUpdate[Any]:
    one, earlier = messages.alias("one"), messages.alias("earlier")
    behind = (
        select(earlier.c.id)
        .where(earlier.c.chat == one.c.chat, earlier.c.due.is_(true()), earlier.c.id < one.c.id)
        .exists()
    )
    first = (
        select(one.c.id)
        .where(one.c.platform == bindparam("p_platform"), one.c.due.is_(true()), ~behind)
        .where(one.c.granted_s.is_(None) | lease.over(one.c.granted_s, one.c.until_s))
        .order_by(one.c.id)
        .limit(1)
        # Workers on several connections take different messages instead of waiting for one another.
        .with_for_update(skip_locked=True)
    )
    return (
        update(messages)
        .where(messages.c.id == first.scalar_subquery(), is_due)
        .values(
            opening=func.coalesce(messages.c.opening, messages.c.text),
            opening_revision=func.coalesce(messages.c.opening_revision, messages.c.revision),
            tries=messages.c.tries + 1,
            fence=messages.c.fence + 1,
            worker=bindparam("p_worker"),
            granted_s=lease.now_s,
            until_s=lease.now_s + bindparam("p_lease_s", type_=Double),
        )
        .returning(messages)
    )


def _pause(lease: LeaseClock) -> Update:
    until_s = lease.now_s + bindparam("p_pause_s", type_=Double)
    return update(messages).where(messages.c.id == bindparam("p_id")).values(granted_s=lease.now_s, until_s=until_s)


def _held(connection: Connection, errand: Errand) -> Row[Any]:
    """The row of an errand, locked until the transaction ends.

    Raises:
        Conflict: It was lost.
    """
    query = select(messages.c.revision).where(*_HELD).with_for_update()
    row = connection.execute(query, {"p_message_id": errand.message.message_id, "p_fence": errand.fence}).first()
    if row is None:
        raise Conflict(f"{errand.worker_id} no longer holds message {errand.message.message_id}.")
    return row
