"""Protobuf ⇄ June's own types. The only file that knows both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from essence.audio import Pcm
from essence.dialogue import (
    Address,
    Button,
    Finished,
    ModelEvent,
    Platform,
    ReasoningDelta,
    Receipt,
    Role,
    Segment,
    SttTiming,
    TextDelta,
    ToolCall,
    ToolSpec,
    Transcript,
    Turn,
    Usage,
    Word,
)
from essence.errors import InvalidAudio, InvalidInput
from essence.rpc.v1 import audio_pb2, chat_pb2, language_model_pb2, speech_to_text_pb2

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLATFORMS: dict[str, Platform] = {"telegram": "telegram", "discord": "discord", "grpc": "grpc"}

_ROLES: dict[Role, language_model_pb2.TurnRole.ValueType] = {
    "system": language_model_pb2.TURN_ROLE_SYSTEM,
    "user": language_model_pb2.TURN_ROLE_USER,
    "assistant": language_model_pb2.TURN_ROLE_ASSISTANT,
    "tool": language_model_pb2.TURN_ROLE_TOOL,
}
PIECE_BYTES = 64 * 1024
"""Audio goes in messages of at most this; gRPC's own advice for streams is 16 to 64 KiB (grpc/grpc.github.io #371)."""

_ROLE_NAMES = {number: role for role, number in _ROLES.items()}


def pcm_to_wire(pcm: Pcm) -> audio_pb2.Pcm:
    """One message, however long the sound: see `pieces`."""
    return audio_pb2.Pcm(data=pcm.data, rate=pcm.rate)


def pieces(pcm: Pcm) -> Iterator[Pcm]:
    """The same sound in messages of a size that suits gRPC."""
    for start in range(0, len(pcm.data), PIECE_BYTES):
        yield Pcm(pcm.data[start : start + PIECE_BYTES], pcm.rate)


def pcm_from_wire(data: bytes, rate: int) -> Pcm:
    """Checked, since the other side may be anybody's.

    Raises:
        InvalidAudio: No rate, or half a sample.
    """
    if rate <= 0:
        raise InvalidAudio("The sampling rate is missing. Set `rate` to the audio's rate in Hz.")
    if len(data) % 2:
        raise InvalidAudio("Half a sample was sent. Audio is 16-bit: send an even number of bytes in each message.")
    return Pcm(data, rate)


def transcript_to_wire(transcript: Transcript) -> speech_to_text_pb2.Transcript:
    """Whole, with segments, words and timing."""
    timing = transcript.timing
    return speech_to_text_pb2.Transcript(
        text=transcript.text,
        speech=transcript.speech,
        language=transcript.language,
        language_probability=transcript.language_probability,
        duration_s=transcript.duration_s,
        segments=map(_segment_to_wire, transcript.segments),
        timing=speech_to_text_pb2.SttTiming(queue_s=timing.queue_s, gate_s=timing.gate_s, compute_s=timing.compute_s),
    )


def transcript_from_wire(message: speech_to_text_pb2.Transcript) -> Transcript:
    """The inverse of `transcript_to_wire`."""
    return Transcript(
        text=message.text,
        speech=message.speech,
        language=message.language if message.HasField("language") else None,
        language_probability=message.language_probability,
        duration_s=message.duration_s,
        segments=tuple(map(_segment_from_wire, message.segments)),
        timing=SttTiming(message.timing.queue_s, message.timing.gate_s, message.timing.compute_s),
    )


def _segment_to_wire(segment: Segment) -> speech_to_text_pb2.Segment:
    return speech_to_text_pb2.Segment(
        text=segment.text,
        start_s=segment.start_s,
        end_s=segment.end_s,
        average_logprob=segment.average_logprob,
        no_speech_probability=segment.no_speech_probability,
        compression_ratio=segment.compression_ratio,
        words=(
            speech_to_text_pb2.Word(text=w.text, start_s=w.start_s, end_s=w.end_s, probability=w.probability)
            for w in segment.words
        ),
    )


def _segment_from_wire(message: speech_to_text_pb2.Segment) -> Segment:
    return Segment(
        text=message.text,
        start_s=message.start_s,
        end_s=message.end_s,
        average_logprob=message.average_logprob,
        no_speech_probability=message.no_speech_probability,
        compression_ratio=message.compression_ratio,
        words=tuple(Word(w.text, w.start_s, w.end_s, w.probability) for w in message.words),
    )


def turn_to_wire(turn: Turn) -> language_model_pb2.Turn:
    """Whole, with the tool calls that it made or answers."""
    return language_model_pb2.Turn(
        role=_ROLES[turn.role],
        text=turn.text,
        tool_calls=map(_call_to_wire, turn.tool_calls),
        tool_call_id=turn.tool_call_id,
    )


def turn_from_wire(message: language_model_pb2.Turn) -> Turn:
    """Checked.

    Raises:
        InvalidInput: The role is none that June knows.
    """
    role = _ROLE_NAMES.get(message.role)
    if role is None:
        raise InvalidInput(f"A turn has no known role ({message.role}). Use system, user, assistant or tool.")
    return Turn(
        role=role,
        text=message.text,
        tool_calls=tuple(map(_call_from_wire, message.tool_calls)),
        tool_call_id=message.tool_call_id if message.HasField("tool_call_id") else None,
    )


def tools_to_wire(tools: Iterable[ToolSpec]) -> list[language_model_pb2.ToolSpec]:
    """In order."""
    return [language_model_pb2.ToolSpec(name=t.name, description=t.description, parameters=t.parameters) for t in tools]


def tools_from_wire(messages: Iterable[language_model_pb2.ToolSpec]) -> tuple[ToolSpec, ...]:
    """In order; whether `parameters` are JSON is for the engine to say."""
    return tuple(ToolSpec(m.name, m.description, m.parameters) for m in messages)


def event_to_wire(event: ModelEvent) -> language_model_pb2.ModelEvent:
    """One event, one message."""
    match event:
        case TextDelta(text):
            return language_model_pb2.ModelEvent(text=language_model_pb2.TextDelta(text=text))
        case ReasoningDelta(text):
            return language_model_pb2.ModelEvent(reasoning=language_model_pb2.ReasoningDelta(text=text))
        case ToolCall():
            return language_model_pb2.ModelEvent(tool_call=_call_to_wire(event))
        case Finished():
            return language_model_pb2.ModelEvent(finished=_finished_to_wire(event))


def event_from_wire(message: language_model_pb2.ModelEvent) -> ModelEvent | None:
    """None: a kind of event that is newer than this program, and is passed over."""
    match message.WhichOneof("event"):
        case "text":
            return TextDelta(message.text.text)
        case "reasoning":
            return ReasoningDelta(message.reasoning.text)
        case "tool_call":
            return _call_from_wire(message.tool_call)
        case "finished":
            return _finished_from_wire(message.finished)
        case None:
            return None


def _call_to_wire(call: ToolCall) -> language_model_pb2.ToolCall:
    return language_model_pb2.ToolCall(call_id=call.call_id, name=call.name, arguments=call.arguments)


def _call_from_wire(message: language_model_pb2.ToolCall) -> ToolCall:
    return ToolCall(message.call_id, message.name, message.arguments)


def _finished_to_wire(finished: Finished) -> language_model_pb2.Finished:
    reasons = {
        "stop": language_model_pb2.FINISH_REASON_STOP,
        "length": language_model_pb2.FINISH_REASON_LENGTH,
        "tool_calls": language_model_pb2.FINISH_REASON_TOOL_CALLS,
    }
    usage = finished.usage
    return language_model_pb2.Finished(
        reason=reasons[finished.reason],
        usage=language_model_pb2.Usage(
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cached_tokens=usage.cached_tokens,
        ),
    )


def _finished_from_wire(message: language_model_pb2.Finished) -> Finished:
    usage = Usage(message.usage.prompt_tokens, message.usage.completion_tokens, message.usage.cached_tokens)
    match message.reason:
        case language_model_pb2.FINISH_REASON_LENGTH:
            return Finished("length", usage)
        case language_model_pb2.FINISH_REASON_TOOL_CALLS:
            return Finished("tool_calls", usage)
        case _:
            return Finished("stop", usage)


def address_to_wire(address: Address) -> chat_pb2.Address:
    """A conversation."""
    return chat_pb2.Address(platform=address.platform, chat_id=address.chat_id, thread_id=address.thread_id)


def address_from_wire(address: chat_pb2.Address) -> Address:
    """The inverse; raises InvalidInput for a platform that June does not know, or where no chat is named."""
    platform = _PLATFORMS.get(address.platform)
    if platform is None or not address.chat_id:
        raise InvalidInput(f"The address needs a chat_id and a platform out of {', '.join(_PLATFORMS)}.")
    return Address(platform, address.chat_id, address.thread_id if address.HasField("thread_id") else None)


def buttons_to_wire(buttons: Iterable[Button]) -> list[chat_pb2.Button]:
    """In order."""
    return [chat_pb2.Button(label=button.label, data=button.data) for button in buttons]


def buttons_from_wire(buttons: Iterable[chat_pb2.Button]) -> tuple[Button, ...]:
    """The inverse."""
    return tuple(Button(button.label, button.data) for button in buttons)


def receipt_to_wire(receipt: Receipt) -> chat_pb2.Receipt:
    """Times to the microsecond."""
    sent_at_us = (receipt.sent_at - _EPOCH) // timedelta(microseconds=1)
    return chat_pb2.Receipt(message_id=receipt.message_id, sent_at_us=sent_at_us, assumed=receipt.assumed)


def receipt_from_wire(receipt: chat_pb2.Receipt) -> Receipt:
    """The inverse."""
    sent_at = _EPOCH + timedelta(microseconds=receipt.sent_at_us)
    return Receipt(receipt.message_id, sent_at, receipt.assumed)
