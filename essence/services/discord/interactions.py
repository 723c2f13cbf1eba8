"""Slash commands and buttons: offered, answered at once so that Discord waits, and answered in full later.

Discord's documentation, "Receiving and Responding to Interactions": the first answer within 3 s, further ones within
15 min, both by the interaction's own token. Discord forgets an interaction once it is answered, and no history tells of
it, so June keeps it first. If that takes too long she says so, and what to do: whatever happens to her then, the person
has seen an end.
"""

from __future__ import annotations

import asyncio
import contextlib
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
_SLASH, _PRESS = "slash-", "press-"
_SAYS, _SHOWS_THINKING, _SHOWS_NOTHING = 4, 5, 6  # "Interaction Callback Type"
KEEP_S = 1.0
"""How long an interaction may take to be kept before its person is told that it is not."""
_FIRST_ANSWER_S, _ATTEMPTS = 0.9, 2
_TOKEN_S = 14 * 60.0
_MOST_OPEN = 1000
_TEXT = 3  # "Application Command Option Type"
_EVERYWHERE = [0, 1]  # "Interaction Context Types": in servers, and in private with June
_EPHEMERAL = 1 << 6  # "Message Flags": for one person alone
_MOST_DESCRIPTION_CHARS = 100
_NOT_KEPT = (
    "⏳ I have not been able to write this down yet. I answer as soon as I can; if no answer comes in a few minutes, "
    "{do} again."
)


@dataclass(slots=True)
class Open:
    """An interaction that can still be answered."""

    application_id: str
    until: float
    token: str = field(repr=False)
    first_key: str | None = None
    """Of the message that stands in the place of "June is thinking …"; None: nothing does."""
    aside: str = ""
    """What its person alone is told of a command in the place of an answer; to be set before `kept`."""
    is_late: bool = False
    """Its person was told that it is not kept yet, and of a command that stands in the place of its answer."""
    kept: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when June will not forget it."""
    told: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when Discord knows that June has it, or can't be told: nothing more can be said before."""

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

    def began(self, raw: Json) -> Open | None:
        """Remember an interaction; None for one that is known already, since events may come twice."""
        message_id = _message_id(raw)
        if message_id in self._open:
            return None
        token, application_id = str(raw["token"]), str(raw["application_id"])
        opened = self._open[message_id] = Open(application_id, self._clock() + _TOKEN_S, token)
        while len(self._open) > _MOST_OPEN:
            self._open.popitem(last=False)
        return opened

    def find(self, message_id: str | None) -> Open | None:
        """What can be answered by this id of a message; None: nothing, or no more."""
        found = self._open.get(message_id or "")
        if found is None or found.until < self._clock():
            self._open.pop(message_id or "", None)
            return None
        return found

    async def answerable(self, message_id: str | None) -> Open | None:
        """As `find`, once Discord has been told of it."""
        if (found := self.find(message_id)) is not None:
            await found.told.wait()
        return self.find(message_id)

    def forget(self, message_id: str) -> None:
        """It can't be answered any more."""
        self._open.pop(message_id, None)

    async def answer_in_time(self, raw: Json, opened: Open) -> None:
        """Tell Discord within its 3 s that June has it, or the person that she can't keep it yet.

        A failure is counted, and ordinary messages answer.
        """
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(opened.kept.wait(), KEEP_S)
        opened.is_late = not opened.kept.is_set()
        body = _not_kept(raw["type"]) if opened.is_late else _acknowledgement(raw["type"], opened.aside)
        path = f"/interactions/{raw['id']}/{raw['token']}/callback"
        error: JuneError = Unreachable("")
        for _ in range(_ATTEMPTS):
            try:
                answer = await self._rest.request("POST", path, body, deadline_s=_FIRST_ANSWER_S)
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
        """Say something to the one who tapped a button, or in the place of an answer to the one who used a command.

        Raises:
            InvalidInput: It can't be answered any more.
            JuneError: As `Rest.request`.
        """
        if (opened := self.find(message_id)) is not None:
            opened.aside = text
            opened.kept.set()  # what it asked for has been decided
        found = await self.answerable(message_id)
        if found is None:
            self._troubles["button answered too late"] += 1
            raise InvalidInput("The button was tapped too long ago to be answered.")
        if message_id.startswith(_SLASH):
            if not found.is_late:  # the first answer said it
                return
            # All see what stands there, and what comes in its place would be seen by all, too.
            await self._rest.request("DELETE", f"{found.path}/messages/@original", deadline_s=deadline_s)
        (await self._rest.request("POST", found.path, _for_one(text), deadline_s=deadline_s)).json()


def _message_id(raw: Json) -> str:
    return f"{_SLASH if raw['type'] == COMMAND else _PRESS}{raw['id']}"


def _for_one(text: str) -> Json:
    return {"content": text, "flags": _EPHEMERAL, "allowed_mentions": {"parse": []}}


def _acknowledgement(kind: int, aside: str) -> Json:
    if kind == COMMAND and aside:
        return {"type": _SAYS, "data": _for_one(aside)}
    return {"type": _SHOWS_THINKING if kind == COMMAND else _SHOWS_NOTHING}


def _not_kept(kind: int) -> Json:
    """Of a command, where its answer will stand; of a button, for the one who tapped it."""
    if kind == COMMAND:
        return {"type": _SAYS, "data": {"content": _NOT_KEPT.format(do="use the command")}}
    return {"type": _SAYS, "data": {"content": _NOT_KEPT.format(do="tap the button"), "flags": _EPHEMERAL}}


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
