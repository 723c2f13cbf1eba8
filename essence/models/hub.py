"""Model files from a hub over HTTP: resumed, watched for stalls, and given up early where it makes no sense."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from essence.errors import EngineError, JuneError, NotFound, TooSlow, Unreachable
from essence.models.catalogue import Edition, ModelFile

PROBE_S = 2.0
"""Longest time in which a hub must answer at all, name resolution included."""
_TIMEOUT = httpx.Timeout(20.0, connect=5.0)  # [s] a stall is 20 s without one byte
_TRIES = 4
_PROGRESS_BYTES = 2**18
"""An attempt that brought this much was worth it: the count of failures starts over."""
_FIRST_PAUSE_S = 0.5
_BLOCK_BYTES = 2**18
_MANY_REQUESTS = 429
_SERVER_ERROR = 500
_RANGE_REFUSED = 416
_PARTIAL = 206
_SHA256 = re.compile(r"[0-9a-f]{64}")


def answers(address: str, *, within_s: float = PROBE_S) -> bool:
    """Whether anything speaks HTTP at this address.

    It runs in a thread of its own, since nothing else bounds the time that name resolution takes.
    """
    answered = threading.Event()

    def ask() -> None:
        try:
            httpx.head(address, timeout=within_s, follow_redirects=False)
        except (httpx.HTTPError, httpx.InvalidURL):
            return
        answered.set()

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(within_s)
    return answered.is_set()


class Hub:
    """A model hub, such as https://huggingface.co or a mirror of it. Close it after use."""

    def __init__(self, address: str, *, timeout: httpx.Timeout = _TIMEOUT, first_pause_s: float = _FIRST_PAUSE_S):
        self.address = address.rstrip("/")
        self._client = httpx.Client(timeout=timeout, follow_redirects=True)
        self._first_pause_s = first_pause_s

    def close(self) -> None:
        """Let go of all connections."""
        self._client.close()

    def download(self, edition: Edition, file: ModelFile, part: Path, on_bytes: Callable[[int], None]) -> None:
        """Fetch a file into `part`, going on where an earlier attempt left off.

        `on_bytes` is told how many bytes are there. The content's hash is the caller's to check.

        Raises:
            NotFound: The hub hasn't the file, or has other bytes under this name.
            Unreachable: It can't be reached, or the connection broke several times in a row.
            TooSlow: It stalled several times in a row.
        """
        url = f"{self.address}/{edition.hub_repository}/resolve/{edition.hub_revision}/{file.hub_path}"
        tries, pause_s = _TRIES, self._first_pause_s
        while True:
            before = _size(part)
            try:
                self._attempt(url, file, part, on_bytes)
            except (Unreachable, TooSlow):
                tries = _TRIES if _size(part) >= before + _PROGRESS_BYTES else tries - 1
                if not tries:
                    raise
                time.sleep(pause_s)
                pause_s = min(pause_s * 2, 8.0)
            else:
                return

    def _attempt(self, url: str, file: ModelFile, part: Path, on_bytes: Callable[[int], None]) -> None:
        have = _size(part)
        if have == file.size_bytes:
            return
        if have > file.size_bytes:
            part.unlink()
            have = 0
        # Identity: a compressed body would make the offsets of a later Range meaningless.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        try:
            with self._client.stream("GET", url, headers=headers) as response:
                _judge(response, file, have, part)
                _receive(response, file, part, on_bytes)
        except httpx.HTTPError as error:
            raise _converted(error) from error


def _judge(response: httpx.Response, file: ModelFile, have: int, part: Path) -> None:
    """Refuse an answer that can't become the file, before its bytes are fetched."""
    status, host = response.status_code, response.url.host
    if status == _MANY_REQUESTS or status >= _SERVER_ERROR:
        raise Unreachable(f"{host} answered {status} for {file.path}. Try again later.")
    if status == _RANGE_REFUSED:
        part.unlink(missing_ok=True)
        raise Unreachable(f"{host} would not go on with {file.path}; it starts over.")
    if not response.is_success:
        raise NotFound(f"{host} answered {status} for {file.path}.")
    # The Hugging Face Hub names a large file's size and hash on its first answer, before it redirects to the storage.
    first = (response.history or [response])[0].headers
    etag = first.get("x-linked-etag", "").strip('"')
    if _SHA256.fullmatch(etag) and etag != file.sha256:
        raise NotFound(f"{host} has another {file.path} under this name.")
    if status == _PARTIAL and not response.headers.get("content-range", "").startswith(f"bytes {have}-"):
        part.unlink(missing_ok=True)
        raise Unreachable(f"{host} sent another piece of {file.path} than it was asked for; it starts over.")


def _receive(response: httpx.Response, file: ModelFile, part: Path, on_bytes: Callable[[int], None]) -> None:
    resumed = response.status_code == _PARTIAL
    with part.open("ab" if resumed else "wb") as target:
        have = target.tell()
        on_bytes(have)
        for block in response.iter_bytes(_BLOCK_BYTES):
            have += len(block)
            if have > file.size_bytes:
                raise NotFound(f"{response.url.host} sends more of {file.path} than it may have.")
            target.write(block)
            on_bytes(have)
    if have < file.size_bytes:
        raise Unreachable(f"{response.url.host} ended {file.path} after {have:,} of {file.size_bytes:,} bytes.")


def _converted(error: httpx.HTTPError) -> JuneError:
    """What httpx raised, as one of June's errors."""
    if isinstance(error, httpx.TimeoutException):
        return TooSlow("The model hub stalled. Try again: what has arrived is kept.")
    if isinstance(error, httpx.TransportError):
        return Unreachable(f"The connection to the model hub broke ({type(error).__name__}). Try again.")
    return EngineError(f"The model hub gave an answer that can't be used ({type(error).__name__}).")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
