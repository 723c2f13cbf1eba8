"""Fetches what people attached."""

from __future__ import annotations

import asyncio
from collections import Counter

import aiohttp
import yarl

from essence.dialogue import Sound
from essence.errors import InvalidAudio, JuneError, NotFound, RateLimited, TooSlow, Unreachable
from essence.services.discord.addresses import file_url

DEADLINE_S = 60.0
_CHUNK_BYTES = 64 * 2**10


class Files:
    """Discord's file hosts. They take no token: June's is never sent there."""

    def __init__(self, session: aiohttp.ClientSession, api_url: str, troubles: Counter[str]) -> None:
        """`api_url`: of the REST API; a server that stands for Discord serves its files itself."""
        self._session, self._api_url, self._troubles = session, api_url, troubles

    async def fetch(self, sound: Sound, *, max_bytes: int) -> bytes:
        """As `Channel.fetch`."""
        url = file_url(sound.reference, self._api_url)
        if url is None:
            raise NotFound("This is no file of Discord's; June fetches no others. Attach the file itself.")
        if (sound.size_bytes or 0) > max_bytes:
            raise _too_large(max_bytes)
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await self._fetched(url, max_bytes)
        except TimeoutError as error:
            raise TooSlow(f"Discord did not hand over the file in {DEADLINE_S:g} s. Try again.") from error
        except (aiohttp.ClientError, OSError) as error:
            self._troubles["no connection"] += 1
            raise Unreachable("The connection to Discord's files broke. Try again.") from error

    async def _fetched(self, url: yarl.URL, max_bytes: int) -> bytes:
        async with self._session.get(url, allow_redirects=False) as response:
            if response.status != 200:
                raise self._refusal(response)
            if (response.content_length or 0) > max_bytes:
                raise _too_large(max_bytes)
            data = bytearray()
            async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                data += chunk
                if len(data) > max_bytes:
                    raise _too_large(max_bytes)
            return bytes(data)

    def _refusal(self, response: aiohttp.ClientResponse) -> JuneError:
        status = response.status
        if status == 403:
            return NotFound("The link to the file has expired; send it again.")
        if status == 429:
            self._troubles["429"] += 1
            return RateLimited("Discord hands over no more files for a while. Try again in a moment.")
        if status >= 500:
            self._troubles["5xx"] += 1
            return Unreachable(f"Discord's files have trouble ({status}). Try again in a moment.")
        return NotFound("The file is gone; send it again.")


def _too_large(max_bytes: int) -> InvalidAudio:
    return InvalidAudio(f"The file is larger than the {max_bytes / 2**20:.0f} MiB that June takes. Send a shorter one.")
