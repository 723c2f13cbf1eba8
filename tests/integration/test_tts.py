"""The speech engines as they are: real processes, real voices."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from random import Random

import numpy as np
import pytest

from essence.audio import Pcm
from essence.config import TtsEngine, read
from essence.engines import open_synthesizer
from essence.engines.tts.espeak import EspeakSynthesizer
from essence.engines.tts.frames import WINDOW_CHUNKS, SpeakRequest
from essence.engines.tts.piper import open_player as open_piper
from essence.engines.tts.worker import WorkerCommand, WorkerProcess
from essence.errors import EngineBusy, EngineError, EngineMissing, JuneError, NotFound, TooSlow
from essence.ports import Synthesizer

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
SENTENCE = "The weather will be fine tomorrow."
ESPEAK = "essence.engines.tts.espeak_worker"


@contextlib.asynccontextmanager
async def espeak_process(*, waiting_max: int = 64, chunk_deadline_s: float = 30.0) -> AsyncIterator[WorkerProcess]:
    command = WorkerCommand("eSpeak NG", ESPEAK, waiting_max=waiting_max, chunk_deadline_s=chunk_deadline_s)
    worker = WorkerProcess(command)
    try:
        yield worker
    finally:
        await worker.close()


@pytest.fixture
async def worker() -> AsyncIterator[WorkerProcess]:
    async with espeak_process() as process:
        yield process


@pytest.fixture
async def spelling(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WorkerProcess]:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent / "workers"))
    process = WorkerProcess(WorkerCommand("Spelling", "spelling_worker"))
    yield process
    await process.close()


async def islice(speech: AsyncIterator[Pcm], count: int) -> AsyncIterator[Pcm]:
    for _ in range(count):
        if (pcm := await anext(speech, None)) is None:
            return
        yield pcm


@pytest.fixture
def espeak(worker: WorkerProcess) -> EspeakSynthesizer:
    return EspeakSynthesizer(worker, language="", rate=1.0)


@pytest.fixture
async def piper() -> AsyncIterator[Synthesizer]:
    async with open_piper("piper:en_US-joe-medium", read(TtsEngine)) as player:
        yield player


async def spoken(player: Synthesizer, text: str, *, voice: str | None = None, language: str | None = None) -> list[Pcm]:
    async with aclosing(player.synthesize(text, voice=voice, language=language)) as speech:
        return [pcm async for pcm in speech]


def joined(speech: list[Pcm]) -> bytes:
    return b"".join(pcm.data for pcm in speech)


def assert_is_speech(speech: list[Pcm], text: str) -> None:
    assert len({pcm.rate for pcm in speech}) == 1
    samples = np.concatenate([pcm.samples() for pcm in speech]).astype(float)
    assert 0.03 < sum(pcm.duration_s for pcm in speech) / len(text) < 0.15  # people: 12 to 16 characters a second
    assert np.sqrt(np.mean(samples**2)) > 300
    assert np.abs(samples).max() < 32767


def is_running(process_id: int) -> bool:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def process_ids() -> set[int]:
    """Zombies included."""
    return {int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()}


def peak_memory_kib(process_id: int | None) -> int:
    status = Path(f"/proc/{process_id}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


# Both engines


async def test_espeak_speaks(espeak: EspeakSynthesizer) -> None:
    assert_is_speech(await spoken(espeak, SENTENCE, language="en"), SENTENCE)


@pytest.mark.model
async def test_piper_speaks_sentence_by_sentence(piper: Synthesizer) -> None:
    speech = await spoken(piper, f"{SENTENCE} {SENTENCE} {SENTENCE}", language="en")
    assert len(speech) == 3
    assert_is_speech(speech, SENTENCE * 3)


@pytest.mark.model
async def test_piper_says_the_first_clause_of_a_long_sentence_first(piper: Synthesizer) -> None:
    text = (
        "When the rain had stopped at last, " + "we walked along the river to the old mill and looked at the boats " * 3
    )
    speech = await spoken(piper, text)
    assert len(speech) > 1
    assert speech[0].duration_s < sum(pcm.duration_s for pcm in speech) / 3


@pytest.mark.parametrize("text", ["", " ", "\n\t \n", "\x00\x01"])
async def test_espeak_says_nothing_to_a_blank_text(espeak: EspeakSynthesizer, text: str) -> None:
    assert await spoken(espeak, text) == []


@pytest.mark.model
async def test_piper_says_nothing_to_a_blank_text(piper: Synthesizer) -> None:
    for text in ("", " ", "\n\t \n", "\x00\x01"):
        assert await spoken(piper, text) == []


@pytest.mark.parametrize(
    "text",
    [
        "\x00a\x1b[31mb\x7f",
        "😀🎉",
        "\ud800",
        "[[ˈa]] [[",
        "<speak>&amp;</speak>",
        "\u202e\u200f\u200b",
        "}{",
        "é" * 5000,
    ],
)
async def test_odd_text_leaves_espeak_working(espeak: EspeakSynthesizer, text: str) -> None:
    await spoken(espeak, text)
    assert await spoken(espeak, SENTENCE)


@pytest.mark.model
async def test_odd_text_leaves_piper_working(piper: Synthesizer) -> None:
    for text in ("\x00a\x1b[31mb\x7f", "😀🎉", "\ud800", "[[ˈa]] [[", "<b>&amp;</b>", "\u202e\u200f\u200b", "}{", "字"):
        await spoken(piper, text)
    assert_is_speech(await spoken(piper, SENTENCE), SENTENCE)


@pytest.mark.model
async def test_a_megabyte_starts_at_once_and_leaves_piper_working(piper: Synthesizer) -> None:
    for text in ("a" * 1_000_000, (SENTENCE + " ") * 30_000):
        async with aclosing(piper.synthesize(text)) as speech:
            assert (await anext(speech)).duration_s < 60
    assert_is_speech(await spoken(piper, SENTENCE), SENTENCE)


# Languages and voices


async def test_espeak_speaks_ten_languages_each_in_its_own_way(espeak: EspeakSynthesizer) -> None:
    languages = ("en", "de", "fr", "es", "pt", "it", "ru", "zh", "hi", "no")
    speech = {language: joined(await spoken(espeak, "1 2 3", language=language)) for language in languages}
    assert len(set(speech.values())) == len(languages)
    assert min(map(len, speech.values())) > 10_000


async def test_a_language_without_a_voice_is_not_found_before_any_audio(espeak: EspeakSynthesizer) -> None:
    with pytest.raises(NotFound, match="'xx'"):
        await spoken(espeak, SENTENCE, language="xx")


@pytest.mark.model
async def test_piper_does_not_read_german_with_an_american_voice(piper: Synthesizer) -> None:
    with pytest.raises(NotFound, match="'de'"):
        await spoken(piper, "Guten Tag.", language="de")


@pytest.mark.model
@pytest.mark.parametrize("voice", ["de_DE-nobody-low", "../secrets", "/etc/passwd", "/tmp/evil.onnx", ""])
async def test_a_call_can_name_installed_voices_only(piper: Synthesizer, voice: str) -> None:
    with pytest.raises(NotFound):
        await spoken(piper, SENTENCE, voice=voice)


async def test_a_missing_voice_names_the_command_that_fetches_it(tmp_path: Path) -> None:
    with pytest.raises(EngineMissing, match="python -m essence download-models"):
        async with open_piper("piper:en_US-joe-medium", TtsEngine(june_models_dir=tmp_path)):
            pass


async def test_a_damaged_voice_is_told_and_leaves_no_process(tmp_path: Path) -> None:
    (tmp_path / "voice.onnx").write_bytes(b"not a model")
    (tmp_path / "voice.onnx.json").write_text('{"espeak": {"voice": "en-us"}}')
    with pytest.raises(EngineError, match="failed"):
        async with open_piper(f"piper:{tmp_path}/voice.onnx", TtsEngine()):
            pass


@pytest.mark.model
async def test_english_is_spoken_by_piper_and_the_rest_by_espeak() -> None:
    async with open_synthesizer("piper:en_US-joe-medium,espeak:", read(TtsEngine)) as player:
        english = await spoken(player, SENTENCE, language="en")
        german = await spoken(player, "Morgen wird das Wetter schön.", language="de")
        with pytest.raises(NotFound, match="'xx'"):
            await spoken(player, SENTENCE, language="xx")
    async with open_synthesizer("espeak:", read(TtsEngine)) as robot:
        assert joined(german) == joined(await spoken(robot, "Morgen wird das Wetter schön.", language="de"))
        assert joined(english) != joined(await spoken(robot, SENTENCE, language="en"))


async def test_without_the_piper_voice_espeak_speaks_english(tmp_path: Path) -> None:
    settings = TtsEngine(june_models_dir=tmp_path)
    async with open_synthesizer("piper:en_US-joe-medium,espeak:", settings) as player:
        assert_is_speech(await spoken(player, SENTENCE, language="en"), SENTENCE)


@pytest.mark.parametrize("rate", [0.5, 2.0])
async def test_the_speaking_rate_is_heeded(worker: WorkerProcess, rate: float) -> None:
    plain = await spoken(EspeakSynthesizer(worker, language="", rate=1.0), SENTENCE)
    other = await spoken(EspeakSynthesizer(worker, language="", rate=rate), SENTENCE)
    assert len(joined(other)) * rate == pytest.approx(len(joined(plain)), rel=0.3)


# The process


async def test_the_call_after_a_cancelled_one_hears_nothing_of_it(espeak: EspeakSynthesizer) -> None:
    for _ in range(5):
        async with aclosing(espeak.synthesize("Something else entirely. " * 500)) as speech:
            await anext(speech)
        assert_is_speech(await spoken(espeak, SENTENCE), SENTENCE)


@pytest.mark.model
async def test_cancelling_stops_pipers_inference_and_keeps_its_process() -> None:
    async with open_piper("piper:en_US-joe-medium", read(TtsEngine)) as piper:
        first = asyncio.ensure_future(anext(piper.synthesize("word " * 100)))
        await asyncio.sleep(0.2)  # within the first inference, which takes longer
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert_is_speech(await spoken(piper, SENTENCE), SENTENCE)


async def test_calls_side_by_side_keep_their_audio_apart(spelling: WorkerProcess) -> None:
    async def spell(caller: int, *, words: int, leave_after: int) -> None:
        text = [f"{caller}.{word}" for word in range(words)]
        async with aclosing(spelling.speak(SpeakRequest(" ".join(text)))) as speech:
            heard = [pcm.data.decode().strip() async for pcm in islice(speech, leave_after)]
        assert heard == text[:leave_after]

    draw = Random(0)
    await asyncio.gather(
        *(spell(n, words=draw.randrange(40), leave_after=draw.choice((1, 3, 7, 99))) for n in range(60))
    )


async def test_what_libraries_print_does_not_get_between_the_audio(spelling: WorkerProcess) -> None:
    heard = [pcm.data async for pcm in spelling.speak(SpeakRequest("one noise two"))]
    assert heard == [b"one ", b"noise ", b"two "]


@pytest.mark.parametrize(
    ("word", "error", "message"),
    [
        ("crash", EngineError, "exit code 3"),
        ("raise", EngineError, "unheard of"),
        ("missing", NotFound, "no such voice"),
    ],
)
async def test_a_failure_has_a_name_and_the_next_call_works(
    spelling: WorkerProcess, word: str, error: type[JuneError], message: str
) -> None:
    with pytest.raises(error, match=message):
        async for _ in spelling.speak(SpeakRequest(f"one {word} two")):
            pass
    assert [pcm.data async for pcm in spelling.speak(SpeakRequest("after"))] == [b"after "]


async def test_an_engine_that_can_not_start_is_told(tmp_path: Path) -> None:
    worker = WorkerProcess(WorkerCommand("Nothing", "essence.no_such_module"))
    with pytest.raises(EngineError, match="no_such_module"):
        await worker.start()
    assert worker.process_id is None


async def test_a_short_text_does_not_wait_for_a_long_one(espeak: EspeakSynthesizer) -> None:
    async with aclosing(espeak.synthesize((SENTENCE + " ") * 2000)) as long:
        await anext(long)
        assert await spoken(espeak, SENTENCE)  # while the long one is far from its end
        assert await anext(long)


@LINUX
async def test_a_long_text_is_spoken_in_bounded_memory(worker: WorkerProcess) -> None:
    async def peak_kib(text: str) -> int:
        async for _ in worker.speak(SpeakRequest(text)):
            pass
        return peak_memory_kib(worker.process_id)

    short = await peak_kib((SENTENCE + " ") * 60)
    assert await peak_kib((SENTENCE + " ") * 600) < short + 8 * 1024  # 20,000 characters: 50 MiB of audio


async def test_the_engine_waits_for_a_slow_listener(worker: WorkerProcess) -> None:
    speech = worker.speak(SpeakRequest((SENTENCE + " ") * 2000))
    await anext(speech)
    assert worker._life
    await asyncio.sleep(0.5)  # time to run far ahead, were it allowed to
    (call,) = worker._life._calls.values()
    assert call.inbox.qsize() <= WINDOW_CHUNKS
    await speech.aclose()


async def test_one_call_too_many_is_told_at_once() -> None:
    async with espeak_process(waiting_max=1) as worker:
        held = [worker.speak(SpeakRequest(SENTENCE * 1000)) for _ in range(2)]
        for speech in held:
            await anext(speech)
        with pytest.raises(EngineBusy):
            await anext(worker.speak(SpeakRequest(SENTENCE)))
        for speech in held:
            await speech.aclose()
        assert await anext(worker.speak(SpeakRequest(SENTENCE)))


async def test_a_killed_process_fails_the_calls_in_flight_and_the_next_call_works(worker: WorkerProcess) -> None:
    calls = [worker.speak(SpeakRequest((SENTENCE + " ") * 2000)) for _ in range(3)]
    for speech in calls:
        await anext(speech)
    first = worker.process_id
    assert first
    os.kill(first, signal.SIGKILL)
    for speech in calls:
        with pytest.raises(EngineError, match="SIGKILL"):
            async for _ in speech:
                pass
    assert [pcm async for pcm in worker.speak(SpeakRequest(SENTENCE))]
    assert worker.process_id != first


@LINUX
async def test_a_hung_process_is_ended_and_the_next_call_works() -> None:
    async with espeak_process(chunk_deadline_s=0.5) as worker:
        await worker.start()
        hung = worker.process_id
        assert hung
        os.kill(hung, signal.SIGSTOP)
        with pytest.raises(TooSlow):
            await anext(worker.speak(SpeakRequest(SENTENCE)))
    async with espeak_process() as worker:
        assert [pcm async for pcm in worker.speak(SpeakRequest(SENTENCE))]
    assert not is_running(hung)


@LINUX
async def test_closing_leaves_no_process_and_no_zombie() -> None:
    async with espeak_process() as worker:
        speech = worker.speak(SpeakRequest((SENTENCE + " ") * 2000))
        await anext(speech)
        process_id = worker.process_id
    assert process_id not in process_ids()
    await speech.aclose()


PARENT = """
import asyncio
from essence.engines.tts.frames import SpeakRequest
from essence.engines.tts.worker import WorkerCommand, WorkerProcess

async def main():
    worker = WorkerProcess(WorkerCommand("eSpeak NG", "essence.engines.tts.espeak_worker"))
    speech = worker.speak(SpeakRequest("Never ends. " * 100_000))
    await anext(speech)
    print(worker.process_id, flush=True)
    async for _ in speech:
        pass

asyncio.run(main())
"""


@LINUX
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_process_outlives_june(how: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as june:
        assert june.stdout
        process_id = int(june.stdout.readline())
        assert is_running(process_id)
        june.send_signal(how)
        june.wait()
    while is_running(process_id):  # the test's own time limit ends this
        time.sleep(0.01)


def test_an_engines_process_starts_without_what_it_does_not_need() -> None:
    check = (
        "import sys, essence.engines.tts.desk; print([m for m in ('pydantic', 'numpy', 'grpc') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", check], text=True).strip() == "[]"
