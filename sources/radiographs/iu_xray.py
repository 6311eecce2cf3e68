"""Indiana University chest X-rays (Open-i): reports with MeSH terms and their frontal and lateral radiographs.

Upstream's layout: `NLMCXR_reports.tgz` unpacked to `ecgen-radiology/1.xml` ... and `NLMCXR_png.tgz` unpacked to
`NLMCXR_png/CXR1_1_IM-0001-3001.png`. Read too: the usual re-host as tables, `indiana_reports.csv` (uid, MeSH, Problems,
image, indication, comparison, findings, impression) and `indiana_projections.csv` (uid, filename, projection) with
`images/images_normalized/1_IM-0001-4001.dcm.png`; where reports are there as XML, those are read. Quirks: a MeSH term
has its qualifiers behind slashes (`Opacity/lung/base/left/mild`), `normal` stands for none, `No Indexing` for not
indexed; words that de-identification took out, sometimes too many, stand as XXXX; some reports have no pictures, some
have neither findings nor impression; reports of one patient are not linked, so each is a group of its own. The
pictures' own view is told in the re-host alone; upstream's caption names the examination.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card, Remote
from manifests.errors import RecipeError, RecordError
from manifests.record import Fact, FileRef
from sources.base import Entry, Item, Place, Pseudonym, outcome
from sources.radiographs.shared import Gathered
from sources.upstream import Shelf, Upstream, broken, rows_below, sidecar, told
from sources.xml_files import parsed_xml

if TYPE_CHECKING:
    import numpy as np

REPORTS, PROJECTIONS = "indiana_reports.csv", "indiana_projections.csv"
FOLDER = "ecgen-radiology"
UNINDEXED = "no indexing"
TECHNICAL = "Technical Quality of Image Unsatisfactory"


class IuXray(Upstream):
    """One record per report with all its pictures. Held in memory with the re-host: the table of pictures."""

    source: Literal["iu_xray"]
    may: ClassVar[tuple[str, ...]] = (REPORTS, PROJECTIONS)
    card: ClassVar[Card] = Card(
        name="iu_xray",
        what="chest radiographs with reports and MeSH terms",
        url="https://openi.nlm.nih.gov/faq#collection",
        revision="NLMCXR, 2013",
        licence="CC-BY-NC-ND-4.0",
        access="open",
        citation="Demner-Fushman et al. Preparing a collection of radiology examinations for distribution and "
        "retrieval. JAMIA 23(2), 304-310 (2016).",
        phi_risk="low: reports de-identified and checked by hand, XXXX in place of words; markers may be burned in",
        modalities=("DX",),
        body_parts=("chest",),
        tasks=("report", "multi-label"),
        size="3,955 reports, 7,470 images",
        layout="ecgen-radiology/*.xml, NLMCXR_png/*.png; or indiana_{reports,projections}.csv, images/",
        known="recalled",
        remotes=(
            Remote(
                kind="http",
                at="https://openi.nlm.nih.gov/imgs/collections/NLMCXR_reports.tgz",
                unpack=True,
            ),
            Remote(
                kind="http",
                at="https://openi.nlm.nih.gov/imgs/collections/NLMCXR_png.tgz",
                into="NLMCXR_png",
                unpack=True,
            ),
        ),
    )

    def tables(self, place: Place) -> tuple[tuple[str, Path], ...]:
        found = super().tables(place)
        folders = (place.root / FOLDER, *place.root.glob(f"*/{FOLDER}")) if place.root.is_dir() else ()
        if len(found) < len(self.may) and not any(f.is_dir() for f in folders):
            raise RecipeError(
                f"source '{self.called}': neither a folder '{FOLDER}' nor {REPORTS} and {PROJECTIONS} below its root; "
                "`curate sources iu_xray` tells the layout and where it comes from"
            )
        return found

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        reports = shelf.matching(f"{FOLDER}/*.xml", f"*/{FOLDER}/*.xml")
        for entry in reports:
            yield from self._of_xml(place, shelf, entry, pseudonym)
        if not reports:
            yield from self._of_tables(place, shelf, pseudonym)
        yield from shelf.rest(self.may)

    def _of_xml(self, place: Place, shelf: Shelf, entry: Entry, pseudonym: Pseudonym) -> Iterator[Item]:
        report = shelf.take(entry, "table")
        try:
            root = parsed_xml(sidecar(place, entry))
        except RecordError as error:
            yield broken(entry, error)
            return
        uid = next((u.get("id", "") for u in root.iter("uId")), "") or entry.path
        said = {a.get("Label", ""): " ".join((a.text or "").split()) for a in root.iter("AbstractText")}
        terms = [(" ".join((t.text or "").split()), t.tag) for m in root.iter("MeSH") for t in m]
        named = [p.get("id", "") for p in root.iter("parentImage")]
        found = [e for n in named if (e := _picture(shelf, n))]
        if not named:
            yield outcome(entry, "dropped", "no_media", "a report without pictures", "none needed", "table")
            return
        if not found:
            lost = f"none of {len(named)} pictures is below the root"
            yield outcome(entry, "failed", "media_missing", lost, "fetch NLMCXR_png.tgz", "table")
            return
        yield from (_lost(entry, n) for n in named if _picture(shelf, n) is None)
        captions = dict.fromkeys(" ".join((c.text or "").split()) for c in root.iter("caption"))
        yield Item(
            upstream_id=uid,
            form="picture",
            files=(*(shelf.take(e) for e in found), report),
            group=pseudonym("patient", uid),
            facts=(
                *self.declared_facts(),
                *(f for c in captions for f in told("procedure", c, "xml:caption")),
                *_subjects(terms, "xml:MeSH"),
            ),
            text=_sections(said.get("FINDINGS", ""), said.get("IMPRESSION", "")),
        )

    def _of_tables(self, place: Place, shelf: Shelf, pseudonym: Pseudonym) -> Iterator[Item]:
        pictures = Gathered()
        for row in rows_below(PROJECTIONS, place):
            pictures.add(row["uid"], row)
        for row in rows_below(REPORTS, place):
            files: list[FileRef] = []
            views: list[tuple[str, FileRef]] = []
            for picture in pictures.rows(row["uid"]):
                name = picture["filename"]
                entry = shelf.first(f"images/images_normalized/{name}", f"images/{name}") or shelf.named(name)
                if entry is None:
                    yield picture.missing(name)
                else:
                    files.append(shelf.take(entry))
                    views.append((picture.get("projection"), picture.ref))
            if not files:
                yield row.failed("media_missing", "none of its pictures is below the root", "fetch images/")
                continue
            several = len(files) > 1
            at = [str(n) if several else "" for n in range(1, len(files) + 1)]
            shown = (told("view_position", v, "column:projection", at=a) for a, (v, _) in zip(at, views, strict=True))
            terms = [(t.strip(), "major") for t in row.get("MeSH").split(";")]
            yield Item(
                upstream_id=f"CXR{row['uid']}",
                form="picture",
                files=(*files, row.ref, *(r for _, r in views)),
                group=pseudonym("patient", f"CXR{row['uid']}"),
                facts=(
                    *self.declared_facts(),
                    *told("procedure", row.get("image"), "column:image"),
                    *_subjects(terms, "column:MeSH"),
                    *(fact for facts in shown for fact in facts),
                ),
                text=_sections(row.get("findings"), row.get("impression")),
            )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        for number, (terms, findings, impression, images) in enumerate(_MINIATURE, 1):
            pictures = ""
            for index, image in enumerate(images, 1):
                name = f"CXR{number}_{image}"
                if number != 5 and name != "CXR3_IM-1384-2001":  # without their files
                    mini.picture(root / f"NLMCXR_png/{name}.png", mini.pixels(rng))
                pictures += (
                    f'<parentImage id="{name}"><figureId>F{index}</figureId><caption>Xray Chest PA and Lateral'
                    f'</caption><panel type="single"><url>/hadoop/storage/{name}.jpg</url></panel></parentImage>'
                )
            mesh = "".join(f"<{tag}>{term}</{tag}>" for tag, term in terms)
            said = (("COMPARISON", "None."), ("INDICATION", "Chest pain, XXXX."), ("FINDINGS", findings),
                    ("IMPRESSION", impression))  # fmt: skip
            abstract = "".join(f'<AbstractText Label="{label}">{text}</AbstractText>' for label, text in said)
            mini.text(
                root / f"{FOLDER}/{number}.xml",
                f'<?xml version="1.0" encoding="utf-8"?>\n<eCitation><meta type="rr"/><uId id="CXR{number}"/><pmcId '
                f'id="{number}"/><docSource>CXR</docSource><ccLicense>byncnd</ccLicense><MedlineCitation><Article>'
                f"<Abstract>{abstract}</Abstract></Article></MedlineCitation><MeSH>{mesh}</MeSH>{pictures}"
                "</eCitation>\n",
            )


def _picture(shelf: Shelf, name: str) -> Entry | None:
    return shelf.named(f"{name}.png") or shelf.named(f"{name}.jpg")


def _lost(entry: Entry, name: str) -> Item:
    """How a picture ends that a report names and that is not there, while others are."""
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    file = FileRef(entry.path, sha256, len(name.encode()), "table", f"parentImage={name}")
    return Item(
        f"{entry.path}#{file.fragment}", "none", (file,), status="failed", reason="media_missing",
        found="a picture of a report is not below the root", remedy="fetch NLMCXR_png.tgz",
    )  # fmt: skip


def _sections(findings: str, impression: str) -> str:
    titled = (("Findings", findings), ("Impression", impression))
    return "\n".join(f"{title}: {text}" for title, text in titled if text)


def _subjects(terms: Sequence[tuple[str, str]], origin: str) -> Iterator[Fact]:
    """Each term whole as a keyword; of those that an indexer chose (`major`), the head as a finding."""
    for term, kind in dict.fromkeys(terms):
        head = term.split("/")[0].strip()
        if not head or head.lower() == UNINDEXED:
            continue
        if kind != "major":
            yield Fact("keyword", term, origin, about=kind)
        elif head.lower() == "normal":
            yield Fact("label", "normal", origin)
        elif head == TECHNICAL:
            yield Fact("quality", head.lower(), origin)
        else:
            yield Fact("finding", "present", origin, about=head)
            yield Fact("keyword", term, origin)


_MINIATURE: tuple[tuple[tuple[tuple[str, str], ...], str, str, tuple[str, ...]], ...] = (
    ((("major", "normal"),), "The cardiac silhouette and mediastinum are within normal limits.",
     "No acute disease.", ("1_IM-0001-3001", "1_IM-0001-4001")),
    ((("major", "Cardiomegaly/borderline"), ("automatic", "sternotomy")),
     "Borderline cardiomegaly with midline sternotomy XXXX.", "No acute pulmonary findings.", ("IM-0652-1001",)),
    ((("major", "Opacity/lung/base/left/mild"), ("major", "Calcified Granuloma/lung/upper lobe/right")),
     "Mild left basilar opacity. A calcified granuloma lies in the right upper lobe.", "Basilar atelectasis.",
     ("IM-1384-1001", "IM-1384-2001")),
    ((("major", "No Indexing"),), "", "Limited view of the chest, lungs grossly clear.", ("IM-2050-1001",)),
    ((("major", "Pneumothorax/apex/right"),), "A small right apical pneumothorax is seen.", "", ("IM-2117-1003",)),
    ((("major", "normal"),), "Lungs are clear bilaterally.", "Heart size normal.", ()),
)  # fmt: skip
