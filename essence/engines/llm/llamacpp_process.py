"""llama.cpp's process, as June sees it."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from urllib.parse import urlsplit

from essence import observe
from essence.engines import child
from essence.engines.llm.llamacpp_worker import ServerSettings
from essence.errors import EngineError, EngineMissing, JuneError, TooSlow, Unreachable

_MODULE = "essence.engines.llm.llamacpp_worker"
_END_S = 5.0
"""A server frees its memory in 0.1 s; one that takes longer than this is killed."""
_DEATH_S = 2.0
"""A connection breaks a moment before the death of the process at its other end is known."""
_SHORT_LIFE_S = 60.0
"""A process that dies sooner is started again after a pause that doubles each time."""
_PAUSE_S, _PAUSE_MAX_S = 0.5, 60.0


@asynccontextmanager
async def running(settings: ServerSettings, *, load_s: float) -> AsyncIterator[ServerProcess]:
    """Start the server and keep it running: one that dies is started again, at the same address.

    Raises:
        EngineMissing: The process can't be started.
        EngineError: It can't load the model.
        TooSlow: Not within `load_s`.
    """
    process, address = await _start(settings, load_s)
    server = ServerProcess(process, address, settings, load_s)
    keeper = asyncio.create_task(server.keep(), name="llama.cpp keeper")
    try:
        yield server
    finally:
        keeper.cancel()
        await asyncio.wait([keeper])
        await server.close()


class ServerProcess:
    """The server of a model, through the lives of its processes. Opened by `running`."""

    def __init__(self, process: Process, address: str, settings: ServerSettings, load_s: float) -> None:
        self.address = address
        """http://127.0.0.1:PORT, the same for every life."""
        # The same port again: others have been told the address.
        self._settings, self._load_s = replace(settings, port=urlsplit(address).port or 0), load_s
        self._process = process
        self._ready = asyncio.Event()
        self._ready.set()
        self._failure: JuneError | None = None

    @property
    def process_id(self) -> int:
        """Of the process that runs now, or ran last."""
        return self._process.pid

    async def ready(self) -> None:
        """Wait for a server that is being started again.

        Raises:
            EngineError, EngineMissing, TooSlow: The last attempt failed; others follow.
        """
        if self._process.returncode is not None:
            self._ready.clear()
        await self._ready.wait()
        if self._failure:
            raise self._failure

    async def death(self) -> Unreachable | None:
        """What to tell a caller whose connection broke; None: the process lives, so it was something else."""
        process = self._process
        try:
            async with asyncio.timeout(_DEATH_S):
                await process.wait()
        except TimeoutError:
            return None
        how = child.how_it_ended(process)
        return Unreachable(f"llama.cpp's process ended ({how}) and is being started again. Ask again.")

    async def keep(self) -> None:
        """Start the server again whenever it has died, for ever."""
        pause_s, clock = _PAUSE_S, asyncio.get_running_loop().time
        while True:
            born_at_s = clock()
            await self._process.wait()
            self._ready.clear()
            observe.logger().warning("llamacpp_died", how=child.how_it_ended(self._process), again_in_s=pause_s)
            if clock() - born_at_s > _SHORT_LIFE_S:
                pause_s = _PAUSE_S
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _PAUSE_MAX_S)
            await self._start_again()

    async def _start_again(self) -> None:
        try:
            self._process, _ = await _start(self._settings, self._load_s)
        except JuneError as error:
            self._failure = error
        else:
            self._failure = None
        self._ready.set()

    async def close(self) -> None:
        """End the process; answers that are being written break off."""
        await _end(self._process)


async def _start(settings: ServerSettings, load_s: float) -> tuple[Process, str]:
    """A process that serves, and its address."""
    try:
        process = await asyncio.create_subprocess_exec(
            *child.command(_MODULE), stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=child.environment()
        )
    except OSError as error:
        raise EngineMissing(f"llama.cpp's process can't be started: {error}") from error
    try:
        async with asyncio.timeout(load_s):
            return process, await _address(process, settings)
    except TimeoutError as error:
        await _end(process)
        raise TooSlow(
            f"llama.cpp did not load {settings.path} within {load_s:g} s. Try again, or raise LLM_LOAD_S."
        ) from error
    except BaseException:  # cancelled ones too: no process may be left behind
        await _end(process)
        raise


async def _address(process: Process, settings: ServerSettings) -> str:
    assert process.stdin
    assert process.stdout
    process.stdin.write(settings.encode())
    if not (line := await process.stdout.readline()):
        await process.wait()
        raise EngineError(
            f"llama.cpp's process ended ({child.how_it_ended(process)}) while it loaded {settings.path}. "
            "Is there memory enough for it?"
        )
    said = json.loads(line)
    if "error" in said:
        raise EngineError(f"llama.cpp can't load {settings.path} ({said['error']}). Is it a whole GGUF file?")
    return str(said["address"])


async def _end(process: Process) -> None:
    """Close its input, which it ends with; kill it if it doesn't."""
    assert process.stdin
    process.stdin.close()
    try:
        async with asyncio.timeout(_END_S):
            await process.wait()
    except TimeoutError:
        child.kill(process)
        await process.wait()
    except asyncio.CancelledError:
        child.kill(process)
        raise
