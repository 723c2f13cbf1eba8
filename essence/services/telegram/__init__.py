"""`python -m essence telegram`: June on Telegram."""

from __future__ import annotations


def main(_: list[str]) -> int:
    """Talk to people on Telegram until told to stop; returns the exit code."""
    # Here rather than above: whoever imports a module of this package needs none of it.
    from essence import config
    from essence.chat.assistant import COMMANDS, Crowd
    from essence.services import chatting
    from essence.services.telegram.channel import TelegramChannel

    service = chatting.Chatting(
        "telegram",
        config.TelegramService,
        lambda settings, store: TelegramChannel(settings, COMMANDS, store.conversations.move),
        lambda settings: Crowd(
            config.listed(settings.telegram_owner_users), config.listed(settings.telegram_whitelisted_users)
        ),
        lambda channel: channel.webhook_app,
    )
    return chatting.run(service)
