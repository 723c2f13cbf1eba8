"""What the history keeps of one message: its question and its answer, each once."""

from __future__ import annotations

from typing import Literal

from essence.chat.patience import with_patience
from essence.dialogue import Message, Turn
from essence.ports import Conversations

Name = Literal["asked", "answered"]


def with_context(message: Message, words: str) -> str:
    """The words with what they are about, as a model is shown them."""
    lines = [f"> {line}" for line in message.quoted.splitlines()]
    if message.forwarded:
        lines.append("(A message that somebody else wrote and that was passed on:)")
    if message.unreadable:
        lines.append(f"(With it came {message.unreadable}, which you can't see.)")
    return "\n".join([*lines, words]) if lines else words


class Minutes:
    """Of one message."""

    def __init__(self, conversations: Conversations, message: Message) -> None:
        self._conversations, self._message = conversations, message

    async def keep(self, *turns: Turn, name: Name) -> None:
        """Add turns to the history, unless an earlier attempt has. Tried again while the store can't."""
        message, conversations = self._message, self._conversations
        await with_patience(
            lambda: conversations.append(
                message.address, turns, key=f"{message.key}:{name}", person_id=message.sender.person_id
            )
        )

    async def kept(self, name: Name) -> str:
        """What an earlier attempt kept; empty if none did."""
        turns = await self._conversations.said(f"{self._message.key}:{name}")
        return turns[-1].text if turns else ""
