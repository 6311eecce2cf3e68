"""Numbers with units in English text: found, named and converted.

Covered: decimal points, thousands commas (`1,402` is 1402), decimal commas (`12,5` is 12.5; three digits after the
comma read as thousands), exponents, the unicode minus, two..twelve in words, a closed list of units and their quotients
(`mg/dL`). Conversion is pint's; `HU` is a dimension of its own. Not covered: fractions, dates, Roman numerals.
"""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

_UNITS = """
millimeter: mm, millimetre(s), millimeter(s) | centimeter: cm, centimetre(s), centimeter(s)
meter: m, metre(s), meter(s)
micrometer: µm, um, micrometre(s), micrometer(s), micron(s) | inch: inch, inches
millimeter**2: mm2, mm², mm^2, square millimetre(s), square millimeter(s), sq mm
centimeter**2: cm2, cm², cm^2, square centimetre(s), square centimeter(s), sq cm
milliliter: ml, mL, millilitre(s), milliliter(s), cc | liter: l, L, litre(s), liter(s) | deciliter: dl, dL
millimeter**3: mm3, mm³, mm^3, cubic millimetre(s), cubic millimeter(s)
centimeter**3: cm3, cm³, cm^3, cubic centimetre(s), cubic centimeter(s)
microliter: µl, µL, ul, uL | kilogram: kg, kilogram(s) | gram: g, gram(s) | milligram: mg, milligram(s)
microgram: µg, ug, mcg, microgram(s) | mole: mol | millimole: mmol | micromole: µmol, umol
second: s, sec, second(s) | millisecond: ms, msec, millisecond(s) | minute: min, mins, minute(s) | hour: h, hour(s)
day: day(s) | week: week(s) | month: month(s) | year: year(s), yr, yrs, year-old, years-old, year old, years old
tesla: T, tesla | kilovolt: kV, kVp, kilovolt(s) | milliampere: mA | percent: %, percent, per cent | millitesla: mT
degree: °, degree(s), deg | kilopascal: kPa
HU: HU, H.U., hounsfield unit(s), hounsfield | mmHg: mmHg, mm Hg, millimetres of mercury, millimeters of mercury
hertz: Hz | megahertz: MHz | bpm: bpm
"""
_CASED = frozenset(
    {"T", "mT", "L", "HU", "mA", "Hz", "MHz", "s", "g", "m", "h", "l", "°", "%"}
)  # too short to match any case
_NUMBER = re.compile(
    r"(?:(?<![\w.])|(?<=\dx))(?<![A-Za-z][-–])(?P<sign>[-+−]?)"
    r"(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)?|\.\d+)(?P<exp>[eE][+-]?\d+)?"
)
_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
WORD_NUMBERS: Mapping[str, int] = MappingProxyType({word: n for n, word in enumerate(_WORDS)})
_WORD_NUMBER = re.compile(rf"\b({'|'.join(WORD_NUMBERS)})\b(?!-dimensional)", re.IGNORECASE)
_RANGE_JOIN = re.compile(r"\s*(?:x|×|by|to|and|or|-|–)\s*\Z")


class Quantity(NamedTuple):
    """A number met in a text: `unit` is a pint unit or ""; `decimals` is how many places were printed."""

    value: float
    unit: str
    decimals: int
    token: str
    start: int
    end: int


@functools.cache
def _unit_forms() -> Mapping[str, str]:
    forms: dict[str, str] = {}
    for entry in re.split(r"[|\n]", _UNITS.strip()):
        name, aliases = entry.split(":", 1)
        forms[name.strip()] = name.strip()
        for alias in (a.strip() for a in aliases.split(",")):
            singular = alias.removesuffix("(s)")
            forms[singular] = name.strip()
            if alias != singular:
                forms[singular + "s"] = name.strip()
    return MappingProxyType(forms)


@functools.cache
def _unit_pattern() -> re.Pattern[str]:
    """A unit at the start of what follows a number, or two joined by a slash (`mg/dL`); nothing may run on after it."""
    longest_first = sorted(_unit_forms(), key=lambda form: (-len(form), form))
    one = "|".join(_form_pattern(form) for form in longest_first)
    return re.compile(rf"[\s-]?\s*((?:{one})(?:(?:/|\sper\s)(?:{one}))?)(?![\w²³^/])")


def _form_pattern(form: str) -> str:
    """A long form in any case; a short one as it is, all in capitals (`MM`) or as `Kg`: `mM` is no millimetre."""
    if form in _CASED or form[0].isupper():
        return re.escape(form)
    if len(form) > 2 or not form.isalpha():
        return f"(?i:{re.escape(form)})"
    return "|".join(re.escape(f) for f in dict.fromkeys((form, form.upper(), "Kg" if form == "kg" else form)))


@functools.cache
def _lowered_unit_forms() -> Mapping[str, str]:
    return MappingProxyType({form.lower(): name for form, name in _unit_forms().items() if form not in _CASED})


def unit_name(text: str) -> str:
    """The pint unit of a written one (`mL` -> `milliliter`, `mg/dL` -> `milligram/deciliter`), or "" if not known."""
    forms, lowered = _unit_forms(), _lowered_unit_forms()
    names = [forms.get(part, lowered.get(part.lower(), "")) for part in re.split(r"/|\sper\s", text.strip())]
    return "/".join(names) if all(names) else ""


_REGISTRY_LOCK = threading.Lock()  # pint's registry fills caches as it is used; conversions are cached, so this is rare


@functools.cache
def _registry() -> Any:
    import pint

    registry: pint.UnitRegistry[float] = pint.UnitRegistry(cache_folder=None)
    registry.define("hounsfield_unit = [radiodensity] = HU")
    registry.define("beats_per_minute = 1 / minute = bpm") if "bpm" not in registry else None
    return registry


@functools.lru_cache(maxsize=1024)
def unit_factor(source: str, target: str) -> float | None:
    """How many `target` units are one `source` unit; None where dimensions differ or a unit is not known."""
    import pint

    if source == target:
        return 1.0
    if not source or not target or (source == "degree") is not (target == "degree"):  # pint: an angle has no dimension
        return None
    with _REGISTRY_LOCK:
        try:
            return float(_registry().Quantity(1.0, source).to(target).magnitude)
        except (pint.PintError, AttributeError, ValueError, TypeError):
            return None


def _number(match: re.Match[str]) -> tuple[float, int]:
    digits = match["digits"]
    digits = digits.replace(",", "") if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", digits) else digits.replace(",", ".")
    value = float(digits + (match["exp"] or ""))
    decimals = len(digits.partition(".")[2]) - int((match["exp"] or "e0")[1:])
    return (-value if match["sign"] in ("-", "−") else value), decimals


def quantities(text: str, words: int | None = 2) -> list[Quantity]:
    """The numbers of a text with their units, in order.

    `words` is the smallest number read when written out ("two lesions"); None reads digits only. Left out: digits of a
    code (`L1`, `J18.9`, `COVID-19`, `3D`) and ordinals. In `10 x 12 mm` and `3 to 5 mm` the unit holds for both.
    """
    found: list[Quantity] = []
    for match in _NUMBER.finditer(text):
        if found and match.start() < found[-1].end:  # the 3 of cm^3
            continue
        unit = _unit_pattern().match(text, match.end())
        if unit or not re.match(r"(?!x\s?\d)[A-Za-z]", text[match.end() : match.end() + 3]):
            value, decimals = _number(match)
            found.append(_quantity(text, match, unit, value, decimals))
    for match in _WORD_NUMBER.finditer(text) if words is not None else ():
        value = float(WORD_NUMBERS[match[1].lower()])
        if value >= (words or 0):
            found.append(_quantity(text, match, _unit_pattern().match(text, match.end()), value, 0))
    return _share_units(text, sorted(found, key=lambda q: q.start))


def _quantity(text: str, match: re.Match[str], unit: re.Match[str] | None, value: float, decimals: int) -> Quantity:
    end = unit.end() if unit else match.end()
    return Quantity(value, unit_name(unit[1]) if unit else "", decimals, text[match.start() : end], match.start(), end)


def _share_units(text: str, found: list[Quantity]) -> list[Quantity]:
    for i in range(len(found) - 2, -1, -1):
        here, following = found[i], found[i + 1]
        if not here.unit and following.unit and _RANGE_JOIN.fullmatch(text[here.end : following.start]):
            found[i] = here._replace(unit=following.unit)
    return found
