"""June's channel on Discord: the player of the role `Channel`."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import quote

import aiohttp

from essence import observe
from essence.config import DiscordService
from essence.dialogue import Address, ChannelProfile, ChannelState, Message, Receipt, Reply, Sign, Sound
from essence.errors import ConfigError, JuneError, NotAllowed
from essence.ports import Receive
from essence.services.discord.addresses import ordinary, point_sdk, room, snowflake
from essence.services.discord.bookmark import Bookmark
from essence.services.discord.directory import Directory
from essence.services.discord.doors import Allowed, Doors
from essence.services.discord.files import Files
from essence.services.discord.gaps import Known, Newest
from essence.services.discord.gateway import keep_connected
from essence.services.discord.histories import Histories
from essence.services.discord.intake import Intake, Sources
from essence.services.discord.interactions import Interactions
from essence.services.discord.outgoing import TEXT_UNITS, Outgoing
from essence.services.discord.refusals import KEY_MALFORMED, KEY_MISSING
from essence.services.discord.rest import Rest, open_session

SIGN_DEADLINE_S = 5.0
_HEARD = quote("👀")
_PROFILE = ChannelProfile(
    platform="discord",
    markup="discord",
    text_units=TEXT_UNITS,
    caption_units=0,  # a voice message comes without text
    edit_every_s=1.2,  # Discord tells its pace in headers alone; it has long been 5 in 5 s for a channel
    group_edit_every_s=1.2,
    typing_s=8.0,  # Discord's documentation, "Trigger Typing Indicator": it lasts 10 s
    knows_repeats=True,
)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What exists while the channel is open."""

    session: aiohttp.ClientSession
    rest: Rest
    directory: Directory
    interactions: Interactions
    outgoing: Outgoing
    files: Files


class DiscordChannel:
    """An async context manager. Entering it asks Discord nothing; `listen` connects."""

    def __init__(
        self,
        settings: DiscordService,
        commands: Sequence[tuple[str, str]],
        newest: Newest,
        allowed: Allowed,
        bookmark: Bookmark,
    ) -> None:
        """Nothing is opened yet.

        Args:
            settings: Token and addresses.
            commands: Name and description of each slash command; they take one optional text.
            newest: The last message of each conversation that June has: from there on histories are read.
            allowed: Who may talk to June: their private conversations are looked for, if she has no message of them.
            bookmark: From where histories are read again, if June dies before she has read them all.

        Raises:
            ConfigError: There is no token, or it can't be one.
        """
        self._token = settings.discord_token.strip()
        if not self._token:
            raise ConfigError(KEY_MISSING)
        if not (self._token.isascii() and self._token.isprintable()) or " " in self._token:
            raise ConfigError(KEY_MALFORMED)
        self._settings, self._commands = settings, commands
        self._newest, self._allowed, self._bookmark = newest, allowed, bookmark
        self._troubles: Counter[str] = Counter()
        self._open: _Parts | None = None

    async def __aenter__(self) -> Self:
        point_sdk(self._settings)
        url, session = self._settings.discord_api_url, open_session()
        rest = Rest(session, url, self._token, self._troubles)
        directory = Directory(rest)
        clock = asyncio.get_running_loop().time
        interactions = Interactions(rest, self._commands, self._troubles, clock)
        outgoing = Outgoing(rest, interactions, directory, clock)
        self._open = _Parts(session, rest, directory, interactions, outgoing, Files(session, url, self._troubles))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._parts.session.close()

    @property
    def _parts(self) -> _Parts:
        if self._open is None:
            raise RuntimeError("The channel is used before it was entered.")
        return self._open

    @property
    def profile(self) -> ChannelProfile:
        return _PROFILE

    @property
    def state(self) -> ChannelState:
        troubles = tuple((name, count) for name, count in self._troubles.most_common() if count)
        if self._open is None:
            return ChannelState(connected=False, troubles=troubles)
        directory = self._open.directory
        return ChannelState(directory.connected, directory.account, troubles)

    async def listen(self, receive: Receive) -> None:
        parts = self._parts
        histories = Histories(parts.rest, self._troubles)
        doors = Doors(parts.rest, self._troubles)
        known = Known(parts.directory, self._newest, self._allowed, doors, self._bookmark)
        sources = Sources(parts.directory, histories, parts.interactions, known)
        try:
            async with asyncio.TaskGroup() as tasks:
                intake = Intake(tasks, receive, sources, self._troubles)
                await keep_connected(self._token, intake, self._troubles)
        except BaseExceptionGroup as group:
            # The group is of the tasks' making; callers are promised the refusal itself.
            refusals = group.subgroup(NotAllowed)
            if refusals is None:
                raise
            raise _first(refusals) from group
        finally:
            parts.directory.connected = False

    async def send(self, to: Address, reply: Reply, *, key: str, again: bool = False) -> Receipt:
        return await self._parts.outgoing.send(to, reply, key, again=again)

    async def edit(self, to: Address, message_id: str, reply: Reply) -> None:
        await self._parts.outgoing.edit(to, message_id, reply)

    async def sign(self, message: Message, sign: Sign) -> None:
        try:
            channel = f"/channels/{room(message.address)}"
            if sign != "heard":
                await self._ask("POST", f"{channel}/typing")
            elif (message_id := ordinary(message.message_id)) is not None:
                await self._ask("PUT", f"{channel}/messages/{message_id}/reactions/{_HEARD}/@me")
        except JuneError as error:
            _left_out("sign", error)

    async def _ask(self, method: str, path: str) -> None:
        (await self._parts.rest.request(method, path, deadline_s=SIGN_DEADLINE_S)).json()

    async def acknowledge(self, message: Message, text: str) -> None:
        if ordinary(message.message_id) is not None:
            return
        try:
            await self._parts.interactions.whisper(message.message_id, text, deadline_s=SIGN_DEADLINE_S)
        except JuneError as error:
            _left_out("acknowledgement", error)

    async def fetch(self, sound: Sound, *, max_bytes: int) -> bytes:
        return await self._parts.files.fetch(sound, max_bytes=max_bytes)

    async def direct(self, person_id: str) -> Address:
        body = {"recipient_id": snowflake(person_id)}
        answer = await self._parts.rest.request("POST", "/users/@me/channels", body)
        return Address("discord", str(answer.json()["id"]))


def _left_out(what: str, error: JuneError) -> None:
    """Log it: it has been counted where it went wrong."""
    observe.logger().debug("not_shown", what=what, code=error.code, error=str(error))


def _first(group: BaseExceptionGroup[NotAllowed]) -> NotAllowed:
    found = group.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found
