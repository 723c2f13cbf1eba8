"""Slash commands and buttons: offered, answered at once so that Discord waits, and answered in full later.

Discord's documentation, "Receiving and Responding to Interactions": the first answer within 3 s, further ones within
15 min, both by the interaction's own token.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from essence import observe
from essence.errors import InvalidInput, JuneError, Unreachable
from essence.services.discord.patience import retryable, until_it_works
from essence.services.discord.refusals import ALREADY_ACKNOWLEDGED
from essence.services.discord.rest import Json, Rest

COMMAND, COMPONENT = 2, 3
"""Types of interactions; Discord's documentation, "Interaction Type"."""
_SHOWS_THINKING, _SHOWS_NOTHING = 5, 6  # "Interaction Callback Type"
_FIRST_ANSWER_S, _ATTEMPTS = 1.4, 2
_TOKEN_S = 14 * 60.0
_MOST_OPEN = 1000
_TEXT = 3  # "Application Command Option Type"
_EVERYWHERE = [0, 1]  # "Interaction Context Types": in servers, and in private with June
_EPHEMERAL = 1 << 6  # "Message Flags": for one person alone
_MOST_DESCRIPTION_CHARS = 100


@dataclass(slots=True)
class Open:
    """An interaction that can still be answered."""

    application_id: str
    until: float
    token: str = field(repr=False)
    first_key: str | None = None
    """Of the message that stands in the place of "June is thinking …"; None: nothing does."""

    @property
    def path(self) -> str:
        """Where its answers go."""
        return f"/webhooks/{self.application_id}/{self.token}"


class Interactions:
    """Remembers what can still be answered, for as long as Discord lets it be."""

    def __init__(
        self, rest: Rest, commands: Sequence[tuple[str, str]], troubles: Counter[str], clock: Callable[[], float]
    ) -> None:
        """`commands`: name and description of each that is offered. `clock`: monotonic, in seconds."""
        self._rest, self._commands, self._troubles, self._clock = rest, commands, troubles, clock
        self._open: OrderedDict[str, Open] = OrderedDict()

    async def offer(self, application_id: str) -> None:
        """Make Discord offer the commands. What it refuses is logged: June works without them."""

        async def put() -> None:
            await _offer(self._rest, application_id, self._commands)

        try:
            await until_it_works("commands not offered", put, self._troubles, retryable)
        except JuneError as error:
            self._troubles["commands refused"] += 1
            observe.logger().error("commands_refused", code=error.code, error=str(error))

    def began(self, raw: Json) -> bool:
        """Remember an interaction; False for one that is known already, since events may come twice."""
        message_id = _message_id(raw)
        if message_id in self._open:
            return False
        token, application_id = str(raw["token"]), str(raw["application_id"])
        self._open[message_id] = Open(application_id, self._clock() + _TOKEN_S, token)
        while len(self._open) > _MOST_OPEN:
            self._open.popitem(last=False)
        return True

    def find(self, message_id: str | None) -> Open | None:
        """What can be answered by this id of a message; None: nothing, or no more."""
        found = self._open.get(message_id or "")
        if found is None or found.until < self._clock():
            self._open.pop(message_id or "", None)
            return None
        return found

    def forget(self, message_id: str) -> None:
        """It can't be answered any more."""
        self._open.pop(message_id, None)

    async def answer_at_once(self, raw: Json) -> None:
        """Tell Discord within its 3 s that an answer will come. A failure is counted, and ordinary messages answer."""
        kind = _SHOWS_THINKING if raw["type"] == COMMAND else _SHOWS_NOTHING
        path = f"/interactions/{raw['id']}/{raw['token']}/callback"
        error: JuneError = Unreachable("")
        for _ in range(_ATTEMPTS):
            try:
                answer = await self._rest.request("POST", path, {"type": kind}, deadline_s=_FIRST_ANSWER_S)
            except JuneError as failure:
                error = failure
                continue
            if answer.status < 400 or answer.code == ALREADY_ACKNOWLEDGED:
                return
            error = answer.refusal()
            break
        self._failed(_message_id(raw), error)

    def _failed(self, message_id: str, error: JuneError) -> None:
        self._troubles["interaction not acknowledged"] += 1
        observe.logger().warning("interaction_not_acknowledged", code=error.code, error=str(error))
        self.forget(message_id)

    async def whisper(self, message_id: str, text: str, *, deadline_s: float) -> None:
        """Say something to the one who tapped a button.

        Raises:
            InvalidInput: It can't be answered any more.
            JuneError: As `Rest.request`.
        """
        found = self.find(message_id)
        if found is None:
            self._troubles["button answered too late"] += 1
            raise InvalidInput("The button was tapped too long ago to be answered.")
        body = {"content": text, "flags": _EPHEMERAL, "allowed_mentions": {"parse": []}}
        (await self._rest.request("POST", found.path, body, deadline_s=deadline_s)).json()


def _message_id(raw: Json) -> str:
    return f"{'slash' if raw['type'] == COMMAND else 'press'}-{raw['id']}"


# --- what is offered


async def _offer(rest: Rest, application_id: str, commands: Sequence[tuple[str, str]]) -> None:
    """Offer these commands and no others; written only where Discord offers others now."""
    path = f"/applications/{application_id}/commands"
    wanted = [_offered(name, description) for name, description in commands]
    present = (await rest.request("GET", path)).json()
    if sorted(map(_shape, wanted)) != sorted(map(_shape, present)):
        (await rest.request("PUT", path, wanted)).json()


def _offered(name: str, description: str) -> Json:
    about = description[:_MOST_DESCRIPTION_CHARS]
    option = {"type": _TEXT, "name": "text", "description": "What June should know.", "required": False}
    return {"name": name, "description": about, "type": 1, "contexts": _EVERYWHERE, "options": [option]}


def _shape(command: Json) -> tuple[str, str, tuple[int, ...], tuple[tuple[int, str, str], ...]]:
    """What of a command is June's; Discord adds more."""
    options = tuple((one["type"], one["name"], one["description"]) for one in command.get("options") or ())
    return command["name"], command["description"], tuple(command.get("contexts") or ()), options
