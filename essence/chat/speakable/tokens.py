"""Finds what is not a word (numbers with their units, dates, links, signs) and says it in words.

One expression is read over the text once, its alternatives in order of how much they know; what it replaces is not
read again.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import lru_cache

import regex

from essence.chat.sentences import ORDINAL_DOT_LANGUAGES
from essence.chat.speakable import words
from essence.chat.speakable.measures import CURRENCIES, units_of
from essence.chat.speakable.phrases import Phrases, phrases_of

MULTIPLIERS = {"k": "thousand", "K": "thousand", "M": "million", "m": "million", "bn": "billion", "B": "billion"}
REGNAL = frozenset("Charles Edward Elizabeth George Henry James John Louis Napoleon Paul Pius Richard William".split())  # noqa: SIM905 (names in a row read better)
NUMERALS = {
    n: i
    for i, n in enumerate(
        [
            "II",
            "III",
            "IV",
            "V",
            "VI",
            "VII",
            "VIII",
            "IX",
            "X",
            "XI",
            "XII",
            "XIII",
            "XIV",
            "XV",
            "XVI",
            "XVII",
            "XVIII",
            "XIX",
            "XX",
        ],
        2,
    )
}


def _any_of(options: dict[str, str]) -> str:
    return "|".join(regex.escape(option) for option in sorted(options, key=len, reverse=True))


_NUMBER = (
    r"(?:\d{1,3}(?:[,.\u00a0\u202f'’]\d{3}){1,6}(?:[.,]\d{1,9})?|\d{1,3}(?:\ \d{3}){1,5}(?:,\d{1,9})?"
    r"|\d{1,18}(?:[.,]\d{1,18})?)(?!\d)"
)
_MAGNITUDE = r"(?:\ (?P<{0}>\p{{L}}{{0,3}}ill?i\p{{L}}{{1,7}}|тыс\.|млн|млрд|Mio\.|Mrd\.)(?!\p{{L}}))"
_TLDS = "com|org|net|io|dev|ai|app|edu|gov|info|de|fr|es|it|pl|ru|uk|nl|eu|ch|at|jp|cn"
_TOKEN = rf"""
  (?P<url>(?:https?|ftp|file|tg|mailto|wss?)://[^\s<>"“”「」）)\]]+ | (?<![\w.@])www\.[^\s<>"“”「」）)\]]+)
| (?P<email>(?<![\w.+-])[\w.+-]{{1,64}}@[\w-]{{1,63}}(?:\.[\w-]{{1,63}}){{1,4}})
| (?P<host>(?<![\w.@/-])(?:[A-Za-z0-9-]{{1,63}}\.){{1,4}}(?:{_TLDS})(?![\w@-])(?:/[^\s<>"“”)\]]*)?)
| (?<![\w.])(?:(?P<y>\d{{4}})-(?P<mo>\d\d)-(?P<d>\d\d)(?:[T ](?P<ith>\d\d):(?P<itm>\d\d)(?::\d\d(?:\.\d{{1,9}})?)?Z?)?
    |(?P<d1>\d{{1,2}})(?P<sep>[./])(?P<d2>\d{{1,2}})(?P=sep)(?P<y2>\d{{4}}))(?![\w/])
| (?<![\w.:])(?P<h>[01]?\d|2[0-4])(?::(?P<m>[0-5]\d)(?::(?P<s>[0-5]\d))?)?
    (?:\ ?(?P<ap>[aApP])(?:\.[mM]\.|[mM](?!\p{{L}}))|(?<=:\d\d)(?![\w:])(?:\ (?:Uhr|uur)(?!\w))?)
| (?<!\w)(?P<fh>[01]?\d|2[0-4])\ ?h\ ?(?P<fm>[0-5]\d)(?!\w)
| (?P<phone>(?<![\w+])\+\d[\d\ ()./-]{{5,20}}\d(?!\w)|(?<![\w-])(?:\(\d{{3}}\)\ ?|\d{{3}}[- ])\d{{3}}-\d{{4}}(?![\w-]))
| (?P<version>(?<![\w.])(?!\d{{1,3}}(?:\.\d{{3}}){{2,5}}(?![\d.]))
    (?:v\d{{1,4}}(?:\.\d{{1,5}}){{0,4}}|\d{{1,5}}(?:\.\d{{1,5}}){{2,4}})(?![\w.]*\d))
| (?<![\w.])(?P<neg>[-−])?(?P<cur>(?:{_any_of(CURRENCIES)}))\ ?(?P<amount>{_NUMBER})
    (?:{_MAGNITUDE.format("mag1")}|(?P<mult>bn|[kKmMB])(?!\w))?
| (?<![\w])(?P<lo>(?:(?<!\d)[-−])?{_NUMBER})(?:\ ?[–—]\ ?|(?<!-\d{{1,9}})-(?=\d))
    (?P<hi>[-−]?{_NUMBER})(?:[\ \u00a0\u202f]?(?P<runit>UNIT_HERE)(?![\w/²³]))?(?!-?\d)
| (?<![\w/])(?P<fn>\d{{1,3}})[/⁄](?P<fd>\d{{1,3}})(?![\w/])
| (?P<tpercent>%(?=\d))(?P<tnum>{_NUMBER})
| (?P<vulgar>\d{{0,6}}[½⅓⅔¼¾⅛])
| (?<![\w.])(?P<decade>(?:1[0-9]|20)?[1-9]0)s(?!\w)
| (?<![\w.])(?P<ord>\d{{1,9}})(?P<suffix>(?:st|nd|rd|th|er|re|ère|e|ème|º|ª)(?!\w)
    |\.(?!\w)(?P<after>\ (?=\p{{Lu}}\p{{Ll}}))?)
| (?P<hash>[#№]\ ?(?=\d))
| (?<![\p{{L}}\d.])(?P<sign>[-−+±~≈]{{0,2}}(?<!\p{{Nd}}\ [-−+]))(?P<num>{_NUMBER})
    (?:{_MAGNITUDE.format("mag2")})?
    (?:[\ \u00a0\u202f]?(?:(?P<cur2>{_any_of(CURRENCIES)})|(?P<unit>UNIT_HERE))(?![\w/²³]))?
| (?P<digits>\d+)
| (?<=(?P<before>\p{{Lu}}\p{{Ll}}{{2,12}})\ )(?P<roman>[IVX]{{1,5}})(?![\w'’.-])
| (?P<math>(?:(?<=[\d\p{{L}})²³])\ ?)[-−+*/×·](?=\ ?[\d(])(?<=\ .|\d.)(?=\ |\d))
| (?P<compare><=|>=|!=|==|[=≠<>≤≥≈±×÷√²³&@−+])
"""

_FRACTIONS = {"½": (1, 2), "⅓": (1, 3), "⅔": (2, 3), "¼": (1, 4), "¾": (3, 4), "⅛": (1, 8)}
_ASCII = {"<=": "≤", ">=": "≥", "!=": "≠", "==": "=", "*": "×", "·": "×", "/": "÷", "-": "−", "~": "≈", "№": "#"}
_AND_SO_ON = frozenset(["etc.", "usw.", "ecc.", "enz.", "itd.", "itp.", "vb."])
"""Abbreviations that often end a sentence, and then share its stop."""
_NUMBERED = frozenset(["No.", "Nr.", "nr.", "nr", "n°", "n.º", "№", "Fig."])
"""Abbreviations only before a number."""
_BOUNDARY = regex.compile(r"(?<=\p{Ll}[.!?] )(?=\p{Lu}\p{Ll})")
_TRAILING = regex.compile(r"[.,;:!?…'’*_]+$")


@lru_cache(maxsize=64)
def _expression(language: str) -> regex.Pattern[str]:
    said = phrases_of(language).abbreviations
    numbered = _any_of({option: "" for option in said if option in _NUMBERED}) or "(?!)"
    others = _any_of({option: "" for option in said if option not in _NUMBERED})
    months = "|".join(sorted(map(regex.escape, words.month_names(language))))
    known = f"(?<![\\w.])(?P<abbreviation>(?:{numbered})(?=\\ ?\\d)|(?:{others})(?![\\w+#]))|" if said else ""
    day = rf"(?<![\w.])(?P<day>\d{{1,2}})(?:\.|\ de)?\ (?P<month>{months})(?:(?:\ de)?\ (?P<dyear>\d{{4}}))?(?!\w)|"
    english = rf"(?<!\w)(?P<emonth>{months})\ (?P<eday>\d{{1,2}})(?![\d\w.:])|" if language == "en" else ""
    return regex.compile(
        known + english + day + _TOKEN.replace("UNIT_HERE", _any_of(units_of(language))), regex.VERBOSE
    )


@lru_cache(maxsize=64)
def _suspicion(language: str) -> regex.Pattern[str]:
    """What a text must have for the long expression to find anything: most sentences of prose have none of it."""
    said = phrases_of(language).abbreviations
    return regex.compile(
        r"\d|[½⅓⅔¼¾⅛=≠<>≤≥≈±×÷√²³&@−+*·#№]|[\p{L}\d]\.\p{L}|://|[IVX]{2}" + (f"|{_any_of(said)}" if said else "")
    )


def spell_out(text: str, language: str) -> str:
    """Say all that is not a word in words of `language`."""
    speller, said, at = _Speller(language, phrases_of(language)), [], 0
    for found in _finds(text, language):
        said += [text[at : found.start()], speller.say(found)]
        at = found.end()
    return "".join(said) + text[at:]


def _finds(text: str, language: str) -> Iterator[regex.Match[str]]:
    """Read only the sentences that look suspicious: the long expression costs 3 µs a character."""
    at = 0
    for end in [*(boundary.start() for boundary in _BOUNDARY.finditer(text)), len(text)]:
        if _suspicion(language).search(text, at, end):
            yield from _expression(language).finditer(text, at, end)
        at = end


class _Speller:
    """Says one find; which one it is, is told by the group that matched."""

    def __init__(self, language: str, phrases: Phrases) -> None:
        self._language, self._phrases = language, phrases
        self._sayers: tuple[tuple[str, Callable[[regex.Match[str]], str]], ...] = (
            ("abbreviation", self._abbreviation),
            ("emonth", lambda found: f"{found['emonth']} {words.ordinal(int(found['eday']), 'en')}"),
            ("day", self._written_date),
            ("url", self._link), ("host", self._link), ("email", self._email), ("y", self._date), ("d1", self._date),
            ("h", self._time),
            ("fh", lambda found: self._clock(int(found["fh"]), int(found["fm"]))),
            ("phone", self._phone), ("version", self._version), ("cur", self._money),
            ("lo", self._range), ("fn", self._fraction), ("vulgar", self._vulgar), ("decade", self._decade),
            ("tpercent", self._percent_before),
            ("ord", self._ordinal), ("hash", lambda _: f"{self._sign('#')} "), ("num", self._number),
            ("digits", lambda found: words.one_by_one(found[0], language)), ("roman", self._roman),
            ("math", lambda found: self._spaced(found[0].strip())), ("compare", lambda found: self._spaced(found[0])),
        )  # fmt: skip

    def say(self, found: regex.Match[str]) -> str:
        groups = found.groupdict()
        for name, sayer in self._sayers:
            if groups.get(name) is not None:
                return sayer(found)
        return found[0]

    def _words(self, number: str | Decimal) -> str:
        value = words.parsed(number, self._language) if isinstance(number, str) else number
        if value is None:  # "3,5" where a comma is no decimal sign: two numbers
            parts = str(number).split(",") if "," in str(number) else regex.findall(r"\d+", str(number))
            return ", ".join(self._words(part) for part in parts if part)
        return words.in_words(value, self._language)

    def _sign(self, sign: str) -> str:
        return self._phrases.signs.get(_ASCII.get(sign, sign), "")

    def _spaced(self, sign: str) -> str:
        return f" {self._sign(sign)} "

    def _abbreviation(self, found: regex.Match[str]) -> str:
        said = self._phrases.abbreviations[found[0]]
        rest = found.string[found.end() : found.end() + 2].strip()
        ends = found[0].endswith(".") and (not rest or (found[0] in _AND_SO_ON and rest[0].isupper()))
        return f"{said}." if ends else said

    def _link(self, found: regex.Match[str]) -> str:
        address = _TRAILING.sub("", found[0])
        host = address.split("://")[-1].split("/")[0].split("?")[0].split("@")[-1].split(":")[0].removeprefix("www.")
        return self._dotted(host) + found[0][len(address) :]

    def _dotted(self, name: str) -> str:
        dot = f" {self._phrases.dot} " if self._phrases.dot else " "
        return dot.join(part for part in regex.sub(r"[^\w.-]", " ", name).replace("_", " ").split(".") if part)

    def _email(self, found: regex.Match[str]) -> str:
        person, _, host = found[0].partition("@")
        return f"{self._dotted(person.replace('+', ' '))} {self._sign('@')} {self._dotted(host)}"

    def _date(self, found: regex.Match[str]) -> str:
        try:
            day = self._day(found)
        except ValueError:  # no such day: a number of three parts
            return " ".join(self._words(part) for part in regex.findall(r"\d+", found[0]))
        said = words.date(day, self._language)
        return f"{said}, {self._clock(int(found['ith']), int(found['itm']))}" if found["ith"] else said

    def _day(self, found: regex.Match[str]) -> datetime.date:
        if found["y"]:
            return datetime.date(int(found["y"]), int(found["mo"]), int(found["d"]))
        first, second = int(found["d1"]), int(found["d2"])
        month_first = self._language == "en" and found["sep"] == "/" and first <= 12
        day, month = (second, first) if month_first else (first, second)
        return datetime.date(int(found["y2"]), month, day)

    def _written_date(self, found: regex.Match[str]) -> str:
        if self._language == "en":
            year = f" {words.year(int(found['dyear']), 'en')}" if found["dyear"] else ""
            return f"{words.ordinal(int(found['day']), 'en')} {found['month']}{year}"
        if self._language in words.CARDINAL_DATES:
            return regex.sub(r"\d+", lambda number: self._words(number[0]), found[0])
        return found[0]

    def _time(self, found: regex.Match[str]) -> str:
        if found["ap"]:
            return self._english_time(found)
        said = self._clock(int(found["h"]), int(found["m"]))
        return f"{said}, {words.with_unit(Decimal(found['s']), 'second', self._language)}" if found["s"] else said

    def _english_time(self, found: regex.Match[str]) -> str:
        minutes = self._minutes(int(found["m"])) if int(found["m"] or 0) else ""
        end = "." if found[0].endswith(".") and found.end() == len(found.string.rstrip()) else ""
        return " ".join(filter(None, [self._words(found["h"]), minutes, f"{found['ap'].lower()} m{end}"]))

    def _clock(self, hour: int, minute: int) -> str:
        if not minute and self._language == "en" and hour > 12:
            return f"{self._words(Decimal(hour))} hundred"
        form = self._phrases.time if minute else self._phrases.hour
        return form.format(h=self._words(Decimal(hour)), m=self._minutes(minute))

    def _minutes(self, minute: int) -> str:
        oh = "oh " if self._language == "en" and minute < 10 else ""
        return oh + self._words(Decimal(minute))

    def _phone(self, found: regex.Match[str]) -> str:
        groups = ", ".join(words.one_by_one(group, self._language) for group in regex.findall(r"\d+", found[0]))
        return f"{self._sign('+')} {groups}".strip() if found[0].startswith("+") else groups

    def _version(self, found: regex.Match[str]) -> str:
        point = f" {'point' if self._language == 'en' else self._phrases.dot or '.'} "
        said = point.join(self._words(part) for part in found[0].removeprefix("v").split("."))
        return f"{self._phrases.version} {said}".strip() if found[0].startswith("v") else said

    def _money(self, found: regex.Match[str]) -> str:
        currency, number = CURRENCIES[found["cur"]], words.parsed(found["amount"], self._language)
        number = number if number is not None else Decimal(found["amount"].replace(",", "."))
        minus = f"{self._sign('−')} " if found["neg"] else ""
        magnitude = found["mag1"] or MULTIPLIERS.get(found["mult"] or "")
        return minus + self._amount(number, currency, magnitude)

    def _amount(self, number: Decimal, currency: str, magnitude: str | None) -> str:
        if magnitude is None:
            return words.money(number, currency, self._language)
        plural = words.currency_name(Decimal(1_000_000), currency, self._language)
        return f"{self._words(number.normalize())} {magnitude} {plural}"

    def _range(self, found: regex.Match[str]) -> str:
        low, high = found["lo"], found["hi"]
        to = f" {self._phrases.range_to} " if self._phrases.range_to else ", "
        said = f"{self._signed(low)}{to}{self._signed(high)}"
        number = words.parsed(high.lstrip("-−"), self._language)
        if found["runit"] and number is not None:
            return words.with_unit(number, units_of(self._language)[found["runit"]], self._language, said=said)
        return said

    def _signed(self, number: str) -> str:
        minus = f"{self._sign('−')} " if number[0] in "-−" else ""
        return minus + self._plain(number.lstrip("-−"))

    def _plain(self, number: str) -> str:
        """A number without a unit: perhaps a year, perhaps a code with leading zeros."""
        if number.isdecimal() and number[0] == "0" and len(number) > 1:
            return words.one_by_one(number, self._language)
        if number.isdecimal() and len(number) == 4 and 1900 <= int(number) < 2100:
            return words.year(int(number), self._language)
        return self._words(number)

    def _fraction(self, found: regex.Match[str]) -> str:
        return self._parts(int(found["fn"]), int(found["fd"]))

    def _vulgar(self, found: regex.Match[str]) -> str:
        whole, sign = found[0][:-1], found[0][-1]
        parts = self._parts(*_FRACTIONS[sign])
        return f"{self._words(whole)} {self._sign('&')} {parts}" if whole else parts

    def _parts(self, above: int, below: int) -> str:
        if above > below:  # "24/7"
            return f"{self._words(Decimal(above))} {self._words(Decimal(below))}"
        if self._language != "en" or not 1 < below <= 10 or above == below:
            return f"{self._words(Decimal(above))} {self._sign('÷')} {self._words(Decimal(below))}"
        name = {2: "half", 4: "quarter"}.get(below) or words.ordinal(below, "en")
        return f"{self._words(Decimal(above))} {name}{'s' if above > 1 else ''}"

    def _decade(self, found: regex.Match[str]) -> str:
        if self._language != "en":
            return words.with_unit(Decimal(found["decade"]), "second", self._language)
        said = words.year(int(found["decade"]), "en")
        return f"{said[:-1]}ies" if said.endswith("y") else f"{said}s"

    def _ordinal(self, found: regex.Match[str]) -> str:
        number, suffix = int(found["ord"]), found["suffix"]
        english = suffix in ("st", "nd", "rd", "th")
        if suffix.startswith("."):
            ordinal = found["after"] and self._language in ORDINAL_DOT_LANGUAGES and len(found["ord"]) <= 2
            return found[0] if ordinal else f"{self._plain(found['ord'])}.{found['after'] or ''}"
        if suffix == "ª" and self._language in ("es", "it", "pt"):
            return regex.sub("o$", "a", words.ordinal(number, self._language))
        if english is (self._language == "en") and self._language in words.SPELLED:
            return words.ordinal(number, self._language)
        return f"{self._words(found['ord'])} {suffix}"

    def _number(self, found: regex.Match[str]) -> str:
        sign = " ".join(filter(None, (self._sign(sign) for sign in found["sign"].replace("-", "−"))))
        return f"{sign} {self._quantity(found)}".strip()

    def _quantity(self, found: regex.Match[str]) -> str:
        number, magnitude = words.parsed(found["num"], self._language), found["mag2"]
        if number is None:
            unit = found["unit"] or found["cur2"] or ""
            return f"{self._words(found['num'])} {unit}".strip()
        if found["cur2"]:
            return self._amount(number, CURRENCIES[found["cur2"]], magnitude)
        if found["unit"]:
            return words.with_unit(number, units_of(self._language)[found["unit"]], self._language)
        return f"{self._words(number)} {magnitude}" if magnitude else self._plain(found["num"])

    def _percent_before(self, found: regex.Match[str]) -> str:
        number = words.parsed(found["tnum"], self._language)
        return self._words(found["tnum"]) if number is None else words.with_unit(number, "percent", self._language)

    def _roman(self, found: regex.Match[str]) -> str:
        number = NUMERALS.get(found["roman"])
        if number is None or self._language != "en" or (len(found["roman"]) == 1 and found["before"] not in REGNAL):
            return found[0]
        if found["before"] in REGNAL:
            return f"the {words.ordinal(number, 'en')}"
        return self._words(Decimal(number))
