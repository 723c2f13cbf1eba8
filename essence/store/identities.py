"""Who is the same human being on several platforms, in SQL."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from sqlalchemy import Connection, delete, select, update

from essence.dialogue import Address
from essence.outgoing import Identity
from essence.store.database import Database
from essence.store.tables import INSERTS, address_of, identities, identity_at, inbox, is_private, person_of


class DurableIdentities:
    """See `essence.ports.Identities`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def link(self, one: Identity, other: Identity) -> tuple[Identity, ...]:
        def join(connection: Connection) -> tuple[Identity, ...]:
            people = [_person(one), _person(other)]
            known = select(identities.c.human).where(identities.c.person.in_(people)).with_for_update()
            human, *others = [*connection.scalars(known).all(), secrets.token_hex(8)]
            connection.execute(update(identities).where(identities.c.human.in_(others)).values(human=human))
            insert = INSERTS[connection.dialect.name](identities).on_conflict_do_nothing()
            connection.execute(insert, [{"person": person, "human": human} for person in people])
            return _linked(connection, one)

        return await self._database.run(join)

    async def unlink(self, one: Identity) -> bool:
        removal = delete(identities).where(identities.c.person == _person(one))
        return await self._database.run(lambda connection: connection.execute(removal).rowcount == 1)

    async def linked(self, one: Identity) -> tuple[Identity, ...]:
        return await self._database.run(lambda connection: _linked(connection, one))

    async def last_wrote(self, people: Sequence[Identity]) -> tuple[Identity, Address] | None:
        query = (
            select(inbox.c.person, inbox.c.chat)
            .where(inbox.c.person.in_([_person(one) for one in people]), is_private)
            .order_by(inbox.c.sent_at.desc(), inbox.c.id.desc())
            .limit(1)
        )
        row = await self._database.run(lambda connection: connection.execute(query).first())
        return None if row is None else (identity_at(row.person), address_of(row.chat))


def _linked(connection: Connection, one: Identity) -> tuple[Identity, ...]:
    human = select(identities.c.human).where(identities.c.person == _person(one)).scalar_subquery()
    query = select(identities.c.person).where(identities.c.human == human).order_by(identities.c.person)
    return tuple(identity_at(person) for person in connection.scalars(query)) or (one,)


def _person(one: Identity) -> str:
    return person_of(one.platform, one.person_id)
