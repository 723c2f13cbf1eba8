"""The main job on the real embedded models: what is said is heard, answered and spoken."""

import json
import os
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path

import jiwer
import numpy as np
import pytest

from essence import config
from essence.audio import Pcm, decode, decode_stream, encode_voice, encode_wav
from essence.chat.events import AudioPart, Done, Event, Heard
from essence.chat.pipeline import Pipeline
from essence.dialogue import Transcript, Turn
from essence.engines import Players
from tests.audio_samples import Kind, write_file

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

QUESTION = Path(__file__).parents[2] / "demo" / "question.ogg"
SENTENCES = [
    "Please remind me to water the flowers tomorrow morning.",
    "The train to the airport leaves from platform seven.",
    "My sister is coming over for dinner on Sunday.",
    "It was raining all day, so we stayed at home and played chess.",
    "Could you tell me how long it takes to boil an egg?",
    "The old bridge across the river was closed last winter.",
]
ROUND_TRIP_WER_MAX = 0.10
"""Stated limit: Piper's voice, then Ogg/Opus, then Whisper base."""
SHORT_WER_MAX = 0.4
"""Of one short sentence: Piper speaks with random variation, and one word in five may be misheard."""

NORMAL = jiwer.Compose([jiwer.ToLowerCase(), jiwer.RemovePunctuation(), jiwer.RemoveMultipleSpaces(), jiwer.Strip()])


async def heard(players: Players, sound: bytes) -> Transcript:
    transcript = None
    async with (
        aclosing(decode_stream(sound)) as speech,
        aclosing(players.transcriber.transcribe(speech)) as transcripts,
    ):
        async for growing in transcripts:
            transcript = growing
    assert transcript is not None
    return transcript


async def spoken(players: Players, text: str) -> list[Pcm]:
    async with aclosing(players.synthesizer.synthesize(text, language="en")) as speech:
        return [pcm async for pcm in speech]


async def told(events) -> list[Event]:
    async with aclosing(events):
        return [event async for event in events]


async def test_a_recorded_question_comes_back_as_a_spoken_answer(players):
    pipeline = Pipeline(players.transcriber, players.model, players.synthesizer)
    events = await told(pipeline.answer_note(QUESTION, (Turn("system", "Answer in one short sentence."),)))
    [transcript] = [event.transcript for event in events if isinstance(event, Heard)]
    assert NORMAL(transcript.text) == "hello june what is the capital of france"
    assert transcript.language == "en"
    done = events[-1]
    assert isinstance(done, Done)
    assert "Paris" in done.answer
    answers = [await heard(players, event.note.data) for event in events if isinstance(event, AudioPart)]
    understood = NORMAL(" ".join(answer.text for answer in answers))
    assert jiwer.wer(NORMAL(done.answer), understood) <= SHORT_WER_MAX, understood
    assert done.timings.stt_s > 0
    assert done.timings.tts_s > 0
    assert done.timings.encode_s > 0


async def test_what_june_says_june_understands(players):
    said, understood = [], []
    for sentence in SENTENCES:
        note = encode_voice(await spoken(players, sentence))
        said.append(NORMAL(sentence))
        understood.append(NORMAL((await heard(players, note.data)).text))
    wer = jiwer.wer(said, understood)
    assert wer <= ROUND_TRIP_WER_MAX, list(zip(said, understood, strict=True))


@pytest.mark.parametrize(
    "kind",
    [
        Kind("ogg", "libopus", 48_000),
        Kind("mp3", "libmp3lame", 44_100, "stereo"),
        Kind("ipod", "aac", 44_100),
        Kind("webm", "libopus", 48_000, video=True),
        Kind("flac", "flac", 48_000, "5.1"),
        Kind("wav", "pcm_s16le", 8_000),
    ],
    ids=str,
)
async def test_the_question_is_heard_whatever_it_was_recorded_with(players, kind):
    sound = np.concatenate([pcm.samples() for pcm in decode(QUESTION, rate=kind.rate)])
    transcript = await heard(players, write_file(kind, sound))
    assert "capital of france" in NORMAL(transcript.text)


async def test_a_human_recording_is_heard(players):
    recording = config.read(config.ModelFiles).june_models_dir / "speech-samples" / "two_cities.wav"
    transcript = await heard(players, recording.read_bytes())
    beginning = "it was the best of times it was the worst of times it was the age of wisdom"
    ours = " ".join(NORMAL(transcript.text).split()[: len(beginning.split())])
    assert jiwer.wer(beginning, ours) <= 0.2
    assert transcript.language == "en"


async def test_silence_is_answered_by_nothing(players):
    pipeline = Pipeline(players.transcriber, players.model, players.synthesizer)
    events = await told(pipeline.answer_note(encode_wav([Pcm(bytes(2 * 16_000 * 3), 16_000)])))
    assert [type(event) for event in events] == [Heard, Done]


def june(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "essence", *arguments]
    certain = os.environ | {"LLM_TEMPERATURE": "0"}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=certain)


async def test_say_and_listen_understand_each_other(tmp_path):
    said = june("say", "The **weather** is `fine` today.", "-o", str(tmp_path / "fine.ogg"))
    assert said.returncode == 0, said.stderr
    listened = june("listen", str(tmp_path / "fine.ogg"), "--json", "--words")
    assert listened.returncode == 0, listened.stderr
    report = json.loads(listened.stdout)
    assert jiwer.wer("the weather is fine today", NORMAL(report["text"])) <= SHORT_WER_MAX, report["text"]
    assert [word for segment in report["segments"] for word in segment["words"]]


async def test_talk_shows_transcript_answer_and_times_and_writes_the_spoken_answer(tmp_path):
    answer = tmp_path / "answer.ogg"
    done = june("talk", str(QUESTION), "-o", str(answer))
    assert done.returncode == 0, done.stderr
    assert "capital of France" in done.stdout
    assert "Paris" in done.stdout
    for stage in ("decode", "gate", "queue", "STT", "first token", "first sentence", "LLM", "first audio", "TTS"):
        assert stage in done.stdout
    assert sum(pcm.duration_s for pcm in decode(answer)) > 0.5


@pytest.mark.parametrize("content", [b"", b"not audio at all" * 50], ids=["empty", "text"])
async def test_what_is_no_audio_is_refused_in_one_sentence(tmp_path, content):
    note = tmp_path / "note.ogg"
    note.write_bytes(content)
    done = june("listen", str(note))
    assert done.returncode == 1
    assert done.stderr.startswith("invalid_audio:")
    assert "Traceback" not in done.stderr
