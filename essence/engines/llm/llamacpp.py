"""`llamacpp:MODEL`: llama.cpp's own server inside this process (xllamacpp), reached over loopback HTTP.

The server brings slots with continuous batching, a prompt cache and the model's own chat template; `OpenAiModel` talks
to it as to any other. It listens on a free loopback port behind a random key, so that nobody else on the machine can
use it.

Two limits of xllamacpp: the whole process stands still while a model loads (it holds the GIL), and after a load that
failed, another one in the same process never ends. So a process should load one model, early, and end if that fails.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import secrets
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from essence.config import LlmEngine
from essence.engines.llm.endpoint import Endpoint
from essence.errors import EngineError, EngineMissing, Unreachable
from essence.models import CATALOGUE, require

if TYPE_CHECKING:
    from essence.engines.llm.openai_model import OpenAiModel

_CACHE_RAM_MIB = 512
"""Prompts of conversations that lost their slot; llama.cpp's own default is 8 GiB. Qwen2.5-0.5B takes 12 KiB a token.
"""
_COUNT_S = 10.0


@asynccontextmanager
async def open_player(url: str, settings: LlmEngine) -> AsyncIterator[OpenAiModel]:
    """Load the model that `url` names, a catalogue name, a folder of the models' folder or a path to a .gguf file.

    Raises:
        EngineMissing: The model isn't here.
        EngineError: llama.cpp can't load it.
    """
    name = url.partition(":")[2]
    loop = asyncio.get_running_loop()
    # One thread: freeing waits for a loading that was cancelled half-way, and never blocks the event loop.
    thread = ThreadPoolExecutor(1, thread_name_prefix="llamacpp")
    server = _Server(settings)
    try:
        await loop.run_in_executor(thread, server.load, name)
        endpoint = Endpoint(f"{server.address}/v1", server.key, Path(name).stem if name.endswith(".gguf") else name)
        async with _player(endpoint, server, settings) as model:
            yield model
    finally:
        await loop.run_in_executor(thread, server.free)
        thread.shutdown(wait=False)


@asynccontextmanager
async def _player(endpoint: Endpoint, server: _Server, settings: LlmEngine) -> AsyncIterator[OpenAiModel]:
    from essence.engines.llm.openai_model import open_model

    headers = {"Authorization": f"Bearer {server.key}"}
    limits = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(
        base_url=server.address, headers=headers, timeout=_COUNT_S, limits=limits, trust_env=False
    ) as http:
        counter = _Tokenizer(http)
        replies_max = settings.llm_slots + settings.llm_queue_max
        async with open_model(
            endpoint, settings, counter=counter, replies_max=replies_max, in_this_process=True
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
            raise Unreachable(f"llama.cpp could not count tokens ({error!r}). Start the service again.") from error
        return len(answer.json()["tokens"])


class _Server:
    """xllamacpp's server; each method runs in the player's thread."""

    def __init__(self, settings: LlmEngine) -> None:
        self._settings = settings
        self._server: Any = None
        self.key = secrets.token_urlsafe(32)
        self.address = ""
        """http://127.0.0.1:PORT, once loaded."""

    def load(self, name: str) -> None:
        """Find the file and load it."""
        path = _model_file(name, self._settings.june_models_dir)
        importlib.import_module("essence.engines.llm.openai_model")  # takes a second, so here and not in the event loop
        import xllamacpp

        try:
            self._server = xllamacpp.Server(self._params(xllamacpp.CommonParams(), path, name))
        except (RuntimeError, ValueError) as error:
            raise EngineError(f"llama.cpp can't load {path} ({error}). Is it a whole GGUF file?") from error
        self.address = self._server.listening_address

    def free(self) -> None:
        """Stop the server, whatever it is writing, and give its memory back."""
        self._server = None

    def _params(self, params: Any, path: Path, name: str) -> Any:
        settings = self._settings
        threads = settings.llm_threads or max(1, _cores() - 1)
        params.model.path = str(path)
        params.model_alias = {name}
        params.n_parallel = settings.llm_slots
        params.n_ctx = settings.llm_context_tokens * settings.llm_slots  # shared out among the slots
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
        params.hostnames, params.port, params.api_keys = ["127.0.0.1"], 0, [self.key]
        params.use_jinja, params.cache_prompt, params.cache_ram_mib = True, True, _CACHE_RAM_MIB
        params.ui = params.endpoint_slots = params.endpoint_metrics = params.endpoint_props = False
        params.verbosity = 0
        return params


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
