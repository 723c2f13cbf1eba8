"""None of the board's tools is without a contract."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from essence.tasks.registry import TOOLS
from tests.board_tools import tested


def test_every_tool_has_a_contract_here():
    for file in Path(__file__).parent.glob("test_*.py"):
        import_module(f"tests.contracts.todorama.{file.stem}")
    assert tested == set(TOOLS)
