"""Logs, traces and metrics: why was that slow, and what failed.

One vocabulary for all three: a stage is a log-free span and an observation of `june_stage_seconds`; a call is a span,
`june_calls_total` and `june_calls_in_flight`. Log events are a name plus keys and values, never a sentence.
Nothing is exported unless settings ask for it, and OpenTelemetry is imported only then.
"""

from __future__ import annotations

import asyncio
import logging
import re
import sys
import time
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Literal

import structlog
from prometheus_client import Counter, Gauge, Histogram

from essence.errors import JuneError

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

STAGE_SECONDS = Histogram(
    "june_stage_seconds",
    "Time that one stage of a message took. [s]",
    ["stage"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
CALLS = Counter(
    "june_calls", "Calls answered, by outcome: ok, cancelled, or the code of an error.", ["service", "method", "code"]
)
CALLS_IN_FLIGHT = Gauge("june_calls_in_flight", "Calls being answered now.", ["service", "method"])
PEER_CONNECTED = Gauge("june_peer_connected", "1 while a service that this one asks can be reached, else 0.", ["peer"])
MESSAGES = Counter("june_messages", "Messages that ended, by how.", ["platform", "outcome"])
MESSAGES_WITHOUT_END = Counter(
    "june_messages_without_end", "Messages whose sender saw no end of them by their deadline.", ["platform"]
)

CHANNEL_CONNECTED = Gauge("june_channel_connected", "1 while the platform can be reached, else 0.", ["platform"])
CHANNEL_OUTAGES = Counter(
    "june_channel_outages", "Times that the platform could no longer be reached for a second or more.", ["platform"]
)
CHANNEL_TROUBLES = Counter(
    "june_channel_troubles",
    "What went wrong between June and a platform: 429, 409, too_slow, …",
    ["platform", "trouble"],
)
OUTBOX_PARTS = Gauge("june_outbox_parts", "Parts of answers that have not arrived.", ["platform"])
OUTBOX_OLDEST_SECONDS = Gauge(
    "june_outbox_oldest_seconds", "For how long this process has seen the oldest of them wait. [s]", ["platform"]
)

_tracer: Tracer | None = None


# --- logs


class Contact:
    """Whether another service can be reached, by what became of the last request: the log tells changes alone."""

    def __init__(self, peer: str) -> None:
        """`peer`: its name in log and metrics, as `task_board`."""
        self._peer = peer
        self.is_lost = False

    def notice(self, trouble: JuneError | None) -> None:
        """Take down how a request went."""
        if trouble is not None and not self.is_lost:
            logger().warning(f"{self._peer}_lost", code=trouble.code, error=str(trouble))
        elif trouble is None and self.is_lost:
            logger().info(f"{self._peer}_back")
        self.is_lost = trouble is not None
        PEER_CONNECTED.labels(self._peer).set(not self.is_lost)


_SECRET_KEY = re.compile(r"(?i)(token|secret|password|passwd|api_?key|authorization|cookie|dsn)$")
_SECRET_VALUE = re.compile(
    r"(?x)"
    r"  (?<!\d)\d{6,12}:[A-Za-z0-9_-]{30,}"  # Telegram bot token, also in /bot123:abc
    r"| \b[\w-]{23,28}\.[\w-]{6,7}\.[\w-]{27,}"  # Discord bot token
    r"| \b(?:sk|nvapi|hf|ghp|xox[bp])[-_][A-Za-z0-9_-]{16,}"  # OpenAI, NVIDIA, Hugging Face, GitHub, Slack
    r"| \beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"  # JSON Web Token
    r"| (?<=://)[^/\s:@]*:[^/\s@]+(?=@)"  # user:password of an URL
    r"| (?i:(?<=bearer\s))[^\s\"',]{8,}"
)
REDACTED = "[redacted]"


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Secrets, known by their key or their shape, never reach a log: a processor for structlog."""
    for key, value in event.items():
        event[key] = _redacted(key, value)
    return event


def _redacted(key: str, value: object) -> object:
    secret = isinstance(value, str) and value and _SECRET_KEY.search(key)  # a number, such as first_token=0.3, is none
    return REDACTED if secret else _without_secrets(value)


def _without_secrets(value: object) -> object:
    match value:
        case str():
            return _SECRET_VALUE.sub(REDACTED, value)
        case dict():
            return {key: _redacted(str(key), inner) for key, inner in value.items()}
        case list() | tuple():
            return [_without_secrets(item) for item in value]
        case BaseException():
            return _SECRET_VALUE.sub(REDACTED, str(value))
        case _:
            return value


# Without local variables: they hold what people said.
_TRACEBACKS = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))

LogFormat = Literal["console", "json"]


def set_up(service: str, *, level: str = "info", log_format: LogFormat = "console", otlp_endpoint: str = "") -> None:
    """Route all logs, the standard library's too, to standard error, and start tracing where a collector is named.

    Args:
        service: Name of this process in logs and traces.
        level: Least level logged: debug, info, warning or error.
        log_format: How a line is written.
        otlp_endpoint: OpenTelemetry collector (OTLP over gRPC); empty for none.
    """
    _set_up_logs(level.upper(), log_format)
    logging.raiseExceptions = False  # a log line that fails would be printed raw, past the redaction
    structlog.contextvars.bind_contextvars(service=service)
    if otlp_endpoint:
        _start_tracing(otlp_endpoint, service)


def _set_up_logs(level: str, log_format: LogFormat) -> None:
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        _add_trace_id,
    ]
    last: list[structlog.typing.Processor] = (
        [_TRACEBACKS, redact, structlog.processors.JSONRenderer(ensure_ascii=False)]
        if log_format == "json"
        else [structlog.processors.format_exc_info, redact, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for chatty in ("httpx", "httpx2", "httpcore", "httpcore2", "openai", "uvicorn", "alembic"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLogger().level))


def logger() -> structlog.stdlib.BoundLogger:
    """For events: `logger().info("engine_loaded", seconds=1.2)`."""
    bound: structlog.stdlib.BoundLogger = structlog.get_logger()
    return bound


# --- traces


def _start_tracing(endpoint: str, service: str) -> None:
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    global _tracer  # noqa: PLW0603  # one tracer for each process, as OpenTelemetry itself has it
    provider = TracerProvider(resource=Resource.create({"service.name": f"june-{service}"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    trace.set_tracer_provider(provider)
    _tracer = trace.get_tracer("june")


def outgoing_context() -> dict[str, str]:
    """W3C trace context of what is being done now, as headers for a call; empty where nothing is traced."""
    carrier: dict[str, str] = {}
    if _tracer is not None:
        from opentelemetry import propagate

        propagate.inject(carrier)
    return carrier


def _add_trace_id(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if _tracer is not None:
        from opentelemetry import trace

        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            event["trace_id"] = format(context.trace_id, "032x")
    return event


def _span(name: str, headers: Mapping[str, str] | None = None) -> AbstractContextManager[object]:
    if _tracer is None:
        return nullcontext()
    from opentelemetry import propagate

    parent = propagate.extract(dict(headers)) if headers else None
    return _tracer.start_as_current_span(name, context=parent)


# --- metrics


class Timer:
    """How long something has taken so far, or took."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._seconds: float | None = None

    @property
    def seconds(self) -> float:
        """[s]"""
        return time.perf_counter() - self._start if self._seconds is None else self._seconds

    def stop(self) -> None:
        """Keep the time as it is now; a second call changes nothing."""
        self._seconds = self.seconds


@contextmanager
def stage(name: str) -> Iterator[Timer]:
    """Time one stage of a message (decode, gate, stt, …): a span and an observation of `june_stage_seconds`.

    Must not be held open across a `yield` of an async generator: the span would leak into the caller's context.
    """
    timer = Timer()
    with _span(name):
        try:
            yield timer
        finally:
            timer.stop()
            STAGE_SECONDS.labels(name).observe(timer.seconds)


def record_stages(seconds: Mapping[str, float]) -> None:
    """Observe stages that were timed elsewhere, by name, and note them on the span of what is being done now. [s]"""
    for name, taken in seconds.items():
        STAGE_SECONDS.labels(name).observe(taken)
    if _tracer is not None:
        from opentelemetry import trace

        trace.get_current_span().set_attributes({f"june.{name}_s": taken for name, taken in seconds.items()})


@contextmanager
def call(service: str, method: str, headers: Mapping[str, str] | None = None) -> Iterator[None]:
    """Count one answered call under its outcome, as part of the caller's trace where `headers` carry one."""
    in_flight = CALLS_IN_FLIGHT.labels(service, method)
    code = "ok"
    with in_flight.track_inprogress(), _span(f"{service}/{method}", headers):
        try:
            yield
        except asyncio.CancelledError:
            code = "cancelled"
            raise
        except JuneError as error:
            code = error.code
            raise
        except Exception:  # whatever else it is, it is counted and goes on
            code = "internal"
            raise
        finally:
            CALLS.labels(service, method, code).inc()


def count_message(platform: str, outcome: str) -> None:
    """Count a message that has ended."""
    MESSAGES.labels(platform, outcome).inc()


def metrics() -> tuple[bytes, str]:
    """All metrics of this process and their media type, as Prometheus scrapes them."""
    from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

    return generate_latest(), CONTENT_TYPE_LATEST
