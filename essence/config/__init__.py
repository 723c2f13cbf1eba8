"""The only reader of the environment: frozen settings, one class per service, one module per part of June.

A setting is a field: its environment variable is the field's name in capitals, its description ends with its unit
where it has one. `python -m essence <name> --help` and `.env.example` are generated from these classes.
Values come from the process's environment, then from `.env` in the working directory.
"""

from essence.config.agent import AgentService
from essence.config.chat import (
    ChatSettings,
    DiscordOwners,
    DiscordService,
    OwnerRouting,
    TelegramOwners,
    TelegramService,
)
from essence.config.engines import (
    Assistant,
    InferenceApiService,
    LlmEngine,
    ModelFiles,
    SttEngine,
    SttService,
    TtsEngine,
    TtsService,
)
from essence.config.message_api import MessageApiClient, MessageApiService
from essence.config.processes import Observability, Process, RpcProcess
from essence.config.settings import Ids, Settings, listed, read
from essence.config.store import StoreSettings
from essence.config.tasks import BoardSettings, TaskBoards, TasksClient, TodoramaService
from essence.config.telling import env_example, help_text, settings_help

__all__ = [
    "AgentService",
    "Assistant",
    "BoardSettings",
    "ChatSettings",
    "DiscordOwners",
    "DiscordService",
    "Ids",
    "InferenceApiService",
    "LlmEngine",
    "MessageApiClient",
    "MessageApiService",
    "ModelFiles",
    "Observability",
    "OwnerRouting",
    "Process",
    "RpcProcess",
    "Settings",
    "StoreSettings",
    "SttEngine",
    "SttService",
    "TaskBoards",
    "TasksClient",
    "TelegramOwners",
    "TelegramService",
    "TodoramaService",
    "TtsEngine",
    "TtsService",
    "env_example",
    "help_text",
    "listed",
    "read",
    "settings_help",
]
