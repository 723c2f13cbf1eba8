"""What the gateway tells of June herself and of the rooms that she is in."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

import discord

from essence.dialogue import Address
from essence.errors import JuneError
from essence.services.discord.addresses import snowflake
from essence.services.discord.rest import Json, Rest

THREADS = (10, 11, 12)
"""Channel types of threads; Discord's documentation, "Channel Types"."""
_WITH_A_BOT = 1  # Discord's documentation, "Interaction Context Types": BOT_DM
_KEPT_PARENTS = 1000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message was written."""

    address: Address
    private: bool


@dataclass(frozen=True, slots=True)
class Room:
    """A channel or thread of a server, with its last message as far as is known; 0: none."""

    channel_id: str
    place: Place
    last_message_id: int


class Directory:
    """Remembers what the last connected client knows. Safe to ask before there is one."""

    def __init__(self, rest: Rest) -> None:
        self.june_id = ""
        """Empty before the first connection."""
        self.account = ""
        """Her name, such as @june."""
        self.application_id = ""
        self.connected = False
        """Whether there is a session that events come on."""
        self._rest = rest
        self._client: discord.Client | None = None
        self._parents: OrderedDict[str, str] = OrderedDict()

    def met(self, client: discord.Client, me: Json) -> None:
        """Remember who June is, and whom to ask for channels and roles. `me`: her user, as Discord writes it."""
        self._client, self.connected = client, True
        self.june_id, self.account = str(me["id"]), f"@{me['username']}"
        self.application_id = str(client.application_id)

    async def me(self) -> str:
        """June's id; before the first connection Discord is asked for it."""
        if not self.june_id:
            self.june_id = (await self._rest.request("GET", "/users/@me")).json()["id"]
        return self.june_id

    def is_hers(self, role_id: str) -> bool:
        """Whether a role is the one that Discord made for June in a server."""
        guilds = self._client.guilds if self._client else ()
        return any(guild.self_role is not None and str(guild.self_role.id) == role_id for guild in guilds)

    def channel_name(self, channel_id: str) -> str | None:
        """How people call a channel."""
        channel = self._client.get_channel(int(channel_id)) if self._client else None
        name: str | None = getattr(channel, "name", None)
        return name

    def role_name(self, role_id: str) -> str | None:
        """How people call a role."""
        for guild in self._client.guilds if self._client else ():
            if (role := guild.get_role(int(role_id))) is not None:
                return role.name
        return None

    def rooms(self) -> list[Room]:
        """All channels and threads of servers that messages can be in."""
        return [room for guild in (self._client.guilds if self._client else ()) for room in _rooms(guild)]

    async def place(self, raw: Json) -> Place:
        """Where a message or interaction comes from.

        Raises:
            Unreachable, TooSlow, RateLimited: Discord had to be asked, and did not tell.
        """
        channel_id = str(raw["channel_id"])
        if "guild_id" not in raw:
            return Place(Address("discord", channel_id), private=in_private_with(raw) is not None)
        parent_id = _parent_of(raw.get("channel"))
        if parent_id is None:
            parent_id = await self._parent_id(channel_id)
        return _placed(channel_id, parent_id)

    async def _parent_id(self, channel_id: str) -> str:
        """Id of the channel that a thread belongs to; empty for what is no thread."""
        known = self._client.get_channel(int(channel_id)) if self._client else None
        if known is not None:
            return str(known.parent_id) if isinstance(known, discord.Thread) else ""
        if channel_id not in self._parents:
            self._parents[channel_id] = await self._asked_parent_id(channel_id)
            while len(self._parents) > _KEPT_PARENTS:
                self._parents.popitem(last=False)
        return self._parents[channel_id]

    async def _asked_parent_id(self, channel_id: str) -> str:
        answer = await self._rest.request("GET", f"/channels/{snowflake(channel_id)}")
        try:
            return _parent_of(answer.json()) or ""
        except JuneError as error:
            if error.retryable:
                raise
            return ""  # hidden or gone: then it can't be answered in either


def in_private_with(raw: Json) -> str | None:
    """Id of the person who wrote or used something where June and they are alone; None elsewhere."""
    if "guild_id" in raw or raw.get("context", _WITH_A_BOT) != _WITH_A_BOT:
        return None
    return str((raw.get("author") or raw["user"])["id"])


def _parent_of(channel: Json | None) -> str | None:
    if channel is None or "type" not in channel:
        return None
    return str(channel.get("parent_id") or "") if channel["type"] in THREADS else ""


def _placed(channel_id: str, parent_id: str) -> Place:
    address = Address("discord", parent_id, channel_id) if parent_id else Address("discord", channel_id)
    return Place(address, private=False)


def _rooms(guild: discord.Guild) -> Iterator[Room]:
    for kind in (guild.text_channels, guild.voice_channels, guild.stage_channels):
        for one in kind:
            yield Room(str(one.id), _placed(str(one.id), ""), one.last_message_id or 0)
    for thread in guild.threads:
        yield Room(str(thread.id), _placed(str(thread.id), str(thread.parent_id)), thread.last_message_id or 0)
