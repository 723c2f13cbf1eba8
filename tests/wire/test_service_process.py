"""`python -m essence stt` and its like as real processes."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest

from essence.audio import Pcm
from essence.config import SttEngine, TtsEngine
from essence.rpc import client

READY_S = 60
SLOW = "fake:hello world?rtf=2"


@dataclass
class Running:
    process: asyncio.subprocess.Process
    ports: dict[str, int]
    """By setting."""
    events: list[str]

    async def until(self, event: str) -> None:
        """Read the log up to an event."""
        assert self.process.stderr is not None
        while self.events[-1:] != [event]:
            line = await self.process.stderr.readline()
            assert line, f"{event} was never logged, but {self.events}"
            entry = json.loads(line)
            self.events.append(entry["event"])
            if entry["event"] == "listening":
                self.ports[entry["setting"]] = entry["port"]

    async def ended(self) -> int:
        assert self.process.stderr is not None
        await self.process.stderr.read()
        return await self.process.wait()


@asynccontextmanager
async def service(name: str, **settings: str) -> AsyncIterator[Running]:
    role = name.upper()
    free = {f"{role}_GRPC_PORT": "0", f"{role}_HTTP_PORT": "0", "LOG_FORMAT": "json"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "essence", name, env=os.environ | free | settings, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield Running(process, {}, [])
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def speech(seconds: int = 1) -> AsyncIterator[Pcm]:
    for _ in range(seconds):
        yield Pcm(bytes(32_000), 16_000)


async def transcribe(port: int) -> str:
    async with client.open_transcriber(f"grpc://127.0.0.1:{port}", SttEngine()) as far:
        return [t async for t in far.transcribe(speech())][-1].text


async def test_sigterm_lets_a_call_in_flight_finish_and_exits_0() -> None:
    async with service("stt", STT_URL=SLOW) as stt:
        await asyncio.wait_for(stt.until("ready"), READY_S)
        call = asyncio.create_task(transcribe(stt.ports["stt_grpc_port"]))
        await until_in_flight(stt.ports["stt_http_port"])
        stt.process.send_signal(signal.SIGTERM)
        assert await call == "hello world"
        assert await stt.ended() == 0


async def until_in_flight(http_port: int) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{http_port}", trust_env=False) as http:
        while True:
            metrics = (await http.get("/metrics")).text
            if 'june_calls_in_flight{method="Transcribe",service="june.v1.SpeechToText"} 1.0' in metrics:
                return
            await asyncio.sleep(0.02)


async def test_a_second_signal_exits_at_once() -> None:
    async with service("stt", STT_URL="fake:hello?rtf=1000") as stt:
        await asyncio.wait_for(stt.until("ready"), READY_S)
        call = asyncio.create_task(transcribe(stt.ports["stt_grpc_port"]))
        await until_in_flight(stt.ports["stt_http_port"])
        stt.process.send_signal(signal.SIGTERM)
        await stt.until("stopping")
        stt.process.send_signal(signal.SIGTERM)
        assert await stt.ended() == 128 + signal.SIGTERM
        await asyncio.gather(call, return_exceptions=True)


async def test_health_and_metrics_answer_over_http() -> None:
    async with service("tts", TTS_URL="fake:en de") as tts:
        await asyncio.wait_for(tts.until("ready"), READY_S)
        async with client.open_synthesizer(f"grpc://127.0.0.1:{tts.ports['tts_grpc_port']}", TtsEngine()) as far:
            assert [pcm async for pcm in far.synthesize("Guten Tag", language="de")]
        base = f"http://127.0.0.1:{tts.ports['tts_http_port']}"
        async with httpx.AsyncClient(base_url=base, trust_env=False) as http:
            assert (await http.get("/health/live")).status_code == 200
            assert (await http.get("/health/ready")).status_code == 200
            health = (await http.get("/health")).json()
            metrics = (await http.get("/metrics")).text
            assert (await http.get("/nothing")).status_code == 404
    assert (health["service"], health["live"], health["ready"], health["state"]) == ("tts", True, True, "ready")
    assert 'june_calls_total{code="ok",method="Synthesize",service="june.v1.TextToSpeech"} 1.0' in metrics
    assert 'june_stage_seconds_count{stage="load"} 1.0' in metrics


async def test_sigint_while_it_waits_for_calls_exits_0() -> None:
    async with service("stt", STT_URL="fake:hello") as stt:
        await asyncio.wait_for(stt.until("ready"), READY_S)
        stt.process.send_signal(signal.SIGINT)
        assert await stt.ended() == 0


def run(name: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "essence", name, *arguments],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=READY_S,
    )


@pytest.mark.parametrize("setting", ["STT_GRPC_PORT", "STT_HTTP_PORT"])
def test_a_port_in_use_is_a_sentence_that_names_the_setting(setting: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = {"STT_GRPC_PORT": "0", "STT_HTTP_PORT": "0"} | {setting: str(taken.getsockname()[1])}
        ended = run("stt", STT_URL="fake:hi", **ports)
    assert ended.returncode == 1
    assert setting in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


def test_a_bad_setting_is_one_sentence() -> None:
    ended = run("stt", STT_GRPC_PORT="many")
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (1, "", 1)
    assert ended.stderr.startswith("STT_GRPC_PORT: ")


def test_an_unknown_option_exits_2() -> None:
    assert run("tts", "--loud").returncode == 2


@pytest.mark.parametrize(("name", "serves_grpc"), [("stt", True), ("message-api", False), ("agent", False)])
def test_help_tells_of_grpc_where_it_is_served(name: str, serves_grpc: bool) -> None:
    told = run(name, "--help").stdout
    assert "GRACE_S=" in told
    assert ("GRPC_MAX_" in told) == serves_grpc


@pytest.mark.parametrize("name", ["stt", "tts"])
def test_help_tells_every_setting(name: str) -> None:
    ended = run(name, "--help")
    assert ended.returncode == 0
    for setting in (f"{name.upper()}_URL=", f"{name.upper()}_GRPC_PORT=", "GRACE_S=10.0", "LOG_LEVEL=info", "[s]"):
        assert setting in ended.stdout
