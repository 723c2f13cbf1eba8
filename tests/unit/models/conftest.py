"""A model hub on a real socket, which can behave badly, and somebody who watches a fetch."""

import contextlib
import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest


@dataclass
class FakeHub:
    """What a hub has, and how it misbehaves."""

    files: dict[str, bytes] = field(default_factory=dict)
    address: str = ""
    cut_after: list[int] = field(default_factory=list)
    """Bytes after which the next answers' connections are dropped, one entry per answer."""
    claims_shorter_by: int = 0
    """The length that each answer claims, and has, is too small by this much."""
    statuses: list[int] = field(default_factory=list)
    """What the next answers are refused with."""
    knows_ranges: bool = True
    wrong_range: bool = False
    etag: str = ""
    stalls: int = 0
    """How many of the next answers never send a byte of their body."""
    asked: list[str] = field(default_factory=list)
    """The Range header of every GET, empty where there was none."""
    hold_after: int = 0
    """Bytes after which an answer waits until `released` is set; 0 for none."""
    released: threading.Event = field(default_factory=threading.Event)


class _Handler(http.server.BaseHTTPRequestHandler):
    hub: FakeHub

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def do_GET(self) -> None:
        hub, wanted = self.hub, self.headers.get("Range", "")
        hub.asked.append(wanted)
        if hub.statuses:
            self._refuse(hub.statuses.pop(0))
        elif (body := hub.files.get(self.path)) is None:
            self._refuse(404)
        else:
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and hub.knows_ranges else 0
            self._send(body, start)

    def _refuse(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, body: bytes, start: int) -> None:
        hub, piece = self.hub, body[start : len(body) - self.hub.claims_shorter_by]
        self.send_response(206 if start else 200)
        if start:
            first = start + 7 if hub.wrong_range else start
            self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
        if hub.etag:
            self.send_header("X-Linked-Etag", f'"{hub.etag}"')
        self.send_header("Content-Length", str(len(piece)))
        self.end_headers()
        if hub.stalls:
            hub.stalls -= 1
            hub.released.wait(30)
            return
        if hub.cut_after:
            piece = piece[: hub.cut_after.pop(0)]
            self.close_connection = True
        if hub.hold_after:
            self.wfile.write(piece[: hub.hold_after])
            hub.released.wait(30)
            piece = piece[hub.hold_after :]
        with contextlib.suppress(ConnectionError):  # whoever asked was killed
            self.wfile.write(piece)

    def log_message(self, *_: object) -> None:
        """Tests say what they need to say themselves."""


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    hub = FakeHub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hub.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield hub
        hub.released.set()
        server.shutdown()
        thread.join()


class Witness:
    """Remembers what a fetch told."""

    def __init__(self) -> None:
        self.sentences: list[str] = []
        self.labels: list[str] = []

    def say(self, sentence: str) -> None:
        self.sentences.append(sentence)

    def begin(self, label: str, total_bytes: int) -> None:
        assert total_bytes > 0
        self.labels.append(label)

    def reach(self, done_bytes: int) -> None:
        assert done_bytes >= 0


@pytest.fixture
def witness() -> Witness:
    return Witness()
