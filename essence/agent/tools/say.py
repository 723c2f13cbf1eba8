"""Tell the owner how it gets on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pydantic import Field

from essence.agent.tools.tool import AnyTool, Arguments, Call, Tool, typed


class Say(Arguments):
    """What is told."""

    text: str = Field(min_length=1, max_length=1000, description="One short sentence.")


def say_tool(say: Callable[[str], Awaitable[None]]) -> AnyTool:
    """`say`: in the owner's own conversation, so it needs nobody's leave."""

    async def run(_: Call, said: Say) -> str:
        await say(said.text)
        return "The owner sees it."

    schema, parse = typed(Say)
    description = "Tell the owner how the work gets on, when it takes long. Not for the answer itself."
    return Tool("say", description, schema, parse, run, public=True)
