from __future__ import annotations

import json
import subprocess
import sys

import pytest
from babel import Locale
from hypothesis import given
from hypothesis import strategies as st

from essence.chat import language as languages
from essence.chat.language import (
    AUTO,
    PLAUSIBLE,
    SCRIPTS,
    Decision,
    LanguageState,
    decide,
    did_you_mean,
    language_code,
    language_name,
    of_text,
)
from essence.dialogue import Transcript

NOBODY_SPOKE = Transcript(text="", speech=False, duration_s=9.0)
UNKNOWN = LanguageState()
ENGLISH = LanguageState("en")
CODES = st.sampled_from(["de", "en", "fr", "ja", "ru"])


def heard(language: str, probability: float = 0.95, duration_s: float = 5.0) -> Transcript:
    return Transcript(
        text="words", speech=True, language=language, language_probability=probability, duration_s=duration_s
    )


TRANSCRIPTS = st.builds(heard, CODES, st.floats(0, 1), st.floats(0.1, 60)) | st.just(NOBODY_SPOKE)
STATES = st.builds(LanguageState, st.none() | CODES, st.none() | CODES)


def decisions(*transcripts: Transcript, state: LanguageState = UNKNOWN) -> list[Decision]:
    made: list[Decision] = []
    for transcript in transcripts:
        made.append(decide(made[-1].state if made else state, transcript, chosen=None))
    return made


# --- what was heard


def test_the_first_note_settles_the_language_if_it_is_likely() -> None:
    assert decide(UNKNOWN, heard("de", 0.5), chosen=None) == Decision("de", LanguageState("de"))


def test_an_unlikely_first_note_is_answered_as_it_was_heard_and_settles_nothing() -> None:
    assert decide(UNKNOWN, heard("cy", 0.3), chosen=None) == Decision("cy", LanguageState(None, "cy"))


def test_two_unlikely_notes_in_one_language_settle_it() -> None:
    assert decisions(heard("cy", 0.3), heard("cy", 0.4))[-1].state == LanguageState("cy")
    assert decisions(heard("cy", 0.3), heard("fr", 0.4))[-1].state == LanguageState(None, "fr")


def test_a_long_sure_note_switches_at_once() -> None:
    assert decide(ENGLISH, heard("de", 0.8, 3.0), chosen=None) == Decision("de", LanguageState("de"))


@pytest.mark.parametrize(("probability", "duration_s"), [(0.79, 30.0), (0.99, 2.9)])
def test_an_unsure_or_short_note_does_not_switch_and_is_heard_again(probability: float, duration_s: float) -> None:
    decision = decide(ENGLISH, heard("cy", probability, duration_s), chosen=None)
    assert decision == Decision("en", LanguageState("en", "cy"), hear_again_in="en")


def test_two_notes_in_a_row_in_the_same_new_language_switch() -> None:
    made = decisions(heard("de", 0.6, 1), heard("de", 0.6, 1), state=ENGLISH)
    assert [decision.language for decision in made] == ["en", "de"]
    assert made[-1] == Decision("de", LanguageState("de"))


@pytest.mark.parametrize("between", ["en", "fr"])
def test_two_notes_that_are_not_in_a_row_do_not_switch(between: str) -> None:
    made = decisions(heard("de", 0.6, 1), heard(between, 0.6, 1), heard("de", 0.6, 1), state=ENGLISH)
    assert [decision.language for decision in made] == ["en"] * 3


def test_silence_changes_nothing() -> None:
    state = LanguageState("de", "fr")
    assert decide(state, NOBODY_SPOKE, chosen=None) == Decision("de", state)
    assert decide(UNKNOWN, NOBODY_SPOKE, chosen=None).language == "en"


@given(STATES, TRANSCRIPTS, CODES)
def test_a_chosen_language_wins_always(state: LanguageState, transcript: Transcript, chosen: str) -> None:
    decision = decide(state, transcript, chosen=chosen)
    assert decision.language == decision.state.current == chosen
    assert decision.hear_again_in == (chosen if transcript.speech and transcript.language != chosen else None)


@given(STATES, st.lists(TRANSCRIPTS, max_size=8))
def test_words_are_never_kept_in_another_language_than_the_answers(
    state: LanguageState, transcripts: list[Transcript]
) -> None:
    for transcript, decision in zip(transcripts, decisions(*transcripts, state=state), strict=True):
        if transcript.speech:
            assert decision.language == (decision.hear_again_in or transcript.language)


@given(STATES, st.lists(st.builds(heard, CODES, st.floats(0, 0.79), st.floats(0.1, 60)), min_size=1, max_size=8))
def test_unsure_notes_switch_only_where_two_in_a_row_agree(state: LanguageState, transcripts: list[Transcript]) -> None:
    made = decisions(*transcripts, state=state)
    before, last = (made[-2].state if len(made) > 1 else state), transcripts[-1].language
    if before.current is not None and made[-1].language != before.current:
        assert last == before.candidate


@given(CODES, STATES)
def test_who_keeps_speaking_one_language_is_answered_in_it_from_the_second_note_on(
    language: str, state: LanguageState
) -> None:
    made = decisions(*[heard(language, 0.4, 1.0)] * 4, state=state)
    assert [decision.language for decision in made[1:]] == [language] * 3


@given(STATES)
def test_a_state_survives_its_record(state: LanguageState) -> None:
    assert LanguageState.from_record(json.loads(json.dumps(state.as_record()))) == state


@given(st.dictionaries(st.sampled_from(["current", "candidate", "else"]), st.integers() | st.none() | CODES))
def test_any_record_can_be_read(record: dict[str, object]) -> None:
    state = LanguageState.from_record(record)
    assert state.current is None or state.current == record["current"]


# --- what was typed

SENTENCES = {
    "en": "Could you tell me what the weather will be like?",
    "de": "Kannst du mir ein Rezept für Pfannkuchen geben?",
    "fr": "Peux-tu me raconter une blague, s'il te plaît ?",
    "es": "quiero saber cuánto cuesta un vuelo a Lima",
    "pt": "me conta uma piada curta por favor",
    "it": "raccontami una barzelletta per favore",
    "nl": "vertel me een grap alsjeblieft",
    "pl": "opowiedz mi jakiś dowcip o kotach",
    "cs": "řekni mi nějaký vtip, prosím tě",
    "sv": "Vad är klockan i Stockholm just nu?",
    "no": "Hva er klokken i dag, min venn?",
    "tr": "bana kısa bir fıkra anlatır mısın",
    "ru": "расскажи мне анекдот, пожалуйста",
    "uk": "розкажи мені анекдот, будь ласка",
    "el": "τι καιρό θα κάνει σήμερα στην Αθήνα;",
    "ar": "كم الساعة الآن في القاهرة من فضلك",
    "he": "מה השעה עכשיו בתל אביב בבקשה",
    "hi": "दिल्ली में अभी कितने बजे हैं, बताइए",
    "ja": "今日の天気はどうですか教えてください",
    "ko": "지금 서울은 몇 시예요? 알려 주세요",
    "zh": "请告诉我今天北京的天气怎么样好不好谢谢你了",
    "th": "ตอนนี้กี่โมงแล้วที่กรุงเทพ",
}


@pytest.mark.parametrize("hint", ["", "en", "vi"])
@pytest.mark.parametrize("language", sorted(SENTENCES))
def test_a_sentence_is_known_by_its_words_whatever_the_application_speaks(language: str, hint: str) -> None:
    assert of_text(SENTENCES[language], LanguageState(hint or None), hint=hint) == language


@pytest.mark.parametrize(
    ("text", "language"),
    [("Привет", "ru"), ("你好", "zh"), ("ありがとう", "ja"), ("東京タワー", "ja"), ("안녕", "ko"), ("שלום", "he"),
     ("γεια", "el"), ("สวัสดี", "th"), ("नमस्ते", "hi"), ("გამარჯობა", "ka"), ("سلام", "ar"), ("ok", "en")],
)  # fmt: skip
def test_a_few_words_are_known_by_their_script(text: str, language: str) -> None:
    assert of_text(text, LanguageState("de") if language != "en" else UNKNOWN, hint="") == language


@pytest.mark.parametrize(("text", "near"), [("Привіт", "uk"), ("سلام", "fa"), ("東京", "ja"), ("Hallo", "de")])
def test_of_the_languages_of_a_script_the_persons_own_is_taken(text: str, near: str) -> None:
    assert of_text(text, LanguageState(near), hint="en") == near
    assert of_text(text, UNKNOWN, hint=near) == near


def test_latin_letters_are_not_read_by_a_russian_voice() -> None:
    assert of_text("ok thanks", LanguageState("ru"), hint="de") == "de"
    assert of_text("ok thanks", LanguageState("ru"), hint="ru") == "en"


def test_a_text_without_words_takes_the_language_of_the_notes_then_of_the_application_then_english() -> None:
    assert of_text("👍 42!", LanguageState("de"), hint="fr") == "de"
    assert of_text("👍 42!", UNKNOWN, hint="fr") == "fr"
    assert of_text("", UNKNOWN, hint="") == "en"


def test_an_address_does_not_speak_for_english() -> None:
    words = "this is what you were looking for the other day when we talked about the weather"
    assert of_text(words, LanguageState("de"), hint="en") == "en"
    assert of_text(f"schau https://example.com/{words.replace(' ', '/')}", LanguageState("de"), hint="en") == "de"


def test_between_languages_that_are_much_alike_the_persons_own_is_taken() -> None:
    text = "Kolik je hodin v Praze teď?"
    assert of_text(text, LanguageState("sk"), hint="en") == "sk"
    assert of_text(text, LanguageState("en"), hint="en") == "cs"


def test_a_small_language_is_known_where_the_person_speaks_it() -> None:
    text = "Podes dicirme que tempo vai facer mañá en Santiago?"
    assert of_text(text, UNKNOWN, hint="gl") == "gl"
    assert of_text(text, UNKNOWN, hint="") in PLAUSIBLE


@given(st.text(max_size=200), STATES, st.sampled_from(["", "en", "de", "tlh", "ja"]))
def test_any_text_has_a_language(text: str, state: LanguageState, hint: str) -> None:
    written = {language for names in SCRIPTS.values() for language in names}
    assert of_text(text, state, hint=hint) in PLAUSIBLE | written | {hint, state.current, "en"} - {"", None}


def test_what_knows_languages_by_their_words_is_loaded_when_it_is_needed() -> None:
    seen = "import sys, essence.chat.language; print(sorted({'py3langid', 'babel', 'numpy'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", seen], capture_output=True, text=True, check=True)
    assert "py3langid" not in ran.stdout
    assert "babel" not in ran.stdout


def test_it_can_be_loaded_ahead() -> None:
    languages.prepare()
    assert languages._identifier.cache_info().currsize == languages._codes.cache_info().currsize == 1


# --- what is chosen


@pytest.mark.parametrize(
    ("word", "code"),
    [("de", "de"), ("DE", "de"), ("German", "de"), ("deutsch", "de"), (" Deutsch ", "de"), ("français", "fr"),
     ("francais", "fr"), ("pt-BR", "pt"), ("zh_CN", "zh"), ("Chinese (Simplified)", "zh"), ("中文", "zh"),
     ("日本語", "ja"), ("русский", "ru"), ("עברית", "he"), ("iw", "he"), ("Farsi", "fa"), ("nb", "no"),
     ("Norwegian Bokmål", "no"), ("Tiếng Việt", "vi"), ("tieng viet", "vi"), ("auto", AUTO), ("AUTO", AUTO)],
)  # fmt: skip
def test_a_language_may_be_called_by_its_code_its_english_or_its_own_name(word: str, code: str) -> None:
    assert language_code(word) == code


@pytest.mark.parametrize("word", ["", "Klingon", "xx", "qq-DE", "-", "👍", "Germn", "e"])
def test_what_is_no_language_is_none(word: str) -> None:
    assert language_code(word) is None


@pytest.mark.parametrize(("word", "name"), [("Germn", "German"), ("spansh", "Spanish"), ("deutch", "German")])
def test_a_slip_of_the_finger_is_asked_about(word: str, name: str) -> None:
    assert language_code(word) is None
    assert did_you_mean(word) == name


def test_what_is_like_no_language_is_not_asked_about() -> None:
    assert did_you_mean("Klingon") is None
    assert did_you_mean("") is None


@given(st.text(max_size=40))
def test_any_word_can_be_asked_about(word: str) -> None:
    code = language_code(word)
    assert code is None or language_code(code) == code
    did_you_mean(word)


@pytest.mark.parametrize("code", sorted(languages._SPOKEN))
def test_every_language_is_known_by_the_name_it_is_told_by_and_by_its_own(code: str) -> None:
    assert language_code(language_name(code)) == code
    assert language_code(languages._SPOKEN[code]) == code
    assert len(code) == 2


def test_names_are_those_of_cldr() -> None:
    asked = set(languages._SPOKEN) - {"tl"}  # CLDR has Filipino in its place
    assert {code: languages._SPOKEN[code] for code in asked} == {code: Locale(code).languages[code] for code in asked}


def test_a_language_without_a_name_is_told_by_its_code() -> None:
    assert language_name("de") == "German"
    assert language_name("xx") == "xx"
