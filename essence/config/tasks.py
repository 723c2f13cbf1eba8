"""Task boards: June's own, and any other."""

from __future__ import annotations

import platformdirs
from pydantic import Field

from essence.config.processes import Observability
from essence.config.settings import Settings
from essence.config.store import StoreSettings


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
