"""`http://…` and `https://…`: any OpenAI-compatible server."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from essence.config import LlmEngine
from essence.engines.llm.endpoint import endpoint_at

if TYPE_CHECKING:
    from essence.engines.llm.openai_model import OpenAiModel


@asynccontextmanager
async def open_player(url: str, settings: LlmEngine) -> AsyncIterator[OpenAiModel]:
    """Get ready to talk to the server at `url`; nothing is sent before the first reply.

    Raises:
        ConfigError: `url` is not an address.
    """
    endpoint = endpoint_at(url, api_key=settings.llm_api_key, model=settings.llm_model)
    # The client's library takes a second to import: in a thread, so that others go on starting.
    await asyncio.to_thread(importlib.import_module, "essence.engines.llm.openai_model")
    from essence.engines.llm.openai_model import open_model

    async with open_model(endpoint, settings) as model:
        yield model
