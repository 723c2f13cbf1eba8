"""Which language a person speaks, types and wants.

What was heard is judged with patience, since a short or noisy note is easily taken for another language; what was typed
is judged by its words where there are enough of them, else by its script.
"""

from __future__ import annotations

import difflib
import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from essence.dialogue import Transcript

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

DEFAULT = "en"
"""Where nothing speaks for any other."""
AUTO = "auto"
"""Stands for the language that is heard."""
FIRST_PROBABILITY = 0.5
"""From here on the first note settles the language: likelier than all others together."""
SWITCH_PROBABILITY, SWITCH_S = 0.8, 3.0
"""So sure, in a note of this length, a change of language is believed at once. Whisper detects the language from up to
30 s (https://arxiv.org/abs/2212.04356, 2.3); the shorter the note, the less that is worth."""


def prepare() -> None:
    """Load what else the first use would wait for: half a second, 50 MB; call it in a thread."""
    _identifier()
    _codes()


# --- what was heard


@dataclass(frozen=True, slots=True)
class LanguageState:
    """What is known of the language of one conversation's notes."""

    current: str | None = None
    """The one that is spoken, ISO 639-1."""
    candidate: str | None = None
    """Another one, which the last note seemed to be in."""

    def as_record(self) -> dict[str, str | None]:
        """For JSON."""
        return {"current": self.current, "candidate": self.candidate}

    @classmethod
    def from_record(cls, record: Mapping[str, object]) -> LanguageState:
        """The state that was kept so; what can't be read counts as unknown."""
        current, candidate = record.get("current"), record.get("candidate")
        return cls(current if isinstance(current, str) else None, candidate if isinstance(candidate, str) else None)


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows from a note."""

    language: str
    """In which it is answered, ISO 639-1."""
    state: LanguageState
    """To be kept for the next note."""
    hear_again_in: str | None = None
    """Transcribe the note again in this language: it was heard in another one, which garbles its words."""


def decide(state: LanguageState, transcript: Transcript, *, chosen: str | None) -> Decision:
    """What language a note is in.

    Args:
        state: After the note before.
        transcript: As it was heard first; not a second hearing, whose language was given.
        chosen: By `/language`; wins always.
    """
    if chosen is not None:
        again = chosen if transcript.speech and transcript.language != chosen else None
        return Decision(chosen, LanguageState(chosen), again)
    if not transcript.speech or transcript.language is None:
        return Decision(state.current or DEFAULT, state)
    if state.current is None:
        return _first(state, transcript.language, transcript.language_probability)
    return _next(state, state.current, transcript, transcript.language)


def _first(state: LanguageState, heard: str, probability: float) -> Decision:
    """There is no better guess than what was heard; it settles the matter if it is likely, or comes a second time."""
    if probability >= FIRST_PROBABILITY or state.candidate == heard:
        return Decision(heard, LanguageState(heard))
    return Decision(heard, LanguageState(None, heard))


def _next(state: LanguageState, current: str, transcript: Transcript, heard: str) -> Decision:
    sure = transcript.language_probability >= SWITCH_PROBABILITY and transcript.duration_s >= SWITCH_S
    if heard == current or sure or heard == state.candidate:
        return Decision(heard, LanguageState(heard))
    return Decision(current, replace(state, candidate=heard), hear_again_in=current)


# --- what is chosen

AUTONYMS = (
    "af Afrikaans; am አማርኛ; ar العربية; as অসমীয়া; az azərbaycan; ba башҡорт теле; be беларуская; bg български; "
    "bn বাংলা; bo བོད་སྐད་; br brezhoneg; bs bosanski; ca català; cs čeština; cy Cymraeg; da dansk; de Deutsch; "
    "el Ελληνικά; en English; es español; et eesti; eu euskara; fa فارسی; fi suomi; fo føroyskt; fr français; "
    "gl galego; gu ગુજરાતી; ha Hausa; he עברית; hi हिन्दी; hr hrvatski; ht Kreyòl Ayisyen; hu magyar; hy հայերեն; "
    "id Indonesia; is íslenska; it italiano; ja 日本語; ka ქართული; kk қазақ тілі; km ខ្មែរ; kn ಕನ್ನಡ; ko 한국어; "
    "la Latina; lb Lëtzebuergesch; ln lingála; lo ລາວ; lt lietuvių; lv latviešu; mg Malagasy; mi Māori; "
    "mk македонски; ml മലയാളം; mn монгол; mr मराठी; ms Melayu; mt Malti; my မြန်မာ; ne नेपाली; nl Nederlands; "
    "nn norsk nynorsk; no norsk; oc occitan; pa ਪੰਜਾਬੀ; pl polski; ps پښتو; pt português; ro română; ru русский; "
    "sa संस्कृत भाषा; sd سنڌي; si සිංහල; sk slovenčina; sl slovenščina; sn chiShona; so Soomaali; sq shqip; sr српски; "
    "su Basa Sunda; sv svenska; sw Kiswahili; ta தமிழ்; te తెలుగు; tg тоҷикӣ; th ไทย; tk türkmen dili; tl Tagalog; "
    "tr Türkçe; tt татар; uk українська; ur اردو; uz o‘zbek; vi Tiếng Việt; yi ייִדיש; yo Èdè Yorùbá; zh 中文"
)
"""The languages that Whisper hears and ISO 639-1 has a code for (openai/whisper, whisper/tokenizer.py, LANGUAGES), each
by its own name, from CLDR by way of babel, whose own files of a hundred languages would take 85 MB to ask."""
_SPOKEN = {line[:2]: line[3:] for line in AUTONYMS.split("; ")}
OTHER_NAMES = (
    "bn Bengali; es Castilian; fa Farsi; he iw; he Ivrit; hi Hindustani; id Bahasa Indonesia; id in; ms Bahasa Melayu; "
    "nl Flemish; no nb; no Norwegian Bokmål; no norsk bokmål; pa Panjabi; ps Pushto; ro Moldovan; si Sinhalese; "
    "sr srpski; tl fil; tl Filipino; zh Mandarin; zh cmn; zh 汉语; zh 漢語; zh 普通话; zh 國語"
)
"""Codes that ISO 639-1 withdrew in 1989 (iw, in), kin that are spoken of as one, and names beside those of CLDR."""


def language_code(word: str) -> str | None:
    """The ISO 639-1 code of what a person calls a language; `auto` for "auto"; None if it isn't known.

    Args:
        word: A code, also with a region (de, pt-BR, zh_CN), an English name or the language's own. Case, accents, and
            what follows in brackets don't matter.
    """
    wanted = _folded(word.partition("(")[0])
    region = re.fullmatch(r"([a-z]{2,3})[-_][a-z0-9_-]+", word.strip(), re.IGNORECASE)
    return _codes().get(wanted) or (_codes().get(region[1].lower()) if region else None)


def did_you_mean(word: str) -> str | None:
    """The English name of the language whose name is most like this word; None if none is."""
    near = difflib.get_close_matches(_folded(word), _codes(), n=1, cutoff=0.6)
    return language_name(_codes()[near[0]]) if near else None


def language_name(code: str) -> str:
    """Its English name; the code itself if it has none."""
    return _english().get(code, code)


@functools.cache
def _english() -> Mapping[str, str]:
    from babel import Locale

    return {**Locale("en").languages, AUTO: "automatic"}


@functools.cache
def _codes() -> Mapping[str, str]:
    """Folded names and codes → code."""
    names = {_folded(line[3:]): line[:2] for line in OTHER_NAMES.split("; ")}
    names |= {_folded(name): code for code, name in _SPOKEN.items()}
    names |= {_folded(language_name(code)): code for code in _SPOKEN}
    return names | {code: code for code in _SPOKEN} | {AUTO: AUTO, "automatic": AUTO}


def _folded(name: str) -> str:
    """Without case, accents, vowel signs, white space or punctuation."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKD", name).casefold()))


# --- what was typed

ENOUGH_LETTERS, ENOUGH_PROBABILITY = 20, 0.9
LEAST_PROBABILITY, MARGIN = 0.5, 20.0
"""So likely, and so many times likelier than any language of this person, it is believed too: what lacks to certainty
went to its kin, as between Czech and Slovak."""
MOST_CHARS = 1_000
"""As much of a text is looked at: takes about a millisecond."""
SMALL = frozenset(
    ("af", "ba", "bo", "br", "bs", "fo", "gl", "ha", "ht", "la", "lb", "ln", "mg", "mi", "ms", "nn", "oc", "sa", "sd",
     "sn", "so", "su", "tg", "tk", "tl", "tt", "yi", "yo")
)  # fmt: skip
"""A few words of a large language are easily taken for a small one beside it, such as Portuguese for Galician: a text
is taken for one of these only where the person's application or notes are in it."""
PLAUSIBLE = frozenset(_SPOKEN) - SMALL
SCRIPTS: Mapping[str, tuple[str, ...]] = {
    "ARABIC": ("ar", "fa", "ur", "ps", "sd"),
    "ARMENIAN": ("hy",),
    "BENGALI": ("bn", "as"),
    "CJK": ("zh", "ja"),
    "CYRILLIC": ("ru", "uk", "bg", "sr", "be", "mk", "kk", "tg", "mn", "tt", "ba", "uz"),
    "DEVANAGARI": ("hi", "mr", "ne", "sa"),
    "ETHIOPIC": ("am",),
    "GEORGIAN": ("ka",),
    "GREEK": ("el",),
    "GUJARATI": ("gu",),
    "GURMUKHI": ("pa",),
    "HANGUL": ("ko",),
    "HEBREW": ("he", "yi"),
    "HIRAGANA": ("ja",),
    "KANNADA": ("kn",),
    "KATAKANA": ("ja",),
    "KHMER": ("km",),
    "LAO": ("lo",),
    "MALAYALAM": ("ml",),
    "MYANMAR": ("my",),
    "SINHALA": ("si",),
    "TAMIL": ("ta",),
    "TELUGU": ("te",),
    "THAI": ("th",),
    "TIBETAN": ("bo",),
}
"""First word of a letter's Unicode name → languages that are written so, the most spoken first. Not among them: Latin,
which says nothing."""
IN_LATIN_TOO = frozenset(("sr", "uz"))
NOT_LATIN = frozenset(language for languages in SCRIPTS.values() for language in languages) - IN_LATIN_TOO

_ADDRESS = re.compile(r"https?://\S+")


def of_text(text: str, state: LanguageState, *, hint: str) -> str:
    """Language of a typed message, ISO 639-1.

    Args:
        text: What was typed.
        state: Of the conversation's notes.
        hint: Language of the person's application; empty if unknown.
    """
    text = _ADDRESS.sub(" ", text[:MOST_CHARS])
    near = [language for language in (state.current, hint) if language]
    return _by_words(text, near) or _by_script(text, near)


@functools.cache
def _identifier() -> LanguageIdentifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def _by_words(text: str, near: list[str]) -> str | None:
    """The language that the words speak for; None if they don't say, or are too few."""
    if sum(map(str.isalpha, text)) < ENOUGH_LETTERS:
        return None
    plausible = PLAUSIBLE.union(near)
    likely = {language: likelihood for language, likelihood in _identifier().rank(text) if language in plausible}
    total = sum(likely.values()) or 1.0
    best = max(likely, key=lambda language: likely[language])
    probability, nearest = (
        likely[best] / total,
        max((likely.get(language, 0.0) / total for language in near), default=0.0),
    )
    sure = probability >= ENOUGH_PROBABILITY or probability >= max(LEAST_PROBABILITY, MARGIN * nearest)
    return best if sure else None


def _by_script(text: str, near: list[str]) -> str:
    """The nearest language that is written so, else the most spoken one."""
    scripts = Counter(unicodedata.name(letter, "").partition(" ")[0] for letter in text if letter.isalpha())
    if scripts["HIRAGANA"] or scripts["KATAKANA"]:
        scripts["HIRAGANA"] += scripts.pop("CJK", 0)  # Japanese mixes all three
    if not scripts:
        return near[0] if near else DEFAULT
    languages = SCRIPTS.get(scripts.most_common(1)[0][0])
    if languages is None:
        return next((language for language in near if language not in NOT_LATIN), DEFAULT)
    return next((language for language in near if language in languages), languages[0])
