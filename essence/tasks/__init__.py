"""The task board: its rules, its store, its MCP face, and the way to somebody else's board."""
