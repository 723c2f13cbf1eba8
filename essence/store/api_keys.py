"""Keys of the Message API in SQL: their hashes, and what they allow."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, select, update

from essence.errors import Conflict, NotAllowed
from essence.outgoing import ApiKey, Identity, Scope
from essence.store.clock import Clock
from essence.store.database import Database
from essence.store.records import storable
from essence.store.tables import INSERTS, api_keys, is_valid


class DurableApiKeys:
    """See `essence.ports.ApiKeys`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def add(self, secret: str, name: str, scopes: frozenset[Scope], recipients: frozenset[Identity]) -> ApiKey:
        row = {
            "hash": _hash(secret),
            "name": storable(name),
            "scopes": json.dumps(sorted(scopes)),
            "recipients": json.dumps([asdict(recipient) for recipient in recipients]),
            "created_at": self._clock.now(),
        }

        def keep(connection: Connection) -> ApiKey:
            insert = INSERTS[connection.dialect.name](api_keys).on_conflict_do_nothing().returning(api_keys)
            kept = connection.execute(insert, row).first()
            if kept is None:
                raise Conflict(f"There is a key named {name} already, or this very key. Choose another name.")
            return _key_of(kept)

        return await self._database.run(keep)

    async def find(self, secret: str) -> ApiKey | None:
        query = select(api_keys).where(api_keys.c.hash == _hash(secret))
        row = await self._database.run(lambda connection: connection.execute(query).first())
        if row is not None and row.removed_at is not None:
            raise NotAllowed("This key was removed.")
        return None if row is None else _key_of(row)

    async def list(self) -> tuple[ApiKey, ...]:
        query = select(api_keys).where(is_valid).order_by(api_keys.c.name)
        rows = await self._database.run(lambda connection: connection.execute(query).all())
        return tuple(_key_of(row) for row in rows)

    async def remove(self, name: str) -> bool:
        removal = update(api_keys).where(api_keys.c.name == name, is_valid).values(removed_at=self._clock.now())
        return await self._database.run(lambda connection: connection.execute(removal).rowcount == 1)


def _hash(secret: str) -> str:
    """Without salt or stretching: keys are 256 random bits, not words that somebody could guess."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _key_of(row: Row[Any]) -> ApiKey:
    scopes: frozenset[Scope] = frozenset(json.loads(row.scopes))
    recipients = frozenset(Identity(**recipient) for recipient in json.loads(row.recipients))
    return ApiKey(row.name, scopes, recipients, row.created_at)
