"""`python -m essence discord`: June on Discord."""

from __future__ import annotations


def main(_: list[str]) -> int:
    """Talk to people on Discord until told to stop; returns the exit code."""
    # Here rather than above: whoever imports a module of this package needs none of it.
    from functools import partial

    from essence import config
    from essence.chat.assistant import COMMANDS, Crowd
    from essence.services import chatting
    from essence.services.discord.bookmark import Bookmark
    from essence.services.discord.channel import DiscordChannel
    from essence.services.discord.doors import allowed

    service = chatting.Chatting(
        "discord",
        config.DiscordService,
        lambda settings, store: DiscordChannel(
            settings,
            COMMANDS,
            partial(store.inbox.newest, "discord"),
            partial(allowed, settings, store.people),
            Bookmark(store.journal),
        ),
        lambda settings: Crowd(
            config.listed(settings.discord_owner_users), config.listed(settings.discord_whitelisted_users)
        ),
        lambda _: None,
    )
    return chatting.run(service)
