"""Works through tasks: the loop, its tools, its memory."""
