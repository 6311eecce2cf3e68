"""Rules for amounts: numbers with units, several numbers, ranges, angles, intervals of dates and times in a clip."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator

from manifests.sample import Answer
from tests.synth.gold.base import FACTS, Case, Cores, Pair, pairs_of

# (unit as written, how many of it are one of the gold's)
EQUAL: dict[str, tuple[tuple[str, float], ...]] = {
    "mL": (("mL", 1), ("ml", 1), ("cc", 1), ("cm³", 1), ("cm^3", 1), ("cm3", 1), ("millilitres", 1), ("milliliters", 1),
           ("cubic centimetres", 1), ("L", 1e-3), ("litres", 1e-3), ("mm³", 1e3), ("mm3", 1e3), ("µL", 1e3)),
    "mg": (("mg", 1), ("milligrams", 1), ("g", 1e-3), ("grams", 1e-3), ("µg", 1e3), ("mcg", 1e3), ("MG", 1)),
    "mm": (("mm", 1), ("millimetres", 1), ("millimeters", 1), ("cm", 0.1), ("centimetres", 0.1), ("m", 1e-3),
           ("µm", 1e3), ("MM", 1)),
    "cm": (("cm", 1), ("centimeters", 1), ("mm", 10), ("millimetres", 10), ("m", 0.01), ("CM", 1)),
    "mg/dL": (("mg/dL", 1), ("mg/dl", 1), ("mg/L", 10), ("g/L", 0.01), ("mg per dL", 1)),
    "mmHg": (("mmHg", 1), ("mm Hg", 1), ("kPa", 0.1333224), ("millimetres of mercury", 1)),
    "HU": (("HU", 1), ("Hounsfield units", 1), ("hounsfield units", 1), ("H.U.", 1)),
    "kg": (("kg", 1), ("kilograms", 1), ("g", 1e3), ("KG", 1), ("Kg", 1)),
    "years": (("years", 1), ("yrs", 1), ("year", 1), ("months", 12)),
    "days": (("days", 1), ("hours", 24), ("day", 1)),
    "hours": (("hours", 1), ("h", 1), ("min", 60), ("minutes", 60)),
}  # fmt: skip
TRAPS: dict[str, tuple[str, ...]] = {
    "mL": ("L", "mm", "mg", "µL", "dL", "cm²", "mm³", "m³", "mL/min", "gallons", "mmol", "m", "%"),
    "mg": ("g", "kg", "µg", "mcg", "mL", "mg/kg", "mmol", "IU", "mg/dL", "mEq", "ng", "grams", "micrograms", "mg/day",
           "mGy", "oz", "mg per kg"),
    "mm": ("cm", "m", "µm", "mL", "mm²", "mm³", "mM", "km", "inches", "in", "nm", "ms", "mmol", "mmHg", "mm per year",
           "square millimetres", "pixels", "feet", "voxels", "slices"),
    "cm": ("mm", "m", "cm²", "cm³", "inches", "cc", "dm", "cm/s", "cm per second", "cmH2O", "centigrams"),
    "mg/dL": ("g/dL", "mg/L", "mmol/L", "µg/dL", "mg", "mg/kg", "mg/mL", "dL", "ng/dL", "mg/dL/h"),
    "mmHg": ("cmH2O", "kPa", "mm", "Pa", "bpm", "cmHg", "bar"),
    "HU": ("mL", "mm", "%", "Gy", "HU²", "kV"),
    "kg": ("g", "mg", "lb", "pounds", "kg/m²", "stone", "tonnes", "kPa", "kg/day"),
    "years": ("months", "days", "weeks", "hours", "decades", "minutes"),
    "days": ("weeks", "hours", "months", "years", "minutes"),
    "hours": ("minutes", "s", "days", "ms", "weeks", "seconds"),
}  # fmt: skip


def shown(value: float) -> str:
    return f"{value:.6g}" if abs(value) < 1e6 else f"{value:.0f}"


def _wide(text: str) -> str:
    return "".join(chr(ord(ch) + 0xFEE0) if ch.isdigit() else ch for ch in text)


def _forms(value: float, unit: str) -> list[tuple[str, str]]:
    """Ways of writing one value in its own unit."""
    v = shown(value)
    found = [
        ("number_and_unit", f"{v} {unit}"),
        ("glued", f"{v}{unit}"),
        ("approximately", f"approximately {v} {unit}"),
        ("about", f"about {v} {unit}"),
        ("tilde", f"~{v} {unit}"),
        ("roughly_equal", f"≈ {v} {unit}"),
        ("full_width", f"{_wide(v)} {unit}"),
        ("no_break", f"{v}\u00a0{unit}"),
        ("no_unit", v),
        ("latex", f"{v}\\,\\text{{{unit}}}"),
        ("latex_rm", f"{v}~\\mathrm{{{unit}}}"),
        ("measures", f"It measures {v} {unit}"),
        ("in_total", f"{v} {unit} in total"),
        ("scientific", f"{value / 10 ** (e := math.floor(math.log10(abs(value)))):.6g}e{e} {unit}"),
        ("trailing_zero", f"{v}0 {unit}" if "." in v else f"{v}.0 {unit}"),
        ("times_ten", f"{value / 10 ** (e := math.floor(math.log10(abs(value)))):.6g} × 10^{e} {unit}"),
    ]
    if "." in v and len(v.partition(".")[2]) != 3:
        found.append(("comma", f"{v.replace('.', ',')} {unit}"))
    if abs(value) >= 1000:
        found += [("thousands", f"{value:,.2f} {unit}"), ("thin_space", f"{value:,.2f} {unit}".replace(",", "\u202f"))]
    if value < 0:
        found += [("unicode_minus", f"−{v[1:]} {unit}"), ("minus_word", f"minus {v[1:]} {unit}")]
    return found


def _misread(value: float, unit: str, tolerance: float) -> list[tuple[str, str]]:
    """Ways of stating another value, or none at all."""
    v, far = shown(value), shown(value * (1 + 3 * tolerance) + 0.5)
    return [
        ("times_10", f"{shown(value * 10)} {unit}"),
        ("tenth", f"{shown(value / 10)} {unit}"),
        ("double", f"{shown(value * 2)} {unit}"),
        ("just_outside", f"{shown(value * (1 + 1.6 * tolerance))} {unit}"),
        ("just_below", f"{shown(value * (1 - 1.6 * tolerance))} {unit}"),
        ("sign", f"{shown(-value)} {unit}"),
        ("more_than", f"more than {v} {unit}"),
        ("less_than", f"less than {v} {unit}"),
        ("at_least", f"at least {v} {unit}"),
        ("at_most", f"at most {v} {unit}"),
        ("up_to", f"up to {v} {unit}"),
        ("sign_greater", f"> {v} {unit}"),
        ("sign_at_most", f"≤{v} {unit}"),
        ("or_more", f"{v} {unit} or more"),
        ("range_around", f"{shown(value * 0.5)}-{shown(value * 1.5)} {unit}"),
        ("range_from", f"{v} to {far} {unit}"),
        ("between", f"between {v} and {far} {unit}"),
        ("two_values", f"{v} {unit} or {far} {unit}"),
        ("list", f"{v}, {far} {unit}"),
        ("half_of", f"half of {v} {unit}"),
        ("twice", f"twice {v} {unit}"),
        ("thousand", f"{v} thousand {unit}"),
        ("fraction", f"{v}/2 {unit}"),
        ("sum", f"{v} + 1 {unit}"),
        ("power", f"{v}^2 {unit}"),
        ("plus_minus", f"{v} ± {shown(abs(value) * 0.5)} {unit}"),
        ("no_number", f"some {unit}"),
        ("not_value", f"not {v} {unit}"),
        ("never", f"never {v} {unit}"),
        ("exceeds", f"It exceeds {v} {unit}"),
        ("short_of", f"almost half of it, {far} {unit}"),
        ("per_something", f"{v} {unit} per slice"),
    ]


def _number_facts() -> Iterator[tuple[float, str, float]]:
    for name, ml in list(FACTS["volumes"].items())[::2]:
        yield ml, "mL", 0.05 if len(name) % 2 else 0.02
    for hu in list(FACTS["hu"].values())[::3]:
        if abs(hu) >= 5:
            yield hu, "HU", 0.05
    for unit in ("mm", "cm", "mg", "mg/dL", "mmHg", "kg", "years", "hours"):
        for value in FACTS["quantities"].get(unit, [])[:8]:
            yield float(value), unit, 0.02


def number_cases() -> Iterator[Case]:
    for at, (value, unit, tolerance) in enumerate(_number_facts()):
        right, wrong = _forms(value, unit), _misread(value, unit, tolerance)
        equal = [(f"unit_{u}", f"{shown(value * f)} {u}") for u, f in EQUAL[unit]]
        both = ("both_units", f"{shown(value)} {unit} ({shown(value * EQUAL[unit][-1][1])} {EQUAL[unit][-1][0]})")
        near = ("within", f"{shown(value * (1 + 0.6 * tolerance))} {unit}")
        traps = [(f"unit_trap_{k % 6}", f"{shown(value)} {u}") for k, u in enumerate(TRAPS[unit])]
        every = [*right[1:], *equal, both, near]
        yield Case(
            Answer("number", shown(value), "number", unit, tolerance),
            (right[0], *every[at % 4 :: 4]),
            (*wrong[at % 5 :: 5], *traps),
            f"{shown(value * 1.7 + 3)} {unit}",
        )


def count_cases() -> Iterator[Case]:
    words = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    for n in range(1, 11):
        right: Cores = (("count", str(n)), ("count_word", words[n]), ("count_noun", f"There are {words[n]} lesions"),
                 ("count_float", f"{n}.0"), ("count_of", f"{n} separate parts"),
                 ("count_upper", words[n].upper()))  # fmt: skip
        wrong: Cores = (("count_off", str(n + 1)), ("count_unit", f"{n} mm"), ("count_trap", f"{n} mg"),
        ("count_ratio", f"{n}/{n}"),
                 ("count_at_least", f"at least {n}"), ("count_word_off", words[n - 1]), ("count_none", "several"),
                 ("count_code", f"L{n}"), ("count_percent", f"{n} %"), ("count_dozen", f"{n} dozen"),
                 ("count_repeat", f"{n} {n} {n} {n}"), ("count_all", "1 2 3 4 5 6 7 8 9 10"))  # fmt: skip
        yield Case(Answer("number", str(n), "number"), right, wrong, str(n + 2))


def numbers_cases() -> Iterator[Case]:
    names = list(FACTS["boxes"])
    for name in names[::2]:
        x0, y0, z0, x1, y1, z1 = FACTS["boxes"][name]
        a, b, c = (x1 - x0) * 1.5, (y1 - y0) * 1.5, (z1 - z0) * 1.5
        golds = [shown(v) for v in ((a, b) if len(name) % 2 else (a, b, c))]
        up = [shown(float(v) / 10) for v in golds]
        turned = golds[::-1] if golds[::-1] != golds else [*golds[1:], shown(float(golds[0]) * 3)]
        apart = all(abs(float(g) / float(t) - 1) > 0.1 for g, t in zip(golds, turned, strict=True) if g != t)
        turned = turned if apart else [shown(float(g) * 2) for g in golds]
        right: Cores = (
            ("times", " x ".join(golds) + " mm"),
            ("sign", " × ".join(golds) + " mm"),
            ("cm", " x ".join(up) + " cm"),
            ("each_unit", " mm x ".join(golds) + " mm"),
            ("by", " by ".join(golds) + " mm"),
            ("no_unit", " x ".join(golds)),
            ("latex", " \\times ".join(golds) + "\\,\\text{mm}"),
            ("bracket", "[" + ", ".join(golds) + "]"),
            ("sentence", f"It measures {' x '.join(golds)} mm"),
            ("commas", ", ".join(golds) + " mm"),
            ("glued", "x".join(golds) + " mm"),
        )
        wrong: Cores = (
            ("turned", " x ".join(turned) + " mm"),
            ("unit_trap_cm", " x ".join(golds) + " cm"),
            ("unit_trap_mL", " x ".join(golds) + " mL"),
            ("unit_trap_one", f"{golds[0]} cm x " + " x ".join(golds[1:]) + " mm"),
            ("too_few", golds[0] + " mm"),
            ("too_many", " x ".join([*golds, golds[0]]) + " mm"),
            ("off", " x ".join([shown(float(golds[0]) * 1.3), *golds[1:]]) + " mm"),
            ("bound", "more than " + " x ".join(golds) + " mm"),
            ("denied", "not " + " x ".join(golds) + " mm"),
            ("squared", " x ".join(golds) + " mm²"),
            ("unit_trap_px", " x ".join(golds) + " pixels"),
            ("negative", " x ".join(f"-{g}" for g in golds) + " mm"),
        )
        gold = Answer("numbers", " x ".join(golds), "numbers", "mm", 0.05)
        yield Case(gold, right, wrong, " x ".join(shown(float(g) + 31) for g in golds) + " mm")


def range_cases() -> Iterator[Case]:
    for name, (_, _, low, _, _, high) in list(FACTS["boxes"].items())[::2]:
        a, b = str(low + 3), str(high + 2 + len(name))
        unit = "mm" if len(name) % 2 else ""
        u = f" {unit}" if unit else ""
        right: Cores = (
            ("dash", f"{a}-{b}{u}"),
            ("en_dash", f"{a}–{b}{u}"),
            ("to", f"{a} to {b}{u}"),
            ("from_to", f"from {a} to {b}{u}"),
            ("between", f"between {a} and {b}{u}"),
            ("through", f"{a} through {b}{u}"),
            ("spaced_dash", f"{a} – {b}{u}"),
            ("latex_dash", f"{a}--{b}{u}"),
            ("brackets", f"[{a}, {b}]"),
        )
        wrong: Cores = (
            ("turned", f"{b}-{a}{u}"),
            ("low_off", f"{int(a) - 2}-{b}{u}"),
            ("high_off", f"{a}-{int(b) + 9}{u}"),
            ("one_end", f"{a}{u}"),
            ("other_end", f"up to {b}{u}"),
            ("three", f"{a}-{b}-{int(b) + 4}{u}"),
            ("denied", f"not {a}-{b}{u}"),
            ("wide", f"0-9999{u}"),
            ("outside", f"outside {a} to {b}{u}"),
            ("and", f"{a} and {b}{u}"),
            ("trap_mL", f"{a}-{b} mL"),
            ("trap_kg", f"{a} to {b} kg"),
            ("two_ranges", f"{a}-{b}{u} or {b}-{int(b) + 5}{u}"),
            ("negative", f"-{a} to -{b}{u}"),
            ("glued", f"{a}{b}{u}"),
        )
        if unit:
            right += (
                ("cm", f"{int(a) / 10:g}-{int(b) / 10:g} cm"),
                ("each", f"{a} mm to {b} mm"),
                ("bare", f"{a}-{b}"),
            )
            wrong += (("trap_cm", f"{a}-{b} cm"), ("trap_one", f"{a} cm to {b} mm"), ("trap_mm2", f"{a}-{b} mm²"))
        else:
            right += (("slices", f"slices {a} to {b}"), ("slices_dash", f"slices {a}-{b}"))
            wrong += (("trap_mm", f"{a}-{b} mm"), ("trap_percent", f"{a}-{b} %"))
        yield Case(
            Answer("range", f"{a}-{b}", "range", unit, 0.02 if unit else 0.0), right, wrong, f"{int(a) + 7}-{b}{u}"
        )


def _angles() -> list[float]:
    centres = list(FACTS["centres"].values())
    found = []
    for p, q, r in zip(centres, centres[1:], centres[2:], strict=False):
        a, b = [x - y for x, y in zip(p, q, strict=True)], [x - y for x, y in zip(r, q, strict=True)]
        cosine = sum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))
        found.append(round(math.degrees(math.acos(max(-1.0, min(1.0, cosine)))), 1))
    return found


def angle_cases() -> Iterator[Case]:
    for gold in _angles()[::2]:
        g = shown(gold)
        right: Cores = (
            ("degrees", f"{g} degrees"), ("sign", f"{g}°"), ("bare", g), ("deg", f"{g} deg"), ("glued", f"{g} °"),
            ("latex", f"{g}^\\circ"), ("within", f"{shown(gold + 3)}°"), ("below", f"{shown(gold - 3)} degrees"),
            ("sentence", f"The angle is {g}°"), ("about", f"about {g} degrees"), ("word", f"{g} Degrees"),
            ("comma", f"{g.replace('.', ',')}°"),
        )  # fmt: skip
        wrong: Cores = (
            ("off", f"{shown(gold + 8)}°"), ("below_off", f"{shown(gold - 8)} degrees"), ("trap_rad", f"{g} radians"),
            ("trap_rad_short", f"{g} rad"), ("trap_mm", f"{g} mm"), ("trap_percent", f"{g} %"), ("trap_c", f"{g} °C"),
            ("supplement", f"{shown(gold + 180)}°"), ("negative", f"-{shown(gold + 8)}°"), ("bound", f"more than {g}°"),
            ("two", f"{g}° and {shown(gold + 20)}°"), ("range", f"{shown(gold - 30)}-{shown(gold + 30)}°"),
            ("denied", f"not {g} degrees"), ("tripled", f"{shown(gold * 3 + 20)}°"), ("trap_min", f"{g} minutes"),
            ("trap_f", f"{g} degrees Fahrenheit"), ("per", f"{g} degrees per second"),
        )  # fmt: skip
        yield Case(Answer("angle", g, "angle", "degree", 5.0), right, wrong, f"{shown(gold + 33)}°")


def interval_cases() -> Iterator[Case]:
    start = dt.date(2020, 3, 15)
    words = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    for at, (a, b) in enumerate(FACTS["visits"]):
        first, last, n = start + dt.timedelta(a), start + dt.timedelta(b), b - a
        s = "" if n == 1 else "s"
        right: Cores = (
            ("days", f"{n} day{s}"), ("bare", str(n)), ("word", f"{words[n] if n < 11 else n} day{s}"),
            ("hours", f"{n * 24} hours"), ("dates", f"{first} to {last}"), ("dates_from", f"from {first} to {last}"),
            ("dates_between", f"between {first} and {last}"), ("dates_slash", f"{first}/{last}"),
            ("later", f"{n} day{s} later"),
            ("weeks_days", f"{n // 7} weeks and {n % 7} days" if n > 7 else f"{n} day{s}"),
        )  # fmt: skip
        wrong: Cores = (
            ("off", f"{n + 2} days"), ("trap_weeks", f"{n} weeks"), ("trap_months", f"{n} months"),
            ("trap_hours", f"{n} hours"),
            ("trap_years", f"{n} years"), ("dates_off", f"{first} to {last + dt.timedelta(3)}"),
            ("one_date", f"{last}"),
            ("dates_turned", f"{last} to {first}"), ("no_date", "2020-13-45 to 2020-14-01"), ("trap_mm", f"{n} mm"),
            ("three_dates", f"{first}, {last} and {last + dt.timedelta(1)}"), ("denied", f"not {n} days"),
            ("bound", f"at least {n} days"), ("negative", f"-{n} days"), ("range", f"{n}-{n + 5} days"),
        )  # fmt: skip
        gold = Answer("date_interval", f"{first}/{last}" if at % 2 else str(n), "date_interval", "day", 0.0)
        yield Case(gold, right, wrong, f"{n + 4} days")
    for value in FACTS["quantities"]["days"][::5] + FACTS["quantities"]["weeks"]:
        days = float(value)
        right = (("days", f"{value} days"), ("hours", f"{shown(days * 24)} hours"),
        ("weeks", f"{shown(days / 7)} weeks"),
                 ("about", f"about {value} days"), ("within", f"{shown(days + 0.4)} days"),
                 ("glued", f"{value}-day"))  # fmt: skip
        wrong = (("off", f"{shown(days + 1)} days"), ("trap_weeks", f"{value} weeks"),
        ("trap_months", f"{value} months"),
                 ("trap_minutes", f"{value} minutes"), ("trap_dose", f"{value} mg"),
                 ("tenth", f"{shown(days * 10)} days"),
                 ("more", f"more than {value} days"), ("sum", f"{value} days and 3 days"))  # fmt: skip
        yield Case(Answer("date_interval", value, "date_interval", "day", 0.5), right, wrong, f"{shown(days + 6)} days")


def _clock(seconds: float) -> str:
    whole = int(seconds)
    part = round(seconds - whole, 2)
    return f"{whole // 60:02d}:{whole % 60:02d}" + (f"{part:.2f}"[1:] if part else "")


def time_cases() -> Iterator[Case]:
    for frames, rate in FACTS["clips"]:
        for share in (0.35, 9.3):
            t = round(frames / rate * share, 1)
            right: Cores = (
                ("seconds", f"{shown(t)} s"), ("bare", shown(t)), ("clock", _clock(t)),
                ("hours_clock", "00:" + _clock(t)),
                ("ms", f"{shown(t * 1000)} ms"), ("word", f"{shown(t)} seconds"), ("at", f"at {shown(t)} seconds"),
                ("within", f"{shown(t + 0.3)} s"), ("sentence", f"It happens at {_clock(t)}"),
                ("about", f"about {shown(t)} sec"),
                ("minutes", f"{shown(t / 60)} min"), ("min_s", f"{int(t // 60)} min {shown(round(t % 60, 2))} s"),
            )  # fmt: skip
            wrong: Cores = (
                ("off", f"{shown(t + 2)} s"), ("trap_min", f"{shown(t)} min"), ("trap_ms", f"{shown(t)} ms"),
                ("clock_off", _clock(t + 3)), ("clock_turned", f"{int(t) % 60:02d}:{int(t) // 60:02d}"),
                ("negative", f"-{shown(t)} s"),
                ("bad_clock", f"00:{int(t) + 61}"), ("two", f"{shown(t)} s and {shown(t + 5)} s"),
                ("trap_frames", f"{shown(t)} frames"),
                ("span", f"{shown(max(t - 2, 0))}-{shown(t + 2)} s"), ("trap_h", f"{shown(t)} h"),
                ("after", f"after {shown(t)} s"),
                ("denied", f"not at {shown(t)} s"), ("any", "at any time"), ("trap_mm", f"{shown(t)} mm"),
                ("before", f"before {_clock(t)}"),
            )  # fmt: skip
            yield Case(Answer("time", shown(t), "time", "s", 0.5), right, wrong, f"{shown(t + 11)} s")
            a, b = t, round(t + frames / rate * 0.3 + 1.5, 1)
            right = (
                ("span_dash", f"{shown(a)}-{shown(b)} s"), ("span_to", f"from {shown(a)} to {shown(b)} seconds"),
                ("span_clock", f"{_clock(a)}-{_clock(b)}"), ("span_clock_to", f"{_clock(a)} to {_clock(b)}"),
                ("span_en", f"{shown(a)}–{shown(b)} s"), ("span_between", f"between {shown(a)} s and {shown(b)} s"),
                ("span_bare", f"{shown(a)} to {shown(b)}"), ("span_until", f"{_clock(a)} until {_clock(b)}"),
                ("span_brackets", f"[{shown(a)}, {shown(b)}]"),
            )  # fmt: skip
            wrong = (
                ("span_turned", f"{shown(b)}-{shown(a)} s"), ("span_one", f"{shown(a)} s"),
                ("span_off", f"{shown(a)}-{shown(b + 3)} s"),
                ("span_all", "0-9999 s"), ("span_trap", f"{shown(a)}-{shown(b)} min"),
                ("span_ms", f"{shown(a)} to {shown(b)} ms"),
                ("span_three", f"{shown(a)}-{shown(b)}-{shown(b + 2)} s"),
                ("span_not", f"not from {shown(a)} to {shown(b)} s"),
                ("span_bad", f"{_clock(a)}-00:99"), ("span_outside", f"outside {shown(a)}-{shown(b)} s"),
            )  # fmt: skip
            gold = Answer("time", f"{shown(a)}-{shown(b)}", "time", "s", 0.5)
            yield Case(gold, right, wrong, f"{shown(a + 4)}-{shown(b + 9)} s")


def pairs() -> Iterator[Pair]:
    yield from pairs_of([*number_cases(), *count_cases()], 4, 3)
    yield from pairs_of(list(numbers_cases()), 5, 4)
    yield from pairs_of(list(range_cases()), 5, 4)
    yield from pairs_of(list(angle_cases()), 5, 4)
    yield from pairs_of(list(interval_cases()), 4, 3)
    yield from pairs_of(list(time_cases()), 4, 3)
