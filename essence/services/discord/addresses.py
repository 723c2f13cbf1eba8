"""Where Discord is, and how its places are named: ids on the wire, addresses inside June."""

from __future__ import annotations

import logging
import re

import discord
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from essence.config import DiscordService
from essence.dialogue import Address
from essence.errors import NotFound

CDN_HOSTS = frozenset({"cdn.discordapp.com", "media.discordapp.net"})
"""Where attachments lie; Discord's documentation, "CDN Formatting" and "Proxied media"."""
_SNOWFLAKE = re.compile(r"[0-9]{1,20}", re.ASCII)  # Discord's documentation, "Snowflakes": 64 bits in decimal
_MESSAGE = re.compile(r"(?:slash-|press-)?([0-9]{1,20})(?:\..*|~.*)?", re.ASCII | re.DOTALL)


def point_sdk(settings: DiscordService) -> None:
    """Bring discord.py to the servers that the settings name; it keeps its addresses in these class attributes.

    Its log is kept to warnings: below, it tells what people wrote and the tokens of interactions. A lost connection it
    tells of by a page of traceback for each try; June has a line of her own for that.
    """
    logging.getLogger("discord").setLevel(logging.WARNING)
    logging.getLogger("discord.client").setLevel(logging.CRITICAL)
    discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False  # June needs no calls, so nobody need hear it
    defaults = DiscordService.model_fields
    if settings.discord_api_url != defaults["discord_api_url"].default:
        api = yarl.URL(settings.discord_api_url)
        Route.BASE = str(api)
        discord.Asset.BASE = str(api.with_path("/cdn"))
    if settings.discord_gateway_url != defaults["discord_gateway_url"].default:
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(settings.discord_gateway_url)


def file_url(text: str, api_url: str) -> yarl.URL | None:
    """From where a file may be fetched: Discord's own hosts, or the server that stands for Discord; None: nowhere.

    Args:
        text: As a message tells it. What is returned is what was judged: nobody else may read the text another way.
        api_url: Of the REST API.
    """
    try:
        url, api = yarl.URL(text, encoded=True), yarl.URL(api_url)
    except ValueError:
        return None
    if url.scheme == "https" and url.host in CDN_HOSTS and url.explicit_port is None and not url.user:
        return url
    is_stand_in = api.host != "discord.com" and (url.scheme, url.host, url.port) == (api.scheme, api.host, api.port)
    return url if is_stand_in and not url.user else None


def snowflake(text: str) -> str:
    """An id as it may stand in the path of a request.

    Raises:
        NotFound: It can't be one of Discord's.
    """
    if not _SNOWFLAKE.fullmatch(text):
        raise NotFound("Discord's ids are numbers. Copy the id in Discord with developer mode switched on.")
    return text


def room(address: Address) -> str:
    """The id of the channel to write to; to Discord a thread is a channel of its own.

    Raises:
        NotFound: The address is none of Discord's.
    """
    if address.platform != "discord":
        raise NotFound(f"This is the Discord channel; it can't send to {address.platform}.")
    return snowflake(address.thread_id or address.chat_id)


def moment(message_id: str) -> int | None:
    """The snowflake within an id of one of June's messages, of which ids of interactions and further parts are made."""
    found = _MESSAGE.fullmatch(message_id)
    return int(found[1]) if found else None


def ordinary(message_id: str | None) -> str | None:
    """The id of the message on Discord; None for an interaction, which is no message."""
    if message_id is None or message_id.startswith(("slash-", "press-")):
        return None
    found = moment(message_id)
    return None if found is None else str(found)
