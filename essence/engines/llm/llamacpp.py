"""`llamacpp:MODEL`: llama.cpp's own server in a process of its own (xllamacpp), reached over loopback HTTP.

The server brings slots with continuous batching, a prompt cache and the model's own chat template; `OpenAiModel` talks
to it as to any other. It listens on a free loopback port behind a random key, so that nobody else on the machine can
use it. Loading holds up nothing else, and a crash in llama.cpp costs the answers that it was writing, not June.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from essence.config import LlmEngine
from essence.dialogue import ModelEvent, ToolSpec, Turn
from essence.engines.llm.endpoint import Endpoint
from essence.engines.llm.llamacpp_process import ServerProcess, running
from essence.engines.llm.llamacpp_worker import ServerSettings
from essence.errors import EngineMissing, Unreachable
from essence.models import CATALOGUE, require

if TYPE_CHECKING:
    from essence.engines.llm.openai_model import OpenAiModel

_CLIENT = "essence.engines.llm.openai_model"
_COUNT_S = 10.0


@asynccontextmanager
async def open_player(url: str, settings: LlmEngine) -> AsyncIterator[LlamaCpp]:
    """Load the model that `url` names, a catalogue name, a folder of the models' folder or a path to a .gguf file.

    Raises:
        EngineMissing: The model isn't here.
        EngineError: llama.cpp can't load it.
        TooSlow: Not within LLM_LOAD_S.
    """
    name = url.partition(":")[2]
    # The client's library takes a second to import: in a thread, while the model loads.
    importing = asyncio.get_running_loop().run_in_executor(None, importlib.import_module, _CLIENT)
    path = await asyncio.to_thread(_model_file, name, settings.june_models_dir)
    wanted = ServerSettings(
        path=str(path),
        name=name,
        key=secrets.token_urlsafe(32),
        slots=settings.llm_slots,
        context_tokens=settings.llm_context_tokens,
        threads=settings.llm_threads or max(1, _cores() - 1),
    )
    async with running(wanted, load_s=settings.llm_load_s) as server:
        await importing
        endpoint = Endpoint(f"{server.address}/v1", wanted.key, Path(name).stem if name.endswith(".gguf") else name)
        async with _client(endpoint, server, settings) as model:
            yield LlamaCpp(model, server)


class LlamaCpp:
    """An embedded model: its server's client, and the server's process."""

    def __init__(self, model: OpenAiModel, server: ServerProcess) -> None:
        self.endpoint = model.endpoint
        self._model, self._server = model, server

    @property
    def process_id(self) -> int:
        """Of the process that has the model."""
        return self._server.process_id

    async def reply(self, history: Sequence[Turn], *, tools: Sequence[ToolSpec] = ()) -> AsyncGenerator[ModelEvent]:
        await self._server.ready()
        try:
            async with aclosing(self._model.reply(history, tools=tools)) as events:
                async for event in events:
                    yield event
        except Unreachable as error:
            raise await self._server.death() or error from error


@asynccontextmanager
async def _client(endpoint: Endpoint, server: ServerProcess, settings: LlmEngine) -> AsyncIterator[OpenAiModel]:
    from essence.engines.llm.openai_model import open_model

    headers = {"Authorization": f"Bearer {endpoint.api_key}"}
    limits = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(
        base_url=server.address, headers=headers, timeout=_COUNT_S, limits=limits, trust_env=False
    ) as http:
        counter = _Tokenizer(http)
        replies_max = settings.llm_slots + settings.llm_queue_max
        async with open_model(
            endpoint, settings, counter=counter, replies_max=replies_max, on_this_machine=True, native_tools=False
        ) as model:
            yield model


class _Tokenizer:
    """The model's own tokenizer, as the server offers it."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def __call__(self, text: str) -> int:
        try:
            answer = await self._http.post("/tokenize", json={"content": text})
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise Unreachable(f"llama.cpp could not count tokens ({error!r}). Ask again.") from error
        return len(answer.json()["tokens"])


def _model_file(name: str, models_dir: Path) -> Path:
    if name.endswith(".gguf"):
        path = Path(name).expanduser()
        if not path.is_file():
            raise EngineMissing(f"LLM_URL=llamacpp:{name}: there is no such file.")
        return path
    if name in CATALOGUE or not any((models_dir / name).glob("*.gguf")):
        require(name, models_dir)
    # A large model comes in parts, name-00001-of-00003.gguf; llama.cpp wants the first and finds the others.
    return min((models_dir / name).glob("*.gguf"))


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
