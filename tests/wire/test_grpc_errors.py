"""What goes wrong on one side of a socket comes out on the other as what it is."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

import grpc
import pytest

from essence import errors
from essence.audio import Pcm
from essence.config import LlmEngine, SttEngine, TtsEngine
from essence.dialogue import ModelEvent, TextDelta, ToolSpec, Transcript, Turn
from essence.errors import JuneError
from essence.fakes import ScriptedModel, ScriptedTranscriber, ToneSynthesizer
from essence.rpc import client, servicers
from essence.rpc.server import LANGUAGE_MODEL, SPEECH_TO_TEXT, TEXT_TO_SPEECH, Limits, RpcServer, serving
from essence.rpc.v1 import speech_to_text_pb2, speech_to_text_pb2_grpc

HELLO = [Turn("user", "Hello?")]


class FailingModel:
    """Raises what it was given, after some words."""

    def __init__(self, error: Exception, *, words: int = 0) -> None:
        self._error, self._words = error, words

    async def reply(self, history: Sequence[Turn], *, tools: Sequence[ToolSpec] = ()) -> AsyncGenerator[ModelEvent]:
        for number in range(self._words):
            yield TextDelta(f"{number} ")
        raise self._error


class SilentModel:
    """Never answers, and tells when it was stopped."""

    def __init__(self) -> None:
        self.asked, self.stopped = asyncio.Event(), asyncio.Event()

    async def reply(self, history: Sequence[Turn], *, tools: Sequence[ToolSpec] = ()) -> AsyncGenerator[ModelEvent]:
        self.asked.set()
        try:
            await asyncio.Event().wait()
            yield TextDelta("never")
        finally:
            self.stopped.set()


async def second_of_silence(count: int = 1) -> AsyncIterator[Pcm]:
    for _ in range(count):
        yield Pcm(bytes(32_000), 16_000)


async def ask(url: str, *, history: Sequence[Turn] = HELLO, deadline_s: float = 30.0) -> list[ModelEvent]:
    async with client.open_language_model(url, LlmEngine(llm_deadline_s=deadline_s)) as model:
        return [event async for event in model.reply(history)]


@pytest.mark.parametrize("kind", errors.by_code().values(), ids=list(errors.by_code()))
async def test_an_error_crosses_the_wire_as_its_own_class(kind: type[JuneError]) -> None:
    async with serving(LANGUAGE_MODEL, FailingModel(kind("Größe: ask for less."))) as url:
        with pytest.raises(JuneError) as caught:
            await ask(url)
    assert type(caught.value) is kind
    assert str(caught.value) == "Größe: ask for less."
    assert caught.value.retryable is kind.retryable


async def test_what_was_said_before_an_error_arrives_too() -> None:
    heard = []
    async with serving(LANGUAGE_MODEL, FailingModel(errors.TooSlow("Late."), words=2)) as url:
        async with client.open_language_model(url, LlmEngine()) as model:
            with pytest.raises(errors.TooSlow):
                async for event in model.reply(HELLO):
                    heard.append(event)
    assert heard == [TextDelta("0 "), TextDelta("1 ")]


async def test_an_error_of_ten_thousand_characters_is_cut_not_lost() -> None:
    async with serving(LANGUAGE_MODEL, FailingModel(errors.NotFound("é" * 10_000))) as url:
        with pytest.raises(errors.NotFound, match=r"é{500}"):
            await ask(url)


async def test_a_crash_reaches_the_client_without_its_internals() -> None:
    async with serving(LANGUAGE_MODEL, FailingModel(KeyError("password=hunter2"))) as url:
        with pytest.raises(errors.EngineError) as caught:
            await ask(url)
    assert type(caught.value) is errors.EngineError
    assert "hunter2" not in str(caught.value)
    assert "KeyError" not in str(caught.value)


async def test_nobody_there_is_unreachable_soon() -> None:
    async with serving(LANGUAGE_MODEL, ScriptedModel("gone")) as url:
        pass
    async with asyncio.timeout(10):
        with pytest.raises(errors.Unreachable, match="Is the service running"):
            await ask(url)


async def test_a_server_that_takes_connections_and_says_nothing_is_too_slow() -> None:
    taken: list[asyncio.StreamWriter] = []

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(writer)
        await reader.read()

    async with await asyncio.start_server(hang, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(errors.TooSlow):
            await ask(f"grpc://127.0.0.1:{port}", deadline_s=0.3)
        for writer in taken:
            writer.close()
            await writer.wait_closed()


async def test_an_engine_that_hangs_is_too_slow_and_is_stopped() -> None:
    model = SilentModel()
    async with serving(LANGUAGE_MODEL, model) as url:
        with pytest.raises(errors.TooSlow):
            await ask(url, deadline_s=0.3)
        await asyncio.wait_for(model.stopped.wait(), 10)


async def test_a_server_ends_a_call_that_exceeds_its_own_limit() -> None:
    async with serving(LANGUAGE_MODEL, SilentModel(), limits=Limits(call_s=0.2)) as url:
        with pytest.raises(errors.TooSlow, match="longer than the service allows"):
            await ask(url)


async def test_closing_the_answer_stops_the_player() -> None:
    model = SilentModel()
    async with serving(LANGUAGE_MODEL, model) as url, client.open_language_model(url, LlmEngine()) as far:
        asking = asyncio.create_task(anext(far.reply(HELLO)))
        await asyncio.wait_for(model.asked.wait(), 10)
        asking.cancel()
        await asyncio.wait_for(model.stopped.wait(), 10)
        with pytest.raises(asyncio.CancelledError):
            await asking


async def test_a_message_that_is_too_large_is_bad_input_not_a_busy_engine() -> None:
    async with serving(LANGUAGE_MODEL, ScriptedModel("hi"), limits=Limits(message_bytes=10_000)) as url:
        with pytest.raises(errors.InvalidInput, match="larger than max"):
            await ask(url, history=[Turn("user", "word " * 10_000)])


async def test_long_speech_fits_small_messages() -> None:
    async with serving(SPEECH_TO_TEXT, ScriptedTranscriber("hi"), limits=Limits(message_bytes=100_000)) as url:
        async with client.open_transcriber(url, SttEngine()) as far:
            [transcript] = [t async for t in far.transcribe(second_of_silence(100))]
    assert transcript.duration_s == 100


async def test_one_call_more_than_the_limit_is_told_that_the_engine_is_busy() -> None:
    model = SilentModel()
    async with serving(LANGUAGE_MODEL, model, limits=Limits(calls=1)) as url:
        first = asyncio.create_task(ask(url))
        await asyncio.wait_for(model.asked.wait(), 10)
        with pytest.raises(errors.EngineBusy):
            await ask(url)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)


async def test_a_call_to_the_wrong_service_says_so() -> None:
    async with serving(TEXT_TO_SPEECH, ToneSynthesizer()) as url:
        with pytest.raises(errors.EngineMissing, match="does not offer this service"):
            await ask(url)


async def test_a_call_while_the_engine_loads_is_unreachable_for_now() -> None:
    server = RpcServer(LANGUAGE_MODEL, Limits())
    port = await server.start("127.0.0.1", 0)
    try:
        with pytest.raises(errors.Unreachable, match="still loading"):
            await ask(f"grpc://127.0.0.1:{port}")
        await server.serve(ScriptedModel("now"))
        assert (await ask(f"grpc://127.0.0.1:{port}"))[0] == TextDelta("now")
    finally:
        await server.stop(0)


async def test_a_server_that_stops_breaks_off_a_call_as_unreachable() -> None:
    model = SilentModel()
    server = RpcServer(LANGUAGE_MODEL, Limits())
    port = await server.start("127.0.0.1", 0)
    await server.serve(model)
    asking = asyncio.create_task(ask(f"grpc://127.0.0.1:{port}"))
    await asyncio.wait_for(model.asked.wait(), 10)
    await server.stop(0.1)
    with pytest.raises(errors.Unreachable):
        await asking


async def test_a_failing_source_of_speech_is_told_as_itself_and_stops_the_call() -> None:
    async def breaks() -> AsyncIterator[Pcm]:
        yield Pcm(bytes(32_000), 16_000)
        raise errors.InvalidAudio("The file ends too early.")

    async with serving(SPEECH_TO_TEXT, ScriptedTranscriber("half a note")) as url:
        async with client.open_transcriber(url, SttEngine()) as far:
            with pytest.raises(errors.InvalidAudio, match="ends too early"):
                [t async for t in far.transcribe(breaks())]


async def test_audio_that_changes_its_rate_is_refused() -> None:
    async def changes() -> AsyncIterator[Pcm]:
        yield Pcm(bytes(3200), 16_000)
        yield Pcm(bytes(3200), 8_000)

    async with serving(SPEECH_TO_TEXT, ScriptedTranscriber("hi")) as url:
        async with client.open_transcriber(url, SttEngine()) as far:
            with pytest.raises(errors.InvalidAudio, match="changed its rate"):
                [t async for t in far.transcribe(changes())]


async def test_a_server_that_refuses_early_is_heard_while_speech_is_still_sent() -> None:
    class Refusing:
        async def transcribe(
            self, speech: AsyncIterator[Pcm], *, language: str | None = None, word_times: bool = False
        ) -> AsyncGenerator[Transcript]:
            await anext(speech)
            raise errors.EngineBusy("The queue is full.")
            yield

    async with serving(SPEECH_TO_TEXT, Refusing()) as url, client.open_transcriber(url, SttEngine()) as far:
        with pytest.raises(errors.EngineBusy, match="queue is full"):
            [t async for t in far.transcribe(second_of_silence(300))]


async def test_a_server_that_goes_away_while_speech_is_sent_is_unreachable() -> None:
    async def endless() -> AsyncIterator[Pcm]:
        while True:
            yield Pcm(bytes(32_000), 16_000)
            await asyncio.sleep(0)

    async with client.open_transcriber("grpc://127.0.0.1:1", SttEngine()) as nobody:
        with pytest.raises(errors.Unreachable):
            [t async for t in nobody.transcribe(endless())]
    server = RpcServer(SPEECH_TO_TEXT, Limits())
    port = await server.start("127.0.0.1", 0)
    await server.serve(ScriptedTranscriber("never"))
    async with client.open_transcriber(f"grpc://127.0.0.1:{port}", SttEngine()) as far:
        hearing = asyncio.create_task(anext(far.transcribe(endless())))
        await asyncio.sleep(0.2)
        await server.stop(0)
        with pytest.raises(errors.Unreachable):
            await hearing


@pytest.mark.parametrize(
    ("requests", "says"),
    [
        ([], "first message"),
        ([speech_to_text_pb2.TranscribeRequest(audio=b"1234")], "first message"),
        ([{}, {}], "audio alone"),
        ([{}, speech_to_text_pb2.TranscribeRequest(audio=b"1234")], "rate is missing"),
        ([{"rate": 8000}, speech_to_text_pb2.TranscribeRequest(audio=b"123")], "Half a sample"),
    ],
)
async def test_a_client_that_breaks_the_protocol_is_told_how(requests: list[object], says: str) -> None:
    async def sent() -> AsyncIterator[speech_to_text_pb2.TranscribeRequest]:
        for request in requests:
            if isinstance(request, dict):
                options = speech_to_text_pb2.TranscribeOptions(**request)
                yield speech_to_text_pb2.TranscribeRequest(options=options)
            else:
                assert isinstance(request, speech_to_text_pb2.TranscribeRequest)
                yield request

    async with serving(SPEECH_TO_TEXT, ScriptedTranscriber("hi")) as url:
        async with grpc.aio.insecure_channel(url.removeprefix("grpc://")) as channel:
            call = speech_to_text_pb2_grpc.SpeechToTextStub(channel).Transcribe(sent())
            with pytest.raises(grpc.aio.AioRpcError, match=says) as caught:
                [answer async for answer in call]
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("after", ["nothing", "options"])
async def test_a_client_that_sends_nothing_does_not_hold_its_place(monkeypatch: pytest.MonkeyPatch, after: str) -> None:
    monkeypatch.setattr(servicers, "NEXT_MESSAGE_S", 0.1)
    options = speech_to_text_pb2.TranscribeRequest(options=speech_to_text_pb2.TranscribeOptions(rate=16_000))
    async with serving(SPEECH_TO_TEXT, ScriptedTranscriber("hi")) as url:
        async with grpc.aio.insecure_channel(url.removeprefix("grpc://")) as channel:
            call = speech_to_text_pb2_grpc.SpeechToTextStub(channel).Transcribe()
            if after == "options":
                await call.write(options)
            assert await asyncio.wait_for(call.code(), 10) is grpc.StatusCode.DEADLINE_EXCEEDED
        async with client.open_transcriber(url, SttEngine()) as far:
            [transcript] = [t async for t in far.transcribe(second_of_silence())]
    assert transcript.text == "hi"


@pytest.mark.parametrize("url", ["grpc://", "grpc://host", "grpc://:50052", "grpc://host:port", "grpc:50052"])
async def test_an_address_without_host_or_port_is_a_sentence_with_the_setting(url: str) -> None:
    with pytest.raises(errors.ConfigError, match=r"TTS_URL=.*grpc://HOST:PORT"):
        async with client.open_synthesizer(url, TtsEngine()):
            pass


async def test_a_service_that_was_restarted_is_found_again() -> None:
    async with serving(LANGUAGE_MODEL, ScriptedModel("first")) as url:
        port = int(url.rpartition(":")[2])
        async with client.open_language_model(url, LlmEngine()) as far:
            assert await anext(far.reply(HELLO)) == TextDelta("first")
            server = RpcServer(LANGUAGE_MODEL, Limits())
            restarted = time.monotonic()
    async with client.open_language_model(url, LlmEngine()) as far:
        with pytest.raises(errors.Unreachable):
            [e async for e in far.reply(HELLO)]
        await server.start("127.0.0.1", port)
        await server.serve(ScriptedModel("second"))
        answer = None
        while answer is None and time.monotonic() < restarted + 20:
            try:
                answer = await anext(far.reply(HELLO))
            except errors.Unreachable:
                await asyncio.sleep(0.2)
        await server.stop(0)
    assert answer == TextDelta("second")
