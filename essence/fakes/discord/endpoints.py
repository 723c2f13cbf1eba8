"""The routes that a chat bot uses, interactions aside."""

from __future__ import annotations

from urllib.parse import unquote

from essence.fakes.discord import messages, payloads, refusals, rules
from essence.fakes.discord.refusals import Json, Refused
from essence.fakes.discord.rest import NOTHING, Answer, Call, Endpoint
from essence.fakes.discord.sessions import portal_flags
from essence.fakes.discord.world import World

_CHANNEL = "/channels/{channel_id}"
_MESSAGES = _CHANNEL + "/messages"
_MESSAGE = _MESSAGES + "/{message_id}"
_MAX_THREAD_NAME_CHARS = 100
_MAX_EMOJI_CHARS = 12  # a flag or a family with skin tones is long; a word is no emoji


class Endpoints:
    """What each does to the world."""

    def __init__(self, world: World, privileged_intents: int) -> None:
        self._world, self._privileged = world, privileged_intents
        self._nonces = rules.Nonces(world)
        self.gateway_url = ""
        """Set once the port is known."""

    def all(self) -> list[Endpoint]:
        """Every route with its handler."""
        return [
            Endpoint("GET", "/users/@me", self._me),
            Endpoint("GET", "/users/{user_id}", self._user),
            Endpoint("POST", "/users/@me/channels", self._open_dm),
            Endpoint("GET", "/oauth2/applications/@me", self._application),
            Endpoint("GET", "/applications/@me", self._application),
            Endpoint("GET", "/gateway", self._gateway, needs_token=False),
            Endpoint("GET", "/gateway/bot", self._gateway_bot),
            Endpoint("GET", "/guilds/{guild_id}", self._guild),
            Endpoint("GET", "/guilds/{guild_id}/channels", self._guild_channels),
            Endpoint("GET", "/guilds/{guild_id}/members/{user_id}", self._member),
            Endpoint("GET", "/guilds/{guild_id}/threads/active", self._active_threads),
            Endpoint("GET", _CHANNEL, self._channel),
            Endpoint("POST", _CHANNEL + "/typing", self._type),
            Endpoint("GET", _MESSAGES, self._history),
            Endpoint("POST", _MESSAGES, self._post),
            Endpoint("GET", _MESSAGE, self._message),
            Endpoint("PATCH", _MESSAGE, self._edit),
            Endpoint("DELETE", _MESSAGE, self._delete),
            Endpoint("PUT", _MESSAGE + "/reactions/{emoji}/@me", self._react),
            Endpoint("DELETE", _MESSAGE + "/reactions/{emoji}/@me", self._unreact),
            Endpoint("GET", _MESSAGE + "/reactions/{emoji}", self._reactors),
            Endpoint("POST", _MESSAGE + "/threads", self._thread_on_message),
            Endpoint("POST", _CHANNEL + "/threads", self._thread),
        ]

    # Who and where

    def _me(self, _: Call) -> Answer:
        return Answer(self._world.bot | {"mfa_enabled": False, "locale": "en-US", "verified": True, "email": None})

    def _user(self, call: Call) -> Answer:
        if call.ids["user_id"] not in self._world.users:
            raise Refused(refusals.UNKNOWN_USER)
        return Answer(self._world.users[call.ids["user_id"]])

    def _application(self, _: Call) -> Answer:
        bot, flags = self._world.bot, portal_flags(self._privileged)
        return Answer(payloads.application(self._world.application_id, bot, bot, flags))

    def _gateway(self, _: Call) -> Answer:
        return Answer({"url": self.gateway_url})

    def _gateway_bot(self, _: Call) -> Answer:
        limit = {"total": 1000, "remaining": 1000, "reset_after": 86_400_000, "max_concurrency": 1}
        return Answer({"url": self.gateway_url, "shards": 1, "session_start_limit": limit})

    def _guild(self, call: Call) -> Answer:
        return Answer(self._known_guild(call))

    def _known_guild(self, call: Call) -> Json:
        if call.ids["guild_id"] not in self._world.guilds:
            raise Refused(refusals.UNKNOWN_GUILD)
        return self._world.guilds[call.ids["guild_id"]]

    def _guild_channels(self, call: Call) -> Answer:
        guild_id = self._known_guild(call)["id"]
        channels: list[Json] = self._world.guild_create(guild_id)["channels"]
        return Answer(channels)

    def _active_threads(self, call: Call) -> Answer:
        guild_id = self._known_guild(call)["id"]
        return Answer({"threads": self._world.guild_create(guild_id)["threads"], "members": [], "has_more": False})

    def _member(self, call: Call) -> Answer:
        members = self._world.members[self._known_guild(call)["id"]]
        if call.ids["user_id"] not in members:
            raise Refused(refusals.UNKNOWN_USER)
        return Answer(members[call.ids["user_id"]])

    def _open_dm(self, call: Call) -> Answer:
        return Answer(self._world.dm_with(str((call.body or {}).get("recipient_id"))))

    def _channel(self, call: Call) -> Answer:
        return Answer(self._world.channel(call.ids["channel_id"]))

    # Messages

    def _type(self, call: Call) -> Answer:
        channel = self._world.channel(call.ids["channel_id"])
        self._world.did("typing", channel["id"], "", {})
        return NOTHING

    def _history(self, call: Call) -> Answer:
        channel = self._world.channel(call.ids["channel_id"])
        found = (
            [] if channel["id"] in self._world.no_history else messages.history(self._world, channel["id"], call.query)
        )
        return Answer([messages.view(self._world, one) for one in found])

    def _message(self, call: Call) -> Answer:
        return Answer(messages.view(self._world, self._known(call)))

    def _known(self, call: Call) -> Json:
        return self._world.message(call.ids["channel_id"], call.ids["message_id"])

    def _post(self, call: Call) -> Answer:
        channel_id, body = call.ids["channel_id"], call.body or {}
        content = rules.new_message(self._world, channel_id, body, call.uploads)
        if (made := self._nonces.made(channel_id, body)) is not None:
            return Answer(made)
        message = messages.post(self._world, channel_id, self._world.bot, content)
        if content.nonce is not None:
            self._nonces.remember(channel_id, message)
        self._world.did("post", channel_id, message["id"], dict(message))
        return Answer(message)

    def _edit(self, call: Call) -> Answer:
        message = self._known(call)
        changed = rules.changes(self._world, message, call.body or {}, call.uploads)
        seen = messages.edit(self._world, message, changed)
        self._world.did("edit", message["channel_id"], message["id"], dict(seen))
        return Answer(seen)

    def _delete(self, call: Call) -> Answer:
        message = self._known(call)
        if message["author"]["id"] != self._world.bot["id"]:
            in_dm = self._world.channels[message["channel_id"]]["type"] == payloads.DM
            raise Refused(refusals.NOT_IN_A_DM) if in_dm else Refused(refusals.MISSING_PERMISSIONS)
        messages.delete(self._world, message)
        self._world.did("delete", message["channel_id"], message["id"], message)
        return NOTHING

    # Reactions

    def _react(self, call: Call) -> Answer:
        return self._change_reaction(call, adds=True)

    def _unreact(self, call: Call) -> Answer:
        return self._change_reaction(call, adds=False)

    def _change_reaction(self, call: Call, *, adds: bool) -> Answer:
        message, emoji = self._known(call), _emoji(call)
        if adds and message["channel_id"] in self._world.no_history:
            raise Refused(refusals.MISSING_PERMISSIONS)
        messages.react(self._world, message, self._world.bot, emoji, adds=adds)
        self._world.did("react" if adds else "unreact", message["channel_id"], message["id"], {"emoji": emoji})
        return NOTHING

    def _reactors(self, call: Call) -> Answer:
        given, emoji = self._world.reactions.get(self._known(call)["id"], []), _emoji(call)
        return Answer([self._world.users[user_id] for one, user_id in given if one == emoji])

    # Threads

    def _thread_on_message(self, call: Call) -> Answer:
        message = self._known(call)
        if message["id"] in self._world.channels:
            raise Refused(refusals.THREAD_EXISTS)
        return self._open_thread(call, message["id"])

    def _thread(self, call: Call) -> Answer:
        return self._open_thread(call, "")

    def _open_thread(self, call: Call, thread_id: str) -> Answer:
        parent = self._world.channel(call.ids["channel_id"])
        if parent["type"] == payloads.DM:
            raise Refused(refusals.NOT_IN_A_DM)
        name = str((call.body or {}).get("name", ""))
        if not 1 <= len(name) <= _MAX_THREAD_NAME_CHARS:
            raise refusals.bad_form("name", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")
        thread = self._world.add_thread(parent, name, self._world.bot["id"], thread_id)
        self._world.did("thread", parent["id"], thread_id, thread)
        return Answer(thread, 201)


def _emoji(call: Call) -> str:
    emoji = unquote(call.ids["emoji"])
    if not emoji or len(emoji) > _MAX_EMOJI_CHARS or emoji.isascii():
        raise Refused(refusals.UNKNOWN_EMOJI)
    return emoji
