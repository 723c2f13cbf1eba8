from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

# A shared machine is slow at times, which is no failure. CI tries the same examples each time, so that a change is
# judged by itself; everybody else's runs look for new ones.
settings.register_profile("june", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "june")


@pytest.fixture(scope="session", autouse=True)
def _a_loop_for_pytest_asyncio_to_restore() -> Iterator[None]:
    """pytest-asyncio asks for the main thread's loop before each async test; without one, Python 3.11 makes a loop that
    nobody closes, and warnings are errors here."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()
