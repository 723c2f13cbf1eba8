"""June on Discord."""
