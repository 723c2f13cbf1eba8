"""`python -m essence message-api`: what other services have June tell people, over HTTP."""

from __future__ import annotations


def main(_: list[str]) -> int:
    """Take messages and hand them over until told to stop; returns the exit code."""
    # Here rather than above: whoever imports a module of this package needs none of it.
    from essence.services.message_api.process import run

    return run()
