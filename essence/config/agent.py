"""The agent."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import platformdirs
from pydantic import Field

from essence.config.chat import DiscordOwners, TelegramOwners
from essence.config.engines import LlmEngine
from essence.config.message_api import MessageApiClient
from essence.config.processes import Process
from essence.config.tasks import TaskBoards


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
