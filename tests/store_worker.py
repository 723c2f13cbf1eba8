"""A process that works through messages until it is killed or has ended them all: `python -m tests.store_worker`.

It begins when its standard input is closed, so that several can begin at once however long each takes to start.

Its "platform" is a file: a message that was sent is a line of it. What the store promised is printed, line by line,
only after the store's method returned.
"""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from essence.config import StoreSettings
from essence.dialogue import Address, Receipt, Reply
from essence.errors import Conflict
from essence.ports import Store
from essence.store import open_store
from tests.store_cases import note

CHATS = 10
LEASE_S = 30.0


async def main(url: str, worker: str, messages: int, platform: Path) -> None:
    async with open_store(url, StoreSettings(store_poll_s=0.05)) as store:
        await store.inbox.release_all(worker)
        await store.outbox.release_all(worker)
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)
        for part in await store.outbox.pending("telegram", limit=1000):
            if part.uncertain:  # the policy of these tests: rather not at all than twice
                await store.outbox.sent(part.key, Receipt("", datetime.now(UTC), assumed=True))
        await asyncio.gather(_receive(store, messages), *(_answer(store, worker, platform) for _ in range(CHATS)))


async def _receive(store: Store, messages: int) -> None:
    async def one(number: int) -> None:
        await store.inbox.receive(note(number, Address("telegram", str(number % CHATS))))
        print("received", number, flush=True)

    for first in range(0, messages, CHATS):
        await asyncio.gather(*(one(number) for number in range(first, min(first + CHATS, messages))))


async def _answer(store: Store, worker: str, platform: Path) -> None:
    while claim := await store.inbox.claim(worker, lease_s=LEASE_S, wait_s=0.5):
        key = f"{claim.message.key}:0"
        try:
            await store.outbox.intend(key, claim.message.address, Reply("an answer"), under=claim)
            if all(part.state != "sent" for part in await store.outbox.parts(claim.message.key)):
                await store.outbox.sending(key, sender_id=worker, lease_s=LEASE_S)
                _send(platform, key)
                await store.outbox.sent(key, Receipt("1", datetime.now(UTC)))
            await store.inbox.finish(claim, "answered")
        except Conflict:
            print("lost", key, flush=True)
        else:
            print("finished", key, flush=True)


def _send(platform: Path, key: str) -> None:
    line = os.open(platform, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(line, f"{key}\n".encode())
    os.close(line)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])))
