"""What every process has."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from essence.config.settings import Settings


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
