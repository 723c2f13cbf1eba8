"""Where June keeps things."""

from __future__ import annotations

import platformdirs
from pydantic import Field

from essence.config.settings import Settings


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
