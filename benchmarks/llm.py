"""June's embedded language model, over its loopback socket, against llama.cpp's own Python call in this process.

`python -m benchmarks.llm [MODEL]`. Both load the same file with the same threads and write the same number of tokens
in turn, each after a prompt that neither has seen. Then: what the prefix cache saves on the second turn.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from contextlib import aclosing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

import xllamacpp

from benchmarks._table import show
from essence.config import LlmEngine, read
from essence.dialogue import Finished, TextDelta, Turn
from essence.engines.llm import llamacpp

ROUNDS = 8
TOKENS = 48
THREADS = 1
MODEL = "smollm2-135m-instruct"
_FACTS = "Anna has the printed plans. The train runs ten minutes late. It should be sunny tomorrow. " * 20
_number = count(1)


@dataclass(frozen=True, slots=True)
class Written:
    """One answer."""

    first_s: float
    total_s: float
    tokens: int
    cached_tokens: int = 0

    @property
    def tokens_per_s(self) -> float:
        return (self.tokens - 1) / (self.total_s - self.first_s)


def unseen(facts: str = "") -> list[Turn]:
    """A prompt with a prefix of its own, so that no cache knows it."""
    system = f"{next(_number)} is your number. {facts} You are June, a voice assistant who likes to talk."
    return [Turn("system", system), Turn("user", "Tell me a long story about a dragon.")]


async def by_june(model: llamacpp.LlamaCpp, history: list[Turn]) -> tuple[Written, str]:
    started_s, first_s, text, usage = time.perf_counter(), 0.0, "", None
    async with aclosing(model.reply(history)) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                first_s = first_s or time.perf_counter() - started_s
                text += event.text
            if isinstance(event, Finished):
                usage = event.usage
    assert usage is not None
    total_s = time.perf_counter() - started_s
    return Written(first_s, total_s, usage.completion_tokens, usage.cached_tokens), text


def by_llama_cpp(server: Any, history: list[Turn], temperature: float) -> Written:
    started_s, firsts, usage = time.perf_counter(), [], {}

    def took(chunk: dict[str, Any] | str) -> bool:
        for part in _chunks(chunk):
            usage.update(part.get("usage") or {})
            if any(choice["delta"].get("content") for choice in part["choices"]) and not firsts:
                firsts.append(time.perf_counter() - started_s)
        return False

    request = {
        "messages": [{"role": turn.role, "content": turn.text} for turn in history],
        "max_tokens": TOKENS, "temperature": temperature, "stream": True, "stream_options": {"include_usage": True},
    }  # fmt: skip
    server.handle_chat_completions(request, took)
    return Written(firsts[0], time.perf_counter() - started_s, usage["completion_tokens"])


def _chunks(chunk: Any) -> list[dict[str, Any]]:
    parts = json.loads(chunk) if isinstance(chunk, str | bytes) else chunk
    return parts if isinstance(parts, list) else [parts]


def peer(settings: LlmEngine, name: str) -> Any:
    params = xllamacpp.CommonParams()
    params.model.path = str(min((settings.june_models_dir / name).glob("*.gguf")))
    params.n_ctx, params.n_parallel, params.use_jinja, params.verbosity = settings.llm_context_tokens, 1, True, 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = THREADS
    return xllamacpp.Server(params)


async def compare(model: llamacpp.LlamaCpp, settings: LlmEngine, name: str) -> tuple[list[Written], list[Written]]:
    server = await asyncio.to_thread(peer, settings, name)
    june: list[Written] = []
    theirs: list[Written] = []
    for turn in range(ROUNDS + 1):  # the first warms up
        for first in (turn % 2, 1 - turn % 2):
            if first:
                june.append((await by_june(model, unseen()))[0])
            else:
                theirs.append(await asyncio.to_thread(by_llama_cpp, server, unseen(), settings.llm_temperature))
    return june[1:], theirs[1:]


async def second_turn(model: llamacpp.LlamaCpp) -> tuple[Written, Written]:
    """A long prompt when it is new, and the turn after it."""
    history = unseen(_FACTS)
    cold, text = await by_june(model, history)
    warm, _ = await by_june(model, [*history, Turn("assistant", text), Turn("user", "And then?")])
    return cold, warm


def peak_memory_mb(process_id: int) -> float:
    """Linux's own count; what is mapped from the model's file is in it."""
    status = Path(f"/proc/{process_id}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


async def measure(name: str) -> list[tuple[str, ...]]:
    fixed = {"llm_slots": 1, "llm_threads": THREADS, "llm_max_tokens": TOKENS, "llm_context_tokens": 2048}
    settings = read(LlmEngine).model_copy(update=fixed)
    started_s = time.perf_counter()
    async with llamacpp.open_player(f"llamacpp:{name}", settings) as model:
        ready_s = time.perf_counter() - started_s
        memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        turns = [await second_turn(model) for _ in range(3)]
        june, theirs = await compare(model, settings, name)
        model_mb = peak_memory_mb(model.process_id)
    firsts = [median(run.first_s for run in runs) for runs in (june, theirs)]
    speeds = [median(run.tokens_per_s for run in runs) for runs in (june, theirs)]
    cold, warm = (median(run.first_s for run in runs) for runs in zip(*turns, strict=True))
    return [
        ("first token, unseen prompt", f"{firsts[0] * 1000:.0f} ms", f"{firsts[1] * 1000:.0f} ms",
         f"{(firsts[0] - firsts[1]) * 1000:+.0f} ms", "at most 10 ms more"),
        ("tokens a second", f"{speeds[0]:.1f}", f"{speeds[1]:.1f}", f"{speeds[0] / speeds[1]:.2f}×", "at least 0.97×"),
        ("first token of the 2nd turn, 450 tokens", f"{warm * 1000:.0f} ms", f"{cold * 1000:.0f} ms (1st turn)",
         f"{warm / cold:.2f}×", "at most 0.25×"),
        ("prompt tokens from the cache, 2nd turn", str(turns[-1][1].cached_tokens), "0 (1st turn)", "", ""),
        ("time to ready", f"{ready_s:.1f} s", "", "", ""),
        ("peak memory, June + model's process", f"{memory_mb:.0f} + {model_mb:.0f} MB", "", "", ""),
    ]  # fmt: skip


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else MODEL
    rows = asyncio.run(measure(name))
    show(f"Embedded language model: {name}, {THREADS} thread", ("what", "June", "llama.cpp", "ratio", "aim"), rows)


if __name__ == "__main__":
    main()
