"""How people write units and currencies, and what CLDR calls them."""

from __future__ import annotations

from functools import lru_cache

from essence.chat.speakable import words

UNITS = {
    "km/h": "kilometer-per-hour", "kph": "kilometer-per-hour", "mph": "mile-per-hour", "m/s": "meter-per-second",
    "km": "kilometer", "m": "meter", "cm": "centimeter", "mm": "millimeter", "µm": "micrometer", "nm": "nanometer",
    "mi": "mile", "ft": "foot", "yd": "yard", "km²": "square-kilometer", "m²": "square-meter", "ft²": "square-foot",
    "cm²": "square-centimeter", "m2": "square-meter", "km2": "square-kilometer", "m³": "cubic-meter",
    "cm³": "cubic-centimeter", "m3": "cubic-meter", "kg": "kilogram", "g": "gram", "mg": "milligram",
    "µg": "microgram", "lb": "pound", "lbs": "pound", "oz": "ounce", "l": "liter", "L": "liter", "ml": "milliliter",
    "mL": "milliliter", "h": "hour", "hrs": "hour", "min": "minute", "mins": "minute", "s": "second", "sec": "second",
    "ms": "millisecond", "µs": "microsecond", "ns": "nanosecond", "bit": "bit", "kB": "kilobyte", "KB": "kilobyte",
    "MB": "megabyte", "GB": "gigabyte", "TB": "terabyte", "kB/s": "kilobyte/second", "MB/s": "megabyte/second",
    "GB/s": "gigabyte/second", "kbit/s": "kilobit/second", "Mbit/s": "megabit/second", "Gbit/s": "gigabit/second",
    "Mbps": "megabit/second", "Gbps": "gigabit/second", "Hz": "hertz", "kHz": "kilohertz", "MHz": "megahertz",
    "GHz": "gigahertz", "W": "watt", "kW": "kilowatt", "MW": "megawatt", "GW": "gigawatt", "kWh": "kilowatt-hour",
    "V": "volt", "mA": "milliampere", "Ω": "ohm", "hPa": "hectopascal", "kPa": "kilopascal", "MPa": "megapascal",
    "mbar": "millibar", "kJ": "kilojoule", "kcal": "kilocalorie", "N": "newton", "px": "pixel", "°C": "celsius",
    "° C": "celsius", "ºC": "celsius", "℃": "celsius", "°F": "fahrenheit", "° F": "fahrenheit", "℉": "fahrenheit",
    "°": "degree", "%": "percent", "‰": "permille",
}  # fmt: skip
"""How people write a unit → what CLDR calls it; with a slash, two units, the second being "per"."""
CURRENCIES = {
    "$": "USD", "US$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "₽": "RUB", "₴": "UAH", "₺": "TRY",
    "zł": "PLN", "₩": "KRW", "Kč": "CZK", "A$": "AUD", "C$": "CAD", "CHF": "CHF", "USD": "USD", "EUR": "EUR",
    "GBP": "GBP", "PLN": "PLN", "JPY": "JPY", "円": "JPY", "元": "CNY",
}  # fmt: skip


@lru_cache(maxsize=64)
def units_of(language: str) -> dict[str, str]:
    """`UNITS` and the language's own short forms of them ("км/ч"), which CLDR has."""
    own = {words.short_unit(unit, language): unit for unit in UNITS.values() if "/" not in unit}
    return {**{short: unit for short, unit in own.items() if short}, **UNITS}
