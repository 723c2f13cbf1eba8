"""Who asked to be let in, and who was, in SQL."""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, literal, select, update

from essence.dialogue import Pairing, Person, Platform
from essence.errors import Conflict, InvalidInput
from essence.store.clock import Clock
from essence.store.database import Database
from essence.store.records import pairing_of, person_columns, storable
from essence.store.tables import INSERTS, Utc, pairings, person_of


class DurablePeople:
    """See `essence.ports.People`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def ask(self, platform: Platform, person: Person, code: str) -> Pairing:
        """As the role says.

        Raises:
            InvalidInput: The code has neither letters nor digits.
            Conflict: Somebody else has this code; make up another one.
        """
        if not (plain := _plain(code)):
            raise InvalidInput("A pairing code needs letters or digits. Make up another one.")
        who, names = person_of(platform, person.person_id), person_columns(person)
        row = names | {
            "person": who,
            "code": storable(code.upper()),
            "plain_code": plain,
            "asked_at": self._clock.now(),
        }

        def keep(connection: Connection) -> Pairing:
            rename = update(pairings).where(pairings.c.person == who).values(names).returning(pairings)
            insert = INSERTS[connection.dialect.name](pairings).on_conflict_do_nothing().returning(pairings)
            # The third is for one who asked twice at the same moment.
            for statement, values in ((rename, None), (insert, row), (rename, None)):
                if (kept := connection.execute(statement, values).first()) is not None:
                    return pairing_of(kept)
            raise Conflict("Somebody else has this pairing code. Make up another one.")

        return await self._database.run(keep)

    async def approve(self, code: str) -> Pairing | None:
        approval = (
            update(pairings)
            .where(pairings.c.plain_code == _plain(code))
            .values(approved_at=func.coalesce(pairings.c.approved_at, literal(self._clock.now(), Utc)))
            .returning(pairings)
        )
        row = await self._database.run(lambda connection: connection.execute(approval).first())
        return None if row is None else pairing_of(row)

    async def remove(self, platform: Platform, person_id: str) -> bool:
        removal = delete(pairings).where(pairings.c.person == person_of(platform, person_id))
        return await self._database.run(lambda connection: connection.execute(removal).rowcount == 1)

    async def is_paired(self, platform: Platform, person_id: str) -> bool:
        query = select(pairings.c.approved_at).where(pairings.c.person == person_of(platform, person_id))
        return await self._database.run(lambda connection: connection.scalar(query)) is not None

    async def pairings(self) -> tuple[Pairing, ...]:
        query = select(pairings).order_by(pairings.c.asked_at.desc(), pairings.c.person)
        rows = await self._database.run(lambda connection: connection.execute(query).all())
        return tuple(pairing_of(row) for row in rows)


def _plain(code: str) -> str:
    """A code as it is compared: people type it with dashes, spaces and in any case."""
    return "".join(character for character in code.upper() if character.isalnum())
