"""Far players: the same roles, over gRPC.

Addresses are `grpc://HOST:PORT`; where a name has several addresses, calls go round all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

import grpc

from essence import observe
from essence.audio import Pcm
from essence.config import LlmEngine, SttEngine, TtsEngine
from essence.dialogue import Address, Button, ModelEvent, Receipt, ToolSpec, Transcript, Turn
from essence.errors import ConfigError, InvalidAudio, Unreachable
from essence.rpc import convert
from essence.rpc.errors import from_rpc
from essence.rpc.v1 import (
    chat_pb2,
    chat_pb2_grpc,
    language_model_pb2,
    language_model_pb2_grpc,
    speech_to_text_pb2,
    speech_to_text_pb2_grpc,
    text_to_speech_pb2,
    text_to_speech_pb2_grpc,
)

M = TypeVar("M")
Answers = AsyncGenerator[M]
BidirectionalCall = grpc.aio.StreamStreamCall[speech_to_text_pb2.TranscribeRequest, speech_to_text_pb2.Transcript]

MESSAGE_MAX_BYTES = 64 * 2**20
"""Largest message that is taken from a server; what is sent is for the server to judge."""

_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.lb_policy_name", "round_robin"),
    ("grpc.enable_http_proxy", 0),  # June's services stand in one's own network
    ("grpc.max_receive_message_length", MESSAGE_MAX_BYTES),
    ("grpc.max_send_message_length", -1),
    # A dead peer is noticed within 80 s: https://github.com/grpc/grpc/blob/master/doc/keepalive.md
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # Longest wait for a connection, and between two tries: a service that was restarted is found again soon.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 3_000),
    ("grpc.max_reconnect_backoff_ms", 3_000),
]


@asynccontextmanager
async def open_transcriber(url: str, settings: SttEngine) -> AsyncIterator[RemoteTranscriber]:
    """A transcriber at `url`, connected by its first call.

    Raises:
        ConfigError: The URL has no host or no port.
    """
    async with _channel("STT_URL", url) as channel:
        yield RemoteTranscriber(channel, url, deadline_s=settings.stt_deadline_s)


@asynccontextmanager
async def open_synthesizer(url: str, settings: TtsEngine) -> AsyncIterator[RemoteSynthesizer]:
    """A synthesizer at `url`, connected by its first call.

    Raises:
        ConfigError: The URL has no host or no port.
    """
    async with _channel("TTS_URL", url) as channel:
        yield RemoteSynthesizer(channel, url, deadline_s=settings.tts_deadline_s)


@asynccontextmanager
async def open_language_model(url: str, settings: LlmEngine) -> AsyncIterator[RemoteLanguageModel]:
    """A language model at `url`, connected by its first call.

    Raises:
        ConfigError: The URL has no host or no port.
    """
    async with _channel("LLM_URL", url) as channel:
        yield RemoteLanguageModel(channel, url, deadline_s=settings.llm_deadline_s)


@asynccontextmanager
async def _channel(variable: str, url: str) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(_target(variable, url), options=_OPTIONS) as channel:
        yield channel


def _target(variable: str, url: str) -> str:
    try:
        parts = urlsplit(url)
        complete = parts.hostname and parts.port
    except ValueError:  # a port that is no number
        complete = None
    if not complete:
        raise ConfigError(f"{variable}={url}: write it as grpc://HOST:PORT, such as grpc://127.0.0.1:50052.")
    return f"dns:///{parts.netloc}"


class RemoteTranscriber:
    """June's stt service."""

    def __init__(self, channel: grpc.aio.Channel, where: str, *, deadline_s: float) -> None:
        """`where`: the address, for messages. `deadline_s`: of a whole call."""
        self._stub = speech_to_text_pb2_grpc.SpeechToTextStub(channel)
        self._where, self._deadline_s = where, deadline_s

    async def transcribe(
        self, speech: AsyncIterator[Pcm], *, language: str | None = None, word_times: bool = False
    ) -> AsyncGenerator[Transcript]:
        options = speech_to_text_pb2.TranscribeOptions(language=language, word_times=word_times)
        call = self._stub.Transcribe(timeout=self._deadline_s, metadata=_metadata())
        sending = asyncio.create_task(_send(call, speech, options))
        try:
            async with aclosing(_answers(call, self._where, convert.transcript_from_wire)) as transcripts:
                async for transcript in transcripts:
                    yield transcript
        except BaseException:
            _raise_failure_of(sending)
            raise
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)


async def _send(
    call: BidirectionalCall, speech: AsyncIterator[Pcm], options: speech_to_text_pb2.TranscribeOptions
) -> None:
    """Send the options and the audio; whatever ends this early ends the call, so that half a note is never answered."""
    try:
        opened = False
        async for pcm in speech:
            if not opened:
                options.rate, opened = pcm.rate, True
                await call.write(speech_to_text_pb2.TranscribeRequest(options=options))
            for piece in convert.pieces(_same_rate(pcm, options.rate)):
                await call.write(speech_to_text_pb2.TranscribeRequest(audio=piece.data))
        if not opened:
            await call.write(speech_to_text_pb2.TranscribeRequest(options=options))
        await call.done_writing()
    except BaseException:
        call.cancel()
        raise


def _same_rate(pcm: Pcm, rate: int) -> Pcm:
    if pcm.rate != rate:
        raise InvalidAudio(f"The audio changed its rate from {rate} Hz to {pcm.rate} Hz.")
    return pcm


def _raise_failure_of(sending: asyncio.Task[None]) -> None:
    if not sending.done() or sending.cancelled():
        return
    error = sending.exception()
    # gRPC's own errors are told by the receiving side, which knows the status.
    if error is not None and not isinstance(error, grpc.RpcError | asyncio.InvalidStateError | grpc.aio.BaseError):
        raise error


class RemoteSynthesizer:
    """June's tts service."""

    def __init__(self, channel: grpc.aio.Channel, where: str, *, deadline_s: float) -> None:
        """`where`: the address, for messages. `deadline_s`: of a whole call."""
        self._stub = text_to_speech_pb2_grpc.TextToSpeechStub(channel)
        self._where, self._deadline_s = where, deadline_s

    async def synthesize(
        self, text: str, *, voice: str | None = None, language: str | None = None
    ) -> AsyncGenerator[Pcm]:
        request = text_to_speech_pb2.SynthesizeRequest(text=text, voice=voice, language=language)
        call = self._stub.Synthesize(request, timeout=self._deadline_s, metadata=_metadata())
        async with aclosing(_answers(call, self._where, lambda m: convert.pcm_from_wire(m.data, m.rate))) as speech:
            async for pcm in speech:
                yield pcm


class RemoteLanguageModel:
    """June's inference-api service."""

    def __init__(self, channel: grpc.aio.Channel, where: str, *, deadline_s: float) -> None:
        """`where`: the address, for messages. `deadline_s`: of a whole call."""
        self._stub = language_model_pb2_grpc.LanguageModelStub(channel)
        self._where, self._deadline_s = where, deadline_s

    async def reply(self, history: Sequence[Turn], *, tools: Sequence[ToolSpec] = ()) -> AsyncGenerator[ModelEvent]:
        request = language_model_pb2.ReplyRequest(
            history=map(convert.turn_to_wire, history), tools=convert.tools_to_wire(tools)
        )
        call = self._stub.Reply(request, timeout=self._deadline_s, metadata=_metadata())
        async with aclosing(_answers(call, self._where, convert.event_from_wire)) as events:
            async for event in events:
                if event is not None:
                    yield event


@asynccontextmanager
async def open_messenger(url: str, *, deadline_s: float = 90.0) -> AsyncIterator[RemoteMessenger]:
    """A platform's service at `url`, connected by its first call.

    Raises:
        ConfigError: The URL has no host or no port.
    """
    async with _channel("The platform's URL", url) as channel:
        yield RemoteMessenger(channel, url, deadline_s=deadline_s)


class RemoteMessenger:
    """June's telegram or discord service."""

    def __init__(self, channel: grpc.aio.Channel, where: str, *, deadline_s: float) -> None:
        """`where`: the address, for messages. `deadline_s`: of a whole call."""
        self._stub = chat_pb2_grpc.ChannelStub(channel)
        self._where, self._deadline_s = where, deadline_s

    async def send(
        self,
        to: Address,
        text: str,
        *,
        key: str,
        speak: bool = False,
        language: str | None = None,
        reply_to_id: str | None = None,
        buttons: Sequence[Button] = (),
    ) -> tuple[Receipt, ...]:
        request = chat_pb2.SendRequest(
            to=convert.address_to_wire(to),
            text=text,
            key=key,
            speak=speak,
            language=language,
            reply_to_id=reply_to_id,
            buttons=convert.buttons_to_wire(buttons),
        )
        try:
            reply = await self._stub.Send(request, timeout=self._deadline_s, metadata=_metadata())
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error, self._where) from error
        return tuple(convert.receipt_from_wire(receipt) for receipt in reply.receipts)

    async def edit(self, key: str, text: str) -> tuple[Receipt, ...]:
        request = chat_pb2.EditRequest(key=key, text=text)
        try:
            reply = await self._stub.Edit(request, timeout=self._deadline_s, metadata=_metadata())
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error, self._where) from error
        return tuple(convert.receipt_from_wire(receipt) for receipt in reply.receipts)


def _metadata() -> tuple[tuple[str, str], ...]:
    return tuple(observe.outgoing_context().items())


W = TypeVar("W")


async def _answers(
    call: grpc.aio.UnaryStreamCall[Any, W] | grpc.aio.StreamStreamCall[Any, W],
    where: str,
    convert_one: Callable[[W], M],
) -> AsyncGenerator[M]:
    """What the server answers; closing this cancels the call."""
    try:
        async for message in call:
            yield convert_one(message)
    except grpc.aio.AioRpcError as error:
        raise from_rpc(error, where) from error
    except asyncio.CancelledError as error:
        # grpc.aio says the same whether this task was cancelled or the server ended the call as CANCELLED.
        if (task := asyncio.current_task()) is not None and task.cancelling():
            raise
        raise Unreachable(f"{where} broke off this call, perhaps since it is stopping. Try again.") from error
    finally:
        call.cancel()
