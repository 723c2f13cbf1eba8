"""Application commands: what a bot offers behind the slash."""

from __future__ import annotations

import regex

from essence.fakes.discord import refusals
from essence.fakes.discord.refusals import Json, Refused, bad_form
from essence.fakes.discord.rest import NOTHING, Answer, Call, Endpoint
from essence.fakes.discord.world import World

CHAT_INPUT = 1
_EVERYWHERE = "/applications/{application_id}/commands"
_IN_GUILD = "/applications/{application_id}/guilds/{guild_id}/commands"
# Discord's documentation, "Application Command Naming".
_NAME = regex.compile(r"[-_'\p{L}\p{N}\p{sc=Deva}\p{sc=Thai}]{1,32}")
_MAX_DESCRIPTION_CHARS = 100
_MAX_COMMANDS = 100


class Commands:
    """Keeps the commands of the bot, for everywhere and for each guild."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._by_guild: dict[str | None, dict[str, Json]] = {None: {}}
        """Guild id, or None for everywhere → command id → command."""

    def all(self) -> list[Endpoint]:
        """Every route with its handler."""
        return [
            endpoint
            for path in (_EVERYWHERE, _IN_GUILD)
            for endpoint in (
                Endpoint("GET", path, self._list),
                Endpoint("PUT", path, self._overwrite),
                Endpoint("POST", path, self._create),
                Endpoint("GET", path + "/{command_id}", self._get),
                Endpoint("PATCH", path + "/{command_id}", self._change),
                Endpoint("DELETE", path + "/{command_id}", self._delete),
            )
        ]

    def offered(self, guild_id: str | None) -> list[Json]:
        """What a person sees there: the guild's own commands hide those of the same name for everywhere."""
        by_name = {one["name"]: one for one in self._by_guild[None].values()}
        if guild_id:
            by_name |= {one["name"]: one for one in self._by_guild.get(guild_id, {}).values()}
        return list(by_name.values())

    def _shelf(self, call: Call) -> dict[str, Json]:
        if call.ids["application_id"] != self._world.application_id:
            raise Refused(refusals.MISSING_ACCESS)
        guild_id = call.ids.get("guild_id")
        if guild_id is not None and guild_id not in self._world.guilds:
            raise Refused(refusals.MISSING_ACCESS)
        return self._by_guild.setdefault(guild_id, {})

    def _list(self, call: Call) -> Answer:
        return Answer(list(self._shelf(call).values()))

    def _overwrite(self, call: Call) -> Answer:
        shelf = self._shelf(call)
        if not isinstance(call.body, list):
            raise bad_form("_", "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
        if len(call.body) > _MAX_COMMANDS:
            raise Refused(refusals.TOO_MANY_COMMANDS)
        names = [one.get("name") for one in call.body]
        if len(set(names)) < len(names):
            raise bad_form("name", "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique")
        ids = {one["name"]: one["id"] for one in shelf.values()}
        made = [self._made(call, body, ids.get(body.get("name")), f"{n}.") for n, body in enumerate(call.body)]
        shelf.clear()
        shelf.update({one["id"]: one for one in made})
        return Answer(made)

    def _create(self, call: Call) -> Answer:
        shelf = self._shelf(call)
        known = {one["name"]: one["id"] for one in shelf.values()}.get(call.body.get("name"))
        made = self._made(call, call.body, known)
        shelf[made["id"]] = made
        return Answer(made, 200 if known else 201)

    def _known(self, call: Call) -> Json:
        shelf = self._shelf(call)
        if call.ids["command_id"] not in shelf:
            raise Refused(refusals.UNKNOWN_COMMAND)
        return shelf[call.ids["command_id"]]

    def _get(self, call: Call) -> Answer:
        return Answer(self._known(call))

    def _change(self, call: Call) -> Answer:
        known = self._known(call)
        made = self._made(call, known | call.body, known["id"])
        self._shelf(call)[made["id"]] = made
        return Answer(made)

    def _delete(self, call: Call) -> Answer:
        del self._shelf(call)[self._known(call)["id"]]
        return NOTHING

    def _made(self, call: Call, body: Json, command_id: str | None, where: str = "") -> Json:
        _check(body, where)
        guild_id = call.ids.get("guild_id")
        made = {
            "id": command_id or self._world.new_id(),
            "application_id": self._world.application_id,
            "version": self._world.new_id(),
            "default_member_permissions": body.get("default_member_permissions"),
            "type": body.get("type", CHAT_INPUT),
            "name": body["name"],
            "name_localizations": body.get("name_localizations"),
            "description": body.get("description", ""),
            "description_localizations": body.get("description_localizations"),
            "contexts": body.get("contexts"),
            "integration_types": body.get("integration_types") or [0],
            "nsfw": bool(body.get("nsfw", False)),
        }
        if body.get("options"):
            made["options"] = body["options"]
        return made | (
            {"guild_id": guild_id} if guild_id else {"dm_permission": body.get("dm_permission") is not False}
        )


def _check(body: Json, where: str) -> None:
    name, is_slash = str(body.get("name", "")), body.get("type", CHAT_INPUT) == CHAT_INPUT
    if is_slash and (not _NAME.fullmatch(name) or name != name.lower()):
        raise bad_form(f"{where}name", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
    if is_slash and not 1 <= len(body.get("description") or "") <= _MAX_DESCRIPTION_CHARS:
        raise bad_form(f"{where}description", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")
