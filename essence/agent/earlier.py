"""What was said before in a conversation, and whether it is the owner's and June's words alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from essence.agent.prompt import holds_others
from essence.dialogue import Turn
from essence.ports import Conversations
from essence.work import Request

_ROLES: dict[str, Literal["user", "assistant"]] = {"user": "user", "assistant": "assistant"}


@dataclass(frozen=True, slots=True)
class Earlier:
    """The end of a conversation."""

    turns: tuple[Turn, ...] = ()
    """The oldest first."""
    tainted: bool = False
    """Words of others are in the conversation: passed on, quoted, fetched, or another member's of a group. They may be
    older than `turns`: an answer that tells of them outlasts them."""


async def earlier(conversations: Conversations, request: Request, *, turns: int, chars: int) -> Earlier:
    """The last turns of a message's conversation: at most so many, and of so many characters together.

    Without the message itself, which the chat service keeps when it takes it, and without an answer of a lost attempt.
    """
    own = [turn for name in ("asked", "answered") for turn in await conversations.said(f"{request.key}:{name}")]
    said: list[tuple[Turn, str]] = []
    async for line in conversations.export(request.address):
        fields = json.loads(line)
        if fields["role"] in _ROLES:
            said.append((Turn(_ROLES[fields["role"]], fields["text"]), fields["person_id"]))
    shown: list[Turn] = []
    tainted = False
    for turn, person_id in reversed(said):
        if turn in own:
            own.remove(turn)
            continue
        tainted |= person_id != request.person_id or holds_others(turn)
        chars -= len(turn.text)
        if chars >= 0 and len(shown) < turns:
            shown.append(turn)
    return Earlier(tuple(reversed(shown)), tainted)
