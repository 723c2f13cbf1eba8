"""The embedded models, loaded once for all modules that talk to them."""

from collections.abc import AsyncIterator

import pytest_asyncio

from essence import config
from essence.engines import Players, open_players


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def players() -> AsyncIterator[Players]:
    settings = config.read(config.Assistant).model_copy(update={"llm_temperature": 0.0})
    async with open_players(settings) as opened:
        yield opened
