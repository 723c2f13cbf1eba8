"""What the Message API's JSON and cursors take."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from essence.errors import InvalidInput
from essence.services.message_api.bodies import cursor_of, position_of


@given(st.integers(1, 2**63 - 1))
def test_a_cursor_leads_back_to_its_position(position):
    assert position_of(cursor_of(position)) == position


@given(st.text(max_size=64))
def test_any_other_text_is_a_position_or_refused(cursor):
    with contextlib.suppress(InvalidInput):
        assert 0 < position_of(cursor) < 2**63


@pytest.mark.parametrize("position", [0, -1, 2**63])
def test_a_position_that_no_message_can_have_is_refused(position):
    with pytest.raises(InvalidInput):
        position_of(cursor_of(position))
