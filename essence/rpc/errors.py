"""June's errors on the wire, and foreign gRPC failures as June's.

An error travels as `google.rpc.Status` with one `google.rpc.ErrorInfo` (https://google.aip.dev/193): its reason is
`JuneError.code`, its domain "june". So the same class comes back, and other clients read it too.
"""

from __future__ import annotations

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status

from essence import errors
from essence.errors import JuneError

DOMAIN = "june"
MESSAGE_MAX_CHARS = 1000
"""Metadata of a call may be 8 KiB (grpc.max_metadata_size), and the message is in it twice."""

_FOREIGN: dict[grpc.StatusCode, type[JuneError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidInput,
    grpc.StatusCode.OUT_OF_RANGE: errors.InvalidInput,
    grpc.StatusCode.NOT_FOUND: errors.NotFound,
    grpc.StatusCode.PERMISSION_DENIED: errors.NotAllowed,
    grpc.StatusCode.UNAUTHENTICATED: errors.NotAllowed,
    grpc.StatusCode.FAILED_PRECONDITION: errors.ConfigError,
    grpc.StatusCode.ABORTED: errors.Conflict,
    grpc.StatusCode.ALREADY_EXISTS: errors.Conflict,
    grpc.StatusCode.UNIMPLEMENTED: errors.EngineMissing,
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.EngineBusy,
    grpc.StatusCode.UNAVAILABLE: errors.Unreachable,
    grpc.StatusCode.CANCELLED: errors.Unreachable,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.TooSlow,
}
"""What a status means that carries no June error, such as one made by gRPC itself. All others: EngineError."""

_SENTENCES: dict[type[JuneError], str] = {
    errors.Unreachable: "Nothing answers at {where}. Is the service running there?",
    errors.TooSlow: "{where} did not answer in time. Try again, or allow it more time.",
    errors.EngineBusy: "{where} has as many calls as it takes. Try again in a moment.",
    errors.EngineMissing: "{where} does not offer this service. Does the address name the right one?",
    errors.InvalidInput: "{where} can't use this request.",
}


def to_status(error: JuneError) -> status_pb2.Status:
    """The error as `google.rpc.Status`; a very long message is cut."""
    info = any_pb2.Any()
    info.Pack(error_details_pb2.ErrorInfo(reason=error.code, domain=DOMAIN))
    code: int = grpc.StatusCode[error.grpc_status].value[0]
    return status_pb2.Status(code=code, message=str(error)[:MESSAGE_MAX_CHARS], details=[info])


def from_rpc(error: grpc.aio.AioRpcError, where: str) -> JuneError:
    """The June error that the server raised, or else the nearest one to what gRPC says of the call to `where`."""
    status = _rich_status(error)
    if status is not None and (kind := _sent_class(status)) is not None:
        return kind(status.message)
    kind, details = _foreign_class(error), error.details() or error.code().name
    sentence = _SENTENCES.get(kind, "{where} failed.").format(where=where)
    return kind(f"{sentence} ({details})")


def _rich_status(error: grpc.aio.AioRpcError) -> status_pb2.Status | None:
    try:
        return rpc_status.from_call(error)  # type: ignore[arg-type]  # it asks for a Call, and uses what this has too
    except ValueError:  # the details contradict the status, so a proxy has rewritten one of them: trust the status
        return None


def _sent_class(status: status_pb2.Status) -> type[JuneError] | None:
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        if detail.Unpack(info) and info.domain == DOMAIN:
            return errors.by_code().get(info.reason)
    return None


def _foreign_class(error: grpc.aio.AioRpcError) -> type[JuneError]:
    # So grpc.aio tells that the other side went away during a write; what status it went with is lost.
    if error.code() is grpc.StatusCode.INTERNAL and "SendMessageOperation" in (error.debug_error_string() or ""):
        return errors.Unreachable
    # gRPC has one status for "too many" and for "too large"; only the second can't be mended by waiting.
    if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in (error.details() or ""):
        return errors.InvalidInput
    return _FOREIGN.get(error.code(), errors.EngineError)
