"""A Discord to try bots on, with no token and no network: REST, gateway and files on one loopback port.

    async with DiscordServer() as discord:
        with point_discord_py(discord):
            ann = discord.user("Ann")
            await ann.says("hi")
            reply = await ann.receives()

It serves with aiohttp, which discord.py brings along, so it needs the extra `discord`.
"""

from essence.errors import EngineMissing

try:
    import aiohttp  # noqa: F401 - asked for here, so that its absence is told in a sentence
except ImportError as error:
    raise EngineMissing("The fake Discord needs aiohttp. Run: pip install 'june-assistant[discord]'") from error

from essence.fakes.discord.faults import Broken, Fault, Faults, Hang, LostAnswer, Refusal, Reset, Slow, TooMany
from essence.fakes.discord.people import Attachment, Channel, Guild, Person, Post, seen
from essence.fakes.discord.refusals import Refused
from essence.fakes.discord.rest import Call, Pace
from essence.fakes.discord.sdk import point_discord_py
from essence.fakes.discord.server import DiscordServer
from essence.fakes.discord.world import Deed, Upload

__all__ = [
    "Attachment",
    "Broken",
    "Call",
    "Channel",
    "Deed",
    "DiscordServer",
    "Fault",
    "Faults",
    "Guild",
    "Hang",
    "LostAnswer",
    "Pace",
    "Person",
    "Post",
    "Refusal",
    "Refused",
    "Reset",
    "Slow",
    "TooMany",
    "Upload",
    "point_discord_py",
    "seen",
]
