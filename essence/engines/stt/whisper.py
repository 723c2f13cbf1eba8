"""One Whisper model on CTranslate2: sound in windows of any length, a batch at a time, into text with its signals.

The only file that calls faster-whisper's model; its exceptions become June's here. Blocks: call it from as many threads
as it has workers.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import merge_punctuations
from faster_whisper.utils import available_models

from essence.config import SttEngine
from essence.dialogue import Word
from essence.engines.stt.audio_context import token_budget
from essence.engines.stt.gate import RATE_HZ, Samples
from essence.engines.stt.guard import Heard, Span, spans_of
from essence.engines.stt.repetition import repeated_ending
from essence.errors import EngineError, EngineMissing

_MOST_WORKERS = 4
_TIMESTAMP_S = 0.02
"""What one timestamp token is worth in every Whisper."""
# faster-whisper's defaults: punctuation that belongs to the word after it, and to the one before.
_OPENING = "\"'“¿([{-"
_CLOSING = "\"'.。,，!！?？:：”)]}、"


@dataclass(frozen=True, slots=True)
class Request:
    """One stretch to be written down."""

    samples: Samples
    language: str | None
    """None: to be detected."""
    word_times: bool


class Whisper:
    """A loaded model. Its workers share the weights."""

    def __init__(self, model: WhisperModel, *, beam: int, workers: int) -> None:
        """`beam`: 1 is greedy."""
        self._model, self._beam, self.workers = model, beam, workers
        self._tokenizers: dict[str, Tokenizer] = {}
        self.languages: frozenset[str] = frozenset(model.supported_languages)

    def hear(self, requests: Sequence[Request], *, window_s: float, temperature: float) -> list[Heard]:
        """Encode and decode stretches side by side; the encoder runs once, for language and text alike.

        Args:
            requests: Stretches that fit the window.
            window_s: What the encoder is shown; padded, at most 30. [s]
            temperature: 0 takes the likeliest tokens, above it they are sampled.

        Raises:
            EngineError: The model failed, out of memory for example.
        """
        try:
            encoded = self._model.model.encode(self._features(requests, window_s))
            languages = self._languages(encoded, requests)
            results = self._generate(encoded, [language for language, _ in languages], window_s, temperature)
            heard = [
                self._heard(r, g, found, window_s) for r, g, found in zip(requests, results, languages, strict=True)
            ]
            alone = encoded if len(requests) == 1 else None
            return [self._timed(r, one, window_s, alone) for r, one in zip(requests, heard, strict=True)]
        except (RuntimeError, ValueError, MemoryError) as error:
            raise EngineError(f"Whisper failed: {error}. Try a smaller model or STT_DEVICE=cpu.") from error

    def close(self) -> None:
        """Give the model's memory back."""
        self._model.model.unload_model()

    def _features(self, requests: Sequence[Request], window_s: float) -> ctranslate2.StorageView:
        extract = self._model.feature_extractor
        frames = round(window_s * extract.sampling_rate / extract.hop_length)
        batch = np.zeros((len(requests), self._model.model.n_mels, frames), np.float32)
        for row, request in zip(batch, requests, strict=True):
            # Zeros, not silence, fill the window up: faster-whisper does so, and measured it loops less.
            features = extract(request.samples)[:, :frames]
            row[:, : features.shape[1]] = features
        return ctranslate2.StorageView.from_array(batch)

    def _languages(self, encoded: ctranslate2.StorageView, requests: Sequence[Request]) -> list[tuple[str, float]]:
        if not self._model.model.is_multilingual:
            return [("en", 1.0)] * len(requests)
        if all(request.language for request in requests):
            return [(request.language or "", 1.0) for request in requests]
        found = [(ranking[0][0][2:-2], float(ranking[0][1])) for ranking in self._model.model.detect_language(encoded)]
        return [(r.language, 1.0) if r.language else one for r, one in zip(requests, found, strict=True)]

    def _generate(
        self, encoded: ctranslate2.StorageView, languages: Sequence[str], window_s: float, temperature: float
    ) -> Any:
        prompts = [self._tokenizer(language).sot_sequence for language in languages]
        return self._model.model.generate(
            encoded,
            prompts,
            beam_size=1 if temperature else self._beam,
            max_length=2 * token_budget(window_s),  # CTranslate2 halves it, as Whisper does its context of 448
            return_scores=True,
            return_no_speech_prob=True,
            sampling_topk=0 if temperature else 1,
            sampling_temperature=temperature or 1.0,
        )

    def _heard(self, request: Request, result: Any, found: tuple[str, float], window_s: float) -> Heard:
        language, probability = found
        tokenizer, tokens = self._tokenizer(language), result.sequences_ids[0]
        duration_s = len(request.samples) / RATE_HZ
        spans = spans_of(tokens, tokenizer.timestamp_begin, _TIMESTAMP_S, duration_s)
        # CTranslate2's score is the mean over the tokens without the end; Whisper's counts the end.
        mean_logprob = result.scores[0] * len(tokens) / (len(tokens) + 1)
        return Heard(
            tuple(replace(span, text=tokenizer.decode(list(span.tokens))) for span in spans),
            language,
            probability,
            average_logprob=float(mean_logprob),
            no_speech_probability=float(result.no_speech_prob),
            spent=len(tokens) >= token_budget(window_s),
        )

    def _timed(self, request: Request, heard: Heard, window_s: float, encoded: ctranslate2.StorageView | None) -> Heard:
        """Add what the times of words tell, where it is wanted: they themselves, and how fast a repetition was said.

        `encoded`: the stretch as the encoder left it, alone in its batch; None: it is encoded once more.
        """
        tokens = [token for token in heard.tokens if token < self._tokenizer(heard.language).eot]
        repetition = repeated_ending(tokens)
        if not tokens or not (request.word_times or repetition):
            return heard
        alignment = self._alignment(request, heard.language, tokens, window_s, encoded)
        if repetition and alignment:
            starts_s = np.concatenate([_starts_s(timing) for timing in alignment])
            heard = replace(heard, repeat_tokens_per_s=max(_tokens_per_s(starts_s, said) for said in repetition))
        return replace(heard, spans=_with_words(heard.spans, alignment)) if request.word_times else heard

    def _alignment(
        self,
        request: Request,
        language: str,
        tokens: list[int],
        window_s: float,
        encoded: ctranslate2.StorageView | None,
    ) -> list[dict[str, Any]]:
        """Words with their tokens and times, in order, from where the decoder looked while it wrote them."""
        if encoded is None:
            encoded = self._model.model.encode(self._features([request], window_s))
        frames = min(encoded.shape[1] * 2, len(request.samples) // self._model.feature_extractor.hop_length)
        alignment: list[dict[str, Any]] = self._model.find_alignment(
            self._tokenizer(language), [tokens], encoded, frames
        )[0]
        return alignment

    def _tokenizer(self, language: str) -> Tokenizer:
        if language not in self._tokenizers:
            self._tokenizers[language] = Tokenizer(
                self._model.hf_tokenizer, self._model.model.is_multilingual, task="transcribe", language=language
            )
        return self._tokenizers[language]


def _starts_s(timing: dict[str, Any]) -> Samples:
    """When each token of a word begins, if they are equally long. [s]"""
    starts_s: Samples = np.linspace(timing["start"], timing["end"], len(timing["tokens"]), endpoint=False)
    return starts_s


def _tokens_per_s(starts_s: Samples, said: range) -> float:
    """Speed from the first to the last of some tokens."""
    last = len(starts_s) - 1  # a character that was broken off has tokens, and no word
    first_s, last_s = (float(starts_s[min(place, last)]) for place in (said[0], said[-1]))
    return (len(said) - 1) / max(_TIMESTAMP_S, last_s - first_s)


def _with_words(spans: Sequence[Span], alignment: list[dict[str, Any]]) -> tuple[Span, ...]:
    ends = np.cumsum([len(timing["tokens"]) for timing in alignment])
    merge_punctuations(alignment, _OPENING, _CLOSING)
    words = [(int(end), _word(timing)) for end, timing in zip(ends, alignment, strict=True) if timing["word"]]
    return _shared_out(words, spans)


def _word(timing: dict[str, Any]) -> Word:
    return Word(timing["word"].strip(), float(timing["start"]), float(timing["end"]), float(timing["probability"]))


def _shared_out(words: Sequence[tuple[int, Word]], spans: Sequence[Span]) -> tuple[Span, ...]:
    """Give each span the words whose last token is its own."""
    filled, before = [], 0
    for span in spans:
        after = before + len(span.tokens)
        filled.append(replace(span, words=tuple(word for end, word in words if before < end <= after)))
        before = after
    return tuple(filled)


def load(name: str, settings: SttEngine) -> Whisper:
    """Load a model by the name of one of Whisper's sizes, a folder, or a name on the model hub.

    Raises:
        EngineMissing: It isn't here, and may not or can't be fetched.
    """
    workers, threads = (1, 0) if _on_cuda(settings) else workers_of(settings.stt_threads or os.cpu_count() or 1)
    try:
        model = WhisperModel(
            str(_place(name, settings)),
            device=settings.stt_device,
            compute_type=_compute_type(settings),
            cpu_threads=threads,
            num_workers=workers,
            download_root=str(settings.june_models_dir / "hub"),
            local_files_only=settings.june_offline,
        )
    # huggingface_hub raises many kinds of OSError and ValueError, CTranslate2 RuntimeError
    except (OSError, ValueError, RuntimeError) as error:
        raise EngineMissing(
            f"The speech model {name!r} can't be loaded ({error}). Fetch it with: python -m essence download-models"
        ) from error
    return Whisper(model, beam=settings.stt_beam, workers=workers)


def workers_of(threads: int) -> tuple[int, int]:
    """Share CPU threads out: workers, and threads of each.

    Decoding goes token by token, and threads that wait for one another at each step slow it down: with Whisper base on
    two shared cores 16 tokens took 60 ms on one thread and 170 ms on two, while encoding 8 s took 77 and 53 ms. So a
    few notes are heard side by side instead, up to `_MOST_WORKERS` since each has buffers of its own.
    """
    workers = min(threads, _MOST_WORKERS)
    return workers, threads // workers


def _place(name: str, settings: SttEngine) -> Path | str:
    """The folder of a model that is here, else its name on the hub."""
    if Path(name).is_dir():
        return Path(name)
    shelved = settings.june_models_dir / f"whisper-{name}"
    if (shelved / "model.bin").is_file():
        return shelved
    if name == "base" or ("/" not in name and name not in available_models()):
        raise EngineMissing(
            f"The speech model {name!r} isn't in {settings.june_models_dir}. "
            "Fetch it with: python -m essence download-models"
        )
    return name


def _compute_type(settings: SttEngine) -> str:
    if settings.stt_compute_type != "default":
        return settings.stt_compute_type
    return "float16" if _on_cuda(settings) else "int8"


def _on_cuda(settings: SttEngine) -> bool:
    return settings.stt_device == "cuda" or (settings.stt_device == "auto" and ctranslate2.get_cuda_device_count() > 0)
