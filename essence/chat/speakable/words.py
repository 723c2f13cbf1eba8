"""Numbers in words: num2words for the words, CLDR (Babel) for separators, units, money and dates."""

from __future__ import annotations

import datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache

import regex
from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import format_decimal, get_currency_name
from babel.units import format_compound_unit, format_unit
from num2words import num2words

SPELLED = frozenset(["cs", "da", "de", "en", "es", "fi", "fr", "it", "nl", "no", "pl", "pt", "ru", "sv", "tr", "uk"])
"""Languages whose num2words were read and found right. Of the others the digits stay: a voice reads its own."""
CARDINAL_DATES = frozenset(["en", "es", "fr", "it", "nl", "pt", "tr"])
"""Languages that read the day of a date as it is counted; the others decline it, which is left to the voice."""
_MINOR_UNITS = {
    "EUR": frozenset(["de", "en", "es", "fi", "fr", "it", "nl", "pl", "pt", "ru", "uk"]),
    "USD": frozenset(["de", "en", "es", "fi", "fr", "it", "nl", "pl", "pt", "ru", "uk"]),
    "GBP": frozenset(["de", "en", "es", "fi", "fr", "it", "nl", "uk"]),
}
"""By currency, the languages in which num2words knows the hundredth part."""
_LONGEST_SPELLED = 15
_NUM2WORDS_FAILURES = (NotImplementedError, ValueError, TypeError, KeyError, IndexError, OverflowError, AttributeError)


@lru_cache(maxsize=64)
def locale_of(language: str) -> Locale:
    """CLDR's locale of an ISO 639-1 code; English where CLDR has none."""
    try:
        return Locale.parse(language)
    except (UnknownLocaleError, ValueError, TypeError):
        return Locale.parse("en")


@lru_cache(maxsize=64)
def separators_of(language: str) -> tuple[str, str]:
    """The decimal and the grouping sign of a language."""
    symbols = locale_of(language).number_symbols["latn"]
    return symbols["decimal"], symbols["group"]


_GROUPED = regex.compile(r"\d{1,3}(?:([.,\u00a0\u202f'’ ])\d{3})(?:\1\d{3})*(?:([.,])\d+)?")


def parsed(number: str, language: str) -> Decimal | None:
    """Read "1,299.50", "1.299,50" or "1 299,50"; where it could be either, as the language writes it.

    None where it is no number in this language, such as "3,5" in English, which is a list, or "1.2.3" in any.
    """
    decimal, _ = separators_of(language)
    grouped = _GROUPED.fullmatch(number)
    if grouped and (grouped[1] != decimal or (grouped[2] not in (None, decimal))):
        whole, fraction = number.rsplit(grouped[2], 1) if grouped[2] else (number, "0")
        return (
            Decimal("".join(filter(str.isdecimal, whole)) + "." + fraction).normalize()
            if grouped[2]
            else Decimal("".join(filter(str.isdecimal, whole)))
        )
    if "," in number and decimal != ",":
        return None
    try:
        return Decimal(number.replace(",", "."))
    except InvalidOperation:  # "299.003.14": several points
        return None


@lru_cache(maxsize=4096)
def in_words(number: Decimal, language: str) -> str:
    """A number of any sign in words; in digits where the language's words are not known."""
    if number < 0 or (language == "tr" and number != number.to_integral_value()):  # num2words: pl fails, tr adds a zero
        return in_digits(number, language)
    if language not in SPELLED or len(number.as_tuple().digits) > _LONGEST_SPELLED:
        return in_digits(number, language)
    try:
        plain = int(number) if number == number.to_integral_value() and number.as_tuple().exponent == 0 else number
        return str(num2words(plain, lang=language)).replace(" ,", ",").replace(" punto ", " coma ")
    except _NUM2WORDS_FAILURES:  # what num2words raises for a number that a language's rules don't reach
        return in_digits(number, language)


def in_digits(number: Decimal, language: str) -> str:
    """A number in digits, without grouping and with the language's own decimal sign."""
    return f"{number:f}".replace(".", separators_of(language)[0])


@lru_cache(maxsize=1024)
def ordinal(number: int, language: str) -> str:
    """Give "twenty-second", in the language's first form; digits where it has none."""
    try:
        return str(num2words(number, lang=language, to="ordinal")) if language in SPELLED else str(number)
    except _NUM2WORDS_FAILURES:  # as above
        return str(number)


@lru_cache(maxsize=1024)
def year(number: int, language: str) -> str:
    """A year as it is said: "nineteen ninety-nine"."""
    if language != "en":
        return in_words(Decimal(number), language)
    return str(num2words(number, lang="en", to="year"))


def one_by_one(digits: str, language: str) -> str:
    """Each digit for itself, as in a phone number."""
    return " ".join(in_words(Decimal(digit), language) for digit in digits if digit.isdecimal())


_PERCENT = {"zh": "百分之{}", "tr": "yüzde {}"}
"""Where CLDR has no words, or not in the order in which they are said."""


@lru_cache(maxsize=1024)
def _unit_pattern(number: Decimal, unit: str, language: str) -> str:
    # CLDR chooses the plural by the number; the number itself is then said in words.
    if unit == "percent" and language in _PERCENT:
        return _PERCENT[language]
    locale = locale_of(language)
    value = float(number)
    if "/" in unit:
        numerator, denominator = unit.split("/")
        text = format_compound_unit(value, numerator, denominator_unit=denominator, length="long", locale=locale) or ""
    else:
        text = format_unit(value, unit, length="long", locale=locale)
    return text.replace(format_decimal(value, locale=locale), "{}", 1)


def short_unit(unit: str, language: str) -> str:
    """How the language itself abbreviates a unit, without a number."""
    text = format_unit(5, unit, length="short", locale=locale_of(language))
    return regex.sub(r"^\D{0,3}5\s?|^\D.*", "", text).strip()


def with_unit(number: Decimal, unit: str, language: str, *, said: str | None = None) -> str:
    """A quantity: "five kilometers per hour". `said`: other words in the number's place, such as a range."""
    return _unit_pattern(number, unit, language).replace("{}", said or in_words(number, language))


_FOREIGN_PREFIX = regex.compile(r"^US[ -]|(?<=pounds?) sterling$")


def currency_name(number: Decimal, currency: str, language: str) -> str:
    """Give "dollars", in the number's plural."""
    name = get_currency_name(currency, count=float(number), locale=locale_of(language))
    return _FOREIGN_PREFIX.sub("", name) if language == "en" else name


def money(number: Decimal, currency: str, language: str) -> str:
    """Say "three dollars and fifty cents" where num2words knows the language's cents, else "3.5 dollars"."""
    cents = number * 100 % 100
    if language in _MINOR_UNITS.get(currency, ()) and cents and cents == cents.to_integral_value() and number < 10**9:
        return _with_cents(number, currency, language)
    number = number.quantize(Decimal(1)) if not cents else number
    return f"{in_words(number, language)} {currency_name(number, currency, language)}"


_AND = {"en": "and", "de": "und", "fr": "et", "es": "con", "it": "e", "pt": "e", "nl": "en"}


def _with_cents(number: Decimal, currency: str, language: str) -> str:
    said = str(num2words(float(number), lang=language, to="currency", currency=currency, separator="|"))
    whole, _, hundredths = said.partition("|")
    if number < 1:
        return hundredths.strip()
    return " ".join(filter(None, [whole.replace(" sterling", "").strip(), _AND.get(language), hundredths.strip()]))


def date(day: datetime.date, language: str) -> str:
    """Say "November twenty-second, twenty twenty-six"; in languages that decline the day, with its digits."""
    if language == "en":
        return f"{day:%B} {ordinal(day.day, 'en')}, {year(day.year, 'en')}"
    text = format_date(day, format="long", locale=locale_of(language))
    if language in CARDINAL_DATES:
        return regex.sub(r"\d+", lambda number: in_words(Decimal(number[0]), language), text)
    return text


@lru_cache(maxsize=64)
def month_names(language: str) -> frozenset[str]:
    """The months as they stand in a date."""
    return frozenset(locale_of(language).months["format"]["wide"].values())
