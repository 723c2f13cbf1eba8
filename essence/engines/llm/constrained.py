"""Tools for models that have no native tool calls: what they write is held to a JSON schema of all that they may do.

The schema is a choice of objects `{"name": …, "arguments": {…}}`, one for each tool and one, `answer`, for plain words.
It is the shape that small models have seen most; the server's grammar lets them write nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from essence.dialogue import Finished, ModelEvent, TextDelta, ToolCall, ToolSpec, Turn
from essence.errors import EmptyAnswer

ANSWER = "answer"
"""Name of the choice that is no tool."""
_ANSWER_PARAMETERS = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}


def schema(tools: Sequence[ToolSpec]) -> dict[str, object]:
    """The JSON schema of one reply."""
    choices = [(tool.name, json.loads(tool.parameters)) for tool in tools] + [(ANSWER, _ANSWER_PARAMETERS)]
    return {"anyOf": [_choice(name, parameters) for name, parameters in choices]}


def _choice(name: str, parameters: object) -> dict[str, object]:
    return {
        "type": "object",
        "properties": {"name": {"const": name}, "arguments": parameters},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }


def told(history: Sequence[Turn], tools: Sequence[ToolSpec]) -> tuple[Turn, ...]:
    """The history with the tools told in words, and earlier uses of tools as the text that they were."""
    turns = [_as_text(turn) for turn in history]
    if not tools:
        return tuple(turns)
    rules = _rules(tools)
    if turns and turns[0].role == "system":
        return (Turn("system", f"{turns[0].text}\n\n{rules}"), *turns[1:])
    return (Turn("system", rules), *turns)


def _rules(tools: Sequence[ToolSpec]) -> str:
    lines = [f"- {tool.name}: {tool.description} Arguments: {tool.parameters}" for tool in tools]
    return "\n".join(
        (
            'Reply with one JSON object: {"name": NAME, "arguments": ARGUMENTS}. NAME is one of:',
            *lines,
            f'- {ANSWER}: Say something to the user. Arguments: {{"text": your words}}',
        )
    )


def _as_text(turn: Turn) -> Turn:
    if turn.role == "tool":
        return Turn("user", f"(Result of the tool:)\n{turn.text}")
    if turn.tool_calls:
        calls = (f'{{"name": {json.dumps(call.name)}, "arguments": {call.arguments}}}' for call in turn.tool_calls)
        return Turn("assistant", "\n".join(calls))
    return turn


def events_of(text: str, finished: Finished) -> list[ModelEvent]:
    """What a reply in this shape means.

    Args:
        text: All of it.
        finished: How it ended.

    Raises:
        EmptyAnswer: It was cut, or is in another shape after all.
    """
    try:
        reply = json.loads(text)
        name, arguments = reply["name"], reply["arguments"]
    except (ValueError, KeyError, TypeError) as error:
        if not text.lstrip().startswith(("{", "[")):  # the server knows no schema, and the model has answered in words
            return [TextDelta(text), finished]
        raise EmptyAnswer("The language model wrote JSON that can't be read. Ask again.") from error
    if name != ANSWER:
        return [ToolCall("call_0", str(name), json.dumps(arguments)), Finished("tool_calls", finished.usage)]
    words = arguments.get("text") if isinstance(arguments, dict) else None
    if not isinstance(words, str) or not words.strip():
        raise EmptyAnswer("The language model answered without a word. Ask again.")
    return [TextDelta(words), finished]
