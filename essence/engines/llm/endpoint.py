"""Where an OpenAI-compatible API is."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from essence.config import LlmEngine
from essence.errors import ConfigError
from essence.ports import LanguageModel


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Address and key of an OpenAI-compatible API; a language model that has one says so in its `endpoint`."""

    url: str
    """Base address, `http://HOST:PORT/v1` as a rule, with no slash at the end."""
    api_key: str = field(default="", repr=False)
    """Empty: the server wants none."""
    model: str = ""
    """Name of the model; empty takes the first that the server lists."""


def endpoint_at(url: str, *, api_key: str, model: str) -> Endpoint:
    """Check the address; one without a path gets `/v1`, where every such server has its API.

    Raises:
        ConfigError: Not an address.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"LLM_URL={url}: not an address. Write it as http://HOST:PORT/v1")
    path = parts.path.rstrip("/") or "/v1"
    return Endpoint(f"{parts.scheme}://{parts.netloc}{path}", api_key, model)


def endpoint_of(model: LanguageModel, settings: LlmEngine) -> Endpoint | None:
    """Where `model` can be asked over OpenAI's API; None: it has none (gRPC, a fake, or several behind one another)."""
    if isinstance(endpoint := getattr(model, "endpoint", None), Endpoint):
        return endpoint
    if settings.llm_url.startswith(("http:", "https:")) and "," not in settings.llm_url:
        return endpoint_at(settings.llm_url, api_key=settings.llm_api_key, model=settings.llm_model)
    return None
