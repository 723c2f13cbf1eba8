"""Private conversations that June has no message of: Discord lists none to bots, so each is opened by a person's id."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable

from essence import config, observe
from essence.errors import JuneError
from essence.ports import People
from essence.services.discord.addresses import snowflake
from essence.services.discord.patience import retryable, until_it_works
from essence.services.discord.rest import Rest

PAUSE_S = 1.0
"""Between two openings: Discord blocks bots that open "a significant amount of DMs too quickly" and tells no number;
Discord's documentation, "Create DM"."""
MOST = 100
"""At one start, for the same reason."""
Allowed = Callable[[], Awaitable[tuple[str, ...]]]
"""Ids of the people who may talk to June, the most important first."""


async def allowed(settings: config.DiscordService, people: People) -> tuple[str, ...]:
    """Owners, then guests by name, then those whom an owner let in, the newest first."""
    owners, guests = config.listed(settings.discord_owner_users), config.listed(settings.discord_whitelisted_users)
    let_in = [
        pairing.person.person_id
        for pairing in await people.pairings()
        if pairing.platform == "discord" and pairing.approved_at is not None
    ]
    return tuple(dict.fromkeys([*sorted(owners), *sorted(guests), *let_in]))


class Doors:
    """Opens private conversations. The person notices nothing."""

    def __init__(self, rest: Rest, troubles: Counter[str]) -> None:
        self._rest, self._troubles = rest, troubles

    async def open(self, person_id: str) -> str | None:
        """Channel id of the conversation with a person; None where Discord refuses. Outages are waited for."""

        async def ask() -> str:
            answer = await self._rest.request("POST", "/users/@me/channels", {"recipient_id": snowflake(person_id)})
            return str(answer.json()["id"])

        try:
            return await until_it_works("private conversation not opened", ask, self._troubles, retryable)
        except JuneError as error:
            self._troubles["private conversation refused"] += 1
            observe.logger().warning("private_conversation_refused", person=person_id, error=str(error))
            return None
