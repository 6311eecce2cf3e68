"""Faithful captions from real annotation: what a source says, in other words, with the facts that bear it out.

Wordings come in two tuples: those that were looked at while the checks were improved, and those that were held out;
human texts are halved by a digest of their own. Every caption is true by construction: its numbers, sides, organs and
findings are those of the annotation, which is read here from the files themselves.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

from manifests.record import Fact

HALVES = ("development", "held out")


class Case(NamedTuple):
    source: str
    half: str
    text: str
    facts: tuple[Fact, ...]


def half_of(key: str) -> str:
    return HALVES[hashlib.sha256(f"faithful {key}".encode()).digest()[0] & 1]


# --- human texts, each its own span ----------------------------------------------------------------------------------

_ENGLISH = re.compile(r"\b(?:the|of|with|showing|shows|and|in|is|was|a|an|no|scan|image)\b", re.IGNORECASE)
_FOREIGN = re.compile(r"\b(?:le|la|les|des|du|une|montrant|radiographie|de|el|con|der|die|avec|chez)\b", re.IGNORECASE)
_STOPS = re.compile(r"(?<=[a-z)%][.!?])\s+(?=[A-Z])")
_REWORDED = {
    "development": (
        (r"\bshowing\b", "demonstrating"), (r"\bshows\b", "demonstrates"), (r"\bCT scan\b", "computed tomography scan"),
        (r"\bMRI\b", "magnetic resonance imaging"), (r"\b[Xx]-ray\b", "radiograph"), (r"\btumou?r\b", "tumour"),
        (r"\b(?<!upper )(?<!lower )(left|right) (lung|kidney|breast|hip|knee|eye)(?=[.,;)]|\Z)", r"\2 on the \1"),
        (r"\bimage of\b", "picture of"),
        (r"\bconfirmed\b", "verified"), (r"\bpatient\b", "person"), (r"\bis seen\b", "is visible"),
        (r"\bno evidence of\b", "no sign of"), (r"\bwithout\b", "with no"),
    ),
    "held out": (
        (r"\brevealing\b", "which reveals"), (r"\bshowed\b", "depicted"), (r"\bultrasound\b", "sonography"),
        (r"\bhemorrhage\b", "haemorrhage"), (r"\bin the (left|right) (\w+)\b", r"within the \1 \2"),
        (r"\bright-sided\b", "right"), (r"\bmeasuring\b", "of"), (r"\bedema\b", "oedema"), (r"\bno\b", "without any"),
        (r"\bcomputed tomography\b", "CT"), (r"\blarge\b", "sizeable"), (r"\bdemonstrating\b", "with"),
        (r"\bsuggestive of\b", "suspicious for"), (r"\bpossible\b", "suspected"), (r"\bwas seen\b", "could be seen"),
        (r"\bdenies\b", "denies having"),
    ),
}  # fmt: skip


def _centimetres(text: str, half: str) -> str:
    """A length that stands alone, in the other unit."""
    if half == "development":
        return re.sub(
            r"(?<![\d.×x-] )(?<!to )(?<!and )(?<![\d.×-])(\d+(?:\.\d)?) cm(?! [x×])\b",
            lambda m: f"{float(m[1]) * 10:g} mm",
            text,
        )
    return re.sub(
        r"(?<![\d.×x-] )(?<!to )(?<!and )(?<![\d.×-])(\d{2}) mm(?! [x×])\b",
        lambda m: f"{float(m[1]) / 10:.1f} cm",
        text,
    )


def reworded(text: str, half: str, random: Random) -> str:
    """The same, said a little differently: some sentences, some in another order, some words for others."""
    sentences = _STOPS.split(text)
    kept = sentences
    if len(sentences) > 1:
        first = random.randrange(len(sentences))
        kept = sentences[first : first + random.randint(1, 3)]
        if random.random() < 0.25:
            kept = kept[::-1]
    said = " ".join(kept)
    if random.random() < 0.6:
        for pattern, to in _REWORDED[half]:
            if random.random() < 0.7:
                said = re.sub(pattern, to, said)
        said = _centimetres(said, half)
    return said.strip()


def human(name: str, texts: list[tuple[str, str]], wanted: int, random: Random) -> Iterator[Case]:
    chosen = [(key, text) for key, text in texts if 25 <= len(text) <= 1500 and _is_english(text)]
    random.shuffle(chosen)
    for key, text in chosen[:wanted]:
        half = half_of(f"{name} {key}")
        said = reworded(text, half, random)
        if len(said) > 15:
            yield Case(name, half, said, (Fact("caption", text, f"{name}:{key}"),))


def _is_english(text: str) -> bool:
    return len(_ENGLISH.findall(text)) > len(_FOREIGN.findall(text))


def roco(data: Path) -> list[tuple[str, str]]:
    lines = (data / "text-captions-roco/captions_cc_by.tsv").read_text().splitlines()[1:]
    return [(line.split("\t")[0], line.split("\t")[-1]) for line in lines]


def abstracts(data: Path) -> list[tuple[str, str]]:
    path = data / "text-medical-abstracts/medical_tc_test.first700.csv"
    with path.open(newline="") as stream:
        return [(str(i), row["medical_abstract"]) for i, row in enumerate(csv.DictReader(stream))]


def notes(data: Path) -> list[tuple[str, str]]:
    out = []
    for path in sorted((data / "text-mts-dialog").glob("*.csv")):
        with path.open(newline="") as stream:
            out += [(f"{path.name} {row['ID']}", row["section_text"]) for row in csv.DictReader(stream)]
    return out


def comments(data: Path) -> list[tuple[str, str]]:
    columns = ("Comments from web site", "Comments first medical doctor (MD1)", "MD2", "Title")
    with (data / "us-lung-video-pocovid/metadata.subset.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [(row["Filename"], ". ".join(row[c].strip(" .") for c in columns if row[c].strip()) + ".") for row in rows]


# --- annotation in words ---------------------------------------------------------------------------------------------

_VOLUME = {
    "development": (
        "The volume of the {a} is {v} mL.", "On {m}, the {a} occupies {v} mL.", "The {a} measures {v} cm³ in volume.",
        "Segmentation gives the {a} {v} mL and the {b} {w} mL.", "The {a} ({v} mL) and the {b} ({w} mL) are marked.",
        "Volumetry: {a} {v} mL; {b} {w} mL.", "The {a} and the {b} measure {v} mL and {w} mL, respectively.",
        "The {a} is marked. Its volume is {v} mL.", "About {r} mL belong to the {a}.",
    ),
    "held out": (
        "With {v} mL, the {a} was segmented completely.", "{m} volumetry of the {a} yields {v} millilitres.",
        "A total of {v} ml was measured for the {a}, whereas the {b} reached {w} ml.",
        "The {b} and {a} have volumes of {w} and {v} mL, respectively.", "One sees the {a}; it has a volume of {v} mL.",
        "Volume of the {a}: {v} mL. Volume of the {b}: {w} mL.", "Roughly {r} mL were assigned to the {a} on {m}.",
        "The segmented {a} comprises {l} L.",
    ),
}  # fmt: skip


def organs(data: Path, wanted: int, random: Random) -> Iterator[Case]:
    """Volumes as published for the separate masks."""
    statistics = json.loads((data / "ct-totalsegmentator/example_seg_fast/statistics.json").read_text())
    # cubic millimetres; what is cut to nothing, or is a part of a row of like parts, is left out
    known = {
        n: s["volume"] for n, s in statistics.items() if s["volume"] > 2000 and not re.search(r"rib_|vertebrae_", n)
    }
    names = sorted(known)
    for i in range(wanted):
        half = HALVES[i % 2]
        chosen = random.sample(names, 12)
        paired = [n for n in names if n.endswith("_left") and n.replace("_left", "_right") in known]
        name = random.choice(paired)
        a, b = random.sample([name, name.replace("_left", "_right")], 2) if random.random() < 0.5 else chosen[:2]
        facts = [Fact("modality", "CT", "dicom:0008,0060"), Fact("plane", "axial", "affine")]
        facts += [
            Fact("volume_ml", f"{known[n] / 1000:.2f}", f"mask:{n}", "mL", n) for n in dict.fromkeys((a, b, *chosen))
        ]
        v, w = known[a] / 1000, known[b] / 1000
        other = a.replace("_left", "_right") if "_left" in a else a.replace("_right", "_left")
        if abs(known.get(other, 0) / 1000 - v) < 0.1 * v and other != a:
            continue  # "about" would be true of either side
        text = random.choice(_VOLUME[half]).format(
            a=_words(a), b=_words(b), v=f"{v:.2f}", w=f"{w:.2f}", r=f"{v:.0f}", l=f"{v / 1000:.4f}", m="CT"
        )  # fmt: skip
        yield Case("ct-totalsegmentator", half, text[0].upper() + text[1:], tuple(facts))


def _words(name: str) -> str:
    words = name.split("_")
    side = [w for w in words if w in ("left", "right")]
    return " ".join([*side, *(w for w in words if w not in side)])


_ASKED = re.compile(
    r"(?:is|are) there (?:any |an? |the )?(?:evidence of |signs? of |presence of )?(?:an? |any )?(?P<what>[\w ,/-]+?)"
    r"(?: (?:present|seen|visible|shown|noted))?"
    r"(?P<where> (?:in|on|at|of|within) (?!this|the image|the picture|an?\b)[\w ]+)?"
    r"(?: in (?:this|the) (?:image|picture|scan))?\??",
    re.IGNORECASE,
)
_YES = {
    "development": ("There is {w}.", "{W} is seen.", "The image shows {w}.", "Findings: {w}.",
                    "{W} can be identified."),
    "held out": ("One can see {w}.", "{W} is present.", "The study is remarkable for {w}.", "{W} was reported.",
                 "The examination demonstrates {w}."),
}  # fmt: skip
_NO = {
    "development": ("There is no {w}.", "No {w} is seen.", "The image shows no {w}.", "{W} is not seen.",
                    "There is no evidence of {w}.", "{W}: none.", "Negative for {w}."),
    "held out": ("No sign of {w}.", "{W} is absent.", "The study is without {w}.", "{W} could not be demonstrated.",
                 "The examination does not reveal {w}.", "{W} was not identified.", "Free of {w}."),
}  # fmt: skip
_PARTS = {"HEAD": "head", "CHEST": "chest", "ABD": "abdomen"}


def answers(data: Path, wanted: int, random: Random) -> Iterator[Case]:
    """Clinicians' yes and no to "is there ...", one image's answers together, as one or two sentences."""
    rows = json.loads((data / "vqa-rad-subset/VQA_RAD Dataset Public.json").read_text())
    by_image: dict[str, dict[str, str]] = {}
    part: dict[str, str] = {}
    for row in rows:
        match = _ASKED.fullmatch(row["question"].strip())
        answer = str(row["answer"]).strip().lower()
        if match and answer in ("yes", "no") and not re.search(r"\b(?:or|more|than|not|other)\b", match["what"]):
            what = f"{match['what'].strip()}{match['where'] or ''}".strip()
            if len(what) > 5:
                by_image.setdefault(row["image_name"], {})[what] = answer
                part[row["image_name"]] = _PARTS[row["image_organ"]]
    images = sorted(name for name, found in by_image.items() if found)
    random.shuffle(images)
    for name in images[:wanted]:
        half = half_of(f"vqa-rad {name}")
        found = by_image[name]
        facts = [Fact("body_part", part[name], "column:image_organ")]
        facts += [Fact("finding", answer, "column:answer", about=what) for what, answer in found.items()]
        chosen = random.sample(sorted(found), min(len(found), random.choice((1, 2, 2))))
        said = [random.choice((_YES if found[what] == "yes" else _NO)[half]) for what in chosen]
        text = " ".join(s.format(w=w, W=w[0].upper() + w[1:]) for s, w in zip(said, chosen, strict=True))
        yield Case("vqa-rad-subset", half, text, tuple(facts))


_SLAKE_HEAD = {
    "development": ("{M} of the {p}.", "This is {aM} image of the {p}.", "{P} {M}.", "{M} image, {p}."),
    "held out": (
        "The {p} as seen on {M}.",
        "{M} examination covering the {p}.",
        "An image of the {p} acquired with {M}.",
    ),
}
_SLAKE_YES = {
    "development": ("The {o} is shown.", "One can see the {o}.", "It contains the {o}."),
    "held out": ("The {o} is depicted.", "Part of the {o} lies in the field of view.", "The {o} appears in the image."),
}
_SLAKE_NO = {
    "development": ("The {o} is not shown.", "There is no {o} in it.", "It does not contain the {o}."),
    "held out": ("The {o} is not visible.", "No {o} appears in the image.", "The {o} cannot be seen."),
}
_SLAKE_ILL = {
    "development": ("{D} is present.", "It shows {d}.", "Diagnosis: {d}."),
    "held out": ("There are signs of {d}.", "{D} can be recognised.", "The findings are those of {d}."),
}
_PLACES = {
    "Lung": "lung", "Abdomen": "abdomen", "Brain_Tissue": "brain", "Brain": "brain", "Neck": "neck",
    "Chest_lung": "chest", "Chest_heart": "chest", "Chest_mediastinal": "chest", "Pelvic Cavity": "pelvis",
    "Brain_Face": "head",
}  # fmt: skip


def slake(data: Path, random: Random) -> Iterator[Case]:
    """One image's annotated modality, region, plane, organs (present or not) and diseases."""
    rows = [r for r in json.loads((data / "text-vqa-slake/validate.json").read_text()) if r["q_lang"] == "en"]
    for image in sorted({row["img_id"] for row in rows}):
        own = [row for row in rows if row["img_id"] == image]
        half = half_of(f"slake {image}")
        modality, place = own[0]["modality"], _PLACES[own[0]["location"]]
        facts = [Fact("modality", modality, "column:modality"), Fact("body_part", place, "column:location")]
        said = [random.choice(_SLAKE_HEAD[half]).format(
            M=modality, P=place.capitalize(), p=place, aM=("an " if modality[0] in "MX" else "a ") + modality
        )]  # fmt: skip
        organs_said = []
        for row in own:
            match = re.fullmatch(
                r"(?:Does the picture contain|Does the|Do the|Is there)\s+(?:the |a )?([a-z ]+?)"
                r"(?: (?:appear|exist|exists))?(?: in (?:this|the) (?:image|picture))?\?", row["question"]
            )  # fmt: skip
            answer = row["answer"].strip().lower()
            if match and row["content_type"] == "Organ" and answer in ("yes", "no"):
                name = match[1].strip()
                facts.append(Fact("finding", answer, "column:answer", about=name))
                organs_said.append((name, answer))
            if row["question"].startswith("What diseases are included") and row["answer"] not in ("", "None"):
                ill = row["answer"].lower()
                facts.append(Fact("diagnosis", ill, "column:answer"))
                said.append(random.choice(_SLAKE_ILL[half]).format(d=ill, D=ill.capitalize()))
        for name, answer in random.sample(organs_said, min(2, len(organs_said))):
            said.append(random.choice((_SLAKE_YES if answer == "yes" else _SLAKE_NO)[half]).format(o=name))
        yield Case("text-vqa-slake", half, " ".join(said), tuple(dict.fromkeys(facts)))


_HEADER = (("modality", "Modality", ""), ("body_part", "BodyPartExamined", ""), ("kvp", "KVP", "kV"),
           ("slice_thickness_mm", "SliceThickness", "mm"), ("echo_time_ms", "EchoTime", "ms"),
           ("repetition_time_ms", "RepetitionTime", "ms"), ("magnetic_field_t", "MagneticFieldStrength", "T"),
           ("frame_count", "NumberOfFrames", ""))  # fmt: skip
_HEADER_SAID = {
    "development": {
        "modality": ("{v} acquisition.", "A {v} image."), "body_part": ("Region: {v}.",),
        "kvp": ("The tube ran at {v} kVp.",),
        "slice_thickness_mm": ("Slices are {v} mm thick.",), "echo_time_ms": ("TE was {v} ms.",),
        "repetition_time_ms": ("TR was {v} ms.",), "magnetic_field_t": ("Field strength: {v} T.",),
        "frame_count": ("It has {v} frames.",),
    },
    "held out": {
        "modality": ("The modality is {v}.", "Obtained with {v}."), "body_part": ("It covers the {v}.",),
        "kvp": ("A tube voltage of {v} kV was used.",), "slice_thickness_mm": ("Each section measures {v} mm.",),
        "echo_time_ms": ("The echo time is {v} milliseconds.",), "repetition_time_ms": ("Repetition took {v} ms.",),
        "magnetic_field_t": ("The magnet had {v} tesla.",), "frame_count": ("The clip holds {v} frames.",),
    },
}  # fmt: skip


def headers(data: Path, wanted: int, random: Random) -> Iterator[Case]:
    """What DICOM headers state, one file of each folder of files."""
    import pydicom

    seen: dict[tuple[str, ...], tuple[str, Path]] = {}
    for path in sorted(p for folder in sorted(data.glob("dicom-*")) for p in folder.rglob("*") if p.is_file()):
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True)
        except (pydicom.errors.InvalidDicomError, OSError, EOFError, ValueError):
            continue
        told = tuple(str(header.get(word) or "") for _, word, _ in _HEADER)
        if sum(map(bool, told)) > 2:
            seen.setdefault((*told, path.parts[len(data.parts)]), (path.parts[len(data.parts)], path))
    chosen = sorted(seen.items())
    random.shuffle(chosen)
    for i, (told_all, _) in enumerate(chosen[:wanted]):
        half = HALVES[i % 2]
        facts = [
            Fact(name, value, f"dicom:{word}", unit)
            for (name, word, unit), value in zip(_HEADER, told_all, strict=False)
            if value and (name != "modality" or value in ("CT", "MR", "US"))
        ]
        said = [random.choice(_HEADER_SAID[half][f.name]).format(v=f.value) for f in facts]
        yield Case("dicom headers", half, " ".join(random.sample(said, min(len(said), 3))), tuple(facts))


_FILMS = (
    "{p} chest X-ray in COVID-19; the C-reactive protein was {c} mg/L.",
    "COVID-19, chest film ({p}). C-reactive protein reached {c} mg/L.",
)


def tables(data: Path) -> Iterator[Case]:
    """Films of COVID-19 patients, dermoscopy, lung ultrasound flags, fundus eyes and breast density."""
    with (data / "cxr-covid-hannover/data.subset.csv").open(newline="") as stream:
        films = list(csv.DictReader(stream))
    for i, row in enumerate(films):
        facts = [
            Fact("modality", row["modality"], "column:modality"),
            Fact("body_part", "CHEST", "card"),
            Fact("view_position", row["projection"].upper(), "column:projection"),
            Fact("diagnosis", "COVID-19", "card"),
            Fact("offset_days", row["admission_offset"], "column:admission_offset"),
        ]
        text = "Chest radiograph, {p} view, of a patient with COVID-19."
        if row["crp_val"]:
            facts.append(Fact("measurement", row["crp_val"], "column:crp_val", "mg/L", "C-reactive protein"))
            text = _FILMS[i % 2]
        said = text.format(p=row["projection"].upper(), c=row["crp_val"])
        yield Case("cxr-covid-hannover", HALVES[i % 2], said, tuple(facts))
    for i, path in enumerate(sorted([*(data / "dermoscopy-isic").glob("*.metadata.json"),
                                     *(data / "quality-bad-images").glob("ISIC*.json")])):  # fmt: skip
        told = json.loads(path.read_text())["meta"]["clinical"]
        facts = [
            Fact("modality", "DMS", "card"),
            Fact("diagnosis", told["diagnosis"], "json:diagnosis"),
            Fact("label", told["benign_malignant"], "json:benign_malignant"),
        ]
        text = ("Dermoscopy of a {d}, which is {b}.", "A {b} skin lesion on dermatoscopy: {d}.")[i % 2]
        facts.append(Fact("body_part", "skin", "card"))
        if told["age_approx"]:
            facts.append(Fact("age_years", str(told["age_approx"]), "json:age_approx", "year"))
            text += f" The patient was {told['age_approx']} years old."
        said = text.format(d=told["diagnosis"], b=told["benign_malignant"])
        yield Case("dermoscopy-isic", HALVES[i % 2], said, tuple(facts))
    yield from _ultrasound(data)
    for path in sorted((data / "fundus-chasedb1/Images").glob("*.jpg")):
        eye = {"L": "left", "R": "right"}[path.stem[-1]]
        facts = [
            Fact("modality", "OP", "card"),
            Fact("laterality", path.stem[-1], "name"),
            Fact("body_part", "eye", "card"),
        ]
        yield Case("fundus-chasedb1", half_of(path.name), f"Fundus photograph of the {eye} eye.", tuple(facts))
    for path in sorted((data / "mammography-monai").glob("*/*.jpg")):
        facts = [Fact("modality", "MG", "card"), Fact("label", f"breast density class {path.parent.name}", "folder")]
        said = f"Mammogram of a breast with density class {path.parent.name}."
        yield Case("mammography-monai", half_of(path.name), said, tuple(facts))


def _ultrasound(data: Path) -> Iterator[Case]:
    signs = {"Effusion": "effusion", "Consolidations": "consolidation", "B-lines": "B-lines", "A-lines": "A-lines",
             "Air bronchogram": "air bronchogram"}  # fmt: skip
    with (data / "us-lung-video-pocovid/metadata.subset.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for i, row in enumerate(rows):
        flags = {words: row[column] for column, words in signs.items() if row[column] in ("0", "1")}
        facts = [Fact("modality", "US", "card"), Fact("body_part", "lung", "card"),
                 Fact("frame_count", row["Length (frames)"], "column:Length (frames)")]  # fmt: skip
        facts += [Fact("finding", {"0": "absent", "1": "present"}[v], "column", about=k) for k, v in flags.items()]
        yes, no = [k for k, v in flags.items() if v == "1"], [k for k, v in flags.items() if v == "0"]
        text = f"Lung ultrasound of {row['Length (frames)']} frames."
        text += f" It shows {' and '.join(yes)}." if yes else ""
        text += (f" No {' or '.join(no[:3])}.", f" There is neither {' nor '.join(no[:2])}.")[i % 2] if no else ""
        yield Case("us-lung-video-pocovid", HALVES[i % 2], text, tuple(facts))


_TELLING = re.compile(
    r"\b(?:no|not|without|left|right)\b|\d (?:mm|cm|mL)\b|\b(?:possible|suspected|suggesti|likely|may)", re.IGNORECASE
)


def cases(data: Path, seed: int, wanted: int) -> list[Case]:
    """`wanted` faithful captions; what the small sources do not give comes from the captions of figures."""
    random = Random(seed)
    found = [*organs(data, 120, random), *answers(data, 140, random), *slake(data, random), *tables(data)]
    found += [*headers(data, 50, random), *human("us-lung-video-pocovid", comments(data), 20, random)]
    found += [
        *human("text-mts-dialog", notes(data), 130, random),
        *human("text-medical-abstracts", abstracts(data), 120, random),
    ]
    figures = roco(data)
    telling = [one for one in figures if _TELLING.search(one[1])]  # captions in which more than one error can be made
    found += human("text-captions-roco", telling, (wanted - len(found)) * 4 // 5, random)
    found += human("text-captions-roco", sorted(set(figures) - set(telling)), 2 * wanted, random)
    return found[:wanted]
