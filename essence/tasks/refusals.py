"""What the board answers where it won't do what was asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from pydantic import ValidationError

from essence.errors import Conflict, InvalidInput, JuneError, NotAllowed, NotFound

Code = Literal["invalid_input", "not_found", "conflict", "not_owner", "stale_lease", "not_allowed"]
"""Stable names, for callers to tell apart: `conflict`: the task's state doesn't allow it, or somebody else has it;
`not_owner`: it is another agent's; `stale_lease`: the lease token is not that of the newest lease."""

_ERRORS: dict[Code, type[JuneError]] = {
    "invalid_input": InvalidInput,
    "not_found": NotFound,
    "conflict": Conflict,
    "not_owner": Conflict,
    "stale_lease": Conflict,
    "not_allowed": NotAllowed,
}


class Refusal(Exception):
    """A rule of the board speaks against what was asked; nothing was changed."""

    def __init__(self, code: Code, message: str, field: str | None = None) -> None:
        """`field`: the argument that is wrong, where it is one."""
        super().__init__(message)
        self.code: Code = code
        self.field = field

    def as_error(self) -> JuneError:
        """The narrowest of June's errors, for callers in this process."""
        return _ERRORS[self.code](str(self))


def unknown(what: str, its_id: object, field: str) -> Refusal:
    """Nothing has this id."""
    return Refusal("not_found", f"{what} {its_id} not found. Check {field}.", field)


@contextmanager
def as_errors() -> Iterator[None]:
    """For callers in this process: what the board refuses, and arguments that can't be, as June's own errors."""
    try:
        yield
    except Refusal as error:
        raise error.as_error() from error
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidInput(f"{first['loc'][0] if first['loc'] else 'task'}: {first['msg']}.") from error
