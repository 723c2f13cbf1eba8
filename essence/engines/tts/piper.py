"""Piper: neural voices that speak faster than real time on a CPU."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from essence.audio import Pcm
from essence.config import TtsEngine
from essence.engines.tts.frames import SpeakRequest
from essence.engines.tts.worker import WorkerCommand, WorkerProcess
from essence.errors import EngineMissing, NotFound


@dataclass(frozen=True, slots=True)
class PiperModel:
    """An installed voice: NAME.onnx with NAME.onnx.json beside it."""

    path: Path
    language: str
    """Locale as its configuration names it, such as en_US."""

    @property
    def name(self) -> str:
        return self.path.stem

    def speaks(self, language: str) -> bool:
        """Whether it has this language; the region does not matter: a British text is no reason to fall silent."""
        return _primary(language) == _primary(self.language)


class PiperSynthesizer:
    """Speaks with one voice, or with any other that lies beside it where a call names it."""

    def __init__(self, worker: WorkerProcess, default: PiperModel, *, models_dir: Path, rate: float) -> None:
        self._worker, self._default, self._models_dir, self._rate = worker, default, models_dir, rate

    async def synthesize(
        self, text: str, *, voice: str | None = None, language: str | None = None
    ) -> AsyncGenerator[Pcm]:
        model = self._default if voice is None else _beside(voice, self._models_dir)
        if language is not None and not model.speaks(language):
            raise NotFound(
                f"The Piper voice {model.name} speaks {model.language}, not {language!r}. "
                "Add a voice of that language, or espeak:, to TTS_URL."
            )
        if not text.strip():
            return
        async with aclosing(self._worker.speak(SpeakRequest(text, str(model.path), rate=self._rate))) as speech:
            async for pcm in speech:
                yield pcm


@asynccontextmanager
async def open_player(url: str, settings: TtsEngine) -> AsyncIterator[PiperSynthesizer]:
    """Start Piper's process with the voice of `piper:NAME` (in the models' folder) or `piper:PATH.onnx`.

    Raises:
        EngineMissing: The voice isn't here; the message names the command that fetches it.
    """
    model = _installed(url.partition(":")[2], settings.june_models_dir)
    worker = WorkerProcess(
        WorkerCommand(
            "Piper",
            "essence.engines.tts.piper_worker",
            (str(model.path), str(settings.tts_threads)),
            waiting_max=settings.tts_queue_max,
            chunk_deadline_s=settings.tts_chunk_deadline_s,
        )
    )
    await worker.start()
    try:
        yield PiperSynthesizer(worker, model, models_dir=settings.june_models_dir, rate=settings.tts_rate)
    finally:
        await worker.close()


def _installed(voice: str, models_dir: Path) -> PiperModel:
    try:
        return _named(voice, models_dir)
    except NotFound as error:
        raise EngineMissing(
            f"{error} Fetch the embedded voice with: python -m essence download-models, or set TTS_URL."
        ) from error


def _beside(voice: str, models_dir: Path) -> PiperModel:
    """As `_named`, but by name alone: a caller may be far away and has no say in which file is loaded."""
    if Path(voice).name != voice or voice.endswith(".onnx"):
        raise NotFound(f"There is no Piper voice {voice!r}. Name one of the models' folder, such as en_US-joe-medium.")
    return _named(voice, models_dir)


def _named(voice: str, models_dir: Path) -> PiperModel:
    path = Path(voice) if voice.endswith(".onnx") else models_dir / voice / f"{voice}.onnx"
    config_path = path.with_name(path.name + ".json")
    if not path.is_file() or not config_path.is_file():
        raise NotFound(f"There is no Piper voice {voice!r}: {path} and {config_path.name} must both be there.")
    return PiperModel(path.resolve(), _language(config_path))


def _language(config_path: Path) -> str:
    try:
        config = json.loads(config_path.read_text(encoding="utf-8"))
        # Voices from before 2023 have no language, but all name the eSpeak voice that spells for them.
        return str(config.get("language", {}).get("code") or config["espeak"]["voice"])
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise EngineMissing(f"{config_path} is no Piper configuration. Fetch the voice again.") from error


def _primary(language: str) -> str:
    return language.replace("_", "-").partition("-")[0].lower()
