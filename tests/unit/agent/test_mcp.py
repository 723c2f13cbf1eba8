"""Tools of MCP servers, as an mcp.json names them."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from essence.agent.job import Job
from essence.agent.tools import mcp
from essence.agent.tools.mcp import Server, open_servers, servers
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
