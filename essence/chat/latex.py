"""Where formulas are in a model's Markdown, and the signs that their commands stand for."""

from __future__ import annotations

import regex

SIGNS = {
    "times": "×", "cdot": "×", "div": "÷", "pm": "±", "leq": "≤", "le": "≤", "geq": "≥", "ge": "≥", "neq": "≠",
    "ne": "≠", "approx": "≈", "sim": "≈", "sqrt": "√", "to": "→", "infty": "∞", "pi": "π", "alpha": "α", "beta": "β",
    "gamma": "γ", "delta": "δ", "theta": "θ", "lambda": "λ", "mu": "μ", "sigma": "σ", "omega": "ω", "Delta": "Δ",
    "degree": "°", "circ": "°", "%": "%", "lt": "<", "gt": ">",
}  # fmt: skip
# Lengths are bounded so that a bracket that is never closed costs no more than its own neighbourhood.
FORMULA = regex.compile(
    r"\\\((?P<a>(?:[^\n\\]|\\(?![()])){1,300}+)\\\)|\\\[(?P<b>(?:[^\\]|\\(?![\[\]])){1,600}+)\\\]|\$\$(?P<c>[^$]{1,600})\$\$"
    r"|(?<![\w$])\$(?=[^\s\d$]|\d[^$\n]{0,80}[\\^=_+])(?P<d>[^$\n]{1,200})(?<!\s)\$(?!\d)"
)
FRACTION = regex.compile(r"\\[dt]?frac\{([^{}]{1,80})\}\{([^{}]{1,80})\}")
COMMAND = regex.compile(r"\\([A-Za-z]{1,20}|%)")
POWER = regex.compile(r"\^\{?([23])\}?(?!\d)")


def formula_of(found: regex.Match[str]) -> str:
    """Give what stands between the delimiters that `FORMULA` found."""
    return next(group for group in found.groups() if group is not None)
