"""An MCP server for tests, over stdio."""

import os
import sys
from pathlib import Path

from mcp.server import MCPServer
from mcp_types import ToolAnnotations

server = MCPServer("lights")


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def look() -> str:
    """Which lights are on."""
    return f"The {os.environ['ROOM']} light is on."


@server.tool()
def switch(lamp: str) -> str:
    """Switch a lamp."""
    with Path(sys.argv[1]).open("a") as log:
        log.write(f"{lamp}\n")
    return f"{lamp} is off."


@server.tool()
def fail() -> str:
    """Fail."""
    raise ValueError("The fuse is blown.")


@server.tool()
def die() -> str:
    """End the server."""
    os._exit(1)


if __name__ == "__main__":
    server.run()
