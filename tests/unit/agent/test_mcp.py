"""Tools of MCP servers, as an mcp.json names them."""

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from essence.agent.job import Job
from essence.agent.tools import mcp
from essence.agent.tools.mcp import Link, Server, open_servers, servers
from essence.agent.tools.tool import Call
from essence.errors import ConfigError, EngineError, InvalidInput, Unreachable
from tests.agent_house import HERE, Script, call, world

SCRIPT = Path(__file__).with_name("mcp_server.py")


@pytest.fixture
def listed(tmp_path) -> Path:
    entry = {
        "command": sys.executable,
        "args": [str(SCRIPT), str(tmp_path / "log")],
        "env": {"ROOM": "${JUNE_TEST_ROOM:-kitchen}"},
    }
    off = {"command": "no-such-program", "disabled": True}
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"mcpServers": {"my lights": entry, "off": off}}))
    return path


def by_name(tools) -> dict:
    return {tool.name: tool for tool in tools}


ANYBODY = Call(Job(None, None, owner=True), "k")


def test_the_usual_format_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("JUNE_TEST_TOKEN", "t")
    path = tmp_path / "mcp.json"
    web = {"url": "https://example.com/mcp", "headers": {"Authorization": "Bearer ${JUNE_TEST_TOKEN}"}}
    path.write_text(json.dumps({"mcpServers": {"web": web, "near": {"command": "c", "args": ["a"]}}}))
    assert servers(path) == (
        Server("web", url="https://example.com/mcp", headers={"Authorization": "Bearer t"}),
        Server("near", command=("c", "a")),
    )


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"mcpServers": {"a": {}}}', '{"mcpServers": {"a": {"command": "${NO_SUCH_VARIABLE}"}}}']
)
def test_another_format_is_told(tmp_path, text):
    path = tmp_path / "mcp.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match="AGENT_MCP"):
        servers(path)
    with pytest.raises(ConfigError, match="AGENT_MCP"):
        servers(tmp_path / "none.json")


async def test_its_tools_are_used_and_what_only_reads_needs_no_leave(listed):
    async with open_servers(servers(listed)) as found:
        tools = by_name(found())
        assert set(tools) == {"my_lights_look", "my_lights_switch", "my_lights_fail", "my_lights_die"}
        assert (tools["my_lights_look"].effect, tools["my_lights_switch"].effect) == ("none", "risk")
        assert all(tool.foreign for tool in found())
        assert await tools["my_lights_look"].run(ANYBODY, {}) == "The kitchen light is on."
        assert json.loads(tools["my_lights_switch"].parameters)["required"] == ["lamp"]
        with pytest.raises(EngineError, match="fail"):
            await tools["my_lights_fail"].run(ANYBODY, {})
        with pytest.raises(InvalidInput):
            tools["my_lights_switch"].parse("[]")


async def test_a_server_that_died_is_started_again_by_the_next_use(listed):
    async with open_servers(servers(listed)) as found:
        tools = by_name(found())
        with pytest.raises(Unreachable):
            await tools["my_lights_die"].run(ANYBODY, {})
        assert await tools["my_lights_look"].run(ANYBODY, {}) == "The kitchen light is on."


async def test_a_server_that_can_t_be_reached_is_left_out(listed):
    gone = (Server("gone", command=("no-such-program",)), Server("away", url="http://127.0.0.1:1/mcp"))
    async with open_servers((*gone, *servers(listed))) as found:
        assert "my_lights_look" in by_name(found())


async def test_a_server_that_comes_later_joins(listed, tmp_path, monkeypatch):
    monkeypatch.setattr(mcp, "AGAIN_S", 0.05)
    script = tmp_path / "lights.py"
    late = Server("late", command=(sys.executable, str(script), str(tmp_path / "log")), env={"ROOM": "hall"})
    async with open_servers((late, *servers(listed))) as found:
        assert "late_look" not in by_name(found())
        script.symlink_to(SCRIPT)
        async with asyncio.timeout(60):
            while "late_look" not in by_name(found()):  # noqa: ASYNC110 - nobody rings a bell
                await asyncio.sleep(0.05)
        assert await by_name(found())["late_look"].run(ANYBODY, {}) == "The hall light is on."
        assert next(iter(by_name(found()))).startswith("late_")


async def test_a_server_over_which_june_makes_a_mistake_is_told_of_and_joins_later(listed, monkeypatch):
    monkeypatch.setattr(mcp, "AGAIN_S", 0.05)
    once, made = iter([KeyError("schema")]), mcp._tool

    def fails_once(*given):
        for error in once:
            raise error
        return made(*given)

    monkeypatch.setattr(mcp, "_tool", fails_once)
    with capture_logs() as logs:
        async with open_servers(servers(listed)) as found:
            async with asyncio.timeout(60):
                while "my_lights_look" not in by_name(found()):  # noqa: ASYNC110 - nobody rings a bell
                    await asyncio.sleep(0.05)
    assert [(log["event"], log["server"]) for log in logs] == [
        ("mcp_server_away", "my lights"),
        ("mcp_server_joined", "my lights"),
    ]


class Session:
    """A server's, as its calls see it: each goes on until it is told how it ends."""

    def __init__(self) -> None:
        self.calls: list[asyncio.Future[str]] = []

    async def call_tool(self, *_):
        self.calls.append(asyncio.get_running_loop().create_future())
        return await self.calls[-1]


class Sessions:
    """What is opened, one after the other; each takes `opening_s`."""

    def __init__(self) -> None:
        self.opened: list[Session] = []
        self.closed: list[Session] = []
        self.opening_s = 0.0

    @asynccontextmanager
    async def open(self, _):
        await asyncio.sleep(self.opening_s)
        self.opened.append(session := Session())
        yield session
        self.closed.append(session)


@pytest.fixture
def sessions(monkeypatch) -> Sessions:
    made = Sessions()
    monkeypatch.setattr(mcp, "_connected", made.open)
    return made


async def until(happened) -> None:
    async with asyncio.timeout(10):
        while not happened():  # noqa: ASYNC110 - nobody rings a bell
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("opening_s", [0.0, 0.5])
async def test_a_call_that_fails_on_a_broken_session_leaves_the_next_session_alone(sessions, monkeypatch, opening_s):
    monkeypatch.setattr(mcp, "CONNECT_S", 0.1)
    link = Link(Server("lights"))
    first, last = (asyncio.create_task(link.call("look", {})) for _ in range(2))
    await until(lambda: sessions.opened and len(sessions.opened[0].calls) == 2)
    sessions.opening_s = opening_s
    sessions.opened[0].calls[0].set_exception(RuntimeError("connection closed"))
    with pytest.raises(Unreachable):
        await first
    another = asyncio.create_task(link.call("look", {}))
    await asyncio.sleep(0.01)  # it opens a session, or has
    sessions.opened[0].calls[1].set_exception(RuntimeError("connection closed"))
    with pytest.raises(Unreachable):
        await last
    await until(lambda: len(sessions.opened) == 2 and sessions.opened[1].calls)
    sessions.opened[1].calls[0].set_result("on")
    assert await another == "on"
    assert sessions.closed == sessions.opened[:1]
    await link.close()
    assert sessions.closed == sessions.opened


async def test_nobody_is_told_to_stop_who_waits_for_a_session_that_is_let_go_of(sessions, monkeypatch):
    monkeypatch.setattr(mcp, "CONNECT_S", 0.1)
    sessions.opening_s = 60
    link = Link(Server("lights"))
    calling = asyncio.create_task(link.call("look", {}))
    await asyncio.sleep(0.01)
    await link.close()
    with pytest.raises(Unreachable, match="lights"):
        await calling


async def test_a_call_that_is_broken_off_elsewhere_fails_and_one_that_is_told_to_stop_stops(sessions):
    link = Link(Server("lights"))
    broken, stopped = (asyncio.create_task(link.call("look", {})) for _ in range(2))
    await until(lambda: sessions.opened and len(sessions.opened[0].calls) == 2)
    stopped.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopped
    assert sessions.closed == []
    sessions.opened[0].calls[0].cancel()
    with pytest.raises(Unreachable):
        await broken


async def test_a_caller_that_stops_while_a_session_is_opened_leaves_none_behind(sessions):
    sessions.opening_s = 0.05
    link = Link(Server("lights"))
    calling = asyncio.create_task(link.call("look", {}))
    await asyncio.sleep(0.01)
    calling.cancel()
    await asyncio.wait([calling])
    another = asyncio.create_task(link.call("look", {}))
    await until(lambda: sessions.opened and sessions.opened[0].calls)
    sessions.opened[0].calls[0].set_result("on")
    assert await another == "on"
    await link.close()
    assert len(sessions.opened) == len(sessions.closed) == 1


async def test_the_owner_is_asked_before_a_server_changes_anything(listed, tmp_path):
    async with open_servers(servers(listed)) as found, world() as here:
        here.tools, here.approval_s = found(), 0.0
        await here.ask("Switch off the lamp")
        worker = here.worker_with(model := Script(call("my_lights_switch", lamp="desk"), "I've turned off the lamp."))
        await worker.work_once()
    assert [sent.buttons[0].label for sent in here.messenger.sent if sent.buttons] == ["Do it"]
    assert not (tmp_path / "log").exists()
    assert "Not verified" in here.answer
    assert here.answers[0].to == HERE
    assert len(model.seen) == 2
