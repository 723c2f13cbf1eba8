"""What Discord's refusals mean to June. Codes: Discord's documentation, "Opcodes and Status Codes"."""

from __future__ import annotations

from essence.errors import InvalidInput, JuneError, NotAllowed, NotFound, Unreachable

ALREADY_ACKNOWLEDGED = 40060
MISSING_PERMISSIONS = 50013
NO_VOICE_HERE = 50173
NO_HISTORY_HERE = 160002
UNKNOWN_WEBHOOK = 10015
UNKNOWN_INTERACTION = 10062
EXPIRED_TOKEN = 50027
KEY_REFUSED = (
    "Discord refuses June's token. Open discord.com/developers, choose the application, Bot, Reset Token, and set "
    "DISCORD_TOKEN to the new one."
)
KEY_MISSING = (
    "DISCORD_TOKEN is not set. Open discord.com/developers, New Application, Bot, Reset Token; set DISCORD_TOKEN to "
    "the token, and switch on Message Content Intent on the same page."
)
KEY_MALFORMED = (
    "DISCORD_TOKEN holds characters that no token has. Copy it again: discord.com/developers, the application, Bot, "
    "Reset Token."
)
INTENT_MISSING = (
    "Discord does not let June read messages. Open discord.com/developers, choose the application, Bot, and switch on "
    "Message Content Intent."
)
_NOT_ALLOWED = {
    50001: "June can't see this channel. Give her role the permission View Channel.",
    50007: "This person takes no direct messages from June. They can allow them in the privacy settings of a server "
    "that they share with June.",
    MISSING_PERMISSIONS: "June lacks a permission in this channel. Give her role View Channel, Send Messages, Attach "
    "Files and Send Voice Messages.",
    50278: "This person shares no server with June. Invite June to a server where they are.",
}
_NOT_FOUND = {
    10003: "Discord knows no such channel. It may have been deleted, or June was removed from the server.",
    10008: "The message is gone.",
    10013: "Discord knows no such person. Copy the id in Discord with developer mode switched on.",
    50033: "Discord lets June write to no such person. Copy the id in Discord with developer mode switched on.",
}


def refused(status: int, code: int | None, words: str) -> JuneError:
    """The error for an answer of 400 to 499 other than 429.

    Args:
        status: Of HTTP.
        code: Discord's own; None where the answer was not Discord's but a proxy's.
        words: What Discord says about it.
    """
    if code is None:
        return Unreachable(f"Something between June and Discord answered {status}. Try again in a moment.")
    if status == 401:
        return NotAllowed(KEY_REFUSED)
    if status == 404 or code in _NOT_FOUND:
        return NotFound(_NOT_FOUND.get(code, f"Discord does not find it ({code}: {words})."))
    if status == 403:
        return NotAllowed(_NOT_ALLOWED.get(code, f"Discord does not let June do this ({code}: {words})."))
    if status == 413:
        return InvalidInput("The file is larger than Discord lets June send here. Send less at once.")
    return InvalidInput(f"Discord refuses this ({code}: {words}).")
