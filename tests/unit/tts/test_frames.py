import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from essence.engines.tts.frames import (
    MAX_PAYLOAD_BYTES,
    Frame,
    FrameDecoder,
    Kind,
    SpeakRequest,
    decode_audio,
    decode_failure,
    encode_audio,
    encode_failure,
)
from essence.errors import EngineError, JuneError, by_code

FRAMES = st.builds(Frame, kind=st.sampled_from(Kind), call=st.integers(0, 2**32 - 1), payload=st.binary(max_size=300))
ANY_TEXT = st.text(st.characters())  # lone surrogates and control characters too


@given(frames=st.lists(FRAMES, max_size=20), cuts=st.lists(st.integers(0, 4000)))
def test_frames_survive_any_cutting_of_the_stream(frames: list[Frame], cuts: list[int]) -> None:
    stream = b"".join(frame.encode() for frame in frames)
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    decoder = FrameDecoder()
    seen = [f for start, end in pairwise(edges) for f in decoder.feed(stream[start:end])]
    assert seen == frames


@given(noise=st.binary(max_size=200))
def test_noise_is_refused_or_waits_for_more_but_breaks_nothing_else(noise: bytes) -> None:
    try:
        for frame in FrameDecoder().feed(noise):
            assert frame.kind in Kind
    except EngineError:
        pass


def test_a_frame_that_claims_too_much_is_refused_before_it_is_waited_for() -> None:
    header = (MAX_PAYLOAD_BYTES + 1).to_bytes(4, "big") + bytes([Kind.AUDIO]) + bytes(4)
    with pytest.raises(EngineError, match="no frame"):
        list(FrameDecoder().feed(header))


@given(text=ANY_TEXT, voice=ANY_TEXT, language=ANY_TEXT, rate=st.floats(0.25, 4))
def test_a_request_survives_whatever_its_text_is(text: str, voice: str, language: str, rate: float) -> None:
    request = SpeakRequest(text, voice, language, rate)
    assert SpeakRequest.decode(request.encode()) == request


@given(rate=st.integers(1, 2**32 - 1), samples=st.binary())
def test_audio_survives(rate: int, samples: bytes) -> None:
    assert decode_audio(encode_audio(rate, samples)) == (rate, samples)


@pytest.mark.parametrize("error", by_code().values(), ids=by_code())
def test_an_error_comes_back_as_the_class_it_was_raised_with(error: type[JuneError]) -> None:
    told = decode_failure(encode_failure(error("The reason.")))
    assert type(told) is error
    assert str(told) == "The reason."


def test_an_unknown_code_is_an_engine_error() -> None:
    assert type(decode_failure(json.dumps({"code": "new", "message": "?"}).encode())) is EngineError
