"""What llama.cpp's process runs: its own HTTP server (xllamacpp), on a loopback port, until standard input ends.

`python -m essence.engines.llm.llamacpp_worker` reads one line, a `ServerSettings` as JSON, loads the model, and writes
one line, `{"address": "http://127.0.0.1:PORT"}` or `{"error": "…"}`. The key travels that way too: a command line would
show it to everybody on the machine.

xllamacpp holds the GIL while it loads, so no thread could notice that June has gone. The kernel does: it is asked to
send SIGIO when the pipe moves, which ends the process as it stands.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

from essence.engines import child

_CACHE_RAM_MIB = 512
"""Prompts of conversations that lost their slot; llama.cpp's own default is 8 GiB. Qwen2.5-0.5B takes 12 KiB a token.
"""


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """All that the process is told."""

    path: str
    """The .gguf file, the first of several parts."""
    name: str
    """As `/v1/models` lists it."""
    key: str
    """What callers must show."""
    slots: int
    context_tokens: int
    """Of each slot."""
    threads: int
    port: int = 0
    """0 takes a free one."""

    def encode(self) -> bytes:
        """One line of JSON."""
        return json.dumps(asdict(self)).encode() + b"\n"


def serve() -> NoReturn:
    """Load, tell the address, and serve until standard input ends. Never returns."""
    output = child.keep_output_apart()
    line = sys.stdin.readline()
    if not line:  # June was gone before it had said anything
        os._exit(0)
    settings = ServerSettings(**json.loads(line))
    _end_with_standard_input(asked=True)
    try:
        server = _load(settings)
    except Exception as error:  # noqa: BLE001 - whatever the library raises is told to June
        _tell(output, {"error": str(error) or type(error).__name__})
        os._exit(1)
    _end_with_standard_input(asked=False)
    _tell(output, {"address": server.listening_address})
    while os.read(0, 1):
        pass
    os._exit(0)  # not freed first: that hung where it came right after the load; the kernel gives all back at once


def _end_with_standard_input(*, asked: bool) -> None:
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
    flags = fcntl.fcntl(0, fcntl.F_GETFL)
    fcntl.fcntl(0, fcntl.F_SETFL, flags | os.O_ASYNC if asked else flags & ~os.O_ASYNC)


def _tell(output: int, said: dict[str, str]) -> None:
    try:
        os.write(output, json.dumps(said).encode() + b"\n")
    except BrokenPipeError:
        os._exit(0)


def _load(settings: ServerSettings) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = settings.path
    params.model_alias = {settings.name}
    params.n_parallel = settings.slots
    params.n_ctx = settings.context_tokens * settings.slots  # shared out among the slots
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings.threads
    params.hostnames, params.port, params.api_keys = ["127.0.0.1"], settings.port, [settings.key]
    params.use_jinja, params.cache_prompt, params.cache_ram_mib = True, True, _CACHE_RAM_MIB
    params.ui = params.endpoint_slots = params.endpoint_metrics = params.endpoint_props = False
    params.verbosity = 0
    return xllamacpp.Server(params)


if __name__ == "__main__":
    serve()
