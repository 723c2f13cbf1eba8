"""The only reader of the environment: frozen settings, one class per service.

A setting is a field: its environment variable is the field's name in capitals, its description ends with its unit
where it has one. `python -m essence <name> --help` and `.env.example` are generated from these classes.
Values come from the process's environment, then from `.env` in the working directory.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import platformdirs
from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from essence.errors import ConfigError


def listed(ids: str) -> frozenset[str]:
    """The ids of a comma-separated setting; spaces don't matter."""
    return frozenset(part.strip() for part in ids.split(",") if part.strip())


def _checked(ids: str) -> str:
    for one in sorted(listed(ids)):
        if not one.isdecimal():  # a name can be taken over by somebody else, an id can't
            raise ValueError(f"{one!r} is no id; an id is a number, and /whoami tells a person theirs")
    return ids


Ids = Annotated[str, AfterValidator(_checked)]
"""Comma-separated ids of people on a platform."""


class Settings(BaseSettings):
    """What every settings class has in common."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True, env_ignore_empty=True
    )


class ModelFiles(Settings):
    """Where model files lie and where they come from."""

    june_models_dir: Path = Field(
        default=Path(platformdirs.user_cache_dir("june")) / "models", description="Folder of the model files."
    )
    june_model_hub: str = Field(
        default="https://huggingface.co", description="Model hub that is asked first, or a mirror; none for none."
    )
    june_offline: bool = Field(default=False, description="Never fetch a model file; fail with its name instead.")


class Observability(Settings):
    """Logs and traces of a process."""

    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least level logged.")
    log_format: Literal["console", "json"] = Field(default="console", description="How log lines are written.")
    otel_exporter_otlp_endpoint: str = Field(
        default="", description="OpenTelemetry collector (OTLP over gRPC), such as http://jaeger:4317; empty for none."
    )


class Process(Observability):
    """What every service has: an address and manners."""

    bind_host: str = Field(default="127.0.0.1", description="Address that the service's ports are bound to.")
    grace_s: float = Field(default=10.0, ge=0, description="Time that calls in flight get on SIGTERM. [s]")


class RpcProcess(Process):
    """What every service that serves gRPC has."""

    grpc_max_message_bytes: int = Field(
        default=16 * 2**20, gt=0, description="Largest gRPC message taken or sent. [bytes]"
    )
    grpc_max_calls: int = Field(
        default=256, gt=0, description="gRPC calls at once, health checks among them; one more is told EngineBusy."
    )
    grpc_max_call_s: float = Field(
        default=3600.0, gt=0, description="Longest gRPC call, whatever deadline its client set. [s]"
    )


class SttEngine(ModelFiles):
    """Speech to text: which engine, and its tuning."""

    stt_url: str = Field(
        default="faster-whisper:base",
        description="Engine: faster-whisper:MODEL (base, a hub name or a folder), or grpc://HOST:PORT; of several, "
        "comma-separated, each helps where those before it fail.",
    )
    stt_device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="Where the model runs.")
    stt_compute_type: str = Field(
        default="default", description="CTranslate2's quantisation; default is int8 on a CPU, float16 on CUDA."
    )
    stt_threads: int = Field(
        default=0, ge=0, description="CPU threads in all, shared out among notes; 0 takes all cores."
    )
    stt_beam: int = Field(default=1, ge=1, le=10, description="Beam size; 1 is greedy.")
    stt_queue_max: int = Field(default=64, ge=1, description="Calls that may wait; one more is told EngineBusy.")
    stt_max_audio_s: float = Field(default=4 * 3600, gt=0, description="Longest audio that is taken. [s]")
    stt_deadline_s: float = Field(default=600.0, gt=0, description="Deadline of a call to a far engine. [s]")


class TtsEngine(ModelFiles):
    """Text to speech: which engines, and their tuning."""

    tts_url: str = Field(
        default="piper:en_US-joe-medium,espeak:",
        description="Engines in order of preference, comma-separated; the first with a voice for the language speaks. "
        "piper:VOICE (a name or a path to an .onnx file), espeak: or grpc://HOST:PORT.",
    )
    tts_rate: float = Field(default=1.0, gt=0.25, lt=4, description="Speaking rate; 1 is the voice's own.")
    tts_threads: int = Field(default=0, ge=0, description="CPU threads of a Piper voice; 0 takes all cores.")
    tts_queue_max: int = Field(default=64, ge=1, description="Calls that may wait; one more is told EngineBusy.")
    tts_chunk_deadline_s: float = Field(
        default=30.0,
        gt=0,
        description="Longest silence of an engine's process that owes audio; then it is restarted. [s]",
    )
    tts_deadline_s: float = Field(default=120.0, gt=0, description="Deadline of a call to a far engine. [s]")


class LlmEngine(ModelFiles):
    """The language model: which engine, and its tuning."""

    llm_url: str = Field(
        default="llamacpp:qwen2.5-coder-0.5b-instruct",
        description="Engine: llamacpp:MODEL (a catalogue name or a path to a .gguf file), http(s)://HOST:PORT/v1 "
        "(any OpenAI-compatible server), or grpc://HOST:PORT; of several, comma-separated, each helps where those "
        "before it fail.",
    )
    llm_model: str = Field(
        default="", description="Model name at an OpenAI-compatible server; empty takes the first that it lists."
    )
    llm_api_key: str = Field(default="", repr=False, description="Key for an OpenAI-compatible server. Secret.")
    llm_context_tokens: int = Field(
        default=4096, ge=512, description="Context that a reply's history and answer must fit. [tokens]"
    )
    llm_max_tokens: int = Field(default=512, ge=1, description="Longest answer, reasoning included. [tokens]")
    llm_temperature: float = Field(default=0.3, ge=0, le=2, description="Sampling temperature.")
    llm_threads: int = Field(
        default=0, ge=0, description="CPU threads of an embedded model; 0 takes all cores but one."
    )
    llm_load_s: float = Field(default=300.0, gt=0, description="Longest wait for an embedded model to load. [s]")
    llm_slots: int = Field(default=2, ge=1, description="Replies that an embedded model writes side by side.")
    llm_first_token_s: float = Field(default=60.0, gt=0, description="Longest wait for the first token. [s]")
    llm_between_tokens_s: float = Field(default=20.0, gt=0, description="Longest wait between two tokens. [s]")
    llm_reasoning: Literal["auto", "opened", "none"] = Field(
        default="auto",
        description="How the model marks what it thinks aloud: auto goes by <think> tags and the model's name; opened: "
        "the text starts inside, only </think> is written (Qwen3-Thinking); none: tags mean nothing.",
    )
    llm_tools: Literal["auto", "native", "schema"] = Field(
        default="auto",
        description="How the model is offered tools: native tool calls, or output that is held to a JSON schema, for "
        "models that know none; auto: schema for llamacpp: models, native for others.",
    )
    llm_queue_max: int = Field(
        default=32, ge=0, description="Replies that may wait for an embedded model's slot; one more is told EngineBusy."
    )
    llm_deadline_s: float = Field(default=600.0, gt=0, description="Deadline of a call to a far engine. [s]")


class StoreSettings(Settings):
    """Where messages, answers and conversations are kept, and for how long."""

    store_url: str = Field(
        default=f"sqlite:///{platformdirs.user_data_dir('june')}/june.db",
        repr=False,
        description="memory:// (gone when the process ends), sqlite:///PATH (one file; four slashes make the path "
        "absolute) or postgresql://USER:PASSWORD@HOST/DATABASE. Unset: a file in your data folder. May hold a secret.",
    )
    store_deadline_s: float = Field(default=10.0, gt=0, description="Longest wait for the store. [s]")
    store_connections: int = Field(default=8, ge=1, description="Connections to PostgreSQL.")
    store_poll_s: float = Field(
        default=0.5, gt=0, description="How often work of other processes and lost leases are looked for. [s]"
    )
    store_retention_days: float = Field(
        default=30.0, ge=2, description="How long ended messages and sent answers are kept, to know repeats. [days]"
    )
    message_deadline_s: float = Field(
        default=600.0, gt=0, description="By when each message must have an end that its sender sees. [s]"
    )
    history_max_turns: int = Field(default=400, ge=2, description="Turns kept of each conversation.")
    history_max_chars: int = Field(default=200_000, ge=1000, description="Text kept of each conversation. [characters]")


class MessageApiClient(Settings):
    """How other services reach the Message API."""

    message_api_url: str = Field(default="http://127.0.0.1:8057", description="Where the Message API answers.")
    message_api_key: str = Field(
        default="",
        repr=False,
        description="Key for the Message API; empty takes the one in MESSAGE_API_KEY_FILE. The service itself lets in "
        "whoever shows this key. Secret.",
    )
    message_api_key_file: Path = Field(
        default=Path(platformdirs.user_data_dir("june")) / "message-api.key",
        description="This machine's key, made where the Message API starts without any; only its owner can read it.",
    )


class TasksClient(Settings):
    """The task board that June works with: her own or any todorama."""

    tasks_url: str = Field(
        default="http://127.0.0.1:8004/mcp",
        description="MCP address of the board (streamable HTTP); it ends with /mcp.",
    )
    tasks_key: str = Field(default="", repr=False, description="Sent as X-API-Key; empty for none. Secret.")
    tasks_poll_s: float = Field(
        default=5.0,
        gt=0,
        description="How often work is looked for on a board that can't wait for it; a stock todorama takes 100 "
        "requests a minute from all its clients together. [s]",
    )
    tasks_deadline_s: float = Field(default=20.0, gt=0, description="Longest wait for an answer of the board. [s]")
    todorama_project_id: str = Field(
        default="1",
        description="Project that June's tasks belong to; empty: none, and tasks of all projects are taken.",
    )


class BoardSettings(Settings):
    """June's own task board: where it keeps tasks, and its rules."""

    todorama_url: str = Field(
        default=f"sqlite:///{platformdirs.user_data_dir('june')}/tasks.db",
        repr=False,
        description="memory:// (gone when the process ends), sqlite:///PATH (one file; four slashes make the path "
        "absolute) or postgresql://USER:PASSWORD@HOST/DATABASE. Unset: a file in your data folder. May hold a secret.",
    )
    todorama_deadline_s: float = Field(default=10.0, gt=0, description="Longest wait for the board's database. [s]")
    todorama_connections: int = Field(default=8, ge=1, description="Connections to PostgreSQL.")
    todorama_poll_s: float = Field(
        default=0.5, gt=0, description="How often work of other processes and lost leases are looked for. [s]"
    )
    todorama_outlive_power_cuts: bool = Field(
        default=True,
        description="Whether what was said to be done is on the disk by then; without it, a file outlives killed "
        "processes but not power cuts, and nobody waits for the disk.",
    )
    todorama_lease_s: float = Field(
        default=900.0,
        ge=1,
        description="After how long without a sign of life another agent may take a task, where an agent names no time "
        "of its own. [s]",
    )
    todorama_max_attempts: int = Field(
        default=5, ge=1, description="Attempts of a task that names no number of its own; after them it is dead."
    )
    todorama_backoff_s: float = Field(
        default=5.0, ge=0, description="How long a task rests after its first failure; each further one doubles it. [s]"
    )
    todorama_backoff_max_s: float = Field(default=3600.0, ge=0, description="Longest rest of a task. [s]")
    todorama_self_verify: bool = Field(default=False, description="Whether an agent may verify its own work.")


class TaskBoards(TasksClient, BoardSettings, StoreSettings):
    """Any task board: June's own in the process, or one that is reached over the network."""


class SttService(RpcProcess, SttEngine):
    """`python -m essence stt`"""

    stt_grpc_port: int = Field(default=50052, ge=0, le=65535, description="gRPC port; 0 takes a free one.")
    stt_http_port: int = Field(default=8052, ge=0, le=65535, description="Port of /health and /metrics.")


class TtsService(RpcProcess, TtsEngine):
    """`python -m essence tts`"""

    tts_grpc_port: int = Field(default=50053, ge=0, le=65535, description="gRPC port; 0 takes a free one.")
    tts_http_port: int = Field(default=8053, ge=0, le=65535, description="Port of /health and /metrics.")


class InferenceApiService(RpcProcess, LlmEngine):
    """`python -m essence inference-api`"""

    llm_grpc_port: int = Field(default=50054, ge=0, le=65535, description="gRPC port; 0 takes a free one.")
    llm_http_port: int = Field(
        default=8054, ge=0, le=65535, description="Port of the OpenAI HTTP API, /health and /metrics."
    )
    inference_api_key: str = Field(
        default="",
        repr=False,
        description="Key that callers of the OpenAI HTTP API must show; needed where BIND_HOST is not this machine "
        "alone. Secret.",
    )
    llm_answer_s: float = Field(
        default=600.0, gt=0, description="Longest wait for an answer over HTTP that is not streamed. [s]"
    )


class Assistant(Observability, SttEngine, LlmEngine, TtsEngine):
    """The whole pipeline, as `talk` and the chat services use it."""

    june_system_prompt: str = Field(
        default="You are June, a friendly voice assistant. Answer in the language of the question, briefly and "
        "in plain sentences that sound natural when they are read aloud.",
        description="First system turn of every conversation.",
    )


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


class MessageApiService(Process, MessageApiClient, StoreSettings):
    """`python -m essence message-api`"""

    telegram_url: str = Field(
        default="grpc://127.0.0.1:50055", description="The telegram service, as grpc://HOST:PORT; none for none."
    )
    discord_url: str = Field(
        default="grpc://127.0.0.1:50056", description="The discord service, as grpc://HOST:PORT; none for none."
    )
    message_api_http_port: int = Field(
        default=8057, ge=0, le=65535, description="Port of the Message API, /health and /metrics; 0 takes a free one."
    )
    message_api_worker_id: str = Field(
        default="",
        description="Name of this process among those that share a store, the same after a restart; empty takes the "
        "service's name and the host's.",
    )


class TodoramaService(Observability, BoardSettings):
    """`python -m essence todorama`"""

    todorama_host: str = Field(
        default="127.0.0.1", description="Address that the board listens on; beyond this machine it needs keys."
    )
    todorama_port: int = Field(default=8004, ge=0, le=65535, description="Port of the board; 0 takes a free one.")
    todorama_keys: str = Field(
        default="",
        repr=False,
        description="Keys of agents, as AGENT_ID=KEY, comma-separated; a key has 16 characters or more, and an agent "
        "may have several. Empty: none is asked for, on this machine alone. Secret.",
    )
    todorama_rate_limit: str = Field(
        default="", description="Requests that each key may send, such as 6000/minute. Empty: no limit."
    )
    todorama_max_body_bytes: int = Field(default=2**20, ge=1024, description="Largest request taken. [bytes]")
    todorama_grace_s: float = Field(default=10.0, ge=0, description="Time that requests get on SIGTERM. [s]")
    todorama_backup_dir: str = Field(
        default="", description="Folder of the nightly backups of a SQLite board; empty: backups beside its file."
    )
    todorama_backups: int = Field(default=7, ge=0, description="Nightly backups that are kept; 0: none are made.")


class AgentService(Process, LlmEngine, TaskBoards, MessageApiClient, TelegramOwners, DiscordOwners):
    """`python -m essence agent`"""

    agent_id: str = Field(
        default="",
        description="Name of this agent on the board, the same after a restart, and no other agent's; empty takes "
        "june@ and the host's name.",
    )
    agent_iterations: int = Field(default=0, ge=0, description="Tasks to work on before it ends; 0: no end.")
    agent_tasks: int = Field(default=4, ge=1, le=64, description="Tasks worked on at once.")
    agent_lease_s: float = Field(
        default=60.0, gt=1, description="After how long without a sign of life another agent takes a task over. [s]"
    )
    agent_attempts: int = Field(
        default=4, ge=1, description="How often a task is begun before its owner is told that it failed."
    )
    agent_retry_s: float = Field(
        default=10.0, ge=0, description="Rest of a task that failed for now, as when the model is away. [s]"
    )
    agent_slow_s: float = Field(
        default=6.0, gt=0, description="After how long without a word the owner is told that June is at it. [s]"
    )
    agent_delivery_s: float = Field(
        default=3600.0, ge=0, description="How long an attempt goes on trying to deliver its answer. [s]"
    )
    agent_telegram_url: str = Field(
        default="", description="grpc://HOST:PORT of the telegram service; empty: through the Message API."
    )
    agent_discord_url: str = Field(
        default="", description="grpc://HOST:PORT of the discord service; empty: through the Message API."
    )
    agent_prompt: str = Field(
        default="You are June, a friendly personal assistant. Answer in the language of the question, briefly and in "
        "plain sentences that sound natural when they are read aloud.",
        description="First system turn of every task.",
    )
    agent_offers: Literal["auto", "all", "likely"] = Field(
        default="auto",
        description="Which tools a model is offered: all, or those that the words call for, which a small model needs; "
        "auto: likely for a model in June's own process, all for others.",
    )
    agent_history_turns: int = Field(default=20, ge=0, description="Turns of a conversation that a model is shown.")
    agent_history_chars: int = Field(
        default=6000, ge=0, description="Text of a conversation that a model is shown. [characters]"
    )
    agent_time_zone: str = Field(
        default="", description="The owner's time zone, such as Europe/Berlin; empty takes this machine's."
    )
    agent_workspace: Path = Field(
        default=Path(platformdirs.user_data_dir("june")) / "workspace", description="The one folder of the file tools."
    )
    agent_web: bool = Field(default=True, description="Whether pages of the public web may be read.")
    agent_commands: bool = Field(
        default=False,
        description="Whether commands may be run: in a sandbox, and each time only after the owner said yes.",
    )
    agent_mcp: str = Field(default="", description="Path of an mcp.json with further tools; empty: none.")
    agent_approval_s: float = Field(
        default=600.0, gt=0, description="How long an owner's yes is waited for; then it is a no. [s]"
    )
    agent_confidence: float = Field(
        default=0.6, ge=0, le=1, description="What was heard with less confidence is asked for before it is done."
    )
    agent_task_calls: int = Field(default=20, ge=1, description="Answers of the model that a task may take.")
    agent_task_tokens: int = Field(default=100_000, ge=1, description="Tokens that a task may take.")
    agent_task_tool_runs: int = Field(default=30, ge=1, description="Uses of tools that a task may take.")
    agent_task_s: float = Field(
        default=600.0, gt=0, description="Time in models and tools that a task may take, without waiting. [s]"
    )
    agent_day_calls: int = Field(
        default=2000, ge=1, description="Answers of the model that all tasks of a day may take."
    )
    agent_day_tokens: int = Field(default=5_000_000, ge=1, description="Tokens that all tasks of a day may take.")
    agent_day_tool_runs: int = Field(default=3000, ge=1, description="Uses of tools that all tasks of a day may take.")
    agent_day_s: float = Field(
        default=36_000.0, gt=0, description="Time in models and tools that all tasks of a day may take. [s]"
    )
    agent_http_port: int = Field(
        default=8058, ge=0, le=65535, description="Port of /health and /metrics; 0 takes a free one."
    )


S = TypeVar("S", bound=Settings)


def read(settings: type[S]) -> S:
    """Read one class of settings from the environment.

    Raises:
        ConfigError: A value can't be used; the message names its variable and what it must be.
    """
    try:
        return settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).upper() if first["loc"] else settings.__name__
        raise ConfigError(
            f"{name}: {first['msg'].removeprefix('Value error, ')}. See `python -m essence <name> --help`."
        ) from error


def help_text(settings: type[Settings], usage: str) -> str:
    """What `--help` of a service or command prints: its usage, then every setting that it reads."""
    return f"{usage}\n\n{settings_help(settings)}"


def settings_help(settings: type[Settings]) -> str:
    """Each setting as `VARIABLE=default` and what it means, the class's own before those that it shares with others."""
    lines = ["Settings (environment variables, or lines of .env):"]
    for kind in settings.__mro__:
        for name in inspect.get_annotations(kind):
            if (field := settings.model_fields.get(name)) is not None:
                lines += [f"  {name.upper()}={field.get_default()}", f"      {field.description}"]
    return "\n".join(lines)


def env_example() -> str:
    """`.env.example`: every setting of every service, commented out, with its default and what it means."""
    lines = [
        "# Every setting of June. Copy this file to .env and take the # from the lines that you change.",
        "# Generated from essence/config.py by scripts/generate-env-example.sh.",
    ]
    for kind in _kinds(Settings):
        own = [name for name in inspect.get_annotations(kind) if name in kind.model_fields]
        if own:
            lines += ["", f"# -- {(inspect.getdoc(kind) or kind.__name__).splitlines()[0]}"]
        for name in own:
            field = kind.model_fields[name]
            # A default that depends on who is logged in is left for June to find.
            default = "" if str(Path.home()) in str(field.default) else field.default
            lines += [f"# {field.description}", f"#{name.upper()}={default}"]
    return "\n".join(lines) + "\n"


def _kinds(root: type[Settings]) -> Iterator[type[Settings]]:
    """The settings classes of this module in the order in which they are written, each before its heirs."""
    yield from (kind for kind in globals().values() if inspect.isclass(kind) and issubclass(kind, root))
