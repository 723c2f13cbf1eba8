"""What gRPC adds to a call: 100 KB of audio to an engine in the process, and to the same engine in its own service.

Aim: at most 3 ms more in the median.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rich.console import Console
from rich.table import Table

from essence.audio import Pcm
from essence.config import SttEngine
from essence.fakes import ScriptedTranscriber
from essence.ports import Transcriber
from essence.rpc import client

CALLS = 300
WARM_UP = 30
AIM_S = 0.003
WORDS = "hello world"
AUDIO = Pcm(bytes(100_000), 16_000)


def main() -> None:
    """Print the median and the 95th percentile of both, and the difference against the aim."""
    near, far = asyncio.run(_measure())
    more_s = statistics.median(far) - statistics.median(near)
    table = Table("100 KB of audio", "median [ms]", "95 % below [ms]", title="gRPC against the engine in the process")
    for name, times in (("in the process", near), ("gRPC, loopback, own process", far)):
        table.add_row(name, f"{statistics.median(times) * 1e3:.2f}", f"{_percentile_95(times) * 1e3:.2f}")
    table.add_row(
        "gRPC adds", f"{more_s * 1e3:.2f}", f"aim ≤ {AIM_S * 1e3:.0f}: {'met' if more_s <= AIM_S else 'missed'}"
    )
    Console().print(table)


def _percentile_95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


async def _measure() -> tuple[list[float], list[float]]:
    """Seconds of each call, taken in turn, so that a noisy moment meets both."""
    near_player, near, far = ScriptedTranscriber(WORDS), list[float](), list[float]()
    async with _service() as port, client.open_transcriber(f"grpc://127.0.0.1:{port}", SttEngine()) as far_player:
        for _ in range(WARM_UP):
            await _time(far_player)
        for _ in range(CALLS):
            near.append(await _time(near_player))
            far.append(await _time(far_player))
    return near, far


async def _time(player: Transcriber) -> float:
    start = time.perf_counter()
    texts = [transcript.text async for transcript in player.transcribe(_speech())]
    seconds = time.perf_counter() - start
    if texts != [WORDS]:
        raise AssertionError(f"The engine heard {texts}.")
    return seconds


async def _speech() -> AsyncIterator[Pcm]:
    yield AUDIO


@asynccontextmanager
async def _service() -> AsyncIterator[int]:
    """The stt service with the same engine; gives its port."""
    settings = {"STT_URL": f"fake:{WORDS}", "STT_GRPC_PORT": "0", "STT_HTTP_PORT": "0", "LOG_FORMAT": "json"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "essence", "stt", env=os.environ | settings, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield await _port(process)
    finally:
        process.terminate()
        await process.communicate()


async def _port(process: asyncio.subprocess.Process) -> int:
    port = 0
    assert process.stderr is not None
    async for line in process.stderr:
        entry = json.loads(line)
        if entry.get("setting") == "stt_grpc_port":
            port = entry["port"]
        if entry["event"] == "ready":
            return port
    raise AssertionError("The service ended before it was ready.")


if __name__ == "__main__":
    main()
