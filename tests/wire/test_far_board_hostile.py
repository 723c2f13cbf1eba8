"""What answers at TASKS_URL may be broken or mean: June's errors come of it, and no memory or hours are lost."""

import asyncio
import gzip
import json
import tracemalloc
from contextlib import asynccontextmanager

import pytest
from mcp.shared.exceptions import MCPError
from mcp_types import ErrorData

from essence.errors import ConfigError, InvalidInput, JuneError, RateLimited, StoreError
from essence.tasks.far import http
from essence.tasks.far.refusals import from_mcp, refusal
from tests.far_boards import far_board

LEASED = ("claim_next", "heartbeat", "fail_task", "get_task_context")
PLAIN = ("query_tasks", "reserve_task", "get_task_context")
TASK = {
    "id": 1,
    "title": "t",
    "task_type": "concrete",
    "task_instruction": "i",
    "verification_instruction": "v",
    "task_status": "available",
    "priority": "medium",
    "created_at": "2026-01-01 00:00:00",
    "completed_at": None,
    "project_id": None,
    "assigned_agent": None,
    "notes": None,
}
GIVEN = {"task": TASK, "lease_token": 1, "attempt": 1}


@asynccontextmanager
async def answering(tools, answer):
    """A server that greets like a board; `answer` tells what a tool answers: JSON, text, or the bytes of all HTTP."""
    serving: dict[asyncio.Task, asyncio.StreamWriter] = {}
    heads: list[str] = []

    async def serve(reader, writer):
        serving[asyncio.current_task()] = writer
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                heads.append(head)
                length = next((line[15:] for line in head.splitlines() if line.startswith("content-length:")), "0")
                writer.write(_response(tools, answer, await reader.readexactly(int(length))))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # whoever asked has seen enough
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp", heads
        for writer in serving.values():
            writer.close()
        await asyncio.gather(*serving)


def _response(tools, answer, body: bytes) -> bytes:
    asked = json.loads(body) if body else {}
    if "id" not in asked:
        return whole(b"", status="202 Accepted")
    if asked["method"] == "initialize":
        version = asked["params"]["protocolVersion"]
        server = {"name": "x", "version": "1"}
        result = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": server}
    elif asked["method"] == "tools/list":
        result = {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in tools]}
    else:
        told = answer(asked["params"]["name"])
        if isinstance(told, bytes):
            return told
        text = told if isinstance(told, str) else json.dumps(told)
        result = {"content": [{"type": "text", "text": text}]}
    return whole(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}).encode())


def whole(body: bytes, *, status: str = "200 OK", kind: str = "application/json", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"task": "x"},
        {"task": [1], "lease_token": 1, "attempt": 1},
        {"task": TASK},
        GIVEN | {"lease_token": "zz"},
        GIVEN | {"attempt": None},
        json.dumps(GIVEN).replace('"lease_token": 1', '"lease_token": 1e999'),
        '{"task": 1, "lease_token": ' + "9" * 5000 + "}",
        GIVEN | {"task": TASK | {"created_at": "0001-01-01T00:00:00+14:00"}},
        GIVEN | {"task": TASK | {"created_at": "9999-12-31T23:59:59-14:00"}},
        GIVEN | {"task": TASK | {"task_status": []}},
        GIVEN | {"task": TASK | {"id": "abc"}},
        "[" * 200_000,
        '{"a":' * 100_000,
        {"success": False, "error": {"code": [], "error_type": {}, "message": ["x"]}},
    ],
    ids=lambda answer: str(answer)[:60],
)
async def test_a_claim_that_can_t_be_read_is_an_error_of_june(answer):
    async with answering(LEASED, lambda _: answer) as (url, _), far_board(url) as board:
        with pytest.raises(StoreError):
            await board.claim("june", lease_s=60)


@pytest.mark.parametrize(
    "answers",
    [
        {"query_tasks": [{"id": None}]},
        {"query_tasks": [{"id": 1, "project_id": None, "task_status": "available", "completed_at": None}]},
        {"query_tasks": [TASK], "reserve_task": {}},
        {"query_tasks": [TASK], "reserve_task": {"task": "x"}},
        {"query_tasks": "[" * 100_000},
        {"query_tasks": [], "get_task_context": {}},
        {"query_tasks": [], "get_task_context": {"task": TASK | {"created_at": "0001-01-01T00:00:00+14:00"}}},
    ],
    ids=lambda answers: str(answers)[:60],
)
async def test_rows_that_can_t_be_read_are_an_error_of_june(answers):
    async with answering(PLAIN, lambda tool: answers.get(tool, {})) as (url, _), far_board(url) as board:
        with pytest.raises(StoreError):
            await board.claim("june", lease_s=60)
            await board.read("1")


@pytest.mark.parametrize("told", ["86400000", "1e300", "inf", "nan", "-1", "9" * 5000, "Wed, 21 Oct 2099 07:28:00 GMT"])
async def test_nobody_shuts_a_board_out_for_longer_than_a_limit_s_window(told):
    limited = whole(b"", status="429 Too Many Requests", more=f"Retry-After: {told}\r\n")
    async with answering(LEASED, lambda _: limited) as (url, _), far_board(url) as board:
        with pytest.raises(RateLimited) as caught:
            await board._wire.call("claim_next", {})
        assert 0 <= caught.value.retry_after_s <= 60
        assert board._wire.room.pause_s() <= 60


@pytest.mark.parametrize("told", [86400000, 1e300, float("inf"), float("nan"), -1, None, [], "x"])
def test_nor_by_an_error_that_looks_like_june_s_own(told):
    data = {"code": "rate_limited"} | ({} if told is None else {"retry_after_s": told})
    error = from_mcp(MCPError.from_error_data(ErrorData(code=http.FAILED, message="m", data=data)))
    assert isinstance(error, RateLimited)
    assert 0 <= error.retry_after_s <= 60


@pytest.mark.parametrize(
    ("limit", "left", "reset"), [("9", "0", "nan"), ("9", "0", "inf"), ("9" * 4000, "0", "1"), ("nan", "nan", "1")]
)
async def test_limits_that_are_no_numbers_hold_nobody_up(limit, left, reset):
    told = f"X-RateLimit-Limit: {limit}\r\nX-RateLimit-Remaining: {left}\r\nX-RateLimit-Reset: {reset}\r\n"
    limited = whole(b"", status="429 Too Many Requests", more=told)
    async with answering(LEASED, lambda _: limited) as (url, _), far_board(url) as board:
        with pytest.raises(RateLimited):
            await board.claim("june", lease_s=60)
        assert board._wire.room.pause_s() <= 60


def bomb(kind: str = "application/json") -> bytes:
    """200 MB in some 400 bytes."""
    return whole(gzip.compress(gzip.compress(bytes(200_000_000))), kind=kind, more="Content-Encoding: gzip, gzip\r\n")


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
async def test_an_answer_is_never_unpacked(kind):
    answer = bomb(kind)
    async with answering(LEASED, lambda _: answer) as (url, heads), far_board(url) as board:
        tracemalloc.start()
        try:
            with pytest.raises(StoreError, match="packs its answers"):
                await board.claim("june", lease_s=60)
            with pytest.raises(StoreError, match="packs its answers"):
                await board._wire._post("claim_next", {"id": 1, "method": "", "params": {"name": ""}})
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert all("accept-encoding: identity\r\n" in head for head in heads)
    assert peak < 50_000_000


async def test_a_failure_that_is_packed_is_told_by_its_status():
    more = "Content-Encoding: gzip\r\nRetry-After: 41\r\n"
    limited = whole(gzip.compress(b"{}"), status="429 Too Many Requests", more=more)
    async with answering(LEASED, lambda _: limited) as (url, _), far_board(url) as board:
        with pytest.raises(RateLimited) as caught:
            await board.claim("june", lease_s=60)
        assert caught.value.retry_after_s == 41


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
@pytest.mark.parametrize("status", ["200 OK", "422 No"])
async def test_of_an_answer_without_end_no_more_is_read_than_a_limit(monkeypatch, kind, status):
    monkeypatch.setattr(http, "ANSWER_MAX_BYTES", 10_000)
    async with answering(LEASED, lambda _: whole(b": " * 10_000, status=status, kind=kind)) as (url, _):
        async with far_board(url) as board:
            with pytest.raises(StoreError):
                await board.claim("june", lease_s=60)
            with pytest.raises(StoreError, match="more than 10000 bytes"):
                await board._wire._post("claim_next", {"id": 1, "method": "", "params": {"name": ""}})


@pytest.mark.parametrize("charset", ["hex", "zlib_codec", "undefined", "punycode", "rot13"])
@pytest.mark.parametrize("status", ["200 OK", "422 No"])
async def test_an_answer_is_read_as_utf_8_whatever_charset_it_names(charset, status):
    answer = whole(b'{"task": null}', status=status, kind=f"application/json; charset={charset}")
    async with answering(LEASED, lambda _: answer) as (url, _), far_board(url) as board:
        posted = board._wire._post("claim_next", {"id": 1, "method": "", "params": {"name": ""}})
        if status == "200 OK":
            assert await posted == '{"task": null}'
        else:
            with pytest.raises(InvalidInput, match="task"):
                await posted


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"errors": 5}', b'{"detail": [[]]}', b"\xff", b"[]"])
async def test_whatever_a_refusal_says_it_is_an_error_of_june(body):
    async with answering(LEASED, lambda _: whole(body, status="422 No")) as (url, _), far_board(url) as board:
        with pytest.raises(InvalidInput):
            await board.claim("june", lease_s=60)


@pytest.mark.parametrize("error", [5, None, [], {}, {"code": []}, {"message": {}}, {"message": "\n"}])
def test_a_refusal_without_words_is_one_all_the_same(error):
    assert isinstance(refusal({"success": False, "error": error, "error_type": []}), JuneError)


async def test_what_greets_with_nonsense_names_the_setting_or_is_unreachable():
    async with answering((5,), lambda _: {}) as (url, _), far_board(url) as board:
        with pytest.raises(ConfigError, match="TASKS_URL"):
            await board.claim("june", lease_s=60)
