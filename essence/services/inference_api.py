"""`python -m essence inference-api`: the language model over gRPC and over OpenAI's HTTP API."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from starlette.types import ASGIApp

from essence.config import InferenceApiService
from essence.dialogue import ModelEvent, ToolSpec, Turn
from essence.engines import open_language_model
from essence.engines.llm.endpoint import endpoint_of
from essence.ports import LanguageModel
from essence.rpc.server import LANGUAGE_MODEL
from essence.services import lifecycle, openai_api


class _Inference:
    """The model, and the HTTP API in front of it."""

    def __init__(self, model: LanguageModel, api: ASGIApp) -> None:
        self.api, self._model = api, model

    def reply(self, history: Sequence[Turn], *, tools: Sequence[ToolSpec] = ()) -> AsyncGenerator[ModelEvent]:
        return self._model.reply(history, tools=tools)


@asynccontextmanager
async def _open_inference(url: str, settings: InferenceApiService) -> AsyncIterator[_Inference]:
    rules = openai_api.manners(settings)  # first, as it costs nothing
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(open_language_model(url, settings))
        endpoint = endpoint_of(model, settings)
        api = (
            openai_api.absent(url)
            if endpoint is None
            else await stack.enter_async_context(openai_api.open_api(endpoint, rules))
        )
        yield _Inference(model, api)


def _http_api(model: LanguageModel, _: InferenceApiService) -> ASGIApp:
    assert isinstance(model, _Inference)
    return model.api


def main(_: list[str]) -> int:
    """Serve LLM_URL's model until told to stop; returns the exit code."""
    service = lifecycle.Service(
        "inference-api",
        "llm",
        InferenceApiService,
        LANGUAGE_MODEL,
        _open_inference,
        http_api=_http_api,
    )
    return lifecycle.run(service)
