"""Slash commands, buttons and menus in use: the event to the bot, its callback, and what follows."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from essence.fakes.discord import messages, payloads, refusals, rules
from essence.fakes.discord.commands import Commands
from essence.fakes.discord.messages import EPHEMERAL, VOICE, Content
from essence.fakes.discord.refusals import Json, Refused, bad_form
from essence.fakes.discord.rest import NOTHING, Answer, Call, Endpoint
from essence.fakes.discord.world import World

COMMAND, COMPONENT = 2, 3
"""Types of interactions."""
REPLIES, DEFERS, DEFERS_UPDATE, UPDATES, COMPLETES, ASKS = 4, 5, 6, 7, 8, 9
"""Types of callbacks; Discord's documentation, "Interaction Callback Type"."""
LOADING = 1 << 7
"""Flag of the message that says "is thinking …"."""
_DEADLINE_S = 3.0
_TOKEN_LIFE_S = 15 * 60.0
_WEBHOOK = "/webhooks/{application_id}/{token}"
_OPTION_TYPES: dict[type, int] = {str: 3, int: 4, bool: 5, float: 10}


@dataclass(slots=True)
class Interaction:
    """Somebody used something of the bot's, and it has an answer or is waiting for one."""

    interaction_id: str
    token: str
    kind: int
    channel_id: str
    user: Json
    at: datetime
    source: Json | None = None
    """The message whose button was pressed."""
    callback: Json | None = None
    """What the bot answered first; None until then."""
    original_id: str = ""
    """Its first message."""
    deferred: bool = False
    """The first message is still to come."""


class Interactions:
    """Makes interactions and takes the bot's answers."""

    def __init__(self, world: World, commands: Commands) -> None:
        self._world, self._commands = world, commands
        self._by_token: dict[str, Interaction] = {}
        self.deadline_s = _DEADLINE_S
        """Time for the first answer."""

    def all(self) -> list[Endpoint]:
        """Every route with its handler."""
        one = _WEBHOOK + "/messages/{message_id}"
        return [
            Endpoint("POST", "/interactions/{interaction_id}/{token}/callback", self._callback, needs_token=False),
            Endpoint("POST", _WEBHOOK, self._follow_up, needs_token=False),
            Endpoint("GET", one, self._get, needs_token=False),
            Endpoint("PATCH", one, self._edit, needs_token=False),
            Endpoint("DELETE", one, self._delete, needs_token=False),
        ]

    # From a person

    def use(
        self, user: Json, channel_id: str, name: str, options: Mapping[str, str | int | float | bool]
    ) -> Interaction:
        """A slash command.

        Raises:
            Refused: the bot offers no such command there.
        """
        guild_id = self._world.channels[channel_id].get("guild_id")
        for command in self._commands.offered(guild_id):
            if command["name"] == name:
                break
        else:
            raise Refused(refusals.UNKNOWN_COMMAND)
        given = [{"name": key, "type": _OPTION_TYPES[type(value)], "value": value} for key, value in options.items()]
        data = {"id": command["id"], "name": name, "type": command["type"]} | ({"options": given} if given else {})
        if "guild_id" in command:
            data["guild_id"] = guild_id
        return self._begin(COMMAND, user, channel_id, data, None)

    def press(self, user: Json, message: Json, custom_id: str) -> Interaction:
        """A button.

        Raises:
            Refused: the message has no such button, or it is switched off.
        """
        for row in message["components"]:
            for one in row.get("components", ()):
                if one.get("custom_id") == custom_id and not one.get("disabled"):
                    data = {"custom_id": custom_id, "component_type": one["type"], "id": one["id"]}
                    return self._begin(COMPONENT, user, message["channel_id"], data, message)
        raise Refused(refusals.UNKNOWN_INTERACTION)

    def _begin(self, kind: int, user: Json, channel_id: str, data: Json, source: Json | None) -> Interaction:
        world = self._world
        made = Interaction(world.new_id(), secrets.token_urlsafe(32), kind, channel_id, user, world.now(), source)
        self._by_token = {token: one for token, one in self._by_token.items() if self._age_s(one) <= _TOKEN_LIFE_S}
        self._by_token[made.token] = made
        world.emit("INTERACTION_CREATE", self._event(made, data), world.channels[channel_id].get("guild_id"))
        return made

    def _event(self, made: Interaction, data: Json) -> Json:
        channel = self._world.channels[made.channel_id]
        event = {
            "id": made.interaction_id,
            "application_id": self._world.application_id,
            "type": made.kind,
            "token": made.token,
            "version": 1,
            "data": data,
            "channel_id": made.channel_id,
            "channel": channel,
            "app_permissions": payloads.PERMISSIONS,
            "locale": "en-US",
            "entitlements": [],
            "authorizing_integration_owners": self._owners(channel),
            "context": 0 if "guild_id" in channel else 1,
            "attachment_size_limit": 10 * 2**20,
        }
        if made.source:
            event["message"] = messages.view(self._world, made.source)
        if "guild_id" not in channel:
            return event | {"user": made.user}
        guild_id = channel["guild_id"]
        member = self._world.members[guild_id][made.user["id"]] | {"permissions": payloads.PERMISSIONS}
        guild = {"id": guild_id, "locale": "en-US", "features": []}
        return event | {"member": member, "guild_id": guild_id, "guild": guild, "guild_locale": "en-US"}

    def _owners(self, channel: Json) -> dict[str, str]:
        """Key 0 stands for "installed in a guild"; its value is 0 in the bot's DM."""
        return {"0": channel.get("guild_id", "0")}

    # From the bot

    def _callback(self, call: Call) -> Answer:
        made = self._waiting(call)
        callback = call.body or {}
        if not isinstance(callback.get("type"), int):
            raise bad_form("type", "BASE_TYPE_REQUIRED", "This field is required")
        message = self._respond(made, callback["type"], callback.get("data") or {}, call)
        made.callback = callback
        self._world.did("respond", made.channel_id, made.interaction_id, callback)
        if call.query.get("with_response", "").lower() not in ("1", "true"):
            return NOTHING
        about: Json = {"id": made.interaction_id, "type": made.kind}
        if message is None:
            return Answer({"interaction": about})
        about |= {
            "response_message_id": message["id"],
            "response_message_loading": made.deferred,
            "response_message_ephemeral": bool(message["flags"] & EPHEMERAL),
            "channel_id": made.channel_id,
        }
        # Documentation: `message` is there for these two alone, and `resource` is nothing without it.
        shows = callback["type"] in (REPLIES, UPDATES)
        resource = {"resource": {"type": callback["type"], "message": message}} if shows else {}
        return Answer({"interaction": about} | resource)

    def _waiting(self, call: Call) -> Interaction:
        made = self._by_token.get(call.ids["token"])
        if made is None or made.interaction_id != call.ids["interaction_id"]:
            raise Refused(refusals.UNKNOWN_INTERACTION)
        if made.callback is not None:
            raise Refused(refusals.ALREADY_ACKNOWLEDGED)
        if self._age_s(made) > self.deadline_s:
            raise Refused(refusals.UNKNOWN_INTERACTION)
        return made

    def _age_s(self, made: Interaction) -> float:
        return (self._world.now() - made.at).total_seconds()

    def _respond(self, made: Interaction, kind: int, data: Json, call: Call) -> Json | None:
        """Do what the callback asks for; the message that it made or changed."""
        if kind == REPLIES:
            message = self._post(made, data, call)
        elif kind == DEFERS:
            flags = LOADING | int(data.get("flags") or 0) & EPHEMERAL
            message = messages.post(
                self._world, made.channel_id, self._world.bot, self._marked(made, Content(flags=flags))
            )
            made.deferred = True
        elif kind in (DEFERS_UPDATE, UPDATES) and made.source is not None:
            message = made.source
            if kind == UPDATES:
                message = self._changed(message, data, call)
        elif kind in (COMPLETES, ASKS):
            return None
        else:
            raise bad_form("type", "BASE_TYPE_CHOICES", "This interaction can't be answered so.")
        made.original_id = message["id"]
        return message

    def _post(self, made: Interaction, data: Json, call: Call) -> Json:
        # Interaction responses know no voice messages: flag, length and waveform are ignored.
        flags = int(data.get("flags") or 0) & ~VOICE
        content = rules.new_message(self._world, made.channel_id, data | {"flags": flags}, call.uploads)
        content = replace(content, files=tuple(replace(one, duration_s=None, waveform=None) for one in content.files))
        message = messages.post(self._world, made.channel_id, self._world.bot, self._marked(made, content))
        self._world.did("post", made.channel_id, message["id"], dict(message))
        return message

    def _marked(self, made: Interaction, content: Content) -> Content:
        metadata = {
            "id": made.interaction_id,
            "type": made.kind,
            "user": made.user,
            "authorizing_integration_owners": self._owners(self._world.channels[made.channel_id]),
        }
        if made.source:
            metadata["interacted_message_id"] = made.source["id"]
        return replace(content, interaction=metadata)

    def _changed(self, message: Json, data: Json, call: Call) -> Json:
        changed = rules.changes(self._world, message, data, call.uploads)
        was_loading = message["flags"] & LOADING
        seen = messages.edit(self._world, message, changed | {"flags": message["flags"] & ~LOADING})
        # To people a deferred answer is there when it is filled.
        kind: Literal["post", "edit"] = "post" if was_loading else "edit"
        self._world.did(kind, message["channel_id"], message["id"], dict(seen))
        return seen

    # After the callback

    def _answered(self, call: Call) -> Interaction:
        made = self._by_token.get(call.ids["token"])
        if made is None or call.ids["application_id"] != self._world.application_id or made.callback is None:
            raise Refused(refusals.UNKNOWN_WEBHOOK)
        if self._age_s(made) > _TOKEN_LIFE_S:
            raise Refused(refusals.EXPIRED_TOKEN)
        return made

    def _follow_up(self, call: Call) -> Answer:
        made = self._answered(call)
        if made.deferred:  # documentation: the first follow-up of a deferred answer edits that answer
            made.deferred = False
            original = self._message(made, "@original")
            return Answer(self._changed(original, call.body or {}, call))
        return Answer(self._post(made, call.body or {}, call))

    def _message(self, made: Interaction, message_id: str) -> Json:
        message_id = made.original_id if message_id == "@original" else message_id
        if message_id in self._world.ephemeral:
            return self._world.ephemeral[message_id]
        return self._world.message(made.channel_id, message_id)

    def _get(self, call: Call) -> Answer:
        made = self._answered(call)
        return Answer(messages.view(self._world, self._message(made, call.ids["message_id"])))

    def _edit(self, call: Call) -> Answer:
        made = self._answered(call)
        message = self._message(made, call.ids["message_id"])
        if message["id"] == made.original_id:
            made.deferred = False
        return Answer(self._changed(message, call.body or {}, call))

    def _delete(self, call: Call) -> Answer:
        made = self._answered(call)
        message = self._message(made, call.ids["message_id"])
        messages.delete(self._world, message)
        self._world.did("delete", message["channel_id"], message["id"], message)
        return NOTHING
