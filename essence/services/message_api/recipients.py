"""Who is meant, and where they are."""

from __future__ import annotations

from dataclasses import dataclass

from essence.dialogue import Address, Platform
from essence.errors import InvalidInput, NotAllowed
from essence.outgoing import ApiKey, Identity
from essence.ports import Identities
from essence.services.message_api.bodies import NewMessage

TELEGRAM_IDS_BELOW = 2**52
"""https://core.telegram.org/bots/api#user: ids have at most 52 significant bits. Discord's begin with the milliseconds
since 2015 above 22 other bits (https://discord.com/developers/docs/reference#snowflakes), so that each that a person
can have is larger."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Where a message goes."""

    to: Address
    person_id: str
    """On that platform; empty where it isn't known."""


class Recipients:
    """Finds people on the platforms that have a service."""

    def __init__(self, identities: Identities, platforms: frozenset[Platform]) -> None:
        self._identities, self._platforms = identities, platforms

    async def find(self, asked: NewMessage) -> Recipient:
        """Where this message goes.

        Raises:
            InvalidInput: The person's chat isn't known, or its platform has no service; the sentence says what to do.
        """
        if asked.platform != "auto":
            return await self._on(asked.platform, asked)
        if asked.user_id is not None:
            people = await self._identities.linked(Identity(_platform_of(asked.user_id), asked.user_id))
            wrote = await self._identities.last_wrote([one for one in people if one.platform in self._platforms])
            if wrote is not None:
                person, to = wrote
                return Recipient(to, person.person_id)
        return await self._on(_platform_of(asked.chat_id or asked.user_id or ""), asked)

    async def _on(self, platform: Platform, asked: NewMessage) -> Recipient:
        if platform not in self._platforms:
            raise InvalidInput(f"There is no {platform} service here. Set {platform.upper()}_URL of message-api.")
        person_id = asked.user_id or ""
        if platform == "telegram":  # a private chat has the person's own id, a group's is negative
            chat_id = asked.chat_id or person_id
            person_id = person_id or ("" if chat_id.startswith("-") else chat_id)
            return Recipient(Address(platform, chat_id, asked.thread_id), person_id)
        if asked.chat_id is not None:
            return Recipient(Address(platform, asked.chat_id, asked.thread_id), person_id)
        wrote = await self._identities.last_wrote([Identity(platform, person_id)])
        if wrote is None:
            raise InvalidInput(f"{platform} {person_id} has not written to June lately. Give the chat_id.")
        return Recipient(wrote[1], person_id)

    async def check(self, key: ApiKey, to: Address) -> None:
        """Make sure that a key may write there.

        Raises:
            NotAllowed: It is bound to others.
        """
        if not await self.includes(key, to):
            raise NotAllowed(f"The key {key.name} may not write to {to.platform}:{to.chat_id}.")

    async def includes(self, key: ApiKey, to: Address) -> bool:
        """Whether a key may write there, as it is bound now."""
        return not key.recipients or Identity(to.platform, to.chat_id) in await self.chats(key)

    async def chats(self, key: ApiKey) -> frozenset[Identity]:
        """All that a bound key may write to, chats by their id: what it is bound to, and these people's own chats."""
        people = set(key.recipients)
        for recipient in key.recipients:
            people.update(await self._identities.linked(recipient))
        places = [await self._identities.last_wrote([person]) for person in people]
        return frozenset(people | {Identity(place[1].platform, place[1].chat_id) for place in places if place})


def _platform_of(some_id: str) -> Platform:
    return "telegram" if abs(int(some_id)) < TELEGRAM_IDS_BELOW else "discord"
