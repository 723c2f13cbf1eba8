"""The board's process on its sockets: who is let in, what is refused, who is told of work."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest
from mcp import Client

from essence.tasks.registry import TOOLS
from tests.todorama_service import Service, running_service

KEYS = {"june": "june-key-0123456789", "other": "other-key-0123456789"}
WORK = {"title": "t", "task_type": "concrete", "task_instruction": "i", "verification_instruction": "v"}
PATIENT = {"TODORAMA_POLL_S": "600"}
"""Who waits is told at once, or far too late."""


@pytest.fixture(scope="module")
def open_board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    url = f"sqlite:///{tmp_path_factory.mktemp('open')}/tasks.db"
    with running_service(url, TODORAMA_MAX_BODY_BYTES="20000", **PATIENT) as running:
        yield running


@pytest.fixture(scope="module")
def keyed_board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    keys = ",".join(f"{agent}={key}" for agent, key in KEYS.items())
    url = f"sqlite:///{tmp_path_factory.mktemp('keyed')}/tasks.db"
    with running_service(url, TODORAMA_KEYS=keys, TODORAMA_HOST="0.0.0.0", TODORAMA_RATE_LIMIT="40/minute") as running:
        yield running


def refused(response: httpx.Response) -> tuple[int, str]:
    body = response.json()
    assert body["success"] is False
    assert set(body["error"]) == {"code", "message", "field"}
    return response.status_code, body["error"]["code"]


def started_with(**settings: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"TODORAMA_URL": "memory://", "TODORAMA_PORT": "0"} | settings
    command = [sys.executable, "-m", "essence", "todorama"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("face", ["/mcp", "/mcp/claim_next"])
def test_nobody_who_was_killed_while_they_waited_for_work_takes_it_along(face):
    waits = {"agent_id": "killed", "agent_type": "implementation", "wait_s": 60}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "claim_next", "arguments": waits}}
    with running_service("memory://") as board:
        accepts = {"Accept": "application/json, text/event-stream"}
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{board.url}{face}", json=call if face == "/mcp" else waits, headers=accepts, timeout=1.0)
        made = httpx.post(f"{board.url}/mcp/create_task", json=WORK | {"agent_id": "other"}).json()
        claimed = httpx.post(f"{board.url}/mcp/claim_next", json=waits | {"agent_id": "other", "wait_s": 0}).json()
    assert claimed["task"]["id"] == made["task_id"]


@pytest.mark.parametrize("header", [{}, {"X-API-Key": "wrong"}, {"Authorization": "Bearer wrong"}, {"X-API-Key": "é"}])
@pytest.mark.parametrize("path", ["/mcp/query_tasks", "/mcp"])
def test_without_its_key_nobody_is_let_in(keyed_board, header, path):
    encoded = {name: value.encode() for name, value in header.items()}
    assert refused(httpx.post(f"{keyed_board.url}{path}", json={}, headers=encoded)) == (401, "unauthorized")


@pytest.mark.parametrize("header", ["X-API-Key", "Authorization"])
def test_the_key_says_who_asks(keyed_board, header):
    shown = {header: KEYS["june"] if header == "X-API-Key" else f"Bearer {KEYS['june']}"}
    with httpx.Client(base_url=keyed_board.url, headers=shown) as http:
        task_id = http.post("/mcp/create_task", json=WORK).json()["task_id"]
        worker = {"task_id": task_id, "agent_id": "june/worker-1"}
        assert http.post("/mcp/reserve_task", json=worker).json()["task"]["assigned_agent"] == "june/worker-1"
        assert http.post("/mcp/get_task_context", json={"task_id": task_id}).json()["task"]["created_by"] == "june"
        for impostor in ("other", "june2"):
            answer = http.post("/mcp/create_task", json=WORK | {"agent_id": impostor})
            assert refused(answer) == (403, "not_allowed")


async def test_the_key_says_who_asks_over_mcp_too(keyed_board):
    async with (
        httpx.AsyncClient(headers={"X-API-Key": KEYS["other"]}) as http,
        Client(_transport(f"{keyed_board.url}/mcp", http)) as client,
    ):
        made = (await client.call_tool("create_task", WORK)).structured_content
        context = await client.call_tool("get_task_context", {"task_id": made["task_id"]})
        assert context.structured_content["task"]["created_by"] == "other"
        assert (await client.call_tool("create_task", WORK | {"agent_id": "june"})).is_error


def _transport(url, http):
    from mcp.client.streamable_http import streamable_http_client

    return streamable_http_client(url, http_client=http)


def test_a_rate_is_each_key_s_own_and_health_is_free(tmp_path):
    keys = ",".join(f"{agent}={key}" for agent, key in KEYS.items())
    with running_service("memory://", TODORAMA_KEYS=keys, TODORAMA_RATE_LIMIT="3/hour") as board:
        for _ in range(3):
            assert httpx.post(f"{board.url}/mcp/list_tags", headers={"X-API-Key": KEYS["june"]}).status_code == 200
        late = httpx.post(f"{board.url}/mcp/list_tags", headers={"X-API-Key": KEYS["june"]})
        assert refused(late) == (429, "rate_limited")
        assert "retry-after" in late.headers
        assert httpx.post(f"{board.url}/mcp/list_tags", headers={"X-API-Key": KEYS["other"]}).status_code == 200
        assert httpx.get(f"{board.url}/health").json()["ready"] is True


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"TODORAMA_HOST": "0.0.0.0"}, "TODORAMA_KEYS"),
        ({"TODORAMA_KEYS": "june=short"}, "TODORAMA_KEYS"),
        ({"TODORAMA_RATE_LIMIT": "many"}, "TODORAMA_RATE_LIMIT"),
        ({"TODORAMA_URL": "redis://x"}, "TODORAMA_URL"),
    ],
)
def test_settings_that_can_t_be_are_told_in_one_sentence(settings, named):
    ended = started_with(LOG_LEVEL="error", **settings)
    assert ended.returncode == 1
    assert named in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "header", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Host": "["}, {"Origin": "http://["}]
)
@pytest.mark.parametrize("path", ["/mcp/query_tasks", "/mcp"])
def test_without_keys_a_page_in_a_browser_is_not_let_in(open_board, header, path):
    assert refused(httpx.post(f"{open_board.url}{path}", json={}, headers=header)) == (401, "unauthorized")


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b'{"title": "\\ud800"}', b"\xff", b"null", b"[" * 5000])
def test_what_is_no_json_object_is_refused(open_board, body):
    assert refused(httpx.post(f"{open_board.url}/mcp/create_task", content=body)) == (422, "invalid_input")


def test_a_recurring_task_at_the_end_of_the_calendar_is_made_until_there_is_no_next_time(open_board):
    def ask(tool: str, **fields: object) -> httpx.Response:
        return httpx.post(f"{open_board.url}/mcp/{tool}", json=fields)

    task_id = ask("create_task", **WORK, agent_id="a").json()["task_id"]
    said = {"task_id": task_id, "recurrence_type": "monthly", "next_occurrence": "9998-12-31T00:00:00Z"}
    its_id = ask("create_recurring_task", **said).json()["recurring_task_id"]
    assert [ask("create_recurring_instance", recurring_id=its_id).status_code for _ in range(12)] == [200] * 12
    assert refused(ask("create_recurring_instance", recurring_id=its_id)) == (409, "conflict")
    kept = ask("get_recurring_task", recurring_id=its_id).json()["recurring_task"]
    assert kept["next_occurrence"].startswith("9999-12-31")


def test_what_is_too_large_is_refused(open_board):
    large = WORK | {"agent_id": "a", "task_instruction": "x" * 20_001}
    assert refused(httpx.post(f"{open_board.url}/mcp/create_task", json=large)) == (413, "too_large")


def test_other_paths_and_methods_are_refused_in_the_same_shape(open_board):
    assert refused(httpx.post(f"{open_board.url}/mcp/drop_tables")) == (404, "unknown_tool")
    assert refused(httpx.get(f"{open_board.url}/tasks")) == (404, "not_found")
    assert refused(httpx.get(f"{open_board.url}/mcp/query_tasks")) == (405, "invalid_input")


@pytest.mark.parametrize("accept", ["*/*", "text/event-stream", ""])
def test_who_waits_at_the_mcp_address_is_told_at_once_that_nothing_comes(open_board, accept):
    looked = httpx.get(f"{open_board.url}/mcp", headers={"Accept": accept})
    assert refused(looked) == (405, "invalid_input")
    assert looked.headers["allow"] == "POST"
    assert "/health" in looked.json()["error"]["message"]


def test_the_tools_are_told_of(open_board):
    listed = httpx.get(f"{open_board.url}/mcp/functions").json()
    assert [function["name"] for function in listed] == list(TOOLS)
    assert all(function["description"] for function in listed)
    assert set(httpx.get(f"{open_board.url}/openapi.json").json()["paths"]) == {f"/mcp/{name}" for name in TOOLS}


def test_json_rpc_is_answered_without_a_handshake(open_board):
    called = {"name": "list_projects", "arguments": {}}
    request = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": called}
    result = httpx.post(f"{open_board.url}/mcp", json=request).json()["result"]
    assert json.loads(result["content"][0]["text"])["projects"][0]["id"] == 1


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_official_client_finds_all_tools(open_board, mode):
    async with Client(f"{open_board.url}/mcp", mode=mode) as client:
        listed = (await client.list_tools()).tools
    assert {tool.name for tool in listed} == set(TOOLS)
    required = {tool.name: tool.input_schema.get("required", []) for tool in listed}
    assert required["create_task"] == ["title", "task_type", "task_instruction", "verification_instruction"]
    assert required["query_tasks"] == []


@pytest.mark.parametrize("tool", ["claim_next", "wait_for_work"])
@pytest.mark.parametrize("brings", ["create_task", "unlock_task", "complete_task"])
async def test_who_waits_is_told_of_work_at_once(open_board, tool, brings):
    async with httpx.AsyncClient(base_url=open_board.url, timeout=30) as http:

        async def ask(tool_name, **fields):
            return (await http.post(f"/mcp/{tool_name}", json={"agent_id": "a"} | fields)).json()

        project = (await ask("create_project", name=f"{tool} {brings}"))["project_id"]
        work = WORK | {"project_id": project}
        first = None if brings == "create_task" else (await ask("create_task", **work))["task_id"]
        if first is not None:
            await ask("reserve_task", task_id=first)
        if brings == "complete_task":
            await ask("create_task", **work, blocked_by=[first])
        waiting = asyncio.create_task(ask(tool, project_id=project, wait_s=60, agent_id="b"))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        await (ask(brings, **work) if first is None else ask(brings, task_id=first))
        answer = await waiting
        assert answer.get("work") or answer["task"]


async def test_who_waits_at_another_process_is_told_too(tmp_path):
    url = f"sqlite:///{tmp_path}/tasks.db"
    with running_service(url) as one, running_service(url) as other:
        async with httpx.AsyncClient(timeout=90) as http:
            asked = {"agent_id": "a", "wait_s": 60}
            waiting = asyncio.create_task(http.post(f"{one.url}/mcp/claim_next", json=asked))
            await asyncio.sleep(0.3)
            made = (await http.post(f"{other.url}/mcp/create_task", json=WORK | {"agent_id": "p"})).json()
            assert (await waiting).json()["task"]["id"] == made["task_id"]


@pytest.mark.parametrize("tool", ["claim_next", "wait_for_work"])
async def test_a_board_that_stops_answers_those_who_wait(tool):
    with running_service("memory://", TODORAMA_GRACE_S="600", **PATIENT) as board:
        async with httpx.AsyncClient(timeout=30) as http:
            waiting = asyncio.create_task(http.post(f"{board.url}/mcp/{tool}", json={"agent_id": "a", "wait_s": 60}))
            await asyncio.sleep(0.3)
            board.process.terminate()
            answer = (await waiting).json()
            assert answer["success"]
            assert not answer.get("task")
        assert await asyncio.to_thread(board.process.wait, 30) == 0
