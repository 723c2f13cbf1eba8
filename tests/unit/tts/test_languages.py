import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from essence.engines.tts.languages import EspeakVoice, choose
from essence.errors import NotFound

VOICES = (
    EspeakVoice("English (Caribbean)", "gmw/en-029", (("en-029", 5), ("en", 10))),
    EspeakVoice("English (Great Britain)", "gmw/en", (("en-gb", 2), ("en", 2))),
    EspeakVoice("English (America)", "gmw/en-US", (("en-us", 2), ("en", 3))),
    EspeakVoice("Portuguese (Portugal)", "roa/pt", (("pt", 5), ("pt-pt", 5))),
    EspeakVoice("Portuguese (Brazil)", "roa/pt-BR", (("pt-br", 5), ("pt", 6))),
    EspeakVoice("Chinese (Mandarin)", "sit/cmn", (("cmn", 5), ("zh-cmn", 5), ("zh", 5))),
    EspeakVoice("Chinese (Cantonese)", "sit/yue", (("yue", 5), ("zh-yue", 5), ("zh", 8))),
    EspeakVoice("Norwegian Bokmål", "gmq/nb", (("nb", 5), ("no", 5))),
    EspeakVoice("Hebrew", "sem/he", (("he", 5),)),
)


@pytest.mark.parametrize(
    ("language", "identifier"),
    [
        ("", "gmw/en-US"), ("en", "gmw/en"), ("en-US", "gmw/en-US"), ("en_us", "gmw/en-US"), ("en-AU", "gmw/en"),
        ("pt", "roa/pt"), ("pt-BR", "roa/pt-BR"), ("pt-AO", "roa/pt"), ("zh", "sit/cmn"), ("zh-Hant-TW", "sit/cmn"),
        ("yue", "sit/yue"), ("no", "gmq/nb"), ("nn", "gmq/nb"), ("nn-NO", "gmq/nb"), ("iw", "sem/he"),
    ],
)  # fmt: skip
def test_a_language_gets_its_best_voice(language: str, identifier: str) -> None:
    assert choose(VOICES, language).identifier == identifier


@pytest.mark.parametrize("voice", ["roa/pt-BR", "pt-br", "pt-BR"])
def test_a_voice_can_be_named(voice: str) -> None:
    assert choose(VOICES, "", voice).identifier == "roa/pt-BR"


def test_a_named_voice_must_speak_the_language() -> None:
    assert choose(VOICES, "pt", "pt-br").identifier == "roa/pt-BR"
    with pytest.raises(NotFound, match="'pt-br' for 'en'"):
        choose(VOICES, "en", "pt-br")


@pytest.mark.parametrize("language", ["xx", "e", "eng", "-", " ", "english"])
def test_an_unknown_language_is_not_found_and_named(language: str) -> None:
    with pytest.raises(NotFound, match=repr(language)):
        choose(VOICES, language)


@given(language=st.text(min_size=1))
def test_any_text_is_a_known_language_or_not_found(language: str) -> None:
    with contextlib.suppress(NotFound):
        assert choose(VOICES, language) in VOICES
