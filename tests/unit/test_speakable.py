import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st

from essence.chat.reasoning import without_reasoning
from essence.chat.speakable import has_speech, speakable
from essence.chat.speakable.alphabet import PUNCTUATION
from tests.unit.speakable_cases import CASES

ALPHABET = regex.compile(rf"[\p{{L}}\p{{M}}\p{{Nd}} {regex.escape(PUNCTUATION)}]*")
LANGUAGES = st.sampled_from(["en", "de", "fr", "es", "ru", "pl", "tr", "zh", "ja", "hi", "sw", "pt-BR", "xx"])
MARKUP = [
    "**",
    "_",
    "`",
    "```\n",
    "[",
    "](",
    ")",
    "|",
    "\n",
    "# ",
    "- ",
    "1. ",
    "<b>",
    "</think>",
    "<think>",
    "$",
    "\\(",
    "\\)",
]
MARKUP += [
    "3.14",
    "1,299.00",
    "$",
    "€",
    "5 km/h",
    "%",
    "2026-11-22",
    "14:30",
    "https://a.example/b?c=d",
    "a@b.example",
    "😀",
]
MARKUP += [
    "<",
    "&",
    "&amp;",
    "½",
    "²",
    "\u200b",
    "\x00",
    "│",
    "[^1]",
    '{"name": 1}',
    "IV",
    "v1.2",
    "-",
    "–",
    " ",
    "word",
    "22.",
]
TEXTS = st.lists(st.one_of(st.sampled_from(MARKUP), st.text(max_size=6)), max_size=25).map("".join)
PROSE_WORDS = st.text(alphabet=st.sampled_from("abcdefghijklmnopqrstuwyzäöüéèñçßабвгдежз"), min_size=2, max_size=9)


@pytest.mark.parametrize(("language", "written", "said"), CASES)
def test_it_is_said_as_a_person_would(language: str, written: str, said: str) -> None:
    assert speakable(written, language) == said


@given(TEXTS, LANGUAGES)
@example("\ud800", "en")
def test_only_the_alphabet_of_speech_reaches_the_voice(text: str, language: str) -> None:
    assert ALPHABET.fullmatch(speakable(text, language))


@given(st.lists(PROSE_WORDS, min_size=1, max_size=30), LANGUAGES)
def test_the_words_of_plain_prose_survive_in_order(words: list[str], language: str) -> None:
    assert speakable(" ".join(words), language).split() == words


@given(st.lists(PROSE_WORDS, min_size=1, max_size=20))
def test_what_can_be_said_is_said_as_it_is(words: list[str]) -> None:
    once = speakable(f"**{' '.join(words)}**, {words[0]}!")
    assert speakable(once) == once


@given(TEXTS)
def test_reasoning_never_reaches_the_voice(text: str) -> None:
    thought = "zquix"
    assert thought not in speakable(f"<think>{thought} {text.replace('think', '')}\n\n</think>\n\nYes.")
    assert thought not in speakable(f"{thought} {text.replace('think', '')}</think>Yes.")
    assert thought not in speakable(f"Yes. <think>{thought}")


@given(st.text(alphabet="abc =(){}.:\n#'\"<>[]|&", max_size=200))
def test_code_never_reaches_the_voice(code: str) -> None:
    assert speakable(f"Look:\n\n```python\nzquix {code}\n```\n\nDone.") == "Look: I sent the code as text. Done."


ADDRESS = r"https?://[a-z]{1,9}\.example(/[a-z0-9_.-]{0,9}){0,3}(\?[a-z]=[0-9]{1,5})?"


@given(st.from_regex(ADDRESS, fullmatch=True).filter(lambda url: url[-1].isalnum() or url[-1] == "/"))
def test_an_address_is_said_by_its_host(url: str) -> None:
    said = speakable(f"See {url} now")
    host = url.split("//")[1].split(".example")[0]
    assert said == f"See {host} dot example now"


def test_a_full_stop_behind_an_address_ends_the_sentence() -> None:
    assert speakable("See http://a.example/. Now go.") == "See a dot example. Now go."


@pytest.mark.parametrize("text", ["", " \n", "😀", "---", "***", "```", "<br>", "\u200b", "<think>a", "| |\n|-|", "."])
def test_nothing_to_say_is_nothing(text: str) -> None:
    said = speakable(text)
    assert not has_speech(said) or text in ("```", "| |\n|-|")


HOSTILE = [
    "[",
    "![",
    "[a](",
    "<",
    "<a ",
    "<!--",
    "<think>",
    "*",
    "**a ",
    "_",
    "__a",
    "`",
    "(",
    "$",
    "\\(",
    "\\frac{",
    '{"',
]
HOSTILE += [
    "1,",
    "1.",
    "1-1",
    "1 000 ",
    "a@",
    "a.",
    "www.",
    "|",
    "~~",
    "🇩",
    "[^",
    "&#",
    "> ",
    "- ",
    "```\n",
    "A I",
    "-1 ",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_hostile_text_is_read_in_linear_time(piece: str) -> None:
    # A quadratic expression would meet the suite's time limit: 30,000 characters are 900 million steps.
    assert ALPHABET.fullmatch(speakable((piece * 30_000)[:30_000]))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("<think>a</think>b", "b"),
        ("a</think>b", "b"),
        ("b<think>a", "b"),
        ("b<think>a</think>c<think>d</think>e", "bce"),
        ("<think>a<think>b</think>c", "c"),
        ("<THINK>a</THINK>b", "b"),
        ("[THINK]a[/THINK]b", "b"),
        ("It writes `<think>` first.", "It writes `<think>` first."),
        ("plain", "plain"),
    ],
)
def test_reasoning_is_taken_out(text: str, kept: str) -> None:
    assert without_reasoning(text) == kept
