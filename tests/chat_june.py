"""June's whole chat core on the fake Telegram, with scripted engines; and the network between them, which can break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from urllib.parse import urlsplit

from essence.audio import Pcm, encode_voice
from essence.chat.assistant import COMMANDS, Assistant, Crowd, running
from essence.chat.pipeline import Pipeline
from essence.config import TelegramService
from essence.fakes import ScriptedModel, ScriptedTranscriber, ToneSynthesizer
from essence.fakes.telegram import TelegramServer, User
from essence.ports import LanguageModel, Synthesizer, TaskBoard, Transcriber
from essence.services.telegram.channel import TelegramChannel
from essence.store import open_store

NOTE = encode_voice([Pcm(bytes(48_000 * 2 * 2), 48_000)]).data


@asynccontextmanager
async def june(
    telegram: TelegramServer,
    url: str,
    owner: User,
    *,
    model: LanguageModel | None = None,
    hears: str = "what is up",
    voice: Synthesizer | None = None,
    transcriber: Transcriber | None = None,
    guests: Sequence[User] = (),
    api_url: str = "",
    open_board: Callable[[], AbstractAsyncContextManager[TaskBoard]] | None = None,
    **settings: object,
) -> AsyncIterator[Assistant]:
    """June until all that she took has ended. `settings`: fields of TelegramService."""
    chosen = TelegramService(
        _env_file=None,
        **{
            "telegram_token": telegram.token,
            "telegram_api_url": api_url or telegram.url,
            "telegram_messages_per_s": 0,
            "store_poll_s": 0.05,
            "rate_limit_messages": "",
            "chat_patience_s": 5.0,
        }
        | settings,
    )
    pipeline = Pipeline(
        transcriber or ScriptedTranscriber(hears), model or ScriptedModel("All is well."), voice or ToneSynthesizer()
    )

    async def loaded() -> Pipeline:
        return pipeline

    async with (
        open_store(url, chosen) as store,
        TelegramChannel(chosen, COMMANDS, store.conversations.move) as channel,
        running(
            channel,
            store,
            loaded,
            chosen,
            Crowd(frozenset({str(owner.person.user_id)}), frozenset(str(guest.person.user_id) for guest in guests)),
            system_prompt="You are June.",
            open_board=open_board,
        ) as assistant,
    ):
        yield assistant
        async with asyncio.timeout(30):
            while await store.inbox.backlog() or telegram.unconfirmed:  # noqa: ASYNC110
                await asyncio.sleep(0.02)


class Line:
    """The network between June and a server, on a port of its own. While it is cut, connections are refused."""

    def __init__(self, server_url: str) -> None:
        address = urlsplit(server_url)
        self._to = address.hostname, address.port
        self._listener: asyncio.Server | None = None
        self._port = 0
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def mend(self) -> None:
        self._listener = await asyncio.start_server(self._connect, "127.0.0.1", self._port)
        self._port = self._listener.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        assert self._listener is not None
        self._listener.close()
        for writer in list(self._writers):
            writer.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection(*self._to)
        ends = {writer, there[1]}
        self._writers |= ends
        await asyncio.gather(_pass_on(reader, there[1]), _pass_on(there[0], writer), return_exceptions=True)
        self._writers -= ends


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


@asynccontextmanager
async def line_to(server_url: str) -> AsyncIterator[Line]:
    line = Line(server_url)
    await line.mend()
    try:
        yield line
    finally:
        await line.cut()
