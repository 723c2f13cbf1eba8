"""The Message API, and how it is reached."""

from __future__ import annotations

from pathlib import Path

import platformdirs
from pydantic import Field

from essence.config.processes import Process
from essence.config.settings import Settings
from essence.config.store import StoreSettings


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
