"""Search what was said in this conversation."""

from __future__ import annotations

import json
from collections import deque

from pydantic import Field

from essence.agent.tools.memory import stems
from essence.agent.tools.tool import AnyTool, Arguments, Call, Tool, typed
from essence.ports import Conversations

_FOUND_MAX = 10
_LINE_CHARS = 400


class Search(Arguments):
    """What is looked for."""

    words: str = Field(min_length=1, max_length=300, description="Words that were said.")


def history_tool(conversations: Conversations) -> AnyTool:
    """`search_conversations`: in the conversation that the message came from, and in no other."""

    async def search(call: Call, wanted: Search) -> str:
        sought, best = stems(wanted.words), deque[tuple[int, str]](maxlen=2000)
        async for line in conversations.export(call.request.address):
            fields = json.loads(line)
            if (score := len(sought & stems(fields["text"]))) > 0:
                best.append((score, _line(fields)))
        top = max((score for score, _ in best), default=0)
        found = [line for score, line in best if score == top][-_FOUND_MAX:]
        return "\n".join(found) or "Nothing like this was said here."

    return Tool(
        "search_conversations",
        "Search what was said earlier in this conversation.",
        *typed(Search),
        search,
        foreign=True,  # what was passed on or quoted is in it, too
    )


def _line(fields: dict[str, str]) -> str:
    who = "June" if fields["role"] == "assistant" else "they"
    return f"{fields['at'][:16].replace('T', ' ')} {who}: {fields['text'][:_LINE_CHARS]}"
