"""Who asks: agents and their keys."""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from essence.errors import ConfigError
from essence.tasks.refusals import Refusal

_SHORTEST_CHARS = 16


@dataclass(frozen=True, slots=True)
class Keys:
    """Which agent each key belongs to; none at all where everybody on this machine may ask."""

    agents: dict[bytes, str]
    """By the key's SHA-256: looking one up tells nothing of its characters by the time that it takes."""

    def agent_of(self, shown: str) -> str | None:
        """Whose key it is; None: nobody's."""
        return self.agents.get(_digest(shown))


def read_keys(setting: str, host: str) -> Keys:
    """The keys of TODORAMA_KEYS.

    Args:
        setting: `AGENT_ID=KEY`, comma-separated.
        host: What the board listens on.

    Raises:
        ConfigError: They can't be read, or there are none and other machines can reach the board.
    """
    agents: dict[bytes, str] = {}
    for pair in filter(None, (part.strip() for part in setting.split(","))):
        agent_id, _, key = pair.partition("=")
        if not agent_id.strip() or len(key.strip()) < _SHORTEST_CHARS:
            raise ConfigError(
                f"TODORAMA_KEYS: each entry is AGENT_ID=KEY, the key of {_SHORTEST_CHARS} characters or more. "
                "Make one with: python -c 'import secrets; print(secrets.token_urlsafe())'"
            )
        agents[_digest(key.strip())] = agent_id.strip()
    if not agents and not is_loopback(host):
        raise ConfigError(
            f"TODORAMA_HOST={host} opens the board to other machines, so its agents need keys. Set TODORAMA_KEYS."
        )
    return Keys(agents)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def is_loopback(host: str) -> bool:
    """Whether this machine alone reaches an address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:  # a name
        return host == "localhost"


def is_local_page(host: str, origin: str) -> bool:
    """Whether a request may come from this machine's own programs, by its headers.

    Without keys a page in a browser could speak to the board: straight, which its Origin tells, or under a name of its
    own that leads here, which Host tells (DNS rebinding).
    """
    try:
        named, page = urlsplit(f"//{host}").hostname or "", urlsplit(origin).hostname or ""
    except ValueError:  # half an IPv6 address
        return False
    return is_loopback(named) and (not origin or is_loopback(page))


def speaker(key_agent: str | None, said: str | None) -> str:
    """In whose name something is done.

    Args:
        key_agent: Whose key was shown; None where none is needed.
        said: What the request says. With a key it may only name that agent, or one of its workers: `agent/worker`.

    Raises:
        Refusal: `not_allowed`: the key is another agent's; `invalid_input`: nobody is named.
    """
    if key_agent is None:
        if said is None:
            raise Refusal("invalid_input", "Say who asks: agent_id is missing.", "agent_id")
        return said
    if said is None or said == key_agent or said.startswith(f"{key_agent}/"):
        return said or key_agent
    may = f"It speaks for {key_agent} and {key_agent}/NAME; June's agent takes its id from AGENT_ID."
    raise Refusal("not_allowed", f"This key is {key_agent}'s: it can't speak for {said}. {may}", "agent_id")
