"""How the board's tables came to be, one step a file; applied when a board is opened."""
