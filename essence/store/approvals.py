"""Questions to owners, in SQL."""

from __future__ import annotations

from sqlalchemy import Connection, literal, select, update

from essence.errors import NotAllowed, NotFound
from essence.store.agent_tables import approvals
from essence.store.bell import Bell
from essence.store.clock import Clock
from essence.store.database import Database
from essence.store.records import storable
from essence.store.tables import INSERTS, address_of, chat_of, person_at, person_of
from essence.work import Approval, Choice


class DurableApprovals:
    """See `essence.ports.Approvals`."""

    def __init__(self, database: Database, clock: Clock, bell: Bell) -> None:
        self._database = database
        self._clock = clock
        self._bell = bell

    async def ask(self, approval: Approval) -> Approval:
        row = {
            "approval_id": approval.approval_id,
            "chat": chat_of(approval.address),
            "person": person_of(approval.address.platform, approval.person_id),
            "text": storable(approval.text),
            "expires_at": approval.expires_at,
        }

        def keep(connection: Connection) -> Approval:
            connection.execute(INSERTS[connection.dialect.name](approvals).on_conflict_do_nothing(), row)
            kept = _read(connection, approval.approval_id)
            assert kept is not None
            return kept

        return await self._database.run(keep)

    async def decide(self, approval_id: str, person_id: str, choice: Choice) -> Approval:
        unanswered = approvals.c.approval_id == literal(approval_id), approvals.c.choice.is_(None)

        def keep(connection: Connection) -> Approval:
            asked = _read(connection, approval_id)
            if asked is None or (asked.choice is None and self._clock.now() >= asked.expires_at):
                raise NotFound("It is too late to decide that. Ask me again if you still want it.")
            if person_id != asked.person_id:
                raise NotAllowed("Only the person whom I asked can decide that.")
            connection.execute(update(approvals).where(*unanswered).values(choice=choice))
            decided = _read(connection, approval_id)
            assert decided is not None
            return decided

        decided = await self._database.run(keep)
        self._bell.ring_all()
        return decided

    async def answer(self, approval_id: str, *, wait_s: float = 0.0) -> Choice | None:
        async def look() -> Choice | None:
            kept = await self._database.run(lambda connection: _read(connection, approval_id))
            return None if kept is None else kept.choice

        return await self._bell.first(look, wait_s=wait_s, platform=None)


def _read(connection: Connection, approval_id: str) -> Approval | None:
    row = connection.execute(select(approvals).where(approvals.c.approval_id == literal(approval_id))).first()
    if row is None:
        return None
    _, person_id = person_at(row.person)
    return Approval(row.approval_id, address_of(row.chat), person_id, row.text, row.expires_at, row.choice)
