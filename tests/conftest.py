from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _a_loop_for_pytest_asyncio_to_restore() -> Iterator[None]:
    """pytest-asyncio asks for the main thread's loop before each async test; without one, Python 3.11 makes a loop that
    nobody closes, and warnings are errors here."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()
