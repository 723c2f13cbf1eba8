"""An OpenAI-compatible server on a real socket that plays scripts: what servers do on good days and on bad ones.

    async with OpenAiServer(Answer("Hello", " there.")) as server:
        ...  # LLM_URL=server.url

Each request to `/v1/chat/completions` takes the next script; the last one is repeated. What was asked and whether the
client hung up is recorded, so that a test can prove that a cancelled reply stops the work at the server.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing happens for so long."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Think:
    """A piece of reasoning in a field of its own: `reasoning_content` (vLLM, llama.cpp), `reasoning` (Ollama, NIM)."""

    text: str
    in_field: str = "reasoning_content"


@dataclass(frozen=True, slots=True)
class CallTool:
    """One fragment of a tool call; the first of a call names it, the next ones add to its arguments."""

    arguments: str
    index: int = 0
    call_id: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes that are put on the wire as they are: comments, garbage, an error in mid-stream."""

    data: bytes


KEEPALIVE = Raw(b": ping\n\n")
NOT_JSON = Raw(b'data: {"choices": [{"del\n\n')


@dataclass(frozen=True, slots=True)
class HangUp:
    """The server drops the connection."""


_USAGE = {"prompt_tokens": 20, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 16}}

Step = str | Wait | Think | CallTool | Raw | HangUp


class Answer:
    """Streams the steps, then the reason why it ended and what it cost. A string is a piece of the answer."""

    def __init__(self, *steps: Step, finish_reason: str | None = "stop") -> None:
        """`finish_reason` None: the stream ends without one, as it does behind a proxy that gives up."""
        self.steps, self.finish_reason = steps, finish_reason


@dataclass(frozen=True, slots=True)
class Refusal:
    """An HTTP status and a JSON body in place of an answer."""

    status: int
    body: dict[str, object]


def _refusal(status: int, message: str, kind: str, code: str | int | None) -> Refusal:
    return Refusal(status, {"error": {"message": message, "type": kind, "code": code, "param": None}})


# Bodies in the words of the servers that send them.
WRONG_KEY = _refusal(401, "Incorrect API key provided: sk-1.", "invalid_request_error", "invalid_api_key")
UNKNOWN_MODEL = _refusal(404, "The model `big` does not exist.", "NotFoundError", 404)
OVERFLOW_OPENAI = _refusal(
    400,
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
    "invalid_request_error",
    "context_length_exceeded",
)
OVERFLOW_VLLM = _refusal(
    400,
    "This model's maximum context length is 2048 tokens. However, your request has 3000 input tokens. "
    "Please reduce the length of the input messages. (parameter=input_tokens, value=3000)",
    "BadRequestError",
    400,
)
OVERFLOW_LLAMA_CPP = Refusal(
    400,
    {
        "error": {
            "code": 400,
            "message": "request (3031 tokens) exceeds the available context size (2048 tokens), try increasing it",
            "type": "exceed_context_size_error",
            "n_prompt_tokens": 3031,
            "n_ctx": 2048,
        }
    },
)
OVERFLOW_TENSORRT_LLM = Refusal(
    400,
    {
        "object": "error",
        "message": "The sum of prompt length (5000.0) and query length (0) should not exceed max_seq_len (4096)",
        "type": "BadRequestError",
        "param": None,
        "code": 400,
    },
)
BAD_REQUEST = _refusal(400, "tools are not supported by this model", "BadRequestError", 400)
RATE_LIMITED = _refusal(429, "Rate limit reached.", "requests", "rate_limit_exceeded")
BROKEN = _refusal(500, "CUDA error: device-side assert triggered", "InternalServerError", 500)
LOADING = _refusal(503, "Loading model", "unavailable_error", 503)

Character = Callable[[dict[str, Any]], Answer | Refusal]
"""Answers each request by what is in it; `essence.fakes.characters` has some."""
Script = Answer | Refusal | Character


@dataclass(slots=True)
class Call:
    """One request as the server saw it."""

    body: dict[str, Any]
    authorization: str
    client_port: int
    """Tells one connection from another."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the server has stopped working on it."""
    hung_up: bool = False
    """The client went away before the last byte."""


class _Dropped(Exception):
    """Makes uvicorn close the connection without the end of the body."""


class _QuietServer(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:  # the process's signals belong to whoever runs the fake
        yield


class OpenAiServer:
    """Plays one script per request; an async context manager that listens on a free loopback port."""

    def __init__(self, *scripts: Script, models: Sequence[str] = ("small",)) -> None:
        self.calls: list[Call] = []
        """Every chat request, in order."""
        self.called = asyncio.Event()
        """Set with the first of them."""
        self._scripts, self._models = scripts, tuple(models)
        routes = [
            Route("/v1/models", self._list_models),
            Route("/v1/chat/completions", self._chat, methods=["POST"]),
        ]
        config = uvicorn.Config(Starlette(routes=routes), log_config=None, log_level="critical", lifespan="off")
        self._server = _QuietServer(config)
        self._socket = socket.create_server(("127.0.0.1", 0))

    @property
    def url(self) -> str:
        """Base address of the API, as `LLM_URL` takes it."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._server.serve([self._socket]))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = self._server.force_exit = True
        await self._task
        self._socket.close()

    async def _list_models(self, _: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": name, "object": "model"} for name in self._models]})

    async def _chat(self, request: Request) -> Response:
        call = Call(
            await request.json(), request.headers.get("authorization", ""), request.client.port if request.client else 0
        )
        script = self._scripts[min(len(self.calls), len(self._scripts) - 1)]
        played = script if isinstance(script, Answer | Refusal) else script(call.body)
        self.calls.append(call)
        self.called.set()
        if isinstance(played, Refusal):
            return JSONResponse(played.body, status_code=played.status)
        return StreamingResponse(self._recorded(call, played), media_type="text/event-stream")

    async def _recorded(self, call: Call, script: Answer) -> AsyncIterator[bytes]:
        call.hung_up = True
        try:
            async for event in _play(script):
                yield event
            call.hung_up = False
        except _Dropped:
            call.hung_up = False
            raise
        finally:
            call.ended.set()


async def _play(script: Answer) -> AsyncIterator[bytes]:
    yield _event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]})
    for step in script.steps:
        match step:
            case Wait(seconds):
                await asyncio.sleep(seconds)
            case Raw(data):
                yield data
            case HangUp():
                raise _Dropped
            case str() | Think() | CallTool():
                yield _event({"choices": [{"index": 0, "delta": _delta(step), "finish_reason": None}]})
    if script.finish_reason is not None:
        yield _event({"choices": [{"index": 0, "delta": {}, "finish_reason": script.finish_reason}]})
    yield _event({"choices": [], "usage": _USAGE})
    yield b"data: [DONE]\n\n"


def _delta(step: str | Think | CallTool) -> dict[str, object]:
    match step:
        case str():
            return {"content": step}
        case Think(text, in_field):
            return {in_field: text}
        case CallTool(arguments, index, call_id, name):
            function = {"arguments": arguments} | ({"name": name} if name else {})
            call = {"index": index, "function": function} | ({"id": call_id, "type": "function"} if call_id else {})
            return {"tool_calls": [call]}


def _event(chunk: dict[str, object]) -> bytes:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "small"}
    return f"data: {json.dumps(head | chunk)}\n\n".encode()
