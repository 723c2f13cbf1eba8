"""Models: which engines, and their tuning."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import platformdirs
from pydantic import Field

from essence.config.processes import Observability, RpcProcess
from essence.config.settings import Settings


class ModelFiles(Settings):
    """Where model files lie and where they come from."""

    june_models_dir: Path = Field(
        default=Path(platformdirs.user_cache_dir("june")) / "models", description="Folder of the model files."
    )
    june_model_hub: str = Field(
        default="https://huggingface.co", description="Model hub that is asked first, or a mirror; none for none."
    )
    june_offline: bool = Field(default=False, description="Never fetch a model file; fail with its name instead.")


class SttEngine(ModelFiles):
    """Speech to text: which engine, and its tuning."""

    stt_url: str = Field(
        default="faster-whisper:base",
        description="Engine: faster-whisper:MODEL (base, a hub name or a folder), or grpc://HOST:PORT; of several, "
        "comma-separated, each helps where those before it fail.",
    )
    stt_device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="Where the model runs.")
    stt_compute_type: str = Field(
        default="default", description="CTranslate2's quantisation; default is int8 on a CPU, float16 on CUDA."
    )
    stt_threads: int = Field(
        default=0, ge=0, description="CPU threads in all, shared out among notes; 0 takes all cores."
    )
    stt_beam: int = Field(default=1, ge=1, le=10, description="Beam size; 1 is greedy.")
    stt_queue_max: int = Field(default=64, ge=1, description="Calls that may wait; one more is told EngineBusy.")
    stt_max_audio_s: float = Field(default=4 * 3600, gt=0, description="Longest audio that is taken. [s]")
    stt_deadline_s: float = Field(default=600.0, gt=0, description="Deadline of a call to a far engine. [s]")


class TtsEngine(ModelFiles):
    """Text to speech: which engines, and their tuning."""

    tts_url: str = Field(
        default="piper:en_US-joe-medium,espeak:",
        description="Engines in order of preference, comma-separated; the first with a voice for the language speaks. "
        "piper:VOICE (a name or a path to an .onnx file), espeak: or grpc://HOST:PORT.",
    )
    tts_rate: float = Field(default=1.0, gt=0.25, lt=4, description="Speaking rate; 1 is the voice's own.")
    tts_threads: int = Field(default=0, ge=0, description="CPU threads of a Piper voice; 0 takes all cores.")
    tts_queue_max: int = Field(default=64, ge=1, description="Calls that may wait; one more is told EngineBusy.")
    tts_chunk_deadline_s: float = Field(
        default=30.0,
        gt=0,
        description="Longest silence of an engine's process that owes audio; then it is restarted. [s]",
    )
    tts_deadline_s: float = Field(default=120.0, gt=0, description="Deadline of a call to a far engine. [s]")


class LlmEngine(ModelFiles):
    """The language model: which engine, and its tuning."""

    llm_url: str = Field(
        default="llamacpp:qwen2.5-coder-0.5b-instruct",
        description="Engine: llamacpp:MODEL (a catalogue name or a path to a .gguf file), http(s)://HOST:PORT/v1 "
        "(any OpenAI-compatible server), or grpc://HOST:PORT; of several, comma-separated, each helps where those "
        "before it fail.",
    )
    llm_model: str = Field(
        default="", description="Model name at an OpenAI-compatible server; empty takes the first that it lists."
    )
    llm_api_key: str = Field(default="", repr=False, description="Key for an OpenAI-compatible server. Secret.")
    llm_context_tokens: int = Field(
        default=4096, ge=512, description="Context that a reply's history and answer must fit. [tokens]"
    )
    llm_max_tokens: int = Field(default=512, ge=1, description="Longest answer, reasoning included. [tokens]")
    llm_temperature: float = Field(default=0.3, ge=0, le=2, description="Sampling temperature.")
    llm_threads: int = Field(
        default=0, ge=0, description="CPU threads of an embedded model; 0 takes all cores but one."
    )
    llm_load_s: float = Field(default=300.0, gt=0, description="Longest wait for an embedded model to load. [s]")
    llm_slots: int = Field(default=2, ge=1, description="Replies that an embedded model writes side by side.")
    llm_first_token_s: float = Field(default=60.0, gt=0, description="Longest wait for the first token. [s]")
    llm_between_tokens_s: float = Field(default=20.0, gt=0, description="Longest wait between two tokens. [s]")
    llm_reasoning: Literal["auto", "opened", "none"] = Field(
        default="auto",
        description="How the model marks what it thinks aloud: auto goes by <think> tags and the model's name; opened: "
        "the text starts inside, only </think> is written (Qwen3-Thinking); none: tags mean nothing.",
    )
    llm_tools: Literal["auto", "native", "schema"] = Field(
        default="auto",
        description="How the model is offered tools: native tool calls, or output that is held to a JSON schema, for "
        "models that know none; auto: schema for llamacpp: models, native for others.",
    )
    llm_queue_max: int = Field(
        default=32, ge=0, description="Replies that may wait for an embedded model's slot; one more is told EngineBusy."
    )
    llm_deadline_s: float = Field(default=600.0, gt=0, description="Deadline of a call to a far engine. [s]")


class SttService(RpcProcess, SttEngine):
    """`python -m essence stt`"""

    stt_grpc_port: int = Field(default=50052, ge=0, le=65535, description="gRPC port; 0 takes a free one.")
    stt_http_port: int = Field(default=8052, ge=0, le=65535, description="Port of /health and /metrics.")


class TtsService(RpcProcess, TtsEngine):
    """`python -m essence tts`"""

    tts_grpc_port: int = Field(default=50053, ge=0, le=65535, description="gRPC port; 0 takes a free one.")
    tts_http_port: int = Field(default=8053, ge=0, le=65535, description="Port of /health and /metrics.")


class InferenceApiService(RpcProcess, LlmEngine):
    """`python -m essence inference-api`"""

    llm_grpc_port: int = Field(default=50054, ge=0, le=65535, description="gRPC port; 0 takes a free one.")
    llm_http_port: int = Field(
        default=8054, ge=0, le=65535, description="Port of the OpenAI HTTP API, /health and /metrics."
    )
    inference_api_key: str = Field(
        default="",
        repr=False,
        description="Key that callers of the OpenAI HTTP API must show; needed where BIND_HOST is not this machine "
        "alone. Secret.",
    )
    llm_answer_s: float = Field(
        default=600.0, gt=0, description="Longest wait for an answer over HTTP that is not streamed. [s]"
    )


class Assistant(Observability, SttEngine, LlmEngine, TtsEngine):
    """The whole pipeline, as `talk` and the chat services use it."""

    june_system_prompt: str = Field(
        default="You are June, a friendly voice assistant. Answer in the language of the question, briefly and "
        "in plain sentences that sound natural when they are read aloud.",
        description="First system turn of every conversation.",
    )
