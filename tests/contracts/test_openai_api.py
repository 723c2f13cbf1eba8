"""The OpenAI HTTP API of inference-api, in front of a scripted server."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest

from essence.config import InferenceApiService
from essence.engines.llm.endpoint import Endpoint
from essence.errors import ConfigError
from essence.fakes import openai_server as fake
from essence.fakes.openai_server import Answer, HangUp, OpenAiServer, Wait
from essence.services.http import HttpServer
from essence.services.openai_api import Manners, manners, open_api

ASKED = {"model": "small", "messages": [{"role": "user", "content": "Hello?"}], "stream": True}
RULES = Manners(key="", body_max_bytes=10_000, requests_max=None, silence_s=5, answer_s=5)


@asynccontextmanager
async def api(url: str, rules: Manners = RULES) -> AsyncIterator[httpx.AsyncClient]:
    server = HttpServer("inference-api", has_api=True)
    port = await server.start("127.0.0.1", 0)
    try:
        async with open_api(Endpoint(url, "behind"), rules) as app:
            server.serve(app)
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20) as client:
                yield client
    finally:
        await server.stop()


async def test_an_answer_is_passed_on_byte_for_byte() -> None:
    async with OpenAiServer(Answer("Hello", " there.")) as server, api(server.url) as client:
        direct = await client.post(f"{server.url}/chat/completions", json=ASKED)
        passed = await client.post("/v1/chat/completions", json=ASKED)
        assert passed.content == direct.content
        assert passed.headers["content-type"] == direct.headers["content-type"]
        assert server.calls[1].authorization == "Bearer behind"
        assert server.calls[1].body == ASKED


async def test_refusals_are_passed_on() -> None:
    async with OpenAiServer(fake.OVERFLOW_VLLM) as server, api(server.url) as client:
        answer = await client.post("/v1/chat/completions", json=ASKED)
    assert (answer.status_code, answer.json()) == (400, fake.OVERFLOW_VLLM.body)


async def test_the_models_are_listed_beside_health_and_metrics() -> None:
    async with OpenAiServer(Answer("Hi"), models=("a", "b")) as server, api(server.url) as client:
        assert [model["id"] for model in (await client.get("/v1/models")).json()["data"]] == ["a", "b"]
        assert (await client.get("/health")).status_code == 200
        assert (await client.get("/metrics")).status_code == 200


async def test_nothing_else_of_the_server_behind_can_be_reached() -> None:
    async with OpenAiServer(Answer("Hi")) as server, api(server.url) as client:
        for path in ("/slots", "/v1/slots", "/v1/embeddings", "/v1/../slots"):
            assert (await client.get(path)).status_code == 404


async def test_the_first_words_arrive_while_the_rest_is_written() -> None:
    async with OpenAiServer(Answer("One", Wait(30), "two")) as server, api(server.url) as client:
        async with client.stream("POST", "/v1/chat/completions", json=ASKED) as answer:
            seen = b""
            async for chunk in answer.aiter_bytes():
                seen += chunk
                if b"One" in seen:
                    break
        await asyncio.wait_for(server.calls[0].ended.wait(), 5)
        assert server.calls[0].hung_up


async def test_a_caller_who_hangs_up_before_the_answer_stops_the_work() -> None:
    async with OpenAiServer(Answer(Wait(30), "One")) as server, api(server.url) as client:
        asking = asyncio.create_task(client.post("/v1/chat/completions", json=ASKED | {"stream": False}))
        await asyncio.wait_for(server.called.wait(), 5)
        asking.cancel()
        await asyncio.wait_for(server.calls[0].ended.wait(), 5)
        assert server.calls[0].hung_up


async def test_a_key_is_asked_for_where_one_is_set() -> None:
    async with OpenAiServer(Answer("Hi")) as server, api(server.url, replace(RULES, key="s3cret")) as client:
        without = await client.post("/v1/chat/completions", json=ASKED)
        wrong = await client.get("/v1/models", headers={"Authorization": "Bearer other"})
        right = await client.post("/v1/chat/completions", json=ASKED, headers={"Authorization": "Bearer s3cret"})
        assert [without.status_code, wrong.status_code, right.status_code] == [401, 401, 200]
        assert len(server.calls) == 1
        assert "INFERENCE_API_KEY" in without.json()["error"]["message"]
        assert (await client.get("/health")).status_code == 200


async def test_too_long_a_request_is_refused() -> None:
    async with OpenAiServer(Answer("Hi")) as server, api(server.url) as client:
        assert (await client.post("/v1/chat/completions", content=b"x" * 20_000)).status_code == 413
        assert server.calls == []


async def test_one_request_too_many_is_told_at_once() -> None:
    rules = replace(RULES, requests_max=1)
    async with OpenAiServer(Answer("One", Wait(30)), Answer("Two")) as server, api(server.url, rules) as client:
        async with client.stream("POST", "/v1/chat/completions", json=ASKED) as first:
            assert first.status_code == 200
            assert (await client.post("/v1/chat/completions", json=ASKED)).status_code == 429
        await asyncio.wait_for(server.calls[0].ended.wait(), 5)
        assert (await client.post("/v1/chat/completions", json=ASKED)).status_code == 200


async def test_a_server_that_is_not_there_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    async with api(f"http://127.0.0.1:{port}/v1") as client:
        answer = await client.post("/v1/chat/completions", json=ASKED)
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "unreachable")


async def test_silence_from_behind_is_told() -> None:
    rules = replace(RULES, silence_s=0.3)
    async with OpenAiServer(Answer("One", Wait(30))) as server, api(server.url, rules) as client:
        answer = await client.post("/v1/chat/completions", json=ASKED)
    assert "One" in answer.text
    assert "too_slow" in answer.text


async def test_a_connection_that_breaks_in_mid_answer_is_told() -> None:
    async with OpenAiServer(Answer("One", HangUp())) as server, api(server.url) as client:
        answer = await client.post("/v1/chat/completions", json=ASKED)
    assert "One" in answer.text
    assert "unreachable" in answer.text


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "inference-api"])
def test_an_api_that_others_can_reach_needs_a_key(host: str) -> None:
    with pytest.raises(ConfigError, match="INFERENCE_API_KEY"):
        manners(InferenceApiService(bind_host=host))
    assert manners(InferenceApiService(bind_host=host, inference_api_key="k")).key == "k"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_on_this_machine_alone_no_key_is_needed(host: str) -> None:
    assert manners(InferenceApiService(bind_host=host)).key == ""
