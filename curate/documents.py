"""The generated documents of an output: README.md and croissant.json. Generated, never typed; no claim of anonymity.

Croissant follows the MLCommons Croissant 1.1 vocabulary: every shard is a FileObject with its sha256, the samples are a
RecordSet over the JSON members. Not covered yet: RAI fields and PROV lineage.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from curate.store import write_atomic
from manifests.manifest import Manifest

CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "jsonPath": "cr:jsonPath",
    "recordSet": "cr:recordSet",
    "sc": "https://schema.org/",
    "sha256": "cr:sha256",
    "source": "cr:source",
}
COVERED = (
    (
        "headers of DICOM by the Basic Application Level Confidentiality Profile of PS3.15, its whole Table E.1-1, at "
        "any depth, with private and unknown elements, overlays and curves; UIDs and patients become keyed hashes, and "
        "dates what the options below say (shift: by days of each patient's own, so that intervals hold)"
    ),
    "headers of volumes, images, clips: made anew or left out, also EXIF, comments, colour profiles, subtitles, sound",
    "names, numbers, dates and addresses in free text, as far as a header or their form tells them",
    "parts of file names that hold an identifier of their record, a UID or a person name",
)
NOT_COVERED = (
    (
        "faces: a head in CT, MR or PET without a statement that it was defaced is refused, not defaced; where neither "
        "header nor recipe names a body part, what is a head is guessed, in CT by skull and brain, else by the size of "
        "what is seen, and a head that fills its field of view, or a slab of one, passes: name body parts in the "
        "recipe (`facts: {body_part: ...}`), or deface"
    ),
    (
        "chest radiographs, retinal photographs, rare diseases and dates of known events, which single a person out by "
        "what they are: nothing can be removed that would not remove the picture"
    ),
    (
        "names in free text without a title or a label that no field of the source holds, nicknames, places: rules "
        "find what has a form, not what has a meaning"
    ),
    "what somebody typed into a short field that the profile keeps",
)
NOT_SEARCHED = (
    "Pictures were, as is the default, not searched for burned-in text but gated by their header: secondary captures, "
    "screen saves and dose reports, BurnedInAnnotation YES, endoscopy that does not say NO, and ultrasound without "
    "usable regions are quarantined; other ultrasound is black outside its declared regions on every frame. What "
    "stands inside a region, in an image whose header says nothing, and in pictures and clips without a DICOM header "
    "was let through unseen, because looking costs seconds an image and needs the extra `ocr` (`burned_in: detect`)."
)
SEARCHED = (
    "Every 2D image and clip was searched for burned-in text; what was found is black, and what could still be read "
    "afterwards was refused. Missed are handwriting, logos, text fainter than its background's structure, and text "
    "that a clip shows for less than an eighth of its length; slices of volumes were not searched. Ultrasound is black "
    "outside its declared regions."
)
NOT_ANONYMOUS = (
    "De-identified, not anonymous: direct identifiers are removed from headers and dates are shifted, but faces in "
    "head volumes, chest radiographs (which can identify a person) and rare cases remain identifying in principle."
)
SWEPT = (
    "What was made of each record (its text, facts, steps, lineage, samples, a teacher's prompts and answers, the "
    "metadata of its media) was searched for the identifiers of its own source: header, file names, table row and "
    "text, in several encodings. Not searched: what pixels show, and names that no field of the source holds."
)


def write_documents(out: Path, manifest: Manifest) -> None:
    write_atomic(out / "README.md", readme(manifest).encode())
    write_atomic(out / "croissant.json", (json.dumps(croissant(manifest), indent=1) + "\n").encode())


def readme(manifest: Manifest) -> str:
    """What an output holds, for a person who opens the folder."""
    counts = manifest.counts
    lost = f"{sum(counts.dropped.values())} dropped, {sum(counts.failed.values())} failed"
    lines = [
        f"# {manifest.recipe['name']}",
        "",
        f"Made by medcurate; fingerprint `{manifest.fingerprint}`.",
        "",
        f"{counts.read} input records: {counts.kept} kept, {counts.duplicate} duplicates, {lost}.",
        "",
        "| shard | stage | split | layout | samples | MB |",
        "|---|---|---|---|---|---|",
        *(
            f"| {s.path} | {s.stage} | {s.split} | {s.layout} | {s.samples} | {s.bytes / 1e6:.2f} |"
            for s in manifest.shards
        ),
        "",
        "| reason | records |",
        "|---|---|",
        *(f"| dropped: {reason} | {n} |" for reason, n in counts.dropped.items()),
        *(f"| failed: {reason} | {n} |" for reason, n in counts.failed.items()),
        "",
        "## De-identification",
        "",
        NOT_ANONYMOUS,
        "",
        "Covered:",
        "",
        *(f"- {what};" for what in COVERED),
        "",
        "Not covered, and why:",
        "",
        *(f"- {what};" for what in NOT_COVERED),
        "",
        " ".join((burned_in(manifest), *kept(manifest))),
        "",
        f"Options of the profile: {options(manifest)}.",
        "",
        SWEPT,
        "",
        f"Pseudonyms were made with a {manifest.key} key.",
        "",
        f"Teacher: {manifest.teacher.model or manifest.teacher.state}.",
        "",
        "Licences per source: " + ", ".join(f"{name}: {licence}" for name, licence in licences(manifest)) + ".",
        "",
        "`curate verify` on this folder re-checks every digest, count, link and proof.",
        "",
    ]
    return "\n".join(lines)


def burned_in(manifest: Manifest) -> str:
    """What was done about text in pixels."""
    chosen = (manifest.recipe.get("deidentify") or {}).get("burned_in", "quarantine")
    return SEARCHED if chosen == "detect" else NOT_SEARCHED


def options(manifest: Manifest) -> str:
    chosen = (manifest.recipe.get("deidentify") or {}).get("options") or {}
    words = {name: "taken" if value is True else str(value) for name, value in chosen.items() if value}
    return ", ".join(f"{name} {value}" for name, value in sorted(words.items())) or "none"


def kept(manifest: Manifest) -> list[str]:
    """What the recipe lets through that would be refused, with its reason."""
    chosen = manifest.recipe.get("deidentify") or {}
    what = {"burned_in": "images that may show text", "faces": "heads"}
    return [
        f"By the recipe's wish {name} were not refused: {' '.join(chosen[key]['keep'].split())}."
        for key, name in what.items()
        if isinstance(chosen.get(key), dict)
    ]


def licences(manifest: Manifest) -> list[tuple[str, str]]:
    return [(s["name"] or s["source"], s["licence"]) for s in manifest.recipe["sources"]]


def croissant(manifest: Manifest) -> dict[str, Any]:
    """The Croissant document of an output."""
    samples = sum(s.samples for s in manifest.shards)
    fields = ("key", "source", "licence", "group", "kind", "modality", "stage")
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": manifest.recipe["name"],
        "description": f"{samples} samples in {len(manifest.shards)} WebDataset shards. {NOT_ANONYMOUS}",
        "license": sorted({licence for _, licence in licences(manifest)}),
        "version": manifest.fingerprint[:12],
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": s.path,
                "name": s.path,
                "contentUrl": s.path,
                "contentSize": f"{s.bytes} B",
                "encodingFormat": "application/x-tar",
                "sha256": s.sha256,
            }
            for s in manifest.shards
        ]
        + [
            {
                "@type": "cr:FileSet",
                "@id": "samples-json",
                "name": "samples-json",
                "containedIn": [{"@id": s.path} for s in manifest.shards],
                "encodingFormat": "application/json",
                "includes": "*.json",
            }
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "samples",
                "name": "samples",
                "field": [
                    {
                        "@type": "cr:Field",
                        "@id": f"samples/{name}",
                        "name": name,
                        "dataType": "sc:Text",
                        "source": {"fileSet": {"@id": "samples-json"}, "extract": {"jsonPath": f"$.{name}"}},
                    }
                    for name in fields
                ],
            }
        ],
    }
