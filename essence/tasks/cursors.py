"""Where the next page of a list begins, as an opaque string."""

from __future__ import annotations

import base64
import binascii
import json

from essence.tasks.arguments import ID_MAX
from essence.tasks.refusals import Refusal

Place = tuple[int, int]
"""Rank and id of the last row of a page; 0 for the rank where the list isn't ordered by it."""


def written(place: Place) -> str:
    """As it goes out."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def read(cursor: str | None) -> Place | None:
    """As it comes back.

    Raises:
        Refusal: `invalid_input`: it didn't come from here.
    """
    if cursor is None:
        return None
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        rank, row_id = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, TypeError, binascii.Error, RecursionError) as error:
        raise _refused() from error
    if type(rank) is not int or type(row_id) is not int or not 0 <= rank <= 9 or not 0 <= row_id <= ID_MAX:
        raise _refused()
    return rank, row_id


def _refused() -> Refusal:
    return Refusal("invalid_input", "The cursor is not one of this board. Begin anew, without one.", "cursor")
