"""What the agent can do besides answering, one file for each group of tools."""
