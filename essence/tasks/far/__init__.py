"""The far player of the task board: any todorama over MCP, June's own board among them.

`http`, `refusals`, `connection` and `wire` make calls to a board's tools, and June's errors of what fails; `ledger` is
what this side knows, in the store; `making`, `holdings`, `seeking` and `watch` do what a board without keys and leases
lacks; `plain` and `leased` are the two kinds of boards, and `board` is whichever of them answers.
"""

import importlib.util
from typing import TYPE_CHECKING

from essence.errors import EngineMissing

if TYPE_CHECKING:
    from essence.tasks.far.board import FarBoard, open_far_board

__all__ = ["FarBoard", "open_far_board"]


def __getattr__(name: str) -> object:
    """Load the MCP SDK and SQLAlchemy when a board is first opened.

    Raises:
        EngineMissing: The SDK isn't installed.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if importlib.util.find_spec("mcp") is None:
        raise EngineMissing("A task board needs the MCP SDK. Install it with: pip install 'june-assistant[tasks]'")
    from essence.tasks.far import board

    return getattr(board, name)
