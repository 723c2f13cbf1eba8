"""Players on the wire: one servicer for each role, each only converts and hands over.

Handlers write to their context rather than yield: only so is it certain that a player is closed the moment its client
goes away, since grpc.aio cancels a handler but leaves a generator of responses to the garbage collector.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any, Generic, TypeVar

import grpc
from grpc_status import rpc_status

from essence import observe
from essence.audio import Pcm
from essence.dialogue import Transcript
from essence.errors import EngineError, InvalidInput, JuneError, TooSlow, Unreachable
from essence.ports import LanguageModel, Messenger, Synthesizer, Transcriber
from essence.rpc import convert
from essence.rpc.errors import to_status
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

P = TypeVar("P")
Context = grpc.aio.ServicerContext[Any, Any]

READ_OUT_S = 2.0
"""How long a failed call still takes audio, so that its client hears why: enough for any note on a home network."""

NEXT_MESSAGE_S = 30.0
"""How long a call waits for the audio it has asked its client for. It holds a place in the engine's queue meanwhile, so
a client that opens calls and sends nothing must not keep others out."""


class Desk(Generic[P]):
    """Where a servicer finds its player, and how it answers a call."""

    def __init__(self, service: str, *, call_max_s: float) -> None:
        """`service`: full name, such as june.v1.SpeechToText. `call_max_s`: longest call, whatever its client says."""
        self.service = service
        self.call_max_s = call_max_s
        self.player: P | None = None
        """None while the engine loads."""

    def ask(self) -> P:
        """The player.

        Raises:
            Unreachable: The engine is still loading.
        """
        if self.player is None:
            raise Unreachable(f"{self.service} is still loading its engine. Try again in a moment.")
        return self.player

    @asynccontextmanager
    async def answering(self, context: Context, method: str) -> AsyncIterator[None]:
        """Hold one call: count it, bound its time, and tell its client of a failure as what it is."""
        try:
            with observe.call(self.service, method, dict(_text_headers(context))):
                async with _bounded(self.call_max_s):
                    yield
        except JuneError as error:
            await _abort(context, error)
        except grpc.aio.BaseError:  # gRPC's own word that the call is over
            raise
        except Exception:  # noqa: BLE001  # the edge of the process: what nobody foresaw is logged here, and hidden from the client
            observe.logger().exception("call_crashed", call=f"{self.service}/{method}")
            await _abort(context, EngineError(f"{self.service} failed at this call. Its log tells more."))


async def _abort(context: Context, error: JuneError) -> None:
    await context.abort_with_status(rpc_status.to_status(to_status(error)))


@asynccontextmanager
async def _bounded(seconds: float) -> AsyncIterator[None]:
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            yield
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise TooSlow(f"The call took longer than the service allows, {seconds:g} s.") from error


def _text_headers(context: Context) -> Iterator[tuple[str, str]]:
    for key, value in context.invocation_metadata() or ():
        if isinstance(value, str):
            yield key, value


class SpeechToText(speech_to_text_pb2_grpc.SpeechToTextServicer):
    """A Transcriber on the wire."""

    def __init__(self, desk: Desk[Transcriber]) -> None:
        self._desk = desk

    async def Transcribe(  # type: ignore[override]  # see the module's docstring  # noqa: N802
        self, request_iterator: AsyncIterator[speech_to_text_pb2.TranscribeRequest], context: Context
    ) -> None:
        async with self._desk.answering(context, "Transcribe"):
            requests = aiter(request_iterator)
            try:
                async with aclosing(await self._transcripts(requests)) as transcripts:
                    async for transcript in transcripts:
                        await context.write(convert.transcript_to_wire(transcript))
            except Exception:
                await _read_out(requests)
                raise

    async def _transcripts(
        self, requests: AsyncIterator[speech_to_text_pb2.TranscribeRequest]
    ) -> AsyncGenerator[Transcript]:
        options = await _options(requests)
        return self._desk.ask().transcribe(
            _audio(requests, options.rate),
            language=options.language if options.HasField("language") else None,
            word_times=options.word_times,
        )


async def _read_out(requests: AsyncIterator[speech_to_text_pb2.TranscribeRequest]) -> None:
    """Let a client finish its sending: grpc.aio's forgets the status of a call that ended during a write."""
    with suppress(TimeoutError):
        async with asyncio.timeout(READ_OUT_S):
            async for _ in requests:
                pass


async def _options(
    requests: AsyncIterator[speech_to_text_pb2.TranscribeRequest],
) -> speech_to_text_pb2.TranscribeOptions:
    first = await _next(requests)
    if first is None or first.WhichOneof("part") != "options":
        raise InvalidInput("The first message of Transcribe must hold the options.")
    return first.options


async def _audio(requests: AsyncIterator[speech_to_text_pb2.TranscribeRequest], rate: int) -> AsyncGenerator[Pcm]:
    while (request := await _next(requests)) is not None:
        if request.WhichOneof("part") != "audio":
            raise InvalidInput("After the first message, Transcribe takes audio alone.")
        yield convert.pcm_from_wire(request.audio, rate)


async def _next(
    requests: AsyncIterator[speech_to_text_pb2.TranscribeRequest],
) -> speech_to_text_pb2.TranscribeRequest | None:
    try:
        async with asyncio.timeout(NEXT_MESSAGE_S):
            return await anext(requests, None)
    except TimeoutError as error:
        raise TooSlow(f"The client sent nothing for {NEXT_MESSAGE_S:g} s. Send the note again.") from error


class TextToSpeech(text_to_speech_pb2_grpc.TextToSpeechServicer):
    """A Synthesizer on the wire."""

    def __init__(self, desk: Desk[Synthesizer]) -> None:
        self._desk = desk

    async def Synthesize(  # type: ignore[override]  # see the module's docstring  # noqa: N802
        self, request: text_to_speech_pb2.SynthesizeRequest, context: Context
    ) -> None:
        async with self._desk.answering(context, "Synthesize"):
            speech = self._desk.ask().synthesize(
                request.text,
                voice=request.voice if request.HasField("voice") else None,
                language=request.language if request.HasField("language") else None,
            )
            async with aclosing(speech):
                async for pcm in speech:
                    for piece in convert.pieces(pcm):
                        await context.write(convert.pcm_to_wire(piece))


class LanguageModelServicer(language_model_pb2_grpc.LanguageModelServicer):
    """A LanguageModel on the wire."""

    def __init__(self, desk: Desk[LanguageModel]) -> None:
        self._desk = desk

    async def Reply(  # type: ignore[override]  # see the module's docstring  # noqa: N802
        self, request: language_model_pb2.ReplyRequest, context: Context
    ) -> None:
        async with self._desk.answering(context, "Reply"):
            history = [convert.turn_from_wire(turn) for turn in request.history]
            events = self._desk.ask().reply(history, tools=convert.tools_from_wire(request.tools))
            async with aclosing(events):
                async for event in events:
                    await context.write(convert.event_to_wire(event))


class Channel(chat_pb2_grpc.ChannelServicer):
    """A Messenger on the wire."""

    def __init__(self, desk: Desk[Messenger]) -> None:
        self._desk = desk

    async def Send(  # noqa: N802
        self, request: chat_pb2.SendRequest, context: Context
    ) -> chat_pb2.SendReply:
        receipts: list[chat_pb2.Receipt] = []
        async with self._desk.answering(context, "Send"):
            sent = await self._desk.ask().send(
                convert.address_from_wire(request.to),
                request.text,
                key=request.key,
                speak=request.speak,
                language=request.language if request.HasField("language") else None,
                reply_to_id=request.reply_to_id if request.HasField("reply_to_id") else None,
                buttons=convert.buttons_from_wire(request.buttons),
            )
            receipts = [convert.receipt_to_wire(receipt) for receipt in sent]
        return chat_pb2.SendReply(receipts=receipts)

    async def Edit(  # noqa: N802
        self, request: chat_pb2.EditRequest, context: Context
    ) -> chat_pb2.EditReply:
        receipts: list[chat_pb2.Receipt] = []
        async with self._desk.answering(context, "Edit"):
            changed = await self._desk.ask().edit(request.key, request.text)
            receipts = [convert.receipt_to_wire(receipt) for receipt in changed]
        return chat_pb2.EditReply(receipts=receipts)
