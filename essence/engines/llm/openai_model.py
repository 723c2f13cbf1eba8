"""Any OpenAI-compatible server as a `LanguageModel`: NIM, trtllm-serve, vLLM, Ollama, llama.cpp."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager

import httpx2
from openai import AsyncOpenAI, AsyncStream, omit
from openai.types.chat import ChatCompletionChunk
from openai.types.shared_params import ResponseFormatJSONSchema

from essence.config import LlmEngine
from essence.dialogue import Finished, ModelEvent, TextDelta, ToolSpec, Turn
from essence.engines.llm import constrained, openai_wire
from essence.engines.llm.context import ContextBudget
from essence.engines.llm.endpoint import Endpoint
from essence.engines.llm.openai_errors import converted
from essence.engines.llm.thinking import ThinkingSplitter, opens_thinking
from essence.engines.llm.tokens import TokenCounter, estimated
from essence.errors import EngineBusy, JuneError, NotFound, TooSlow, Unreachable

_CONNECT_S = 10.0
_LIST_MODELS_S = 10.0
_KEPT_S = 2.0
"""Less than servers keep a connection themselves: 5 s in uvicorn, thus in vLLM and NIM."""


class OpenAiModel:
    """Talks to one server. Opened by `open_model`; any number of replies may run at once."""

    def __init__(
        self,
        endpoint: Endpoint,
        client: AsyncOpenAI,
        settings: LlmEngine,
        *,
        counter: TokenCounter,
        replies_max: int | None,
        native_tools: bool,
    ) -> None:
        self.endpoint = endpoint
        self._client, self._settings = client, settings
        self._replies, self._replies_max = 0, replies_max
        self._budget = ContextBudget(settings.llm_context_tokens - settings.llm_max_tokens, counter)
        self._model = endpoint.model
        self._constrains = settings.llm_tools == "schema" or (settings.llm_tools == "auto" and not native_tools)

    async def reply(self, history: Sequence[Turn], *, tools: Sequence[ToolSpec] = ()) -> AsyncGenerator[ModelEvent]:
        with self._admitted():
            async with aclosing(self._stream(history, tools)) as events:
                if tools and self._constrains:
                    for whole in await _whole(events):
                        yield whole
                    return
                async for event in events:
                    yield event

    @contextmanager
    def _admitted(self) -> Iterator[None]:
        if self._replies_max is not None and self._replies >= self._replies_max:
            raise EngineBusy("The language model has too many answers to write. Ask again in a moment.")
        self._replies += 1
        try:
            yield
        finally:
            self._replies -= 1

    async def _stream(self, history: Sequence[Turn], tools: Sequence[ToolSpec]) -> AsyncGenerator[ModelEvent]:
        if self._constrains:
            history = constrained.told(history, tools)
        fitting = await self._budget.fit(history, tools=() if self._constrains else tools)
        model = self._model or await self._first_model()
        reader = openai_wire.ReplyReader(self._splitter(model))
        patience = _Patience(self._settings)
        async with patience.waiting(), self._named_errors(model):
            stream = await self._request(model, fitting, tools)
        async with aclosing(stream):  # closing it hangs up, which stops the server's work
            while (chunk := await self._next(stream, patience, reader)) is not None:
                heard = reader.tokens
                for event in reader.feed(chunk):
                    yield event
                if reader.tokens > heard:
                    patience.token_came()
        for event in reader.close():
            yield event

    async def models(self) -> list[str]:
        """What the server offers, in its order.

        Raises:
            Unreachable, NotAllowed, NotFound, TooSlow: As their docstrings say.
        """
        try:
            async with asyncio.timeout(_LIST_MODELS_S):
                with converted(self.endpoint.url):
                    return [model.id async for model in self._client.models.list()]
        except TimeoutError as error:
            raise TooSlow(f"{self.endpoint.url} did not list its models in {_LIST_MODELS_S:g} s.") from error

    async def _first_model(self) -> str:
        names = await self.models()
        if not names:
            raise NotFound(f"{self.endpoint.url} offers no model. Load one there, or set LLM_MODEL.")
        self._model = names[0]
        return names[0]

    def _splitter(self, model: str) -> ThinkingSplitter:
        reasoning = self._settings.llm_reasoning
        inside = reasoning == "opened" or (reasoning == "auto" and opens_thinking(model))
        return ThinkingSplitter(starts_inside=inside, enabled=reasoning != "none")

    async def _request(
        self, model: str, history: Sequence[Turn], tools: Sequence[ToolSpec]
    ) -> AsyncStream[ChatCompletionChunk]:
        return await self._client.chat.completions.create(
            model=model,
            messages=openai_wire.messages(history),
            tools=openai_wire.tool_params(tools) if tools and not self._constrains else omit,
            response_format=_reply_format(tools) if tools and self._constrains else omit,
            max_tokens=self._settings.llm_max_tokens,
            temperature=self._settings.llm_temperature,
            stream=True,
            stream_options={"include_usage": True},
        )

    async def _next(
        self, stream: AsyncStream[ChatCompletionChunk], patience: _Patience, reader: openai_wire.ReplyReader
    ) -> ChatCompletionChunk | None:
        try:
            async with patience.waiting():
                with converted(self.endpoint.url):
                    return await anext(stream, None)
        except (Unreachable, TooSlow):
            if reader.complete:  # only its cost is missing: the answer stands
                return None
            raise

    @asynccontextmanager
    async def _named_errors(self, model: str) -> AsyncIterator[None]:
        try:
            with converted(self.endpoint.url):
                yield
        except NotFound as error:
            self._model = self.endpoint.model  # the server may have been started again with another one
            raise NotFound(await self._what_there_is(model)) from error

    async def _what_there_is(self, model: str) -> str:
        try:
            names = await self.models()
        except JuneError:  # a second failure tells less than the first
            names = []
        if not names:
            return f"{self.endpoint.url} has no OpenAI API or no model {model!r}. Does LLM_URL end in /v1?"
        return f"{self.endpoint.url} has no model {model!r}. Set LLM_MODEL to one of: {', '.join(names)}."


async def _whole(events: AsyncIterator[ModelEvent]) -> list[ModelEvent]:
    """What a reply that is held to a schema means, once it is complete."""
    text = ""
    finished = Finished("stop")
    async for event in events:
        match event:
            case TextDelta(delta):
                text += delta
            case Finished():
                finished = event
    return constrained.events_of(text, finished)


def _reply_format(tools: Sequence[ToolSpec]) -> ResponseFormatJSONSchema:
    return {"type": "json_schema", "json_schema": {"name": "reply", "schema": constrained.schema(tools)}}


class _Patience:
    """How long the next token may take; the first one may take longer, as the prompt is read before it."""

    def __init__(self, settings: LlmEngine) -> None:
        self._wait_s, self._between_s = settings.llm_first_token_s, settings.llm_between_tokens_s
        self._setting = "LLM_FIRST_TOKEN_S"
        self._since = asyncio.get_running_loop().time()

    def token_came(self) -> None:
        """The clock starts anew, when the reader is ready for more."""
        self._wait_s, self._setting = self._between_s, "LLM_BETWEEN_TOKENS_S"
        self._since = asyncio.get_running_loop().time()

    @asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        """What is done within ends when the token is overdue.

        Raises:
            TooSlow: It is.
        """
        try:
            async with asyncio.timeout_at(self._since + self._wait_s):
                yield
        except TimeoutError as error:
            raise TooSlow(
                f"The language model wrote nothing for {self._wait_s:g} s. Ask again, or raise {self._setting}."
            ) from error


@asynccontextmanager
async def open_model(
    endpoint: Endpoint,
    settings: LlmEngine,
    *,
    counter: TokenCounter = estimated,
    replies_max: int | None = None,
    on_this_machine: bool = False,
    native_tools: bool = True,
) -> AsyncIterator[OpenAiModel]:
    """Connections to one server; nothing is sent before the first reply.

    Args:
        endpoint: Where the server is.
        settings: How it is asked, and how long it is waited for.
        counter: Counts tokens as the server's model does.
        replies_max: Replies at once; one more is told EngineBusy. None: the server decides.
        on_this_machine: The server is; proxies named in the environment are passed by.
        native_tools: What LLM_TOOLS=auto means.
    """
    # A kept connection may be closed by its server in the very moment when it is used again (llama.cpp's does so),
    # which loses the request. Without TLS a new one costs next to nothing.
    kept = 20 if endpoint.url.startswith("https:") else 0
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=kept, keepalive_expiry=_KEPT_S)
    http = httpx2.AsyncClient(
        timeout=httpx2.Timeout(None, connect=_CONNECT_S), limits=limits, trust_env=not on_this_machine
    )
    client = AsyncOpenAI(
        base_url=endpoint.url,
        api_key=endpoint.api_key or "none",
        max_retries=0,  # retrying is composition, done where the whole call is known
        http_client=http,
    )
    # Taken from OpenAI's own environment variables, and nobody else's business.
    client.organization = client.project = None
    async with client:
        yield OpenAiModel(
            endpoint, client, settings, counter=counter, replies_max=replies_max, native_tools=native_tools
        )
