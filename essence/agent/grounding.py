"""What a small model makes up is replaced by what the owner said.

A model of half a billion parameters finds the words for a tool's arguments in most messages, and in the rest it takes
them from an example or from nowhere. In the messages that the first look knows, all that is needed is in the owner's
own words, so an argument with other words in it is dropped for the whole message, which the tools can read as well.
A time is read out of the message without what is to be said then: small models drop half of "on Friday at 9".
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from essence.agent.first_look import asked_for
from essence.agent.tools.tool import AnyTool
from essence.agent.when import names_a_time, speaks_of_time
from essence.dialogue import ToolCall

_WORD = re.compile(r"\w+")


def grounded(call: ToolCall, words: str) -> ToolCall:
    """The call with each text argument that isn't made of the owner's words replaced by all of them."""
    try:
        arguments = json.loads(call.arguments)
    except ValueError:
        return call
    if not isinstance(arguments, dict):
        return call
    said = _words(words)
    kept = {
        name: words if isinstance(value, str) and not _words(value) <= said else value
        for name, value in arguments.items()
    }
    if "when" in kept:
        kept["when"] = _time_in(words, str(kept.get("text", ""))) or kept["when"]
    return ToolCall(call.call_id, call.name, json.dumps(kept, ensure_ascii=False))


def _time_in(words: str, said_then: str) -> str:
    """The words around what is to be said, where they are of a time or how often, be they understood or not.

    A part that a model picks out of what isn't understood is a wrong time: "Friday" of "every other Friday".
    """
    rest = words.casefold().replace(said_then.casefold(), " ") if said_then and said_then != words else words
    rest = " ".join(rest.split())
    return rest if names_a_time(rest) or speaks_of_time(rest) or "schedule" in asked_for(rest) else ""


def drafted(tools: Sequence[AnyTool], words: str) -> ToolCall | None:
    """The one call that the words ask for, with the words as its arguments; None where more is needed than words."""
    if len(tools) != 1:
        return None
    schema = json.loads(tools[0].parameters)
    needed = {name: schema["properties"][name] for name in schema.get("required", schema.get("properties", {}))}
    if any(about.get("type") != "string" for about in needed.values()):
        return None
    return ToolCall("", tools[0].name, json.dumps(dict.fromkeys(needed, words), ensure_ascii=False))


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))
