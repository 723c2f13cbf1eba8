"""June's types survive protobuf unchanged."""

from hypothesis import given
from hypothesis import strategies as st

from essence.audio import Pcm
from essence.dialogue import (
    Finished,
    ReasoningDelta,
    Segment,
    SttTiming,
    TextDelta,
    ToolCall,
    ToolSpec,
    Transcript,
    Turn,
    Usage,
    Word,
)
from essence.rpc import convert

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)  # protobuf refuses lone surrogates
number = st.floats(allow_nan=False)
count = st.integers(0, 2**63)
words = st.builds(Word, text, number, number, number)
segments = st.builds(Segment, text, number, number, number, number, number, st.lists(words, max_size=3).map(tuple))
transcripts = st.builds(
    Transcript,
    text,
    st.booleans(),
    language=st.none() | text,
    language_probability=number,
    duration_s=number,
    segments=st.lists(segments, max_size=3).map(tuple),
    timing=st.builds(SttTiming, number, number, number),
)
calls = st.builds(ToolCall, text, text, text)
turns = st.builds(
    Turn,
    st.sampled_from(["system", "user", "assistant", "tool"]),
    text,
    st.lists(calls, max_size=2).map(tuple),
    st.none() | text,
)
finished = st.builds(Finished, st.sampled_from(["stop", "length", "tool_calls"]), st.builds(Usage, count, count, count))
events = st.builds(TextDelta, text) | st.builds(ReasoningDelta, text) | calls | finished


@given(transcripts)
def test_a_transcript_comes_back_whole(transcript: Transcript) -> None:
    assert convert.transcript_from_wire(convert.transcript_to_wire(transcript)) == transcript


@given(turns)
def test_a_turn_comes_back_whole(turn: Turn) -> None:
    assert convert.turn_from_wire(convert.turn_to_wire(turn)) == turn


@given(events)
def test_a_model_event_comes_back_whole(event: TextDelta | ReasoningDelta | ToolCall | Finished) -> None:
    assert convert.event_from_wire(convert.event_to_wire(event)) == event


@given(st.lists(st.builds(ToolSpec, text, text, text)))
def test_tools_come_back_in_order(tools: list[ToolSpec]) -> None:
    assert convert.tools_from_wire(convert.tools_to_wire(tools)) == tuple(tools)


@given(st.integers(0, 3 * convert.PIECE_BYTES // 2))
def test_pieces_put_together_are_the_sound(samples: int) -> None:
    pcm = Pcm(bytes(2 * samples), 16_000)
    pieces = list(convert.pieces(pcm))
    assert b"".join(piece.data for piece in pieces) == pcm.data
    assert all(0 < len(piece.data) <= convert.PIECE_BYTES for piece in pieces)


def test_an_event_of_a_newer_version_is_passed_over() -> None:
    assert convert.event_from_wire(convert.language_model_pb2.ModelEvent()) is None
