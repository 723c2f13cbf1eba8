"""Real models on real sockets: what June says of its embedded language model."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import openai
import pytest
import pytest_asyncio

from essence.config import LlmEngine, read
from essence.dialogue import Finished, ModelEvent, TextDelta, Turn
from essence.engines.llm.llamacpp import LlamaCpp, open_player
from essence.engines.llm.tokens import TURN_OVERHEAD_TOKENS, estimate_tokens
from essence.errors import ContextOverflow, EngineBusy, EngineError, EngineMissing, JuneError, Unreachable
from essence.rpc import client
from tests.ports import free_ports

pytestmark = [pytest.mark.model, pytest.mark.timeout(300)]

TINY = "llamacpp:smollm2-135m-instruct"
EMBEDDED = "llamacpp:qwen2.5-coder-0.5b-instruct"
SYSTEM = Turn("system", "You are June, a friendly voice assistant. Answer briefly, in plain sentences.")
QUESTION = Turn("user", "What is the capital of France?")
ENDLESS = Turn("user", "Write a very long story about a dragon, a knight and a castle. Never stop.")
# One slot: whoever holds it keeps everybody else waiting.
ONE_SLOT = read(LlmEngine).model_copy(update={"llm_slots": 1, "llm_context_tokens": 2048, "llm_max_tokens": 1500})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tiny() -> AsyncIterator[LlamaCpp]:
    async with open_player(TINY, ONE_SLOT) as model:
        yield model


def told(events: Sequence[ModelEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def finished(events: Sequence[ModelEvent]) -> Finished:
    assert isinstance(events[-1], Finished)
    return events[-1]


async def test_the_embedded_model_knows_a_capital_and_remembers_the_question() -> None:
    greedy = ONE_SLOT.model_copy(update={"llm_temperature": 0.0})
    async with open_player(EMBEDDED, greedy) as model:
        first = [event async for event in model.reply([SYSTEM, QUESTION])]
        history = [SYSTEM, QUESTION, Turn("assistant", told(first)), Turn("user", "And which country did I ask about?")]
        second = [event async for event in model.reply(history)]
    assert "Paris" in told(first)
    assert "France" in told(second)
    assert len(first) > 3
    assert finished(second).usage.cached_tokens >= finished(first).usage.prompt_tokens


@pytest.mark.asyncio(loop_scope="module")
async def test_a_second_turn_finds_the_first_one_in_the_cache(tiny: LlamaCpp) -> None:
    first = [event async for event in tiny.reply([SYSTEM, QUESTION])]
    # Not what it said: so small a model may babble until its context is full, and then the question is shortened away.
    history = [SYSTEM, QUESTION, Turn("assistant", "Paris."), Turn("user", "Why?")]
    second = [event async for event in tiny.reply(history)]
    assert finished(second).usage.cached_tokens >= finished(first).usage.prompt_tokens


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("answered", [False, True])
async def test_a_closed_reply_frees_its_slot(tiny: LlamaCpp, answered: bool) -> None:
    reply = tiny.reply([ENDLESS])
    waiting = asyncio.ensure_future(anext(reply))
    await (waiting if answered else asyncio.sleep(0.1))
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await reply.aclose()
    # The story takes half a minute on any CPU this is run on; a slot that is still held makes this a timeout.
    async with asyncio.timeout(15):
        following = tiny.reply([SYSTEM, QUESTION])
        assert isinstance(await anext(following), TextDelta)
    await following.aclose()


@pytest.mark.asyncio(loop_scope="module")
async def test_a_long_conversation_is_shortened_to_what_the_model_takes(tiny: LlamaCpp) -> None:
    history = [SYSTEM]
    for number in range(60):
        history += [
            Turn("user", f"Tell me about the number {number}. " * 5),
            Turn("assistant", "It is a number. " * 10),
        ]
    reply = tiny.reply([*history, QUESTION])
    assert isinstance(await anext(reply), TextDelta)
    await reply.aclose()


@pytest.mark.asyncio(loop_scope="module")
async def test_a_message_that_is_too_long_is_told(tiny: LlamaCpp) -> None:
    with pytest.raises(ContextOverflow, match="LLM_CONTEXT_TOKENS"):
        [event async for event in tiny.reply([SYSTEM, Turn("user", "word " * 4000)])]


@pytest.mark.asyncio(loop_scope="module")
async def test_one_reply_too_many_is_told_at_once(tiny: LlamaCpp) -> None:
    replies = [tiny.reply([ENDLESS]) for _ in range(ONE_SLOT.llm_slots + ONE_SLOT.llm_queue_max)]
    waiting = [asyncio.ensure_future(anext(reply)) for reply in replies]
    await asyncio.sleep(0.1)
    with pytest.raises(EngineBusy):
        await anext(tiny.reply([QUESTION]))
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


SAMPLES = {
    "English": "The quick brown fox jumps over the lazy dog, while a friendly assistant explains the weather.",
    "German": "Die Donaudampfschifffahrtsgesellschaft veröffentlicht übermorgen ihre ungewöhnlichen Ergebnisse.",
    "French": "L'été dernier, j'ai mangé des crêpes à Besançon avec une amie très sympathique.",
    "Polish": "W Szczebrzeszynie chrząszcz brzmi w trzcinie i Szczebrzeszyn z tego słynie.",
    "Russian": "Съешь же ещё этих мягких французских булок, да выпей чаю.",
    "Greek": "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία.",
    "Arabic": "نص حكيم له سر قاطع وذو شأن عظيم مكتوب على ثوب أخضر.",
    "Hindi": "ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण का सर्वनाश करने वाले विष्णुवतार भगवान श्रीराम।",
    "Chinese": "天地玄黄，宇宙洪荒。日月盈昃，辰宿列张。",
    "Japanese": "いろはにほへと ちりぬるを わかよたれそ つねならむ",
    "Korean": "키스의 고유조건은 입술끼리 만나야 하고 특별한 기술은 필요치 않다.",
    "Thai": "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า กว่าบรรดาฝูงสัตว์เดรัจฉาน",
    "emoji": "👍🏽 🎉🎉 👨‍👩‍👧‍👦 🇩🇪",
    "numbers": "2026-11-22T17:18:51 3.14159265 +49 30 901820 1,000,000",
    "code": "def f(x: int) -> list[int]:\n    return [i ** 2 for i in range(x) if i % 2 == 0]  # even\n",
    "JSON": '{"name": "set_timer", "arguments": {"seconds": 300, "label": "tea"}}',
}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("kind", SAMPLES)
async def test_the_estimate_is_not_below_what_a_text_costs(tiny: LlamaCpp, kind: str) -> None:
    counted = await _count(tiny, SAMPLES[kind])
    assert counted <= estimate_tokens(SAMPLES[kind]) + TURN_OVERHEAD_TOKENS


async def _count(model: LlamaCpp, text: str) -> int:
    headers = {"Authorization": f"Bearer {model.endpoint.api_key}"}
    async with httpx.AsyncClient(headers=headers, trust_env=False) as http:
        answer = await http.post(model.endpoint.url.removesuffix("/v1") + "/tokenize", json={"content": text})
    return len(answer.json()["tokens"])


@pytest.mark.asyncio(loop_scope="module")
async def test_nobody_else_on_the_machine_can_use_the_embedded_server(tiny: LlamaCpp) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.post(f"{tiny.endpoint.url}/chat/completions", json={"messages": []})
    assert answer.status_code == 401


async def test_a_model_that_is_not_here_names_the_command_that_fetches_it(tmp_path: Path) -> None:
    nowhere = ONE_SLOT.model_copy(update={"june_models_dir": tmp_path})
    for url in (TINY, "llamacpp:none", f"llamacpp:{tmp_path}/none.gguf"):
        with pytest.raises(EngineMissing, match=r"download-models|no such file"):
            async with open_player(url, nowhere):
                pass


async def test_a_loading_that_is_cancelled_leaves_nothing_behind() -> None:
    loading = asyncio.ensure_future(open_player(TINY, ONE_SLOT).__aenter__())
    await asyncio.sleep(0.05)
    loading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loading


async def test_a_good_model_opens_after_a_damaged_one(tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + bytes(1000))
    with pytest.raises(EngineError, match="whole GGUF file"):
        async with open_player(f"llamacpp:{tmp_path}/broken.gguf", ONE_SLOT):
            pass
    async with open_player(TINY, ONE_SLOT) as model:
        assert told([event async for event in model.reply([SYSTEM, QUESTION])])


async def test_loading_leaves_the_event_loop_free() -> None:
    async with open_player(TINY, ONE_SLOT):  # what is imported once is imported now
        pass
    clock = asyncio.get_running_loop().time
    started_s, ticks_s = clock(), [clock()]

    async def tick() -> None:
        while True:
            await asyncio.sleep(0.005)
            ticks_s.append(clock())

    ticking = asyncio.ensure_future(tick())
    async with open_player(EMBEDDED, ONE_SLOT):
        ticking.cancel()
        load_s = clock() - started_s
    gaps_s = [after - before for before, after in itertools.pairwise(ticks_s)]
    assert max(gaps_s) < load_s / 2  # in June's own process, the load was one gap


async def test_a_killed_process_fails_the_answer_and_the_next_call_finds_another_at_the_same_address() -> None:
    async with open_player(TINY, ONE_SLOT) as model:
        reply = model.reply([ENDLESS])
        await anext(reply)
        first = model.process_id
        os.kill(first, signal.SIGKILL)
        with pytest.raises(Unreachable, match="SIGKILL"):
            [event async for event in reply]
        assert told([event async for event in model.reply([SYSTEM, QUESTION])])
        assert model.process_id != first
        assert await _count(model, "Hello!") > 0


_OWNER = """
import asyncio
import itertools
from essence.config import LlmEngine, read
from essence.engines.llm.llamacpp import open_player
async def main():
    async with open_player("llamacpp:smollm2-135m-instruct", read(LlmEngine)) as model:
        print(model.process_id, flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""


def test_a_killed_june_leaves_no_process_behind() -> None:
    with subprocess.Popen([sys.executable, "-c", _OWNER], stdout=subprocess.PIPE, text=True) as june:
        assert june.stdout
        child = int(june.stdout.readline())
        june.kill()
    until = time.monotonic() + 20
    while is_running(child) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_running(child)


def is_running(process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@contextmanager
def inference_api(**settings: str) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """The real service as a process: itself, its HTTP address, its gRPC address."""
    http, grpc = free_ports(2)
    environment = os.environ | {"LLM_URL": TINY, "LLM_HTTP_PORT": str(http), "LLM_GRPC_PORT": str(grpc)} | settings
    command = [sys.executable, "-m", "essence", "inference-api"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process, f"http://127.0.0.1:{http}", f"grpc://127.0.0.1:{grpc}"
        finally:
            process.kill()


def wait_until_ready(address: str, *, within_s: float = 60.0) -> None:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        try:
            if httpx.get(f"{address}/health/ready", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"not ready within {within_s} s")


async def test_the_service_answers_openais_client_and_grpc_alike_and_ends_with_0() -> None:
    with inference_api() as (process, address, grpc_address):
        await asyncio.to_thread(wait_until_ready, address)
        async with openai.AsyncOpenAI(base_url=f"{address}/v1", api_key="any", max_retries=0) as api:
            assert [model.id async for model in api.models.list()] == ["smollm2-135m-instruct"]
            messages: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "user", "content": "Hello!"}]
            whole = await api.chat.completions.create(model="any", messages=messages, max_tokens=8)
            assert whole.choices[0].message.content
            stream = await api.chat.completions.create(model="any", messages=messages, max_tokens=8, stream=True)
            assert len([chunk async for chunk in stream]) > 3
            completed = await api.completions.create(model="any", prompt="Once upon a", max_tokens=4)
            assert completed.choices[0].text
        async with client.open_language_model(grpc_address, ONE_SLOT) as model:
            assert told([event async for event in model.reply([SYSTEM, QUESTION])])
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 20) == 0


async def test_the_service_keeps_to_its_grace_while_it_answers() -> None:
    with inference_api(GRACE_S="0.5", LLM_MAX_TOKENS="3000") as (process, address, grpc_address):
        await asyncio.to_thread(wait_until_ready, address)
        async with client.open_language_model(grpc_address, ONE_SLOT) as model:
            reply = model.reply([ENDLESS])
            await anext(reply)
            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, 20) == 0
            with pytest.raises(JuneError):
                [event async for event in reply]


def test_the_service_names_a_damaged_file_and_ends_with_1(tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + bytes(1000))
    with inference_api(LLM_URL=f"llamacpp:{tmp_path}/broken.gguf") as (process, _, _):
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "whole GGUF file" in said
    assert "Traceback" not in said


def test_the_service_names_a_missing_model_and_ends_with_1(tmp_path: Path) -> None:
    with inference_api(JUNE_MODELS_DIR=str(tmp_path)) as (process, _, _):
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "download-models" in said
    assert "Traceback" not in said
