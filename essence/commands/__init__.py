"""One-shot verbs of the command line, one file each."""
