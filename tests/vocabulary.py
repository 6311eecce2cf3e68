"""The page of the canonical vocabulary, made from its tables. `python -m tests.vocabulary` writes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from manifests.terms import TABLES, Table, flat
from manifests.terms.table import ANY

PAGE = Path(__file__).resolve().parents[1] / "docs" / "vocabulary.md"
_HEAD = """\
# One language for what sources say

Sources of one modality, body part and task write the same thing in many ways: NIH's `Effusion` is CheXpert's `Pleural
Effusion`, HAM10000's `nv` is ISIC's `Nevus`. When a record is prepared, its facts get one term for each thing, so that
`{every: {modality: DX, body_part: chest}}` gives questions in one language:

- A synonym becomes the canonical term; the source's own word stands behind `=` in the fact's origin:
  `finding[pleural effusion] = present (column:Finding Labels=Effusion)`. Where the value changes too, it is
  `=ABOUT: VALUE`.
- What no table knows stays as the source writes it. So does what is not the same thing, only near to it (`normal` and
  `no finding`; `nodule`, `mass` and `nodule or mass`).
- A table holds for records whose modality and body part are known and are among its own; otherwise it is not asked.
  `Effusion` is pleural in the chest and nothing else elsewhere; `MH` is a media haze on a fundus photograph and a
  macular hole in OCT.
- Case, hyphens, underscores and British spelling do not matter. `mass 2`, `subtlety of mass` and `location of pleural
  effusion` are read by their parts.
- Masks are renamed together with all that is said of them, before any proof is made: `kidney_left` is `left kidney`
  (origin `mask:left kidney=kidney_left`). Two masks of a record that would get one name keep their own.
- Texts, reports, questions and answers of a source are never touched.

Names of classes in a recipe (`labels` of `mcq` and `vqa`) are compared with the canonical terms: write those.

The tables are in `manifests/terms/`; this page is made of them.
"""


def page() -> str:
    return _HEAD + "".join(f"\n{part}" for table in TABLES for part in _section(table))


def _section(table: Table) -> Iterator[str]:
    yield f"## {table.name[0].upper()}{table.name[1:]}\n"
    parts = " and ".join(f for f in ("value", "about") if f in table.fields)
    said = f"The {parts} of {_listed(table.facts)}"
    said += f"; modality {_listed(table.modalities)}" if table.modalities else ""
    said += f"; body part {_listed(table.body_parts)}" if table.body_parts else ""
    if table.abouts:
        said += "; where it is about something" if ANY in table.abouts else f"; about {_listed(table.abouts)}"
    yield f"{said}.\n"
    forms: dict[str, list[str]] = {}
    for word, term in table.words.items():
        forms.setdefault(term, []).append(word)
    lines = []
    for term, own in forms.items():
        others = [w for w in own if w != flat(term)]
        lines.append(f"**{term}** ({'; '.join(others)})" if others else f"**{term}**")
    yield ", ".join(lines) + "\n"


def _listed(words: frozenset[str]) -> str:
    return ", ".join(f"`{word}`" for word in sorted(words))


if __name__ == "__main__":
    PAGE.write_text(page())
