"""The real board's process, and both ways to ask it: POST /mcp/<tool>, and MCP by the official SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from mcp import Client

from tests.board_tools import Call, numbers
from tests.todorama_service import Service, running_service


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(f"sqlite:///{tmp_path_factory.mktemp('board')}/tasks.db") as running:
        yield running


@pytest.fixture(params=["post", "mcp"])
async def call(request: pytest.FixtureRequest, service: Service) -> AsyncIterator[Call]:
    """Asks a tool; what it answers, be it a failure."""
    if request.param == "post":
        async with httpx.AsyncClient(base_url=service.url, timeout=30) as http:

            async def post(tool: str, **fields: object) -> dict[str, Any]:
                response = await http.post(f"/mcp/{tool}", json=fields)
                answer = response.json()
                assert (response.status_code == 200) is answer["success"]
                return answer

            yield post
        return

    async def tool_call(tool: str, **fields: object) -> dict[str, Any]:
        async with Client(f"{service.url}/mcp") as client:  # of one task: a fixture ends in another than it began in
            result = await client.call_tool(tool, fields)
        assert result.is_error is not result.structured_content["success"]
        return result.structured_content

    yield tool_call


@pytest.fixture
async def project(call: Call) -> int:
    """A project of this test alone: its queue and lists hold nothing else."""
    return (await call("create_project", name=f"project {next(numbers)}"))["project_id"]
