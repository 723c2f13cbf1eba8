"""What June says and hears in the words of OpenAI's chat completions API."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, cast

from openai.types.chat import ChatCompletionChunk
from openai.types.chat.chat_completion_chunk import ChoiceDelta, ChoiceDeltaToolCall
from openai.types.completion_usage import CompletionUsage

from essence.dialogue import Finished, ModelEvent, ReasoningDelta, TextDelta, ToolCall, ToolSpec, Turn, Usage
from essence.engines.llm.thinking import ThinkingSplitter
from essence.errors import EmptyAnswer, EngineError, Unreachable

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam


def messages(history: Iterable[Turn]) -> list[ChatCompletionMessageParam]:
    """The history, turn for turn."""
    return [cast("ChatCompletionMessageParam", _message(turn)) for turn in history]


def _message(turn: Turn) -> dict[str, object]:
    message: dict[str, object] = {"role": turn.role, "content": turn.text}
    if turn.tool_calls:
        message["tool_calls"] = [
            {"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in turn.tool_calls
        ]
    if turn.tool_call_id is not None:
        message["tool_call_id"] = turn.tool_call_id
    return message


def tool_params(tools: Sequence[ToolSpec]) -> list[ChatCompletionToolParam]:
    """The tools a model may call."""
    return [
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": json.loads(tool.parameters)},
        }
        for tool in tools
    ]


class ReplyReader:
    """Turns the chunks of one streamed reply into events."""

    def __init__(self, splitter: ThinkingSplitter) -> None:
        self.tokens = 0
        """Chunks so far that brought something that the model wrote."""
        self._splitter = splitter
        self._calls: list[_OpenCall] = []
        self._usage = Usage()
        self._answered = False
        self._finish_reason: str | None = None

    @property
    def complete(self) -> bool:
        """The model has said that it is done; only its usage may still come."""
        return self._finish_reason is not None

    def feed(self, chunk: ChatCompletionChunk) -> list[ModelEvent]:
        """Text and reasoning of one chunk, in order; tool calls are collected for `close`."""
        if chunk.usage is not None:
            self._usage = _usage(chunk.usage)
        events: list[ModelEvent] = []
        for choice in chunk.choices or ():
            events += self._delta(choice.delta)
            self._finish_reason = choice.finish_reason or self._finish_reason
        return events

    def _delta(self, delta: ChoiceDelta) -> list[ModelEvent]:
        events: list[ModelEvent] = []
        if thought := _reasoning(delta):
            self._splitter.server_separates()
            events.append(ReasoningDelta(thought))
        self.tokens += bool(thought or delta.content or delta.tool_calls)
        events += self._told(self._splitter.feed(delta.content or ""))
        for part in delta.tool_calls or ():
            self._collect(part)
        return events

    def close(self) -> list[ModelEvent]:
        """What is left, then `Finished`.

        Raises:
            Unreachable: The stream ended before the model did.
            EngineError: The server kept the answer back.
            EmptyAnswer: Neither words nor a tool call.
        """
        events = self._told(self._splitter.close())
        reason = self._reason()
        if not (self._answered or self._calls):
            raise EmptyAnswer(_why_empty(reason))
        return [*events, *(call.finished() for call in self._calls), Finished(reason, self._usage)]

    def _told(self, pieces: Sequence[TextDelta | ReasoningDelta]) -> list[ModelEvent]:
        self._answered |= any(isinstance(piece, TextDelta) and not piece.text.isspace() for piece in pieces)
        return list(pieces)

    def _reason(self) -> Literal["stop", "length", "tool_calls"]:
        match self._finish_reason:
            case None:
                raise Unreachable("The language model's server ended the answer before it was complete. Ask again.")
            case "content_filter":
                raise EngineError("The language model's server kept the answer back (content filter). Ask differently.")
            case "length":
                return "length"
        return "tool_calls" if self._calls else "stop"

    def _collect(self, part: ChoiceDeltaToolCall) -> None:
        # Servers differ: some leave the index out, some send every call under index 0 with an id of its own.
        index = getattr(part, "index", None) or 0
        call = next((c for c in reversed(self._calls) if c.index == index), None)
        if call is None or (part.id and call.call_id and part.id != call.call_id):
            call = _OpenCall(index, len(self._calls))
            self._calls.append(call)
        call.add(part)


class _OpenCall:
    """A tool call while its fragments arrive."""

    def __init__(self, index: int, number: int) -> None:
        self.index, self.call_id = index, ""
        self._number, self._name, self._arguments = number, "", ""

    def add(self, part: ChoiceDeltaToolCall) -> None:
        self.call_id = part.id or self.call_id
        if part.function is not None:
            self._name = part.function.name or self._name
            self._arguments += part.function.arguments or ""

    def finished(self) -> ToolCall:
        return ToolCall(self.call_id or f"call_{self._number}", self._name, self._arguments or "{}")


def _reasoning(delta: ChoiceDelta) -> str:
    """Reasoning that the server separated: `reasoning_content` (vLLM, llama.cpp, NIM), `reasoning` (Ollama, vLLM)."""
    extra = delta.model_extra or {}
    thought = extra.get("reasoning_content") or extra.get("reasoning")
    return thought if isinstance(thought, str) else ""


def _usage(usage: CompletionUsage) -> Usage:
    details = usage.prompt_tokens_details
    cached = (details.cached_tokens if details else None) or 0
    return Usage(usage.prompt_tokens or 0, usage.completion_tokens or 0, cached)


def _why_empty(reason: str) -> str:
    if reason == "length":
        return "The language model used up its tokens before it answered. Raise LLM_MAX_TOKENS."
    return (
        "The language model ended without a word. Ask again; if it only ever thinks, set LLM_REASONING=none, "
        "and if it never answers, choose another LLM_MODEL."
    )
