"""Collects the facts of which the gold set is made: `python -m tests.synth.gold.collect` writes facts.json.

Numbers and short labels from openly licensed data in ../shared/data: volumes, attenuation, boxes, slice ranges and
masks of a public CT (TotalSegmentator, Apache-2.0), intervals between films (Hannover, CC BY 3.0), lengths of
ultrasound clips (POCOVID, CC BY), quantities in abstracts (PubMedQA, MIT), labels of SLAKE (CC BY 4.0) and phrases
of VQA-RAD (CC0).
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

SHARED = Path(__file__).resolve().parents[3] / "../shared/data"
FACTS = Path(__file__).with_name("facts.json")
_QUANTITY = re.compile(
    r"(?<![\w.,/+-])(\d{1,4}(?:\.\d{1,2})?) (mg/dL|mg/L|mmHg|mg|kg|mm|cm|mL|ml|years|days|weeks|months|hours|"
    r"minutes)\b"
    r"(?!/)"
)
MOST = 60


def from_ct() -> dict[str, Any]:
    """Volumes (mL), mean HU, boxes (x0,y0,z0,x1,y1,z1), slice ranges, and small masks of one slice as run lengths."""
    import nibabel as nib
    import numpy as np

    folder = SHARED / "ct-totalsegmentator/example_seg_fast"
    published = json.loads((folder / "statistics.json").read_text())
    found: dict[str, Any] = {"volumes": {}, "hu": {}, "boxes": {}, "masks": {}, "centres": {}, "shape": []}
    for name, row in sorted(published.items()):
        if row["volume"] < 5000:
            continue
        found["volumes"][name] = round(row["volume"] / 1000, 2)
        found["hu"][name] = round(row["intensity"], 1)
        image: Any = nib.load(folder / f"{name}.nii.gz")
        mask = np.asarray(image.dataobj) > 0
        at = np.argwhere(mask)
        low, high = at.min(0), at.max(0) + 1
        found["shape"] = [int(n) for n in mask.shape]
        found["boxes"][name] = [int(n) for n in (*low, *high)]
        found["centres"][name] = [round(float(n), 1) for n in at.mean(0)]
        flat = mask[::4, ::4, (low[2] + high[2]) // 2].T
        if flat.sum() >= 12 and len(found["masks"]) < 24:
            found["masks"][name] = {"size": list(flat.shape), "pixels": [int(v) for v in np.flatnonzero(flat.T)]}
    return found


def from_tables() -> dict[str, Any]:
    films: dict[str, list[int]] = {}
    with (SHARED / "cxr-covid-hannover/data.subset.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["admission_offset"]:
                films.setdefault(row["patient_id"], []).append(int(float(row["admission_offset"])))
    visits = sorted({(a, b) for days in films.values() for a in days for b in days if a < b})
    with (SHARED / "us-lung-video-pocovid/metadata.subset.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if int(row["Length (frames)"] or 0) > 1]
    clips = sorted({(int(row["Length (frames)"]), int(row["Framerate"])) for row in rows})
    return {"visits": [list(v) for v in visits], "clips": [list(c) for c in clips]}


def from_texts() -> dict[str, Any]:
    abstracts = json.loads((SHARED / "text-pubmedqa/ori_pqal.json").read_text())
    seen: Counter[tuple[str, str]] = Counter()
    for row in abstracts.values():
        seen.update((m[1], m[2]) for m in _QUANTITY.finditer(" ".join(row["CONTEXTS"])) if float(m[1]) > 1)
    quantities: dict[str, list[str]] = {}
    for value, unit in sorted(seen, key=lambda pair: (pair[1], float(pair[0]))):
        quantities.setdefault(unit, []).append(value)
    slake = json.loads((SHARED / "text-vqa-slake/validate.json").read_text())
    english = [row for row in slake if row["q_lang"] == "en"]
    answers = sorted({" ".join(row["answer"].split()) for row in english if row["answer_type"] == "OPEN"})
    labels = [a for a in answers if 4 <= len(a) <= 40 and re.fullmatch(r"[A-Za-z -]+", a) and len(a.split()) <= 4]
    rad = json.loads((SHARED / "vqa-rad-subset/VQA_RAD Dataset Public.json").read_text())
    phrases = sorted({" ".join(str(row["answer"]).split()) for row in rad})
    spans = [p for p in phrases if 5 <= len(p.split()) <= 14 and re.fullmatch(r"[\x20-\x7e]+", p) and "~" not in p]
    return {
        "quantities": {unit: values[:: max(1, math.ceil(len(values) / MOST))] for unit, values in quantities.items()},
        "labels": labels,
        "spans": spans[:80],
    }


def main() -> None:
    FACTS.write_text(json.dumps({**from_ct(), **from_tables(), **from_texts()}, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
