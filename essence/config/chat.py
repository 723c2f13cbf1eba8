"""June in chats, on every platform and on each."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from essence.config.engines import Assistant
from essence.config.processes import RpcProcess
from essence.config.settings import Ids, Settings
from essence.config.store import StoreSettings
from essence.config.tasks import TasksClient


class OwnerRouting(Settings):
    """Which of an owner's messages become tasks for the agent."""

    owner_route: Literal["agent", "chat", "auto"] = Field(
        default="agent",
        description="Where owners' messages go: agent, to the task board; chat, straight to the language model; auto, "
        "to the board if a web address or a word of OWNER_ROUTE_ORDERS is in them.",
    )
    owner_route_orders: str = Field(
        default="remind, reminder, timer, alarm, wake, schedule, remember, forget, note, search, find, lookup, fetch, "
        "read, open, write, save, create, delete, run, execute, task, todo, "
        "erinnere, erinnerung, wecker, merke, merk, vergiss, suche, such, finde, lies, schreib, aufgabe, "
        "rappelle, rappel, minuteur, réveille, souviens, oublie, note, cherche, trouve, lis, écris, tâche, "
        "recuérdame, recordatorio, temporizador, alarma, recuerda, olvida, apunta, busca, encuentra, lee, escribe, "
        "ricordami, promemoria, sveglia, ricorda, dimentica, annota, cerca, trova, leggi, scrivi, "
        "lembra, lembrete, lembre, esquece, anota, procura, "
        "напомни, напоминание, таймер, будильник, запомни, забудь, запиши, найди, прочитай, напиши, задача",
        description="Words by which auto knows a message that asks for something to be done, comma-separated; case and "
        "accents don't matter.",
    )


class ChatSettings(StoreSettings, TasksClient, OwnerRouting):
    """How June behaves in chats, whatever the platform."""

    june_worker_id: str = Field(
        default="",
        description="Name of this process among those that share a store, the same after a restart; empty takes the "
        "service's name and the host's.",
    )
    chat_answers: int = Field(default=32, ge=1, description="Messages answered at once.")
    chat_lease_s: float = Field(
        default=30.0,
        gt=1,
        description="After how long without a sign of life another process takes a message over. [s]",
    )
    chat_fresh_s: float = Field(
        default=900.0,
        gt=0,
        description="Messages that were sent longer ago, while June was away, are announced rather than answered. [s]",
    )
    chat_slow_s: float = Field(
        default=6.0, gt=0, description="After how long without a word June says that she is at it. [s]"
    )
    chat_patience_s: float = Field(
        default=60.0, ge=0, description="How long an engine that can't be reached is tried again for one message. [s]"
    )
    chat_max_file_bytes: int = Field(default=64 * 2**20, gt=0, description="Largest file that is fetched. [bytes]")
    chat_history_turns: int = Field(default=40, ge=0, description="Turns of a conversation that a model is shown.")
    chat_history_chars: int = Field(
        default=12_000, ge=0, description="Text of a conversation that a model is shown. [characters]"
    )
    rate_limit_url: str = Field(
        default="memory://",
        repr=False,
        description="Where rates are counted: memory:// or redis://HOST:PORT (Redis or Valkey). May hold a secret.",
    )
    rate_limit_messages: str = Field(
        default="20/minute; 200/hour; 1000/day",
        description="Messages that one person may send; owners are not limited. Empty: no limit.",
    )
    rate_limit_audio_s: str = Field(
        default="1800/minute; 7200/hour; 28800/day",
        description="Sound that one person may send, in seconds; owners are not limited. Empty: no limit.",
    )


class TelegramOwners(Settings):
    """Whose June this is on Telegram."""

    telegram_owner_users: Ids = Field(
        default="", description="Ids of those whose June this is, comma-separated; @userinfobot tells one's own."
    )


class DiscordOwners(Settings):
    """Whose June this is on Discord."""

    discord_owner_users: Ids = Field(
        default="", description="Ids of those whose June this is, comma-separated (developer mode shows them)."
    )


class TelegramService(RpcProcess, Assistant, ChatSettings, TelegramOwners):
    """`python -m essence telegram`"""

    telegram_token: str = Field(default="", repr=False, description="The bot's token, from @BotFather. Secret.")
    telegram_whitelisted_users: Ids = Field(
        default="", description="Ids of guests who need no pairing code, comma-separated."
    )
    telegram_api_url: str = Field(
        default="https://api.telegram.org", description="The Bot API server: Telegram's, one's own, or a fake."
    )
    telegram_webhook_url: str = Field(
        default="",
        description="Public https address whose requests reach TELEGRAM_HTTP_PORT; empty: long polling, without one.",
    )
    telegram_poll_s: float = Field(default=30.0, gt=0, le=50, description="Longest wait of one poll. [s]")
    telegram_messages_per_s: float = Field(
        default=30.0, ge=0, description="Messages sent to all chats together; 0: no limit. [1/s]"
    )
    telegram_grpc_port: int = Field(default=50055, ge=0, le=65535, description="gRPC port; 0 takes a free one.")
    telegram_http_port: int = Field(
        default=8055, ge=0, le=65535, description="Port of /health, /metrics and the webhook; 0 takes a free one."
    )


class DiscordService(RpcProcess, Assistant, ChatSettings, DiscordOwners):
    """`python -m essence discord`"""

    discord_token: str = Field(
        default="", repr=False, description="The bot's token, from the developer portal. Secret."
    )
    discord_whitelisted_users: Ids = Field(
        default="", description="Ids of guests who need no pairing code, comma-separated."
    )
    discord_api_url: str = Field(default="https://discord.com/api/v10", description="REST API: Discord's, or a fake's.")
    discord_gateway_url: str = Field(default="wss://gateway.discord.gg", description="Gateway: Discord's, or a fake's.")
    discord_grpc_port: int = Field(default=50056, ge=0, le=65535, description="gRPC port; 0 takes a free one.")
    discord_http_port: int = Field(
        default=8056, ge=0, le=65535, description="Port of /health and /metrics; 0 takes a free one."
    )
