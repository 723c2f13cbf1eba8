"""Everything that can go wrong in June, as one tree.

    JuneError                 gRPC status          retry?
    ├── ConfigError           FAILED_PRECONDITION  no   a setting is wrong or missing
    ├── InvalidInput          INVALID_ARGUMENT     no   the caller's input can't be used
    │   ├── InvalidAudio      INVALID_ARGUMENT     no   … as sound
    │   └── ContextOverflow   INVALID_ARGUMENT     no   … since it is longer than the model's context
    ├── NotAllowed            PERMISSION_DENIED    no   a key or a person was refused
    │   └── KeyMissing        UNAUTHENTICATED      no   … since no key was shown, or one that nobody knows
    ├── NotFound              NOT_FOUND            no   a model, voice or file that is named does not exist
    ├── Conflict              ABORTED              no   a claim was lost, a lease is stale
    ├── EngineError           INTERNAL             no   an engine failed at its work
    │   ├── EmptyAnswer       INTERNAL             no   … a language model ended without a word
    │   ├── EngineMissing     UNIMPLEMENTED        no   … isn't installed here
    │   └── EngineBusy        RESOURCE_EXHAUSTED   yes  … its queue is full
    ├── StoreError            INTERNAL             no   the store can't keep or read: disk full, read-only, damaged
    ├── RateLimited           RESOURCE_EXHAUSTED   yes  a platform takes no more for a while
    ├── Uncertain             UNAVAILABLE          no   a request's answer was lost: it may have been done, or not
    ├── Unreachable           UNAVAILABLE          yes  no connection, or it broke
    └── TooSlow               DEADLINE_EXCEEDED    yes  a deadline passed

Raise the narrowest class. Convert foreign exceptions in one place per library, `raise … from error`.
Only the outermost layer logs. A message is a sentence for a person and says what to do next.
A failure is never an empty string or None: silence is a value, not an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar


class JuneError(Exception):
    """Root of the tree. `str(error)` is a sentence that may be shown to the person who asked."""

    code: ClassVar[str] = "june_error"
    """Stable name, used on the wire, in logs and as a metric label."""
    grpc_status: ClassVar[str] = "INTERNAL"
    """Name of a member of `grpc.StatusCode`."""
    retryable: ClassVar[bool] = False
    """Whether the same call may succeed later, unchanged."""


class ConfigError(JuneError):
    """A setting is wrong or missing. The message names the environment variable."""

    code = "config_error"
    grpc_status = "FAILED_PRECONDITION"


class InvalidInput(JuneError):
    """The caller's input can't be used, whoever tries."""

    code = "invalid_input"
    grpc_status = "INVALID_ARGUMENT"


class InvalidAudio(InvalidInput):
    """Not audio, damaged, empty, or longer or larger than the limits allow."""

    code = "invalid_audio"


class ContextOverflow(InvalidInput):
    """The history does not fit the model's context, even when shortened."""

    code = "context_overflow"


class NotAllowed(JuneError):
    """A key was refused, or a person may not do this."""

    code = "not_allowed"
    grpc_status = "PERMISSION_DENIED"


class KeyMissing(NotAllowed):
    """No key was shown, or one that nobody knows."""

    code = "key_missing"
    grpc_status = "UNAUTHENTICATED"


class NotFound(JuneError):
    """Something that was asked for by name does not exist: a model, a voice, a file."""

    code = "not_found"
    grpc_status = "NOT_FOUND"


class Conflict(JuneError):
    """Somebody else was first: a claim was lost, a lease is stale."""

    code = "conflict"
    grpc_status = "ABORTED"


class EngineError(JuneError):
    """An engine took the work and failed at it."""

    code = "engine_error"


class EmptyAnswer(EngineError):
    """A language model ended its turn without a word and without a tool call."""

    code = "empty_answer"


class EngineMissing(EngineError):
    """An engine or its model isn't installed here. The message names the command that mends it."""

    code = "engine_missing"
    grpc_status = "UNIMPLEMENTED"


class EngineBusy(EngineError):
    """An engine's queue is full. Answered at once, so that no queue grows without limit."""

    code = "engine_busy"
    grpc_status = "RESOURCE_EXHAUSTED"
    retryable = True


class StoreError(JuneError):
    """The store can't keep or read what it was asked to: its disk is full, read-only or damaged."""

    code = "store_error"


class RateLimited(JuneError):
    """A platform takes no more requests for a while."""

    code = "rate_limited"
    grpc_status = "RESOURCE_EXHAUSTED"
    retryable = True

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        """`retry_after_s`: what the platform asks for."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Uncertain(JuneError):
    """A request went out and its answer was lost: it may have been done, so doing it again may do it twice."""

    code = "uncertain"
    grpc_status = "UNAVAILABLE"


class Unreachable(JuneError):
    """A service could not be connected to, or the connection broke."""

    code = "unreachable"
    grpc_status = "UNAVAILABLE"
    retryable = True


class TooSlow(JuneError):
    """A deadline passed before the work was done."""

    code = "too_slow"
    grpc_status = "DEADLINE_EXCEEDED"
    retryable = True


def _walk(root: type[JuneError]) -> Iterator[type[JuneError]]:
    yield root
    for child in root.__subclasses__():
        yield from _walk(child)


def by_code() -> dict[str, type[JuneError]]:
    """Every class of the tree under its `code`, for whoever rebuilds an error that crossed a wire."""
    return {error.code: error for error in _walk(JuneError)}
