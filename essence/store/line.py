"""Conversations and the line in which they are served, in SQL.

A conversation is a row of `chats`, which holds the lease: at most one of its messages is worked on at a time. Every
transaction that changes what is open in a conversation locks that row first, so they can't meet in a deadlock and
none reads what another is about to change. Conversations with open messages stand in a line, ordered by `turn`; one
goes to its end when it gets its first open message, when it is served and when its message has ended. So a message
waits for one message of each other conversation, however many those hold.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, Double, Text, bindparam, case, func, literal_column, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from essence.dialogue import Address, Claim, Outcome
from essence.errors import Conflict
from essence.store.clock import LeaseClock
from essence.store.tables import INSERTS, Utc, chat_of, chats, inbox, is_open

_line = chats.alias("line")
_in_line = _line.c.open > literal_column("0")
_LAST = select(func.coalesce(func.max(_line.c.turn), 0) + 1).where(_in_line).scalar_subquery()
"""The turn behind all others."""
_NOBODY = {"worker": None, "granted_s": None, "until_s": None}
_KEEP = {
    name: insert(inbox).on_conflict_do_nothing(index_elements=["key"]).returning(inbox.c.id)
    for name, insert in INSERTS.items()
}


def _join(insert: Any) -> Any:
    """Add open messages to a conversation, none too, and the conversation to the line."""
    joining = insert(chats).values(fence=0, turn=_LAST)
    again = {
        "open": chats.c.open + joining.excluded.open,
        "turn": case((chats.c.open == 0, _LAST), else_=chats.c.turn),
        "touched_at": joining.excluded.touched_at,
    }
    return joining.on_conflict_do_update(index_elements=["chat"], set_=again).returning(chats.c.open)


_JOIN = {name: _join(insert) for name, insert in INSERTS.items()}
_head = inbox.alias("head")
_HEAD = (
    select(_head.c.id)
    .where(_head.c.chat == bindparam("p_chat"), _head.c.outcome.is_(None))
    .order_by(_head.c.sent_at, _head.c.id)
    .limit(1)
)
TAKE_HEAD = (
    update(inbox)
    .where(inbox.c.id == _HEAD.scalar_subquery())
    .values(attempts=inbox.c.attempts + 1, fence=bindparam("p_fence", type_=BigInteger))
    .returning(inbox.c.message, inbox.c.attempts, inbox.c.deadline_at, inbox.c.received_at)
)
"""Begin with the first open message of a conversation."""
_HELD = (
    chats.c.chat == bindparam("p_chat"),
    chats.c.fence == bindparam("p_fence", type_=BigInteger),
    chats.c.worker.is_not(None),
)
HOLD = select(chats.c.chat).where(*_HELD).with_for_update(read=True)
RELEASE = update(chats).where(*_HELD).values(**_NOBODY, fence=chats.c.fence + 1)
RELEASE_ALL = update(chats).where(chats.c.worker == bindparam("p_worker")).values(**_NOBODY, fence=chats.c.fence + 1)
LEAVE = (
    update(chats)
    .where(*_HELD)
    .values(
        **_NOBODY,
        open=chats.c.open - 1,
        turn=_LAST,
        fence=chats.c.fence + 1,
        touched_at=bindparam("p_at", type_=Utc),
        record=func.coalesce(bindparam("p_record", type_=Text), chats.c.record),
    )
    .returning(chats.c.open)
)
"""Take one message from a conversation, and the lease with it; what remains is served after all others."""
TOUCH = (
    update(chats)
    .where(chats.c.chat == bindparam("p_chat"))
    .values(touched_at=bindparam("p_at", type_=Utc))
    .returning(chats.c.fence)
)
"""Lock a conversation and keep it from being pruned before its messages are."""
LOSE = update(chats).where(chats.c.chat == bindparam("p_chat")).values(open=chats.c.open - bindparam("p_count"))
"""Take messages from a conversation that nobody has begun with."""
_DROP = (
    update(chats)
    .where(chats.c.chat == bindparam("p_chat"))
    .values(**_NOBODY, open=chats.c.open - 1, fence=chats.c.fence + 1)
)
"""Take the message from a conversation that somebody holds, whoever it is."""
END = (
    update(inbox)
    .where(inbox.c.key == bindparam("p_key"), is_open)
    .values(
        outcome=bindparam("p_outcome"),
        reason=bindparam("p_reason"),
        ended_at=bindparam("p_at", type_=Utc),
        told_at=None,
    )
    .returning(inbox.c.chat, inbox.c.fence)
)
_CHAT_OF_KEY = select(inbox.c.chat).where(inbox.c.key == bindparam("p_key"))


def serve_next(lease: LeaseClock, *, one_platform: bool) -> ReturningUpdate[Any]:
    """Give a worker the first conversation of the line that nobody holds, and put it at the end of the line."""
    free = _line.c.worker.is_(None) | lease.over(_line.c.granted_s, _line.c.until_s)
    first = select(_line.c.chat).where(_in_line, free).order_by(_line.c.turn).limit(1)
    if one_platform:
        first = first.where(_line.c.platform == bindparam("p_platform"))
    return (
        update(chats)
        # SKIP LOCKED: workers on several connections take different conversations instead of waiting for one another.
        .where(chats.c.chat == first.with_for_update(skip_locked=True).scalar_subquery())
        .values(
            worker=bindparam("p_worker"),
            granted_s=lease.now_s,
            until_s=lease.now_s + bindparam("p_lease_s", type_=Double),
            fence=chats.c.fence + 1,
            turn=_LAST,
        )
        .returning(chats.c.chat, chats.c.fence, chats.c.record)
    )


def extension(lease: LeaseClock) -> Any:
    """Hold a conversation for longer."""
    until_s = lease.now_s + bindparam("p_lease_s", type_=Double)
    return update(chats).where(*_HELD).values(granted_s=lease.now_s, until_s=until_s)


def keep(connection: Connection, row: dict[str, object], *, opens: int) -> int | None:
    """Insert a message that opens (1) or has ended (0); returns how many its conversation has open, None if known."""
    if connection.execute(_KEEP[connection.dialect.name], row).first() is None:
        return None
    return join(connection, str(row["chat"]), str(row["platform"]), row["received_at"], opens=opens)


def join(connection: Connection, chat: str, platform: str, at: object, *, opens: int) -> int:
    """Lock a conversation and add open messages to it; returns how many it has then."""
    values = {"chat": chat, "platform": platform, "touched_at": at, "open": opens}
    return int(connection.execute(_JOIN[connection.dialect.name], values).scalar_one())


def held(claim: Claim) -> dict[str, object]:
    """What the statements above need to know of a claim."""
    return {"p_chat": chat_of(claim.message.address), "p_fence": claim.fence}


def hold(connection: Connection, claim: Claim) -> None:
    """Make sure that a claim holds until this transaction ends.

    Raises:
        Conflict: It was lost.
    """
    if connection.execute(HOLD, held(claim)).first() is None:
        raise lost(claim)


def settle(connection: Connection, key: str, outcome: Outcome, reason: str, at: datetime) -> str | None:
    """End a message whoever holds it; returns its conversation, None if it has ended or is unknown."""
    chat: str | None = connection.scalar(_CHAT_OF_KEY, {"p_key": key})
    if chat is None:
        return None
    # The conversation first: every transaction locks it before its messages.
    fence = connection.scalar(TOUCH, {"p_chat": chat, "p_at": at})
    ended = connection.execute(END, {"p_key": key, "p_outcome": outcome, "p_reason": reason, "p_at": at}).first()
    if ended is None:
        return None
    if ended.fence == fence:
        connection.execute(_DROP, {"p_chat": chat})
    else:
        connection.execute(LOSE, {"p_chat": chat, "p_count": 1})
    return chat


def lost(claim: Claim) -> Conflict:
    """What a worker is told whose claim no longer holds."""
    return Conflict(f"{claim.worker_id} no longer holds {claim.message.key}: it ended, or another worker has it.")


def lock(connection: Connection, address: Address, at: datetime) -> None:
    """Keep others from changing what is open in a conversation until this transaction ends."""
    connection.scalar(TOUCH, {"p_chat": chat_of(address), "p_at": at})
