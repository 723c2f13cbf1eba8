"""What June claims about speed and memory, each figure beside its peer or its limit: `python -m essence benchmark`."""
