"""Processes take turns at a database file."""

import asyncio

from essence.store.turnstile import Turnstile


async def test_whoever_comes_waits_for_the_one_before(tmp_path):
    first, second = (Turnstile(tmp_path / "june.db", patience_s=60) for _ in range(2))
    first.enter()
    waiting = asyncio.create_task(asyncio.to_thread(second.enter))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    first.leave()
    await waiting
    for turnstile in (first, second):
        turnstile.close()


async def test_one_who_never_leaves_does_not_stop_the_others(tmp_path):
    stuck, other = (Turnstile(tmp_path / "june.db", patience_s=0.05) for _ in range(2))
    stuck.enter()
    await asyncio.to_thread(other.enter)


async def test_one_who_dies_leaves(tmp_path):
    dead, other = (Turnstile(tmp_path / "june.db", patience_s=60) for _ in range(2))
    dead.enter()
    dead.close()
    await asyncio.to_thread(other.enter)
