"""The one place where what the `openai` client raises becomes an error of June's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
from openai import APIConnectionError, APIError, APIStatusError, OpenAIError

from essence.errors import (
    ContextOverflow,
    EngineBusy,
    EngineError,
    JuneError,
    NotAllowed,
    NotFound,
    TooSlow,
    Unreachable,
)

# How servers say that a prompt is too long, as codes or in prose: OpenAI, vLLM, llama.cpp, TensorRT-LLM, LM Studio.
_OVERFLOW = re.compile(
    r"context[_ ](?:length|window|size)|max_seq_len|max_num_tokens|maximum sequence length|maximum model length"
    r"|prompt is too long|too many (?:input )?tokens",
    re.IGNORECASE,
)


@contextmanager
def converted(server: str) -> Iterator[None]:
    """Raise June's errors in place of the client's; `server` is its address, for the message."""
    try:
        yield
    except OpenAIError as error:
        raise _june_error(error, server) from error
    except httpx2.HTTPError as error:  # the client lets some of them through while it reads a stream
        raise _broken(server) from error
    except json.JSONDecodeError as error:
        raise EngineError(f"{server} sent something that isn't JSON. Is it an OpenAI-compatible server?") from error


def _june_error(error: OpenAIError, server: str) -> JuneError:
    if isinstance(error, APIConnectionError):
        return _unreachable(error, server)
    if isinstance(error, APIStatusError):
        return _refused(error, server)
    if isinstance(error, APIError) and _OVERFLOW.search(_said(error)):
        return _overflow(error)
    return EngineError(f"The language model at {server} failed: {error}")


def _unreachable(error: APIConnectionError, server: str) -> JuneError:
    cause = error.__cause__
    if isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout):
        return Unreachable(f"No language model answers at {server} ({cause}). Is it running, and is LLM_URL right?")
    return _broken(server)


def _broken(server: str) -> Unreachable:
    return Unreachable(f"The connection to the language model at {server} broke. Ask again.")


def _refused(error: APIStatusError, server: str) -> JuneError:
    said = _said(error)
    status = error.status_code
    if status in (400, 413, 422, 500) and _OVERFLOW.search(said):
        return _overflow(error)
    match status:
        case 401 | 403:
            return NotAllowed(f"{server} refused the key ({status}: {error.message}). Set LLM_API_KEY.")
        case 404:
            return NotFound(f"{server} answers 404: {error.message}")
        case 408:
            return TooSlow(f"The language model at {server} took too long: {error.message}")
        case 429:
            return EngineBusy(f"The language model at {server} has too much to do. Ask again in a moment.")
    if status >= 500:
        return Unreachable(f"The language model at {server} is out of order ({status}: {error.message}).")
    return EngineError(f"The language model at {server} refused the request ({status}: {error.message}).")


def _overflow(error: APIError) -> ContextOverflow:
    return ContextOverflow(
        f"The conversation does not fit the model's context: {error.message} Set LLM_CONTEXT_TOKENS to what it takes."
    )


def _said(error: APIError) -> str:
    return f"{error.code} {error.type} {error.message} {error.body}"
